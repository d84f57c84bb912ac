// Package queuetest is what every queue.Engine must do, whatever log it has: a
// suite that is run against each.
//
// It must not know how a log works: time and quiet are the caller's to give.
package queuetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"hotline/queue"
)

// Clock is how time passes for an engine under test.
type Clock struct {
	// Pass has so much time pass for the engine.
	Pass func(time.Duration)

	// Ahead says that it passes for the queue alone, whose clock then is ahead of this
	// machine's, by which callers arrive.
	Ahead bool

	// Settle returns when everything that has happened has been told. nil: it is
	// found out by waiting for something to be told.
	Settle func()
}

// Make runs a test with an engine that has these options, and stops it.
type Make func(t *testing.T, o queue.Options, test func(t *testing.T, e *queue.Engine, c Clock))

// Run runs the suite.
func Run(t *testing.T, with Make) {
	for _, one := range slices.Concat(suite, consults) {
		t.Run(one.name, func(t *testing.T) { one.test(t, house{with}) })
	}
}

var suite = []struct {
	name string
	test func(t *testing.T, at house)
}{
	{"no decline pause", testNoDeclinePause},
	{"join errors", testJoinErrors},
	{"full counts only when nobody is ready", testFullCountsOnlyWhenNobodyIsReady},
	{"order", testOrder},
	{"longest idle first", testLongestIdleFirst},
	{"agent of several queues", testAgentOfSeveralQueues},
	{"whole talk", testWholeTalk},
	{"no wrap up", testNoWrapUp},
	{"refusals", testRefusals},
	{"two misses take out", testTwoMissesTakeOut},
	{"caller leaves while ringing", testCallerLeavesWhileRinging},
	{"withdrawn offer", testWithdrawnOffer},
	{"unread offer is replaced", testUnreadOfferIsReplaced},
	{"unreported offer", testUnreportedOffer},
	{"asked during talk", testAskedDuringTalk},
	{"impossible", testImpossible},
	{"rejoin", testRejoin},
	{"last sign out lapses", testLastSignOutLapses},
	{"last sign out with offer lapses", testLastSignOutWithOfferLapses},
	{"unattended lapses", testUnattendedLapses},
	{"a phone that is gone", testPhoneGone},
	{"everybody on a break", testEverybodyOnABreak},
	{"changes of what was seen", testChangesOfWhatWasSeen},
	{"close", testClose},
	{"overflow into a closed queue", testOverflowIntoAClosedQueue},
	{"stop", testStop},
	{"estimate", testEstimate},
}

type house struct{ with Make }

// desk is an engine under test.
type desk struct {
	*queue.Engine
	clock Clock
	t     *testing.T

	mu       sync.Mutex
	recorded []queue.Change // all that the engine told Record
	signals  chan string    // causes of what the sentinel does
	sent     int
}

// usual are the rules and agents most tests use: two queues, 1001 and 1002 in
// the first, 1002 and 1003 in the second.
func usual() queue.Options {
	rules := queue.Rules{WrapUp: 20 * time.Second, RingTimeout: 15 * time.Second, DeclinePause: 30 * time.Second, MissesBeforeOut: 2, Unattended: time.Minute}
	bills, repairs := rules, rules
	bills.ID, repairs.ID = "bills", "repairs"
	return queue.Options{
		Queues: []queue.Rules{bills, repairs},
		Agents: []queue.Profile{
			{ID: "1001", Number: "789", Queues: []string{"bills"}},
			{ID: "1002", Number: "790", Queues: []string{"bills", "repairs"}},
			{ID: "1003", Number: "791", Queues: []string{"repairs"}},
		},
	}
}

// sentinel is an agent whom no test needs: what they do is told in its order
// like everything else.
const sentinel = "sentinel"

// desk runs a test at a desk.
func (at house) desk(t *testing.T, o queue.Options, test func(t *testing.T, d *desk)) {
	t.Helper()
	d := &desk{signals: make(chan string, 16)}
	o.Record = d.record
	o.Queues = append(o.Queues, queue.Rules{ID: "the sentinel's"})
	o.Agents = append(o.Agents, queue.Profile{ID: sentinel, Queues: []string{"the sentinel's"}})
	at.with(t, o, func(t *testing.T, e *queue.Engine, c Clock) {
		d.t, d.Engine, d.clock = t, e, c
		d.must(e.SignIn(sentinel))
		test(t, d)
	})
}

func (d *desk) record(changes []queue.Change) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range changes {
		if c.Agent != sentinel {
			d.recorded = append(d.recorded, c)
		} else if c.To == queue.StatePaused {
			d.signals <- c.Cause
		}
	}
}

func (d *desk) pass(long time.Duration) { d.clock.Pass(long) }

