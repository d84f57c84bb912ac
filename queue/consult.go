package queue

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// Agents who are called in by a call: to be consulted by its agent, to take it
// over, or to take back a caller whom nobody else took. Such a call asks for
// one agent by name, so it stands in no line. Whoever answers is the call's
// third, until the third's part ends or the call is handed over to them; where
// nobody has the call any more, it is theirs at once.

// Errors of Call.
var (
	ErrThird = errors.New("queue: the call has a third already, or a phone rings for one")
	ErrNoWay = errors.New("queue: the agent's phone cannot be rung from the call's service")
	ErrAway  = errors.New("queue: nothing is heard of the agent's service")
	ErrHeld  = errors.New("queue: nobody is offered anybody yet")
)

// party is who is with a call. The zero party is nobody.
type party struct {
	own    *agent       // whose call it is
	third  *agent       // called in, beside
	called *reservation // who is being called in
}

// put notes who is with a call.
func (m *Machine) put(callID string, t party) {
	if t == (party{}) {
		delete(m.parties, callID)
	} else {
		m.parties[callID] = t
	}
}

// sit puts an agent in talk where the call has them.
func (m *Machine) sit(a *agent) {
	t := m.parties[a.call]
	if a.third {
		t.third = a
	} else {
		t.own = a
	}
	m.put(a.call, t)
}

// rise is the opposite of sit. It changes nothing where somebody else sits.
func (m *Machine) rise(a *agent) {
	t := m.parties[a.call]
	if t.own == a {
		t.own = nil
	}
	if t.third == a {
		t.third = nil
	}
	m.put(a.call, t)
}

// seat is who has a part in the call.
func (t party) seat(third bool) *agent {
	if third {
		return t.third
	}
	return t.own
}

// taken reports whether the part in a call is somebody's already, or the call
// waits for an agent of its own.
func (m *Machine) taken(callID string, third bool) bool {
	t := m.parties[callID]
	return m.waiting[callID] != nil || third && t.third != nil || !third && t.own != nil
}

// partner is the other agent of a call that one is with, or that one is called
// to: "" where there is none.
func (m *Machine) partner(a *agent) string {
	if a.offer != nil {
		return a.offer.with
	}
	t, other := m.parties[a.call], (*agent)(nil)
	switch {
	case t.third == a:
		other = t.own
	case t.own != a:
	case t.third != nil:
		other = t.third
	case t.called != nil:
		other = t.called.agent
	}
	if other == nil {
		return ""
	}
	return other.profile.ID
}

// callIn reserves the agent whom a call asks for, exactly as for a caller in
// line. Somebody in the wrap-up of that same call is called back from it.
func (m *Machine) callIn(c *Command) error {
	a, err := m.agent(c.Agent)
	if err != nil {
		return err
	}
	ev, t := eventCall, m.parties[c.Call]
	if a.state == StateWrapUp && a.call == c.Call {
		ev = eventCallBack
	}
	_, no := a.may(ev)
	switch {
	case c.Call == "":
		return errNothing
	case no != nil:
		return no
	case a.beyond:
		return fmt.Errorf("agent %s: %w", c.Agent, ErrAway)
	case slices.Contains(m.barred[c.Owner], a.profile.Home):
		return fmt.Errorf("agent %s: %w", c.Agent, ErrNoWay)
	case m.held:
		return ErrHeld
	case m.waiting[c.Call] != nil:
		return ErrDuplicate
	case t.third != nil || t.called != nil:
		return ErrThird
	}
	with, q := m.caller(c.Call)
	if with == c.Agent {
		with = ""
	}
	m.calledIn++
	r := &reservation{id: c.Call + "-to-" + c.Agent + "-" + strconv.Itoa(m.calledIn), call: c.Call, owner: c.Owner,
		with: with, back: ev == eventCallBack, agent: a, queue: q}
	m.tie(r)
	m.timers.set(&r.alarm, m.after(q.rules.RingTimeout+ReportGrace))
	change := m.about(r, KindCalled, "")
	change.From = m.move(a, ev, "")
	change.To = a.state
	m.note(change)
	m.fx.Offers = append(m.fx.Offers, OfferMade{Call: r.call, ID: r.id, Called: true, Agent: c.Agent, With: with,
		Queue: q.rules.ID, RingTimeout: q.rules.RingTimeout, profile: &a.profile})
	return nil
}

