package queue

import (
	"cmp"
	"maps"
	"reflect"
	"slices"
	"time"
)

// Several services with one line of callers. Each has calls of its own
// (Caller.Owner) and agents' phones of its own (Profile.Home); a caller of one
// is served by an agent of another. Whoever owns a call knows who is with it,
// and whoever has a phone knows the rest about its agent: that is how it is
// decided what holds when services have not heard of each other for a while.

// Part is what a service brings along when it comes to the others: its callers
// and agents as its machine has them, and who of elsewhere is with its callers.
type Part struct {
	Now     int64         `json:"now"`
	Clock   time.Time     `json:"clock,omitzero"` // what the service's own shows, by which its callers have arrived; zero: they stand by the common one
	Queues  []Rules       `json:"queues"`
	Changed []string      `json:"changed,omitempty"` // queues whose rules are other ones than the others know
	Removed []string      `json:"removed,omitempty"` // queues that are there no more
	Agents  []agentImage  `json:"agents,omitempty"`
	Callers []placeImage  `json:"callers,omitempty"`
	Talks   []talkOutside `json:"talks,omitempty"`
	Called  []calledImage `json:"called,omitempty"` // by its calls

	CalledIn int `json:"called_in,omitempty"`

	Ways []string `json:"ways"`           // the services whose agents it can ring; null: all
	Shut []string `json:"shut,omitempty"` // queues that are closed for its callers at this hour
}

// talkOutside is an agent of elsewhere with a call of the service's own.
type talkOutside struct {
	Agent string `json:"agent"`
	Call  string `json:"call"`
	Queue string `json:"queue"`
	Third bool   `json:"third,omitempty"`

	Profile Profile `json:"profile"` // for those who do not know the agent: their own service may not be there yet
}

// behind is by how much the clock by which the callers have arrived is behind the
// common one. That never goes back, unless it is another one.
func (p *Part) behind(now int64) int64 {
	if p.Clock.IsZero() {
		return min(0, now-p.Now)
	}
	return now - nanos(p.Clock)
}

// Part is that of a service.
func (m *Machine) Part(owner string) *Part {
	p := &Part{Now: m.now, Queues: m.Rules(), CalledIn: m.calledIn, Ways: m.ways[owner], Shut: slices.Sorted(maps.Keys(m.shut[owner]))}
	p.Changed, p.Removed = m.news()
	for _, a := range m.byListing() {
		switch {
		case a.profile.Home == owner:
			p.Agents = append(p.Agents, a.image())
		case a.state.InTalk() && a.owner == owner:
			p.Talks = append(p.Talks, talkOutside{a.profile.ID, a.call, a.queue.rules.ID, a.third, a.profile})
		}
	}
	for _, r := range m.calledBy(owner) {
		p.Called = append(p.Called, r.called())
	}
	for _, q := range m.byID() {
		for one := range q.all.all() {
			if one.caller.Owner == owner {
				p.Callers = append(p.Callers, one.image())
			}
		}
	}
	return p
}

// Beginning is a machine with the same queues and agents and what is known of
// them in general, but nobody waits, everybody is offline and no service has come:
// where a log begins to which services then come, each with its Part. Whoever has
// died meanwhile never does.
func (m *Machine) Beginning() (*Machine, error) {
	data, err := m.write(func(i *image) {
		i.Held, i.Away, i.Here, i.Called, i.Ways, i.Shut = false, m.homes(), nil, nil, nil, nil
		for q := range i.Queues {
			i.Queues[q].Callers, i.Queues[q].Backings = nil, nil
		}
		for a := range i.Agents {
			was := i.Agents[a]
			i.Agents[a] = agentImage{Profile: was.Profile, Listed: was.Listed, Calls: was.Calls, State: StateOffline, Since: was.Since}
		}
	})
	if err != nil {
		return nil, err
	}
	return LoadMachine(data)
}

// homes are the services at which agents are at home.
func (m *Machine) homes() []string {
	all := map[string]bool{}
	for _, a := range m.agents {
		all[a.profile.Home] = true
	}
	delete(all, "")
	return slices.Sorted(maps.Keys(all))
}

