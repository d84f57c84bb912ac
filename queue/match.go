package queue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// How a caller and an agent meet and part. Every function here runs under the
// engine's lock. One rule holds between events: no caller waits in a queue
// that has a ready agent. So an event needs to look only at the one caller or
// agent it set free.

func (e *Engine) join(c Caller) (*Ticket, error) {
	if e.stopped {
		return nil, ErrStopped
	}
	q := e.queues[c.Queue]
	switch {
	case q == nil:
		return nil, ErrUnknownQueue
	case c.ID == "":
		return nil, errors.New("queue: the call has no ID")
	case e.waiting[c.ID] != nil || e.talking[c.ID] != nil:
		return nil, ErrDuplicate
	}
	switch {
	case c.Arrived.IsZero():
		c.Arrived = e.line.Now(e.now())
	case c.Again:
		e.line.NotBefore(c.Arrived)
	}
	c.Arrived = c.Arrived.Round(0) // the order goes by what is recorded, so that a restart finds the same
	t := &Ticket{engine: e, caller: c, queue: q, joined: time.Now().Add(-max(0, c.Waited)), number: c.Offers,
		offers: make(chan *Offer, 1), lapsed: make(chan struct{})}
	if (!e.held || !c.Again) && (q.signedIn == 0 || q.refusing) { // who had a place before a restart keeps it until Open
		q.metrics.turnedAway("nobody")
		return nil, ErrNobodySignedIn
	}
	if !c.Again && q.rules.MaxWaiting > 0 && q.ready.len() == 0 && q.ahead(t) >= q.rules.MaxWaiting {
		q.metrics.turnedAway("full")
		return nil, fmt.Errorf("%w: %d are waiting", ErrFull, q.waiting.len()+q.offered.len())
	}
	e.waiting[c.ID] = t
	q.metrics.joined(c.Again)
	e.note(Change{Kind: KindJoined, Queue: c.Queue, Call: c.ID, WaitedMs: t.waited().Milliseconds(),
		Priority: c.Priority, Arrived: c.Arrived, Head: c.Head, Again: c.Again, Prefer: c.Prefer})
	e.prefer(t)
	e.seat(t)
	return t, nil
}

// seat gives a caller a ready agent, or the place in the line.
func (e *Engine) seat(t *Ticket) {
	if t.lapseNext != "" {
		e.lapse(t, Change{Cause: t.lapseNext})
		return
	}
	if !e.held {
		if a := t.taker(); a != nil {
			e.offer(t, a)
			return
		}
	}
	t.queue.waiting.add(t)
}

// taker is the ready agent for a caller: the one they had before, or else the
// longest idle. It is nil when there is none, and while they wait for their own.
func (t *Ticket) taker() *agent {
	switch a := t.prefers; {
	case a == nil:
	case a.state == StateReady:
		return a
	case t.patience != nil && a.takesCalls():
		return nil
	}
	t.prefers = nil
	return t.queue.ready.first()
}

// prefer notes whom the caller had before, and for how long they wait for that
// one alone.
func (e *Engine) prefer(t *Ticket) {
	a := e.agents[t.caller.Prefer]
	if a == nil || !slices.Contains(a.queues, t.queue) {
		return
	}
	t.prefers = a
	if t.queue.rules.PreferFor > 0 {
		t.patience = time.AfterFunc(t.queue.rules.PreferFor, func() {
			defer e.enter()()
			t.patience = nil
			if t.prefers != nil && !t.done && !e.stopped && t.queue.waiting.remove(t) {
				e.seat(t)
			}
		})
	}
}

// disappoint seats the callers anew who wait for an agent who no longer takes
// calls.
func (e *Engine) disappoint(a *agent) {
	var waited []*Ticket
	for _, q := range a.queues {
		for _, t := range q.waiting.items {
			if t.prefers == a {
				waited = append(waited, t)
			}
		}
	}
	for _, t := range waited {
		t.queue.waiting.remove(t)
		e.seat(t)
	}
}

// next is the first of a queue's callers who may go to the agent.
func (q *callers) next(a *agent) *Ticket {
	for _, t := range q.waiting.items {
		if t.prefers == nil || t.prefers == a {
			return t
		}
	}
	return nil
}

// serve gives a ready agent the first caller of all their queues, or a place
// among the ready.
func (e *Engine) serve(a *agent) {
	var first *Ticket
	for _, q := range a.queues {
		if t := q.next(a); !e.held && t != nil && (first == nil || callerOrder(t, first) < 0) {
			first = t
		}
	}
	if first == nil {
		for _, q := range a.queues {
			q.ready.add(a)
		}
		return
	}
	first.queue.waiting.remove(first)
	e.offer(first, a)
}

