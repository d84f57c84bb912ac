package queue

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// desk is an engine under test, in a bubble where time passes only when
// everybody waits.
type desk struct {
	*Engine
	t  *testing.T
	mu sync.Mutex
	// recorded is all that the engine told Record.
	recorded []Change
}

// usual are the rules and agents most tests use: two queues, 1001 and 1002 in
// the first, 1002 and 1003 in the second.
func usual() Options {
	rules := Rules{WrapUp: 20 * time.Second, RingTimeout: 15 * time.Second, DeclinePause: 30 * time.Second, MissesBeforeOut: 2, Unattended: time.Minute}
	bills, repairs := rules, rules
	bills.ID, repairs.ID = "bills", "repairs"
	return Options{
		Queues: []Rules{bills, repairs},
		Agents: []Profile{
			{ID: "1001", Number: "789", Queues: []string{"bills"}},
			{ID: "1002", Number: "790", Queues: []string{"bills", "repairs"}},
			{ID: "1003", Number: "791", Queues: []string{"repairs"}},
		},
	}
}

// atDesk runs a test against an engine inside a synctest bubble.
func atDesk(t *testing.T, o Options, test func(t *testing.T, d *desk)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		d := &desk{t: t}
		o.Record = func(changes []Change) {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.recorded = append(d.recorded, changes...)
		}
		var err error
		if d.Engine, err = New(o); err != nil {
			t.Fatal(err)
		}
		defer d.Stop()
		test(t, d)
	})
}

func (d *desk) must(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) signIn(agents ...string) {
	d.t.Helper()
	for _, id := range agents {
		d.must(d.SignIn(id))
	}
}

func (d *desk) join(id string) *Ticket { d.t.Helper(); return d.joinAs(Caller{ID: id, Queue: "bills"}) }

func (d *desk) joinAs(c Caller) *Ticket {
	d.t.Helper()
	ticket, err := d.Join(c)
	d.must(err)
	return ticket
}

// offered returns the ticket's offer, which must be to the agent.
func (d *desk) offered(ticket *Ticket, agent string) *Offer {
	d.t.Helper()
	synctest.Wait()
	select {
	case o := <-ticket.Offers():
		if o.Agent.ID != agent {
			d.t.Fatalf("call %s was offered to %s, want %s: was the longest-idle agent chosen?", ticket.Caller().ID, o.Agent.ID, agent)
		}
		return o
	default:
		d.t.Fatalf("call %s got no offer, want one to %s (is %s): was it matched when the agent became ready?", ticket.Caller().ID, agent, d.state(agent))
		return nil
	}
}

// unoffered asserts that nobody is offered to the ticket.
func (d *desk) unoffered(ticket *Ticket) {
	d.t.Helper()
	synctest.Wait()
	select {
	case o := <-ticket.Offers():
		d.t.Fatalf("call %s was offered to %s, want nobody", ticket.Caller().ID, o.Agent.ID)
	default:
	}
}

// talking brings a call to an agent.
func (d *desk) talking(id, agent string) {
	d.t.Helper()
	d.must(d.offered(d.join(id), agent).Connected())
}

func (d *desk) state(agent string) State {
	v, _ := d.Agent(agent)
	return v.State
}

func (d *desk) inState(agent string, want State) {
	d.t.Helper()
	synctest.Wait()
	if got := d.state(agent); got != want {
		d.t.Fatalf("agent %s is %s, want %s", agent, got, want)
	}
}

func (d *desk) lapsed(ticket *Ticket, want string) {
	d.t.Helper()
	synctest.Wait()
	select {
	case <-ticket.Lapsed():
	default:
		d.t.Fatalf("call %s still waits, want lapsed with %q", ticket.Caller().ID, want)
	}
	if got := ticket.LapseReason(); got != want {
		d.t.Fatalf("call %s lapsed with %q, want %q", ticket.Caller().ID, got, want)
	}
}

func (d *desk) waits(ticket *Ticket, position int) {
	d.t.Helper()
	synctest.Wait()
	if got := ticket.Position(); got != position {
		d.t.Fatalf("call %s stands at %d, want %d", ticket.Caller().ID, got, position)
	}
}

// last returns the most recent change of a kind.
func (d *desk) last(kind string) Change {
	d.t.Helper()
	synctest.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := len(d.recorded) - 1; i >= 0; i-- {
		if d.recorded[i].Kind == kind {
			return d.recorded[i]
		}
	}
	d.t.Fatalf("no %s was recorded", kind)
	return Change{}
}
