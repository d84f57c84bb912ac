package queue

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// hallOf is one queue "bills" with these rules and agents 1001, 1002, … in it,
// all of whom are usual otherwise.
func hallOf(r Rules, agents int) Options {
	r.ID, r.DeclinePause, r.Unattended = "bills", 30*time.Second, time.Hour
	o := Options{Queues: []Rules{r}}
	for i := range agents {
		o.Agents = append(o.Agents, Profile{ID: fmt.Sprint(1001 + i), Queues: []string{"bills"}})
	}
	return o
}

// everybody signs in, one after the other.
func (d *desk) everybody(o Options) {
	d.t.Helper()
	for _, p := range o.Agents {
		d.signIn(p.ID)
		time.Sleep(time.Second)
	}
}

// A step of priority is worth so much waiting, and no more: who has waited
// longer is ahead.
func TestAging(t *testing.T) {
	for _, row := range []struct {
		name     string
		aging    time.Duration
		priority int
		later    time.Duration // how much later the better caller arrives
		passes   bool
	}{
		{"a step later", time.Minute, 1, 59 * time.Second, true},
		{"more than a step later", time.Minute, 1, 61 * time.Second, false},
		{"nine steps later", time.Minute, 9, 8 * time.Minute, true},
		{"more than nine steps later", time.Minute, 9, 541 * time.Second, false},
		{"by default a step is a quarter of an hour", 0, 1, 14 * time.Minute, true},
		{"and no more", 0, 1, 16 * time.Minute, false},
		{"of two who count the same the earlier is ahead", time.Minute, 1, time.Minute, false},
		{"worse than ordinary", time.Minute, -1, -59 * time.Second, false},
		{"any number will do", 24 * time.Hour, 1 << 40, 24 * time.Hour, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			atDesk(t, hallOf(Rules{Aging: row.aging}, 1), func(t *testing.T, d *desk) {
				d.signIn("1001")
				d.talking("busy", "1001")
				now := time.Now()
				ordinary := d.joinAs(Caller{ID: "ordinary", Queue: "bills", Arrived: now})
				better := d.joinAs(Caller{ID: "better", Queue: "bills", Priority: row.priority, Arrived: now.Add(row.later)})
				d.waits(ordinary, 1+count(row.passes))
				d.waits(better, 2-count(row.passes))
			})
		})
	}
}

// An agent of several queues takes the longest waiter, or goes by weights.
func TestOrderBetweenQueues(t *testing.T) {
	for _, row := range []struct {
		name    string
		weights map[string]int
		bill    time.Duration // how long each has waited
		repair  time.Duration
		want    string
	}{
		{"the longest waiter", nil, 50 * time.Second, 40 * time.Second, "bill"},
		{"whatever the queue", nil, 40 * time.Second, 50 * time.Second, "repair"},
		{"a wait counts three times", map[string]int{"repairs": 3}, 50 * time.Second, 20 * time.Second, "repair"},
		{"and no more", map[string]int{"repairs": 3}, 50 * time.Second, 15 * time.Second, "bill"},
		{"both count", map[string]int{"bills": 2, "repairs": 3}, 40 * time.Second, 25 * time.Second, "bill"},
	} {
		t.Run(row.name, func(t *testing.T) {
			o := usual()
			o.Agents[1].Weights = row.weights
			atDesk(t, o, func(t *testing.T, d *desk) {
				d.signIn("1002")
				d.talking("busy", "1002")
				now := time.Now()
				tickets := map[string]*Ticket{
					"bill":   d.joinAs(Caller{ID: "bill", Queue: "bills", Arrived: now.Add(-row.bill)}),
					"repair": d.joinAs(Caller{ID: "repair", Queue: "repairs", Arrived: now.Add(-row.repair)}),
				}
				d.must(d.EndTalk("1002", "busy"))
				d.must(d.Ready("1002"))
				d.offered(tickets[row.want], "1002")
			})
		})
	}
}

// Who comes back to the head of a queue is before every weight.
func TestHeadBeforeWeights(t *testing.T) {
	o := usual()
	o.Agents[1].Weights = map[string]int{"repairs": MostWeight}
	atDesk(t, o, func(t *testing.T, d *desk) {
		d.signIn("1002")
		d.talking("busy", "1002")
		d.joinAs(Caller{ID: "repair", Queue: "repairs", Arrived: time.Now().Add(-time.Hour)})
		back := d.joinAs(Caller{ID: "back", Queue: "bills", Head: true})
		d.must(d.EndTalk("1002", "busy"))
		d.must(d.Ready("1002"))
		d.offered(back, "1002")
	})
}

