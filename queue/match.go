package queue

import (
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"strconv"
	"time"
)

// How a caller and an agent meet and part. One rule holds between commands: no
// caller waits without an offer whom a ready agent may serve (except for an
// agent of their own, for a while). So an event needs to look only for the one
// caller or agent it set free, at the heads of classes and crews.

// join gives a caller a place, in their queue or in the one it overflows into.
func (m *Machine) join(command *Command) error {
	c := command.Caller
	if c == nil {
		return errNothing
	}
	q := m.queues[c.Queue]
	switch {
	case q == nil:
		return ErrUnknownQueue
	case c.ID == "":
		return errors.New("queue: the call has no ID")
	case m.waiting[c.ID] != nil || m.parties[c.ID] != (party{}):
		return ErrDuplicate
	}
	if err := levels(c.Needs); err != nil {
		return fmt.Errorf("queue: what the caller needs: %w", err)
	}
	p := &place{caller: *c, joined: m.now - int64(max(0, command.Waited)), number: c.Offers, predicted: -1}
	p.caller.Waited, p.caller.Who = command.Waited, command.Who
	p.offers = p.only[:0]
	if p.caller.Arrived.IsZero() {
		p.caller.Arrived = m.wall
	}
	if !command.Clock.IsZero() {
		p.caller.Arrived = onClock(p.caller.Arrived, m.now-nanos(command.Clock))
	}
	p.caller.Arrived = p.caller.Arrived.Round(0) // the order goes by what is recorded, so that a restart finds the same
	p.alarm.owner = p
	p.entered = p.joined
	why, err := m.admit(p, q)
	if err != nil {
		m.fx.Refused = append(m.fx.Refused, TurnedAway{Queue: c.Queue, Reason: why})
		return err
	}
	m.waiting[c.ID] = p
	p.caller.Prefer = m.ownAgent(p)
	m.note(Change{Kind: KindJoined, Queue: p.caller.Queue, Call: c.ID, WaitedMs: m.waited(p).Milliseconds(),
		Priority: c.Priority, Arrived: p.caller.Arrived, Head: c.Head, Again: c.Again, Prefer: p.caller.Prefer,
		Needs: needsKey(p.needs), StandsAs: p.standsAs()})
	m.watchOver(p)
	m.prefer(p)
	m.guess(p)
	m.arm(p)
	m.seat(p)
	return nil
}

// admit finds the queue for a caller: their own, or where it would not have
// them the one it overflows into, and has them enter it. The error and the
// reason are those of their own.
func (m *Machine) admit(p *place, q *callers) (why string, err error) {
	for next := q; next != nil; next = m.queues[next.rules.OverflowTo] {
		if next != q && m.shutsOut(p, next) {
			continue
		}
		m.aim(p, next)
		reason, no := m.refuses(p)
		if no == nil {
			m.enter(p)
			return "", nil
		}
		if next == q {
			why, err = reason, no
		}
	}
	return why, err
}

// refuses says why the queue that a caller aims at would not have them.
func (m *Machine) refuses(p *place) (why string, err error) {
	q, b := p.queue, p.backing
	// Who had a place before a restart keeps it until Open, and where services
	// share the queue the others may have somebody.
	unsure := m.held && (p.caller.Again || p.caller.Owner != "")
	switch {
	case !unsure && b.able == 0 && len(b.needs) > 0 && len(q.members) > 0:
		return RefusedNoSkill, fmt.Errorf("%w: %s", ErrNoSkill, needsKey(b.needs))
	case !unsure && (b.refusing || b.signedIn == 0 && !q.rules.JoinEmpty):
		return RefusedNobody, ErrNobodySignedIn
	case !p.caller.Again && q.rules.MaxWaiting > 0 && q.taker(p.class) == nil && q.all.ahead(p) >= q.rules.MaxWaiting:
		return RefusedFull, fmt.Errorf("%w: %d are waiting", ErrFull, q.all.len())
	}
	return "", nil
}

