package queue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"
)

// Errors of Join and of the verbs. Each comes wrapped, with the call or agent
// it is about.
var (
	ErrUnknownQueue   = errors.New("queue: no such queue")
	ErrUnknownAgent   = errors.New("queue: no such agent")
	ErrNobodySignedIn = errors.New("queue: nobody is there to take the call")
	ErrFull           = errors.New("queue: full")
	ErrDuplicate      = errors.New("queue: the call is already waiting or talking")
	ErrNoSkill        = errors.New("queue: nobody who serves it has what the caller needs")
	ErrNotTheirCall   = errors.New("queue: not the agent's call")
	ErrStopped        = errors.New("queue: the engine has stopped")
)

// Causes of an offer's cancelled context, found by context.Cause. ErrStopped
// is one more.
var (
	ErrOfferOver  = errors.New("queue: the offer is over")                     // its owner reported Failed; also what a late report gets
	ErrCallerLeft = errors.New("queue: the caller left")                       // stop the ringing at once
	ErrWithdrawn  = errors.New("queue: the agent signed out or paused")        // the caller keeps the place
	ErrUnreported = errors.New("queue: the offer was not reported on in time") // the ticket lapses
	ErrElsewhere  = errors.New("queue: another agent answered first")          // of those rung for the same caller
)

// Reasons a ticket lapses, beside those given to Close.
const (
	LapseSignedOut  = "signed-out" // the last agent signed out
	LapseUnattended = "unattended" // everybody signed in has been out of service for Rules.Unattended
	LapseUnreported = "unreported" // an offer was taken back because its owner reported nothing
	LapseClosing    = "closing"    // the usual reason given to Close
	LapseTooLong    = "too-long"   // Rules.MaxWait has passed
	LapseCallBack   = "call-back"  // … and Rules.MaxWaitTo says so: a call back is to be offered
	LapseMessage    = "message"    // … a message is to be taken
	LapseRemoved    = "removed"    // the queue is gone
	LapseNoSkill    = "no-skill"   // nobody who serves the queue has what the caller needs, nor will have
)

// Caller is who wants to wait.
type Caller struct {
	ID       string    `json:"id"` // the call's
	Queue    string    `json:"queue"`
	Priority int       `json:"priority,omitempty"` // higher is served first; 0 is ordinary
	Arrived  time.Time `json:"arrived"`            // decides the order within a priority (see LineClock); a returning caller keeps it; zero: now

	// Head is set for a caller who was with an agent and lost the line (B4):
	// ahead of everybody without Head, of whatever priority. Several of them
	// stand by priority and arrival.
	Head bool `json:"head,omitempty"`

	// Offers is how many offers this call has had before, so that the numbers
	// of a returning caller's offers go on.
	Offers int `json:"offers,omitempty"`

	// Again is set for a caller who had this place before a restart, and is
	// not refused it because the queue is full.
	Again bool `json:"again,omitempty"`

	// Waited is how much of this wait was before the restart; it counts as if
	// it had been here.
	Waited time.Duration `json:"-"`

	// Prefer is the agent the caller had before: who takes the caller if ready
	// now, and otherwise if they become ready within Rules.PreferFor. It means
	// nothing if that agent does not serve the queue.
	Prefer string `json:"prefer,omitempty"`

	// Needs are the skills, with the lowest level of each, that this caller
	// needs of an agent, beside those that the queue asks for.
	Needs map[string]int `json:"needs,omitempty"`

	// Who is whoever calls, as a key that tells nobody anything: the same for
	// the same number, empty where it is not known. Rules.Sticky goes by it.
	Who string `json:"-"`

	// AnyHour is set for a caller whom queues take over at any hour: an emergency,
	// or who was with an agent and lost the line. Others overflow into no queue
	// that is closed (Engine.Close).
	AnyHour bool `json:"any_hour,omitempty"`

	// Owner is the service at which the call is, where several share a queue.
	Owner string `json:"owner,omitempty"`
}

// Ticket is a caller's place in a queue. Its methods may be called from any
// goroutine.
type Ticket struct {
	engine *Engine
	caller Caller
	offers chan *Offer
	lapsed chan struct{}

	// Guarded by the engine's lock.
	ringing     []*Offer
	only        [1]*Offer // ringing, where there is one at a time
	number      int       // of the last offer
	done        bool
	last        string // the queue where they stood when the wait ended
	lapseReason string
}

// Caller is who stands here, with Arrived filled in.
func (t *Ticket) Caller() Caller { return t.caller }

// Queue is where the caller stands, or stood when the wait ended: the queue they
// joined, or the one they overflowed into.
func (t *Ticket) Queue() string {
	t.engine.mu.Lock()
	defer t.engine.mu.Unlock()
	if p := t.place(); p != nil {
		return p.queue.rules.ID
	}
	return cmp.Or(t.last, t.caller.Queue)
}

// Offers delivers agents, one at a time. The next comes only after the one
// before has failed, except in a queue that rings all, where up to
// Rules.RingAtMost are there at once. An offer that ended before it was read
// has a cancelled context.
func (t *Ticket) Offers() <-chan *Offer { return t.offers }

// Lapsed is closed when the queue ends this wait; LapseReason says why.
func (t *Ticket) Lapsed() <-chan struct{} { return t.lapsed }

// LapseReason is one of the Lapse constants or the reason given to Close;
// empty while the wait goes on.
func (t *Ticket) LapseReason() string {
	t.engine.mu.Lock()
	defer t.engine.mu.Unlock()
	return t.lapseReason
}

