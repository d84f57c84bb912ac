package queue

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// afterRestart is an engine that is held, as after a restart.
func afterRestart() Options {
	o := usual()
	o.Hold = true
	return o
}

// again is a caller who waited before the restart.
func again(id string) Caller { return Caller{ID: id, Queue: "bills", Again: true} }

// Each state an agent can have been in when the service was last seen, and
// when they take the next caller.
func TestRestore(t *testing.T) {
	const never = time.Hour
	ago := func(d time.Duration) time.Time { return time.Now().Add(-d) }
	for _, row := range []struct {
		name     string
		was      func() Restored
		state    State         // once restored
		recorded string        // the kind and cause of what fell due meanwhile, if anything did
		offered  time.Duration // how long after Open the next caller is offered to the agent
		then     func(d *desk) error
	}{
		{name: "offline", was: func() Restored { return Restored{State: StateOffline, Since: ago(time.Hour)} },
			state: StateOffline, offered: never},
		{name: "ready", was: func() Restored { return Restored{State: StateReady, Since: ago(time.Minute)} },
			state: StateReady},
		{name: "reserved", was: func() Restored {
			return Restored{State: StateReserved, Since: ago(time.Minute), Call: "a", Queue: "bills", Offer: "a-offer-1"}
		}, state: StateReady, recorded: "queue.refused restart"},
		{name: "ringing", was: func() Restored {
			return Restored{State: StateRinging, Since: ago(time.Minute), Call: "a", Queue: "bills", Offer: "a-offer-1"}
		}, state: StateReady, recorded: "queue.refused restart"},
		{name: "talking", was: func() Restored {
			return Restored{State: StateTalking, Since: ago(time.Minute), Call: "t", Queue: "bills"}
		}, state: StateTalking, offered: 20 * time.Second, then: func(d *desk) error {
			return errors.Join(d.Hold("1001", "t"), d.Resume("1001", "t"), d.EndTalk("1001", "t"))
		}},
		{name: "on hold", was: func() Restored {
			return Restored{State: StateHold, Since: ago(time.Minute), Call: "t", Queue: "bills"}
		}, state: StateHold, offered: 20 * time.Second, then: func(d *desk) error {
			return errors.Join(d.Resume("1001", "t"), d.EndTalk("1001", "t"))
		}},
		{name: "talking, with a break asked for", was: func() Restored {
			return Restored{State: StateTalking, Since: ago(time.Minute), Call: "t", Queue: "bills", Then: StatePaused, ThenReason: "lunch"}
		}, state: StateTalking, offered: never, then: func(d *desk) error { return d.EndTalk("1001", "t") }},
		{name: "talking, with a break asked for and taken back", was: func() Restored {
			return Restored{State: StateTalking, Since: ago(time.Minute), Call: "t", Queue: "bills", Then: StatePaused, ThenReason: "lunch"}
		}, state: StateTalking, offered: 20 * time.Second, then: func(d *desk) error { return errors.Join(d.Ready("1001"), d.EndTalk("1001", "t")) }},
		{name: "talking in a queue that is no more", was: func() Restored {
			return Restored{State: StateTalking, Since: ago(time.Minute), Call: "t", Queue: "complaints"}
		}, state: StateTalking, then: func(d *desk) error { return d.EndTalk("1001", "t") }},
		{name: "wrap-up", was: func() Restored {
			return Restored{State: StateWrapUp, Since: ago(15 * time.Second), Call: "t", Queue: "bills", WrapUpLeft: 5 * time.Second}
		}, state: StateWrapUp, offered: 5 * time.Second},
		{name: "wrap-up, with a break asked for", was: func() Restored {
			return Restored{State: StateWrapUp, Since: ago(15 * time.Second), Call: "t", Queue: "bills", WrapUpLeft: 5 * time.Second, Then: StatePaused, ThenReason: "lunch"}
		}, state: StateWrapUp, offered: never},
		{name: "wrap-up, with a break asked for that is taken back", was: func() Restored {
			return Restored{State: StateWrapUp, Since: ago(15 * time.Second), Call: "t", Queue: "bills", WrapUpLeft: 5 * time.Second, Then: StatePaused, ThenReason: "lunch"}
		}, state: StateWrapUp, then: func(d *desk) error { return d.Ready("1001") }},
		{name: "wrap-up that is over", was: func() Restored {
			return Restored{State: StateWrapUp, Since: ago(time.Minute), Call: "t", Queue: "bills", WrapUpLeft: -40 * time.Second}
		}, state: StateReady, recorded: "agent.state wrap-up over"},
		{name: "wrap-up, and the agent comes back to the call", was: func() Restored {
			return Restored{State: StateWrapUp, Since: ago(15 * time.Second), Call: "t", Queue: "bills", WrapUpLeft: 5 * time.Second}
		}, state: StateWrapUp, offered: 20 * time.Second, then: func(d *desk) error {
			return errors.Join(d.Rejoin("1001", "t"), d.EndTalk("1001", "t"))
		}},
		{name: "on a break, and the agent comes back to the last call", was: func() Restored {
			return Restored{State: StatePaused, Since: ago(time.Second), Call: "t", Queue: "bills"}
		}, state: StatePaused, offered: 20 * time.Second, then: func(d *desk) error {
			return errors.Join(d.Rejoin("1001", "t"), d.EndTalk("1001", "t"))
		}},
		{name: "on a break", was: func() Restored {
			return Restored{State: StatePaused, Since: ago(time.Hour), Reason: "lunch"}
		}, state: StatePaused, offered: never},
		{name: "back from a break", was: func() Restored {
			return Restored{State: StatePaused, Since: ago(time.Hour), Reason: "lunch"}
		}, state: StatePaused, then: func(d *desk) error { return d.Ready("1001") }},
		{name: "resting after a refusal", was: func() Restored {
			return Restored{State: StatePaused, Rest: true, Since: ago(20 * time.Second), Reason: "declined", Queue: "bills"}
		}, state: StatePaused, offered: 10 * time.Second},
		{name: "resting, by a clock that was set back", was: func() Restored {
			return Restored{State: StatePaused, Rest: true, Since: ago(-time.Hour), Reason: "declined", Queue: "bills"}
		}, state: StatePaused, offered: 30 * time.Second},
		{name: "rested", was: func() Restored {
			return Restored{State: StatePaused, Rest: true, Since: ago(30 * time.Second), Reason: "no-answer", Queue: "bills"}
		}, state: StateReady, recorded: "agent.state rested"},
		{name: "resting from a queue that is no more", was: func() Restored {
			return Restored{State: StatePaused, Rest: true, Since: ago(time.Second), Reason: "declined", Queue: "complaints"}
		}, state: StateReady, recorded: "agent.state rested"},
		{name: "out of service", was: func() Restored {
			return Restored{State: StatePaused, Out: true, Misses: 2, Since: ago(time.Hour), Reason: "no-answer"}
		}, state: StatePaused, offered: never},
		{name: "out of service, until the agent says so", was: func() Restored {
			return Restored{State: StatePaused, Out: true, Misses: 2, Since: ago(time.Hour), Reason: "no-answer"}
		}, state: StatePaused, then: func(d *desk) error { return d.SignIn("1001") }},
		{name: "unreachable", was: func() Restored {
			return Restored{State: StateUnreachable, Since: ago(time.Hour), Reason: "unreachable"}
		}, state: StateUnreachable, offered: never},
		{name: "unreachable, until the phone registers", was: func() Restored {
			return Restored{State: StateUnreachable, Since: ago(time.Hour), Reason: "unreachable"}
		}, state: StateUnreachable, then: func(d *desk) error { return d.Reachable("1001") }},
	} {
		t.Run(row.name, func(t *testing.T) {
			o := afterRestart()
			o.Queues[0].Unattended = 2 * never // callers wait on while everybody is out of service
			atDesk(t, o, func(t *testing.T, d *desk) {
				was := row.was()
				was.Agent = "1001"
				d.must(d.Restore([]Restored{was, {Agent: "1002", State: StatePaused, Since: time.Now()}}))
				d.inState("1001", row.state)
				d.checkRecorded(row.recorded)
				if v, _ := d.Agent("1001"); v.State == was.State && (!v.Since.Equal(was.Since) || v.Then != was.Then || v.OutOfService != was.Out ||
					v.State == StatePaused && v.Reason != was.Reason || v.State.InTalk() && (v.Call != was.Call || v.Queue != was.Queue)) {
					t.Errorf("restored as %+v\nfrom %+v", v, was)
				}
				ticket := d.joinAs(again("a"))
				d.unoffered(ticket)
				d.Open()
				if row.then != nil {
					d.must(row.then(d))
				}
				if row.offered > 0 {
					d.unoffered(ticket)
					time.Sleep(row.offered - time.Nanosecond)
					d.unoffered(ticket)
					time.Sleep(time.Nanosecond)
				}
				if row.offered < never {
					d.offered(ticket, "1001")
				}
			})
		})
	}
}