// Agents are found by what callers need, at first and as the wait grows.
func TestSkills(t *testing.T) {
	relax := []Relaxation{{After: 30 * time.Second, By: 1}, {After: time.Minute, By: 2}}
	english := func(level int) map[string]int { return map[string]int{"english": level} }
	for _, row := range []struct {
		name  string
		queue map[string]int
		needs map[string]int
		relax []Relaxation
		has   map[string]int
		after time.Duration // of waiting, until the agent is offered
		never bool
	}{
		{name: "nothing is needed"},
		{name: "as good as needed", needs: english(3), has: english(3)},
		{name: "better", needs: english(3), has: english(5)},
		{name: "a step below", needs: english(3), has: english(2), relax: relax, after: 30 * time.Second},
		{name: "all steps below", needs: english(4), has: english(1), relax: relax, after: time.Minute},
		{name: "none at all, and in the end none is needed", needs: english(3), relax: relax, after: time.Minute},
		{name: "below for ever", needs: english(5), has: english(1), relax: relax, never: true},
		{name: "the queue asks for it", queue: english(2), has: english(1), relax: relax, after: 30 * time.Second},
		{name: "both ask, and the higher counts", queue: english(1), needs: english(3), has: english(2), relax: relax, after: 30 * time.Second},
		{name: "two are needed", needs: map[string]int{"english": 1, "tax": 2}, has: map[string]int{"english": 4, "tax": 1}, relax: relax, after: 30 * time.Second},
		{name: "another is relaxed", needs: english(2), has: english(1), relax: []Relaxation{{After: time.Second, Skill: "tax", By: 9}}, never: true},
		{name: "this one is relaxed", needs: english(2), has: english(1), relax: []Relaxation{{After: 5 * time.Second, Skill: "english", By: 9}}, after: 5 * time.Second},
	} {
		t.Run(row.name, func(t *testing.T) {
			o := hallOf(Rules{Needs: row.queue, Relax: row.relax}, 2)
			o.Agents[0].Skills = row.has
			o.Agents[1].Skills = map[string]int{"english": 9, "tax": 9} // and never ready
			atDesk(t, o, func(t *testing.T, d *desk) {
				d.signIn("1001", "1002")
				d.must(d.Pause("1002", "lunch"))
				ticket := d.joinAs(Caller{ID: "a", Queue: "bills", Needs: row.needs})
				d.waits(ticket, 1)
				if row.after > 0 {
					time.Sleep(row.after - time.Nanosecond)
					d.unoffered(ticket)
					time.Sleep(time.Nanosecond)
				}
				if row.never {
					time.Sleep(10 * time.Minute)
					d.unoffered(ticket)
					return
				}
				d.offered(ticket, "1001")
			})
		})
	}
}

// Skilled callers do not hold others up, nor are they passed by anybody whom
// the same agent could have taken.
func TestSkillsKeepTheOrder(t *testing.T) {
	o := hallOf(Rules{}, 2)
	o.Agents[1].Skills = map[string]int{"english": 2}
	atDesk(t, o, func(t *testing.T, d *desk) {
		d.signIn("1001", "1002")
		d.talking("x", "1001")
		d.talking("y", "1002")
		skilled := d.joinAs(Caller{ID: "a", Queue: "bills", Needs: map[string]int{"english": 2}})
		plain, last := d.join("b"), d.join("c")
		d.must(d.EndTalk("1001", "x"))
		d.offered(plain, "1001")
		d.waits(skilled, 1)
		d.must(d.EndTalk("1002", "y"))
		d.offered(skilled, "1002")
		d.unoffered(last)
	})
}

// A caller whom nobody could ever serve is told so, at once or as soon as it is
// so.
func TestNobodyHasTheSkill(t *testing.T) {
	o := hallOf(Rules{Relax: []Relaxation{{After: time.Minute, By: 1}}}, 2)
	o.Agents[1].Skills = map[string]int{"english": 2}
	atDesk(t, o, func(t *testing.T, d *desk) {
		d.signIn("1001", "1002")
		d.must(d.Pause("1002", "lunch"))
		if _, err := d.Join(Caller{ID: "a", Queue: "bills", Needs: map[string]int{"french": 2}}); !errors.Is(err, ErrNoSkill) || !strings.Contains(err.Error(), "french") {
			t.Errorf("joining with a skill nobody has: %v", err)
		}
		if _, err := d.Join(Caller{ID: "a", Queue: "bills", Needs: map[string]int{"english": -1}}); err == nil || !strings.Contains(err.Error(), "level -1") {
			t.Errorf("joining with a level there is none: %v", err)
		}
		ticket := d.joinAs(Caller{ID: "a", Queue: "bills", Needs: map[string]int{"english": 3}})
		plain := d.joinAs(Caller{ID: "b", Queue: "bills", Needs: map[string]int{"english": 1}})
		d.must(d.SetProfile(Profile{ID: "1002", Queues: []string{"bills"}, Skills: map[string]int{"english": 1}}, "operator"))
		d.lapsed(ticket, LapseNoSkill)
		d.waits(plain, 1)
	})
}