// aim says where a caller would stand in a queue and what they would need of
// an agent there.
func (m *Machine) aim(p *place, q *callers) {
	p.queue, p.caller.Queue = q, q.rules.ID
	p.standing = standingOf(&p.caller, &q.rules)
	p.needs = needsOf(q.rules.Needs, p.caller.Needs)
	p.steps = q.stepsAfter(m.since(p.joined))
	barred := m.barred[p.caller.Owner]
	p.class = q.class(relaxed(p.needs, q.rules.Relax, p.steps), barred)
	p.backing = m.backing(q, relaxed(p.needs, q.rules.Relax, len(q.rules.Relax)), barred)
}

// stepsAfter is how many relaxations have passed after so much waiting.
func (q *callers) stepsAfter(waited time.Duration) (steps int) {
	for steps < len(q.rules.Relax) && waited >= q.rules.Relax[steps].After {
		steps++
	}
	return steps
}

// enter gives a caller the place they aimed at, and its clocks. The matching is
// seat's.
func (m *Machine) enter(p *place) {
	q := p.queue
	p.class.callers++
	q.all.add(p)
	q.offered += count(len(p.offers) > 0)
	p.relaxes, p.overflows, p.limit = p.relaxesAt(), 0, 0
	if q.rules.OverflowTo != "" && q.rules.OverflowAfter > 0 {
		p.overflows = p.entered + int64(q.rules.OverflowAfter)
	}
	if q.rules.MaxWait > 0 {
		p.limit = p.entered + int64(q.rules.MaxWait)
	}
}

// exit is the opposite of enter.
func (m *Machine) exit(p *place) {
	p.stand(nil)
	p.queue.all.remove(p)
	p.queue.offered -= count(len(p.offers) > 0)
	p.class.callers--
	m.timers.stop(&p.alarm)
}

// stand puts a caller into one of the lines in which agents look for them, and
// out of the one where they stood.
func (p *place) stand(in *line[place]) {
	if p.in != nil {
		p.in.remove(p)
	}
	if p.in = in; in != nil {
		in.add(p)
	}
}

// seat gives a caller without an offer a ready agent, or lets them stand where
// one will find them.
func (m *Machine) seat(p *place) {
	switch {
	case p.lapseNext != "":
		m.lapse(p, Change{Cause: p.lapseNext})
		return
	case p.moveNext && m.overflow(p):
		return
	}
	p.stand(nil)
	if !m.held {
		if t := m.taker(p); t != nil {
			m.offer(p, t)
			m.ringLater(p)
			return
		}
		if p.prefers != nil {
			p.stand(&p.prefers.member(p.queue).fans)
			return
		}
	}
	p.stand(&p.class.waiting)
}

// taker is the ready agent for a caller: the one they had before, or else the
// one whom the queue's strategy chooses. It is nil when there is none, and
// while they wait for their own.
func (m *Machine) taker(p *place) *member {
	if a := p.prefers; a != nil {
		own := a.member(p.queue)
		switch {
		case own == nil || !own.may(p.class):
		case a.free():
			return own
		case p.patienceEnds != 0 && a.takesCalls():
			return nil
		}
		p.prefers = nil
	}
	return p.queue.taker(p.class)
}

// ownAgent is whom a caller had before: as they say, or as the queue remembers.
func (m *Machine) ownAgent(p *place) string {
	if p.caller.Prefer != "" {
		return p.caller.Prefer
	}
	return p.queue.sticky.of(p.caller.Who, m.now, p.queue.rules.Sticky)
}

// prefer notes whom the caller had before, and for how long they wait for that
// one alone.
func (m *Machine) prefer(p *place) {
	a := m.agents[p.caller.Prefer]
	if a == nil || a.member(p.queue) == nil || p.queue.rules.Strategy == RingAll {
		return
	}
	p.prefers = a
	if wait := p.queue.rules.PreferFor; wait > 0 {
		p.patienceEnds = m.after(wait)
	}
}

// disappoint seats the callers anew who wait for an agent who no longer takes
// calls.
func (m *Machine) disappoint(a *agent) {
	for _, mine := range a.members {
		for _, p := range mine.fans.items() {
			m.seat(p)
		}
	}
}

// next is the caller whom a ready agent takes: of each queue the first of those
// they may serve, and of these the one whose wait × weight is longest.
func (m *Machine) next(a *agent) (best *place, by *member) {
	for _, mine := range a.members {
		if p := mine.first(); p != nil && (best == nil || m.sooner(p, mine, best, by)) {
			best, by = p, mine
		}
	}
	return best, by
}