// checkRecorded: "kind cause" of the one change so far, "" for none.
func (d *desk) checkRecorded(want string) {
	d.t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	var got []string
	for _, c := range d.recorded {
		got = append(got, c.Kind+" "+c.Cause)
		if c.Agent != "1001" || c.To != StateReady || c.Kind == KindRefused && (c.Call != "a" || c.Offer != "a-offer-1") {
			d.t.Errorf("recorded %+v", c)
		}
	}
	if all := strings.Join(got, ", "); all != want {
		d.t.Errorf("recorded %q, want %q", all, want)
	}
}

// What was an offer, a wrap-up or a rest that ended meanwhile has its place
// among those who were ready all the time.
func TestRestoredIdleOrder(t *testing.T) {
	o := afterRestart()
	for _, id := range []string{"1004", "1005", "1006", "1007"} {
		o.Agents = append(o.Agents, Profile{ID: id, Queues: []string{"bills"}})
	}
	o.Agents[2].Queues = []string{"bills"}
	atDesk(t, o, func(t *testing.T, d *desk) {
		now := time.Now()
		ago := func(s int) time.Time { return now.Add(time.Duration(-s) * time.Second) }
		d.must(d.SignIn("1007")) // by control socket, before anything was restored
		d.must(d.Restore([]Restored{
			{Agent: "1006", State: StateReady, Since: ago(10)},
			{Agent: "1004", State: StateReady, Since: ago(10)}, // equals stand as they are listed
			{Agent: "1005", State: StateRinging, Since: ago(70), Call: "a", Queue: "bills", Offer: "a-offer-1"},
			{Agent: "1001", State: StateWrapUp, Since: ago(80), Call: "x", Queue: "bills", WrapUpLeft: -60 * time.Second},
			{Agent: "1002", State: StatePaused, Rest: true, Since: ago(80), Queue: "bills"}, // rested 50 s ago
			{Agent: "1003", State: StatePaused, Rest: true, Since: ago(29), Queue: "bills"}, // in a second
			{Agent: "1007", State: StateReady, Since: ago(500)},                             // has said something since
		}))
		d.must(d.Restore([]Restored{{Agent: "1005", State: StateReady, Since: now}})) // once is enough
		time.Sleep(time.Second)
		var tickets []*Ticket
		for _, id := range []string{"a", "b", "c", "d", "e", "f", "g"} {
			tickets = append(tickets, d.joinAs(again(id)))
		}
		d.Open()
		for i, agent := range []string{"1005", "1001", "1002", "1006", "1004", "1007", "1003"} {
			o := d.offered(tickets[i], agent)
			if v, _ := d.Agent("1005"); i == 0 && !v.IdleSince.Equal(ago(70)) {
				t.Errorf("whose phone rang has been idle since %v, want %v", v.IdleSince, ago(70))
			}
			d.must(o.Connected())
		}
	})
}

