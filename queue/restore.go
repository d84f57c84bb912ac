package queue

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Restored is an agent as they were when the service was last seen. It is
// told from the agent's changes, one after the other, by After.
type Restored struct {
	Agent string
	State State

	// Since is the beginning of State. For an agent who was reserved or ringing
	// it is when they became ready: an offer that came to nothing costs nobody
	// their idle time.
	Since time.Time

	Reason string // why paused or unreachable
	Out    bool   // paused by the engine after missed offers, until the agent acts
	Rest   bool   // paused by the engine for Rules.DeclinePause of Queue after one refusal
	Misses int    // offers missed in a row

	Then       State // asked for during the talk: offline, paused, or none
	ThenReason string

	// Call and Queue are those of the talk, of the offer while reserved or
	// ringing, and later of the last talk, to which the agent can Rejoin.
	Call, Queue string
	Offer       string    // while reserved or ringing
	Began       time.Time // of the talk; zero where it is not known

	// WrapUpLeft is what is left of the wrap-up; at zero and below it is over,
	// by so much, which counts as idle time.
	WrapUpLeft time.Duration
}

// Settles reports whether a change tells all there is to know about its agent,
// whatever was before: who reads changes backwards can stop there.
func (c Change) Settles() bool {
	return c.Agent != "" && (c.Kind == KindConnected || c.From == StateOffline || c.To == StateOffline)
}

// After is what the agent was doing once the change had happened; changes of
// others leave it as it is. WrapUpLeft is left alone, since it depends on now.
func (r Restored) After(c Change) Restored {
	if c.To == 0 || c.Agent == "" || r.Agent != "" && c.Agent != r.Agent {
		return r
	}
	if c.From == c.To && c.To.inTalk() { // a wish, or a wish taken back
		r.Then, r.ThenReason = c.Then, ""
		if c.Then != 0 {
			r.ThenReason = c.Cause
		}
		return r
	}
	is := Restored{Agent: c.Agent, State: c.To, Since: c.At, Misses: r.missesAfter(c), Call: r.Call, Queue: r.Queue, Began: r.Began}
	offered := c.From == StateReserved || c.From == StateRinging
	switch c.To {
	case StateReserved, StateRinging:
		is.Since, is.Call, is.Queue, is.Offer = r.Since, c.Call, c.Queue, c.Offer
	case StateReady:
		if offered { // released: the idle time goes on
			is.Since, is.Call, is.Queue = r.Since, "", ""
		}
	case StateTalking, StateHold:
		is.Call, is.Queue, is.Then, is.ThenReason = c.Call, c.Queue, r.Then, r.ThenReason
		if c.Kind == KindConnected || !c.From.inTalk() && c.From != StateWrapUp { // not one that goes on
			is.Began = c.At
		}
	case StateWrapUp:
		is.Call, is.Queue = c.Call, c.Queue
	case StatePaused, StateUnreachable:
		is.Reason, is.Out = c.Cause, c.Out
		if offered {
			is.Call, is.Queue = "", c.Queue
			is.Rest = c.To == StatePaused && !c.Out && (c.Cause == string(Declined) || c.Cause == string(NoAnswer))
		}
	case StateOffline:
		return Restored{Agent: c.Agent, State: c.To, Since: c.At}
	}
	return is
}

// missesAfter is the count of offers missed in a row: whoever declines, talks
// or asks to be ready is there, and begins anew.
func (r Restored) missesAfter(c Change) int {
	switch {
	case c.Kind == KindRefused && c.Cause == string(NoAnswer):
		return r.Misses + 1
	case c.Kind == KindRefused && c.Cause == string(Declined), c.To == StateTalking:
		return 0
	case c.Kind == KindAgentState && c.To == StateReady && c.Cause != causeRested && c.Cause != causeRegistered:
		return 0
	}
	return r.Misses
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
	defer e.enter()()
	switch {
	case e.stopped:
		return fmt.Errorf("restoring %d agents: %w", len(list), ErrStopped)
	case !e.held:
		return fmt.Errorf("restoring %d agents: the queue is open already: restore them before Open", len(list))
	}
	now := e.now()
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b Restored) int { return e.idleFrom(a, now).Compare(e.idleFrom(b, now)) })
	var errs []error
	for i, r := range list {
		a := e.agents[r.Agent]
		switch {
		case a == nil:
			errs = append(errs, fmt.Errorf("agent %q: %w", r.Agent, ErrUnknownAgent))
		case a.moves > 0:
		default:
			errs = append(errs, e.restore(a, r, int64(i-len(list)), now))
		}
	}
	return errors.Join(errs...)
}

// idleFrom is since when a restored agent is idle, if they are.
func (e *Engine) idleFrom(r Restored, now time.Time) time.Time {
	switch {
	case r.State == StateWrapUp:
		return now.Add(r.WrapUpLeft)
	case r.Rest:
		return now.Add(e.restLeft(r, now))
	}
	return r.Since
}

// restLeft is what is left of a rest. That of a queue which is no longer
// described is over.
func (e *Engine) restLeft(r Restored, now time.Time) time.Duration {
	q := e.queues[r.Queue]
	if q == nil {
		return 0
	}
	return min(q.rules.DeclinePause-now.Sub(r.Since), q.rules.DeclinePause)
}

