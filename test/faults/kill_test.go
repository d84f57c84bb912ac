package faults_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hotline/configs"
	"hotline/test/faults"
	"hotline/test/phone"
)

const (
	liveAtAKill = 20                     // calls, at least
	places      = 26                     // from which callers call, one call after the other
	settle      = 700 * time.Millisecond // between a start and the next kill: time in which callers get on
	killsWithin = 6 * time.Minute        // all of them; less than half of it on two cores that are left alone
)

// The service is killed at each boundary that calls pass: those of a whole call with a hold and a rating, of a message, of
// a caller who is turned away, and of one who hangs up in the talk, as an undisturbed run of each shows them; and at
// each request of a start. At each kill at least 20 other calls are under way, in all their stages, and every one of
// them lives through many kills. Everybody's call goes on to its proper end. Two hotlines, each with its Asterisk, share
// the boundaries.
func TestKillAtEachBoundary(t *testing.T) {
	p := newPlan()
	first := newKiller(t, p)
	first.enumerate()
	killers := []*killer{first, newKiller(t, p)}
	var all sync.WaitGroup
	for _, k := range killers {
		all.Go(k.strikeAll)
	}
	all.Wait()
	for _, b := range p.left() {
		t.Errorf("in %v the service was not killed %v: calls do not come there, or not with %d others", killsWithin, b, liveAtAKill)
	}
	for i, k := range killers {
		t.Run(fmt.Sprintf("hotline %d", i+1), func(t *testing.T) {
			k.in(t).wantProperEnds()
			k.nothingLeft()
			k.audit()
			k.noDoubleOffers()
			for _, d := range k.desks {
				d.calls(t)
			}
			k.report()
		})
	}
}

// killable is a hotline with ten agents and a second queue, whose only agent never comes.
func killable(cfg *configs.Config) {
	nobody := cfg.Queues[0]
	nobody.ID = "nobody"
	cfg.Queues = append(cfg.Queues, nobody)
	cfg.Queues[0].DeclinePause.Duration = time.Second
	cfg.Menus.Menus["main"].Keys["5"] = configs.Action{Queue: nobody.ID}
	staffed(10)(cfg)
	never := cfg.Agents[0]
	never.ID, never.Number, never.Queues = "1900", "900", []string{nobody.ID}
	cfg.Agents = append(cfg.Agents, never)
}

// ways through the hotline.
var ways = map[string]func(number string) *customer{
	"a whole call": func(number string) *customer { return whoWantsAPerson(number, 50*time.Second) },
	"a message": func(number string) *customer {
		return &customer{number: number, patience: 50 * time.Second, answers: map[string]answer{
			"menu.main": {keys: "8"}, "message.number.confirm": {keys: "1"}, "beep": {keys: "#", after: 2500 * time.Millisecond}, "message.review": {keys: "3"},
		}}
	},
	"turned away": func(number string) *customer {
		return &customer{number: number, patience: 50 * time.Second, answers: map[string]answer{"menu.main": {keys: "5"}}}
	},
	"leaves in the talk": func(number string) *customer { return whoWantsAPerson(number, 5500*time.Millisecond) },
}

// plan is the boundaries that the service is still to be killed at.
type plan struct {
	mu     sync.Mutex
	calls  map[faults.Boundary]string // … that calls pass on this way
	starts map[faults.Boundary]bool   // … that a start passes
}

func newPlan() *plan {
	return &plan{calls: map[faults.Boundary]string{}, starts: map[faults.Boundary]bool{}}
}

// ofStart is a boundary of a start: how often it was passed before does not matter.
func ofStart(b faults.Boundary) faults.Boundary { b.Nth = 1; return b }

// ofCall adds a boundary that a call has passed.
func (p *plan) ofCall(b faults.Boundary, way string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls[b] = way
}

// take tells whether a passing is at a boundary that is left, and takes it.
func (p *plan) take(x *faults.Passing, starting bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if starting {
		b := ofStart(x.Boundary)
		left := x.Channel == "" && p.starts[b]
		delete(p.starts, b)
		return left
	}
	_, left := p.calls[x.Boundary]
	delete(p.calls, x.Boundary)
	return left
}

func (p *plan) left() []faults.Boundary {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append(slices.Collect(maps.Keys(p.calls)), slices.Collect(maps.Keys(p.starts))...)
}

// ways lists those that lead to boundaries that are left.
func (p *plan) ways() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Compact(slices.Sorted(maps.Values(p.calls)))
}

