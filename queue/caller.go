package queue

import (
	"context"
	"errors"
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
)

// Reasons a ticket lapses, beside those given to Close.
const (
	LapseSignedOut  = "signed-out" // the last agent signed out
	LapseUnattended = "unattended" // everybody signed in has been out of service for Rules.Unattended
	LapseUnreported = "unreported" // an offer was taken back because its owner reported nothing
	LapseClosing    = "closing"    // the usual reason given to Close
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
}

// Ticket is a caller's place in a queue. Its methods may be called from any
// goroutine.
type Ticket struct {
	engine *Engine
	caller Caller
	queue  *callers
	joined time.Time // on the real clock, as if there had been no restart
	number int       // of offers made
	offers chan *Offer
	lapsed chan struct{}

	// Guarded by the engine's lock.
	offer       *Offer
	done        bool // connected, left or lapsed
	lapseReason string
	prefers     *agent      // whom the caller waits for, while others are let pass
	patience    *time.Timer // after which anybody will do; nil: anybody who is ready will do
	lapseNext   string      // set by Close while an agent's phone rings: lapses if that offer fails
}

// Caller is who stands here, with Arrived filled in.
func (t *Ticket) Caller() Caller { return t.caller }

// Offers delivers one agent at a time. The next comes only after the one
// before has failed; an offer that ended before it was read has a cancelled
// context.
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

func (t *Ticket) position() int {
	if t.done {
		return 0
	}
	return t.queue.ahead(t) + 1
}

// Estimate is the wait still to come (D1), and false when there is too little
// to tell it from.
func (t *Ticket) Estimate() (time.Duration, bool) {
	t.engine.mu.Lock()
	defer t.engine.mu.Unlock()
	if t.done {
		return 0, false
	}
	return t.queue.estimate(t.position())
}

// Leave ends the wait from the caller's side: "hang-up", "message". A phone
// that rings for this caller is released: its offer's context is cancelled
// with ErrCallerLeft, the agent is ready again and keeps the idle time.
// Leaving twice, or after the wait is over, does nothing.
func (t *Ticket) Leave(reason string) {
	defer t.engine.enter()()
	t.engine.leave(t, reason)
}

// Refusal is how an offer failed; each has its consequence for the agent. The
// caller keeps the place, except after Cancelled.
type Refusal string

// The refusals. One that is not listed counts as NoAnswer.
const (
	NoAnswer    Refusal = "no-answer"   // a miss: a short rest, out of service after Rules.MissesBeforeOut in a row
	Declined    Refusal = "declined"    // a rest of Rules.DeclinePause; somebody is there, so misses start anew
	Unreachable Refusal = "unreachable" // unreachable until Reachable, SignIn or Ready
	Cancelled   Refusal = "cancelled"   // the caller is gone, as by Ticket.Leave: ready again, idle time kept
)

// Offer is one agent reserved for one caller. Its owner rings the agent for
// RingTimeout at most and reports Connected or Failed; without a report the
// engine takes the offer back ReportGrace later and ends the wait
// (LapseUnreported). Reports after the end change nothing.
type Offer struct {
	ID          string // "20260206-090000-0001-offer-1", unique within the call
	Number      int    // 1 for the call's first offer
	Agent       Profile
	Queue       string
	RingTimeout time.Duration
	Waited      time.Duration // how long the caller had waited when the offer was made

	ticket *Ticket
	agent  *agent
	ctx    context.Context
	cancel context.CancelCauseFunc
	timer  *time.Timer
	over   bool // guarded by the engine's lock
}

// Context is cancelled, with the cause, when the offer ends otherwise than by
// Connected: ErrCallerLeft, ErrWithdrawn, ErrUnreported, ErrOfferOver,
// ErrStopped.
func (o *Offer) Context() context.Context { return o.ctx }

// Ringing reports that the agent's phone rings. An offer that is over returns
// the reason it ended.
func (o *Offer) Ringing() error {
	defer o.ticket.engine.enter()()
	return o.ticket.engine.ringing(o)
}

// Connected reports that the agent answered: the wait is over and the talk has
// begun. After an error (the reason the offer ended, wrapped in ErrOfferOver)
// there is no talk, and the agent's phone must be hung up.
func (o *Offer) Connected() error {
	defer o.ticket.engine.enter()()
	return o.ticket.engine.connected(o)
}

// Failed reports that there will be no talk.
func (o *Offer) Failed(reason Refusal) {
	defer o.ticket.engine.enter()()
	o.ticket.engine.failed(o, reason)
}