// sooner says whether an agent takes p before other, who wait in two of their
// queues: by the order of callers where both queues count the same, otherwise
// by wait × weight. The head of a queue comes first.
func (m *Machine) sooner(p *place, in *member, other *place, otherIn *member) bool {
	if in.weight == otherIn.weight || p.head != other.head {
		return callerOrder(p, other) < 0
	}
	now := nanos(m.wall)
	mine, theirs := weighed(now-p.due, in.weight), weighed(now-other.due, otherIn.weight)
	if mine != theirs {
		return mine.more(theirs)
	}
	return callerOrder(p, other) < 0
}

// product is wait × weight, which 64 bits may not hold.
type product struct{ high, low uint64 }

func weighed(wait int64, weight int) (p product) {
	p.high, p.low = bits.Mul64(uint64(max(0, wait)), uint64(weight))
	return p
}

func (p product) more(than product) bool {
	return p.high > than.high || p.high == than.high && p.low > than.low
}

// first is the first caller of the queue whom the agent may serve.
func (mine *member) first() *place {
	first := mine.fans.first()
	for _, c := range mine.crew.classes {
		if p := c.waiting.first(); p != nil && (first == nil || callerOrder(p, first) < 0) {
			first = p
		}
	}
	return first
}

// serve gives a ready agent the caller who is next, if there is one.
func (m *Machine) serve(a *agent) {
	if m.held || !a.free() {
		return
	}
	if p, mine := m.next(a); p != nil {
		p.stand(nil)
		m.offer(p, mine)
		m.ringLater(p)
		return
	}
	m.joinIn(a)
}

// serveAll does so for agents who have become ready at once: callers in order,
// each by the agent whom their queue's strategy chooses, unless by that agent's
// weights somebody else is next for them.
func (m *Machine) serveAll(ready []*agent) {
	for len(ready) > 0 && !m.held {
		var best *place
		for _, a := range ready {
			if !a.free() {
				continue
			}
			if p, _ := m.next(a); p != nil && (best == nil || callerOrder(p, best) < 0) {
				best = p
			}
		}
		if best == nil {
			break
		}
		if t := m.taker(best); t != nil { // who by weights may have somebody else to serve first
			if theirs, _ := m.next(t.agent); theirs != best {
				m.serve(t.agent)
				continue
			}
		}
		m.seat(best)
	}
	for _, a := range ready {
		m.serve(a)
	}
}

// offer reserves the agent for the caller: one change names both.
func (m *Machine) offer(p *place, by *member) {
	a, q := by.agent, p.queue
	p.number++
	q.offered += count(len(p.offers) == 0)
	r := p.reserve(p.caller.ID+"-offer-"+strconv.Itoa(p.number), a)
	m.timers.set(&r.alarm, m.after(q.rules.RingTimeout+ReportGrace))
	q.turn = a.listed
	c := m.about(r, KindOffered, "")
	c.Weighted = len(a.profile.Weights) > 0
	c.From = m.move(a, eventReserve, "")
	c.To, c.Out = a.state, a.out
	m.note(c)
	m.fx.Offers = append(m.fx.Offers, OfferMade{Call: p.caller.ID, ID: r.id, Number: p.number, Agent: a.profile.ID,
		Queue: q.rules.ID, RingTimeout: q.rules.RingTimeout, Waited: m.waited(p),
		profile: &a.profile})
}

// reserve ties an agent to a caller in line.
func (p *place) reserve(id string, a *agent) *reservation {
	r := &reservation{id: id, call: p.caller.ID, owner: p.caller.Owner, place: p, agent: a, queue: p.queue}
	r.alarm.owner = r
	p.offers, a.offer = append(p.offers, r), r
	return r
}

// reserved finds an offer, nil when it is over.
func (m *Machine) reserved(callID, id string) *reservation {
	if r := m.parties[callID].called; r != nil && r.id == id {
		return r
	}
	if p := m.waiting[callID]; p != nil {
		if at := slices.IndexFunc(p.offers, func(r *reservation) bool { return r.id == id }); at >= 0 {
			return p.offers[at]
		}
	}
	return nil
}