// killer kills one service at the plan's boundaries.
type killer struct {
	*world
	*plan
	*stream
	desks   []*desk
	strikes chan struct{} // the service has been killed, and the next kill waits for its start; capacity 1

	mu    sync.Mutex
	state killerState
	kills []kill
}

type killerState int

const (
	resting  killerState = iota // a kill would prove nothing: nobody has got on since the last
	ready                       // to kill at boundaries of calls
	starting                    // … of the start that is under way
)

type kill struct {
	at   time.Time
	what faults.Boundary
	back time.Duration // until the service was ready again
}

func newKiller(t *testing.T, p *plan) *killer {
	t.Helper()
	k := &killer{world: idleWorld(t, 7*time.Minute, killable), plan: p, strikes: make(chan struct{}, 1)}
	k.try(k.Serve(k.ctx, "")) // a clock of its own would be set back by each start
	k.desks = k.staff(work(300*time.Millisecond, 2500*time.Millisecond, time.Second, 1500*time.Millisecond))
	k.stream = newStream(k.world, p)
	return k
}

// in is the same killer for a part of a test.
func (k *killer) in(t testing.TB) *killer {
	k.world.t = t
	return k
}

// enumerate takes the plan's boundaries from a start and from an undisturbed call on each way.
func (k *killer) enumerate() {
	k.t.Helper()
	for _, one := range k.wire.Passed("") {
		k.plan.starts[ofStart(one.Boundary)] = true
	}
	var all sync.WaitGroup
	for i, way := range slices.Sorted(maps.Keys(ways)) {
		m := ways[way](fmt.Sprintf("1380000020%d", i))
		p := k.caller(m.number)
		all.Go(func() {
			if err := k.visit(p, m); err != nil {
				k.t.Errorf("%s: %v", way, err)
				return
			}
			k.t.Logf("%s, undisturbed: %s", way, m.call.Transcript().Prompts())
			for _, b := range k.wire.Boundaries(m.number) {
				k.ofCall(b, way)
			}
		})
	}
	all.Wait()
	k.t.Logf("%d boundaries of calls and %d of a start are to be killed at", len(k.calls), len(k.starts))
}

// strikeAll lets callers come and kills the service until no boundary is left, and waits until the last call has ended.
func (k *killer) strikeAll() {
	defer k.wire.Watch(k.see)()
	k.flow()
	defer k.ebb()
	defer k.rest()
	until := time.NewTimer(killsWithin)
	defer until.Stop()
	look := time.NewTicker(100 * time.Millisecond)
	defer look.Stop()
	k.become(ready)
	for len(k.left()) > 0 {
		select {
		case <-k.strikes:
			if !k.startAgain() {
				return
			}
			_ = sleep(k.ctx, settle) // the context's end is seen next
			k.become(ready)
		case <-look.C: // the other one may have taken the last boundary
		case <-until.C:
			return
		case <-k.ctx.Done():
			return
		}
	}
}

// rest ends the kills; after the last of them, too, the service comes back for the calls that are left.
func (k *killer) rest() {
	k.become(resting)
	k.mu.Lock()
	away := len(k.kills) > 0 && k.kills[len(k.kills)-1].back == 0
	k.mu.Unlock()
	if !away {
		return
	}
	select {
	case <-k.strikes:
		k.startAgain()
	case <-k.ctx.Done():
	}
}

// see kills the service when it is at a boundary that is left, and enough calls are under way.
func (k *killer) see(x *faults.Passing) {
	if !k.strike(x) {
		return
	}
	if err := k.Kill(); err != nil {
		k.t.Errorf("kill the service: %v", err)
	}
	x.Drop()
	k.strikes <- struct{}{}
}

func (k *killer) strike(x *faults.Passing) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.state == resting || k.live.Load() < liveAtAKill || !k.take(x, k.state == starting) {
		return false
	}
	k.state = resting
	k.kills = append(k.kills, kill{at: time.Now(), what: x.Boundary})
	return true
}

func (k *killer) become(s killerState) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.state = s
}