// When the only agents left are those without the skill, a caller who needs it
// is told that nobody is there.
func TestNobodyWithTheSkillIsThere(t *testing.T) {
	o := hallOf(Rules{}, 2)
	o.Agents[1].Skills = map[string]int{"english": 2}
	atDesk(t, o, func(t *testing.T, d *desk) {
		needy := Caller{ID: "a", Queue: "bills", Needs: map[string]int{"english": 2}}
		d.signIn("1001")
		if _, err := d.Join(needy); !errors.Is(err, ErrNobodySignedIn) {
			t.Errorf("joining with nobody there who has the skill: %v", err)
		}
		d.signIn("1002")
		d.talking("x", "1001")
		d.talking("y", "1002")
		ticket, plain := d.joinAs(needy), d.join("b")
		d.must(d.SignOut("1002"))
		d.lapsed(ticket, LapseSignedOut)
		d.waits(plain, 1)
	})
}

func TestSticky(t *testing.T) {
	for _, row := range []struct {
		name  string
		later time.Duration // between the talk and the second call
		who   string
		asks  string // Caller.Prefer
		want  string // 1002 served the first call, and 1001 has been idle for longer
	}{
		{name: "the same caller", later: time.Minute, who: "x", want: "1002"},
		{name: "somebody else", later: time.Minute, who: "y", want: "1001"},
		{name: "nobody known", later: time.Minute, want: "1001"},
		{name: "too long ago", later: time.Hour + time.Minute, who: "x", want: "1001"},
		{name: "the call knows better", later: time.Minute, who: "x", asks: "1003", want: "1003"},
	} {
		t.Run(row.name, func(t *testing.T) {
			o := hallOf(Rules{Sticky: time.Hour, MaxWaiting: 9}, 3)
			atDesk(t, o, func(t *testing.T, d *desk) {
				d.signIn("1002")
				first := d.joinAs(Caller{ID: "a", Queue: "bills", Who: "x"})
				d.must(d.offered(first, "1002").Connected())
				d.signIn("1001", "1003")
				d.must(d.EndTalk("1002", "a"))
				time.Sleep(row.later)
				d.offered(d.joinAs(Caller{ID: "b", Queue: "bills", Who: row.who, Prefer: row.asks}), row.want)
			})
		})
	}
}

// What is remembered of callers is bounded and expires.
func TestStickyForgets(t *testing.T) {
	var s sticky
	for i := range mostSticky + 10 {
		s.remember(fmt.Sprint(i), "1001", int64(i), time.Hour)
	}
	s.remember("5", "1002", mostSticky+10, time.Hour)
	if len(s.last) != mostSticky || s.of("9", 0, time.Hour) != "" || s.of("5", mostSticky+10, time.Hour) != "1002" {
		t.Errorf("%d callers are remembered", len(s.last))
	}
	s.remember("new", "1003", int64(2*time.Hour), time.Hour)
	if len(s.last) != 1 || s.order.Len() != 1 || s.of("new", int64(2*time.Hour), time.Hour) != "1003" {
		t.Errorf("after two hours %d callers are remembered, of an hour", len(s.last))
	}
}

// Each strategy with three agents, who signed in in the order 1003, 1001, 1002
// and take one call after the other; each talk ends before the next call comes.
func TestStrategies(t *testing.T) {
	for _, row := range []struct {
		strategy Strategy
		want     []string // who takes the calls
	}{
		{LongestIdle, []string{"1003", "1001", "1002", "1003", "1001"}},
		{"", []string{"1003", "1001", "1002", "1003", "1001"}},
		{Linear, []string{"1001", "1001", "1001"}},
		{RoundRobin, []string{"1001", "1002", "1003", "1001", "1002"}},
		{FewestCalls, []string{"1003", "1001", "1002", "1003", "1001"}},
	} {
		t.Run(string(row.strategy), func(t *testing.T) {
			atDesk(t, hallOf(Rules{Strategy: row.strategy}, 3), func(t *testing.T, d *desk) {
				d.signIn("1003", "1001", "1002")
				for i, want := range row.want {
					id := fmt.Sprint("call ", i)
					d.must(d.offered(d.join(id), want).Connected())
					time.Sleep(time.Second)
					d.must(d.EndTalk(want, id))
				}
			})
		})
	}
}

