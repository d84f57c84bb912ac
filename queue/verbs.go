package queue

import (
	"errors"
	"fmt"
	"time"
)

// What agents, calls and operators ask for, and what follows from an agent's
// change of state.

// ask carries out what an agent or a supervisor wants.
func (m *Machine) ask(agentID string, ev event, cause string) error {
	a, err := m.agent(agentID)
	if err != nil {
		return err
	}
	if a.state.InTalk() && m.unheard(a.owner) {
		ev = m.endUnheard(a, ev)
	}
	if a.state.InTalk() && a.then != 0 && (ev == eventSignIn || ev == eventReady) {
		m.wish(a, 0, cause)
		return nil
	}
	cell, err := a.may(ev)
	switch {
	case err != nil:
		return err
	case cell.later:
		m.wish(a, ev, cause)
	case a.offer != nil:
		m.refuse(a.offer, ev, ResultWithdrawn, cause)
	default:
		m.turn(a, ev, cause)
	}
	return nil
}

// looked is what a look at an agent's phone has shown: it matters in one state only.
func (m *Machine) looked(agentID string, in State, ev event, cause string) error {
	a, err := m.agent(agentID)
	if err != nil || a.state != in {
		return err
	}
	m.turn(a, ev, cause)
	return nil
}

// wish keeps for the end of the talk what was asked during it; ev zero takes
// it back.
func (m *Machine) wish(a *agent, ev event, cause string) {
	a.then, a.thenReason = ev, cause
	m.note(Change{Kind: KindAgentState, Call: a.call, Agent: a.profile.ID, Third: a.third, From: a.state, To: a.state, Cause: cause, By: m.by})
	m.settle(a)
}

// talk carries out one event of the talk between an agent and a call.
func (m *Machine) talk(agentID, callID string, ev event) error {
	a, err := m.agent(agentID)
	if err != nil {
		return err
	}
	if _, err := a.may(ev); err != nil {
		return fmt.Errorf("call %s: %w", callID, err)
	}
	if a.third && ev == eventEnd {
		ev = eventEndConsult
	}
	if callID == "" || a.call != callID || a.third != (ev == eventEndConsult) || ev == eventRejoin && m.taken(callID, false) {
		return fmt.Errorf("agent %s cannot %s with call %s: %w", agentID, ev, callID, ErrNotTheirCall)
	}
	switch ev {
	case eventEnd, eventEndConsult:
		m.endTalk(a)
	case eventRejoin:
		if a.state != StateWrapUp { // whose time still runs
			a.busy = m.now
		}
		a.part = m.wall
		m.sit(a)
		m.turn(a, ev, "")
	default:
		m.turn(a, ev, "")
	}
	return nil
}

// endTalk is the end of an agent's part in a call.
func (m *Machine) endTalk(a *agent) {
	if a.third {
		m.endConsult(a)
		return
	}
	m.turn(a, eventEnd, "")
	m.rise(a)
	m.afterTalk(a)
}

// afterTalk starts the clock of the wrap-up, where the queue has one.
func (m *Machine) afterTalk(a *agent) {
	wrapUp := a.queue.rules.WrapUp
	if wrapUp == 0 {
		m.wrapped(a, eventWrapped, "")
		return
	}
	a.began = m.now
	m.wake(a, wrapUp, eventWrapped, causeWrapped)
}

// wrapped ends a wrap-up: with what was asked for during the talk, if anything
// was, and otherwise with ev.
func (m *Machine) wrapped(a *agent, ev event, cause string) {
	if a.then != 0 {
		ev, cause = a.then, a.thenReason
	}
	m.turn(a, ev, cause)
}

// finishWrapUp is an agent who has written up all there is before the time is over.
func (m *Machine) finishWrapUp(agentID string) error {
	a, err := m.agent(agentID)
	switch {
	case err != nil:
		return err
	case a.state != StateWrapUp:
		return &TransitionError{AgentID: agentID, From: a.state, Event: eventWrapped.String()}
	}
	m.wrapped(a, eventReady, causeReady)
	return nil
}

// ErrNoMore is what Extend returns when a wrap-up is as long as it may get.
var ErrNoMore = errors.New("queue: the wrap-up is as long as it may get")

// extend gives an agent in wrap-up more time.
func (m *Machine) extend(agentID string, by time.Duration) error {
	a, err := m.agent(agentID)
	if err != nil {
		return err
	}
	if a.state != StateWrapUp || a.alarm.at == 0 {
		return &TransitionError{AgentID: agentID, From: a.state, Event: "extend a wrap-up"}
	}
	until := min(a.alarm.due+int64(max(0, by)), a.began+int64(a.queue.rules.WrapUpAtMost))
	more := time.Duration(until - a.alarm.due)
	if more <= 0 {
		return fmt.Errorf("agent %s: %w: %v", agentID, ErrNoMore, a.queue.rules.WrapUpAtMost)
	}
	m.timers.set(&a.alarm, until)
	m.note(Change{Kind: KindAgentState, Agent: agentID, Call: a.call, Queue: a.queue.rules.ID, From: a.state, To: a.state,
		Cause: causeExtended, MoreMs: more.Milliseconds(), By: m.by})
	return nil
}