// startAgain starts the service, and again if it is killed at that; false when it does not start.
func (k *killer) startAgain() bool {
	began := time.Now()
	for {
		k.become(starting)
		err := k.Serve(k.ctx, "")
		k.become(resting)
		if err == nil {
			break
		}
		select {
		case <-k.strikes:
		case <-time.After(time.Second): // it was no kill
			k.t.Errorf("the service does not start again after a kill %v: %v", k.kills[len(k.kills)-1].what, err)
			return false
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.kills[len(k.kills)-1].back = time.Since(began)
	return true
}

func (k *killer) report() {
	var worst, sum time.Duration
	for _, one := range k.kills {
		worst, sum = max(worst, one.back), sum+one.back
	}
	k.world.t.Logf("%d kills within %v; ready again after %v on average, %v at worst", len(k.kills),
		k.kills[len(k.kills)-1].at.Sub(k.kills[0].at).Round(time.Second), (sum / time.Duration(len(k.kills))).Round(time.Millisecond), worst.Round(time.Millisecond))
}

// during lists the kills that a call lived through.
func (k *killer) during(c *phone.Call) string {
	var list strings.Builder
	for _, one := range k.kills {
		if at := c.Since(one.at); at > 0 && (c.Times().Ended.IsZero() || one.at.Before(c.Times().Ended)) {
			fmt.Fprintf(&list, "\n%.2f killed %s, back after %v", at.Seconds(), one.what, one.back.Round(time.Millisecond))
		}
	}
	return list.String()
}

// stream is callers who come and go: from each place one after the other.
type stream struct {
	world   *world
	plan    *plan
	live    atomic.Int32
	ebbing  chan struct{}
	flowing sync.WaitGroup

	mu     sync.Mutex
	visits []*customer
}

func newStream(w *world, p *plan) *stream {
	return &stream{world: w, plan: p, ebbing: make(chan struct{})}
}

// flow begins: the places call one shortly after the other, so that calls are in all their stages.
func (s *stream) flow() {
	w := s.world
	for n := range places {
		number := fmt.Sprintf("138000003%02d", n)
		p := w.caller(number)
		s.flowing.Go(func() {
			wait := time.Duration(n) * 400 * time.Millisecond
			for sleep(w.ctx, wait) == nil && !s.isEbbing() {
				s.one(p, s.pick()(number))
				wait = w.seed.Between(100*time.Millisecond, 500*time.Millisecond)
			}
		})
	}
}

// pick is a way to a boundary that is left, or one on which callers hang up anywhere.
func (s *stream) pick() func(number string) *customer {
	if wanted := s.plan.ways(); len(wanted) > 0 && s.world.seed.N(10) < 7 {
		return ways[wanted[s.world.seed.N(len(wanted))]]
	}
	return func(number string) *customer {
		return whoWantsAPerson(number, s.world.seed.Between(500*time.Millisecond, 12*time.Second))
	}
}

func (s *stream) one(p *phone.Phone, m *customer) {
	s.live.Add(1)
	defer s.live.Add(-1)
	if err := s.world.visit(p, m); err != nil {
		s.world.t.Errorf("the caller %s: %v", m.number, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.visits = append(s.visits, m)
}

func (s *stream) isEbbing() bool {
	select {
	case <-s.ebbing:
		return true
	default:
		return false
	}
}

// ebb ends: nobody calls any more, and who has called stays to the end.
func (s *stream) ebb() {
	close(s.ebbing)
	s.flowing.Wait()
}

// wantProperEnds looks at how each call ended: by the caller, or with a goodbye.
func (k *killer) wantProperEnds() {
	t := k.world.t
	t.Helper()
	ends := map[string]int{}
	for _, m := range k.visits {
		heard := m.call.Transcript().Prompts()
		goodbye := len(heard) > 0 && isGoodbye(heard[len(heard)-1].ID)
		switch {
		case m.end.By == phone.Us:
			ends["hung up by the caller"]++
		case m.end.By == phone.Them && goodbye:
			ends["ended with a goodbye"]++
		default:
			ends["ended otherwise"]++
		}
		if m.end.By != phone.Us && !goodbye || len(heard.Of("error.sorry")) > 0 {
			t.Errorf("the call from %s is to end by the caller or with a goodbye, and nothing is to fail: %v\nheard: %s%s", m.number, m.end, m.call.Transcript(), k.during(m.call))
		}
	}
	t.Logf("%d calls: %v", len(k.visits), ends)
}

// nothingLeft waits until Asterisk has neither channel nor bridge: the service looks every half minute.
func (w *world) nothingLeft() {
	w.t.Helper()
	soon, cancel := context.WithTimeout(w.ctx, 45*time.Second)
	defer cancel()
	w.try(w.NothingLeft(soon))
}

// audit runs `hotline audit` until it is clean, for a little longer than the service takes to confirm the last calls.
func (w *world) audit() {
	w.t.Helper()
	var err error
	var out string
	for deadline := time.Now().Add(15 * time.Second); time.Now().Before(deadline); w.pass(time.Second) {
		if out, err = w.Run(w.ctx, "audit"); err == nil {
			w.t.Logf("hotline audit: %s", strings.TrimSpace(out))
			return
		}
	}
	w.t.Errorf("hotline audit: %v\n%s", err, out)
}
