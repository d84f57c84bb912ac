package queue

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// hall is an engine with many callers waiting and every agent in a talk.
type hall struct {
	*Engine
	b       *testing.B
	waiting []*Ticket // in the order they will be served
	talks   []talk    // in the order they will end
	calls   int
}

type talk struct{ agent, call string }

// newHall fills one queue.
func newHall(b *testing.B, agents, callers int) *hall {
	h := &hall{b: b, Engine: newBusy(b, 1, 1, agents)}
	for range agents {
		h.join("queue 0")
		h.connect(h.waiting[0])
		h.waiting = h.waiting[1:]
	}
	for range callers {
		h.join("queue 0")
	}
	return h
}

// newBusy is an engine without wrap-up and with everybody signed in; each
// agent serves so many of the queues.
func newBusy(b *testing.B, queues, each, agents int) *Engine {
	o := Options{Record: func([]Change) {}}
	for i := range queues {
		o.Queues = append(o.Queues, Rules{ID: fmt.Sprint("queue ", i)})
	}
	for i := range agents {
		p := Profile{ID: fmt.Sprint(1001 + i)}
		for j := range each {
			p.Queues = append(p.Queues, o.Queues[(i+j)%queues].ID)
		}
		o.Agents = append(o.Agents, p)
	}
	e, err := New(o)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(e.Stop)
	for _, p := range o.Agents {
		if err := e.SignIn(p.ID); err != nil {
			b.Fatal(err)
		}
	}
	return e
}

func (h *hall) join(queue string) {
	h.calls++
	ticket, err := h.Join(Caller{ID: fmt.Sprintf("20260206-090000-%07d", h.calls), Queue: queue})
	if err != nil {
		h.b.Fatal(err)
	}
	h.waiting = append(h.waiting, ticket)
}

func (h *hall) connect(ticket *Ticket) {
	o := <-ticket.Offers()
	if err := o.Connected(); err != nil {
		h.b.Fatal(err)
	}
	h.talks = append(h.talks, talk{o.Agent.ID, ticket.caller.ID})
}

// turn ends the oldest n talks; each agent gets the next caller, and as many
// new callers join.
func (h *hall) turn(n int) {
	ended := h.talks[:n]
	h.talks = h.talks[n:]
	for _, t := range ended {
		if err := h.EndTalk(t.agent, t.call); err != nil {
			h.b.Fatal(err)
		}
	}
	served := h.waiting[:n]
	h.waiting = h.waiting[n:]
	for _, ticket := range served {
		h.connect(ticket)
		h.join(ticket.caller.Queue)
	}
}

// BenchmarkAssignments is a whole assignment: a talk ends, the agent is
// reserved for the next caller, the call learns of it and reports the talk,
// somebody new joins; five changes are recorded for it. What it costs hardly
// depends on how many wait.
func BenchmarkAssignments(b *testing.B) {
	for _, size := range []struct{ agents, waiting int }{{1000, 100}, {1000, 5000}, {10_000, 50_000}} {
		b.Run(fmt.Sprintf("%d agents, %d waiting", size.agents, size.waiting), func(b *testing.B) {
			h := newHall(b, size.agents, size.waiting)
			const batch = 100
			b.ReportAllocs()
			runtime.GC()
			began := cpu(b)
			for b.Loop() {
				h.turn(batch)
			}
			b.ReportMetric(float64(b.N*batch)/b.Elapsed().Seconds(), "assignments/s")
			b.ReportMetric(b.Elapsed().Seconds()/float64(b.N*batch)*1e9, "ns/assignment")
			b.ReportMetric(float64(cpu(b)-began)/float64(b.N*batch), "cpu-ns/assignment")
		})
	}
}

// cpu is what this process has used of the processors so far: unlike the time
// that has passed it does not depend on what else the machine is doing.
func cpu(b *testing.B) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// BenchmarkMachine is what deciding alone costs, without tickets, contexts and
// the record: an assignment in three commands.
func BenchmarkMachine(b *testing.B) {
	for _, size := range []struct{ agents, waiting int }{{1000, 100}, {1000, 5000}, {10_000, 50_000}} {
		b.Run(fmt.Sprintf("%d agents, %d waiting", size.agents, size.waiting), func(b *testing.B) {
			now := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
			var agents []Profile
			for i := range size.agents {
				agents = append(agents, Profile{ID: fmt.Sprint(1001 + i), Queues: []string{"queue 0"}})
			}
			m, err := NewMachine([]Rules{{ID: "queue 0"}}, agents, false, now)
			if err != nil {
				b.Fatal(err)
			}
			var talks []talk
			do := func(c Command) {
				now = now.Add(time.Microsecond)
				c.At = now
				fx, err := m.Apply(c)
				if err != nil {
					b.Fatal(err)
				}
				for _, o := range fx.Offers {
					talks = append(talks, talk{o.Agent, o.Call})
				}
			}
			calls := 0
			join := func() {
				calls++
				do(Command{Do: VerbJoin, Caller: &Caller{ID: fmt.Sprintf("20260206-090000-%07d", calls), Queue: "queue 0", Arrived: now}})
			}
			connect := func() {
				last := talks[len(talks)-1]
				do(Command{Do: VerbConnected, Call: last.call, Offer: last.call + "-offer-1"})
			}
			for _, p := range agents {
				do(Command{Do: VerbSignIn, Agent: p.ID})
				join()
				connect()
			}
			for range size.waiting {
				join()
			}
			b.ReportAllocs()
			runtime.GC()
			began := cpu(b)
			for b.Loop() {
				oldest := talks[0]
				talks = talks[1:]
				do(Command{Do: VerbEnd, Agent: oldest.agent, Call: oldest.call})
				connect()
				join()
			}
			b.ReportMetric(float64(cpu(b)-began)/float64(b.N), "cpu-ns/assignment")
		})
	}
}

