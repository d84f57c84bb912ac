package queue

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// with is a queue's rules in force, changed.
func (d *desk) with(queue string, change func(r *Rules)) Rules {
	d.t.Helper()
	for _, r := range d.Rules() {
		if r.ID == queue {
			change(&r)
			return r
		}
	}
	d.t.Fatalf("there is no queue %s", queue)
	return Rules{}
}

func (d *desk) setRules(queue string, change func(r *Rules)) {
	d.t.Helper()
	d.must(d.SetRules(d.with(queue, change), "operator"))
}

// Rules change under callers who wait, each in the way that matters to them.
func TestSetRules(t *testing.T) {
	for _, row := range []struct {
		name   string
		steps  int // of priority that b has
		before func(r *Rules)
		after  func(r *Rules)
		test   func(d *desk, a, b *Ticket) // who waits; 1001 talks with "busy"
	}{
		{name: "they keep their places", after: func(r *Rules) { r.MaxWaiting, r.WrapUp = 1, 0 }, test: func(d *desk, a, b *Ticket) {
			d.waits(a, 1)
			d.waits(b, 2)
			d.must(d.EndTalk("1001", "busy"))
			d.offered(a, "1001")
			if _, err := d.Join(Caller{ID: "c", Queue: "bills"}); !errors.Is(err, ErrFull) {
				d.t.Errorf("joining where there is room for one: %v", err)
			}
		}},
		{name: "a wait has an end now", after: func(r *Rules) { r.MaxWait = 50 * time.Second }, test: func(d *desk, a, b *Ticket) {
			time.Sleep(10 * time.Second) // ten have been waited already
			d.waits(a, 1)
			time.Sleep(30 * time.Second)
			d.lapsed(a, LapseTooLong)
		}},
		{name: "a wait that is too long already", after: func(r *Rules) { r.MaxWait, r.MaxWaitTo = 5*time.Second, LapseMessage }, test: func(d *desk, a, b *Ticket) {
			d.lapsed(a, LapseMessage)
			d.lapsed(b, LapseMessage)
		}},
		{name: "overflow", after: func(r *Rules) { r.OverflowTo, r.OverflowAfter = "repairs", 15*time.Second }, test: func(d *desk, a, b *Ticket) {
			d.signIn("1003")
			time.Sleep(5 * time.Second)
			d.offered(a, "1003")
		}},
		{name: "no overflow any more", before: func(r *Rules) { r.OverflowTo, r.OverflowAfter = "repairs", 15*time.Second },
			after: func(r *Rules) { r.OverflowTo, r.OverflowAfter = "", 0 }, test: func(d *desk, a, b *Ticket) {
				d.signIn("1003")
				time.Sleep(time.Minute)
				d.unoffered(a)
			}},
		{name: "priority counts for less", steps: 1, before: func(r *Rules) { r.Aging = time.Minute }, after: func(r *Rules) { r.Aging = time.Second }, test: func(d *desk, a, b *Ticket) {
			d.waits(a, 1)
			d.waits(b, 2)
		}},
		{name: "priority counts for more", steps: 1, before: func(r *Rules) { r.Aging = time.Second }, after: func(r *Rules) { r.Aging = time.Minute }, test: func(d *desk, a, b *Ticket) {
			d.waits(b, 1) // who has one step, and came five seconds later
			d.waits(a, 2)
		}},
		{name: "a skill is needed now", after: func(r *Rules) { r.Needs = map[string]int{"english": 1} }, test: func(d *desk, a, b *Ticket) {
			d.must(d.EndTalk("1001", "busy"))
			d.must(d.Ready("1001"))
			d.unoffered(a)
			d.must(d.Ready("1002"))
			d.offered(a, "1002")
		}},
		{name: "and no more", before: func(r *Rules) { r.Needs = map[string]int{"english": 1} }, after: func(r *Rules) { r.Needs = nil }, test: func(d *desk, a, b *Ticket) {
			d.must(d.EndTalk("1001", "busy"))
			d.must(d.Ready("1001"))
			d.offered(a, "1001")
		}},
		{name: "sent away when nobody is there", before: func(r *Rules) { r.StayEmpty, r.MaxWait = true, time.Hour }, after: func(r *Rules) { r.StayEmpty = false }, test: func(d *desk, a, b *Ticket) {
			d.must(d.SignOut("1001"))
			d.must(d.SignOut("1002"))
			d.lapsed(a, LapseSignedOut)
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			o := usual()
			o.Agents[1].Skills = map[string]int{"english": 1}
			o.Queues[0].Unattended = time.Hour
			if row.before != nil {
				row.before(&o.Queues[0])
			}
			atDesk(t, o, func(t *testing.T, d *desk) {
				d.signIn("1001", "1002")
				d.must(d.Found("1001", "busy", "bills"))
				d.must(d.Pause("1002", "lunch"))
				now := time.Now()
				a := d.joinAs(Caller{ID: "a", Queue: "bills", Arrived: now})
				b := d.joinAs(Caller{ID: "b", Queue: "bills", Arrived: now.Add(5 * time.Second), Priority: row.steps})
				time.Sleep(10 * time.Second)
				rules := d.with("bills", row.after)
				d.must(d.SetRules(rules, "operator"))
				if c := d.last(KindRules); c.By != "operator" || c.Queue != "bills" || c.Rules == nil || c.Rules.MaxWait != rules.MaxWait {
					t.Errorf("recorded %+v", c)
				}
				row.test(d, a, b)
			})
		})
	}
}