// The fewest calls count those taken, not those offered, and not those of
// another queue.
func TestFewestCalls(t *testing.T) {
	o := usual()
	o.Queues[0].Strategy, o.Queues[0].WrapUp, o.Queues[1].WrapUp = FewestCalls, 0, 0
	atDesk(t, o, func(t *testing.T, d *desk) {
		d.signIn("1001", "1002")
		for i := range 3 { // 1002 takes three calls of the other queue
			id := fmt.Sprint("repair ", i)
			d.must(d.offered(d.joinAs(Caller{ID: id, Queue: "repairs"}), "1002").Connected())
			d.must(d.EndTalk("1002", id))
		}
		d.must(d.offered(d.join("a"), "1001").Connected())
		d.must(d.EndTalk("1001", "a"))
		declined := d.join("b")
		d.offered(declined, "1002").Failed(Declined)
		d.must(d.offered(declined, "1001").Connected())
		d.must(d.EndTalk("1001", "b"))
		d.must(d.Ready("1002"))
		d.offered(d.join("c"), "1002")
	})
}

// offersTo returns the ticket's offers by agent, who must be just these.
func (d *desk) offersTo(ticket *Ticket, agents ...string) map[string]*Offer {
	d.t.Helper()
	synctest.Wait()
	got := map[string]*Offer{}
	for range agents {
		select {
		case o := <-ticket.Offers():
			got[o.Agent.ID] = o
		default:
		}
	}
	for _, agent := range agents {
		if got[agent] == nil {
			d.t.Fatalf("call %s was offered to %d agents, and not to %s: %v", ticket.Caller().ID, len(got), agent, got)
		}
	}
	d.unoffered(ticket)
	return got
}

func (d *desk) ended(o *Offer, why error) {
	d.t.Helper()
	if !errors.Is(context.Cause(o.Context()), why) {
		d.t.Errorf("offer %s to %s ended with %v, want %v", o.ID, o.Agent.ID, context.Cause(o.Context()), why)
	}
}

// Of several agents who are free at once, each has the caller who by their
// weights is next.
func TestWeightsOfOneOfManyWhoAreFreeAtOnce(t *testing.T) {
	o := hallOf(Rules{Strategy: RingAll, RingAtMost: 3}, 3)
	o.Queues = append(o.Queues, Rules{ID: "repairs"})
	o.Agents[0].Queues, o.Agents[0].Weights = []string{"bills", "repairs"}, map[string]int{"repairs": 4}
	atDesk(t, o, func(t *testing.T, d *desk) {
		d.everybody(o) // so that 1001 is the longest idle
		rings := d.offersTo(d.join("a"), "1001", "1002", "1003")
		bill := d.join("bill")
		time.Sleep(time.Second)
		repair := d.joinAs(Caller{ID: "repair", Queue: "repairs"})
		time.Sleep(5 * time.Second)
		d.must(rings["1003"].Connected())
		d.offered(repair, "1001")
		d.offered(bill, "1002")
	})
}