// unheard reports whether a service is gone, or is another than the one that
// this machine is of while nothing is heard of the others.
func (m *Machine) unheard(service string) bool {
	return m.away[service] || m.only != "" && service != m.only
}

// ownerOf is the service at which a call is that waits or talks.
func (m *Machine) ownerOf(callID string) string {
	if p := m.waiting[callID]; p != nil {
		return p.caller.Owner
	}
	switch t := m.parties[callID]; {
	case t.own != nil:
		return t.own.owner
	case t.third != nil:
		return t.third.owner
	case t.called != nil:
		return t.called.owner
	}
	return ""
}

// reach has agents be offered callers only as long as their service is heard
// of. Everything else about them stays as it was last known.
func (m *Machine) reach() {
	for _, a := range m.byListing() {
		gone, beyond := m.away[a.profile.Home], m.unheard(a.profile.Home)
		if gone == a.gone && beyond == a.beyond {
			continue
		}
		if a.free() {
			m.beBusy(a)
		}
		a.gone, a.beyond = gone, beyond
		if a.free() {
			m.beReady(a)
		}
		m.settle(a)
	}
}

// beBusy is the opposite of beReady.
func (m *Machine) beBusy(a *agent) {
	for _, mine := range a.members {
		mine.crew.ready.remove(mine)
	}
}

// gone is a service that is no more: its callers lose their places, and its
// agents are offered nobody until it is back. Talks are not touched: Asterisk
// may well keep them alive.
func (m *Machine) gone(owner, reason string) {
	if owner != "" {
		m.away[owner] = true
		delete(m.here, owner)
		m.reach()
	}
	var freed []*agent
	for _, p := range m.callersOf(owner) {
		for _, r := range slices.Clone(p.offers) {
			if !r.agent.beyond {
				m.ringOut(r)
			}
		}
		freed = append(freed, m.drop(p, reason)...)
	}
	m.serveAll(freed)
	for _, r := range m.calledBy(owner) {
		m.refuse(r, eventRelease, ResultWithdrawn, reason)
	}
}

// ringOut takes an offer back that the service which has the phone rung can take
// back no more, though its Asterisk may go on: the agent rests until the phone
// has surely stopped, or it would ring for two callers.
func (m *Machine) ringOut(r *reservation) {
	a, rings := r.agent, r.alarm.due
	m.part(r, ResultWithdrawn)
	c := m.about(r, KindRefused, CauseServiceGone)
	c.From = m.move(a, eventDecline, CauseServiceGone)
	c.To = a.state
	m.note(c)
	m.wake(a, time.Duration(rings-m.now), eventRested, causeRested)
	m.settle(a)
}

// callersOf lists the waiting callers of a service.
func (m *Machine) callersOf(owner string) (list []*place) {
	for _, q := range m.byID() {
		for p := range q.all.all() {
			if p.caller.Owner == owner {
				list = append(list, p)
			}
		}
	}
	return list
}

// endUnheard ends the talk of an agent who says by what they ask that it is
// over, since the service with the call is not heard of.
func (m *Machine) endUnheard(a *agent, asked event) event {
	a.then, a.thenReason = 0, ""
	m.turn(a, eventEnd, CauseAlone)
	m.rise(a)
	a.third = false
	if asked == eventSignIn {
		return eventReady // from the wrap-up
	}
	return asked
}

// alone makes this the machine of one service, of whose others nothing is
// heard. Their callers leave; an agent of ours whom they were ringing may be
// talking with them by now and counts as if so, until the agent says otherwise
// or the others are back. Their agents stay as they were last known, and are
// offered nobody.
func (m *Machine) alone(owner string) {
	m.only = owner
	m.reach()
	m.quiet = true
	for _, q := range m.byID() {
		for _, p := range q.all.items() {
			if p.caller.Owner != owner {
				m.setAside(p, owner)
			}
		}
	}
	for _, a := range m.byListing() {
		if r := a.offer; r != nil && r.place == nil && r.owner != owner {
			m.untie(r)
			m.answersElsewhere(r, owner)
		}
	}
	m.quiet = false
	for _, a := range m.byListing() {
		if a.beyond && a.offer != nil {
			m.refuse(a.offer, eventRelease, ResultWithdrawn, CauseAlone)
		}
	}
}