// caller is on whose behalf a call asks for an agent: whose call it is, or
// whose it was last; and the call's queue, by whose rules it goes.
func (m *Machine) caller(callID string) (with string, q *callers) {
	last := m.parties[callID].own
	if last == nil {
		for _, a := range m.agents {
			if a.call == callID && (last == nil || cmp.Or(a.part.Compare(last.part), last.listed-a.listed) > 0) {
				last = a
			}
		}
	}
	if last == nil {
		return "", m.named("")
	}
	return last.profile.ID, last.queue
}

// tie ties a reservation that has no place to its call and agent.
func (m *Machine) tie(r *reservation) {
	r.alarm.owner = r
	t := m.parties[r.call]
	t.called, r.agent.offer = r, r
	m.put(r.call, t)
}

// calledBy lists whom the calls of a service are calling in.
func (m *Machine) calledBy(owner string) (list []*reservation) {
	for _, a := range m.byListing() {
		if r := a.offer; r != nil && r.place == nil && r.owner == owner {
			list = append(list, r)
		}
	}
	return list
}

// letGo moves an agent out of an offer without blame: ready with the idle time
// kept, or in the wrap-up from which they were called back, which begins anew.
func (m *Machine) letGo(r *reservation) (from State) {
	if !r.back {
		return m.move(r.agent, eventRelease, "")
	}
	from = m.move(r.agent, eventGoBack, "")
	r.agent.began = m.now
	m.wake(r.agent, r.agent.queue.rules.WrapUp, eventWrapped, causeWrapped)
	return from
}

// comesIn is the answer of an agent who was called in.
func (m *Machine) comesIn(r *reservation) {
	a := r.agent
	c := m.about(r, KindConsulted, "")
	m.part(r, ResultConnected)
	if m.parties[r.call].own != nil {
		c.From = m.move(a, eventComeIn, "")
		m.beThird(a, r.call, r.queue, r.owner)
	} else {
		c.Kind, c.Third = KindConnected, false
		c.From = m.move(a, eventConnect, "")
		busy := m.inherit(r.call, m.agents[cmp.Or(r.with, a.profile.ID)])
		m.begin(a, r.call, r.queue, r.owner)
		a.busy = busy
	}
	c.To = a.state
	m.note(c)
}

// beThird is an agent's part in a call beside its own agent.
func (m *Machine) beThird(a *agent, callID string, q *callers, owner string) {
	a.call, a.queue, a.owner, a.third = callID, q, owner, true
	a.busy, a.part = 0, m.wall
	m.sit(a)
}

// inherit is since when agents have been busy with a call that passes from one
// to another: it counts once in the queue's figures, by whoever has it last.
// Zero is a call that has been counted.
func (m *Machine) inherit(callID string, from *agent) (busy int64) {
	if from == nil || from.call != callID || !from.state.InTalk() && from.state != StateWrapUp {
		return 0
	}
	busy, from.busy = from.busy, 0
	return busy
}

// endConsult ends the part of a third, who is ready at once, or what was asked
// for meanwhile: there is nothing to write up, that is for whose call it is.
func (m *Machine) endConsult(a *agent) {
	ev, reason := a.then, a.thenReason
	a.then, a.thenReason = 0, ""
	c := Change{Kind: KindAgentState, Agent: a.profile.ID, Cause: eventEndConsult.String(), By: m.by}
	m.inCall(&c, a)
	c.Began = a.part
	m.rise(a)
	c.From = m.move(a, eventEndConsult, "")
	c.To = a.state
	a.call, a.queue, a.owner, a.third = "", nil, "", false
	m.note(c)
	if ev != 0 {
		m.turn(a, ev, reason)
		return
	}
	m.settle(a)
	m.serve(a)
}

