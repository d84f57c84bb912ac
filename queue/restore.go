package queue

import (
	"cmp"
	"errors"
	"fmt"
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

	Then       State // asked for during the talk, until that is wrapped up: offline, paused, or none
	ThenReason string

	// Call and Queue are those of the talk, of the offer while reserved or
	// ringing, and later of the last talk, to which the agent can Rejoin.
	Call, Queue string
	Offer       string    // while reserved or ringing
	Owner       string    // the service at which the call is; "": the one that restores
	Began       time.Time // of the talk; zero where it is not known
	Part        time.Time // since when the agent is with that call, in talk only
	Third       bool      // called in, or with that call beside whose call it is

	// More is by how much the agent had the wrap-up extended.
	More time.Duration

	// WrapUpLeft is what is left of the wrap-up; at zero and below it is over,
	// by so much, which counts as idle time.
	WrapUpLeft time.Duration
}

// Settles reports whether a change tells all there is to know about its agent,
// whatever was before: who reads changes backwards can stop there. Who is called
// back to a call may have asked for something during it, and the reason is told
// there.
func (c Change) Settles() bool {
	return c.Agent != "" && c.Then == 0 && (c.Kind == KindConnected || c.Kind == KindConsulted || c.From == StateOffline || c.To == StateOffline)
}

// After is what the agent was doing once the change had happened; changes of
// others leave it as it is. An agent who is not named yet is the change's.
// WrapUpLeft is left alone, since it depends on now.
func (r Restored) After(c Change) Restored {
	c, concerns := c.About(cmp.Or(r.Agent, c.Agent))
	if !concerns || c.To == 0 {
		return r
	}
	if c.From == c.To && c.To == StateWrapUp {
		r.More += time.Duration(c.MoreMs) * time.Millisecond
		return r
	}
	if c.From == c.To && c.To.InTalk() { // a wish, or a wish taken back
		r.Then, r.ThenReason = c.Then, ""
		if c.Then != 0 {
			r.ThenReason = c.Cause
		}
		return r
	}
	is := Restored{Agent: c.Agent, State: c.To, Since: c.At, Misses: r.missesAfter(c), Call: r.Call, Queue: r.Queue, Began: r.Began}
	if c.Then != 0 {
		is.Then, is.ThenReason = c.Then, r.ThenReason
	}
	offered := c.From == StateReserved || c.From == StateRinging
	switch c.To {
	case StateReserved, StateRinging:
		is.Since, is.Call, is.Queue, is.Offer, is.Owner, is.Third = r.Since, c.Call, c.Queue, c.Offer, c.Owner, c.Third
		if c.From == StateWrapUp { // called back from it
			is.Since = c.At
		}
	case StateReady:
		switch {
		case offered: // released: the idle time goes on
			is.Since, is.Call, is.Queue = r.Since, "", ""
		case r.Third:
			is.Call, is.Queue, is.Began = "", "", time.Time{}
		}
	case StateTalking, StateHold, StateConsult:
		is.Call, is.Queue, is.Owner, is.Third, is.Then, is.ThenReason = c.Call, c.Queue, c.Owner, c.Third, r.Then, r.ThenReason
		anew := c.Kind == KindConnected || c.Kind == KindConsulted || c.Kind == KindHandedOver
		if anew || !c.From.InTalk() && c.From != StateWrapUp { // not one that goes on
			is.Began = c.At
		}
		if is.Part = r.Part; anew || !c.From.InTalk() {
			is.Part = c.At
		}
	case StateWrapUp:
		is.Call, is.Queue, is.Owner = c.Call, c.Queue, c.Owner
	case StatePaused, StateUnreachable:
		is.Reason, is.Out = c.Cause, c.Out
		if offered {
			is.Call, is.Queue = "", c.Queue
			is.Rest = c.To == StatePaused && !c.Out && slices.Contains(restsFor, c.Cause)
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
	case c.Kind == KindRefused && c.Cause == string(Declined), c.Kind == KindConsulted, c.To == StateTalking:
		return 0
	case c.Kind == KindAgentState && c.To == StateReady && c.Cause != causeRested && c.Cause != causeRegistered:
		return 0
	}
	return r.Misses
}

// ErrOpen is what Restore returns once matching has begun.
var ErrOpen = errors.New("queue: agents are restored before Open")

// restore gives agents the states in which the service was last seen.
func (m *Machine) restore(list []Restored) error {
	if !m.held {
		return fmt.Errorf("restoring %d agents: %w", len(list), ErrOpen)
	}
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b Restored) int { return m.idleFrom(a).Compare(m.idleFrom(b)) })
	var errs []error
	for i, r := range list {
		a := m.agents[r.Agent]
		switch {
		case a == nil:
			errs = append(errs, fmt.Errorf("agent %q: %w", r.Agent, ErrUnknownAgent))
		case a.moved:
		default:
			errs = append(errs, m.restoreOne(a, r, int64(i-len(list))))
		}
	}
	return errors.Join(errs...)
}

