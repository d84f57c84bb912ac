package redisq

import (
	"fmt"
	"regexp"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"hotline/queue"
)

// BenchmarkAssignments is a whole assignment through Redis, from the end of an
// agent's talk to the next caller's having the agent and somebody new joining,
// with 10,000 agents all talking and 50,000 callers waiting. First as fast as it
// goes, with 64 of them under way at a time; then 2,000 a second, where what
// counts is how long the call waits for its offer.
func BenchmarkAssignments(b *testing.B) {
	h := newHall(b, 10_000, 50_000)
	b.Run("as fast as it goes", func(b *testing.B) {
		h.b = b
		var next atomic.Int64
		began := time.Now()
		var workers sync.WaitGroup
		for range 64 {
			workers.Go(func() {
				for next.Add(1) <= int64(b.N) {
					h.assign()
				}
			})
		}
		workers.Wait()
		b.ReportMetric(float64(b.N)/time.Since(began).Seconds(), "assignments/s")
		h.report(b)
	})
	b.Run("2,000 a second", func(b *testing.B) {
		h.b = b
		var all sync.WaitGroup
		began := time.Now()
		for i := range b.N {
			time.Sleep(time.Until(began.Add(time.Duration(i) * time.Second / 2000)))
			all.Go(h.assign)
		}
		all.Wait()
		b.ReportMetric(float64(b.N)/time.Since(began).Seconds(), "assignments/s")
		h.report(b)
	})
}

// hall is an engine with many callers.
type hall struct {
	*queue.Engine
	b         *testing.B
	offers    chan arrival
	calls     atomic.Int64
	perCaller int // bytes of Redis', for somebody who waits
	stop      chan struct{}

	mu    sync.Mutex
	talks []talk // in the order they will end
	took  []time.Duration
	freed sync.Map // agent → when their talk ended
}

type talk struct{ agent, call string }

type arrival struct {
	*queue.Offer
	call string
}

func newHall(b *testing.B, agents, waiting int) *hall {
	b.Helper()
	s := startRedis(b)
	log, err := New(Options{Redis: redis.UniversalOptions{Addrs: []string{s.Addr}}})
	if err != nil {
		b.Fatal(err)
	}
	o := queue.Options{Queues: []queue.Rules{{ID: "bills"}}, Log: log, Owner: "north", Record: func([]queue.Change) {}}
	for i := range agents {
		o.Agents = append(o.Agents, queue.Profile{ID: fmt.Sprint(10_000 + i), Queues: []string{"bills"}})
	}
	h := &hall{b: b, offers: make(chan arrival, agents), stop: make(chan struct{})}
	b.Cleanup(func() { close(h.stop) })
	if h.Engine, err = queue.New(o); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(h.Stop)
	together(o.Agents, 512, func(p queue.Profile) {
		if err := h.SignIn(p.ID); err != nil {
			b.Fatal(err)
		}
	})
	callers := make([]int, agents)
	together(callers, 512, func(int) { h.join(); h.connect() })
	before := s.memory()
	callers = make([]int, waiting)
	together(callers, 512, func(int) { h.join() })
	h.perCaller = (s.memory() - before) / waiting
	if _, why := h.Alone(); why != nil {
		b.Fatalf("the engine is alone: %v", why)
	}
	h.took = nil
	return h
}

// together does something for all of a list, so many at a time.
func together[T any](list []T, width int, do func(T)) {
	var next atomic.Int64
	var workers sync.WaitGroup
	for range width {
		workers.Go(func() {
			for i := next.Add(1); i <= int64(len(list)); i = next.Add(1) {
				do(list[i-1])
			}
		})
	}
	workers.Wait()
}

func (h *hall) join() {
	id := fmt.Sprintf("20260206-090000-%07d", h.calls.Add(1))
	ticket, err := h.Join(queue.Caller{ID: id, Queue: "bills"})
	if err != nil {
		h.b.Error(err)
		return
	}
	go func() {
		select {
		case o := <-ticket.Offers():
			if at, there := h.freed.LoadAndDelete(o.Agent.ID); there {
				h.mu.Lock()
				h.took = append(h.took, time.Since(at.(time.Time)))
				h.mu.Unlock()
			}
			h.offers <- arrival{o, id}
		case <-h.stop:
		}
	}()
}

func (h *hall) connect() {
	o := <-h.offers
	if err := o.Connected(); err != nil {
		h.b.Error(err)
	}
	h.mu.Lock()
	h.talks = append(h.talks, talk{o.Agent.ID, o.call})
	h.mu.Unlock()
}

// assign ends the oldest talk; the agent gets the next caller, and another joins.
func (h *hall) assign() {
	h.mu.Lock()
	t := h.talks[0]
	h.talks = h.talks[1:]
	h.mu.Unlock()
	h.freed.Store(t.agent, time.Now())
	if err := h.EndTalk(t.agent, t.call); err != nil {
		h.b.Error(err)
	}
	h.connect()
	h.join()
}

// report tells how long calls waited for the agents who were set free for them.
func (h *hall) report(b *testing.B) {
	h.mu.Lock()
	defer h.mu.Unlock()
	slices.Sort(h.took)
	if n := len(h.took); n > 0 {
		b.ReportMetric(float64(h.took[n/2].Microseconds())/1000, "ms-median")
		b.ReportMetric(float64(h.took[n*99/100].Microseconds())/1000, "ms-p99")
		b.ReportMetric(float64(h.took[n-1].Microseconds())/1000, "ms-max")
	}
	h.took = nil
	b.ReportMetric(float64(h.perCaller), "redis-B/caller")
	if _, why := h.Alone(); why != nil {
		b.Errorf("the engine is alone: %v", why)
	}
}

// memory is what Redis uses, in bytes.
func (s *server) memory() (used int) {
	info := s.Do("INFO", "memory").(string)
	_, _ = fmt.Sscan(regexp.MustCompile(`used_memory:(\d+)`).FindStringSubmatch(info)[1], &used)
	return used
}