// What contradicts the rest is refused and changes nothing.
func TestGovernRefuses(t *testing.T) {
	o := usual()
	o.Queues[0].Needs = map[string]int{"english": 1}
	o.Queues[1].OverflowTo = "bills"
	o.Agents[0].Skills = map[string]int{"english": 2}
	for _, row := range []struct {
		name string
		ask  func(d *desk) error
		want string
	}{
		{"rules of no queue", func(d *desk) error { return d.SetRules(Rules{}, "") }, "no ID"},
		{"a skill nobody has", func(d *desk) error {
			return d.SetRules(d.with("repairs", func(r *Rules) { r.Needs = map[string]int{"tax": 1} }), "")
		}, `asks for the skill "tax"`},
		{"a circle", func(d *desk) error {
			return d.SetRules(d.with("bills", func(r *Rules) { r.OverflowTo = "repairs" }), "")
		}, "in a circle"},
		{"a queue that others overflow into", func(d *desk) error { return d.RemoveQueue("bills", "") }, `repairs overflows into queue "bills"`},
		{"a queue there is not", func(d *desk) error { return d.RemoveQueue("complaints", "") }, ErrUnknownQueue.Error()},
		{"the last with a skill", func(d *desk) error { return d.SetProfile(Profile{ID: "1001", Queues: []string{"bills"}}, "") }, `asks for the skill "english"`},
		{"the last with a skill goes", func(d *desk) error { return d.RemoveAgent("1001", "") }, `asks for the skill "english"`},
		{"an agent of no queue there is", func(d *desk) error { return d.SetProfile(Profile{ID: "1009", Queues: []string{"complaints"}}, "") }, `serves queue "complaints"`},
		{"an agent without an ID", func(d *desk) error { return d.SetProfile(Profile{}, "") }, "no ID"},
		{"an agent there is not", func(d *desk) error { return d.RemoveAgent("9", "") }, ErrUnknownAgent.Error()},
		{"an agent who is signed in", func(d *desk) error { d.signIn("1002"); return d.RemoveAgent("1002", "") }, ErrSignedIn.Error()},
	} {
		t.Run(row.name, func(t *testing.T) {
			atDesk(t, o, func(t *testing.T, d *desk) {
				before, agents := d.Rules(), len(d.Agents())
				if err := row.ask(d); err == nil || !strings.Contains(err.Error(), row.want) {
					t.Errorf("got %v, want that it says %q", err, row.want)
				}
				if got := d.Rules(); !reflect.DeepEqual(got, before) || len(d.Agents()) != agents {
					t.Errorf("something has changed: %+v", got)
				}
			})
		})
	}
}