// setAside takes out another service's caller.
func (m *Machine) setAside(p *place, owner string) {
	for _, r := range m.forget(p) {
		m.answersElsewhere(r, owner)
	}
}

// answersElsewhere is what becomes of the agent of another service's offer: one
// of ours may be in talk by now.
func (m *Machine) answersElsewhere(r *reservation, owner string) {
	a := r.agent
	if a.profile.Home != owner {
		m.letGo(r)
		return
	}
	c := m.about(r, KindAgentState, CauseAlone)
	if c.Third {
		c.From = m.move(a, eventFoundThird, "")
		m.beThird(a, r.call, r.queue, r.owner)
	} else {
		c.From = m.move(a, eventFound, "")
		m.begin(a, r.call, r.queue, r.owner)
	}
	c.To = a.state
	m.note(c)
	m.settle(a)
}

// untie undoes the reservation of an agent who was called in without a word to
// anybody.
func (m *Machine) untie(r *reservation) {
	m.timers.stop(&r.alarm)
	t := m.parties[r.call]
	t.called, r.agent.offer = nil, nil
	m.put(r.call, t)
}

// forget takes a place out without a word to anybody, and returns the offers
// that there were, whose agents are left to whoever calls this.
func (m *Machine) forget(p *place) (were []*reservation) {
	m.exit(p)
	delete(m.waiting, p.caller.ID)
	p.done = true
	were, p.offers = p.offers, nil
	for _, r := range were {
		m.timers.stop(&r.alarm)
		r.agent.offer = nil
	}
	return were
}

// comeBack is a service that is there, for the first time or again. What it
// brings takes the place of what was known of it.
func (m *Machine) comeBack(owner string, part *Part) error {
	if part == nil || owner == "" {
		return errNothing
	}
	m.held, m.quiet = true, true // nobody is offered anybody before all is in place
	delete(m.away, owner)
	m.here[owner] = true
	delete(m.shut, owner)
	m.shutFor(owner, part.Shut...)
	var were []*reservation
	for _, p := range m.callersOf(owner) {
		were = append(were, m.forget(p)...)
	}
	for _, r := range m.calledBy(owner) {
		m.untie(r)
		were = append(were, r)
	}
	for _, r := range were {
		c := m.about(r, KindRefused, CauseReturned)
		c.From = m.letGo(r)
		c.To = r.agent.state
		if r.agent.profile.Home != owner { // whose own part says, and has recorded, what has become of them
			m.note(c)
		}
	}
	m.dismiss(owner, part)
	part = m.admitted(owner, part)
	m.welcome(owner, part)
	shift := m.now - part.Now
	for i := range part.Agents {
		m.takeIn(owner, &part.Agents[i], shift)
	}
	m.compareTalks(owner, part.Talks)
	m.setWays(owner, part.Ways)
	for i := range part.Callers {
		m.placeAgain(owner, &part.Callers[i], shift, part.behind(m.now))
	}
	m.calledIn = max(m.calledIn, part.CalledIn)
	for i := range part.Called {
		m.callAgain(owner, &part.Called[i], shift)
	}
	m.reach()
	m.releaseIdle(part)
	m.orderIdle()
	m.quiet = false
	m.removeAll(owner, part.Removed)
	m.open()
	return nil
}

