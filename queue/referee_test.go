package queue

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// referee knows the rules as they are described and follows the changes of a
// machine: each must be allowed by what went before.
type referee struct {
	now       time.Time
	plan      plan
	agents    map[string]*refAgent
	waits     map[string]*refWait
	serial    int
	turn      map[string]int            // round robin: by queue, the place of who was offered a caller last
	taken     map[string]map[string]int // by queue and agent
	described int                       // agents so far
	asked     map[string]map[string]int // by call: what callers need of themselves
	shut      map[string]bool           // queues that are closed
}

type refAgent struct {
	id     string
	listed int
	state  State
	since  time.Time
	idle   int // the smaller, the longer
	call   string
	third  bool // in that call, or called to it
	reason string
	out    bool
	rest   time.Duration // at most so long paused
	wrapUp time.Duration
}

type refWait struct {
	call, queue, prefer string
	head                bool
	priority            int
	arrived, joined     time.Time
	entered             time.Time
	own, needs          map[string]int // asked by the caller, and with the queue's
	offers              []string       // agents
	limit               time.Time      // the latest end of the wait, by MaxWait; zero: none
	excused             bool           // rules changed while they waited: what they were promised no longer holds
	patience            time.Time
}

func newReferee(rules []Rules, profiles []Profile) *referee {
	r := &referee{plan: plan{map[string]Rules{}, map[string]Profile{}}, agents: map[string]*refAgent{}, waits: map[string]*refWait{},
		turn: map[string]int{}, taken: map[string]map[string]int{}, asked: map[string]map[string]int{}, shut: map[string]bool{}}
	for _, one := range rules {
		r.plan.rules[one.ID], r.turn[one.ID], r.taken[one.ID] = one, -1, map[string]int{}
	}
	for _, p := range profiles {
		r.hire(p)
	}
	return r
}

func (r *referee) hire(p Profile) {
	r.plan.profiles[p.ID] = p
	for queue, taken := range r.taken {
		if !slices.Contains(p.Queues, queue) {
			delete(taken, p.ID) // who comes back begins anew
		}
	}
	if r.agents[p.ID] == nil {
		r.agents[p.ID] = &refAgent{id: p.ID, state: StateOffline, listed: r.described}
		r.described++
	}
}

// idle says that nobody waits or talks.
func (r *referee) idle() bool {
	for _, a := range r.agents {
		if a.call != "" && (a.state.InTalk() || a.state == StateReserved || a.state == StateRinging) {
			return false
		}
	}
	return len(r.waits) == 0
}

func (r *referee) see(c Change) error {
	if c.Left != nil {
		if half, _ := c.About(c.Left.Agent); r.seeOne(half) != nil || half.From == 0 || !half.From.InTalk() {
			return fmt.Errorf("agent %s cannot leave so: %+v", half.Agent, half)
		}
	}
	return r.seeOne(c)
}