// idleFrom is since when a restored agent is idle, if they are.
func (m *Machine) idleFrom(r Restored) time.Time {
	switch {
	case r.State == StateWrapUp:
		return m.wall.Add(r.WrapUpLeft)
	case r.Rest:
		return m.wall.Add(m.restLeft(r))
	}
	return r.Since
}

// restLeft is what is left of a rest. That of a queue which is no longer
// described is over.
func (m *Machine) restLeft(r Restored) time.Duration {
	q := m.queues[r.Queue]
	if q == nil {
		return 0
	}
	return min(q.rules.DeclinePause-m.wall.Sub(r.Since), q.rules.DeclinePause)
}

// restoreOne puts an agent into the state they were in and lets happen what
// fell due since. idleAs orders the restored before everybody who becomes idle
// here.
func (m *Machine) restoreOne(a *agent, r Restored, idleAs int64) (err error) {
	if r.State.InTalk() && (r.Call == "" || m.taken(r.Call, r.Third)) {
		err = fmt.Errorf("agent %s cannot be %s with call %q, and is ready: %w", r.Agent, r.State, r.Call, ErrNotTheirCall)
		r = Restored{Agent: r.Agent, State: StateReady, Since: r.Since}
	}
	if r.State == 0 || r.State >= states {
		return fmt.Errorf("agent %s cannot be in %s: %w", r.Agent, r.State, ErrTransition)
	}
	a.moved = true
	a.state, a.since, a.reason, a.out, a.misses = r.State, r.Since.Round(0), r.Reason, r.Out, r.Misses
	if r.Offer == "" {
		a.call, a.queue, a.owner, a.busy = r.Call, m.named(r.Queue), r.Owner, m.onClock(cmp.Or(r.Began, r.Since))
	}
	if r.State.InTalk() {
		a.third, a.part = r.Third, cmp.Or(r.Part, r.Since).Round(0)
		m.sit(a)
	}
	a.then, a.thenReason = wishes[r.Then], r.ThenReason
	a.idleAs, a.idleSince = idleAs, m.idleFrom(r).Round(0)
	if a.state == StateReady {
		m.beReady(a)
	}
	m.catchUp(a, r)
	if a.state == StateReady && r.State != StateReady {
		m.beIdle(a, idleAs, m.idleFrom(r).Round(0))
	}
	m.settle(a)
	return err
}

// beIdle puts a ready agent where they stand among the others.
func (m *Machine) beIdle(a *agent, idleAs int64, since time.Time) {
	for _, mine := range a.members {
		mine.crew.ready.remove(mine)
	}
	a.idleAs, a.idleSince = idleAs, since
	m.beReady(a)
}

// wishes are what can have been asked for during a talk, by where it leads.
var wishes = map[State]event{StateOffline: eventSignOut, StatePaused: eventPause}

// onClock is a moment of the wall as the machine's clock would have shown it.
func (m *Machine) onClock(at time.Time) int64 { return m.now + int64(min(0, at.Sub(m.wall))) }