// BenchmarkWaiting is what fifty thousand callers cost who wait and for whom nothing happens: memory, and the processor.
func BenchmarkWaiting(b *testing.B) {
	const callers, idle = 50_000, time.Second
	h := &hall{b: b, Engine: newBusy(b, 1, 1, 1)}
	h.join("queue 0")
	h.connect(h.waiting[0])
	before := heap()
	for range callers {
		h.join("queue 0")
	}
	each := float64(heap()-before) / callers
	spent := time.Duration(0)
	for b.Loop() {
		began := cpu(b)
		time.Sleep(idle)
		spent += cpu(b) - began
	}
	b.ReportMetric(each, "B/caller")
	b.ReportMetric(100*float64(spent)/float64(idle)/float64(b.N), "%core-idle")
	runtime.KeepAlive(h)
}

// heap is the memory in use.
func heap() uint64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// A waiting caller takes 8 KiB of memory at most, whatever clocks the queue's rules give them.
func TestMemoryOfAWaitingCaller(t *testing.T) {
	const callers, most = 5000, 8 << 10
	o := hallOf(Rules{MaxWait: time.Hour, Needs: map[string]int{"english": 2}, Relax: []Relaxation{{After: time.Minute, By: 1}}}, 1)
	o.Agents[0].Skills = map[string]int{"english": 2}
	o.Record = func([]Change) {}
	e, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Stop()
	if err := errors.Join(e.SignIn("1001"), e.Pause("1001", "lunch")); err != nil {
		t.Fatal(err)
	}
	before, tickets := heap(), make([]*Ticket, callers)
	for i := range tickets {
		if tickets[i], err = e.Join(Caller{ID: fmt.Sprintf("20260206-090000-%07d", i), Queue: "bills"}); err != nil {
			t.Fatal(err)
		}
	}
	each := (heap() - before) / callers
	t.Logf("a waiting caller takes %d bytes", each)
	if each > most {
		t.Errorf("a waiting caller takes %d bytes, at most %d are meant: has a ticket or a place got a goroutine, a buffer, a map of its own?", each, most)
	}
	runtime.KeepAlive(tickets)
}

// BenchmarkSkilled is an assignment by the engine where callers need one of twenty combinations of
// skills and levels, which relax as they wait, and agents have as many.
func BenchmarkSkilled(b *testing.B) {
	for _, waiting := range []int{100, 5000} {
		b.Run(fmt.Sprintf("%d waiting", waiting), func(b *testing.B) {
			h := newSkilledHall(b, 1000, waiting)
			b.ReportAllocs()
			runtime.GC()
			began := cpu(b)
			for b.Loop() {
				h.serveOne()
			}
			b.ReportMetric(float64(cpu(b)-began)/float64(b.N), "cpu-ns/assignment")
		})
	}
}

// skilled is a hall whose offers come to whoever suits.
type skilled struct {
	*Engine
	b      *testing.B
	offers chan *Offer
	talks  []talk
	calls  int
	stop   chan struct{}
}

var levelsNeeded = func() (all []map[string]int) {
	for _, skill := range []string{"english", "tax", "gas", "water", "heat"} {
		for level := 1; level <= 4; level++ {
			all = append(all, map[string]int{skill: level})
		}
	}
	return all
}()