// offer reserves the agent for the caller: one change names both.
func (e *Engine) offer(t *Ticket, a *agent) {
	t.number++
	o := &Offer{
		ID: t.caller.ID + "-offer-" + strconv.Itoa(t.number), Number: t.number,
		Agent: a.profile, Queue: t.caller.Queue, RingTimeout: t.queue.rules.RingTimeout, Waited: t.waited(),
		ticket: t, agent: a,
	}
	o.ctx, o.cancel = context.WithCancelCause(context.Background())
	o.timer = time.AfterFunc(o.RingTimeout+ReportGrace, func() { defer e.enter()(); e.unreported(o) })
	t.offer, a.offer = o, o
	t.queue.offered.add(t)
	e.note(o.change(KindOffered, "", e.move(a, eventReserve, ""), StateReserved))
	e.out.offers = append(e.out.offers, o)
}

func (e *Engine) ringing(o *Offer) error {
	switch {
	case o.over:
		return o.overError()
	case o.agent.state == StateReserved:
		e.note(o.change(KindAgentState, "ringing", e.move(o.agent, eventRing, ""), StateRinging))
	}
	return nil
}

func (e *Engine) connected(o *Offer) error {
	if o.over {
		return o.overError()
	}
	t, a := o.ticket, o.agent
	e.fulfil(o)
	from := e.move(a, eventConnect, "")
	e.begin(a, t.caller.ID, t.queue)
	e.close(t)
	t.queue.metrics.connected(t.waited(), t.queue.rules.ServiceLevel)
	e.note(o.change(KindConnected, "", from, a.state))
	return nil
}

// fulfil ends an offer that led to a talk, which may go on using its context.
func (e *Engine) fulfil(o *Offer) {
	o.over = true
	o.timer.Stop()
	e.part(o)
}

// begin is an agent's talk with a call.
func (e *Engine) begin(a *agent, callID string, q *callers) {
	a.call, a.queue, a.busy = callID, q, time.Now()
	e.talking[callID] = a
}

func (e *Engine) failed(o *Offer, reason Refusal) {
	switch reason {
	case Cancelled:
		if !o.over {
			e.leave(o.ticket, string(Cancelled))
		}
	case Declined:
		e.refuse(o, eventDecline, string(reason), string(reason), ErrOfferOver)
	case Unreachable:
		e.refuse(o, eventUnreach, string(reason), string(reason), ErrOfferOver)
	default:
		e.missed(o)
	}
}

// missed is an offer nobody answered; so many in a row, and the agent is taken
// out of service, because nobody seems to sit there.
func (e *Engine) missed(o *Offer) {
	if o.over {
		return
	}
	ev := eventMiss
	if o.agent.misses++; o.agent.misses >= o.ticket.queue.rules.MissesBeforeOut {
		ev = eventTakeOut
		e.log.Warn("agent taken out of service after missed offers, until they sign in or make themselves ready",
			"agent_id", o.agent.profile.ID, "missed", o.agent.misses)
	}
	e.refuse(o, ev, string(NoAnswer), string(NoAnswer), ErrOfferOver)
}

// refuse ends an offer from the agent's side: the caller goes to somebody else
// or back to the same place, the agent where the event leads.
func (e *Engine) refuse(o *Offer, ev event, result, cause string, why error) {
	if o.over {
		return
	}
	a, t := o.agent, o.ticket
	o.end(why)
	e.part(o)
	from := e.move(a, ev, cause)
	t.queue.metrics.offerEnded(result)
	e.note(o.change(KindRefused, cause, from, a.state))
	if ev == eventMiss || ev == eventDecline {
		e.alarm(a, t.queue.rules.DeclinePause, eventRested, causeRested)
	}
	e.seat(t)
	e.settle(a)
}

// leave is the caller's end of a wait.
func (e *Engine) leave(t *Ticket, reason string) {
	if t.done || e.stopped {
		return
	}
	c := Change{Kind: KindLeft, Queue: t.caller.Queue, Call: t.caller.ID, Cause: reason}
	o := t.offer
	if o != nil {
		c = e.release(o, c, string(Cancelled), ErrCallerLeft)
	}
	t.queue.waiting.remove(t)
	e.close(t)
	t.queue.metrics.waitEnded("left", t.waited())
	c.WaitedMs = t.waited().Milliseconds()
	e.note(c)
	if o != nil {
		e.settle(o.agent)
	}
}

// unreported takes an offer back whose owner said nothing. The agent has done
// nothing wrong; the call has stopped listening, so it stops waiting too, or
// the same would happen again and again.
func (e *Engine) unreported(o *Offer) {
	if o.over || e.stopped {
		return
	}
	e.log.Error("an offer was not reported on and is taken back; the call's wait has lapsed",
		"call_id", o.ticket.caller.ID, "agent_id", o.agent.profile.ID)
	e.lapse(o.ticket, e.release(o, Change{Cause: LapseUnreported}, LapseUnreported, ErrUnreported))
	e.settle(o.agent)
}