func TestRestoreErrors(t *testing.T) {
	atDesk(t, afterRestart(), func(t *testing.T, d *desk) {
		d.joinAs(again("waits"))
		err := d.Restore([]Restored{
			{Agent: "9", State: StateReady},
			{Agent: "1001", State: StateTalking, Call: "a", Queue: "bills"},
			{Agent: "1002", State: StateHold, Call: "a", Queue: "bills"},
			{Agent: "1003", State: 77},
		})
		for _, want := range []string{`agent "9": queue: no such agent`, `agent 1002 cannot be hold with call "a", and is ready`, "agent 1003 cannot be in state 77"} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("error %q does not say %q", err, want)
			}
		}
		if !errors.Is(err, ErrUnknownAgent) || !errors.Is(err, ErrNotTheirCall) {
			t.Errorf("got %v, want ErrUnknownAgent and ErrNotTheirCall", err)
		}
		d.inState("1001", StateTalking)
		d.inState("1002", StateReady)
		d.inState("1003", StateOffline)
		if err := d.Restore([]Restored{{Agent: "1003", State: StateTalking, Call: "waits"}}); !errors.Is(err, ErrNotTheirCall) {
			t.Errorf("a talk of a call that waits: %v", err)
		}
		d.inState("1003", StateReady)
		d.Open()
		if err := d.Restore(nil); err == nil || !strings.Contains(err.Error(), "before Open") {
			t.Errorf("restoring after Open: %v", err)
		}
		d.Stop()
		d.Open()
		if err := d.Restore(nil); !errors.Is(err, ErrStopped) {
			t.Errorf("restoring after Stop: %v", err)
		}
		if err := d.Found("1002", "b", "bills"); !errors.Is(err, ErrStopped) {
			t.Errorf("finding after Stop: %v", err)
		}
	})
}