func (r *referee) seeOne(c Change) error {
	if a := r.agents[c.Agent]; c.To != 0 {
		if a == nil || a.state != c.From {
			return fmt.Errorf("agent %s goes from %s, and was %+v", c.Agent, c.From, a)
		}
	}
	w := r.waits[c.Call]
	switch c.Kind {
	case KindJoined:
		if w != nil || r.talking(c.Call) != nil {
			return fmt.Errorf("the call is there twice")
		}
		r.join(c)
	case KindOffered:
		if err := r.offered(c, w); err != nil {
			return err
		}
	case KindCalled, KindConsulted, KindHandedOver:
		if err := r.called(c, w); err != nil {
			return err
		}
	case KindConnected:
		if a := r.agents[c.Agent]; w == nil && a.third && a.call == c.Call && r.talking(c.Call) == nil {
			break // a transfer: the caller was in no line
		}
		if w == nil || !slices.Contains(w.offers, c.Agent) || len(w.offers) != 1 {
			return fmt.Errorf("connected to a caller who is offered to %+v", w)
		}
		if err := r.inTime(w); err != nil {
			return err
		}
		delete(r.waits, c.Call)
		r.taken[c.Queue][c.Agent]++
	case KindRefused:
		if a := r.agents[c.Agent]; c.Third && a.third && a.call == c.Call {
			break
		}
		if w == nil || !slices.Contains(w.offers, c.Agent) {
			return fmt.Errorf("refused an offer that was not there: %+v", w)
		}
		w.drop(c.Agent)
	case KindLeft, KindLapsed:
		if w == nil || len(w.offers) != count(c.Agent != "") || c.Agent != "" && w.offers[0] != c.Agent {
			return fmt.Errorf("a wait ended with offers to %+v", w)
		}
		if err := r.inTime(w); err != nil {
			return err
		}
		delete(r.waits, c.Call)
	case KindMoved:
		if w == nil || w.queue != c.Queue || len(w.offers) > 0 || r.plan.rules[c.Queue].OverflowTo != c.Into {
			return fmt.Errorf("moved by no rule: %+v", w)
		}
		if r.shut[c.Into] {
			return fmt.Errorf("moved into a queue that is closed: %+v", w)
		}
		r.enter(w, c.Into)
	case KindRules:
		r.setRules(*c.Rules)
	case KindRemoved:
		delete(r.plan.rules, c.Queue)
		for id, p := range r.plan.profiles {
			r.plan.profiles[id] = p.Without(c.Queue)
		}
	case KindProfile:
		r.hire(*c.Profile)
	case KindLetGo:
		delete(r.plan.profiles, c.Agent)
		delete(r.agents, c.Agent)
		for _, taken := range r.taken {
			delete(taken, c.Agent)
		}
	}
	if c.To != 0 {
		r.move(c)
	}
	return nil
}

// called: a call has one agent of its own and one third at most, and its caller
// is in no line.
func (r *referee) called(c Change, w *refWait) error {
	a, third := r.agents[c.Agent], r.third(c.Call)
	switch {
	case w != nil:
		return fmt.Errorf("the caller is in line: %+v", w)
	case c.Kind == KindCalled && third != nil:
		return fmt.Errorf("called in while agent %s is %s by that call", third.id, third.state)
	case c.Kind == KindCalled && a.state != StateReady && (a.state != StateWrapUp || a.call != c.Call):
		return fmt.Errorf("called in while %s after call %s", a.state, a.call)
	case c.Kind != KindCalled && third != a:
		return fmt.Errorf("agent %s was not called in: %+v", a.id, third)
	case c.Kind == KindConsulted && r.talking(c.Call) == nil:
		return fmt.Errorf("a third of a call that nobody has")
	case c.Kind == KindHandedOver && r.talking(c.Call) != nil:
		return fmt.Errorf("handed over, and agent %s has the call", r.talking(c.Call).id)
	}
	return nil
}

// third is who is called in by a call, or with it so.
func (r *referee) third(call string) *refAgent {
	for _, a := range r.agents {
		if a.third && a.call == call && (a.state.InTalk() || a.state == StateReserved || a.state == StateRinging) {
			return a
		}
	}
	return nil
}

func (r *referee) setRules(rules Rules) {
	if _, there := r.plan.rules[rules.ID]; !there {
		r.turn[rules.ID], r.taken[rules.ID] = -1, map[string]int{}
	}
	r.plan.rules[rules.ID] = rules
	for _, w := range r.waits {
		if w.queue == rules.ID {
			entered, patience := w.entered, w.patience
			r.enter(w, rules.ID)
			w.entered, w.patience, w.excused = entered, patience, true
			if rules.Strategy == RingAll {
				w.patience = time.Time{}
			}
		}
	}
}

func (r *referee) join(c Change) {
	w := &refWait{call: c.Call, prefer: c.Prefer, head: c.Head, priority: c.Priority, arrived: c.Arrived, joined: r.now}
	w.own = r.asked[c.Call]
	r.waits[c.Call] = w
	r.enter(w, c.Queue)
}

// enter is a caller who comes to a queue.
func (r *referee) enter(w *refWait, queue string) {
	rules := r.plan.rules[queue]
	w.queue, w.entered, w.limit = queue, r.now, time.Time{}
	w.needs = map[string]int{}
	for _, n := range needsOf(w.own, rules.Needs) {
		w.needs[n.skill] = n.level
	}
	if rules.MaxWait > 0 {
		w.limit = r.now.Add(rules.MaxWait + rules.RingTimeout + ReportGrace)
	}
	w.patience = time.Time{}
	if own, there := r.plan.profiles[w.prefer]; there && slices.Contains(own.Queues, queue) && rules.Strategy != RingAll {
		w.patience = r.now.Add(rules.PreferFor)
	}
}