// release ends an offer without blame: the agent is ready with the idle time
// kept. It completes the change that tells so.
func (e *Engine) release(o *Offer, c Change, result string, why error) Change {
	o.end(why)
	e.part(o)
	c.Agent, c.Offer = o.agent.profile.ID, o.ID
	c.From = e.move(o.agent, eventRelease, "")
	c.To = o.agent.state
	o.ticket.queue.metrics.offerEnded(result)
	return c
}

// part undoes the reservation on both sides.
func (e *Engine) part(o *Offer) {
	o.ticket.offer, o.agent.offer = nil, nil
	o.ticket.queue.offered.remove(o.ticket)
}

// lapse is the queue's end of a wait; c says why, and names an agent when an
// offer ended with it.
func (e *Engine) lapse(t *Ticket, c Change) {
	t.queue.waiting.remove(t)
	e.close(t)
	t.lapseReason = c.Cause
	t.queue.metrics.waitEnded("lapsed", t.waited())
	c.Kind, c.Queue, c.Call, c.WaitedMs = KindLapsed, t.caller.Queue, t.caller.ID, t.waited().Milliseconds()
	e.note(c)
	e.out.lapses = append(e.out.lapses, t)
}

func (e *Engine) lapseAll(q *callers, reason string) {
	for t := q.waiting.first(); t != nil; t = q.waiting.first() {
		e.lapse(t, Change{Cause: reason})
	}
}

// close marks a wait as over.
func (e *Engine) close(t *Ticket) {
	t.done = true
	t.stopPatience()
	delete(e.waiting, t.caller.ID)
	t.queue.metrics.waiting.Dec()
}

// ask carries out what an agent or a supervisor wants.
func (e *Engine) ask(agentID string, ev event, cause string) error {
	defer e.enter()()
	a, err := e.agent(agentID)
	if err != nil {
		return err
	}
	if a.state.inTalk() && a.then != 0 && (ev == eventSignIn || ev == eventReady) {
		e.wish(a, 0, cause)
		return nil
	}
	cell, err := a.may(ev)
	switch {
	case err != nil:
		return err
	case cell.later:
		e.wish(a, ev, cause)
	case a.offer != nil:
		e.refuse(a.offer, ev, "withdrawn", cause, ErrWithdrawn)
	default:
		e.turn(a, ev, cause)
	}
	return nil
}

// wish keeps for the end of the talk what was asked during it; ev zero takes
// it back.
func (e *Engine) wish(a *agent, ev event, cause string) {
	a.then, a.thenReason = ev, cause
	e.note(Change{Kind: KindAgentState, Call: a.call, Agent: a.profile.ID, From: a.state, To: a.state, Cause: cause, Then: a.afterTalk()})
	e.settle(a)
}

// talk carries out one event of the talk between an agent and a call.
func (e *Engine) talk(agentID, callID string, ev event) error {
	defer e.enter()()
	a, err := e.agent(agentID)
	if err != nil {
		return err
	}
	if _, err := a.may(ev); err != nil {
		return fmt.Errorf("call %s: %w", callID, err)
	}
	if callID == "" || a.call != callID || ev == eventRejoin && (e.waiting[callID] != nil || e.talking[callID] != nil) {
		return fmt.Errorf("agent %s cannot %s with call %s: %w", agentID, ev, callID, ErrNotTheirCall)
	}
	if ev == eventRejoin {
		e.talking[callID] = a
		if a.state != StateWrapUp { // whose time still runs
			a.busy = time.Now()
		}
	}
	e.turn(a, ev, "")
	if ev == eventEnd {
		delete(e.talking, callID)
		e.afterTalk(a)
	}
	return nil
}

// afterTalk grants what was asked during the talk, or starts wrap-up.
func (e *Engine) afterTalk(a *agent) {
	ev, reason, wrapUp := a.then, a.thenReason, a.queue.rules.WrapUp
	a.then, a.thenReason = 0, ""
	switch {
	case ev != 0:
		e.turn(a, ev, reason)
	case wrapUp == 0:
		e.turn(a, eventWrapped, "")
	default:
		e.alarm(a, wrapUp, eventWrapped, causeWrapped)
	}
}