// While the engine is held everybody who waited gets their place back, and
// nobody is offered anything; Open serves them in order.
func TestHeld(t *testing.T) {
	o := afterRestart()
	o.Queues[0].MaxWaiting = 2
	o.Agents[0].Queues = []string{"bills", "repairs"}
	atDesk(t, o, func(t *testing.T, d *desk) {
		start := time.Now()
		third := d.joinAs(Caller{ID: "third", Queue: "bills", Again: true, Arrived: start.Add(-time.Second)})
		first := d.joinAs(Caller{ID: "first", Queue: "bills", Again: true, Head: true, Arrived: start})
		second := d.joinAs(Caller{ID: "second", Queue: "bills", Again: true, Arrived: start.Add(-time.Minute)})
		gone := d.joinAs(Caller{ID: "gone", Queue: "bills", Again: true, Arrived: start.Add(-time.Hour)})
		repair := d.joinAs(Caller{ID: "repair", Queue: "repairs", Again: true, Arrived: start.Add(-30 * time.Second)})
		d.signIn("1001") // agents are listened to
		d.must(d.Pause("1001", "break"))
		if _, err := d.Join(Caller{ID: "new", Queue: "bills"}); !errors.Is(err, ErrFull) {
			t.Errorf("a new caller where the places are taken: %v, want ErrFull", err)
		}
		gone.Leave("hang-up")
		for i, ticket := range []*Ticket{first, second, third} {
			d.waits(ticket, i+1)
		}
		d.must(d.Restore([]Restored{{Agent: "1002", State: StateReady, Since: start.Add(-time.Hour)}}))
		d.must(d.Ready("1001"))
		time.Sleep(2 * time.Minute)
		for _, ticket := range []*Ticket{first, second, third, repair} {
			d.unoffered(ticket)
		}
		if v := d.Queues()[0]; v.Ready != 2 || v.Waiting != 3 || v.LongestWait != 2*time.Minute {
			t.Errorf("the held queue is shown as %+v", v)
		}
		d.Open()
		d.Open()
		d.offered(first, "1002")
		d.offered(second, "1001")
		d.unoffered(third)
		d.unoffered(repair)
		d.signIn("1003")
		d.offered(repair, "1003")
	})
}

// Whoever waited before the restart is not refused for want of agents; who still
// waits in vain at Open is told. A newcomer is told at once.
func TestHeldWithNobodySignedIn(t *testing.T) {
	atDesk(t, afterRestart(), func(t *testing.T, d *desk) {
		back := d.joinAs(again("back"))
		elsewhere := d.joinAs(Caller{ID: "elsewhere", Queue: "repairs", Again: true})
		d.must(d.Restore([]Restored{{Agent: "1003", State: StateUnreachable, Since: time.Now()}}))
		if _, err := d.Join(Caller{ID: "early", Queue: "bills"}); !errors.Is(err, ErrNobodySignedIn) {
			t.Errorf("a newcomer with nobody signed in before Open: %v", err)
		}
		d.signIn("1001")
		fresh := d.join("fresh")
		d.must(d.SignOut("1001")) // does not make anybody lapse yet
		time.Sleep(10 * time.Minute)
		d.waits(back, 1)
		d.Open()
		d.lapsed(back, LapseSignedOut)
		d.lapsed(fresh, LapseSignedOut)
		if _, err := d.Join(again("late")); !errors.Is(err, ErrNobodySignedIn) {
			t.Errorf("joining with nobody signed in after Open: %v", err)
		}
		d.waits(elsewhere, 1)
		time.Sleep(time.Minute) // the clock of unattended callers began at Open
		d.lapsed(elsewhere, LapseUnattended)
	})
}

func TestCloseWhileHeld(t *testing.T) {
	atDesk(t, afterRestart(), func(t *testing.T, d *desk) {
		ticket := d.joinAs(again("a"))
		d.must(d.Close("bills", LapseClosing))
		d.lapsed(ticket, LapseClosing)
		d.Open()
	})
}

