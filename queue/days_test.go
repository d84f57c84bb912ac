package queue

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

// Days of invented traffic on the bare machine, with rules drawn at random: a
// referee who knows the rules only from their description looks at every
// change. A failing day names its seed, and HOTLINE_SEED=n runs it alone; SOAK=n
// runs n days, from that one or from the first.

const suiteDays = 300

func TestDays(t *testing.T) {
	first, days := uint64(1), suiteDays
	if testing.Short() {
		days = suiteDays / 10
	}
	if seed, set := number(t, "HOTLINE_SEED"); set {
		first, days = seed, 1
	}
	if n, set := number(t, "SOAK"); set {
		days = int(n)
	}
	total, err := liveThrough(first, days)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d days: %+v", days, total)
	if days >= suiteDays && slices.Contains([]int{total.Offers, total.Connected, total.Lapsed, total.Left, total.Moved, total.Relaxed, total.Elsewhere,
		total.Rules, total.Removed, total.Profiles, total.Own, total.Extended, total.Called, total.Consulted, total.HandedOver, total.Transferred, total.CalledBack}, 0) {
		t.Errorf("something never happened in all these days: %+v", total)
	}
}

// liveThrough runs days on all processors, up to the first that goes wrong.
func liveThrough(first uint64, days int) (total tally, err error) {
	var (
		next  atomic.Uint64
		mu    sync.Mutex
		group errgroup.Group
		wrong atomic.Bool
	)
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() error {
			for n := next.Add(1) - 1; n < uint64(days) && !wrong.Load(); n = next.Add(1) - 1 {
				d := newDay(first + n)
				if err := d.run(); err != nil {
					wrong.Store(true)
					return fmt.Errorf("day %d, at %s: %w\nthe rules: %s\nreplay it with: HOTLINE_SEED=%d go test -run 'TestDays$' ./queue",
						first+n, d.now.Sub(dayBegins), err, d.describe(), first+n)
				}
				mu.Lock()
				total.add(d.tally)
				mu.Unlock()
			}
			return nil
		})
	}
	err = group.Wait()
	return total, err
}

// number reads a number from the environment; false where it is not set.
func number(t *testing.T, variable string) (n uint64, set bool) {
	text := os.Getenv(variable)
	if text == "" {
		return 0, false
	}
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		t.Fatalf("%s is %q: give a number", variable, text)
	}
	return n, true
}

// dayLasts is a working day as callers see it: what matters happens within
// minutes, so that three hours have all of it.
const dayLasts = 3 * time.Hour

var dayBegins = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)

// tally counts what the days were made of.
type tally struct {
	Commands, Offers, Connected, Lapsed, Left, Moved, Relaxed, Elsewhere, Rules, Removed, Profiles, Own, Extended, Refused int

	Called, Consulted, HandedOver, Transferred, CalledBack int
}

func (t *tally) add(o tally) {
	t.Commands += o.Commands
	t.Offers += o.Offers
	t.Connected += o.Connected
	t.Lapsed += o.Lapsed
	t.Left += o.Left
	t.Moved += o.Moved
	t.Relaxed += o.Relaxed
	t.Elsewhere += o.Elsewhere
	t.Rules += o.Rules
	t.Removed += o.Removed
	t.Profiles += o.Profiles
	t.Own += o.Own
	t.Extended += o.Extended
	t.Refused += o.Refused
	t.Called += o.Called
	t.Consulted += o.Consulted
	t.HandedOver += o.HandedOver
	t.Transferred += o.Transferred
	t.CalledBack += o.CalledBack
}

// day is one day's people, phones and callers.
type day struct {
	tally
	seed     uint64
	r        *rand.Rand
	machine  *Machine
	twin     *Machine // goes on from a snapshot, and must do the same
	ref      *referee
	now      time.Time
	agenda   []entry
	entries  int
	queues   []string
	skills   []string
	agents   []string
	calls    int
	rush     time.Duration // between two callers
	talks    time.Duration
	restless bool // rules change, agents come and go
}

// entry is something that people do at a time.
type entry struct {
	at time.Time
	n  int
	do func() error
}

