package queue

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

func TestNewRefusesNonsense(t *testing.T) {
	for want, spoil := range map[string]func(o *Options){
		"no ID":                func(o *Options) { o.Queues[0].ID = "" },
		"described twice":      func(o *Options) { o.Queues[1].ID = "bills" },
		"ring_timeout is -1s":  func(o *Options) { o.Queues[0].RingTimeout = -time.Second },
		"max_waiting -1":       func(o *Options) { o.Queues[0].MaxWaiting = -1 },
		`"" has no ID`:         func(o *Options) { o.Agents[0].ID = "" },
		`"1001" has no ID or`:  func(o *Options) { o.Agents[1].ID = "1001" },
		`queue "complaints"`:   func(o *Options) { o.Agents[0].Queues = []string{"complaints"} },
		`1001 serves queue "b`: func(o *Options) { o.Agents[0].Queues = []string{"bills", "bills"} },
	} {
		o := usual()
		spoil(&o)
		e, err := New(o)
		if err == nil {
			e.Stop()
			t.Errorf("%s: accepted", want)
		} else if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not say %q", err, want)
		}
	}
}

func TestRulesDefaults(t *testing.T) {
	got, err := Rules{ID: "bills"}.withDefaults()
	want := Rules{ID: "bills", RingTimeout: 15 * time.Second, ServiceLevel: 20 * time.Second, DeclinePause: 10 * time.Second, MissesBeforeOut: 2, Unattended: time.Minute,
		ServiceTarget: 80, Aging: 15 * time.Minute, Strategy: LongestIdle, WrapUpAtMost: 10 * time.Minute}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, want)
	}
}

// An operator who wants no pause after a declined offer has the agent back at once.
func TestNoDeclinePause(t *testing.T) {
	o := usual()
	o.Queues[0].DeclinePause = -1
	atDesk(t, o, func(t *testing.T, d *desk) {
		d.signIn("1001")
		ticket := d.join("first")
		d.offered(ticket, "1001").Failed(Declined)
		synctest.Wait()
		d.offered(ticket, "1001")
	})
}

func TestJoinErrors(t *testing.T) {
	o := usual()
	o.Queues[0].MaxWaiting = 2
	atDesk(t, o, func(t *testing.T, d *desk) {
		refused := func(c Caller, want error) {
			t.Helper()
			if _, err := d.Join(c); !errors.Is(err, want) {
				t.Errorf("joining %+v: %v, want %v", c, err, want)
			}
		}
		refused(Caller{ID: "a", Queue: "complaints"}, ErrUnknownQueue)
		refused(Caller{ID: "a", Queue: "bills"}, ErrNobodySignedIn)
		if _, err := d.Join(Caller{Queue: "bills"}); err == nil {
			t.Error("a call without an ID was given a place")
		}
		d.signIn("1001")
		d.talking("a", "1001")
		refused(Caller{ID: "a", Queue: "bills"}, ErrDuplicate)
		d.join("b")
		refused(Caller{ID: "b", Queue: "bills"}, ErrDuplicate)
		d.join("c")
		refused(Caller{ID: "d", Queue: "bills"}, ErrFull)
		d.joinAs(Caller{ID: "urgent", Queue: "bills", Priority: 5})
		d.joinAs(Caller{ID: "returning", Queue: "bills", Head: true})
		d.signIn("1002")
		d.Stop()
		refused(Caller{ID: "e", Queue: "bills"}, ErrStopped)
		if err := d.SignIn("1003"); !errors.Is(err, ErrStopped) {
			t.Errorf("signing in after Stop: %v", err)
		}
	})
}

// A ready agent takes a caller even while as many as may wait are being rung.
func TestFullCountsOnlyWhenNobodyIsReady(t *testing.T) {
	o := usual()
	o.Queues[0].MaxWaiting = 1
	atDesk(t, o, func(t *testing.T, d *desk) {
		d.signIn("1001", "1002")
		d.offered(d.join("a"), "1001")
		d.offered(d.join("b"), "1002")
		if _, err := d.Join(Caller{ID: "c", Queue: "bills"}); !errors.Is(err, ErrFull) {
			t.Errorf("the third caller: %v, want ErrFull", err)
		}
	})
}