// All phones ring; who answers first has the caller, and nobody else.
func TestRingAll(t *testing.T) {
	o := hallOf(Rules{Strategy: RingAll, RingAtMost: 3}, 4)
	ringing := func(t *testing.T, test func(t *testing.T, d *desk, ticket *Ticket, offers map[string]*Offer)) {
		atDesk(t, o, func(t *testing.T, d *desk) {
			d.everybody(o)
			ticket := d.join("a")
			test(t, d, ticket, d.offersTo(ticket, "1001", "1002", "1003"))
		})
	}
	t.Run("one winner", func(t *testing.T) {
		ringing(t, func(t *testing.T, d *desk, ticket *Ticket, offers map[string]*Offer) {
			d.waits(ticket, 1)
			if v := d.Waiting("bills")[0]; v.OfferedTo != "1001" || len(v.AlsoTo) != 2 {
				t.Errorf("the caller is shown as offered to %q and %q", v.OfferedTo, v.AlsoTo)
			}
			d.must(offers["1002"].Connected())
			for _, agent := range []string{"1001", "1003"} {
				d.ended(offers[agent], ErrElsewhere)
				d.inState(agent, StateReady)
				if err := offers[agent].Connected(); !errors.Is(err, ErrOfferOver) || !errors.Is(err, ErrElsewhere) {
					t.Errorf("the second answer: %v", err)
				}
			}
			d.inState("1002", StateTalking)
			if offers["1002"].Context().Err() != nil {
				t.Error("the winner's offer was cancelled")
			}
			if c := d.last(KindRefused); c.Cause != CauseElsewhere || c.To != StateReady {
				t.Errorf("recorded %+v", c)
			}
			d.offersTo(d.join("b"), "1001", "1003", "1004") // who kept their idle time
		})
	})
	t.Run("the losers go to the next caller at once", func(t *testing.T) {
		ringing(t, func(t *testing.T, d *desk, ticket *Ticket, offers map[string]*Offer) {
			next := d.join("b")
			d.offersTo(next, "1004")
			d.must(offers["1001"].Connected())
			d.offersTo(next, "1002", "1003")
		})
	})
	t.Run("the first phone for each before the second for any", func(t *testing.T) {
		ringing(t, func(t *testing.T, d *desk, ticket *Ticket, offers map[string]*Offer) {
			d.must(d.Pause("1004", "lunch"))
			second, third := d.join("b"), d.join("c")
			d.must(offers["1001"].Connected())
			d.offersTo(second, "1002")
			d.offersTo(third, "1003")
		})
	})
	t.Run("the caller leaves", func(t *testing.T) {
		ringing(t, func(t *testing.T, d *desk, ticket *Ticket, offers map[string]*Offer) {
			ticket.Leave("hang-up")
			for agent, offer := range offers {
				d.ended(offer, ErrCallerLeft)
				d.inState(agent, StateReady)
			}
		})
	})
	t.Run("one declines, and another rings instead", func(t *testing.T) {
		ringing(t, func(t *testing.T, d *desk, ticket *Ticket, offers map[string]*Offer) {
			offers["1002"].Failed(Declined)
			d.inState("1002", StatePaused)
			d.offersTo(ticket, "1004")
			d.ended(offers["1002"], ErrOfferOver)
			d.must(offers["1001"].Connected())
		})
	})
	t.Run("who becomes ready joins in", func(t *testing.T) {
		atDesk(t, o, func(t *testing.T, d *desk) {
			d.signIn("1001")
			ticket := d.join("a")
			d.offersTo(ticket, "1001")
			d.signIn("1002")
			d.offersTo(ticket, "1002")
			d.signIn("1003", "1004")
			d.offersTo(ticket, "1003")
			d.inState("1004", StateReady)
		})
	})
	t.Run("nobody says anything", func(t *testing.T) {
		ringing(t, func(t *testing.T, d *desk, ticket *Ticket, offers map[string]*Offer) {
			time.Sleep(DefaultRingTimeout + ReportGrace)
			d.lapsed(ticket, LapseUnreported)
			for agent, offer := range offers {
				d.ended(offer, ErrUnreported)
				d.inState(agent, StateReady)
			}
		})
	})
	t.Run("closing time", func(t *testing.T) {
		ringing(t, func(t *testing.T, d *desk, ticket *Ticket, offers map[string]*Offer) {
			d.must(d.Close("bills", LapseClosing))
			offers["1001"].Failed(NoAnswer)
			offers["1002"].Failed(Declined)
			d.waits(ticket, 1)
			offers["1003"].Failed(Unreachable)
			d.lapsed(ticket, LapseClosing)
			d.inState("1004", StateReady)
		})
	})
	t.Run("an agent is found with the caller", func(t *testing.T) {
		ringing(t, func(t *testing.T, d *desk, ticket *Ticket, offers map[string]*Offer) {
			d.must(d.Found("1003", "a", "bills"))
			d.ended(offers["1001"], ErrWithdrawn)
			if offers["1003"].Context().Err() != nil {
				t.Error("the offer that was answered was cancelled")
			}
			d.inState("1001", StateReady)
		})
	})
	t.Run("an agent is found with somebody else", func(t *testing.T) {
		ringing(t, func(t *testing.T, d *desk, ticket *Ticket, offers map[string]*Offer) {
			d.must(d.Found("1003", "other", "bills"))
			d.ended(offers["1003"], ErrWithdrawn)
			d.offersTo(ticket, "1004")
		})
	})
}

// A wait has an end, which a phone that rings may still prevent.
func TestMaxWait(t *testing.T) {
	for to, reason := range map[string]string{"": LapseTooLong, LapseCallBack: LapseCallBack, LapseMessage: LapseMessage} {
		t.Run(reason, func(t *testing.T) {
			atDesk(t, hallOf(Rules{MaxWait: time.Minute, MaxWaitTo: to}, 2), func(t *testing.T, d *desk) {
				d.signIn("1001", "1002")
				d.talking("busy", "1001")
				d.talking("busy too", "1002")
				first, second, third := d.join("first"), d.join("second"), d.join("third")
				time.Sleep(50 * time.Second)
				d.must(d.EndTalk("1001", "busy"))
				d.must(d.EndTalk("1002", "busy too"))
				answered, refused := d.offered(first, "1001"), d.offered(second, "1002")
				time.Sleep(10*time.Second - time.Nanosecond)
				d.waits(third, 3)
				time.Sleep(time.Nanosecond)
				d.lapsed(third, reason)
				refused.Failed(Declined)
				d.lapsed(second, reason)
				d.must(answered.Connected())
				again := d.joinAs(Caller{ID: "again", Queue: "bills", Again: true, Waited: 55 * time.Second})
				time.Sleep(5 * time.Second)
				d.lapsed(again, reason)
			})
		})
	}
}

// overflowing are the usual queues, of which bills overflows into repairs.
func overflowing(change func(o *Options)) Options {
	o := usual()
	o.Queues[0].OverflowTo, o.Queues[0].OverflowAfter = "repairs", time.Minute
	o.Agents[1].Queues = []string{"bills"}
	if change != nil {
		change(&o)
	}
	return o
}