// A wait is told and measured from its beginning, not from the restart.
func TestWaitedBefore(t *testing.T) {
	o := afterRestart()
	r := prometheus.NewPedanticRegistry()
	o.Registerer = r
	atDesk(t, o, func(t *testing.T, d *desk) {
		d.must(d.Restore([]Restored{{Agent: "1001", State: StateReady, Since: time.Now()}}))
		if got := figures(t, r); got["hotline_queue_held"] != 1 {
			t.Errorf("hotline_queue_held is %v while the engine is held", got["hotline_queue_held"])
		}
		c := again("a")
		c.Waited, c.Offers = 50*time.Second, 2
		ticket := d.joinAs(c)
		time.Sleep(2 * time.Second)
		if v := d.Waiting("bills")[0]; v.Waited != 52*time.Second {
			t.Errorf("the caller is shown as having waited %v", v.Waited)
		}
		if c := d.last(KindJoined); !c.Again || c.WaitedMs != 50_000 {
			t.Errorf("recorded %+v", c)
		}
		d.Open()
		o := d.offered(ticket, "1001")
		if o.Waited != 52*time.Second || o.ID != "a-offer-3" {
			t.Errorf("offer %s after %v", o.ID, o.Waited)
		}
		d.must(o.Connected())
		if c := d.last(KindConnected); c.WaitedMs != 52_000 {
			t.Errorf("recorded %+v", c)
		}
		got := figures(t, r)
		for name, want := range map[string]float64{
			"hotline_queue_held":                    0,
			"hotline_queue_rejoined_total bills":    1,
			"hotline_queue_answered_total no bills": 1,
		} {
			if value, there := got[name]; !there || value != want {
				t.Errorf("%s is %v (counted: %v), want %v", name, value, there, want)
			}
		}
	})
}

// The estimate of a wait counts a restored talk from its beginning.
func TestRestoredTalksAreMeasured(t *testing.T) {
	o := afterRestart()
	atDesk(t, o, func(t *testing.T, d *desk) {
		now := time.Now()
		d.must(d.Restore([]Restored{
			{Agent: "1001", State: StateTalking, Since: now.Add(-10 * time.Second), Began: now.Add(-100 * time.Second), Call: "a", Queue: "bills"},
			{Agent: "1002", State: StateWrapUp, Since: now.Add(-30 * time.Second), Began: now.Add(-130 * time.Second), Call: "b", Queue: "bills", WrapUpLeft: -10 * time.Second},
		}))
		d.must(d.EndTalk("1001", "a"))
		time.Sleep(20 * time.Second)
		d.inState("1001", StateReady)
		if h := d.machine.queues["bills"].handled; h.count != 2 || h.sum != 2*120*time.Second {
			t.Errorf("%d talks took %v, want 2 of 2m each", h.count, h.sum)
		}
	})
}

// Callers who arrived at the same moment stand as they will after a restart.
func TestEqualArrivalsStandByCall(t *testing.T) {
	o := usual()
	festival := time.Date(2026, 2, 17, 9, 0, 0, 0, time.UTC)
	o.Now = func() time.Time { return festival }
	atDesk(t, o, func(t *testing.T, d *desk) {
		d.signIn("1001")
		d.talking("busy", "1001")
		for _, id := range []string{"b", "c", "a"} {
			d.join(id)
		}
		var got []string
		for _, v := range d.Waiting("bills") {
			got = append(got, v.ID)
		}
		if want := []string{"a", "b", "c"}; !slices.Equal(got, want) {
			t.Errorf("the callers stand as %q, want %q", got, want)
		}
	})
}

func TestPrefer(t *testing.T) {
	o := usual()
	o.Queues[0].PreferFor = 30 * time.Second
	for _, row := range []struct {
		name   string
		queue  string
		agent  string
		before func(d *desk) // the caller joins; 1001 has been idle for longest
		want   string        // who is offered the call at once; "" for nobody
		after  func(d *desk)
		then   string // who is offered it after that
	}{
		{name: "ready", queue: "bills", agent: "1002", want: "1002"},
		{name: "unknown", queue: "bills", agent: "9", want: "1001"},
		{name: "of another queue", queue: "bills", agent: "1003", want: "1001"},
		{name: "offline", queue: "bills", agent: "1002", before: func(d *desk) { d.must(d.SignOut("1002")) }, want: "1001"},
		{name: "on a break", queue: "bills", agent: "1002", before: func(d *desk) { d.must(d.Pause("1002", "lunch")) }, want: "1001"},
		{name: "busy, in a queue that does not wait for anybody", queue: "repairs", agent: "1002", before: busy, want: "1003"},
		{name: "busy, ready in time", queue: "bills", agent: "1002", before: busy,
			after: func(d *desk) { d.must(d.EndTalk("1002", "busy")); d.must(d.Ready("1002")) }, then: "1002"},
		{name: "busy for too long", queue: "bills", agent: "1002", before: busy, after: func(*desk) { time.Sleep(30 * time.Second) }, then: "1001"},
		{name: "busy, and signing out", queue: "bills", agent: "1002", before: busy, after: func(d *desk) { d.must(d.SignOut("1002")) }, then: "1001"},
	} {
		t.Run(row.name, func(t *testing.T) {
			atDesk(t, o, func(t *testing.T, d *desk) {
				d.signIn("1001", "1002", "1003")
				if row.before != nil {
					row.before(d)
				}
				ticket := d.joinAs(Caller{ID: "a", Queue: row.queue, Prefer: row.agent})
				if c := d.last(KindJoined); c.Prefer != row.agent {
					t.Errorf("recorded %+v", c)
				}
				if row.want != "" {
					d.offered(ticket, row.want)
					return
				}
				d.unoffered(ticket)
				row.after(d)
				d.offered(ticket, row.then)
			})
		})
	}
}

