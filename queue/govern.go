package queue

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Queues and agents that come, change and go while callers wait. What
// contradicts the rest is refused and changes nothing; what is done is recorded
// with who asked for it.

// ErrSignedIn is what RemoveAgent returns for an agent who is not offline.
var ErrSignedIn = errors.New("queue: the agent is signed in")

// plan is what is in force.
func (m *Machine) plan() plan {
	p := plan{map[string]Rules{}, map[string]Profile{}}
	for id, q := range m.queues {
		p.rules[id] = q.rules
	}
	for id, a := range m.agents {
		p.profiles[id] = a.profile
	}
	return p
}

// clone is a copy that shares nothing with r.
func (r Rules) clone() Rules {
	r.Needs, r.Relax = maps.Clone(r.Needs), slices.Clone(r.Relax)
	return r
}

// clone is a copy that shares nothing with p.
func (p Profile) clone() Profile {
	p.Queues, p.Weights, p.Skills = slices.Clone(p.Queues), maps.Clone(p.Weights), maps.Clone(p.Skills)
	return p
}

// establish opens a queue that nobody serves yet.
func (m *Machine) establish(r Rules) *callers {
	q := &callers{rules: r.clone(), turn: -1, all: line[place]{order: callerOrder}}
	m.queues[r.ID] = q
	m.backing(q, nil, nil) // the first: of callers whom anybody can serve at last
	q.class(needsOf(r.Needs), nil)
	for _, a := range m.agents {
		a.swapQueue(func(old *callers) bool { return old.rules.ID == r.ID }, q) // whose last talk was in a queue of this name
	}
	return q
}

// swapQueue puts another queue in the place of one, for the agent's talk and
// the call they are called in by.
func (a *agent) swapQueue(is func(*callers) bool, other *callers) {
	if a.queue != nil && is(a.queue) {
		a.queue = other
	}
	if r := a.offer; r != nil && r.place == nil && is(r.queue) {
		r.queue = other
	}
}

// hire adds an agent, who is offline. The queues they serve are to form their
// crews anew.
func (m *Machine) hire(p Profile) *agent {
	a := &agent{profile: p.clone(), listed: m.listed, state: StateOffline, since: m.wall}
	a.gone, a.beyond = m.away[p.Home], m.unheard(p.Home)
	a.alarm.owner = a
	m.listed++
	m.agents[p.ID] = a
	m.assign(a)
	return a
}

// assign makes an agent a member of the queues in their profile, and only of
// those, and returns all queues it concerns.
func (m *Machine) assign(a *agent) (concerned []*callers) {
	had := a.members
	a.members = nil
	for _, mine := range had {
		concerned = append(concerned, mine.queue)
		mine.queue.members = slices.DeleteFunc(mine.queue.members, func(o *member) bool { return o == mine })
	}
	for _, id := range a.profile.Queues {
		q := m.queues[id]
		mine := &member{agent: a, queue: q, fans: line[place]{order: callerOrder}}
		if at := slices.IndexFunc(had, func(o *member) bool { return o.queue == q }); at >= 0 {
			mine = had[at]
		}
		mine.weight = max(1, a.profile.Weights[id])
		if n := len(q.members); n == 0 || q.members[n-1].agent.listed < a.listed {
			q.members = append(q.members, mine)
		} else {
			at, _ := slices.BinarySearchFunc(q.members, mine, listedOrder)
			q.members = slices.Insert(q.members, at, mine)
		}
		a.members = append(a.members, mine)
		if !slices.Contains(concerned, q) {
			concerned = append(concerned, q)
		}
	}
	if a.roster != nil {
		a.roster.count(-count(a.taking))
	}
	a.roster = m.rosterOf(a.profile.Queues)
	a.roster.count(count(a.taking))
	return concerned
}

// setRules gives a queue other rules, or opens one. Callers keep their places
// by the new rules; phones that ring go on ringing.
func (m *Machine) setRules(asked *Rules) error {
	if asked == nil {
		return errNothing
	}
	r, err := asked.clone().withDefaults()
	if err != nil {
		return err
	}
	p := m.plan()
	p.rules[r.ID] = r
	if err := p.check(); err != nil {
		return err
	}
	recorded := r.clone()
	m.note(Change{Kind: KindRules, Queue: r.ID, By: m.by, Rules: &recorded})
	if m.only != "" {
		m.changed[r.ID] = true
	}
	if q := m.queues[r.ID]; q != nil {
		m.reform(q, r)
	} else {
		m.establish(r)
	}
	return nil
}

// reform has everybody in a queue stand and wait by new rules.
func (m *Machine) reform(q *callers, r Rules) {
	all, was := q.all.items(), q.backings
	for _, p := range all {
		m.exit(p)
	}
	q.rules, q.classes, q.backings = r, nil, nil
	m.backing(q, nil, nil)
	q.class(needsOf(r.Needs), nil)
	for _, p := range all {
		m.aim(p, q)
		m.enter(p)
		if r.Strategy == RingAll {
			p.prefers, p.patienceEnds = nil, 0
		}
		m.arm(p)
	}
	for _, old := range was {
		m.goOn(q, old)
	}
	for _, p := range q.all.items() { // in their new order
		switch {
		case p.done:
		case len(p.offers) == 0:
			m.seat(p)
		default:
			m.ringLater(p)
		}
	}
	m.attendAll(q)
}