func newDay(seed uint64) *day {
	d := &day{seed: seed, r: rand.New(rand.NewPCG(seed, 1)), now: dayBegins, skills: []string{"english", "tax"}}
	for {
		var rules []Rules
		var profiles []Profile
		d.queues, d.agents = nil, nil
		for i := range 1 + d.r.IntN(4) {
			d.queues = append(d.queues, string(rune('a'+i)))
		}
		for _, id := range d.queues {
			rules = append(rules, d.rules(id))
		}
		for i := range 1 + d.r.IntN(8) {
			id := strconv.Itoa(1001 + i)
			d.agents, profiles = append(d.agents, id), append(profiles, d.profile(id))
		}
		m, err := NewMachine(rules, profiles, false, d.now)
		if err != nil {
			continue // rules that contradict each other are drawn again
		}
		d.machine, d.ref = m, newReferee(m.Rules(), profiles)
		break
	}
	d.rush = time.Duration(3+d.r.IntN(60)) * time.Second
	d.talks = time.Duration(20+d.r.IntN(200)) * time.Second
	d.restless = d.r.IntN(3) == 0
	return d
}

func (d *day) describe() string {
	rules, _ := json.Marshal(d.ref.plan.rules)
	profiles, _ := json.Marshal(d.ref.plan.profiles)
	return string(rules) + "\n" + string(profiles)
}

// one of several values; the zero value is drawn as often as all others.
func (d *day) seconds(of ...int) time.Duration {
	if d.r.IntN(2) == 0 {
		return 0
	}
	return time.Duration(of[d.r.IntN(len(of))]) * time.Second
}

func (d *day) chance(percent int) bool { return d.r.IntN(100) < percent }

func (d *day) rules(id string) Rules {
	r := Rules{
		ID: id, MaxWaiting: []int{0, 0, 3, 10}[d.r.IntN(4)], WrapUp: d.seconds(5, 30), WrapUpAtMost: d.seconds(60),
		DeclinePause: []time.Duration{0, -1, 20 * time.Second}[d.r.IntN(3)], MissesBeforeOut: d.r.IntN(4),
		MaxWait: d.seconds(120, 600), Aging: d.seconds(30, 300), Unattended: 30 * time.Second, ServiceLevel: 20 * time.Second,
		Strategy: []Strategy{"", FewestCalls, RoundRobin, Linear, RingAll}[d.r.IntN(5)],
	}
	if r.MaxWait > 0 {
		r.StayEmpty = d.chance(40)
		r.JoinEmpty = r.StayEmpty && d.chance(50)
		if d.chance(50) {
			r.MaxWaitTo = []string{LapseCallBack, LapseMessage}[d.r.IntN(2)]
		}
	}
	if r.Strategy == RingAll {
		r.RingAtMost = d.r.IntN(4)
	} else {
		r.PreferFor, r.Sticky = d.seconds(10, 60), d.seconds(600, 3600)
	}
	if d.chance(40) {
		r.OverflowTo, r.OverflowAfter = d.queues[d.r.IntN(len(d.queues))], d.seconds(20, 60)
	}
	if d.chance(40) {
		r.Needs = d.levels()
	}
	if d.chance(70) {
		for i := range 1 + d.r.IntN(3) {
			r.Relax = append(r.Relax, Relaxation{After: time.Duration(20*(i+1)) * time.Second, By: 1 + d.r.IntN(2), Skill: []string{"", "", d.skills[0]}[d.r.IntN(3)]})
		}
	}
	return r
}

func (d *day) levels() map[string]int {
	levels := map[string]int{}
	for _, skill := range d.skills {
		if d.chance(60) {
			levels[skill] = 1 + d.r.IntN(4)
		}
	}
	return levels
}

func (d *day) profile(id string) Profile {
	p := Profile{ID: id, Skills: d.levels()}
	for _, q := range d.queues {
		if d.chance(60) || q == d.queues[0] {
			p.Queues = append(p.Queues, q)
		}
	}
	if d.chance(25) {
		p.Weights = map[string]int{}
		for _, q := range p.Queues {
			p.Weights[q] = 1 + d.r.IntN(4)
		}
	}
	return p
}

// in plans something.
func (d *day) in(wait time.Duration, do func() error) {
	d.entries++
	e := entry{d.now.Add(wait), d.entries, do}
	at, _ := slices.BinarySearchFunc(d.agenda, e, func(a, b entry) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.n, b.n)) })
	d.agenda = slices.Insert(d.agenda, at, e)
}