// report is what the owner of an offer says of it.
func (m *Machine) report(c *Command) error {
	r := m.reserved(c.Call, c.Offer)
	switch {
	case r == nil:
		return fmt.Errorf("offer %s: %w", c.Offer, ErrOfferOver)
	case c.Do == VerbRinging:
		m.ringing(r)
	case c.Do == VerbConnected && r.place == nil:
		m.comesIn(r)
	case c.Do == VerbConnected:
		m.connected(r)
	default:
		m.failed(r, Refusal(c.Reason))
	}
	return nil
}

func (m *Machine) ringing(r *reservation) {
	if r.agent.state != StateReserved {
		return // a phone may say so twice
	}
	c := m.about(r, KindAgentState, "ringing")
	c.From = m.move(r.agent, eventRing, "")
	c.To = r.agent.state
	m.note(c)
}

// connected is an agent's answer: the wait is over, and other phones that ring
// for the same caller stop.
func (m *Machine) connected(r *reservation) {
	p, a := r.place, r.agent
	freed := m.releaseOthers(p, r, ResultElsewhere, CauseElsewhere)
	m.part(r, ResultConnected)
	c := m.about(r, KindConnected, "")
	c.From = m.move(a, eventConnect, "")
	c.To, c.Out = a.state, a.out
	m.begin(a, p.caller.ID, p.queue, p.caller.Owner)
	m.countCall(a, p)
	m.note(c)
	m.finish(p, WaitConnected, "")
	m.serveAll(freed)
}

// countCall is what a queue remembers of a call that an agent took.
func (m *Machine) countCall(a *agent, p *place) {
	if mine := a.member(p.queue); mine != nil {
		mine.calls++
	}
	p.queue.sticky.remember(p.caller.Who, a.profile.ID, m.now, p.queue.rules.Sticky)
}

// begin is an agent's talk with a call that is theirs.
func (m *Machine) begin(a *agent, callID string, q *callers, owner string) {
	a.call, a.queue, a.owner, a.third = callID, q, owner, false
	a.busy, a.part = m.now, m.wall
	m.sit(a)
}

func (m *Machine) failed(r *reservation, reason Refusal) {
	switch {
	case reason == Cancelled && r.place == nil:
		m.refuse(r, eventRelease, string(reason), string(reason))
	case reason == Cancelled:
		m.leave(r.place, string(reason))
	case reason == NoWay:
		m.refuse(r, eventRelease, string(reason), string(reason))
	case reason == Declined:
		m.refuse(r, eventDecline, string(reason), string(reason))
	case reason == Unreachable:
		m.refuse(r, eventUnreach, string(reason), string(reason))
	default:
		m.missed(r)
	}
}

// missed is an offer nobody answered; so many in a row, and the agent is taken
// out of service, because nobody seems to sit there.
func (m *Machine) missed(r *reservation) {
	ev := eventMiss
	if r.agent.misses++; r.agent.misses >= r.queue.rules.MissesBeforeOut {
		ev = eventTakeOut
	}
	m.refuse(r, ev, string(NoAnswer), string(NoAnswer))
}

// refuse ends an offer from the agent's side: the caller goes to somebody else
// or back to the same place, the agent where the event leads. Whoever called an
// agent in learns it from their offer.
func (m *Machine) refuse(r *reservation, ev event, result, cause string) {
	a, p := r.agent, r.place
	m.part(r, result)
	c := m.about(r, KindRefused, cause)
	if ev == eventRelease {
		c.From = m.letGo(r)
	} else {
		c.From = m.move(a, ev, cause)
	}
	c.To, c.Out, c.By = a.state, a.out, m.by
	m.note(c)
	if ev == eventMiss || ev == eventDecline {
		m.wake(a, r.queue.rules.rest(ev == eventDecline), eventRested, causeRested)
	}
	switch {
	case p == nil:
	case len(p.offers) == 0:
		m.seat(p)
	default:
		m.ringLater(p)
	}
	m.settle(a)
	m.serve(a)
}

// leave is the caller's end of a wait.
func (m *Machine) leave(p *place, reason string) { m.serveAll(m.drop(p, reason)) }