// goOn has the clocks of unattended callers go on through new rules.
func (m *Machine) goOn(q *callers, old *backing) {
	unattended, onBreak := old.unattended, old.onBreak
	m.watchNobody(old)
	for _, b := range q.backings {
		if b.key == old.key {
			b.refusing = old.refusing
			m.takeUp(&b.unattended, unattended)
			m.takeUp(&b.onBreak, onBreak)
		}
	}
}

// takeUp sets a timer as another one was set.
func (m *Machine) takeUp(t *timer, was timer) {
	if was.at != 0 {
		m.timers.set(t, was.due)
	}
}

// removeQueue ends a queue: whoever waits there lapses with LapseRemoved, the
// phones that ring for them stop, and talks go on.
func (m *Machine) removeQueue(id string) error {
	q := m.queues[id]
	if q == nil {
		return ErrUnknownQueue
	}
	p := m.plan()
	delete(p.rules, id)
	for _, mine := range q.members {
		p.profiles[mine.agent.profile.ID] = mine.agent.profile.without(id)
	}
	if err := p.check(); err != nil {
		return err
	}
	m.note(Change{Kind: KindRemoved, Queue: id, By: m.by})
	if m.only != "" {
		m.changed[id] = true
	}
	var freed []*agent
	for _, p := range q.all.items() {
		freed = append(freed, m.releaseOthers(p, nil, ResultWithdrawn, CauseRemoved)...)
		m.lapse(p, Change{Cause: LapseRemoved})
	}
	for _, b := range q.backings {
		m.watchNobody(b)
	}
	for _, mine := range slices.Clone(q.members) {
		mine.agent.profile = mine.agent.profile.without(id)
		m.assign(mine.agent)
	}
	m.forgetQueue(q)
	m.serveAll(freed)
	return nil
}

// without is the profile of an agent who no longer serves a queue.
func (p Profile) without(queueID string) Profile {
	p = p.clone()
	p.Queues = slices.DeleteFunc(p.Queues, func(id string) bool { return id == queueID })
	delete(p.Weights, queueID)
	return p
}

// forgetQueue takes out what pointed to a queue that nobody serves any more.
func (m *Machine) forgetQueue(q *callers) {
	delete(m.queues, q.rules.ID)
	for key, r := range m.rosters {
		if !slices.Contains(r.queues, q) {
			continue
		}
		delete(m.rosters, key)
		for _, other := range r.queues {
			other.rosters = slices.DeleteFunc(other.rosters, func(o *roster) bool { return o == r })
		}
	}
	stub := m.named(q.rules.ID) // for the end of talks, as after a restart
	for _, a := range m.agents {
		a.swapQueue(func(old *callers) bool { return old == q }, stub)
	}
	for _, other := range m.byID() {
		other.form() // members are new
	}
}

// setProfile adds an agent or has one serve other callers. A phone that rings
// for a caller whom the agent serves no more stops; a talk goes on.
func (m *Machine) setProfile(asked *Profile) error {
	if asked == nil {
		return errNothing
	}
	if err := asked.sound(); err != nil {
		return err
	}
	p := m.plan()
	p.profiles[asked.ID] = *asked
	if err := p.check(); err != nil {
		return err
	}
	recorded := asked.clone()
	m.note(Change{Kind: KindProfile, Agent: asked.ID, By: m.by, Profile: &recorded})
	a := m.agents[asked.ID]
	if a == nil {
		a = m.hire(*asked)
		m.regroup(a.queues())
		m.pave()
		return nil
	}
	fans := a.allFans()
	a.profile = asked.clone()
	concerned := m.assign(a)
	m.regroup(concerned)
	m.reach()
	m.pave()
	for _, p := range fans { // before the agent may be ready for somebody else
		if !p.done && p.in == nil && len(p.offers) == 0 {
			m.seat(p)
		}
	}
	if r := a.offer; r != nil && r.place != nil && (a.member(r.queue) == nil || !a.member(r.queue).may(r.place.class)) {
		m.refuse(r, eventRelease, ResultWithdrawn, CauseProfile)
	}
	m.serve(a)
	for _, q := range concerned {
		m.attendAll(q)
	}
	return nil
}

// queues are those an agent serves.
func (a *agent) queues() (list []*callers) {
	for _, mine := range a.members {
		list = append(list, mine.queue)
	}
	return list
}

// allFans takes the callers out of their lines who wait for this agent alone.
func (a *agent) allFans() (fans []*place) {
	for _, mine := range a.members {
		for _, p := range mine.fans.items() {
			p.stand(nil)
			fans = append(fans, p)
		}
	}
	return fans
}

// regroup forms the crews of queues anew and counts who stands behind callers.
func (m *Machine) regroup(queues []*callers) {
	for _, q := range queues {
		q.form()
		for _, b := range q.backings {
			b.countAll()
		}
	}
}

// removeAgent takes out an agent who is offline.
func (m *Machine) removeAgent(id string) error {
	a, err := m.agent(id)
	switch {
	case err != nil:
		return err
	case a.state != StateOffline:
		return fmt.Errorf("agent %s is %s: %w", id, a.state, ErrSignedIn)
	}
	p := m.plan()
	delete(p.profiles, id)
	if err := p.check(); err != nil {
		return err
	}
	m.note(Change{Kind: KindLetGo, Agent: id, By: m.by})
	concerned := a.queues()
	a.profile.Queues = nil
	m.assign(a)
	delete(m.agents, id)
	m.regroup(concerned)
	m.pave()
	for _, q := range concerned {
		m.attendAll(q)
	}
	return nil
}