func TestOverflow(t *testing.T) {
	busyBills := func(d *desk) {
		d.signIn("1001", "1003")
		d.talking("busy", "1001")
	}
	t.Run("after a wait", func(t *testing.T) {
		atDesk(t, overflowing(nil), func(t *testing.T, d *desk) {
			busyBills(d)
			ticket := d.join("a")
			time.Sleep(time.Minute - time.Nanosecond)
			d.unoffered(ticket)
			time.Sleep(time.Nanosecond)
			o := d.offered(ticket, "1003")
			if o.Queue != "repairs" || ticket.Queue() != "repairs" || o.Waited != time.Minute {
				t.Errorf("offered in %s after %v, the ticket is in %s", o.Queue, o.Waited, ticket.Queue())
			}
			if c := d.last(KindMoved); c.Queue != "bills" || c.Into != "repairs" || c.Call != "a" || c.WaitedMs != 60_000 {
				t.Errorf("recorded %+v", c)
			}
			if v := d.Queues(); v[0].Waiting != 0 || v[1].Waiting != 1 || v[1].LongestWait != time.Minute {
				t.Errorf("the queues are shown as %+v", v)
			}
		})
	})
	t.Run("the arrival counts there", func(t *testing.T) {
		atDesk(t, overflowing(nil), func(t *testing.T, d *desk) {
			busyBills(d)
			d.must(d.Found("1003", "busy too", "repairs"))
			ticket := d.join("a")
			time.Sleep(30 * time.Second)
			repair := d.joinAs(Caller{ID: "repair", Queue: "repairs"})
			d.waits(repair, 1)
			time.Sleep(30 * time.Second)
			d.waits(ticket, 1)
			d.waits(repair, 2)
		})
	})
	t.Run("with a phone ringing, when it comes to nothing", func(t *testing.T) {
		atDesk(t, overflowing(nil), func(t *testing.T, d *desk) {
			busyBills(d)
			ticket := d.join("a")
			time.Sleep(55 * time.Second)
			d.signIn("1002")
			o := d.offered(ticket, "1002")
			time.Sleep(5 * time.Second)
			if ticket.Queue() != "bills" {
				t.Errorf("moved to %s while a phone rings", ticket.Queue())
			}
			o.Failed(Declined)
			d.offered(ticket, "1003")
		})
	})
	t.Run("where nobody takes calls they stay, and are tried again", func(t *testing.T) {
		atDesk(t, overflowing(nil), func(t *testing.T, d *desk) {
			d.signIn("1001")
			d.talking("busy", "1001")
			ticket := d.join("a")
			time.Sleep(90 * time.Second)
			d.signIn("1003")
			d.unoffered(ticket)
			time.Sleep(30 * time.Second)
			d.offered(ticket, "1003")
		})
	})
	t.Run("at once where their queue is full", func(t *testing.T) {
		atDesk(t, overflowing(func(o *Options) { o.Queues[0].MaxWaiting = 1 }), func(t *testing.T, d *desk) {
			busyBills(d)
			d.join("a")
			ticket := d.join("b")
			o := d.offered(ticket, "1003")
			if c := d.last(KindJoined); c.Queue != "repairs" || o.Queue != "repairs" || ticket.Queue() != "repairs" {
				t.Errorf("recorded %+v, offered in %s", c, o.Queue)
			}
		})
	})
	t.Run("at once where nobody is there", func(t *testing.T) {
		atDesk(t, overflowing(nil), func(t *testing.T, d *desk) {
			d.signIn("1003")
			d.offered(d.join("a"), "1003")
		})
	})
	t.Run("nowhere, if nobody is there either", func(t *testing.T) {
		atDesk(t, overflowing(nil), func(t *testing.T, d *desk) {
			if _, err := d.Join(Caller{ID: "a", Queue: "bills"}); !errors.Is(err, ErrNobodySignedIn) {
				t.Errorf("joining: %v", err)
			}
		})
	})
}

// Where nobody is signed in, callers are refused and sent away, or not.
func TestEmptyQueue(t *testing.T) {
	atDesk(t, hallOf(Rules{StayEmpty: true, MaxWait: 5 * time.Minute}, 1), func(t *testing.T, d *desk) {
		if _, err := d.Join(Caller{ID: "x", Queue: "bills"}); !errors.Is(err, ErrNobodySignedIn) {
			t.Errorf("joining an empty queue: %v", err)
		}
		d.signIn("1001")
		d.talking("busy", "1001")
		ticket := d.join("a")
		d.must(d.SignOut("1001"))
		time.Sleep(2 * time.Minute)
		d.waits(ticket, 1)
		d.must(d.EndTalk("1001", "busy"))
		d.signIn("1001")
		d.offered(ticket, "1001")
	})
	atDesk(t, hallOf(Rules{JoinEmpty: true, StayEmpty: true, MaxWait: 5 * time.Minute}, 1), func(t *testing.T, d *desk) {
		first := d.join("a")
		time.Sleep(4 * time.Minute)
		second := d.join("b")
		time.Sleep(time.Minute)
		d.lapsed(first, LapseTooLong)
		d.signIn("1001")
		d.offered(second, "1001").Failed(Unreachable)
		time.Sleep(3 * time.Minute) // out of service for longer than Unattended
		d.waits(second, 1)
	})
}