// inTime: nobody waits beyond the limit and what a phone that rings then may
// still take.
func (r *referee) inTime(w *refWait) error {
	if !w.excused && !w.limit.IsZero() && r.now.After(w.limit) {
		return fmt.Errorf("call %s has waited since %s, beyond the limit %s", w.call, w.entered, w.limit)
	}
	return nil
}

func (w *refWait) drop(agent string) {
	w.offers = slices.DeleteFunc(w.offers, func(id string) bool { return id == agent })
}

// steps is how many relaxations have passed.
func (w *refWait) steps(now time.Time, rules Rules) (n int) {
	for _, step := range rules.Relax {
		n += count(now.Sub(w.joined) >= step.After)
	}
	return n
}

// suits: the agent serves the caller's queue and has what is needed after so
// much waiting.
func (r *referee) suits(a *refAgent, w *refWait) bool { return r.suitsAt(a, w, r.now) }

// suited: so it was before this very moment, in which several things can fall
// due one after the other.
func (r *referee) suited(a *refAgent, w *refWait) bool { return r.suitsAt(a, w, r.now.Add(-1)) }

func (r *referee) suitsAt(a *refAgent, w *refWait, now time.Time) bool {
	p, rules := r.plan.profiles[a.id], r.plan.rules[w.queue]
	if !slices.Contains(p.Queues, w.queue) {
		return false
	}
	for skill, level := range w.needs {
		for _, step := range rules.Relax {
			if now.Sub(w.joined) >= step.After && (step.Skill == "" || step.Skill == skill) {
				level -= step.By
			}
		}
		if p.Skills[skill] < level {
			return false
		}
	}
	return true
}

// waitsForOwn: the caller may be waiting for somebody else than this agent.
func (r *referee) waitsForOwn(w *refWait, agent string) bool {
	return w.prefer != "" && w.prefer != agent && !r.now.After(w.patience)
}

// asIf is when somebody of ordinary priority would have had to arrive to stand
// where the caller does.
func (r *referee) asIf(w *refWait) time.Time {
	return w.arrived.Add(-time.Duration(w.priority) * r.plan.rules[w.queue].Aging)
}

func (r *referee) before(a, b *refWait) bool {
	switch x, y := r.asIf(a), r.asIf(b); {
	case a.head != b.head:
		return a.head
	case !x.Equal(y):
		return x.Before(y)
	case !a.arrived.Equal(b.arrived):
		return a.arrived.Before(b.arrived)
	}
	return a.call < b.call
}

// offered: caller and agent are free for each other, nobody before the caller
// could have had the agent, and no agent before this one the caller.
func (r *referee) offered(c Change, w *refWait) error {
	a := r.agents[c.Agent]
	switch {
	case w == nil || w.queue != c.Queue:
		return fmt.Errorf("call %s does not wait in %s", c.Call, c.Queue)
	case a.state != StateReady:
		return fmt.Errorf("agent %s is %s", a.id, a.state)
	case !r.suits(a, w):
		return fmt.Errorf("agent %+v does not suit %+v", r.plan.profiles[a.id], w)
	}
	rules := r.plan.rules[w.queue]
	if n := len(w.offers); n > 0 && (rules.Strategy != RingAll || n >= rules.RingAtMost) {
		return fmt.Errorf("two agents for a caller: call %s is offered to %q already", w.call, w.offers)
	}
	if err := r.firstCaller(a, w); err != nil {
		return err
	}
	if err := r.firstAgent(a, w); err != nil {
		return err
	}
	w.offers = append(w.offers, a.id)
	r.turn[w.queue] = a.listed
	return nil
}