// catchUp has happen to a restored agent what fell due while nobody looked,
// and sets the clock of what will.
func (m *Machine) catchUp(a *agent, r Restored) {
	c := Change{Kind: KindAgentState, Agent: r.Agent}
	var ev event
	switch left := m.restLeft(r); {
	case r.State == StateReserved || r.State == StateRinging:
		ev = eventRelease
		c = Change{Kind: KindRefused, Queue: r.Queue, Call: r.Call, Owner: r.Owner, Agent: r.Agent, Offer: r.Offer, Third: r.Third, Cause: CauseRestart}
	case r.State == StateWrapUp && r.WrapUpLeft > 0:
		a.began = m.onClock(r.Since)
		m.wake(a, r.WrapUpLeft, eventWrapped, causeWrapped)
		return
	case r.State == StateWrapUp:
		ev, c.Cause = eventWrapped, causeWrapped
		a.busy -= int64(r.WrapUpLeft) // the time since counts as idle
	case r.State == StatePaused && r.Rest && left > 0:
		m.wake(a, left, eventRested, causeRested)
		return
	case r.State == StatePaused && r.Rest:
		ev, c.Cause = eventRested, causeRested
	default:
		return
	}
	c.From = m.move(a, ev, "")
	c.To = a.state
	m.note(c)
}

// open begins the matching that was held: the callers in their order, each with
// the agent whom their queue's strategy chooses. Whoever waits where nobody is
// signed in lapses. Opening twice does nothing.
func (m *Machine) open() {
	if !m.held {
		return
	}
	m.held = false
	queues := m.byID()
	for _, q := range queues {
		m.attendAll(q)
	}
	var all []*place
	for _, q := range queues {
		all = slices.AppendSeq(all, q.all.all())
	}
	slices.SortFunc(all, callerOrder)
	for _, p := range all {
		if len(p.offers) == 0 && !p.done {
			m.seat(p)
		}
	}
	for _, a := range m.byListing() {
		m.serve(a) // whose phone may ring with others'
	}
}

// find is an agent and a call that are together, though no offer led there.
func (m *Machine) find(agentID, callID, queueID, owner string) error {
	a, err := m.agent(agentID)
	if err != nil {
		return err
	}
	switch t := m.parties[callID]; {
	case t.own == a:
		return nil
	case t.own != nil:
		return fmt.Errorf("agent %s is found with call %s, which is with agent %s: %w", agentID, callID, t.own.profile.ID, ErrNotTheirCall)
	case t.third == a:
		m.takeOver(a, nil, CauseFound)
		return nil
	}
	if _, err := a.may(eventFound); err != nil {
		return fmt.Errorf("call %s: %w", callID, err)
	}
	m.found(a, callID, m.named(queueID), owner, false)
	return nil
}

// found is an agent who is with a call, as its own or as the third.
func (m *Machine) found(a *agent, callID string, q *callers, owner string, third bool) {
	c := Change{Kind: KindConnected, Queue: q.rules.ID, Call: callID, Owner: owner, Agent: a.profile.ID, Third: third, Cause: CauseFound}
	p, mine := m.waiting[callID], a.offer
	var freed []*agent
	var seatless *place
	if mine != nil && mine.call != callID {
		seatless = mine.place
		m.takeBack(mine)
		mine = nil
	}
	if p != nil {
		freed = m.releaseOthers(p, mine, ResultWithdrawn, CauseFound)
	}
	if mine != nil {
		c.Offer = mine.id
		m.part(mine, ResultConnected)
	}
	if third {
		c.Kind = KindConsulted
		c.From = m.move(a, eventFoundThird, "")
		m.beThird(a, callID, q, owner)
	} else {
		c.From = m.move(a, eventFound, "")
		m.begin(a, callID, q, owner)
	}
	c.To, c.With = a.state, m.partner(a)
	if p != nil {
		m.countCall(a, p)
		c.WaitedMs = m.waited(p).Milliseconds()
		m.finish(p, WaitConnected, "")
	}
	m.note(c)
	m.settle(a)
	if seatless != nil && len(seatless.offers) == 0 && len(freed) > 0 {
		seatless.stand(&seatless.class.waiting) // for those set free to choose from
	}
	m.serveAll(freed)
	switch {
	case seatless == nil || seatless.done:
	case len(seatless.offers) == 0:
		m.seat(seatless)
	default:
		m.ringLater(seatless)
	}
}

// takeBack ends an offer that has been overtaken by what was found. The caller
// is to be matched again, and so would the agent if they were not found.
func (m *Machine) takeBack(r *reservation) {
	c := m.about(r, KindRefused, CauseFound)
	m.release(r, &c, ResultWithdrawn)
	m.note(c)
}

// restsFor are the causes for which an agent rests and is ready again afterwards.
var restsFor = []string{string(Declined), string(NoAnswer), CauseServiceGone}