// close lapses a service's own callers of a queue: where several share it, each
// has a closing time of its own. A caller for whom a phone rings keeps that offer
// and lapses only if it fails. Until the queue is opened again no caller of that
// service overflows into it.
func (m *Machine) close(queueID, owner, reason string) error {
	q := m.queues[queueID]
	if q == nil {
		return ErrUnknownQueue
	}
	m.shutFor(owner, queueID)
	for _, p := range q.all.items() {
		if p.caller.Owner != owner {
			continue
		}
		if len(p.offers) > 0 {
			p.lapseNext = reason
			p.stand(nil) // no further phones
		} else {
			m.lapse(p, Change{Cause: reason})
		}
	}
	return nil
}

// shutFor notes queues into which a service's callers do not overflow.
func (m *Machine) shutFor(owner string, queues ...string) {
	for _, id := range queues {
		if m.shut[owner] == nil {
			m.shut[owner] = map[string]bool{}
		}
		m.shut[owner][id] = true
	}
}

// reopen is the opposite of close, for whoever comes or is tried again.
func (m *Machine) reopen(queueID, owner string) error {
	if m.queues[queueID] == nil {
		return ErrUnknownQueue
	}
	if delete(m.shut[owner], queueID); len(m.shut[owner]) == 0 {
		delete(m.shut, owner)
	}
	return nil
}

// shutsOut reports whether a caller cannot overflow into a queue because that is
// closed at this hour.
func (m *Machine) shutsOut(p *place, q *callers) bool {
	return !p.caller.AnyHour && m.shut[p.caller.Owner][q.rules.ID]
}

// turn is a state change that concerns the agent alone, or their talk.
func (m *Machine) turn(a *agent, ev event, cause string) {
	c := Change{Kind: KindAgentState, Agent: a.profile.ID, Cause: cause, By: m.by}
	c.From = m.move(a, ev, cause)
	c.To = a.state
	if c.From.InTalk() || c.To == StateTalking {
		m.inCall(&c, a)
	}
	if c.From.InTalk() && !c.To.InTalk() {
		c.Began = a.part
	}
	if c.Cause == "" {
		c.Cause = ev.String()
	}
	m.note(c)
	m.settle(a)
	m.serve(a)
}

// inCall says which call a change is about, and which part the agent has in it.
func (m *Machine) inCall(c *Change, a *agent) {
	c.Call, c.Queue, c.Owner, c.Third, c.With = a.call, a.queue.rules.ID, a.owner, a.third, m.partner(a)
}

// move changes the state by the table, with what every change of state brings
// along, and returns the state before. What may not happen must have been
// asked of agent.may before. Noting the change, settle and serve are the
// caller's.
func (m *Machine) move(a *agent, ev event, cause string) (from State) {
	from = a.state
	m.timers.stop(&a.alarm)
	if from == StateReady {
		for _, mine := range a.members {
			mine.crew.ready.remove(mine)
		}
	}
	a.moved = true
	a.state, a.since = outcomes[from][ev].to, m.wall
	a.reason, a.out = cause, ev == eventTakeOut
	if from == StateWrapUp && a.state != StateTalking && a.state != StateReserved && a.busy != 0 {
		a.queue.handled.add(m.since(a.busy))
		a.busy = 0
	}
	switch ev {
	case eventSignIn, eventReady, eventConnect, eventDecline, eventRejoin, eventFound, eventComeIn, eventFoundThird:
		a.misses = 0
	}
	switch ev {
	case eventSignIn, eventReady, eventPause, eventSignOut: // whatever was asked for before
		a.then, a.thenReason = 0, ""
	}
	if a.state == StateReady {
		if ev != eventRelease {
			m.serial++
			a.idleAs, a.idleSince = m.serial, a.since
		}
		m.beReady(a)
	}
	return from
}

// beReady lets callers find a ready agent, unless nothing is heard of them.
func (m *Machine) beReady(a *agent) {
	if a.beyond {
		return
	}
	for _, mine := range a.members {
		mine.crew.ready.add(mine)
	}
}

// settle draws the consequences of an agent's change once it is noted: what was
// asked for during a talk is granted where nothing of that talk goes on, and
// those who count on the agent learn of it.
func (m *Machine) settle(a *agent) {
	if a.then != 0 && !a.occupied() {
		m.turn(a, a.then, a.thenReason)
		return
	}
	if is := a.presence(); is != a.counted {
		m.count(a, is)
		for _, mine := range a.members {
			m.attendAll(mine.queue)
		}
	}
	takes := a.takesCalls()
	if takes != a.taking {
		a.roster.count(count(takes) - count(a.taking))
		a.taking = takes
	}
	if !takes {
		m.disappoint(a)
	}
}

// wake has an event happen to the agent after d, unless the state changes
// before.
func (m *Machine) wake(a *agent, d time.Duration, ev event, cause string) {
	a.alarmEvent, a.alarmCause = ev, cause
	m.timers.set(&a.alarm, m.after(d))
}

// expire does what has fallen due for an agent. By how much later the machine is
// told nobody was busy with a call.
func (a *agent) expire(m *Machine) {
	if a.busy != 0 {
		a.busy += m.now - a.alarm.due
	}
	m.wrapped(a, a.alarmEvent, a.alarmCause)
}