// A queue that is new works as those of the start do.
func TestNewQueue(t *testing.T) {
	o := usual()
	r := prometheus.NewPedanticRegistry()
	o.Registerer = r
	atDesk(t, o, func(t *testing.T, d *desk) {
		d.must(d.SetRules(Rules{ID: "news", WrapUp: time.Minute}, "operator"))
		if _, err := d.Join(Caller{ID: "a", Queue: "news"}); !errors.Is(err, ErrNobodySignedIn) {
			t.Errorf("joining a queue nobody serves: %v", err)
		}
		d.signIn("1001")
		d.must(d.SetProfile(Profile{ID: "1001", Number: "7", Queues: []string{"bills", "news"}}, "operator"))
		if c := d.last(KindProfile); c.By != "operator" || c.Agent != "1001" || c.Profile == nil || len(c.Profile.Queues) != 2 {
			t.Errorf("recorded %+v", c)
		}
		ticket := d.joinAs(Caller{ID: "a", Queue: "news"})
		offer := d.offered(ticket, "1001")
		if offer.Agent.Number != "7" {
			t.Errorf("the offer shows %+v", offer.Agent)
		}
		d.must(offer.Connected())
		d.must(d.EndTalk("1001", "a"))
		time.Sleep(time.Minute - time.Nanosecond)
		d.inState("1001", StateWrapUp)
		time.Sleep(time.Nanosecond)
		d.inState("1001", StateReady)
		if got := figures(t, r); got["hotline_queue_answered_total yes news"] != 1 {
			t.Errorf("the new queue's figures: %v", got)
		}
	})
}

// Whoever waits in a queue that ends is told; phones stop, talks go on.
func TestRemoveQueue(t *testing.T) {
	atDesk(t, usual(), func(t *testing.T, d *desk) {
		d.signIn("1001", "1002")
		d.talking("talk", "1001")
		ringing, waiting := d.join("ringing"), d.join("waiting")
		offer := d.offered(ringing, "1002")
		repair := d.joinAs(Caller{ID: "repair", Queue: "repairs"})
		d.must(d.RemoveQueue("bills", "operator"))
		d.lapsed(ringing, LapseRemoved)
		d.lapsed(waiting, LapseRemoved)
		d.ended(offer, ErrWithdrawn)
		d.offered(repair, "1002")
		if _, err := d.Join(Caller{ID: "late", Queue: "bills"}); !errors.Is(err, ErrUnknownQueue) {
			t.Errorf("joining a queue that is gone: %v", err)
		}
		if c := d.last(KindRemoved); c.Queue != "bills" || c.By != "operator" {
			t.Errorf("recorded %+v", c)
		}
		d.must(d.EndTalk("1001", "talk")) // its wrap-up went with the queue
		v, _ := d.Agent("1001")
		if v.State != StateReady || len(v.Queues) != 0 || len(d.Queues()) != 1 {
			t.Errorf("the agent is shown as %+v, the queues as %+v", v, d.Queues())
		}
		d.must(d.SetRules(Rules{ID: "bills"}, "operator")) // and comes back
		d.must(d.SetProfile(Profile{ID: "1001", Queues: []string{"bills"}}, "operator"))
		d.offered(d.join("again"), "1001")
	})
}

