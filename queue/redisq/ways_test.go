package redisq

import (
	"errors"
	"slices"
	"testing"
	"time"

	"hotline/queue"
)

// never checks that a caller has not been offered to anybody once something has
// happened that came after whatever could have led to it.
func (h *house) never(ticket *queue.Ticket) {
	h.t.Helper()
	select {
	case o := <-ticket.Offers():
		h.t.Fatalf("at %s call %s is offered to %s of %s", h.name, ticket.Caller().ID, o.Agent.ID, o.Agent.Home)
	default:
	}
}

// A service's callers are not offered to agents whose phones it cannot ring, who
// are there for everybody else's; and are, once there is a way.
func TestNobodyIsOfferedWhereThereIsNoWay(t *testing.T) {
	s := startRedis(t)
	north := openAs(t, s, "north", func(o *queue.Options) { o.Ways = []string{"west"} }, "1001")
	south := openAs(t, s, "south", func(o *queue.Options) { o.Ways = []string{"north", "west"} }, "2001")
	south.signIn("2001")
	first := north.join("first")
	south.stands("first")
	if got := north.Unreached(); !slices.Equal(got, []string{"south"}) {
		t.Errorf("the north is told that it has no way to %v, want the south", got)
	}
	if got := south.Unreached(); len(got) != 0 {
		t.Errorf("the south is told that it has no way to %v", got)
	}
	north.never(first)
	south.must(south.offered(south.join("second"), "2001").Connected()) // who came later
	south.must(south.EndTalk("2001", "second"))
	south.must(south.Ready("2001"))
	north.inState("2001", queue.StateReady)
	north.never(first)
	if _, err := north.Call("2001", "other"); !errors.Is(err, queue.ErrNoWay) {
		t.Errorf("calling an agent in to whom there is no way: %v, want %v", err, queue.ErrNoWay)
	}
	west := open(t, s, "west", "3001") // which is late, and sees the same
	west.signIn("3001")
	o := north.offered(first, "3001")
	o.Failed(queue.Declined)
	west.inState("3001", queue.StatePaused)
	north.never(first)

	north.must(north.SetWays([]string{"south", "west"}))
	o = north.offered(first, "2001")
	north.must(north.SetWays(nil)) // found out as the phone is rung
	o.Failed(queue.NoWay)
	for _, h := range []*house{north, south} {
		h.inState("2001", queue.StateReady) // for everybody else
	}
	north.never(first)
	south.offered(south.join("third"), "2001")
	north.must(north.SetWays([]string{"south"}))
	north.die()
	south.stands("third")
	back := openAs(t, s, "north", func(o *queue.Options) { o.Ways = []string{} }, "1001")
	back.together()
	back.soon("it knows that it has no way to anybody", func() bool { return slices.Equal(back.Unreached(), []string{"south", "west"}) })
}

// Where all who could take a service's callers are out of its reach, these are
// told so, as where all are out of service.
func TestNobodyInReach(t *testing.T) {
	s := startRedis(t)
	rules := bills
	rules.Unattended = 2 * time.Second
	north := openAs(t, s, "north", func(o *queue.Options) { o.Ways, o.Queues = []string{}, []queue.Rules{rules} }, "1001")
	south := openAs(t, s, "south", func(o *queue.Options) { o.Queues = []queue.Rules{rules} }, "2001")
	south.signIn("2001")
	south.must(south.offered(south.join("talk"), "2001").Connected())
	lost, waits := north.join("lost"), south.join("waits")
	select {
	case <-lost.Lapsed():
		if why := lost.LapseReason(); why != queue.LapseUnattended {
			t.Errorf("the caller has lapsed with %q, want %q", why, queue.LapseUnattended)
		}
	case <-time.After(10 * time.Second):
		t.Error("a caller waits for ever for agents whom nobody can ring for them")
	}
	south.stands("waits")
	if why := waits.LapseReason(); why != "" {
		t.Errorf("a caller of the agent's own service has lapsed with %q", why)
	}
}
