package redisq

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"hotline/queue"
)

// house is a service under test, with an engine of its own on a Redis.
type house struct {
	*queue.Engine
	t    *testing.T
	name string
	log  *Log

	byCall map[string]*queue.Ticket

	mu       sync.Mutex
	recorded []queue.Change
}

// rules of all houses.
var bills = queue.Rules{ID: "bills", WrapUp: time.Minute, RingTimeout: 15 * time.Second}

// open starts a service whose agents are its own.
func open(t *testing.T, s *server, name string, agents ...string) *house {
	t.Helper()
	return openAs(t, s, name, func(*queue.Options) {}, agents...)
}

func openAs(t *testing.T, s *server, name string, change func(*queue.Options), agents ...string) *house {
	t.Helper()
	h := &house{t: t, name: name, byCall: map[string]*queue.Ticket{}}
	o := Options{Lease: time.Second, Patience: 200 * time.Millisecond}
	o.Redis.Addrs = []string{s.Addr}
	if testing.Verbose() {
		o.Logger = slog.New(slog.NewTextHandler(os.Stderr, nil)).With("service", name)
	}
	var err error
	if h.log, err = New(o); err != nil {
		t.Fatal(err)
	}
	q := queue.Options{Queues: []queue.Rules{bills}, Log: h.log, Owner: name, Logger: o.Logger, Record: h.record}
	for _, id := range agents {
		q.Agents = append(q.Agents, queue.Profile{ID: id, Queues: []string{"bills"}})
	}
	change(&q)
	h.log = q.Log.(*Log)
	if h.Engine, err = queue.New(q); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Stop)
	return h
}

func (h *house) record(changes []queue.Change) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.recorded = append(h.recorded, changes...)
}

func (h *house) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatalf("at %s: %v", h.name, err)
	}
}

func (h *house) signIn(agents ...string) {
	h.t.Helper()
	for _, id := range agents {
		h.must(h.SignIn(id))
	}
}

func (h *house) join(id string) *queue.Ticket {
	h.t.Helper()
	ticket, err := h.Join(queue.Caller{ID: id, Queue: "bills"})
	h.must(err)
	h.byCall[id] = ticket
	return ticket
}

// soon waits for something that the test has caused.
func (h *house) soon(what string, is func() bool) {
	h.t.Helper()
	for deadline := time.Now().Add(15 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			since, why := h.Alone()
			h.t.Fatalf("at %s it is not so that %s; callers %v, agents %v, alone since %v: %v", h.name, what, h.line(), h.states(), since, why)
		}
	}
}

func (h *house) offered(ticket *queue.Ticket, agent string) *queue.Offer {
	h.t.Helper()
	select {
	case o := <-ticket.Offers():
		if o.Agent.ID != agent {
			h.t.Fatalf("call %s was offered to %s, want %s", ticket.Caller().ID, o.Agent.ID, agent)
		}
		return o
	case <-time.After(10 * time.Second):
		h.t.Fatalf("call %s got no offer, want one to %s; agents at %s: %v", ticket.Caller().ID, agent, h.name, h.states())
		return nil
	}
}

func (h *house) ended(o *queue.Offer, why error) {
	h.t.Helper()
	select {
	case <-o.Context().Done():
		if got := context.Cause(o.Context()); !errors.Is(got, why) {
			h.t.Fatalf("offer %s ended with %v, want %v", o.ID, got, why)
		}
	case <-time.After(10 * time.Second):
		h.t.Fatalf("offer %s goes on, want its end: %v", o.ID, why)
	}
}

func (h *house) line() (calls []string) {
	for _, v := range h.Waiting("bills") {
		calls = append(calls, v.ID)
	}
	return calls
}

func (h *house) states() map[string]string {
	all := map[string]string{}
	for _, v := range h.Agents() {
		all[v.ID] = v.State.String()
	}
	return all
}

func (h *house) stands(calls ...string) {
	h.t.Helper()
	h.soon(fmt.Sprint("callers stand as ", calls), func() bool { return slices.Equal(h.line(), calls) })
}

func (h *house) inState(agent string, want queue.State) {
	h.t.Helper()
	h.soon(fmt.Sprint(agent, " is ", want), func() bool { v, _ := h.Agent(agent); return v.State == want })
}

func (h *house) together() {
	h.t.Helper()
	h.soon("it is with the others", func() bool { _, why := h.Alone(); return why == nil })
}

func (h *house) alone() {
	h.t.Helper()
	h.soon("it is alone", func() bool { _, why := h.Alone(); return why != nil })
}