func (d *day) about(mean time.Duration) time.Duration {
	return time.Duration(d.r.ExpFloat64()*float64(mean)).Round(time.Millisecond) + time.Millisecond
}

// run is the hours of calls, and then as long as it takes to see them end.
func (d *day) run() error {
	for _, id := range d.agents {
		d.in(d.about(time.Minute), func() error { return d.person(id) })
	}
	d.in(0, d.arrival)
	if d.restless {
		d.in(d.about(5*time.Minute), d.meddle)
	}
	until := dayBegins.Add(dayLasts)
	for len(d.agenda) > 0 && d.now.Before(until.Add(time.Hour)) {
		next := d.agenda[0]
		if due, any := d.machine.Next(); any && due.Before(next.at) {
			d.now = due
			if err := d.apply(Command{Do: VerbTick}); err != nil {
				return err
			}
			continue
		}
		d.agenda = slices.Delete(d.agenda, 0, 1)
		d.now = next.at
		if d.now.After(until) && d.ref.idle() {
			break
		}
		if err := next.do(); err != nil {
			return err
		}
	}
	return nil
}

// apply gives the machine a command and has the referee look at what it led to.
func (d *day) apply(c Command) error {
	d.Commands++
	c.At = d.now
	d.ref.now = d.now
	if d.twin == nil && d.chance(1) && d.seed%3 == 0 {
		if err := d.copyMachine(); err != nil {
			return err
		}
	}
	fx, refused := d.machine.Apply(c)
	if refused != nil {
		d.Refused++
	}
	if d.twin != nil {
		if err := d.compare(c, fx, refused); err != nil {
			return err
		}
	}
	for _, change := range fx.Changes {
		if err := d.ref.see(change); err != nil {
			return fmt.Errorf("%w\nin %+v\nafter %+v", err, change, c)
		}
		d.count(change)
	}
	if err := d.ref.check(d.machine); err != nil {
		return fmt.Errorf("%w\nafter %+v (%v)", err, c, refused)
	}
	for _, o := range fx.Offers {
		d.phone(o)
	}
	return nil
}

// copyMachine begins a twin from a snapshot.
func (d *day) copyMachine() error {
	image, err := d.machine.Snapshot()
	if err != nil {
		return err
	}
	d.twin, err = LoadMachine(image)
	return err
}

// compare has the twin do the same, and says where it does not.
func (d *day) compare(c Command, fx Effects, refused error) error {
	text, err := json.Marshal(c)
	if err != nil {
		return err
	}
	var again Command
	if err := json.Unmarshal(text, &again); err != nil {
		return err
	}
	too, alike := d.twin.Apply(again)
	one, _ := json.Marshal(fx)
	two, _ := json.Marshal(too)
	if string(one) != string(two) || fmt.Sprint(refused) != fmt.Sprint(alike) {
		return fmt.Errorf("a machine loaded from a snapshot did otherwise: %s, %v\ninstead of %s, %v", two, alike, one, refused)
	}
	if d.Commands%50 == 0 {
		one, err := d.machine.Snapshot()
		if err != nil {
			return err
		}
		two, err := d.twin.Snapshot()
		if err != nil {
			return err
		}
		if string(one) != string(two) {
			at := 0
			for at < min(len(one), len(two)) && one[at] == two[at] {
				at++
			}
			return fmt.Errorf("a machine loaded from a snapshot is otherwise:\n…%s\n…%s", part(one, at), part(two, at))
		}
	}
	return nil
}

// part is what stands around a place in a text.
func part(text []byte, at int) []byte { return text[max(0, at-200):min(len(text), at+200)] }

func (d *day) count(c Change) {
	switch {
	case c.Kind == KindOffered:
		d.Offers++
		if w := d.ref.waits[c.Call]; w != nil {
			d.Own += count(w.prefer == c.Agent)
			d.Relaxed += count(len(w.needs) > 0 && w.steps(d.now, d.ref.plan.rules[w.queue]) > 0)
		}
	case c.Kind == KindConnected:
		d.Connected++
		d.Transferred += count(c.With != "")
	case c.Kind == KindCalled:
		d.Called++
		d.CalledBack += count(c.From == StateWrapUp)
	case c.Kind == KindConsulted:
		d.Consulted++
	case c.Kind == KindHandedOver:
		d.HandedOver++
	case c.Kind == KindLapsed:
		d.Lapsed++
	case c.Kind == KindLeft:
		d.Left++
	case c.Kind == KindMoved:
		d.Moved++
	case c.Kind == KindRules:
		d.Rules++
	case c.Kind == KindRemoved:
		d.Removed++
	case c.Kind == KindProfile:
		d.Profiles++
	case c.Cause == CauseElsewhere:
		d.Elsewhere++
	case c.Cause == causeExtended:
		d.Extended++
	}
}