// handOver gives a call to its third. Whose call it was has left already, or
// wraps up now: one change tells both.
func (m *Machine) handOver(c *Command) error {
	to, err := m.agent(c.Agent)
	if err != nil {
		return err
	}
	from, err := m.agent(c.With)
	if err != nil {
		return err
	}
	switch t := m.parties[c.Call]; {
	case t.own == to && to != from && t.third != from:
		return nil
	case c.Call == "" || t.third != to || t.own != nil && t.own != from:
		return fmt.Errorf("agent %s cannot hand call %s over to agent %s: %w", c.With, c.Call, c.Agent, ErrNotTheirCall)
	}
	m.takeOver(to, from, "")
	return nil
}

// takeOver makes a third the call's agent. from is who hands the call over, nil
// where that is not known.
func (m *Machine) takeOver(to, from *agent, cause string) {
	c := Change{Kind: KindHandedOver, Agent: to.profile.ID, Cause: cause}
	m.inCall(&c, to)
	c.Third, c.Began = false, to.part
	busy := m.inherit(to.call, from)
	leaves := from != nil && m.parties[to.call].own == from
	if from != nil {
		c.With = from.profile.ID
	}
	if leaves {
		c.Left = &Leaving{Agent: c.With, Home: from.profile.Home, Began: from.part}
		m.rise(from)
		c.Left.From = m.move(from, eventEnd, "")
		c.Left.To, c.Left.Then = from.state, from.wished()
	}
	m.rise(to)
	c.From = m.move(to, eventTakeOver, "")
	c.To = to.state
	m.begin(to, to.call, to.queue, to.owner)
	to.busy = busy
	m.note(c)
	if leaves {
		m.settle(from)
		m.afterTalk(from)
	}
}

// findThird is an agent found with a call beside its own agent, though the
// machine does not know of it.
func (m *Machine) findThird(agentID, callID, queueID, owner string) error {
	a, err := m.agent(agentID)
	if err != nil {
		return err
	}
	t := m.parties[callID]
	switch {
	case t.third == a:
		return nil
	case t.own == a || m.taken(callID, true):
		return fmt.Errorf("agent %s is found as the third of call %s: %w", agentID, callID, ErrNotTheirCall)
	}
	if _, err := a.may(eventFoundThird); err != nil {
		return fmt.Errorf("call %s: %w", callID, err)
	}
	if r := t.called; r != nil && r.agent != a {
		m.refuse(r, eventRelease, ResultWithdrawn, CauseFound)
	}
	m.found(a, callID, m.named(queueID), owner, true)
	return nil
}

// Leaving is an agent who leaves a call in the moment in which another takes
// it over.
type Leaving struct {
	Agent string    `json:"agent"`
	From  State     `json:"from"`
	To    State     `json:"to"`
	Began time.Time `json:"began"` // the part that ends here
	Then  State     `json:"then,omitzero"`
	Home  string    `json:"home,omitempty"`
}

// About is what a change says of an agent: a hand-over says something of two.
// False: nothing.
func (c Change) About(agentID string) (Change, bool) {
	switch {
	case c.Agent == agentID:
		return c, agentID != ""
	case c.Left == nil || c.Left.Agent != agentID:
		return Change{}, false
	}
	return Change{At: c.At, Kind: KindAgentState, Queue: c.Queue, Call: c.Call, Agent: agentID, From: c.Left.From, To: c.Left.To,
		Cause: eventEnd.String(), With: c.Agent, Began: c.Left.Began, Then: c.Left.Then, Owner: c.Owner, Home: c.Left.Home}, true
}
