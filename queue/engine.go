package queue

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Options of an engine. Queues and Agents are required.
type Options struct {
	Queues []Rules
	Agents []Profile

	// Now is the wall clock for everything that is shown or recorded; nil is
	// time.Now. Timers run on the real clock.
	Now func() time.Time

	// Record gets every change, in order, several at once when they come fast,
	// from one goroutine and under no lock; it must not keep the slice. An offer or a lapse reaches its
	// call only after Record has returned, so it must come back soon and deal
	// with its own errors. It must not call Stop. nil: nothing is recorded.
	Record func([]Change)

	// Note gets, in the place of Record and in one order with it, the changes
	// for which nobody waits: no offer and no lapse goes with them, and
	// [Engine.Recorded] was not asked. They need only be on their way when it
	// returns; Record then comes back once they are recorded, too, and may be
	// called with no changes for that alone. nil: Record gets them.
	Note func([]Change)

	// Hold puts matching off until Open: callers take their places and agents
	// are listened to, but nobody is offered anybody, and nobody lapses because
	// no agent is there, since who is there is not known before Restore. Newcomers
	// are refused as ever: they are to come after Restore.
	Hold bool

	// Log is shared with other engines, whose callers and agents are then one
	// with this one's; Owner is the name of this service among them. The engine
	// stops the log when it stops. nil: this engine has its own.
	Log   Log
	Owner string

	// Anew are the queues of which this service says another thing than when it
	// was last with the others: their rules then hold for all, and one that is
	// not among Queues is removed. Of other queues the rules hold that the others
	// have.
	Anew []string

	// Ways are the services whose agents' phones can be rung from this one, its
	// own apart: its callers are offered to others' agents only there. It can
	// change (Engine.SetWays). nil: everybody's can.
	Ways []string

	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// Engine matches callers with agents: a Machine on the real clock. All agents
// start offline, or as Restore says. Its methods may be called from any
// goroutine; Stop ends it.
type Engine struct {
	now     func() time.Time // the wall's, nil: the real one
	began   time.Time
	owner   string
	shared  Log // nil: none
	record  func([]Change)
	note    func([]Change)
	log     *slog.Logger
	metrics *metrics
	news    chan struct{} // something is in the outbox
	told    chan struct{} // closed when tell has ended

	opening, settling sync.Once
	settled           chan struct{} // closed when it is known whether there is company

	mu      sync.Mutex
	machine *Machine
	tickets map[string]*Ticket // by call, of waits that go on
	called  map[string]*Offer  // by ID, of agents whom calls of this engine call in
	timer   *time.Timer
	armed   time.Time     // what the timer is set for; zero: nothing
	line    LineClock     // for callers who do not say when they arrived
	ahead   time.Duration // by which the machine's clock is ahead of this process's
	company bool          // what is asked goes to the shared log
	met     bool          // it has been with the others: its clock is the common one
	asked   []*request    // in the log's hands, in order
	alone   solitude
	brought *Part // when this service last came to the others
	out     outbox
	spare   outbox // the one before, for its memory
	stopped bool
}

// New checks the options, names everything that is wrong in them, and starts.
func New(o Options) (*Engine, error) {
	e := &Engine{
		now: o.Now, began: time.Now(), owner: o.Owner, shared: o.Log, record: o.Record, note: o.Note, log: o.Logger,
		news: make(chan struct{}, 1), told: make(chan struct{}), settled: make(chan struct{}), tickets: map[string]*Ticket{}, called: map[string]*Offer{},
	}
	if err := o.prepare(); err != nil {
		return nil, err
	}
	if e.log == nil {
		e.log = slog.New(slog.DiscardHandler)
	}
	var err error
	if e.machine, err = NewMachine(o.Queues, o.Agents, o.Hold || o.Log != nil, e.wall(time.Now())); err != nil {
		return nil, fmt.Errorf("queue: %w", err)
	}
	e.machine.setWays(o.Owner, o.Ways)
	for _, id := range o.Anew {
		e.machine.changed[id] = true
	}
	if e.metrics, err = newMetrics(e, o.Registerer); err != nil {
		return nil, fmt.Errorf("queue: registering metrics: %w", err)
	}
	go e.tell()
	if !o.Hold && e.shared != nil {
		e.Open()
	}
	return e, nil
}

// Stop ends the engine: timers stop, offers are cancelled with ErrStopped,
// what has happened is recorded. Waiting callers are neither lapsed nor
// recorded as gone: a shutdown is no ending of a call.
func (e *Engine) Stop() {
	e.mu.Lock()
	if !e.stopped {
		e.stopped = true
		if e.timer != nil {
			e.timer.Stop()
		}
		for _, t := range e.tickets {
			for _, o := range t.ringing {
				o.end(ErrStopped)
			}
		}
		for _, o := range e.called {
			o.end(ErrStopped)
		}
		for _, r := range e.asked {
			r.done <- ErrStopped
		}
		e.asked = nil
	}
	e.mu.Unlock()
	e.settle()
	if e.shared != nil {
		e.shared.Stop()
	}
	e.wake()
	<-e.told
}

// leave gives the lock back and has what happened meanwhile told.
func (e *Engine) leave() {
	news := !e.out.empty()
	e.mu.Unlock()
	if news {
		e.wake()
	}
}

func (e *Engine) wake() {
	select {
	case e.news <- struct{}{}:
	default:
	}
}

// clock is the machine's: it goes on steadily whatever is done to the wall's.
func (e *Engine) clock() time.Time { return e.steady(time.Now()).Add(e.ahead) }

func (e *Engine) steady(now time.Time) time.Time {
	return e.began.Round(0).Add(now.Sub(e.began))
}

func (e *Engine) wall(now time.Time) time.Time {
	if e.now != nil {
		now = e.now()
	}
	return now.Round(0)
}

// submit has the machine carry out a command now; the lock is held.
func (e *Engine) submit(c Command) error {
	if e.stopped {
		return ErrStopped
	}
	now := time.Now()
	c.At, c.Wall, c.Owner = e.steady(now).Add(e.ahead), e.wall(now), e.owner
	err := e.apply(c, true)
	e.arm(c.At)
	return err
}

// apply has the machine carry out a command, asked for here or elsewhere; the
// lock is held.
func (e *Engine) apply(c Command, own bool) error {
	fx, err := e.machine.Apply(c)
	if c.ticket != nil && err == nil {
		e.tickets[c.ticket.caller.ID] = c.ticket
	}
	if c.offer != nil && err == nil {
		e.calls(c.offer, &fx)
	}
	e.carryOut(&fx, own)
	return err
}

// arm sets the timer for what falls due next. One that is set for an earlier
// moment is left: it then finds nothing to do and is set anew.
func (e *Engine) arm(now time.Time) {
	next, any := e.machine.Next()
	if !any || !e.armed.IsZero() && !next.Before(e.armed) {
		return
	}
	e.armed = next
	wait := next.Sub(now)
	if e.timer == nil {
		e.timer = time.AfterFunc(wait, e.tick)
	} else {
		e.timer.Reset(wait)
	}
}

// tick has time pass. Where services share their callers somebody may have seen
// to that before the timer ran, and then nothing else sets it anew.
func (e *Engine) tick() {
	e.mu.Lock()
	defer e.leave()
	due := e.armed
	e.armed = time.Time{}
	switch next, any := e.machine.Next(); {
	case !e.company || e.stopped:
		_ = e.submit(Command{Do: VerbTick})
	case any && next.After(due):
		e.arm(e.clock())
	case any:
		e.shared.Tick(due)
	}
}

// do has a command happen and returns what the machine says to it.
func (e *Engine) do(c Command) error {
	e.mu.Lock()
	return e.doNow(c)
}

// doNow is do with the lock held, which it gives back.
func (e *Engine) doNow(c Command) error {
	if e.company && !e.stopped {
		r := e.append(c)
		e.mu.Unlock()
		return <-r.done
	}
	defer e.leave()
	return e.submit(c)
}

// Join gives the caller a place, and an agent at once if one is ready. Where
// their queue is full or nobody is there, it is a place in the queue that it
// overflows into. Before Open a caller whom nobody is there for gets a place
// too, and lapses then. It returns ErrUnknownQueue, ErrNobodySignedIn, ErrFull,
// ErrNoSkill, ErrDuplicate or ErrStopped, wrapped. A call that an agent is with
// or called to cannot join: end that first.
func (e *Engine) Join(c Caller) (*Ticket, error) {
	t, err := e.join(c)
	if err != nil {
		return nil, fmt.Errorf("call %s cannot wait in queue %q: %w", c.ID, c.Queue, err)
	}
	return t, nil
}

func (e *Engine) join(c Caller) (*Ticket, error) {
	e.mu.Lock()
	if e.tickets[c.ID] != nil && !e.stopped {
		e.mu.Unlock()
		return nil, ErrDuplicate
	}
	switch {
	case c.Arrived.IsZero():
		c.Arrived = e.line.Now(e.wall(time.Now()))
	case c.Again:
		e.line.NotBefore(c.Arrived)
	}
	c.Arrived, c.Owner = c.Arrived.Round(0), e.owner
	t := &Ticket{engine: e, caller: c, number: c.Offers, offers: make(chan *Offer, MostRung), lapsed: make(chan struct{})}
	join := Command{Do: VerbJoin, Caller: &t.caller, Waited: c.Waited, Who: c.Who, ticket: t}
	if e.shared != nil {
		join.Clock = e.wall(time.Now())
	}
	if err := e.doNow(join); err != nil {
		return nil, err
	}
	return t, nil
}

// SignIn makes an agent ready (A1): from offline, from a pause, from being
// unreachable or taken out. During a talk it takes back a SignOut or Pause.
func (e *Engine) SignIn(agentID string) error { return e.ask(agentID, VerbSignIn, "") }

// SignOut takes an agent off. During a talk it is granted once the talk is
// wrapped up, though callers no longer count on the agent from now on. An offer
// is withdrawn; when nobody is left, waiting callers lapse.
func (e *Engine) SignOut(agentID string) error { return e.ask(agentID, VerbSignOut, "") }

// Pause keeps an agent signed in without offers until Ready. During a talk it
// is granted once the talk is wrapped up. An offer is withdrawn.
func (e *Engine) Pause(agentID, reason string) error { return e.ask(agentID, VerbPause, reason) }

// Ready ends a pause, a wrap-up or being unreachable. During a talk it takes
// back a SignOut or Pause, and so it does in the wrap-up, which it ends.
func (e *Engine) Ready(agentID string) error { return e.ask(agentID, VerbReady, "") }

// Reachable reports that an agent's phone has registered. An unreachable agent
// is ready again; for any other it means nothing and is no error.
func (e *Engine) Reachable(agentID string) error { return e.ask(agentID, VerbReachable, "") }

// Unreachable reports that a ready agent has neither phone nor browser any more, before a
// caller is offered to them. For any other agent it means nothing and is no error: an
// offer finds out by itself, a talk has its own line, and nobody else is rung.
func (e *Engine) Unreachable(agentID string) error { return e.ask(agentID, VerbUnreachable, "") }

func (e *Engine) ask(agentID string, verb Verb, reason string) error {
	err := e.do(Command{Do: verb, Agent: agentID, Reason: reason})
	if err == ErrStopped {
		return fmt.Errorf("agent %s: %w", agentID, err)
	}
	return err
}

// Hold reports that the agent put the caller on hold.
func (e *Engine) Hold(agentID, callID string) error { return e.talk(agentID, callID, VerbHold) }

// Consult reports that the agent put the caller on hold to talk with a
// colleague, whom Call has called in.
func (e *Engine) Consult(agentID, callID string) error { return e.talk(agentID, callID, VerbConsult) }

// Resume reports that the agent came back to the caller.
func (e *Engine) Resume(agentID, callID string) error { return e.talk(agentID, callID, VerbResume) }

// EndTalk reports that agent and caller have parted, whoever hung up. The
// agent wraps up, and then gets what they asked for during the talk. Of a third
// it is EndConsult.
func (e *Engine) EndTalk(agentID, callID string) error { return e.talk(agentID, callID, VerbEnd) }

// Rejoin takes an agent back to the call they last talked with, after an
// accidental hang-up (B4): from wrap-up, and from ready or paused if wrap-up
// has passed already. The call must not wait (Leave first) nor be with
// somebody else: that is ErrNotTheirCall.
func (e *Engine) Rejoin(agentID, callID string) error { return e.talk(agentID, callID, VerbRejoin) }

func (e *Engine) talk(agentID, callID string, verb Verb) error {
	err := e.do(Command{Do: verb, Agent: agentID, Call: callID})
	if err == ErrStopped {
		return fmt.Errorf("agent %s, call %s: %w", agentID, callID, err)
	}
	return err
}

// Extend gives an agent more time to wrap up, up to Rules.WrapUpAtMost in all:
// beyond that it is ErrNoMore. An agent who is not wrapping up gets a
// TransitionError.
func (e *Engine) Extend(agentID string, by time.Duration) error {
	return e.do(Command{Do: VerbExtend, Agent: agentID, For: by})
}

// Finish ends a wrap-up before its time: the agent is ready, or gets what they
// asked for during the talk. An agent who is not wrapping up gets a
// TransitionError.
func (e *Engine) Finish(agentID string) error { return e.ask(agentID, VerbFinish, "") }

// Order asks something of an agent in their stead: VerbSignIn, VerbSignOut,
// VerbPause, VerbReady, VerbExtend or VerbFinish, with the fields of Command they
// read and By, who asks, for the record. They mean what the methods of those
// names do.
func (e *Engine) Order(c Command) error {
	switch c.Do {
	case VerbSignIn, VerbSignOut, VerbPause, VerbReady, VerbExtend, VerbFinish:
		return e.do(c)
	}
	return fmt.Errorf("queue: %q is nothing that can be asked of an agent", c.Do)
}

// Close is closing time: every waiting caller of this service lapses with the
// reason, LapseClosing as a rule. A caller for whom a phone rings keeps that offer and
// lapses only if it fails. The queue itself stays usable: whether it is open
// is the calendar's matter, and a caller who lost an agent's line may return. But
// nobody of this service overflows into it before Reopen, except at any hour
// (Caller.AnyHour).
func (e *Engine) Close(queueID, reason string) error {
	if err := e.do(Command{Do: VerbClose, Queue: queueID, Reason: reason}); err != nil {
		return fmt.Errorf("closing queue %q: %w", queueID, err)
	}
	return nil
}

// Reopen is opening time after Close: callers may overflow into the queue again.
func (e *Engine) Reopen(queueID string) error {
	if err := e.do(Command{Do: VerbReopen, Queue: queueID}); err != nil {
		return fmt.Errorf("opening queue %q: %w", queueID, err)
	}
	return nil
}

// Restore gives agents the states in which the service was last seen; it is
// for an engine with Options.Hold, before Open. Who became ready first is
// offered the first caller; equals stand as they are listed. A talk goes on as
// if it had begun here: whoever restores it ends it with EndTalk.
//
// What came to an end meanwhile is recorded as it would have been: an offer is
// taken back (KindRefused, CauseRestart), a wrap-up or a rest is over. Nothing
// else is recorded, since the record is where it was read.
//
// The error names the agents who cannot be restored: unknown ones stay out,
// and who has a talk that cannot be (no call, or a call that waits or is with
// somebody else) is ready. All others are restored. Agents who have done
// something since the start, or were restored before, keep their state.
func (e *Engine) Restore(list []Restored) error {
	list = slices.Clone(list)
	for i := range list {
		list[i].Owner = cmp.Or(list[i].Owner, e.owner)
	}
	err := e.do(Command{Do: VerbRestore, Agents: list})
	if err == ErrStopped {
		return fmt.Errorf("restoring %d agents: %w", len(list), err)
	}
	return err
}

// Open begins the matching that Options.Hold put off: the callers in their
// order, each with the agent whom their queue's strategy chooses. Whoever waits
// where nobody is signed in lapses. Opening twice does nothing.
//
// With a Log it is the time to come to the others, and Open returns when that
// is done or has failed. Callers then stand where they belong among all.
func (e *Engine) Open() {
	if e.shared == nil {
		_ = e.do(Command{Do: VerbOpen})
		return
	}
	e.opening.Do(func() { e.shared.Start(Follower{e}) })
	<-e.settled
}

// Call calls an agent in, by a call that does not wait: to be consulted by whose
// call it is, to take it over, or to take back a caller whom nobody else took.
// The agent is reserved as for a caller in line, and the offer is like others:
// whoever asks for it rings the agent for its RingTimeout at most and reports.
// It returns when the offer is recorded.
//
// Only who is ready can be called, whatever queues they serve, and who is in
// wrap-up by the call they wrap up. Otherwise it is a TransitionError, which
// names the state. ErrThird: the call has a third, or is calling one, already.
// ErrDuplicate: the caller is in line, and meets agents there. ErrAway: the
// agent's service is not heard of. ErrNoWay: it is one to which this service has
// no way. ErrHeld: Open comes first.
func (e *Engine) Call(agentID, callID string) (*Offer, error) {
	o := &Offer{engine: e, call: callID}
	if err := e.do(Command{Do: VerbCall, Agent: agentID, Call: callID, offer: o}); err != nil {
		return nil, fmt.Errorf("call %s cannot call agent %s in: %w", callID, agentID, err)
	}
	e.Recorded(context.Background())
	return o, nil
}

// EndConsult ends the part of a third in a call: they are ready at once, since
// there is nothing of theirs to wrap up, or what they asked for meanwhile.
// ErrNotTheirCall: the agent is not the call's third.
func (e *Engine) EndConsult(agentID, callID string) error {
	return e.talk(agentID, callID, VerbEndConsult)
}

// HandOver gives a call to its third, to, and has from leave it for their
// wrap-up, unless they have left already: one change tells both. A call that is
// with to already is no error. ErrNotTheirCall: to is not the call's third, or
// the call is somebody else's than from's.
func (e *Engine) HandOver(callID, from, to string) error {
	err := e.do(Command{Do: VerbHandOver, Call: callID, Agent: to, With: from})
	if err == ErrStopped {
		return fmt.Errorf("call %s, agents %s and %s: %w", callID, from, to, err)
	}
	return err
}

// FoundThird is Found for the third of a call, who was called in to it. It is
// recorded as KindConsulted with CauseFound. ErrNotTheirCall: the call has
// another third, waits, or is the agent's own. Found makes a third the call's
// agent where nobody else has it.
func (e *Engine) FoundThird(agentID, callID, queueID string) error {
	err := e.do(Command{Do: VerbFoundThird, Agent: agentID, Call: callID, Queue: queueID})
	if err == ErrStopped {
		return fmt.Errorf("agent %s, call %s: %w", agentID, callID, err)
	}
	return err
}

// Found reports that agent and call are together, as Asterisk shows it, though
// no offer of this engine led there: the answer came while nobody listened. A
// wait of the call's is over, as by Connected; other offers to either of them
// are taken back. It is recorded as KindConnected with CauseFound. A talk that
// is known already is no error. It returns ErrNotTheirCall when the call is
// with somebody else, and a TransitionError when the agent is offline or with
// another call.
func (e *Engine) Found(agentID, callID, queueID string) error {
	err := e.do(Command{Do: VerbFound, Agent: agentID, Call: callID, Queue: queueID})
	if err == ErrStopped {
		return fmt.Errorf("agent %s, call %s: %w", agentID, callID, err)
	}
	return err
}

// SetRules gives a queue other rules, or opens a new one, whatever goes on
// there; by is who asks for it, for the record (KindRules). Callers keep their
// places as far as the new rules let them, phones that ring go on ringing. Rules
// that contradict the rest are refused and change nothing, and so are those that
// are meant for another version than what is there (ErrChanged).
func (e *Engine) SetRules(r Rules, by string, seen ...Version) error {
	return e.do(Command{Do: VerbSetRules, Rules: &r, By: by, Seen: meant(seen)})
}

// RemoveQueue ends a queue. Whoever waits there lapses with LapseRemoved,
// phones that ring for them stop, talks go on. It is refused while another
// queue overflows into it, and with ErrUnknownQueue or ErrChanged.
func (e *Engine) RemoveQueue(queueID, by string, seen ...Version) error {
	if err := e.do(Command{Do: VerbRemoveQueue, Queue: queueID, By: by, Seen: meant(seen)}); err != nil {
		return fmt.Errorf("removing queue %q: %w", queueID, err)
	}
	return nil
}

// SetProfile adds an agent, who is offline then, or has one serve other queues
// or with other skills. A phone that rings for a caller whom the agent serves
// no more stops; a talk goes on. What contradicts the rest is refused, such as
// taking the last agent with a skill from a queue that asks for it. An agent
// whose home is not said stays at home where they are, and a new one is here.
// What is meant for another version is refused (ErrChanged).
func (e *Engine) SetProfile(p Profile, by string, seen ...Version) error {
	e.mu.Lock()
	if p.Home == "" {
		p.Home = e.owner
		if is, there := e.machine.Agent(p.ID); there {
			p.Home = is.Home
		}
	}
	return e.doNow(Command{Do: VerbSetProfile, Profile: &p, By: by, Seen: meant(seen)})
}

// RemoveAgent takes out an agent, who must be offline (ErrSignedIn) and, where a
// version is said, not changed since (ErrChanged).
func (e *Engine) RemoveAgent(agentID, by string, seen ...Version) error {
	return e.do(Command{Do: VerbRemoveAgent, Agent: agentID, By: by, Seen: meant(seen)})
}