func busy(d *desk) { d.must(d.Found("1002", "busy", "bills")) }

// Who waits for an agent of their own lets others pass, keeps the place, and
// takes the place's right again when that agent does not take the call.
func TestPreferKeepsThePlace(t *testing.T) {
	o := usual()
	o.Queues[0].PreferFor = 30 * time.Second
	atDesk(t, o, func(t *testing.T, d *desk) {
		d.signIn("1002")
		busy(d)
		choosy := d.joinAs(Caller{ID: "a", Queue: "bills", Prefer: "1002"})
		next, last := d.join("b"), d.join("c")
		d.signIn("1001")
		d.must(d.offered(next, "1001").Connected())
		d.waits(choosy, 1)
		d.must(d.EndTalk("1002", "busy"))
		d.must(d.Ready("1002"))
		d.offered(choosy, "1002").Failed(Declined)
		d.must(d.EndTalk("1001", "b"))
		d.must(d.Ready("1001"))
		d.offered(choosy, "1001")
		d.unoffered(last)
	})
}

func TestPreferAfterRestart(t *testing.T) {
	atDesk(t, afterRestart(), func(t *testing.T, d *desk) {
		now := time.Now()
		c := again("a")
		c.Prefer = "1002"
		ticket, other := d.joinAs(c), d.joinAs(again("b"))
		d.must(d.Restore([]Restored{
			{Agent: "1001", State: StateReady, Since: now.Add(-time.Minute)},
			{Agent: "1002", State: StateReady, Since: now},
		}))
		d.Open()
		d.offered(ticket, "1002")
		d.offered(other, "1001")
	})
}

// Asterisk shows an agent and a call together, whatever was known of either.
func TestFound(t *testing.T) {
	for _, row := range []struct {
		name   string
		before func(d *desk)
		from   State // zero: an error
		want   error
	}{
		{name: "ready", before: func(d *desk) {}, from: StateReady},
		{name: "on a break", before: func(d *desk) { d.must(d.Pause("1001", "lunch")) }, from: StatePaused},
		{name: "unreachable", before: func(d *desk) { d.offered(d.join("x"), "1001").Failed(Unreachable) }, from: StateUnreachable},
		{name: "in wrap-up", before: func(d *desk) { d.talking("x", "1001"); d.must(d.EndTalk("1001", "x")) }, from: StateWrapUp},
		{name: "the phone rings for this call", before: func(d *desk) { d.must(d.offered(d.join("a"), "1001").Ringing()) }, from: StateRinging},
		{name: "the phone rings for another call", before: func(d *desk) { d.offered(d.join("x"), "1001") }, from: StateReady},
		{name: "the call waits", before: func(d *desk) {
			d.must(d.Pause("1001", "lunch"))
			d.join("a")
		}, from: StatePaused},
		{name: "another phone rings for the call", before: func(d *desk) {
			d.must(d.Pause("1001", "lunch"))
			d.signIn("1002")
			d.offered(d.join("a"), "1002")
		}, from: StatePaused},
		{name: "offline", before: func(d *desk) { d.must(d.SignOut("1001")) }, want: ErrTransition},
		{name: "with another call", before: func(d *desk) { d.talking("x", "1001") }, want: ErrTransition},
		{name: "the call is with another agent", before: func(d *desk) {
			d.must(d.Pause("1001", "lunch"))
			d.signIn("1002")
			d.talking("a", "1002")
		}, want: ErrNotTheirCall},
	} {
		t.Run(row.name, func(t *testing.T) {
			atDesk(t, usual(), func(t *testing.T, d *desk) {
				d.signIn("1001")
				row.before(d)
				for range 2 { // a talk that is known is no error
					if err := d.Found("1001", "a", "bills"); !errors.Is(err, row.want) {
						t.Fatalf("found: %v, want %v", err, row.want)
					}
				}
				if row.want != nil {
					return
				}
				d.inState("1001", StateTalking)
				if c := d.last(KindConnected); c.Cause != CauseFound || c.From != row.from || c.To != StateTalking || c.Call != "a" || c.Agent != "1001" || c.Queue != "bills" {
					t.Errorf("recorded %+v", c)
				}
				if got := d.Waiting("bills"); slices.ContainsFunc(got, func(v CallerView) bool { return v.ID == "a" }) {
					t.Errorf("the call still waits: %+v", got)
				}
				d.must(d.Hold("1001", "a"))
				d.must(d.EndTalk("1001", "a"))
				d.inState("1001", StateWrapUp)
			})
		})
	}
	atDesk(t, usual(), func(t *testing.T, d *desk) {
		if err := d.Found("9", "a", "bills"); !errors.Is(err, ErrUnknownAgent) {
			t.Errorf("an unknown agent is found: %v", err)
		}
	})
}