// die ends a service without a word to anybody, as kill -9 does.
func (h *house) die() {
	h.log.cancel() // before it can give its lease back
	<-h.log.done
	h.Stop()
}

// One order for callers of all services, and an agent of one takes a caller of
// the other.
func TestOneLine(t *testing.T) {
	s := startRedis(t)
	north, south := open(t, s, "north", "1001"), open(t, s, "south", "2001")
	north.signIn("1001")
	first := north.join("a")
	north.must(north.offered(first, "1001").Connected())
	south.inState("1001", queue.StateTalking)

	var tickets []*queue.Ticket
	for i, h := range []*house{south, north, south, north} {
		tickets = append(tickets, h.join(fmt.Sprint("c", i)))
	}
	for _, h := range []*house{north, south} {
		h.stands("c0", "c1", "c2", "c3")
	}
	if got := tickets[3].Position(); got != 4 {
		t.Errorf("the last caller stands at %d, want 4", got)
	}
	south.signIn("2001")
	south.must(south.offered(tickets[0], "2001").Connected())
	south.must(south.EndTalk("2001", "c0"))
	south.must(south.Ready("2001"))
	o := north.offered(tickets[1], "2001")
	if o.Agent.Home != "south" {
		t.Errorf("the agent's phone is at %q, want south", o.Agent.Home)
	}
	north.must(o.Ringing())
	north.must(o.Connected())
	south.inState("2001", queue.StateTalking)
	north.must(north.EndTalk("2001", "c1"))
	south.inState("2001", queue.StateWrapUp)

	// Each records its own callers and agents, and only those.
	for h, want := range map[*house][]string{north: {"a", "c1", "c3"}, south: {"c0", "c1", "c2"}} {
		calls := map[string]bool{}
		h.mu.Lock()
		for _, c := range h.recorded {
			if c.Call != "" {
				calls[c.Call] = true
			}
		}
		h.mu.Unlock()
		for _, call := range want {
			if !calls[call] {
				t.Errorf("%s has recorded nothing of %s", h.name, call)
			}
		}
		if len(calls) != len(want) {
			t.Errorf("%s has recorded %v, want %v", h.name, calls, want)
		}
	}
}

// A service that dies loses its places after the lease, and no agent elsewhere
// is touched; its own agents are offered nobody until it is back.
func TestOwnerDies(t *testing.T) {
	s := startRedis(t)
	north, south, west := open(t, s, "north", "1001"), open(t, s, "south", "2001"), open(t, s, "west", "3001")
	south.signIn("2001")
	west.signIn("3001")
	north.must(north.offered(north.join("talk"), "2001").Connected())
	ringing := north.join("ringing")
	o := north.offered(ringing, "3001")
	north.must(o.Ringing())
	north.signIn("1001")
	north.must(north.offered(north.join("own"), "1001").Connected())
	north.must(north.EndTalk("1001", "own"))
	north.join("waits")
	other := south.join("other")
	south.stands("ringing", "waits", "other")
	north.die()

	began := time.Now()
	south.stands("other")
	west.stands("other")
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("the places were given up %v after the death, with a lease of 1s", took)
	}
	south.inState("2001", queue.StateTalking) // the call may well be alive
	south.inState("3001", queue.StatePaused)  // its phone may ring on
	if v, _ := south.Agent("1001"); !v.Away {
		t.Errorf("an agent of the service that is gone can be offered callers: %+v", v)
	}
	west.join("third")
	south.must(south.Ready("2001")) // who says that the talk is over
	south.offered(other, "2001")

	back := open(t, s, "north", "1001")
	back.inState("2001", queue.StateReserved)
	back.soon("an agent of the service that is back is, too", func() bool { v, _ := back.Agent("1001"); return !v.Away })
}

// A service that is stopped is gone at once: agents elsewhere are not kept for its
// callers until its lease has run out.
func TestStopGivesTheLeaseBack(t *testing.T) {
	s := startRedis(t)
	lasting := func(o *Options) { o.Lease = time.Minute }
	north, south := openWith(t, s, "north", lasting, "1001"), openWith(t, s, "south", lasting, "2001")
	south.signIn("2001")
	south.must(south.offered(south.join("talk"), "2001").Connected())
	north.join("waits")
	south.stands("waits")
	north.Stop()
	south.stands()
	if v, _ := south.Agent("1001"); !v.Away {
		t.Errorf("an agent of the service that was stopped can be offered callers: %+v", v)
	}
	if others, _ := south.Others(); len(others) > 0 {
		t.Errorf("the south hears of %q, want nobody", others)
	}
}