// Position is 1 for the caller who is served next; callers for whom a phone
// rings still count. It is 0 when the wait is over.
func (t *Ticket) Position() int {
	t.engine.mu.Lock()
	defer t.engine.mu.Unlock()
	return t.position()
}

// place is the machine's side of the ticket, nil when the wait is over; the
// engine's lock is held.
func (t *Ticket) place() *place {
	if t.done {
		return nil
	}
	return t.engine.machine.waiting[t.caller.ID]
}

func (t *Ticket) position() int {
	if p := t.place(); p != nil {
		return p.queue.all.ahead(p) + 1
	}
	return 0
}

// Estimate is the wait still to come (D1), and false when there is too little
// to tell it from. By how much estimates have been wrong lately is told by
// QueueView.EstimateError.
func (t *Ticket) Estimate() (time.Duration, bool) {
	t.engine.mu.Lock()
	defer t.engine.mu.Unlock()
	p := t.place()
	if p == nil {
		return 0, false
	}
	return p.queue.estimate(t.position())
}

// Leave ends the wait from the caller's side: "hang-up", "message". A phone
// that rings for this caller is released: its offer's context is cancelled
// with ErrCallerLeft, the agent is ready again and keeps the idle time.
// Leaving twice, or after the wait is over, does nothing.
func (t *Ticket) Leave(reason string) {
	t.engine.mu.Lock()
	if t.done {
		t.engine.mu.Unlock()
		return
	}
	_ = t.engine.doNow(Command{Do: VerbLeave, Call: t.caller.ID, Reason: reason})
}

// waited is how long this wait has lasted, a restart included.
func (t *Ticket) waited() time.Duration {
	t.engine.mu.Lock()
	defer t.engine.mu.Unlock()
	if p := t.place(); p != nil {
		return p.waitedAt(t.engine.clock())
	}
	return 0
}

// Refusal is how an offer failed; each has its consequence for the agent. The
// caller keeps the place, except after Cancelled.
type Refusal string

// The refusals. One that is not listed counts as NoAnswer.
const (
	NoAnswer    Refusal = "no-answer"   // a miss: a short rest, out of service after Rules.MissesBeforeOut in a row
	Declined    Refusal = "declined"    // a rest of Rules.DeclinePause; somebody is there, so misses start anew
	Unreachable Refusal = "unreachable" // unreachable until Reachable, SignIn or Ready
	NoWay       Refusal = "no-way"      // the call's service cannot ring phones where the agent's is, and has said so (Engine.SetWays): ready again, idle time kept
	Cancelled   Refusal = "cancelled"   // the caller is gone, as by Ticket.Leave, or needs the agent no more: ready again, idle time kept
)

// Offer is one agent reserved for one caller: who waits (Ticket.Offers), or
// whose call asks for this agent (Engine.Call). Its owner rings the agent for
// RingTimeout at most and reports Connected or Failed; without a report the
// engine takes the offer back ReportGrace later and ends the wait
// (LapseUnreported) if there is one. Reports after the end change nothing.
type Offer struct {
	ID          string // "20260206-090000-0001-offer-1", unique within the call; of an agent who is called in "20260206-090000-0001-to-1002-7"
	Number      int    // 1 for the call's first offer; 0 for an agent who is called in, which is not counted
	Agent       Profile
	Queue       string
	RingTimeout time.Duration
	Waited      time.Duration // how long the caller had waited when the offer was made
	With        string        // called in: the agent whose call it is, or was last

	engine *Engine
	call   string
	ticket *Ticket // nil: called in
	ctx    context.Context
	cancel context.CancelCauseFunc
	over   bool // guarded by the engine's lock
}

// Context is cancelled, with the cause, when the offer ends otherwise than by
// Connected: ErrCallerLeft, ErrWithdrawn, ErrElsewhere, ErrUnreported,
// ErrOfferOver, ErrStopped.
func (o *Offer) Context() context.Context { return o.ctx }

// Ringing reports that the agent's phone rings. An offer that is over returns
// the reason it ended.
func (o *Offer) Ringing() error { return o.report(VerbRinging, "") }

// Connected reports that the agent answered: the wait is over and the talk has
// begun. An agent who was called in is the call's third then, or has the call
// where nobody has it any more; Engine.Agent says which. After an error (the reason the offer ended, wrapped in ErrOfferOver)
// there is no talk, and the agent's phone must be hung up.
func (o *Offer) Connected() error { return o.report(VerbConnected, "") }

// Failed reports that there will be no talk.
func (o *Offer) Failed(reason Refusal) { _ = o.report(VerbFailed, string(reason)) }

func (o *Offer) report(verb Verb, reason string) error {
	e := o.engine
	e.mu.Lock()
	if o.over {
		defer e.mu.Unlock()
		return o.overError()
	}
	err := e.doNow(Command{Do: verb, Call: o.call, Offer: o.ID, Reason: reason})
	if errors.Is(err, ErrOfferOver) {
		return o.overError()
	}
	return err
}

// end makes the offer worthless and tells its owner why; nil: it was answered.
func (o *Offer) end(why error) {
	o.over = true
	if why != nil {
		o.cancel(why)
	}
}

func (o *Offer) overError() error {
	why := context.Cause(o.ctx)
	if why == nil {
		why = errors.New("connected already")
	}
	return fmt.Errorf("offer %s to agent %s: %w: %w", o.ID, o.Agent.ID, ErrOfferOver, why)
}