// drop ends a wait from the caller's side and returns the agents it sets free.
func (m *Machine) drop(p *place, reason string) (freed []*agent) {
	c := Change{Kind: KindLeft, Queue: p.queue.rules.ID, Call: p.caller.ID, Owner: p.caller.Owner, Cause: reason}
	freed = m.releaseAll(p, &c, string(Cancelled), string(Cancelled))
	c.WaitedMs = m.waited(p).Milliseconds()
	m.finish(p, WaitLeft, reason)
	m.note(c)
	return freed
}

// expire takes an offer back whose owner said nothing. The agent has done
// nothing wrong; the call has stopped listening, so it stops waiting too, or
// the same would happen again and again.
func (r *reservation) expire(m *Machine) {
	if r.place == nil {
		m.refuse(r, eventRelease, ResultUnreported, LapseUnreported)
		return
	}
	c := Change{Cause: LapseUnreported}
	freed := m.releaseOthers(r.place, r, ResultUnreported, LapseUnreported)
	m.release(r, &c, ResultUnreported)
	m.lapse(r.place, c)
	m.serveAll(append(freed, r.agent))
}

// release ends an offer without blame: the agent is ready with the idle time
// kept. It completes the change that tells so.
func (m *Machine) release(r *reservation, c *Change, result string) {
	m.part(r, result)
	c.Agent, c.Offer = r.agent.profile.ID, r.id
	c.From = m.letGo(r)
	c.To = r.agent.state
}

// releaseOthers takes back all offers of a caller but one (nil: all), each told
// by a change of its own, and returns the agents.
func (m *Machine) releaseOthers(p *place, but *reservation, result, cause string) (freed []*agent) {
	if len(p.offers) == 0 || len(p.offers) == 1 && p.offers[0] == but {
		return nil
	}
	for _, r := range slices.Clone(p.offers) {
		if r != but {
			c := m.about(r, KindRefused, cause)
			m.release(r, &c, result)
			m.note(c)
			freed = append(freed, r.agent)
		}
	}
	return freed
}

// releaseAll takes back all offers of a caller whose wait ends; the change that
// tells of the end names one of them.
func (m *Machine) releaseAll(p *place, c *Change, result, cause string) (freed []*agent) {
	if len(p.offers) == 0 {
		return nil
	}
	last := p.offers[len(p.offers)-1]
	freed = m.releaseOthers(p, last, result, cause)
	m.release(last, c, result)
	return append(freed, last.agent)
}

// part undoes the reservation on both sides.
func (m *Machine) part(r *reservation, result string) {
	m.timers.stop(&r.alarm)
	r.agent.offer = nil
	if p := r.place; p != nil {
		p.offers = slices.DeleteFunc(p.offers, func(o *reservation) bool { return o == r })
		p.queue.offered -= count(len(p.offers) == 0)
	} else {
		t := m.parties[r.call]
		t.called = nil
		m.put(r.call, t)
	}
	m.fx.Over = append(m.fx.Over, OfferOver{Call: r.call, ID: r.id, Agent: r.agent.profile.ID, Queue: r.queue.rules.ID, Result: result, Called: r.place == nil})
}

// lapse is the queue's end of a wait; c says why, and names an agent when an
// offer ended with it.
func (m *Machine) lapse(p *place, c Change) {
	c.Kind, c.Queue, c.Call, c.Owner, c.WaitedMs = KindLapsed, p.queue.rules.ID, p.caller.ID, p.caller.Owner, m.waited(p).Milliseconds()
	m.finish(p, WaitLapsed, c.Cause)
	m.note(c)
}

// finish ends a wait.
func (m *Machine) finish(p *place, how, reason string) {
	p.done = true
	m.exit(p)
	delete(m.waiting, p.caller.ID)
	w := WaitEnded{Call: p.caller.ID, Queue: p.queue.rules.ID, How: how, Reason: reason, Waited: m.waited(p)}
	w.InTime = how == WaitConnected && w.Waited <= p.queue.rules.ServiceLevel
	if w.Known = p.predicted >= 0; w.Known {
		w.Predicted = p.predicted
	}
	p.queue.measure(w)
	m.fx.Waits = append(m.fx.Waits, w)
}

// waited is how long a wait has lasted, a restart included.
func (m *Machine) waited(p *place) time.Duration { return m.since(p.joined) }