// turn is a state change that concerns the agent alone, or their talk.
func (e *Engine) turn(a *agent, ev event, cause string) {
	c := Change{Kind: KindAgentState, Agent: a.profile.ID, Cause: cause}
	c.From = e.move(a, ev, cause)
	c.To = a.state
	if c.From == StateTalking || c.From == StateHold || c.To == StateTalking {
		c.Call, c.Queue = a.call, a.queue.rules.ID
	}
	if c.Cause == "" {
		c.Cause = ev.String()
	}
	e.note(c)
	e.settle(a)
}

// move changes the state by the table, with what every change of state brings
// along, and returns the state before. What may not happen must have been
// asked of agent.may before. Noting the change and settle are the caller's.
func (e *Engine) move(a *agent, ev event, cause string) (from State) {
	from = a.state
	a.stopTimer()
	a.moves++
	a.state, a.since = outcomes[from][ev].to, e.now()
	a.reason, a.out = cause, ev == eventTakeOut
	e.metrics.moved(from, a.state)

	if from == StateReady {
		for _, q := range a.queues {
			q.ready.remove(a)
		}
	}
	if from == StateWrapUp && a.state != StateTalking {
		a.queue.handled.add(time.Since(a.busy))
	}
	switch ev {
	case eventSignIn, eventReady, eventConnect, eventDecline, eventRejoin, eventFound:
		a.misses = 0
	}
	if a.state == StateReady && ev != eventRelease {
		a.idleAs, a.idleSince = e.next(), a.since
	}
	return from
}

// settle draws the consequences of an agent's change once it is noted: for the
// queues that count on them, and for the caller they may take now.
func (e *Engine) settle(a *agent) {
	if is := a.presence(); is != a.counted {
		for _, q := range a.queues {
			q.signedIn += count(is.signedIn) - count(a.counted.signedIn)
			q.attending += count(is.attending) - count(a.counted.attending)
		}
		a.counted = is
		for _, q := range a.queues {
			e.attend(q)
		}
	}
	if a.state == StateReady {
		e.serve(a)
	}
	if !a.takesCalls() {
		e.disappoint(a)
	}
}

// attend decides what becomes of a queue's callers when the number of agents
// behind it has changed. Who is behind it is not known before Open.
func (e *Engine) attend(q *callers) {
	switch {
	case e.held:
	case q.attending > 0:
		q.stopUnattended()
		q.refusing = false
	case q.signedIn == 0:
		q.stopUnattended()
		e.lapseAll(q, LapseSignedOut)
	case q.unattended == nil && !q.refusing:
		var timer *time.Timer
		timer = time.AfterFunc(q.rules.Unattended, func() {
			defer e.enter()()
			if q.unattended == timer && !e.stopped {
				q.unattended, q.refusing = nil, true
				e.log.Warn("no agent of the queue is in service, its callers lapse", "queue", q.rules.ID)
				e.lapseAll(q, LapseUnattended)
			}
		})
		q.unattended = timer
	}
}

// alarm has an event happen to the agent after d, unless the state changes
// before.
func (e *Engine) alarm(a *agent, d time.Duration, ev event, cause string) {
	moves := a.moves
	a.timer = time.AfterFunc(d, func() {
		defer e.enter()()
		if a.moves == moves && !e.stopped {
			e.turn(a, ev, cause)
		}
	})
}

func (e *Engine) next() int64 {
	e.serial++
	return e.serial
}

func (t *Ticket) stopPatience() {
	if t.patience != nil {
		t.patience.Stop()
		t.patience = nil
	}
}

func (a *agent) stopTimer() {
	if a.timer != nil {
		a.timer.Stop()
		a.timer = nil
	}
}

// afterTalk is the state that was asked for during the talk, none if none was.
func (a *agent) afterTalk() State { return outcomes[StateWrapUp][a.then].to }

func (q *callers) stopUnattended() {
	if q.unattended != nil {
		q.unattended.Stop()
		q.unattended = nil
	}
}

// end makes the offer worthless and tells its owner why.
func (o *Offer) end(why error) {
	o.over = true
	o.timer.Stop()
	o.cancel(why)
}

func (o *Offer) overError() error {
	why := context.Cause(o.ctx)
	if why == nil {
		why = errors.New("connected already")
	}
	return fmt.Errorf("offer %s to agent %s: %w: %w", o.ID, o.Agent.ID, ErrOfferOver, why)
}

func (o *Offer) change(kind, cause string, from, to State) Change {
	return Change{Kind: kind, Queue: o.Queue, Call: o.ticket.caller.ID, Agent: o.Agent.ID, Offer: o.ID,
		From: from, To: to, Cause: cause, Out: o.agent.out, WaitedMs: o.ticket.waited().Milliseconds()}
}

// waited is how long this wait has lasted, on the real clock, a restart included.
func (t *Ticket) waited() time.Duration { return time.Since(t.joined) }

func count(yes bool) int {
	if yes {
		return 1
	}
	return 0
}