// arrival is a caller, and plans the next.
func (d *day) arrival() error {
	if d.now.After(dayBegins.Add(dayLasts)) {
		return nil
	}
	d.in(d.about(d.rush), d.arrival)
	d.calls++
	c := Caller{ID: fmt.Sprintf("call-%04d", d.calls), Queue: d.queues[d.r.IntN(len(d.queues))], Arrived: d.now.Add(-d.seconds(1, 5)), Head: d.chance(2)}
	if d.chance(20) {
		c.Priority = 1 + d.r.IntN(3)
	}
	if d.chance(20) {
		c.Needs = d.levels()
	}
	if d.chance(5) {
		c.Prefer = d.agents[d.r.IntN(len(d.agents))]
	}
	d.ref.asked[c.ID] = c.Needs
	if err := d.apply(Command{Do: VerbJoin, Caller: &c, Who: fmt.Sprint("who-", d.r.IntN(40))}); err != nil {
		return err
	}
	d.in(20*time.Second+d.about(4*time.Minute), func() error {
		if d.ref.waits[c.ID] == nil {
			return nil
		}
		return d.apply(Command{Do: VerbLeave, Call: c.ID, Reason: "hang-up"})
	})
	return nil
}

// phone is what an agent's phone does with an offer.
func (d *day) phone(o OfferMade) {
	report := func(wait time.Duration, verb Verb, reason Refusal) {
		d.in(wait, func() error {
			if err := d.apply(Command{Do: verb, Call: o.Call, Offer: o.ID, Reason: string(reason)}); err != nil {
				return err
			}
			a := d.ref.agents[o.Agent]
			switch {
			case a == nil || verb == VerbRinging:
			case verb == VerbConnected && a.state == StateTalking && a.call == o.Call:
				d.talk(o.Agent, o.Call)
			case verb == VerbConnected && a.state == StateConsult && a.call == o.Call:
				d.consult(o.With, o.Agent, o.Call)
			case verb == VerbFailed && o.Called:
				return d.nobodyCame(o)
			}
			return nil
		})
	}
	if d.chance(90) {
		report(100*time.Millisecond, VerbRinging, "")
	}
	switch n := d.r.IntN(100); {
	case n < 80:
		report(time.Duration(500+d.r.IntN(12_000))*time.Millisecond, VerbConnected, "")
	case n < 87:
		report(o.RingTimeout, VerbFailed, NoAnswer)
	case n < 94:
		report(2*time.Second, VerbFailed, Declined)
	case n < 98:
		report(50*time.Millisecond, VerbFailed, Unreachable)
		d.in(d.about(time.Minute), func() error { return d.apply(Command{Do: VerbReachable, Agent: o.Agent}) })
	} // otherwise whoever rings the phone is never heard of again
}

// consult plans how the part of a third goes on.
func (d *day) consult(own, third, call string) {
	act := func(verb Verb, agent, with string) func() error {
		return func() error {
			if err := d.apply(Command{Do: verb, Agent: agent, With: with, Call: call}); err != nil {
				return err
			}
			if a := d.ref.agents[third]; verb == VerbHandOver && a != nil && a.state == StateTalking && a.call == call {
				d.talk(third, call)
			}
			return nil
		}
	}
	ends := d.about(30 * time.Second)
	if d.chance(20) { // whose call it is leaves before
		d.in(ends/2, act(VerbEnd, own, ""))
	}
	if d.chance(50) {
		d.in(ends, act(VerbHandOver, third, own))
	}
	d.in(ends+time.Second, act(VerbEndConsult, third, ""))
}