func TestExtend(t *testing.T) {
	atDesk(t, hallOf(Rules{WrapUp: 10 * time.Second, WrapUpAtMost: 40 * time.Second}, 1), func(t *testing.T, d *desk) {
		d.signIn("1001")
		if err := d.Extend("1001", time.Second); !errors.Is(err, ErrTransition) {
			t.Errorf("extending without a wrap-up: %v", err)
		}
		d.talking("a", "1001")
		d.must(d.EndTalk("1001", "a"))
		time.Sleep(9 * time.Second)
		d.must(d.Extend("1001", 20*time.Second))
		if c := d.last(KindAgentState); c.From != StateWrapUp || c.To != StateWrapUp || c.MoreMs != 20_000 || c.Cause != causeExtended {
			t.Errorf("recorded %+v", c)
		}
		time.Sleep(20 * time.Second)
		d.inState("1001", StateWrapUp)
		d.must(d.Extend("1001", time.Minute)) // of which ten seconds are granted
		if err := d.Extend("1001", time.Minute); !errors.Is(err, ErrNoMore) {
			t.Errorf("extending beyond the limit: %v", err)
		}
		var restored Restored
		synctest.Wait()
		d.mu.Lock()
		for _, c := range d.recorded {
			restored = restored.After(c)
		}
		d.mu.Unlock()
		if restored.State != StateWrapUp || restored.More != 30*time.Second {
			t.Errorf("told from the changes: %+v", restored)
		}
		time.Sleep(11*time.Second - time.Nanosecond)
		d.inState("1001", StateWrapUp)
		time.Sleep(time.Nanosecond)
		d.inState("1001", StateReady)
		if err := d.Extend("9", time.Second); !errors.Is(err, ErrUnknownAgent) {
			t.Errorf("extending an unknown agent's wrap-up: %v", err)
		}
	})
}

// The wait that is told is judged when it is over, and so is the service level.
func TestWaitsAreJudged(t *testing.T) {
	o := hallOf(Rules{ServiceLevel: 30 * time.Second, ServiceTarget: 90}, 1)
	r := prometheus.NewPedanticRegistry()
	o.Registerer = r
	atDesk(t, o, func(t *testing.T, d *desk) {
		d.signIn("1001")
		view := func() QueueView { return d.Queues()[0] }
		if v := view(); v.InTime != nil || v.ServiceTarget != 90 {
			t.Errorf("before the first caller: %+v", v)
		}
		for i := range 3 { // talks of a minute: the estimate is a minute a caller
			id := fmt.Sprint("call ", i)
			d.talking(id, "1001")
			time.Sleep(time.Minute)
			d.must(d.EndTalk("1001", id))
			d.must(d.Pause("1001", "tea")) // a talk counts once it is wrapped up
			d.must(d.Ready("1001"))
		}
		d.talking("busy", "1001")
		ticket := d.join("a")
		left := d.join("b")
		if estimate, known := ticket.Estimate(); !known || estimate != time.Minute {
			t.Fatalf("estimated %v, %v", estimate, known)
		}
		time.Sleep(40 * time.Second)
		left.Leave("hang-up")
		d.must(d.EndTalk("1001", "busy"))
		d.must(d.offered(ticket, "1001").Connected())
		if v := view(); v.EstimateError != 20*time.Second || v.InTime == nil || *v.InTime != 66 {
			t.Errorf("after a wait 20 s shorter than estimated, 4 of 6 in time: %+v, in time %v", v, *v.InTime)
		}
		if got := figures(t, r)["hotline_queue_estimate_error_seconds bills"]; got != 1 {
			t.Errorf("%v estimates were judged, want 1", got)
		}
		late := d.join("waits for longer than was said")
		time.Sleep(2 * time.Minute)
		late.Leave("hang-up")
		if v := view(); v.EstimateError <= 20*time.Second {
			t.Errorf("who gave up after two minutes of a wait of one leaves the error at %v", v.EstimateError)
		}
		if got := figures(t, r)["hotline_queue_estimate_error_seconds bills"]; got != 2 {
			t.Errorf("%v estimates were judged, want 2", got)
		}
	})
}