// What an agent serves changes whatever they are doing.
func TestSetProfile(t *testing.T) {
	repairs := Profile{ID: "1001", Queues: []string{"repairs"}}
	t.Run("ready", func(t *testing.T) {
		atDesk(t, usual(), func(t *testing.T, d *desk) {
			d.signIn("1001", "1002")
			d.talking("talk", "1001")
			d.must(d.Pause("1002", "lunch"))
			repair := d.joinAs(Caller{ID: "repair", Queue: "repairs"})
			d.must(d.EndTalk("1001", "talk"))
			d.must(d.Ready("1001"))
			d.unoffered(repair)
			d.must(d.SetProfile(repairs, ""))
			d.offered(repair, "1001")
		})
	})
	t.Run("with a phone that rings", func(t *testing.T) {
		atDesk(t, usual(), func(t *testing.T, d *desk) {
			d.signIn("1001", "1002")
			ticket := d.join("a")
			offer := d.offered(ticket, "1001")
			d.must(d.SetProfile(repairs, ""))
			d.ended(offer, ErrWithdrawn)
			if c := d.last(KindRefused); c.Cause != CauseProfile || c.To != StateReady {
				t.Errorf("recorded %+v", c)
			}
			d.offered(ticket, "1002")
			d.inState("1001", StateReady)
		})
	})
	t.Run("with a phone that may go on ringing", func(t *testing.T) {
		atDesk(t, usual(), func(t *testing.T, d *desk) {
			d.signIn("1001")
			ticket := d.join("a")
			offer := d.offered(ticket, "1001")
			d.must(d.SetProfile(Profile{ID: "1001", Queues: []string{"repairs", "bills"}}, ""))
			d.must(offer.Connected())
		})
	})
	t.Run("in a talk", func(t *testing.T) {
		atDesk(t, usual(), func(t *testing.T, d *desk) {
			d.signIn("1001")
			d.talking("a", "1001")
			d.must(d.SetProfile(repairs, ""))
			d.must(d.EndTalk("1001", "a"))
			d.inState("1001", StateWrapUp)
			time.Sleep(20 * time.Second)
			d.offered(d.joinAs(Caller{ID: "b", Queue: "repairs"}), "1001")
		})
	})
	t.Run("the last of a queue", func(t *testing.T) {
		atDesk(t, usual(), func(t *testing.T, d *desk) {
			d.signIn("1001")
			d.talking("talk", "1001")
			ticket := d.join("a")
			d.must(d.SetProfile(repairs, ""))
			d.lapsed(ticket, LapseSignedOut)
		})
	})
	t.Run("whom somebody waits for", func(t *testing.T) {
		o := usual()
		o.Queues[0].PreferFor = time.Minute
		atDesk(t, o, func(t *testing.T, d *desk) {
			d.signIn("1001", "1002")
			d.talking("talk", "1001")
			ticket := d.joinAs(Caller{ID: "a", Queue: "bills", Prefer: "1001"})
			d.unoffered(ticket)
			d.must(d.SetProfile(repairs, ""))
			d.offered(ticket, "1002")
		})
	})
	t.Run("whom somebody waits for, while the phone rings for another", func(t *testing.T) {
		o := usual()
		o.Queues[0].PreferFor = time.Minute
		atDesk(t, o, func(t *testing.T, d *desk) {
			d.must(d.SetProfile(Profile{ID: "1001", Queues: []string{"bills", "repairs"}}, ""))
			d.signIn("1001")
			d.offered(d.joinAs(Caller{ID: "repair", Queue: "repairs"}), "1001")
			waits, other := d.joinAs(Caller{ID: "a", Queue: "bills", Prefer: "1001"}), d.join("b")
			d.must(d.SetProfile(Profile{ID: "1001", Queues: []string{"bills"}}, ""))
			d.offered(waits, "1001")
			d.unoffered(other)
		})
	})
	t.Run("new and gone again", func(t *testing.T) {
		atDesk(t, usual(), func(t *testing.T, d *desk) {
			d.must(d.SetProfile(Profile{ID: "1009", Queues: []string{"bills"}}, ""))
			d.signIn("1009")
			ticket := d.join("a")
			d.must(d.offered(ticket, "1009").Connected())
			d.must(d.EndTalk("1009", "a"))
			d.must(d.SignOut("1009"))
			d.must(d.RemoveAgent("1009", "operator"))
			if c := d.last(KindLetGo); c.Agent != "1009" || c.By != "operator" {
				t.Errorf("recorded %+v", c)
			}
			if _, there := d.Agent("1009"); there {
				t.Error("an agent who was removed is shown")
			}
		})
	})
}

