package queue

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A crowd of callers and restless agents, each in a goroutine of its own: every
// caller is served by one agent at a time and comes to an end, and what was
// recorded in the end agrees with what the engine shows.
func TestCrowd(t *testing.T) {
	const callers, agents = 300, 25
	o := Options{Queues: []Rules{{ID: "bills", WrapUp: 5 * time.Second}, {ID: "repairs"}, {ID: "news", MaxWaiting: 40}}}
	queues := []string{"bills", "repairs", "news"}
	busy := map[string]*atomic.Int32{}
	for i := range agents {
		p := Profile{ID: fmt.Sprint(1001 + i), Queues: []string{queues[i%3], queues[(i+1)%3]}}
		o.Agents, busy[p.ID] = append(o.Agents, p), new(atomic.Int32)
	}
	atDesk(t, o, func(t *testing.T, d *desk) {
		for _, p := range o.Agents {
			d.signIn(p.ID)
		}
		var served, left atomic.Int32
		var crowd sync.WaitGroup
		for i := range callers {
			crowd.Go(func() {
				time.Sleep(time.Duration(rand.IntN(60_000)) * time.Millisecond)
				if serve(d, Caller{ID: fmt.Sprint("call ", i), Queue: queues[i%3], Priority: rand.IntN(3)}, busy) {
					served.Add(1)
				} else {
					left.Add(1)
				}
			})
		}
		over, quit := context.WithCancel(t.Context())
		var restless sync.WaitGroup
		for _, p := range o.Agents {
			restless.Go(func() { fidget(over, d.Engine, p.ID) })
		}
		crowd.Wait()
		quit()
		restless.Wait()
		synctest.Wait()

		if served.Load()+left.Load() != callers || served.Load() < callers/2 {
			t.Errorf("%d served, %d left or turned away of %d: does the engine still match?", served.Load(), left.Load(), callers)
		}
		l := newLedger(o)
		for _, c := range d.recorded {
			if err := l.add(c); err != nil {
				t.Fatalf("%v\nin %+v", err, c)
			}
		}
		if len(l.lines) != 0 {
			t.Errorf("by the changes %d callers still wait", len(l.lines))
		}
		for _, v := range d.Agents() {
			if l.states[v.ID] != v.State {
				t.Errorf("agent %s is %s, by the changes %s", v.ID, v.State, l.states[v.ID])
			}
		}
	})
}

// serve is a call: it waits, takes what it is offered, talks, and reports
// whether anybody talked with it.
func serve(d *desk, c Caller, busy map[string]*atomic.Int32) bool {
	ticket, err := d.Join(c)
	if err != nil {
		return false
	}
	patience := time.After(time.Duration(30+rand.IntN(600)) * time.Second)
	for {
		select {
		case o := <-ticket.Offers():
			if answer(d, o, c.ID, busy) {
				return true
			}
		case <-ticket.Lapsed():
			return false
		case <-patience:
			ticket.Leave("hang-up")
			return false
		}
	}
}

// answer is a phone: it rings for a while and is answered or not.
func answer(d *desk, o *Offer, call string, busy map[string]*atomic.Int32) bool {
	_ = o.Ringing()
	select {
	case <-o.Context().Done():
		return false
	case <-time.After(time.Duration(rand.IntN(15)) * time.Second):
	}
	if n := rand.IntN(10); n < 4 {
		o.Failed([]Refusal{NoAnswer, Declined, Unreachable, NoAnswer}[n])
		return false
	}
	if err := o.Connected(); err != nil {
		return false
	}
	if busy[o.Agent.ID].Add(1) != 1 {
		d.t.Errorf("agent %s talks with two callers, one is %s", o.Agent.ID, call)
	}
	time.Sleep(time.Duration(rand.IntN(30)) * time.Second)
	busy[o.Agent.ID].Add(-1)
	if err := d.EndTalk(o.Agent.ID, call); err != nil {
		d.t.Errorf("ending the talk: %v", err)
	}
	return true
}

// fidget is an agent who signs out and in and takes breaks at any moment.
func fidget(ctx context.Context, e *Engine, agent string) {
	for ctx.Err() == nil {
		for _, ask := range []func() error{
			func() error { return e.Pause(agent, "tea") },
			func() error { return e.Ready(agent) },
			func() error { return e.SignOut(agent) },
			func() error { return e.SignIn(agent) },
		} {
			if err := ask(); err != nil && !errors.Is(err, ErrTransition) {
				panic(err)
			}
			time.Sleep(time.Duration(rand.IntN(20)) * time.Second)
		}
	}
}