// firstCaller: nobody whom the agent could serve stands before the caller. The
// first phone that rings for somebody comes before the second for another.
func (r *referee) firstCaller(a *refAgent, w *refWait) error {
	for _, other := range r.waits {
		if other == w || len(other.offers) > 0 || !r.suited(a, other) || r.waitsForOwn(other, a.id) {
			continue
		}
		if len(w.offers) > 0 {
			return fmt.Errorf("agent %s joins in for call %s while no phone rings for call %s", a.id, w.call, other.call)
		}
		if !r.overtakes(a, w, other) {
			return fmt.Errorf("agent %s was offered call %s, but %s stands before it: %+v", a.id, w.call, other.call, other)
		}
		if other.queue == w.queue && !other.head && !w.head {
			bound := time.Duration(w.priority-other.priority) * r.plan.rules[w.queue].Aging
			if late := w.arrived.Sub(other.arrived); late > bound {
				return fmt.Errorf("call %s, %v later than %s, overtook it: the bound is %v", w.call, late, other.call, bound)
			}
		}
	}
	return nil
}

// overtakes: by the weights of the agent's queues the caller is before the
// other one.
func (r *referee) overtakes(a *refAgent, w, other *refWait) bool {
	weight := func(w *refWait) int { return max(1, r.plan.profiles[a.id].Weights[w.queue]) }
	if w.head != other.head || weight(w) == weight(other) {
		return r.before(w, other)
	}
	mine, theirs := float64(max(0, r.now.Sub(r.asIf(w))))*float64(weight(w)), float64(max(0, r.now.Sub(r.asIf(other))))*float64(weight(other))
	return mine >= theirs*0.999999
}

// firstAgent: nobody who is ready and suits comes before the agent by the
// queue's strategy.
func (r *referee) firstAgent(a *refAgent, w *refWait) error {
	if w.prefer == a.id {
		return nil
	}
	joining := len(w.offers) > 0 // agents who become free one after the other join in one after the other
	for _, other := range r.agents {
		if other == a || other.state != StateReady || !r.suited(other, w) || joining {
			continue
		}
		if r.better(other, a, w.queue) && len(r.plan.profiles[a.id].Weights) == 0 && len(r.plan.profiles[other.id].Weights) == 0 {
			return fmt.Errorf("agent %s was chosen, but by %s it is %s's turn", a.id, r.plan.rules[w.queue].Strategy, other.id)
		}
	}
	return nil
}

func (r *referee) better(a, b *refAgent, queue string) bool {
	switch r.plan.rules[queue].Strategy {
	case Linear:
		return a.listed < b.listed
	case RoundRobin:
		x, y := a.listed > r.turn[queue], b.listed > r.turn[queue] // still to come in this round
		return x && !y || x == y && a.listed < b.listed
	case FewestCalls:
		return cmp.Or(cmp.Compare(r.taken[queue][a.id], r.taken[queue][b.id]), cmp.Compare(a.idle, b.idle)) < 0
	}
	return a.idle < b.idle
}

func (r *referee) talking(call string) *refAgent {
	for _, a := range r.agents {
		if a.state.InTalk() && !a.third && a.call == call {
			return a
		}
	}
	return nil
}

func (r *referee) move(c Change) {
	a := r.agents[c.Agent]
	released := c.To == StateReady && (c.From == StateReserved || c.From == StateRinging)
	if c.To == StateReady && !released {
		r.serial++
		a.idle = r.serial
	}
	if c.From != c.To {
		a.since = r.now
	}
	a.state, a.reason, a.out, a.third = c.To, c.Cause, c.Out, c.Third
	switch c.To {
	case StateReserved, StateRinging, StateTalking, StateHold, StateConsult:
		a.call = c.Call
	case StateWrapUp:
		if c.From != c.To {
			a.wrapUp = r.plan.rules[c.Queue].WrapUp
		}
		a.wrapUp += time.Duration(c.MoreMs) * time.Millisecond
	case StatePaused:
		a.rest = 0
		if c.Kind == KindRefused && !c.Out && (c.Cause == string(NoAnswer) || c.Cause == string(Declined)) {
			a.rest = max(0, r.plan.rules[c.Queue].DeclinePause)
			if _, known := r.plan.rules[c.Queue]; known && c.Cause == string(Declined) {
				a.rest = max(a.rest, LeastDeclinePause)
			}
		}
	}
}