func newSkilledHall(b *testing.B, agents, waiting int) *skilled {
	o := Options{Record: func([]Change) {}, Queues: []Rules{{ID: "queue 0", Relax: []Relaxation{{After: time.Minute, By: 1}, {After: 2 * time.Minute, By: 2}}}}}
	for i := range agents {
		o.Agents = append(o.Agents, Profile{ID: fmt.Sprint(1001 + i), Queues: []string{"queue 0"}, Skills: map[string]int{
			"english": 1 + i%4, "tax": 1 + i%5, "gas": 1 + i%3, "water": 4 - i%4, "heat": 4}})
	}
	e, err := New(o)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(e.Stop)
	h := &skilled{Engine: e, b: b, offers: make(chan *Offer, agents), stop: make(chan struct{})}
	b.Cleanup(func() { close(h.stop) })
	for _, p := range o.Agents {
		if err := e.SignIn(p.ID); err != nil {
			b.Fatal(err)
		}
	}
	for range agents + waiting {
		h.join()
	}
	for range agents {
		h.connect()
	}
	return h
}

// join has a caller wait, whose offers come to the hall.
func (h *skilled) join() {
	h.calls++
	ticket, err := h.Join(Caller{ID: fmt.Sprintf("20260206-090000-%07d", h.calls), Queue: "queue 0", Needs: levelsNeeded[h.calls%len(levelsNeeded)]})
	if err != nil {
		h.b.Fatal(err)
	}
	go func() {
		select {
		case o := <-ticket.Offers():
			h.offers <- o
		case <-h.stop:
		}
	}()
}

func (h *skilled) connect() {
	o := <-h.offers
	if err := o.Connected(); err != nil {
		h.b.Fatal(err)
	}
	h.talks = append(h.talks, talk{o.Agent.ID, o.ticket.caller.ID})
}

// serveOne ends the oldest talk; the agent gets a caller, and another joins.
func (h *skilled) serveOne() {
	t := h.talks[0]
	h.talks = h.talks[1:]
	if err := h.EndTalk(t.agent, t.call); err != nil {
		h.b.Fatal(err)
	}
	h.connect()
	h.join()
}

// BenchmarkCalls is the same with every call in a goroutine of its own, as in
// the service: 6,000 of them, of whom 1,000 at a time have an agent.
func BenchmarkCalls(b *testing.B) {
	for _, shape := range []struct {
		name         string
		queues, each int
	}{{"one queue", 1, 1}, {"ten queues, agents in three", 10, 3}} {
		b.Run(shape.name, func(b *testing.B) {
			e := newBusy(b, shape.queues, shape.each, 1000)
			var served atomic.Int64
			done := make(chan struct{})
			var calls sync.WaitGroup
			b.ResetTimer()
			for i := range 6000 {
				calls.Go(func() {
					for n := 0; ; n++ {
						id := fmt.Sprintf("call %d of %d", n, i)
						ticket, err := e.Join(Caller{ID: id, Queue: fmt.Sprint("queue ", i%shape.queues), Priority: n % 3})
						if err != nil {
							b.Error(err)
							return
						}
						select {
						case o := <-ticket.Offers():
							if err := errors.Join(o.Connected(), e.EndTalk(o.Agent.ID, id)); err != nil {
								b.Error(err)
								return
							}
						case <-done:
							return
						}
						if served.Add(1) == int64(b.N) {
							close(done)
						}
					}
				})
			}
			<-done
			b.StopTimer()
			calls.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "assignments/s")
		})
	}
}

// BenchmarkHandOver is the time from the end of an agent's talk to the next
// call's having the agent, one after another, with 5,000 callers waiting. The
// agents end in a fixed order, so the median says what one waits.
func BenchmarkHandOver(b *testing.B) {
	h := newHall(b, 1000, 5000)
	var took []time.Duration
	for b.Loop() {
		t, ticket := h.talks[0], h.waiting[0]
		h.talks, h.waiting = h.talks[1:], h.waiting[1:]
		start := time.Now()
		if err := h.EndTalk(t.agent, t.call); err != nil {
			b.Fatal(err)
		}
		o := <-ticket.Offers()
		took = append(took, time.Since(start))
		if err := o.Connected(); err != nil {
			b.Fatal(err)
		}
		h.talks = append(h.talks, talk{o.Agent.ID, ticket.caller.ID})
		h.join(ticket.caller.Queue)
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Nanoseconds()), "ns-median")
	b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds()), "ns-p99")
}

// BenchmarkPosition asks for a place in the middle of 5,000.
func BenchmarkPosition(b *testing.B) {
	h := newHall(b, 1000, 5000)
	for b.Loop() {
		if h.waiting[2500].Position() != 2501 {
			b.Fatal("the middle has moved")
		}
	}
}

// BenchmarkAbandon has callers leave from the middle of 5,000 and others join.
func BenchmarkAbandon(b *testing.B) {
	h := newHall(b, 1000, 5000)
	for i := 0; b.Loop(); i++ {
		at := (i * 2503) % len(h.waiting)
		h.waiting[at].Leave("hang-up")
		h.join("queue 0")
		last := len(h.waiting) - 1
		h.waiting[at] = h.waiting[last]
		h.waiting = h.waiting[:last]
	}
}