// settle waits until all that has happened is told. What the sentinel does is
// recorded after all of it, and what they do next only when it is told.
func (d *desk) settle() {
	d.t.Helper()
	if d.clock.Settle != nil {
		d.clock.Settle()
		return
	}
	for range 2 {
		d.sent++
		signal := fmt.Sprint("signal ", d.sent)
		d.must(d.Pause(sentinel, signal))
		select {
		case got := <-d.signals:
			if got != signal {
				d.t.Fatalf("recorded %q, want %q: is the order kept?", got, signal)
			}
		case <-time.After(10 * time.Second):
			d.t.Fatalf("%q was not recorded within 10 s: is the log read, and the record told?", signal)
		}
	}
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

func (d *desk) join(id string) *queue.Ticket {
	d.t.Helper()
	return d.joinAs(queue.Caller{ID: id, Queue: "bills"})
}

func (d *desk) joinAs(c queue.Caller) *queue.Ticket {
	d.t.Helper()
	ticket, err := d.Join(c)
	d.must(err)
	return ticket
}

// offered returns the ticket's offer, which must be to the agent.
func (d *desk) offered(ticket *queue.Ticket, agent string) *queue.Offer {
	d.t.Helper()
	d.settle()
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
func (d *desk) unoffered(ticket *queue.Ticket) {
	d.t.Helper()
	d.settle()
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

func (d *desk) state(agent string) queue.State {
	v, _ := d.Agent(agent)
	return v.State
}

// is looks at an agent's state, and at what they have asked for after the talk.
func (d *desk) is(agent string, state, then queue.State) {
	d.t.Helper()
	d.settle()
	if v, _ := d.Agent(agent); v.State != state || v.Then != then {
		d.t.Errorf("agent %s is %s, then %s; want %s, then %s", agent, v.State, v.Then, state, then)
	}
}

func (d *desk) inState(agent string, want queue.State) {
	d.t.Helper()
	d.settle()
	if got := d.state(agent); got != want {
		d.t.Fatalf("agent %s is %s, want %s", agent, got, want)
	}
}

func (d *desk) lapsed(ticket *queue.Ticket, want string) {
	d.t.Helper()
	d.settle()
	select {
	case <-ticket.Lapsed():
	default:
		d.t.Fatalf("call %s still waits, want lapsed with %q", ticket.Caller().ID, want)
	}
	if got := ticket.LapseReason(); got != want {
		d.t.Fatalf("call %s lapsed with %q, want %q", ticket.Caller().ID, got, want)
	}
}

func (d *desk) waits(ticket *queue.Ticket, position int) {
	d.t.Helper()
	if got := ticket.Position(); got != position {
		d.t.Fatalf("call %s stands at %d, want %d", ticket.Caller().ID, got, position)
	}
}

// last returns the most recent change of a kind.
func (d *desk) last(kind string) queue.Change {
	d.t.Helper()
	d.settle()
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := len(d.recorded) - 1; i >= 0; i-- {
		if d.recorded[i].Kind == kind {
			return d.recorded[i]
		}
	}
	d.t.Fatalf("no %s was recorded", kind)
	return queue.Change{}
}

// An operator who wants no pause after an offer that failed has the agent back at
// once, but for a breath after each that was declined: a phone that declines
// everything at once is not rung without end.
func testNoDeclinePause(t *testing.T, at house) {
	o := usual()
	o.Queues[0].DeclinePause = -1
	at.desk(t, o, func(t *testing.T, d *desk) {
		d.signIn("1001")
		ticket := d.join("first")
		d.offered(ticket, "1001").Failed(queue.NoAnswer)
		d.settle()
		for range 3 {
			d.offered(ticket, "1001").Failed(queue.Declined)
			d.settle()
			d.unoffered(ticket)
			d.pass(queue.LeastDeclinePause)
		}
		d.offered(ticket, "1001")
	})
}

func testJoinErrors(t *testing.T, at house) {
	o := usual()
	o.Queues[0].MaxWaiting = 2
	at.desk(t, o, func(t *testing.T, d *desk) {
		refused := func(c queue.Caller, want error) {
			t.Helper()
			if _, err := d.Join(c); !errors.Is(err, want) {
				t.Errorf("joining %+v: %v, want %v", c, err, want)
			}
		}
		refused(queue.Caller{ID: "a", Queue: "complaints"}, queue.ErrUnknownQueue)
		refused(queue.Caller{ID: "a", Queue: "bills"}, queue.ErrNobodySignedIn)
		if _, err := d.Join(queue.Caller{Queue: "bills"}); err == nil {
			t.Error("a call without an ID was given a place")
		}
		d.signIn("1001")
		d.talking("a", "1001")
		refused(queue.Caller{ID: "a", Queue: "bills"}, queue.ErrDuplicate)
		d.join("b")
		refused(queue.Caller{ID: "b", Queue: "bills"}, queue.ErrDuplicate)
		d.join("c")
		refused(queue.Caller{ID: "d", Queue: "bills"}, queue.ErrFull)
		d.joinAs(queue.Caller{ID: "urgent", Queue: "bills", Priority: 5})
		d.joinAs(queue.Caller{ID: "returning", Queue: "bills", Head: true})
		d.signIn("1002")
		d.Stop()
		refused(queue.Caller{ID: "e", Queue: "bills"}, queue.ErrStopped)
		if err := d.SignIn("1003"); !errors.Is(err, queue.ErrStopped) {
			t.Errorf("signing in after Stop: %v", err)
		}
	})
}

// A ready agent takes a caller even while as many as may wait are being rung.
func testFullCountsOnlyWhenNobodyIsReady(t *testing.T, at house) {
	o := usual()
	o.Queues[0].MaxWaiting = 1
	at.desk(t, o, func(t *testing.T, d *desk) {
		d.signIn("1001", "1002")
		d.offered(d.join("a"), "1001")
		d.offered(d.join("b"), "1002")
		if _, err := d.Join(queue.Caller{ID: "c", Queue: "bills"}); !errors.Is(err, queue.ErrFull) {
			t.Errorf("the third caller: %v, want ErrFull", err)
		}
	})
}
func testOrder(t *testing.T, at house) {
	at.desk(t, usual(), func(t *testing.T, d *desk) {
		d.signIn("1001")
		d.talking("busy", "1001")
		now := time.Now()
		for _, c := range []queue.Caller{
			{ID: "late", Arrived: now.Add(2 * time.Second)},
			{ID: "early", Arrived: now.Add(-time.Minute)},
			{ID: "urgent late", Priority: 9, Arrived: now.Add(time.Second)},
			{ID: "urgent early", Priority: 9, Arrived: now},
			{ID: "better", Priority: 3, Arrived: now.Add(-time.Hour)},
			{ID: "back late", Head: true, Arrived: now},
			{ID: "back early", Head: true, Arrived: now.Add(-time.Minute)},
			{ID: "back urgent", Head: true, Priority: 9, Arrived: now},
			{ID: "same", Arrived: now},
			{ID: "same, later", Arrived: now},
		} {
			c.Queue = "bills"
			d.joinAs(c)
		}
		want := []string{"back urgent", "back early", "back late", "urgent early", "urgent late", "better", "early", "same", "same, later", "late"}
		for i, v := range d.Waiting("bills") {
			if v.ID != want[i] || v.Position != i+1 {
				t.Errorf("place %d: %s at %d, want %s", i+1, v.ID, v.Position, want[i])
			}
		}
		if got := d.Waiting("nowhere"); got != nil {
			t.Errorf("an unknown queue has callers %v", got)
		}
	})
}
func testLongestIdleFirst(t *testing.T, at house) {
	at.desk(t, usual(), func(t *testing.T, d *desk) {
		d.signIn("1002", "1001")
		first := d.join("first")
		d.offered(first, "1002").Failed(queue.Declined)
		d.must(d.offered(first, "1001").Connected())
		d.must(d.EndTalk("1001", "first"))
		d.pass(20 * time.Second) // 1001's wrap-up; 1002 has been signed in for longer but rests for another 10 s
		d.inState("1001", queue.StateReady)
		d.pass(10 * time.Second)
		d.inState("1002", queue.StateReady)
		d.offered(d.join("second"), "1001")
		d.offered(d.join("third"), "1002")
	})
}

// An agent of two queues takes the better caller of both, and is taken once.
func testAgentOfSeveralQueues(t *testing.T, at house) {
	at.desk(t, usual(), func(t *testing.T, d *desk) {
		d.signIn("1002")
		d.talking("busy", "1002")
		bill := d.join("bill")
		repair := d.joinAs(queue.Caller{ID: "repair", Queue: "repairs", Priority: 1})
		d.must(d.EndTalk("1002", "busy"))
		d.must(d.Ready("1002"))
		o := d.offered(repair, "1002")
		d.unoffered(bill)
		if o.Queue != "repairs" || o.RingTimeout != 15*time.Second || o.ID != "repair-offer-1" {
			t.Errorf("offer %+v", o)
		}
		d.must(o.Connected())
		d.must(d.EndTalk("1002", "repair"))
		d.pass(20 * time.Second)
		d.offered(bill, "1002")
	})
}
func testWholeTalk(t *testing.T, at house) {
	at.desk(t, usual(), func(t *testing.T, d *desk) {
		d.signIn("1001")
		ticket := d.join("a")
		o := d.offered(ticket, "1001")
		d.inState("1001", queue.StateReserved)
		d.must(o.Ringing())
		d.must(o.Ringing()) // a phone may say so twice
		d.inState("1001", queue.StateRinging)
		d.waits(ticket, 1)
		d.pass(3 * time.Second)
		d.must(o.Connected())
		d.waits(ticket, 0)
		if err := o.Connected(); !errors.Is(err, queue.ErrOfferOver) {
			t.Errorf("connected twice: %v", err)
		}
		if err := context.Cause(o.Context()); err != nil {
			t.Errorf("the context of a connected offer ended: %v", err)
		}
		ticket.Leave("late")
		o.Failed(queue.NoAnswer)
		d.inState("1001", queue.StateTalking)
		if c := d.last(queue.KindConnected); c.Call != "a" || c.Agent != "1001" || c.From != queue.StateRinging || c.To != queue.StateTalking || c.WaitedMs < 3000 || c.WaitedMs > 3900 || c.Offer != o.ID {
			t.Errorf("recorded %+v", c)
		}
		d.must(d.Hold("1001", "a"))
		d.inState("1001", queue.StateHold)
		d.must(d.Resume("1001", "a"))
		if err := d.EndTalk("1001", "b"); !errors.Is(err, queue.ErrNotTheirCall) {
			t.Errorf("ending somebody else's call: %v", err)
		}
		d.must(d.EndTalk("1001", "a"))
		d.inState("1001", queue.StateWrapUp)
		next := d.join("b")
		d.pass(19 * time.Second)
		d.unoffered(next)
		d.pass(time.Second)
		d.offered(next, "1001")
	})
}
func testNoWrapUp(t *testing.T, at house) {
	o := usual()
	o.Queues[0].WrapUp = 0
	at.desk(t, o, func(t *testing.T, d *desk) {
		d.signIn("1001")
		d.talking("a", "1001")
		d.must(d.EndTalk("1001", "a"))
		d.inState("1001", queue.StateReady)
	})
}

// Each way an offer fails has its own consequence for the agent, and none for
// the caller's place.
func testRefusals(t *testing.T, at house) {
	for _, row := range []struct {
		refusal queue.Refusal
		state   queue.State
		rest    time.Duration // after which the agent is ready again; zero: not by themselves
	}{
		{queue.NoAnswer, queue.StatePaused, 30 * time.Second},
		{queue.Declined, queue.StatePaused, 30 * time.Second},
		{queue.Unreachable, queue.StateUnreachable, 0},
		{"burnt down", queue.StatePaused, 30 * time.Second},
	} {
		t.Run(string(row.refusal), func(t *testing.T) {
			at.desk(t, usual(), func(t *testing.T, d *desk) {
				d.signIn("1001", "1002")
				first := d.join("first")
				second := d.join("second")
				d.offered(second, "1002").Failed(queue.Declined)
				third := d.join("third")
				o := d.offered(first, "1001")
				o.Failed(row.refusal)
				if !errors.Is(context.Cause(o.Context()), queue.ErrOfferOver) {
					t.Errorf("the offer's context: %v", context.Cause(o.Context()))
				}
				d.inState("1001", row.state)
				for i, ticket := range []*queue.Ticket{first, second, third} {
					d.waits(ticket, i+1)
				}
				if v, _ := d.Agent("1001"); v.Reason == "" || v.OutOfService {
					t.Errorf("the agent's view says no reason, or out of service after one offer: %+v", v)
				}
				must := "no-answer"
				if row.refusal != "burnt down" {
					must = string(row.refusal)
				}
				if c := d.last(queue.KindRefused); c.Cause != must || c.Call != "first" || c.Agent != "1001" || c.To != row.state {
					t.Errorf("recorded %+v", c)
				}
				if row.rest == 0 {
					must := d.Reachable("1001")
					d.must(must)
					d.offered(first, "1001")
					return
				}
				d.must(d.Pause("1002", "lunch"))
				d.pass(row.rest - time.Second)
				d.inState("1001", queue.StatePaused)
				d.pass(time.Second)
				d.offered(first, "1001")
			})
		})
	}
}
func testTwoMissesTakeOut(t *testing.T, at house) {
	at.desk(t, usual(), func(t *testing.T, d *desk) {
		d.signIn("1001")
		ticket := d.join("a")
		d.offered(ticket, "1001").Failed(queue.NoAnswer)
		d.pass(30 * time.Second)
		d.offered(ticket, "1001").Failed(queue.Declined) // somebody sits there: counted anew
		d.pass(30 * time.Second)
		d.offered(ticket, "1001").Failed(queue.NoAnswer)
		d.pass(30 * time.Second)
		d.offered(ticket, "1001").Failed(queue.NoAnswer)
		v, _ := d.Agent("1001")
		if v.State != queue.StatePaused || !v.OutOfService || v.Reason != "no-answer" {
			t.Errorf("after two misses in a row: %+v", v)
		}
		if c := d.last(queue.KindRefused); !c.Out || c.To != queue.StatePaused || c.Cause != "no-answer" {
			t.Errorf("recorded %+v", c)
		}
		d.pass(50 * time.Second)
		d.inState("1001", queue.StatePaused)
		d.must(d.Ready("1001"))
		o := d.offered(ticket, "1001")
		if o.Number != 5 || o.ID != "a-offer-5" {
			t.Errorf("the fifth offer is %d, %s", o.Number, o.ID)
		}
		o.Failed(queue.NoAnswer) // Ready counted as somebody being there
		if v, _ := d.Agent("1001"); v.OutOfService {
			t.Error("taken out after one miss since being ready")
		}
	})
}

// The caller hangs up while the phone rings: it stops at once, the agent is
// ready again and keeps the idle time, so they are first for the next caller.
func testCallerLeavesWhileRinging(t *testing.T, at house) {
	for name, leave := range map[string]func(ticket *queue.Ticket, o *queue.Offer){
		"Leave":                   func(ticket *queue.Ticket, _ *queue.Offer) { ticket.Leave("hang-up") },
		"Failed(queue.Cancelled)": func(_ *queue.Ticket, o *queue.Offer) { o.Failed(queue.Cancelled) },
	} {
		t.Run(name, func(t *testing.T) {
			at.desk(t, usual(), func(t *testing.T, d *desk) {
				d.signIn("1001")
				d.pass(time.Minute)
				d.signIn("1002")
				before, _ := d.Agent("1001")
				ticket := d.join("a")
				o := d.offered(ticket, "1001")
				d.must(o.Ringing())
				leave(ticket, o)
				leave(ticket, o)
				if !errors.Is(context.Cause(o.Context()), queue.ErrCallerLeft) {
					t.Errorf("the offer's context: %v", context.Cause(o.Context()))
				}
				if err := o.Connected(); !errors.Is(err, queue.ErrOfferOver) || !errors.Is(err, queue.ErrCallerLeft) {
					t.Errorf("an answer that came too late: %v", err)
				}
				if c := d.last(queue.KindLeft); c.Call != "a" || c.Agent != "1001" || c.From != queue.StateRinging || c.To != queue.StateReady {
					t.Errorf("recorded %+v", c)
				}
				after, _ := d.Agent("1001")
				if after.State != queue.StateReady || !after.IdleSince.Equal(before.IdleSince) {
					t.Errorf("idle since %v before and %v after (%s)", before.IdleSince, after.IdleSince, after.State)
				}
				d.offered(d.join("b"), "1001")
			})
		})
	}
}

// An agent who signs out or pauses while an offer is out loses it; the caller
// keeps the place and goes to the next agent.
func testWithdrawnOffer(t *testing.T, at house) {
	for state, ask := range map[queue.State]func(d *desk) error{
		queue.StateOffline: func(d *desk) error { return d.SignOut("1001") },
		queue.StatePaused:  func(d *desk) error { return d.Pause("1001", "lunch") },
	} {
		t.Run(state.String(), func(t *testing.T) {
			at.desk(t, usual(), func(t *testing.T, d *desk) {
				d.signIn("1001", "1002")
				ticket := d.join("a")
				o := d.offered(ticket, "1001")
				d.must(ask(d))
				if !errors.Is(context.Cause(o.Context()), queue.ErrWithdrawn) {
					t.Errorf("the offer's context: %v", context.Cause(o.Context()))
				}
				d.inState("1001", state)
				d.offered(ticket, "1002")
				o.Failed(queue.NoAnswer) // the report of the old offer harms nobody
				d.inState("1002", queue.StateReserved)
			})
		})
	}
}

// An offer that ended before the call read it is replaced by the next.
func testUnreadOfferIsReplaced(t *testing.T, at house) {
	at.desk(t, usual(), func(t *testing.T, d *desk) {
		d.signIn("1001", "1002")
		ticket := d.join("a")
		d.settle()
		d.must(d.SignOut("1001"))
		d.offered(ticket, "1002")
	})
}
func testUnreportedOffer(t *testing.T, at house) {
	at.desk(t, usual(), func(t *testing.T, d *desk) {
		d.signIn("1001")
		before, _ := d.Agent("1001")
		ticket := d.join("a")
		next := d.join("b")
		o := d.offered(ticket, "1001")
		d.must(o.Ringing())
		d.pass(19 * time.Second)
		d.inState("1001", queue.StateRinging)
		d.pass(time.Second)
		d.lapsed(ticket, queue.LapseUnreported)
		if !errors.Is(context.Cause(o.Context()), queue.ErrUnreported) {
			t.Errorf("the offer's context: %v", context.Cause(o.Context()))
		}
		if v, _ := d.Agent("1001"); !v.IdleSince.Equal(before.IdleSince) {
			t.Errorf("the agent's idle time was lost: %+v", v)
		}
		if c := d.last(queue.KindLapsed); c.Agent != "1001" || c.Call != "a" || c.From != queue.StateRinging || c.To != queue.StateReady || c.Cause != queue.LapseUnreported {
			t.Errorf("recorded %+v", c)
		}
		d.offered(next, "1001")
	})
}
func testAskedDuringTalk(t *testing.T, at house) {
	for _, row := range []struct {
		name string
		ask  func(d *desk) error
		then queue.State // shown during the talk
		end  queue.State // when that is wrapped up
	}{
		{"sign out", func(d *desk) error { return d.SignOut("1001") }, queue.StateOffline, queue.StateOffline},
		{"pause", func(d *desk) error { return d.Pause("1001", "lunch") }, queue.StatePaused, queue.StatePaused},
		{"sign out, taken back", func(d *desk) error { return errors.Join(d.SignOut("1001"), d.SignIn("1001")) }, 0, queue.StateReady},
		{"pause, taken back", func(d *desk) error { return errors.Join(d.Pause("1001", "lunch"), d.Ready("1001")) }, 0, queue.StateReady},
		{"pause, then sign out", func(d *desk) error { return errors.Join(d.Pause("1001", "lunch"), d.SignOut("1001")) }, queue.StateOffline, queue.StateOffline},
	} {
		asked := func(t *testing.T, d *desk) {
			d.signIn("1001")
			d.talking("a", "1001")
			d.must(d.Hold("1001", "a"))
			d.must(row.ask(d))
			d.is("1001", queue.StateHold, row.then)
			if counts := d.SignedIn("bills") == 1; counts != (row.end != queue.StateOffline) {
				t.Errorf("the agent counts as signed in: %v, though they will be %s", counts, row.end)
			}
			d.must(d.EndTalk("1001", "a"))
		}
		granted := func(t *testing.T, d *desk) {
			d.is("1001", row.end, 0)
			if v, _ := d.Agent("1001"); v.State == queue.StatePaused && v.Reason != "lunch" {
				t.Errorf("paused because of %q, want lunch", v.Reason)
			}
		}
		for end, wrapsUp := range map[string]func(d *desk){
			"wrapped up":                 func(d *desk) { d.pass(10 * time.Second) },
			"wrapped up before the time": func(d *desk) { d.must(d.Finish("1001")) },
			"came back to the call before": func(d *desk) {
				d.must(errors.Join(d.Rejoin("1001", "a"), d.EndTalk("1001", "a")))
				d.pass(20 * time.Second)
			},
		} {
			t.Run(row.name+", "+end, func(t *testing.T) {
				at.desk(t, usual(), func(t *testing.T, d *desk) {
					asked(t, d)
					d.is("1001", queue.StateWrapUp, row.then)
					d.pass(10 * time.Second)
					d.is("1001", queue.StateWrapUp, row.then) // so that there is time for the call's code
					wrapsUp(d)
					granted(t, d)
				})
			})
		}
		t.Run(row.name+", with no wrap-up", func(t *testing.T) {
			o := usual()
			o.Queues[0].WrapUp = 0
			at.desk(t, o, func(t *testing.T, d *desk) {
				asked(t, d)
				granted(t, d)
			})
		})
		t.Run(row.name+", and ready in the wrap-up", func(t *testing.T) {
			at.desk(t, usual(), func(t *testing.T, d *desk) {
				asked(t, d)
				d.must(d.Ready("1001")) // which takes it back
				d.is("1001", queue.StateReady, 0)
			})
		})
	}
	at.desk(t, usual(), func(t *testing.T, d *desk) {
		d.signIn("1001")
		if err := d.Finish("1001"); !errors.Is(err, queue.ErrTransition) {
			t.Errorf("finishing a wrap-up there is not: %v", err)
		}
		if err := d.Finish("9"); !errors.Is(err, queue.ErrUnknownAgent) {
			t.Errorf("finishing the wrap-up of nobody: %v", err)
		}
	})
}
func testImpossible(t *testing.T, at house) {
	at.desk(t, usual(), func(t *testing.T, d *desk) {
		refused := func(err error, from queue.State) {
			t.Helper()
			var te *queue.TransitionError
			if !errors.As(err, &te) || !errors.Is(err, queue.ErrTransition) || te.From != from || te.AgentID != "1001" {
				t.Errorf("got %v, want a queue.TransitionError from %s", err, from)
			}
		}
		refused(d.SignOut("1001"), queue.StateOffline)
		refused(d.Pause("1001", "lunch"), queue.StateOffline)
		refused(d.Hold("1001", "a"), queue.StateOffline)
		refused(d.Rejoin("1001", "a"), queue.StateOffline)
		d.signIn("1001")
		refused(d.SignIn("1001"), queue.StateReady)
		refused(d.EndTalk("1001", "a"), queue.StateReady)
		d.talking("a", "1001")
		refused(d.Ready("1001"), queue.StateTalking)
		refused(d.Rejoin("1001", "a"), queue.StateTalking)
		for _, err := range []error{d.SignIn("9"), d.SignOut("9"), d.Reachable("9"), d.Hold("9", "a")} {
			if !errors.Is(err, queue.ErrUnknownAgent) {
				t.Errorf("got %v, want ErrUnknownAgent", err)
			}
		}
		if err := d.Close("nowhere", queue.LapseClosing); !errors.Is(err, queue.ErrUnknownQueue) {
			t.Errorf("got %v, want ErrUnknownQueue", err)
		}
		d.must(d.Reachable("1001")) // a phone registers again and again
		d.inState("1001", queue.StateTalking)
		d.must(d.Unreachable("1001")) // a talk has a line of its own
		d.inState("1001", queue.StateTalking)
		if _, ok := d.Agent("9"); ok || d.SignedIn("nowhere") != 0 {
			t.Error("an agent or queue that does not exist is shown")
		}
	})
}
func testRejoin(t *testing.T, at house) {
	for _, row := range []struct {
		name string
		then func(d *desk) error // between the hang-up and the rejoining
		want error
	}{
		{"in wrap-up", func(*desk) error { return nil }, nil},
		{"ready already", func(d *desk) error { return d.Ready("1001") }, nil},
		{"paused", func(d *desk) error { return d.Pause("1001", "lunch") }, nil},
		{"signed out", func(d *desk) error { return d.SignOut("1001") }, queue.ErrTransition},
		{"the caller waits for somebody else", func(d *desk) error { d.joinAs(queue.Caller{ID: "a", Queue: "bills", Head: true}); return nil }, queue.ErrNotTheirCall},
		{"the caller talks to somebody else", func(d *desk) error {
			d.signIn("1002")
			return d.offered(d.joinAs(queue.Caller{ID: "a", Queue: "bills", Head: true, Offers: 1}), "1002").Connected()
		}, queue.ErrNotTheirCall},
	} {
		t.Run(row.name, func(t *testing.T) {
			at.desk(t, usual(), func(t *testing.T, d *desk) {
				d.signIn("1001")
				d.talking("a", "1001")
				d.must(d.EndTalk("1001", "a"))
				d.pass(5 * time.Second)
				d.must(row.then(d))
				if err := d.Rejoin("1001", "a"); !errors.Is(err, row.want) {
					t.Fatalf("rejoining: %v, want %v", err, row.want)
				}
				if row.want != nil {
					return
				}
				d.inState("1001", queue.StateTalking)
				if c := d.last(queue.KindAgentState); c.Call != "a" || c.To != queue.StateTalking {
					t.Errorf("recorded %+v", c)
				}
				d.pass(time.Minute) // the old wrap-up's end is no longer anybody's
				d.inState("1001", queue.StateTalking)
				d.signIn("1003")
				d.must(d.EndTalk("1001", "a"))
				d.pass(20 * time.Second)
				d.offered(d.join("b"), "1001")
			})
		})
	}
	t.Run("another call", func(t *testing.T) {
		at.desk(t, usual(), func(t *testing.T, d *desk) {
			d.signIn("1001")
			d.talking("a", "1001")
			d.must(d.EndTalk("1001", "a"))
			if err := d.Rejoin("1001", "b"); !errors.Is(err, queue.ErrNotTheirCall) {
				t.Errorf("rejoining another call: %v", err)
			}
		})
	})
}
func testLastSignOutLapses(t *testing.T, at house) {
	at.desk(t, usual(), func(t *testing.T, d *desk) {
		d.signIn("1001", "1002")
		d.talking("busy", "1001")
		d.must(d.Pause("1002", "lunch"))
		first, second := d.join("first"), d.join("second")
		d.must(d.SignOut("1001")) // while talking: the caller stays, but nobody counts on 1001
		d.waits(second, 2)
		d.must(d.SignOut("1002"))
		d.lapsed(first, queue.LapseSignedOut)
		d.lapsed(second, queue.LapseSignedOut)
		d.waits(first, 0)
		d.inState("1001", queue.StateTalking)
	})
}

// The agent who is last signs out while the phone rings for a caller.
func testLastSignOutWithOfferLapses(t *testing.T, at house) {
	at.desk(t, usual(), func(t *testing.T, d *desk) {
		d.signIn("1001")
		ticket := d.join("a")
		o := d.offered(ticket, "1001")
		d.must(d.SignOut("1001"))
		d.lapsed(ticket, queue.LapseSignedOut)
		if !errors.Is(context.Cause(o.Context()), queue.ErrWithdrawn) {
			t.Errorf("the offer's context: %v", context.Cause(o.Context()))
		}
	})
}
func testUnattendedLapses(t *testing.T, at house) {
	at.desk(t, usual(), func(t *testing.T, d *desk) {
		d.signIn("1001", "1002")
		ticket := d.join("a")
		d.offered(ticket, "1001").Failed(queue.Unreachable)
		d.offered(ticket, "1002").Failed(queue.Unreachable)
		d.pass(59 * time.Second)
		d.must(d.Reachable("1001"))
		d.offered(ticket, "1001").Failed(queue.Unreachable)
		d.pass(59 * time.Second)
		late := d.join("b")
		d.waits(late, 2)
		d.pass(time.Second)
		d.lapsed(ticket, queue.LapseUnattended)
		d.lapsed(late, queue.LapseUnattended)
		if _, err := d.Join(queue.Caller{ID: "c", Queue: "bills"}); !errors.Is(err, queue.ErrNobodySignedIn) {
			t.Errorf("joining a queue nobody attends: %v", err)
		}
		d.must(d.Reachable("1002"))
		d.offered(d.join("d"), "1002")
	})
}

// Nobody is offered to an agent whose phone is known to be gone, and who waits is once it is back.
func testPhoneGone(t *testing.T, at house) {
	at.desk(t, usual(), func(t *testing.T, d *desk) {
		d.signIn("1001", "1002")
		d.must(d.Unreachable("1001"))
		d.inState("1001", queue.StateUnreachable)
		if c := d.last(queue.KindAgentState); c.Cause != "phone gone" || c.From != queue.StateReady {
			t.Errorf("recorded %+v", c)
		}
		first, second := d.join("a"), d.join("b")
		d.offered(first, "1002")
		d.waits(second, 2)
		d.must(d.Reachable("1001"))
		d.offered(second, "1001")
		d.must(d.Unreachable("1001")) // an offer finds out by itself
		d.inState("1001", queue.StateReserved)
	})
}

// Callers do not wait for ever for agents who are all at lunch; a rest after a refusal is no lunch.
func testEverybodyOnABreak(t *testing.T, at house) {
	at.desk(t, usual(), func(t *testing.T, d *desk) {
		d.signIn("1001", "1002")
		d.must(d.Pause("1001", "lunch"))
		ticket := d.join("a")
		d.offered(ticket, "1002").Failed(queue.Declined) // who rests for 30 s and is back then
		d.pass(30 * time.Second)
		d.offered(ticket, "1002")
		d.must(d.Pause("1002", "lunch"))
		d.pass(10*time.Minute - 15*time.Second) // a slow machine takes some itself
		late := d.join("b")
		d.waits(late, 2)
		d.pass(15 * time.Second)
		d.lapsed(ticket, queue.LapseUnattended)
		d.lapsed(late, queue.LapseUnattended)
		if _, err := d.Join(queue.Caller{ID: "c", Queue: "bills"}); !errors.Is(err, queue.ErrNobodySignedIn) {
			t.Errorf("joining a queue whose agents all are at lunch: %v", err)
		}
		d.must(d.Ready("1001"))
		d.offered(d.join("d"), "1001")
	})
}

// Of two who change the same version one is refused, and neither makes or takes away what the other has not seen.
func testChangesOfWhatWasSeen(t *testing.T, at house) {
	at.desk(t, usual(), func(t *testing.T, d *desk) {
		rules := d.Rules()[0]
		first, second := rules, rules
		first.MaxWaiting, second.MaxWaiting = 7, 8
		d.must(d.SetRules(first, "first", rules.Version()))
		agent, _ := d.Agent("1001")
		changed := agent.Profile
		changed.Skills = map[string]int{"english": 1}
		d.must(d.SetProfile(changed, "first", agent.Version()))
		for what, refused := range map[string]error{
			"rules changed since":      d.SetRules(second, "second", rules.Version()),
			"rules that are there":     d.SetRules(second, "second", queue.Absent),
			"rules that are not there": d.SetRules(queue.Rules{ID: "new"}, "second", rules.Version()),
			"a queue changed since":    d.RemoveQueue(rules.ID, "second", rules.Version()),
			"a profile changed since":  d.SetProfile(agent.Profile, "second", agent.Version()),
			"an agent changed since":   d.RemoveAgent("1001", "second", agent.Version()),
		} {
			if !errors.Is(refused, queue.ErrChanged) {
				t.Errorf("%s: %v, want %v", what, refused, queue.ErrChanged)
			}
		}
		d.must(d.SetRules(second, "second", first.Version()))
		d.must(d.SetRules(queue.Rules{ID: "new"}, "second", queue.Absent))
		d.must(d.RemoveQueue("new", "second")) // whatever it is
	})
}

func testClose(t *testing.T, at house) {
	at.desk(t, usual(), func(t *testing.T, d *desk) {
		d.signIn("1001", "1002")
		ringing, failing, waiting := d.join("ringing"), d.join("said no to"), d.join("waiting")
		d.signIn("1003")
		elsewhere := d.joinAs(queue.Caller{ID: "elsewhere", Queue: "repairs"})
		answered, refused := d.offered(ringing, "1001"), d.offered(failing, "1002")
		d.must(d.Close("bills", queue.LapseClosing))
		d.lapsed(waiting, queue.LapseClosing)
		d.waits(ringing, 1)
		d.waits(elsewhere, 1)
		d.must(answered.Connected())
		refused.Failed(queue.Declined)
		d.lapsed(failing, queue.LapseClosing)
		d.must(d.EndTalk("1001", "ringing"))
		d.join("ringing") // whoever lost an agent's line may come back after closing
	})
}

// Nobody overflows into a queue that is closed, after a wait or at once, until
// it is open again; but for those whom closing time does not concern.
func testOverflowIntoAClosedQueue(t *testing.T, at house) {
	o := usual()
	o.Queues[0].OverflowTo, o.Queues[0].OverflowAfter, o.Queues[0].MaxWaiting = "repairs", time.Minute, 1
	at.desk(t, o, func(t *testing.T, d *desk) {
		d.signIn("1001", "1003")
		d.talking("busy", "1001")
		d.must(d.Close("repairs", queue.LapseClosing))
		ticket := d.join("a")
		if _, err := d.Join(queue.Caller{ID: "b", Queue: "bills"}); !errors.Is(err, queue.ErrFull) {
			t.Errorf("joining a full queue that overflows into a closed one: %v, want %v", err, queue.ErrFull)
		}
		emergency := d.joinAs(queue.Caller{ID: "emergency", Queue: "bills", AnyHour: true})
		d.must(d.offered(emergency, "1003").Connected())
		d.must(d.EndTalk("1003", "emergency"))
		d.must(d.Ready("1003"))
		d.pass(61 * time.Second)
		d.waits(ticket, 1)
		if got := ticket.Queue(); got != "bills" {
			t.Errorf("the caller has overflowed into %s, which is closed", got)
		}
		d.must(d.Reopen("repairs"))
		d.pass(time.Minute) // tried again
		d.offered(ticket, "1003")
		if err := d.Reopen("nowhere"); !errors.Is(err, queue.ErrUnknownQueue) {
			t.Errorf("opening a queue that is not there: %v", err)
		}
	})
}

func testStop(t *testing.T, at house) {
	at.desk(t, usual(), func(t *testing.T, d *desk) {
		d.signIn("1001", "1002")
		d.talking("talking", "1001")
		ticket := d.join("a")
		o := d.offered(ticket, "1002")
		d.must(d.EndTalk("1001", "talking"))
		d.Stop()
		d.Stop()
		if !errors.Is(context.Cause(o.Context()), queue.ErrStopped) {
			t.Errorf("the offer's context: %v", context.Cause(o.Context()))
		}
		n := len(d.recorded)
		if err := o.Connected(); !errors.Is(err, queue.ErrStopped) {
			t.Errorf("connected after Stop: %v", err)
		}
		if err := o.Ringing(); !errors.Is(err, queue.ErrStopped) {
			t.Errorf("ringing after Stop: %v", err)
		}
		o.Failed(queue.Cancelled)
		ticket.Leave("shutdown")
		if err := d.Close("bills", queue.LapseClosing); !errors.Is(err, queue.ErrStopped) {
			t.Errorf("closing after Stop: %v", err)
		}
		d.pass(time.Hour)
		if len(d.recorded) != n || ticket.LapseReason() != "" {
			t.Errorf("a shutdown wrote endings: %+v", d.recorded[n:])
		}
	})
}
func testEstimate(t *testing.T, at house) {
	o := usual()
	o.Agents = append(o.Agents, queue.Profile{ID: "1004", Queues: []string{"bills"}})
	at.desk(t, o, func(t *testing.T, d *desk) {
		d.signIn("1001")
		for i, talk := range []time.Duration{40, 100, 160} { // and 20 s of wrap-up each
			ticket := d.join(fmt.Sprint("call ", i))
			if _, known := ticket.Estimate(); known {
				t.Fatalf("after %d talks an estimate was given", i)
			}
			d.must(d.offered(ticket, "1001").Connected())
			d.pass(talk * time.Second)
			d.must(d.EndTalk("1001", fmt.Sprint("call ", i)))
			d.pass(20 * time.Second)
		}
		d.talking("x", "1001")
		estimated := func(ticket *queue.Ticket, want time.Duration) {
			t.Helper()
			if got, known := ticket.Estimate(); got < want || got > want+want/20 || known != (want > 0) {
				t.Errorf("estimate %v, %v, want %v", got, known, want)
			}
		}
		first, second := d.join("first"), d.join("second")
		estimated(first, 120*time.Second)
		estimated(second, 240*time.Second)
		d.signIn("1004")
		d.must(d.offered(first, "1004").Connected())
		estimated(first, 0)
		estimated(second, 60*time.Second)
		d.signIn("1002") // who also serves repairs, where nobody waits
		d.must(d.offered(second, "1002").Connected())
		third := d.join("third")
		estimated(third, 40*time.Second)
		d.joinAs(queue.Caller{ID: "repair", Queue: "repairs"}) // half of 1002 is wanted there
		estimated(third, 48*time.Second)
		d.must(d.Pause("1004", "lunch"))
		estimated(third, 80*time.Second)
		if v := d.Queues()[0]; v.Handling < 2*time.Minute || v.Handling > 126*time.Second || v.Waiting != 1 || v.SignedIn != 3 || v.Attending != 3 || v.ID != "bills" {
			t.Errorf("the queue's view: %+v", v)
		}
	})
}