func TestOrder(t *testing.T) {
	atDesk(t, usual(), func(t *testing.T, d *desk) {
		d.signIn("1001")
		d.talking("busy", "1001")
		now := time.Now()
		for _, c := range []Caller{
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

func TestLongestIdleFirst(t *testing.T) {
	atDesk(t, usual(), func(t *testing.T, d *desk) {
		d.signIn("1002", "1001")
		first := d.join("first")
		d.offered(first, "1002").Failed(Declined)
		d.must(d.offered(first, "1001").Connected())
		d.must(d.EndTalk("1001", "first"))
		time.Sleep(20 * time.Second) // 1001's wrap-up; 1002 has been signed in for longer but rests for another 10 s
		d.inState("1001", StateReady)
		time.Sleep(10 * time.Second)
		d.inState("1002", StateReady)
		d.offered(d.join("second"), "1001")
		d.offered(d.join("third"), "1002")
	})
}

// An agent of two queues takes the better caller of both, and is taken once.
func TestAgentOfSeveralQueues(t *testing.T) {
	atDesk(t, usual(), func(t *testing.T, d *desk) {
		d.signIn("1002")
		d.talking("busy", "1002")
		bill := d.join("bill")
		repair := d.joinAs(Caller{ID: "repair", Queue: "repairs", Priority: 1})
		d.must(d.EndTalk("1002", "busy"))
		d.must(d.Ready("1002"))
		o := d.offered(repair, "1002")
		d.unoffered(bill)
		if o.Queue != "repairs" || o.RingTimeout != 15*time.Second || o.ID != "repair-offer-1" {
			t.Errorf("offer %+v", o)
		}
		d.must(o.Connected())
		d.must(d.EndTalk("1002", "repair"))
		time.Sleep(20 * time.Second)
		d.offered(bill, "1002")
	})
}

func TestWholeTalk(t *testing.T) {
	atDesk(t, usual(), func(t *testing.T, d *desk) {
		d.signIn("1001")
		ticket := d.join("a")
		o := d.offered(ticket, "1001")
		d.inState("1001", StateReserved)
		d.must(o.Ringing())
		d.must(o.Ringing()) // a phone may say so twice
		d.inState("1001", StateRinging)
		d.waits(ticket, 1)
		time.Sleep(3 * time.Second)
		d.must(o.Connected())
		d.waits(ticket, 0)
		if err := o.Connected(); !errors.Is(err, ErrOfferOver) {
			t.Errorf("connected twice: %v", err)
		}
		if err := context.Cause(o.Context()); err != nil {
			t.Errorf("the context of a connected offer ended: %v", err)
		}
		ticket.Leave("late")
		o.Failed(NoAnswer)
		d.inState("1001", StateTalking)
		if c := d.last(KindConnected); c.Call != "a" || c.Agent != "1001" || c.From != StateRinging || c.To != StateTalking || c.WaitedMs != 3000 || c.Offer != o.ID {
			t.Errorf("recorded %+v", c)
		}
		d.must(d.Hold("1001", "a"))
		d.inState("1001", StateHold)
		d.must(d.Resume("1001", "a"))
		if err := d.EndTalk("1001", "b"); !errors.Is(err, ErrNotTheirCall) {
			t.Errorf("ending somebody else's call: %v", err)
		}
		d.must(d.EndTalk("1001", "a"))
		d.inState("1001", StateWrapUp)
		next := d.join("b")
		time.Sleep(19 * time.Second)
		d.unoffered(next)
		time.Sleep(time.Second)
		d.offered(next, "1001")
	})
}

func TestNoWrapUp(t *testing.T) {
	o := usual()
	o.Queues[0].WrapUp = 0
	atDesk(t, o, func(t *testing.T, d *desk) {
		d.signIn("1001")
		d.talking("a", "1001")
		d.must(d.EndTalk("1001", "a"))
		d.inState("1001", StateReady)
	})
}

// Each way an offer fails has its own consequence for the agent, and none for
// the caller's place.
func TestRefusals(t *testing.T) {
	for _, row := range []struct {
		refusal Refusal
		state   State
		rest    time.Duration // after which the agent is ready again; zero: not by themselves
	}{
		{NoAnswer, StatePaused, 30 * time.Second},
		{Declined, StatePaused, 30 * time.Second},
		{Unreachable, StateUnreachable, 0},
		{"burnt down", StatePaused, 30 * time.Second},
	} {
		t.Run(string(row.refusal), func(t *testing.T) {
			atDesk(t, usual(), func(t *testing.T, d *desk) {
				d.signIn("1001", "1002")
				first := d.join("first")
				second := d.join("second")
				d.offered(second, "1002").Failed(Declined)
				third := d.join("third")
				o := d.offered(first, "1001")
				o.Failed(row.refusal)
				if !errors.Is(context.Cause(o.Context()), ErrOfferOver) {
					t.Errorf("the offer's context: %v", context.Cause(o.Context()))
				}
				d.inState("1001", row.state)
				for i, ticket := range []*Ticket{first, second, third} {
					d.waits(ticket, i+1)
				}
				if v, _ := d.Agent("1001"); v.Reason == "" || v.OutOfService {
					t.Errorf("the agent's view says no reason, or out of service after one offer: %+v", v)
				}
				must := "no-answer"
				if row.refusal != "burnt down" {
					must = string(row.refusal)
				}
				if c := d.last(KindRefused); c.Cause != must || c.Call != "first" || c.Agent != "1001" || c.To != row.state {
					t.Errorf("recorded %+v", c)
				}
				if row.rest == 0 {
					must := d.Reachable("1001")
					d.must(must)
					d.offered(first, "1001")
					return
				}
				d.must(d.Pause("1002", "lunch"))
				time.Sleep(row.rest - time.Nanosecond)
				d.inState("1001", StatePaused)
				time.Sleep(time.Nanosecond)
				d.offered(first, "1001")
			})
		})
	}
}

func TestTwoMissesTakeOut(t *testing.T) {
	atDesk(t, usual(), func(t *testing.T, d *desk) {
		d.signIn("1001")
		ticket := d.join("a")
		d.offered(ticket, "1001").Failed(NoAnswer)
		time.Sleep(30 * time.Second)
		d.offered(ticket, "1001").Failed(Declined) // somebody sits there: counted anew
		time.Sleep(30 * time.Second)
		d.offered(ticket, "1001").Failed(NoAnswer)
		time.Sleep(30 * time.Second)
		d.offered(ticket, "1001").Failed(NoAnswer)
		v, _ := d.Agent("1001")
		if v.State != StatePaused || !v.OutOfService || v.Reason != "no-answer" {
			t.Errorf("after two misses in a row: %+v", v)
		}
		if c := d.last(KindRefused); !c.Out || c.To != StatePaused || c.Cause != "no-answer" {
			t.Errorf("recorded %+v", c)
		}
		time.Sleep(50 * time.Second)
		d.inState("1001", StatePaused)
		d.must(d.Ready("1001"))
		o := d.offered(ticket, "1001")
		if o.Number != 5 || o.ID != "a-offer-5" {
			t.Errorf("the fifth offer is %d, %s", o.Number, o.ID)
		}
		o.Failed(NoAnswer) // Ready counted as somebody being there
		if v, _ := d.Agent("1001"); v.OutOfService {
			t.Error("taken out after one miss since being ready")
		}
	})
}

// The caller hangs up while the phone rings: it stops at once, the agent is
// ready again and keeps the idle time, so they are first for the next caller.
func TestCallerLeavesWhileRinging(t *testing.T) {
	for name, leave := range map[string]func(ticket *Ticket, o *Offer){
		"Leave":             func(ticket *Ticket, _ *Offer) { ticket.Leave("hang-up") },
		"Failed(Cancelled)": func(_ *Ticket, o *Offer) { o.Failed(Cancelled) },
	} {
		t.Run(name, func(t *testing.T) {
			atDesk(t, usual(), func(t *testing.T, d *desk) {
				d.signIn("1001")
				time.Sleep(time.Minute)
				d.signIn("1002")
				before, _ := d.Agent("1001")
				ticket := d.join("a")
				o := d.offered(ticket, "1001")
				d.must(o.Ringing())
				leave(ticket, o)
				leave(ticket, o)
				if !errors.Is(context.Cause(o.Context()), ErrCallerLeft) {
					t.Errorf("the offer's context: %v", context.Cause(o.Context()))
				}
				if err := o.Connected(); !errors.Is(err, ErrOfferOver) || !errors.Is(err, ErrCallerLeft) {
					t.Errorf("an answer that came too late: %v", err)
				}
				if c := d.last(KindLeft); c.Call != "a" || c.Agent != "1001" || c.From != StateRinging || c.To != StateReady {
					t.Errorf("recorded %+v", c)
				}
				after, _ := d.Agent("1001")
				if after.State != StateReady || !after.IdleSince.Equal(before.IdleSince) {
					t.Errorf("idle since %v before and %v after (%s)", before.IdleSince, after.IdleSince, after.State)
				}
				d.offered(d.join("b"), "1001")
			})
		})
	}
}

// An agent who signs out or pauses while an offer is out loses it; the caller
// keeps the place and goes to the next agent.
func TestWithdrawnOffer(t *testing.T) {
	for state, ask := range map[State]func(d *desk) error{
		StateOffline: func(d *desk) error { return d.SignOut("1001") },
		StatePaused:  func(d *desk) error { return d.Pause("1001", "lunch") },
	} {
		t.Run(state.String(), func(t *testing.T) {
			atDesk(t, usual(), func(t *testing.T, d *desk) {
				d.signIn("1001", "1002")
				ticket := d.join("a")
				o := d.offered(ticket, "1001")
				d.must(ask(d))
				if !errors.Is(context.Cause(o.Context()), ErrWithdrawn) {
					t.Errorf("the offer's context: %v", context.Cause(o.Context()))
				}
				d.inState("1001", state)
				d.offered(ticket, "1002")
				o.Failed(NoAnswer) // the report of the old offer harms nobody
				d.inState("1002", StateReserved)
			})
		})
	}
}

// An offer that ended before the call read it is replaced by the next.
func TestUnreadOfferIsReplaced(t *testing.T) {
	atDesk(t, usual(), func(t *testing.T, d *desk) {
		d.signIn("1001", "1002")
		ticket := d.join("a")
		synctest.Wait()
		d.must(d.SignOut("1001"))
		d.offered(ticket, "1002")
	})
}

func TestUnreportedOffer(t *testing.T) {
	atDesk(t, usual(), func(t *testing.T, d *desk) {
		d.signIn("1001")
		before, _ := d.Agent("1001")
		ticket := d.join("a")
		next := d.join("b")
		o := d.offered(ticket, "1001")
		d.must(o.Ringing())
		time.Sleep(20*time.Second - time.Nanosecond)
		d.inState("1001", StateRinging)
		time.Sleep(time.Nanosecond)
		d.lapsed(ticket, LapseUnreported)
		if !errors.Is(context.Cause(o.Context()), ErrUnreported) {
			t.Errorf("the offer's context: %v", context.Cause(o.Context()))
		}
		if v, _ := d.Agent("1001"); !v.IdleSince.Equal(before.IdleSince) {
			t.Errorf("the agent's idle time was lost: %+v", v)
		}
		if c := d.last(KindLapsed); c.Agent != "1001" || c.Call != "a" || c.From != StateRinging || c.To != StateReady || c.Cause != LapseUnreported {
			t.Errorf("recorded %+v", c)
		}
		d.offered(next, "1001")
	})
}

func TestAskedDuringTalk(t *testing.T) {
	for _, row := range []struct {
		name string
		ask  func(d *desk) error
		then State // shown during the talk
		end  State // when the talk has ended
	}{
		{"sign out", func(d *desk) error { return d.SignOut("1001") }, StateOffline, StateOffline},
		{"pause", func(d *desk) error { return d.Pause("1001", "lunch") }, StatePaused, StatePaused},
		{"sign out, taken back", func(d *desk) error { return errors.Join(d.SignOut("1001"), d.SignIn("1001")) }, 0, StateWrapUp},
		{"pause, taken back", func(d *desk) error { return errors.Join(d.Pause("1001", "lunch"), d.Ready("1001")) }, 0, StateWrapUp},
		{"pause, then sign out", func(d *desk) error { return errors.Join(d.Pause("1001", "lunch"), d.SignOut("1001")) }, StateOffline, StateOffline},
	} {
		t.Run(row.name, func(t *testing.T) {
			atDesk(t, usual(), func(t *testing.T, d *desk) {
				d.signIn("1001")
				d.talking("a", "1001")
				d.must(d.Hold("1001", "a"))
				d.must(row.ask(d))
				v, _ := d.Agent("1001")
				if v.State != StateHold || v.Then != row.then {
					t.Errorf("during the talk: %s, then %s", v.State, v.Then)
				}
				if got, want := d.SignedIn("bills"), count(row.end != StateOffline); got != want {
					t.Errorf("%d agents count as signed in, want %d", got, want)
				}
				d.must(d.EndTalk("1001", "a"))
				d.inState("1001", row.end)
				if v, _ := d.Agent("1001"); v.State == StatePaused && v.Reason != "lunch" {
					t.Errorf("paused because of %q, want lunch", v.Reason)
				}
			})
		})
	}
}

func TestImpossible(t *testing.T) {
	atDesk(t, usual(), func(t *testing.T, d *desk) {
		refused := func(err error, from State) {
			t.Helper()
			var te *TransitionError
			if !errors.As(err, &te) || !errors.Is(err, ErrTransition) || te.From != from || te.AgentID != "1001" {
				t.Errorf("got %v, want a TransitionError from %s", err, from)
			}
		}
		refused(d.SignOut("1001"), StateOffline)
		refused(d.Pause("1001", "lunch"), StateOffline)
		refused(d.Hold("1001", "a"), StateOffline)
		refused(d.Rejoin("1001", "a"), StateOffline)
		d.signIn("1001")
		refused(d.SignIn("1001"), StateReady)
		refused(d.EndTalk("1001", "a"), StateReady)
		d.talking("a", "1001")
		refused(d.Ready("1001"), StateTalking)
		refused(d.Rejoin("1001", "a"), StateTalking)
		for _, err := range []error{d.SignIn("9"), d.SignOut("9"), d.Reachable("9"), d.Hold("9", "a")} {
			if !errors.Is(err, ErrUnknownAgent) {
				t.Errorf("got %v, want ErrUnknownAgent", err)
			}
		}
		if err := d.Close("nowhere", LapseClosing); !errors.Is(err, ErrUnknownQueue) {
			t.Errorf("got %v, want ErrUnknownQueue", err)
		}
		d.must(d.Reachable("1001")) // a phone registers again and again
		d.inState("1001", StateTalking)
		if _, ok := d.Agent("9"); ok || d.SignedIn("nowhere") != 0 {
			t.Error("an agent or queue that does not exist is shown")
		}
	})
}

func TestRejoin(t *testing.T) {
	for _, row := range []struct {
		name string
		then func(d *desk) error // between the hang-up and the rejoining
		want error
	}{
		{"in wrap-up", func(*desk) error { return nil }, nil},
		{"ready already", func(d *desk) error { return d.Ready("1001") }, nil},
		{"paused", func(d *desk) error { return d.Pause("1001", "lunch") }, nil},
		{"signed out", func(d *desk) error { return d.SignOut("1001") }, ErrTransition},
		{"the caller waits for somebody else", func(d *desk) error { d.joinAs(Caller{ID: "a", Queue: "bills", Head: true}); return nil }, ErrNotTheirCall},
		{"the caller talks to somebody else", func(d *desk) error {
			d.signIn("1002")
			return d.offered(d.joinAs(Caller{ID: "a", Queue: "bills", Head: true, Offers: 1}), "1002").Connected()
		}, ErrNotTheirCall},
	} {
		t.Run(row.name, func(t *testing.T) {
			atDesk(t, usual(), func(t *testing.T, d *desk) {
				d.signIn("1001")
				d.talking("a", "1001")
				d.must(d.EndTalk("1001", "a"))
				time.Sleep(5 * time.Second)
				d.must(row.then(d))
				if err := d.Rejoin("1001", "a"); !errors.Is(err, row.want) {
					t.Fatalf("rejoining: %v, want %v", err, row.want)
				}
				if row.want != nil {
					return
				}
				d.inState("1001", StateTalking)
				if c := d.last(KindAgentState); c.Call != "a" || c.To != StateTalking {
					t.Errorf("recorded %+v", c)
				}
				time.Sleep(time.Minute) // the old wrap-up's end is no longer anybody's
				d.inState("1001", StateTalking)
				d.signIn("1003")
				d.must(d.EndTalk("1001", "a"))
				time.Sleep(20 * time.Second)
				d.offered(d.join("b"), "1001")
			})
		})
	}
	t.Run("another call", func(t *testing.T) {
		atDesk(t, usual(), func(t *testing.T, d *desk) {
			d.signIn("1001")
			d.talking("a", "1001")
			d.must(d.EndTalk("1001", "a"))
			if err := d.Rejoin("1001", "b"); !errors.Is(err, ErrNotTheirCall) {
				t.Errorf("rejoining another call: %v", err)
			}
		})
	})
}

func TestLastSignOutLapses(t *testing.T) {
	atDesk(t, usual(), func(t *testing.T, d *desk) {
		d.signIn("1001", "1002")
		d.talking("busy", "1001")
		d.must(d.Pause("1002", "lunch"))
		first, second := d.join("first"), d.join("second")
		d.must(d.SignOut("1001")) // while talking: the caller stays, but nobody counts on 1001
		d.waits(second, 2)
		d.must(d.SignOut("1002"))
		d.lapsed(first, LapseSignedOut)
		d.lapsed(second, LapseSignedOut)
		d.waits(first, 0)
		d.inState("1001", StateTalking)
	})
}

// The agent who is last signs out while the phone rings for a caller.
func TestLastSignOutWithOfferLapses(t *testing.T) {
	atDesk(t, usual(), func(t *testing.T, d *desk) {
		d.signIn("1001")
		ticket := d.join("a")
		o := d.offered(ticket, "1001")
		d.must(d.SignOut("1001"))
		d.lapsed(ticket, LapseSignedOut)
		if !errors.Is(context.Cause(o.Context()), ErrWithdrawn) {
			t.Errorf("the offer's context: %v", context.Cause(o.Context()))
		}
	})
}

func TestUnattendedLapses(t *testing.T) {
	atDesk(t, usual(), func(t *testing.T, d *desk) {
		d.signIn("1001", "1002")
		ticket := d.join("a")
		d.offered(ticket, "1001").Failed(Unreachable)
		d.offered(ticket, "1002").Failed(Unreachable)
		time.Sleep(59 * time.Second)
		d.must(d.Reachable("1001"))
		d.offered(ticket, "1001").Failed(Unreachable)
		time.Sleep(59 * time.Second)
		late := d.join("b")
		d.waits(late, 2)
		time.Sleep(time.Second)
		d.lapsed(ticket, LapseUnattended)
		d.lapsed(late, LapseUnattended)
		if _, err := d.Join(Caller{ID: "c", Queue: "bills"}); !errors.Is(err, ErrNobodySignedIn) {
			t.Errorf("joining a queue nobody attends: %v", err)
		}
		d.must(d.Reachable("1002"))
		d.offered(d.join("d"), "1002")
	})
}

func TestClose(t *testing.T) {
	atDesk(t, usual(), func(t *testing.T, d *desk) {
		d.signIn("1001", "1002")
		ringing, failing, waiting := d.join("ringing"), d.join("said no to"), d.join("waiting")
		d.signIn("1003")
		elsewhere := d.joinAs(Caller{ID: "elsewhere", Queue: "repairs"})
		answered, refused := d.offered(ringing, "1001"), d.offered(failing, "1002")
		d.must(d.Close("bills", LapseClosing))
		d.lapsed(waiting, LapseClosing)
		d.waits(ringing, 1)
		d.waits(elsewhere, 1)
		d.must(answered.Connected())
		refused.Failed(Declined)
		d.lapsed(failing, LapseClosing)
		d.must(d.EndTalk("1001", "ringing"))
		d.join("ringing") // whoever lost an agent's line may come back after closing
	})
}

func TestStop(t *testing.T) {
	atDesk(t, usual(), func(t *testing.T, d *desk) {
		d.signIn("1001", "1002")
		d.talking("talking", "1001")
		ticket := d.join("a")
		o := d.offered(ticket, "1002")
		d.must(d.EndTalk("1001", "talking"))
		d.Stop()
		d.Stop()
		if !errors.Is(context.Cause(o.Context()), ErrStopped) {
			t.Errorf("the offer's context: %v", context.Cause(o.Context()))
		}
		n := len(d.recorded)
		if err := o.Connected(); !errors.Is(err, ErrStopped) {
			t.Errorf("connected after Stop: %v", err)
		}
		if err := o.Ringing(); !errors.Is(err, ErrStopped) {
			t.Errorf("ringing after Stop: %v", err)
		}
		o.Failed(Cancelled)
		ticket.Leave("shutdown")
		if err := d.Close("bills", LapseClosing); !errors.Is(err, ErrStopped) {
			t.Errorf("closing after Stop: %v", err)
		}
		time.Sleep(time.Hour)
		if len(d.recorded) != n || ticket.LapseReason() != "" {
			t.Errorf("a shutdown wrote endings: %+v", d.recorded[n:])
		}
	})
}

// Record may ask the engine things, and an offer waits for it.
func TestRecordComesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		var e *Engine
		o := usual()
		o.Record = func([]Change) { e.Agents(); <-gate }
		e, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		if err := e.SignIn("1001"); err != nil {
			t.Fatal(err)
		}
		ticket, err := e.Join(Caller{ID: "a", Queue: "bills"})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		select {
		case <-ticket.Offers():
			t.Error("the call learned of an offer that was not recorded")
		default:
		}
		close(gate)
		synctest.Wait()
		select {
		case <-ticket.Offers():
		default:
			t.Error("the offer was recorded but never told")
		}
		e.Stop()
	})
}

func TestEstimate(t *testing.T) {
	o := usual()
	o.Agents = append(o.Agents, Profile{ID: "1004", Queues: []string{"bills"}})
	atDesk(t, o, func(t *testing.T, d *desk) {
		d.signIn("1001")
		for i, talk := range []time.Duration{40, 100, 160} { // and 20 s of wrap-up each
			ticket := d.join(fmt.Sprint("call ", i))
			if _, known := ticket.Estimate(); known {
				t.Fatalf("after %d talks an estimate was given", i)
			}
			d.must(d.offered(ticket, "1001").Connected())
			time.Sleep(talk * time.Second)
			d.must(d.EndTalk("1001", fmt.Sprint("call ", i)))
			time.Sleep(20 * time.Second)
		}
		d.talking("x", "1001")
		estimated := func(ticket *Ticket, want time.Duration) {
			t.Helper()
			if got, known := ticket.Estimate(); got != want || known != (want > 0) {
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
		d.joinAs(Caller{ID: "repair", Queue: "repairs"}) // half of 1002 is wanted there
		estimated(third, 48*time.Second)
		d.must(d.Pause("1004", "lunch"))
		estimated(third, 80*time.Second)
		if v := d.Queues()[0]; v.Handling != 2*time.Minute || v.Waiting != 1 || v.SignedIn != 3 || v.Attending != 3 || v.ID != "bills" {
			t.Errorf("the queue's view: %+v", v)
		}
	})
}

func TestHandlingForgets(t *testing.T) {
	var h handling
	for range handlingKept {
		h.add(time.Hour)
	}
	for range handlingKept {
		h.add(time.Minute)
	}
	if got, _ := h.mean(); got != time.Minute {
		t.Errorf("the mean of the latest talks is %v, want 1m", got)
	}
}

// The service's clock may be set (festivals); order and clocks do not care.
func TestWallClockIsInjected(t *testing.T) {
	o := usual()
	festival := time.Date(2026, 2, 17, 9, 0, 0, 0, time.UTC)
	o.Now = func() time.Time { return festival }
	atDesk(t, o, func(t *testing.T, d *desk) {
		d.signIn("1001")
		ticket := d.join("a")
		if !ticket.Caller().Arrived.Equal(festival) {
			t.Errorf("arrived %v, want %v", ticket.Caller().Arrived, festival)
		}
		if c := d.last(KindJoined); !c.At.Equal(festival) {
			t.Errorf("recorded at %v", c.At)
		}
		time.Sleep(20 * time.Second)
		d.lapsed(ticket, LapseUnreported)
	})
}

func TestMetrics(t *testing.T) {
	o := usual()
	r := prometheus.NewPedanticRegistry()
	o.Registerer = r
	atDesk(t, o, func(t *testing.T, d *desk) {
		d.Join(Caller{ID: "nobody", Queue: "bills"})
		d.signIn("1001", "1002")
		ticket := d.join("a")
		d.offered(ticket, "1001").Failed(Declined)
		d.must(d.offered(ticket, "1002").Connected())
		d.join("b")
		left := d.join("c")
		left.Leave("hang-up")
		got := figures(t, r)
		for name, want := range map[string]float64{
			"hotline_queue_agents offline":                 1,
			"hotline_queue_agents paused":                  1,
			"hotline_queue_agents talking":                 1,
			"hotline_queue_agents ready":                   0,
			"hotline_queue_offers_total bills connected":   1,
			"hotline_queue_offers_total bills declined":    1,
			"hotline_queue_turned_away_total bills nobody": 1,
			"hotline_queue_waiting bills":                  1,
			"hotline_queue_answered_total yes bills":       1,
			"hotline_queue_answered_total no bills":        0,
			"hotline_queue_wait_seconds connected bills":   1,
			"hotline_queue_wait_seconds left bills":        1,
		} {
			if value, there := got[name]; !there || value != want {
				t.Errorf("%s is %v (counted: %v), want %v", name, value, there, want)
			}
		}
	})
	if _, err := New(o); err == nil {
		t.Error("metrics were registered twice without a word")
	}
}

// figures are a registry's metrics by name and label values; of histograms the
// count.
func figures(t *testing.T, r prometheus.Gatherer) map[string]float64 {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			name := family.GetName()
			for _, label := range m.GetLabel() {
				name += " " + label.GetValue()
			}
			values[name] = m.GetGauge().GetValue() + m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return values
}