// check holds after every command.
func (r *referee) check(m *Machine) error {
	with := map[string]string{}
	for id, a := range r.agents {
		v, there := m.Agent(id)
		if !there || v.State != a.state {
			return fmt.Errorf("agent %s is %s, by the changes %s", id, v.State, a.state)
		}
		if a.state.InTalk() {
			part := fmt.Sprint(a.call, a.third)
			if with[part] != "" {
				return fmt.Errorf("call %s has agents %s and %s, as thirds: %v", a.call, id, with[part], a.third)
			}
			with[part] = id
			if v.Call != a.call || v.Third != a.third {
				return fmt.Errorf("agent %s is with call %s, as a third: %v; by the changes %s, %v", id, v.Call, v.Third, a.call, a.third)
			}
		}
		if r := m.parties[a.call].called; a.third && (a.state == StateReserved || a.state == StateRinging) && (r == nil || r.agent.profile.ID != id) {
			return fmt.Errorf("agent %s is %s by call %s, which has called nobody in or somebody else", id, a.state, a.call)
		}
		if err := r.justified(a); err != nil {
			return err
		}
	}
	if len(m.agents) != len(r.agents) {
		return fmt.Errorf("%d agents are there, by the changes %d", len(m.agents), len(r.agents))
	}
	return r.checkWaits(m)
}

// justified: something that goes on keeps the agent in the state.
func (r *referee) justified(a *refAgent) error {
	stay := r.now.Sub(a.since)
	switch {
	case (a.state == StateReserved || a.state == StateRinging) && stay > 2*(DefaultRingTimeout+ReportGrace):
		return fmt.Errorf("agent %s has been %s for %v", a.id, a.state, stay)
	case (a.state == StateReserved || a.state == StateRinging) && !a.third && (r.waits[a.call] == nil || !slices.Contains(r.waits[a.call].offers, a.id)):
		return fmt.Errorf("agent %s is %s for call %s, which is not offered to them", a.id, a.state, a.call)
	case a.state == StateWrapUp && stay > a.wrapUp:
		return fmt.Errorf("agent %s has wrapped up for %v, allowed are %v", a.id, stay, a.wrapUp)
	case a.state == StatePaused && !a.out && a.rest > 0 && stay > a.rest:
		return fmt.Errorf("agent %s rests for %v, allowed are %v", a.id, stay, a.rest)
	case a.state == StatePaused && a.reason == "":
		return fmt.Errorf("agent %s is paused for no reason", a.id)
	}
	return nil
}

func (r *referee) checkWaits(m *Machine) error {
	n := 0
	for id := range r.plan.rules {
		views := m.Waiting(id, r.now)
		n += len(views)
		for i, v := range views {
			w := r.waits[v.ID]
			switch {
			case w == nil || w.queue != id:
				return fmt.Errorf("call %s stands in %s, by the changes it is %+v", v.ID, id, w)
			case i > 0 && r.before(w, r.waits[views[i-1].ID]):
				return fmt.Errorf("call %s stands behind %s", v.ID, views[i-1].ID)
			case len(w.offers) != count(v.OfferedTo != "")+len(v.AlsoTo):
				return fmt.Errorf("call %s is offered to %q and %q, by the changes to %q", v.ID, v.OfferedTo, v.AlsoTo, w.offers)
			}
			if err := r.inTime(w); err != nil {
				return err
			}
			if err := r.nobodyIdles(w, m.waiting[v.ID]); err != nil {
				return err
			}
		}
	}
	if n != len(r.waits) {
		return fmt.Errorf("%d callers wait, by the changes %d", n, len(r.waits))
	}
	return nil
}

// nobodyIdles: no agent is ready who could serve the caller.
func (r *referee) nobodyIdles(w *refWait, p *place) error {
	rules := r.plan.rules[w.queue]
	if n := len(w.offers); n > 0 && (rules.Strategy != RingAll || n >= rules.RingAtMost || p.lapseNext != "" || p.moveNext) {
		return nil
	}
	for _, a := range r.agents {
		if a.state == StateReady && r.suits(a, w) && !r.waitsForOwn(w, a.id) {
			return fmt.Errorf("call %s waits while agent %s is ready", w.call, a.id)
		}
	}
	return nil
}