// What was offered to others goes on where it can.
func TestFoundLetsTheOthersGoOn(t *testing.T) {
	atDesk(t, usual(), func(t *testing.T, d *desk) {
		d.signIn("1001", "1002")
		a, b := d.join("a"), d.join("b")
		toFirst, toSecond := d.offered(a, "1001"), d.offered(b, "1002")
		c := d.join("c")
		d.must(d.Found("1001", "b", "bills")) // whose phone rang for a, while 1002's rang for b
		for _, o := range []*Offer{toFirst, toSecond} {
			if !errors.Is(context.Cause(o.Context()), ErrWithdrawn) {
				t.Errorf("the context of %s: %v", o.ID, context.Cause(o.Context()))
			}
		}
		d.offered(a, "1002")
		d.waits(c, 2)
		d.waits(b, 0)
	})
}

// An answer that is found ends its own offer as Connected does: the talk goes
// on using it.
func TestFoundKeepsItsOffer(t *testing.T) {
	atDesk(t, usual(), func(t *testing.T, d *desk) {
		d.signIn("1001")
		o := d.offered(d.join("a"), "1001")
		d.must(d.Found("1001", "a", "bills"))
		if o.Context().Err() != nil {
			t.Errorf("the offer's context ended: %v", context.Cause(o.Context()))
		}
		if c := d.last(KindConnected); c.Offer != o.ID {
			t.Errorf("recorded %+v", c)
		}
		o.Failed(NoAnswer)
		d.inState("1001", StateTalking)
	})
}

// What an agent was doing, told from the changes alone.
func TestRestoredFromChanges(t *testing.T) {
	atDesk(t, usual(), func(t *testing.T, d *desk) {
		start := time.Now()
		at := func(s int) time.Time { return start.Add(time.Duration(s) * time.Second) }
		told := func(want Restored) {
			t.Helper()
			synctest.Wait()
			got := Restored{Agent: "1001"}
			d.mu.Lock()
			for _, c := range d.recorded { // among those of others
				got = got.After(c)
			}
			d.mu.Unlock()
			want.Agent = "1001"
			if got != want {
				t.Errorf("told from the changes: %+v\nwant                  : %+v", got, want)
			}
			time.Sleep(time.Second)
		}
		d.signIn("1001", "1002")
		told(Restored{State: StateReady, Since: at(0)})
		ticket := d.join("a")
		o := d.offered(ticket, "1001")
		told(Restored{State: StateReserved, Since: at(0), Call: "a", Queue: "bills", Offer: "a-offer-1"})
		d.must(o.Ringing())
		told(Restored{State: StateRinging, Since: at(0), Call: "a", Queue: "bills", Offer: "a-offer-1"})
		ticket.Leave("hang-up")
		told(Restored{State: StateReady, Since: at(0)})
		ticket = d.join("b")
		d.offered(ticket, "1001").Failed(NoAnswer)
		told(Restored{State: StatePaused, Since: at(4), Reason: "no-answer", Rest: true, Misses: 1, Queue: "bills"})
		d.must(d.offered(ticket, "1002").Connected())
		time.Sleep(29 * time.Second)
		told(Restored{State: StateReady, Since: at(34), Misses: 1, Queue: "bills"})
		ticket = d.join("c")
		d.offered(ticket, "1001").Failed(NoAnswer)
		told(Restored{State: StatePaused, Since: at(35), Reason: "no-answer", Out: true, Misses: 2, Queue: "bills"})
		d.must(d.Ready("1001"))
		d.must(d.offered(ticket, "1001").Connected())
		told(Restored{State: StateTalking, Since: at(36), Call: "c", Queue: "bills", Began: at(36), Part: at(36)})
		d.must(d.Hold("1001", "c"))
		d.must(d.Pause("1001", "lunch"))
		told(Restored{State: StateHold, Since: at(37), Call: "c", Queue: "bills", Began: at(36), Part: at(36), Then: StatePaused, ThenReason: "lunch"})
		d.must(d.Resume("1001", "c"))
		told(Restored{State: StateTalking, Since: at(38), Call: "c", Queue: "bills", Began: at(36), Part: at(36), Then: StatePaused, ThenReason: "lunch"})
		d.must(d.Ready("1001"))
		told(Restored{State: StateTalking, Since: at(38), Call: "c", Queue: "bills", Began: at(36), Part: at(36)})
		d.must(d.EndTalk("1001", "c"))
		told(Restored{State: StateWrapUp, Since: at(40), Call: "c", Queue: "bills", Began: at(36)})
		d.must(d.Pause("1001", "tea"))
		told(Restored{State: StatePaused, Since: at(41), Reason: "tea", Call: "c", Queue: "bills", Began: at(36)})
		d.must(d.Rejoin("1001", "c"))
		told(Restored{State: StateTalking, Since: at(42), Call: "c", Queue: "bills", Began: at(42), Part: at(42)})
		d.must(d.SignOut("1001"))
		d.must(d.EndTalk("1001", "c"))
		told(Restored{State: StateWrapUp, Since: at(43), Call: "c", Queue: "bills", Began: at(42), Then: StateOffline, ThenReason: "signed out"})
		d.must(d.Rejoin("1001", "c"))
		told(Restored{State: StateTalking, Since: at(44), Call: "c", Queue: "bills", Began: at(42), Part: at(44), Then: StateOffline, ThenReason: "signed out"})
		d.must(d.EndTalk("1001", "c"))
		time.Sleep(20 * time.Second)
		told(Restored{State: StateOffline, Since: at(65)})
	})
}