// welcome has the queues and agents be there that a service brings. The rules
// of a queue that is known stay, unless the service has them anew.
func (m *Machine) welcome(owner string, part *Part) {
	for _, r := range part.Queues {
		switch q := m.queues[r.ID]; {
		case q == nil:
			m.establish(r)
		case slices.Contains(part.Changed, r.ID):
			recorded := r.clone()
			m.note(Change{Kind: KindRules, Queue: r.ID, By: byService(owner), Rules: &recorded})
			m.reform(q, r.clone())
		}
	}
	concerned := map[string]bool{}
	var fans []*place
	for i := range part.Agents {
		p := &part.Agents[i].Profile
		switch a := m.agents[p.ID]; {
		case a == nil:
			a = m.hire(*p)
			for _, q := range a.queues() {
				concerned[q.rules.ID] = true
			}
		case !reflect.DeepEqual(a.profile, *p):
			fans = append(fans, a.allFans()...)
			a.profile = p.clone()
			for _, q := range m.assign(a) {
				concerned[q.rules.ID] = true
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(concerned)) {
		m.regroup([]*callers{m.queues[id]})
	}
	for _, p := range fans {
		m.seat(p)
	}
}

// takeIn has an agent be as their own service says, unless the others know of
// a talk or an offer with a call of theirs.
func (m *Machine) takeIn(owner string, i *agentImage, shift int64) {
	a := m.agents[i.Profile.ID]
	own := i.State.InTalk() && i.Owner == owner
	theirs := a.offer != nil || a.state.InTalk() && a.owner != owner && !m.away[a.owner]
	if a.moved && !own && (theirs || !i.Moved || i.State.InTalk() && !m.away[i.Owner]) {
		m.keep(a, owner, i)
		return
	}
	if r := a.offer; r != nil { // with us already, while another service's caller was offered
		c := m.about(r, KindRefused, CauseReturned)
		m.release(r, &c, ResultWithdrawn)
		c.From, c.To = 0, 0 // what the agent does is recorded already
		m.noteFor(c, false)
	}
	m.rise(a)
	m.beBusy(a)
	m.timers.stop(&a.alarm)
	before := m.parties[i.Call]
	m.wear(a, i)
	a.busy, a.began = shifted(a.busy, shift), shifted(a.began, shift)
	m.goOnTimer(&a.alarm, i.Alarm, shift)
	if a.state == StateReady {
		m.beReady(a)
	}
	m.settle(a)
	if a.state.InTalk() && !own && (m.here[a.owner] || before.seat(a.third) != nil) { // of which the call's own service knows better
		m.put(a.call, before)
		m.endTalk(a)
	}
}

// keep leaves an agent as the others know them, which their own service is to
// record.
func (m *Machine) keep(a *agent, owner string, i *agentImage) {
	if a.state.InTalk() && a.owner == owner {
		m.endTalk(a) // which the owner of the call knows nothing of
	}
	if a.state == i.State {
		return
	}
	c := Change{Kind: KindAgentState, Agent: a.profile.ID, From: i.State, To: a.state, Cause: CauseReturned}
	switch {
	case a.offer != nil:
		c.Call, c.Queue, c.Offer, c.Third = a.offer.call, a.offer.queue.rules.ID, a.offer.id, a.offer.place == nil
	case a.queue != nil:
		c.Call, c.Queue, c.Third = a.call, a.queue.rules.ID, a.third
	}
	m.note(c)
}

// compareTalks has the agents of elsewhere be with the service's calls who are,
// and nobody else.
func (m *Machine) compareTalks(owner string, talks []talkOutside) {
	with := map[string]talkOutside{}
	for _, t := range talks {
		with[t.Agent] = t
		m.hearOf(t.Profile)
	}
	all := slices.DeleteFunc(m.byListing(), func(a *agent) bool { return a.profile.Home == owner })
	for _, a := range all {
		if a.state.InTalk() && a.owner == owner && a.call != with[a.profile.ID].Call {
			m.endTalk(a)
		}
	}
	for _, a := range all {
		t := with[a.profile.ID]
		_, no := a.may(eventFound)
		switch {
		case t.Call == "" || m.taken(t.Call, t.Third):
		case a.third && a.call == t.Call:
			m.takeOver(a, nil, CauseReturned)
		case no == nil:
			m.found(a, t.Call, m.named(t.Queue), owner, t.Third)
		}
	}
}

// hearOf has an agent be known, and signed in, of whom their own service has said
// nothing yet: what it says when it comes is older than the talk they are in.
func (m *Machine) hearOf(p Profile) {
	a := m.agents[p.ID]
	if a == nil {
		a = m.introduce(p)
	}
	if a.state == StateOffline && !a.moved {
		m.move(a, eventSignIn, CauseFound)
		m.settle(a)
	}
}

// introduce adds an agent of a service that is not there yet.
func (m *Machine) introduce(p Profile) *agent {
	for _, id := range p.Queues {
		if m.queues[id] == nil {
			p = p.Without(id)
		}
	}
	if !slices.ContainsFunc(m.byListing(), func(a *agent) bool { return a.profile.Home == p.Home }) {
		m.away[p.Home] = true
	}
	a := m.hire(p)
	m.regroup(a.queues())
	return a
}

// placeAgain gives a caller the place they had, with the phones that ring for
// them.
func (m *Machine) placeAgain(owner string, i *placeImage, shift, behind int64) {
	q := m.queues[i.Caller.Queue]
	if q == nil || m.waiting[i.Caller.ID] != nil || m.parties[i.Caller.ID] != (party{}) {
		return
	}
	p := loadedPlace(i)
	p.caller.Owner, p.caller.Arrived = owner, onClock(p.caller.Arrived, behind)
	m.waiting[p.caller.ID] = p
	p.joined, p.entered, p.patienceEnds = p.joined+shift, p.entered+shift, shifted(p.patienceEnds, shift)
	m.aim(p, q)
	for _, o := range i.Offers {
		a := m.agents[o.Agent]
		if !a.keptFor(owner) {
			m.fx.Over = append(m.fx.Over, OfferOver{Call: p.caller.ID, ID: o.ID, Agent: o.Agent, Queue: q.rules.ID, Result: ResultWithdrawn})
			c := Change{Kind: KindRefused, Queue: q.rules.ID, Call: p.caller.ID, Owner: owner, Agent: o.Agent, Offer: o.ID, Cause: CauseReturned}
			m.noteFor(c, false)
			continue
		}
		m.goOnTimer(&p.reserve(o.ID, a).alarm, o.Alarm, shift)
	}
	m.enter(p)
	p.overflows, p.limit = shifted(i.Overflows, shift), shifted(i.Limit, shift)
	p.prefers = m.agents[i.Prefers]
	if p.prefers != nil && p.prefers.member(q) == nil {
		p.prefers = nil
	}
	m.arm(p)
	p.standAgain(true)
}

// keptFor reports whether an agent of a service is kept for an offer that is
// not known yet.
func (a *agent) keptFor(owner string) bool {
	return a != nil && a.profile.Home == owner && (a.state == StateReserved || a.state == StateRinging) && a.offer == nil
}

// callAgain has a phone ring on for an agent whom a call is calling in.
func (m *Machine) callAgain(owner string, i *calledImage, shift int64) {
	a := m.agents[i.Agent]
	if !a.keptFor(owner) || m.parties[i.Call].called != nil {
		m.fx.Over = append(m.fx.Over, OfferOver{Call: i.Call, ID: i.ID, Agent: i.Agent, Queue: i.Queue, Result: ResultWithdrawn, Called: true})
		m.noteFor(Change{Kind: KindRefused, Queue: i.Queue, Call: i.Call, Owner: owner, Agent: i.Agent, Offer: i.ID, Third: true, With: i.With, Cause: CauseReturned}, false)
		return
	}
	m.goOnTimer(&m.ringsFor(i).alarm, i.Alarm, shift)
}

// shifted is a moment of another machine's clock on this one's; 0 is none.
func shifted(at, by int64) int64 {
	if at == 0 {
		return 0
	}
	return at + by
}

// goOnTimer sets a timer that was running elsewhere.
func (m *Machine) goOnTimer(t *timer, i *alarmImage, shift int64) {
	if i != nil {
		m.timers.set(t, i.Due+shift)
	}
}

// releaseIdle has the agents be ready who were kept for a caller that is there
// no more.
func (m *Machine) releaseIdle(part *Part) {
	for i := range part.Agents {
		a := m.agents[part.Agents[i].Profile.ID]
		if a.offer == nil && (a.state == StateReserved || a.state == StateRinging) {
			m.turn(a, eventRelease, CauseReturned)
		}
	}
}

// orderIdle orders the agents of all services by how long they have been idle.
func (m *Machine) orderIdle() {
	all := m.byListing()
	for _, a := range all {
		m.beBusy(a)
	}
	slices.SortStableFunc(all, func(a, b *agent) int {
		return cmp.Or(a.idleSince.Compare(b.idleSince), cmp.Compare(a.idleAs, b.idleAs))
	})
	m.serial = 0
	for _, a := range all {
		m.serial++
		a.idleAs = m.serial
	}
	for _, a := range all {
		if a.free() {
			m.beReady(a)
		}
	}
}