// restore puts an agent into the state they were in and lets happen what fell
// due since. idleAs orders the restored before everybody who becomes idle here.
func (e *Engine) restore(a *agent, r Restored, idleAs int64, now time.Time) (err error) {
	if r.State.inTalk() && (r.Call == "" || e.waiting[r.Call] != nil || e.talking[r.Call] != nil) {
		err = fmt.Errorf("agent %s cannot be %s with call %q, and is ready: %w", r.Agent, r.State, r.Call, ErrNotTheirCall)
		r = Restored{Agent: r.Agent, State: StateReady, Since: r.Since}
	}
	if r.State == 0 || r.State >= states {
		return fmt.Errorf("agent %s cannot be in %s: %w", r.Agent, r.State, ErrTransition)
	}
	e.metrics.moved(a.state, r.State)
	a.moves++
	a.state, a.since, a.reason, a.out, a.misses = r.State, r.Since, r.Reason, r.Out, r.Misses
	if r.Offer == "" {
		a.call, a.queue, a.busy = r.Call, e.named(r.Queue), onRealClock(cmp.Or(r.Began, r.Since), now)
	}
	if r.State.inTalk() {
		e.talking[r.Call] = a
		a.then, a.thenReason = wishes[r.Then], r.ThenReason
	}
	e.catchUp(a, r, now)
	if a.state == StateReady {
		a.idleAs, a.idleSince = idleAs, e.idleFrom(r, now)
	}
	e.settle(a)
	return err
}

// wishes are what can have been asked for during a talk, by where it leads.
var wishes = map[State]event{StateOffline: eventSignOut, StatePaused: eventPause}

// onRealClock is a moment of the wall clock as the real clock would have shown it.
func onRealClock(at, now time.Time) time.Time { return time.Now().Add(min(0, at.Sub(now))) }

// catchUp has happen to a restored agent what fell due while nobody looked,
// and sets the clock of what will.
func (e *Engine) catchUp(a *agent, r Restored, now time.Time) {
	c := Change{Kind: KindAgentState, Agent: r.Agent}
	var ev event
	switch left := e.restLeft(r, now); {
	case r.State == StateReserved || r.State == StateRinging:
		ev = eventRelease
		c = Change{Kind: KindRefused, Queue: r.Queue, Call: r.Call, Agent: r.Agent, Offer: r.Offer, Cause: CauseRestart}
	case r.State == StateWrapUp && r.WrapUpLeft > 0:
		e.alarm(a, r.WrapUpLeft, eventWrapped, causeWrapped)
		return
	case r.State == StateWrapUp:
		ev, c.Cause = eventWrapped, causeWrapped
		a.busy = a.busy.Add(-r.WrapUpLeft) // the time since counts as idle
	case r.State == StatePaused && r.Rest && left > 0:
		e.alarm(a, left, eventRested, causeRested)
		return
	case r.State == StatePaused && r.Rest:
		ev, c.Cause = eventRested, causeRested
	default:
		return
	}
	c.From = e.move(a, ev, "")
	c.To = a.state
	e.note(c)
}

// Open begins the matching that Options.Hold put off: the callers in their
// order, each with the agent who has been idle for longest. Whoever waits
// where nobody is signed in lapses. Opening twice does nothing.
func (e *Engine) Open() {
	defer e.enter()()
	if !e.held || e.stopped {
		return
	}
	e.held = false
	e.metrics.held.Set(0)
	for _, id := range slices.Sorted(maps.Keys(e.queues)) {
		e.attend(e.queues[id])
	}
	e.matchAll()
}

// matchAll goes through all callers in their order and seats each anew, where
// more than one caller or agent has become free at once.
func (e *Engine) matchAll() {
	var all []*Ticket
	for _, q := range e.queues {
		all = append(all, q.waiting.items...)
	}
	slices.SortFunc(all, callerOrder)
	for _, t := range all {
		t.queue.waiting.remove(t)
		e.seat(t)
	}
}

// Found reports that agent and call are together, as Asterisk shows it, though
// no offer of this engine led there: the answer came while nobody listened. A
// wait of the call's is over, as by Connected; other offers to either of them
// are taken back. It is recorded as KindConnected with CauseFound. A talk that
// is known already is no error. It returns ErrNotTheirCall when the call is
// with somebody else, and a TransitionError when the agent is offline or with
// another call.
func (e *Engine) Found(agentID, callID, queueID string) error {
	defer e.enter()()
	a, err := e.agent(agentID)
	if err != nil {
		return err
	}
	switch with := e.talking[callID]; {
	case with == a:
		return nil
	case with != nil:
		return fmt.Errorf("agent %s is found with call %s, which is with agent %s: %w", agentID, callID, with.profile.ID, ErrNotTheirCall)
	}
	if _, err := a.may(eventFound); err != nil {
		return fmt.Errorf("call %s: %w", callID, err)
	}
	e.found(a, callID, e.named(queueID))
	return nil
}

func (e *Engine) found(a *agent, callID string, q *callers) {
	c := Change{Kind: KindConnected, Queue: q.rules.ID, Call: callID, Agent: a.profile.ID, Cause: CauseFound}
	t, mine := e.waiting[callID], a.offer
	if mine != nil && mine.ticket == t {
		c.Offer = mine.ID
		e.fulfil(mine)
	} else {
		e.takeBack(mine)
	}
	if t != nil {
		e.takeBack(t.offer)
	}
	c.From = e.move(a, eventFound, "")
	c.To = a.state
	e.begin(a, callID, q)
	if t != nil {
		t.queue.waiting.remove(t)
		e.close(t)
		t.queue.metrics.connected(t.waited(), t.queue.rules.ServiceLevel)
		c.WaitedMs = t.waited().Milliseconds()
	}
	e.note(c)
	e.settle(a)
	e.matchAll()
}

// takeBack ends an offer, if there is one, that has been overtaken by what was
// found. Caller and agent stand in line again, to be matched.
func (e *Engine) takeBack(o *Offer) {
	if o == nil {
		return
	}
	e.note(e.release(o, o.change(KindRefused, CauseFound, 0, 0), "withdrawn", ErrWithdrawn))
	o.ticket.queue.waiting.add(o.ticket)
	for _, q := range o.agent.queues {
		q.ready.add(o.agent)
	}
}