// nobodyCame is what a call does when nobody came whom it called in: a caller
// whom nobody has goes back to who had them, or to the head of a line.
func (d *day) nobodyCame(o OfferMade) error {
	if d.ref.talking(o.Call) != nil || d.ref.third(o.Call) != nil {
		return nil
	}
	if d.chance(60) && o.With != "" {
		return d.apply(Command{Do: VerbCall, Agent: o.With, Call: o.Call})
	}
	return d.apply(Command{Do: VerbJoin, Caller: &Caller{ID: o.Call, Queue: d.queues[d.r.IntN(len(d.queues))], Arrived: d.now, Head: true, Offers: d.Commands, Needs: d.ref.asked[o.Call]}})
}

// callIn calls somebody in by a call.
func (d *day) callIn(call string) error {
	return d.apply(Command{Do: VerbCall, Agent: d.agents[d.r.IntN(len(d.agents))], Call: call})
}

// talk plans the end of a talk.
func (d *day) talk(agent, call string) {
	if d.chance(15) {
		d.in(d.about(d.talks/2), func() error {
			if d.chance(80) {
				if err := d.apply(Command{Do: VerbConsult, Agent: agent, Call: call}); err != nil {
					return err
				}
			} else if err := d.apply(Command{Do: VerbEnd, Agent: agent, Call: call}); err != nil { // a blind transfer
				return err
			}
			return d.callIn(call)
		})
	}
	if d.chance(10) {
		d.in(time.Second, func() error { return d.apply(Command{Do: VerbHold, Agent: agent, Call: call}) })
	}
	d.in(d.about(d.talks), func() error {
		if err := d.apply(Command{Do: VerbEnd, Agent: agent, Call: call}); err != nil {
			return err
		}
		if d.chance(20) {
			return d.apply(Command{Do: VerbExtend, Agent: agent, For: 20 * time.Second})
		}
		if d.chance(3) {
			return d.apply(Command{Do: VerbRejoin, Agent: agent, Call: call})
		}
		return nil
	})
}

// person is an agent who comes, goes, and takes breaks.
func (d *day) person(id string) error {
	d.in(d.about(15*time.Minute), func() error { return d.person(id) })
	a := d.ref.agents[id]
	if a == nil {
		return nil
	}
	c := Command{Do: VerbSignIn, Agent: id}
	switch {
	case a.state == StateOffline:
	case a.state.InTalk() && d.chance(30): // a talk that came to no end by itself
		c = Command{Do: VerbEnd, Agent: id, Call: a.call}
	case a.state == StatePaused, a.state == StateUnreachable:
		c.Do = VerbReady
	case a.state == StateWrapUp && d.chance(50):
		c.Do = VerbFinish
	case d.chance(20):
		c.Do = VerbSignOut
	default:
		c.Do, c.Reason = VerbPause, "tea"
		d.in(d.about(3*time.Minute), func() error { return d.apply(Command{Do: VerbReady, Agent: id}) })
	}
	return d.apply(c)
}

// meddle is an operator.
func (d *day) meddle() error {
	d.in(d.about(5*time.Minute), d.meddle)
	queue, agent := d.queues[d.r.IntN(len(d.queues))], d.agents[d.r.IntN(len(d.agents))]
	switch n := d.r.IntN(100); {
	case n < 40:
		r := d.rules(queue)
		return d.apply(Command{Do: VerbSetRules, Rules: &r, By: "operator"})
	case n < 75:
		p := d.profile(agent)
		p.Queues = slices.DeleteFunc(p.Queues, func(id string) bool { _, there := d.ref.plan.rules[id]; return !there })
		for id := range p.Weights {
			if !slices.Contains(p.Queues, id) {
				delete(p.Weights, id)
			}
		}
		return d.apply(Command{Do: VerbSetProfile, Profile: &p, By: "operator"})
	case n < 85:
		return d.apply(Command{Do: VerbRemoveQueue, Queue: queue, By: "operator"})
	case n < 90:
		return d.apply(Command{Do: VerbRemoveAgent, Agent: agent, By: "operator"})
	case n < 93:
		if d.ref.plan.rules[queue].ID != "" {
			d.ref.shut[queue] = true
		}
		return d.apply(Command{Do: VerbClose, Queue: queue, Reason: LapseClosing})
	case n < 95:
		delete(d.ref.shut, queue)
		return d.apply(Command{Do: VerbReopen, Queue: queue})
	}
	return d.apply(Command{Do: VerbGone, Owner: "", Reason: "gone"})
}

// sortedKeys are a map's keys in order, so that a day can be repeated.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
