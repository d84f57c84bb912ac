package virtual

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"time"
)

// plan is what a seed decides before anything happens. What callers, agents and the network do on the way is drawn from
// streams of their own, so that what one of them meets does not change what another one does.
type plan struct {
	seed    uint64
	agents  int
	callers []time.Duration // when each arrives
	lasts   time.Duration   // after which nobody arrives and nothing is disturbed any more
	ends    []end
	faults  bool // the network and Asterisk misbehave
	steps   bool // the wall clock is set
	acts    bool // the operator acts
	closes  bool // … and closes the hotline for a while
	gaps    bool // some dials are answered the moment they are made, some keys come in bursts
}

// end is how a process ends: at its n-th boundary, and for how long nobody takes its place then.
type end struct {
	kind   ending
	nth    int64 // 0: never
	outage time.Duration
}

type ending string

const (
	killed     ending = "kill -9"
	terminated ending = "SIGTERM"
	relieved   ending = "takeover" // the next process starts beside it
)

// stream is randomness of its own for one purpose.
func (p plan) stream(purpose string, n int) *rand.Rand {
	h := fnv.New64a()
	fmt.Fprintf(h, "%s/%d", purpose, n)
	return rand.New(rand.NewPCG(p.seed, h.Sum64()))
}

// Seeds divisible by four are without ends and faults, so that what goes wrong in them is the service's or the world's
// everyday; the others have ends, faults, or both.
func newPlan(seed uint64) plan {
	p := plan{seed: seed}
	r := p.stream("plan", 0)
	p.agents = 1 + r.IntN(4)
	p.lasts = seconds(r, 40, 200)
	for range 4 + r.IntN(14) {
		p.callers = append(p.callers, time.Duration(r.Int64N(int64(p.lasts*8/10))))
	}
	p.acts, p.closes, p.gaps = r.IntN(2) == 0, r.IntN(5) == 0, r.IntN(3) == 0
	p.faults = seed%4 >= 2
	p.steps = p.faults && r.IntN(2) == 0
	if seed%2 == 1 {
		for range 1 + r.IntN(4) {
			p.ends = append(p.ends, drawEnd(r))
		}
	}
	return p
}

// drawEnd prefers early boundaries: a process that ends while it takes its calls up is the hard case.
func drawEnd(r *rand.Rand) end {
	e := end{kind: one(r, []choice[ending]{{14, killed}, {2, terminated}, {4, relieved}}), outage: seconds(r, 0.05, 4)}
	if r.IntN(5) == 0 {
		e.outage = seconds(r, 4, 40)
	}
	switch r.IntN(3) {
	case 0:
		e.nth = 1 + r.Int64N(30)
	case 1:
		e.nth = 1 + r.Int64N(150)
	default:
		e.nth = 1 + r.Int64N(600)
	}
	return e
}

// seconds draws a time.
func seconds(r *rand.Rand, from, to float64) time.Duration {
	return time.Duration((from + r.Float64()*(to-from)) * float64(time.Second))
}

// one draws one of the values, each as often as its weight says.
func one[T any](r *rand.Rand, choices []choice[T]) T {
	total := 0
	for _, c := range choices {
		total += c.weight
	}
	n := r.IntN(total)
	for _, c := range choices {
		if n -= c.weight; n < 0 {
			return c.value
		}
	}
	panic("unreachable")
}

type choice[T any] struct {
	weight int
	value  T
}