// about is a change that concerns an offer.
func (m *Machine) about(r *reservation, kind, cause string) Change {
	c := Change{Kind: kind, Queue: r.queue.rules.ID, Call: r.call, Owner: r.owner, Agent: r.agent.profile.ID, Offer: r.id, Cause: cause}
	if r.place == nil {
		c.Third, c.With = true, r.with
		return c
	}
	c.WaitedMs = m.waited(r.place).Milliseconds()
	c.RingAll = r.queue.rules.Strategy == RingAll || len(r.place.offers) > 1
	return c
}

// arm sets a caller's alarm to whatever falls due for them first.
func (m *Machine) arm(p *place) {
	var first int64
	for _, due := range [...]int64{p.patienceEnds, p.relaxes, p.overflows, p.limit} {
		if due != 0 && (first == 0 || due < first) {
			first = due
		}
	}
	if first == 0 {
		m.timers.stop(&p.alarm)
		return
	}
	m.timers.set(&p.alarm, first)
}

// relaxesAt is when the next relaxation comes that means something to a caller.
func (p *place) relaxesAt() int64 {
	if len(p.needs) == 0 || p.steps >= len(p.queue.rules.Relax) {
		return 0
	}
	return p.joined + int64(p.queue.rules.Relax[p.steps].After)
}

// expire does what has fallen due for a caller.
func (p *place) expire(m *Machine) {
	due := func(at *int64) bool {
		if *at == 0 || *at > m.now {
			return false
		}
		*at = 0
		return true
	}
	if due(&p.limit) {
		m.tooLong(p)
	}
	if !p.done && due(&p.overflows) {
		m.overflow(p)
	}
	if !p.done && due(&p.relaxes) {
		m.relax(p)
	}
	if !p.done && due(&p.patienceEnds) && p.prefers != nil && len(p.offers) == 0 {
		m.seat(p)
	}
	if !p.done {
		m.arm(p)
	}
}

// tooLong ends a wait that has reached the queue's limit, unless a phone rings
// that may end it better.
func (m *Machine) tooLong(p *place) {
	reason := p.queue.rules.MaxWaitTo
	if reason == "" {
		reason = LapseTooLong
	}
	if len(p.offers) > 0 {
		p.lapseNext = reason
		return
	}
	m.lapse(p, Change{Cause: reason})
}

// relax lowers what a caller needs, and looks among the agents who will do now.
func (m *Machine) relax(p *place) {
	p.steps = p.queue.stepsAfter(m.waited(p))
	p.relaxes = p.relaxesAt()
	was := p.in != nil
	p.stand(nil)
	p.class.callers--
	p.class = p.queue.class(relaxed(p.needs, p.queue.rules.Relax, p.steps), p.class.barred)
	p.class.callers++
	switch {
	case len(p.offers) > 0:
		m.ringLater(p)
	case was:
		m.seat(p)
	}
}

// overflow moves a caller into the queue that takes those who have waited for
// long, and reports whether it did. With a phone ringing it is put off until
// that comes to nothing; while nobody there could take them, or that queue is
// closed, until later.
func (m *Machine) overflow(p *place) bool {
	from, to := p.queue, m.queues[p.queue.rules.OverflowTo]
	p.moveNext = len(p.offers) > 0
	if p.moveNext || to == nil {
		return false
	}
	there := &place{caller: p.caller, joined: p.joined}
	m.aim(there, to)
	if _, no := m.refuses(there); no != nil || there.backing.attending == 0 || m.shutsOut(p, to) {
		p.overflows = m.after(max(from.rules.OverflowAfter, overflowAgain))
		return false
	}
	if waited := m.waited(p); p.predicted >= 0 && waited > p.predicted {
		from.guesses.add(waited - p.predicted)
	}
	p.predicted = -1 // which was about the queue that they leave
	m.exit(p)
	p.entered = m.now
	m.aim(p, to)
	m.enter(p)
	m.note(Change{Kind: KindMoved, Queue: from.rules.ID, Into: to.rules.ID, Call: p.caller.ID, WaitedMs: m.waited(p).Milliseconds(),
		Needs: needsKey(p.needs), StandsAs: p.standsAs()})
	m.watchOver(p)
	p.prefers, p.patienceEnds = nil, 0
	m.prefer(p)
	m.arm(p)
	m.seat(p)
	return true
}

func count(yes bool) int {
	if yes {
		return 1
	}
	return 0
}