// What somebody else has an agent do is recorded with who that was; what
// follows by itself is not theirs.
func TestOrdersAreRecordedWithWhoGaveThem(t *testing.T) {
	o := usual()
	o.Queues[0].WrapUpAtMost = time.Minute
	atDesk(t, o, func(t *testing.T, d *desk) {
		order := func(do Verb, by string, want Change) {
			t.Helper()
			d.must(d.Order(Command{Do: do, Agent: "1001", Reason: "lunch", For: time.Hour, By: by}))
			if c := d.last(want.Kind); c.Agent != "1001" || c.By != by || c.To != want.To || c.Then != want.Then {
				t.Errorf("%s was recorded as %+v, want %+v by %s", do, c, want, by)
			}
		}
		order(VerbSignIn, "ops", Change{Kind: KindAgentState, To: StateReady})
		ticket := d.join("a")
		d.offered(ticket, "1001")
		order(VerbPause, "night", Change{Kind: KindRefused, To: StatePaused})
		order(VerbReady, "ops", Change{Kind: KindAgentState, To: StateReady})
		d.must(d.offered(ticket, "1001").Connected())
		if c := d.last(KindConnected); c.By != "" {
			t.Errorf("what follows is %s's: %+v", c.By, c)
		}
		order(VerbSignOut, "night", Change{Kind: KindAgentState, To: StateTalking, Then: StateOffline})
		order(VerbSignIn, "ops", Change{Kind: KindAgentState, To: StateTalking})
		d.must(d.EndTalk("1001", "a"))
		order(VerbExtend, "night", Change{Kind: KindAgentState, To: StateWrapUp})
		time.Sleep(time.Minute)
		if c := d.last(KindAgentState); c.By != "" || c.To != StateReady {
			t.Errorf("the end of a wrap-up is somebody's: %+v", c)
		}
		d.talking("b", "1001")
		d.must(d.EndTalk("1001", "b"))
		order(VerbFinish, "night", Change{Kind: KindAgentState, To: StateReady})
		if err := d.Order(Command{Do: VerbRemoveAgent, Agent: "1001"}); err == nil {
			t.Error("an order removes an agent")
		}
		d.inState("1001", StateReady)
	})
}

// Who waits for the record has it, also of an engine that stops meanwhile, and
// does not wait for one that hangs.
func TestRecorded(t *testing.T) {
	recording, recorded := make(chan struct{}), 0
	o := usual()
	o.Record = func(list []Change) { <-recording; recorded += len(list) }
	e, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.SignIn("1001"); err != nil {
		t.Fatal(err)
	}
	hurry, cancel := context.WithCancel(t.Context())
	cancel()
	e.Recorded(hurry)
	close(recording)
	e.Recorded(t.Context())
	if recorded != 1 {
		t.Errorf("%d changes are recorded, want the sign-in", recorded)
	}
	e.Recorded(t.Context()) // of nothing
	e.Stop()
	e.Recorded(t.Context())
}

// What nobody waits for is noted, in one order with what is recorded; whoever asks whether it is recorded waits for the
// notes, too, and so does an offer.
func TestNoted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, told := usual(), ""
		tell := func(how string) func([]Change) {
			return func(list []Change) {
				told += how
				for _, c := range list {
					told += " " + string(c.Kind)
				}
				told += "; "
			}
		}
		o.Note, o.Record = tell("note"), tell("record")
		e, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		defer e.Stop()
		if err := e.SignIn("1001"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		e.Recorded(t.Context())
		if want := "note agent.state; record; "; told != want {
			t.Errorf("a sign-in is told as %q, want %q", told, want)
		}
		told = ""
		if _, err := e.Join(Caller{ID: "a", Queue: "bills"}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if !strings.HasPrefix(told, "record ") || !strings.Contains(told, "queue.offered") || strings.Contains(told, "note") {
			t.Errorf("an offer is told as %q, want it recorded before it is made", told)
		}
	})
}

// Whoever changes what an agent serves does not move their phone.
func TestAnAgentKeepsTheirHome(t *testing.T) {
	o := usual()
	o.Owner, o.Agents[0].Home = "left", "right"
	atDesk(t, o, func(t *testing.T, d *desk) {
		for id, home := range map[string]string{"1001": "right", "1009": "left"} {
			d.must(d.SetProfile(Profile{ID: id, Queues: []string{"repairs"}}, "operator"))
			if a, _ := d.Agent(id); a.Home != home {
				t.Errorf("%s is at home at %q, want %q", id, a.Home, home)
			}
		}
	})
}