// A wrap-up that ended while nobody was there ended as was asked for during the
// talk, and so did the offer that called somebody back from one.
func TestWhatWasAskedForDuringATalkIsGrantedAfterARestart(t *testing.T) {
	began := func() time.Time { return time.Now().Add(-time.Minute) }
	for name, was := range map[string]func() Restored{
		"the wrap-up is over": func() Restored {
			return Restored{State: StateWrapUp, Since: began(), Call: "t", Queue: "bills", WrapUpLeft: -40 * time.Second}
		},
		"called back from the wrap-up": func() Restored {
			return Restored{State: StateRinging, Since: began(), Call: "t", Queue: "bills", Offer: "t-to-1001-1", Third: true}
		},
	} {
		t.Run(name, func(t *testing.T) {
			atDesk(t, afterRestart(), func(t *testing.T, d *desk) {
				r := was()
				r.Agent, r.Then, r.ThenReason = "1001", StatePaused, "lunch"
				d.must(d.Restore([]Restored{r}))
				if v, _ := d.Agent("1001"); v.State != StatePaused || v.Reason != "lunch" || v.Then != 0 {
					t.Errorf("restored as %+v, want the break", v)
				}
				if c := d.last(KindAgentState); c.To != StatePaused || c.Cause != "lunch" || c.Then != 0 {
					t.Errorf("recorded %+v", c)
				}
			})
		})
	}
}

// Whoever was with a call beside its own agent is so again, whichever of the
// two is restored first; a second third is not.
func TestRestoreThirds(t *testing.T) {
	o := afterRestart()
	o.Agents = append(o.Agents, Profile{ID: "1004", Queues: []string{"bills"}})
	atDesk(t, o, func(t *testing.T, d *desk) {
		began := time.Now().Add(-time.Minute)
		part := func(agent string, state State, third bool) Restored {
			return Restored{Agent: agent, State: state, Since: began, Part: began, Call: "a", Queue: "bills", Third: third}
		}
		err := d.Restore([]Restored{part("1002", StateConsult, true), part("1001", StateConsult, false), part("1003", StateConsult, true)})
		if !errors.Is(err, ErrNotTheirCall) || !strings.Contains(err.Error(), "agent 1003 cannot be consult") {
			t.Errorf("restoring two thirds of a call: %v", err)
		}
		for agent, other := range map[string]string{"1001": "1002", "1002": "1001"} {
			if v, _ := d.Agent(agent); v.State != StateConsult || v.Call != "a" || v.With != other || v.Third != (agent == "1002") || !v.Began.Equal(began) {
				t.Errorf("restored as %+v", v)
			}
		}
		if _, err := d.Call("1003", "b"); !errors.Is(err, ErrHeld) {
			t.Errorf("calling somebody in before Open: %v", err)
		}
		d.must(d.SignIn("1004"))
		d.Open()
		d.must(d.HandOver("a", "1001", "1002"))
		d.inState("1001", StateWrapUp)
		d.inState("1002", StateTalking)
		if o, err := d.Call("1004", "a"); err != nil || o.With != "1002" {
			t.Errorf("called in by the new agent: %+v, %v", o, err)
		}
	})
}