// Rules that contradict one another are refused, with a sentence that says why.
func TestContradictions(t *testing.T) {
	level := func(n int) map[string]int { return map[string]int{"english": n} }
	for want, spoil := range map[string]func(o *Options){
		`there is no strategy "fastest"`:                     func(o *Options) { o.Queues[0].Strategy = "fastest" },
		"ring_at_most means something only to":               func(o *Options) { o.Queues[0].RingAtMost = 3 },
		"ring_at_most is 33: it may be 1 to 32":              func(o *Options) { o.Queues[0].Strategy, o.Queues[0].RingAtMost = RingAll, 33 },
		"nobody can be preferred":                            func(o *Options) { o.Queues[0].Strategy, o.Queues[0].Sticky = RingAll, time.Hour },
		"there is no max_wait after which":                   func(o *Options) { o.Queues[0].MaxWaitTo = LapseMessage },
		`a wait cannot end in "lunch"`:                       func(o *Options) { o.Queues[0].MaxWait, o.Queues[0].MaxWaitTo = time.Minute, "lunch" },
		"no queue is named that takes them":                  func(o *Options) { o.Queues[0].OverflowAfter = time.Minute },
		"cannot overflow into itself":                        func(o *Options) { o.Queues[0].OverflowTo = "bills" },
		`bills overflows into queue "complaints"`:            func(o *Options) { o.Queues[0].OverflowTo = "complaints" },
		`overflows in a circle: ["bills" "repairs" "bills"]`: func(o *Options) { o.Queues[0].OverflowTo, o.Queues[1].OverflowTo = "repairs", "bills" },
		"so that nobody would overflow after 2m": func(o *Options) {
			o.Queues[0].MaxWait, o.Queues[0].OverflowTo, o.Queues[0].OverflowAfter = time.Minute, "repairs", 2*time.Minute
		},
		"before a caller has waited 2m0s for the agent": func(o *Options) { o.Queues[0].MaxWait, o.Queues[0].PreferFor = time.Minute, 2*time.Minute },
		"before they have waited 2m0s for the agent": func(o *Options) {
			o.Queues[0].OverflowTo, o.Queues[0].OverflowAfter, o.Queues[0].PreferFor = "repairs", time.Minute, 2*time.Minute
		},
		"relaxation 1 after 1m0s would help nobody": func(o *Options) {
			o.Queues[0].MaxWait, o.Queues[0].Relax = time.Minute, []Relaxation{{After: time.Minute, By: 1}}
		},
		"must be let stay there":                         func(o *Options) { o.Queues[0].JoinEmpty = true },
		"would wait for ever":                            func(o *Options) { o.Queues[0].StayEmpty = true },
		"service_target is 101 per cent":                 func(o *Options) { o.Queues[0].ServiceTarget = 101 },
		"wrap_up_at_most 10s is less than wrap_up 20s":   func(o *Options) { o.Queues[0].WrapUpAtMost = 10 * time.Second },
		"aging is 25h0m0s":                               func(o *Options) { o.Queues[0].Aging = 25 * time.Hour },
		"max_wait is -1s":                                func(o *Options) { o.Queues[0].MaxWait = -time.Second },
		`what callers need: skill "english" has level 0`: func(o *Options) { o.Queues[0].Needs = level(0) },
		"relaxation 2 comes after 10s": func(o *Options) {
			o.Queues[0].Relax = []Relaxation{{After: 20 * time.Second, By: 1}, {After: 10 * time.Second, By: 1}}
		},
		"relaxation 1 lowers by 0 levels":              func(o *Options) { o.Queues[0].Relax = []Relaxation{{After: 20 * time.Second}} },
		`asks for the skill "english" of level 3 even`: func(o *Options) { o.Queues[0].Needs = level(3) },
		`level 2 even after the longest wait, and the best`: func(o *Options) {
			o.Queues[0].Needs, o.Queues[0].Relax = level(3), []Relaxation{{After: time.Second, By: 1}}
			o.Agents[0].Skills = level(1)
		},
		"nobody who serves it has all of that": func(o *Options) {
			o.Queues[0].Needs = map[string]int{"english": 1, "tax": 1}
			o.Agents[0].Skills, o.Agents[1].Skills = level(1), map[string]int{"tax": 1}
		},
		`agent 1001: skill "english" has level 101`:           func(o *Options) { o.Agents[0].Skills = level(101) },
		`1001 has a weight for queue "repairs", which they`:   func(o *Options) { o.Agents[0].Weights = map[string]int{"repairs": 2} },
		`1001 gives queue "bills" the weight 0: use 1 to`:     func(o *Options) { o.Agents[0].Weights = map[string]int{"bills": 0} },
		`"1001" has no ID or is described twice: two agents `: func(o *Options) { o.Agents[1].ID = "1001" },
	} {
		o := usual()
		spoil(&o)
		e, err := New(o)
		if err == nil {
			e.Stop()
			t.Errorf("%s: accepted", want)
		} else if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q\ndoes not say %q", err, want)
		}
	}
}
