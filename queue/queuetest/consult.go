package queuetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"hotline/queue"
)

// Agents who are called in by a call: what a desk's consult and its transfers
// are made of.

var consults = []struct {
	name string
	test func(t *testing.T, at house)
}{
	{"consult", testConsult},
	{"consult refused", testConsultRefused},
	{"consult fails", testConsultFails},
	{"consult ends otherwise", testConsultEndsOtherwise},
	{"warm transfer", testWarmTransfer},
	{"blind transfer", testBlindTransfer},
	{"back to who transferred", testBackToWhoTransferred},
	{"wishes of a third", testWishesOfAThird},
	{"wishes of who is called back", testWishesOfWhoIsCalledBack},
	{"found with a third", testFoundWithAThird},
	{"a call counts once", testACallCountsOnce},
}

// office is usual, and a duty manager who serves no queue.
func office() queue.Options {
	o := usual()
	o.Agents = append(o.Agents, queue.Profile{ID: "duty", Number: "700"})
	return o
}

// atWork is an office with a call that is with 1001; all are signed in.
func (at house) atWork(t *testing.T, test func(t *testing.T, d *desk)) {
	at.desk(t, office(), func(t *testing.T, d *desk) {
		d.signIn("1001")
		d.talking("a", "1001")
		d.pass(10 * time.Second)
		d.signIn("1002", "1003", "duty")
		test(t, d)
	})
}

func (d *desk) call(agent, call string) *queue.Offer {
	d.t.Helper()
	o, err := d.Call(agent, call)
	d.must(err)
	return o
}

// consulted brings a third to a call.
func (d *desk) consulted(agent, call string) {
	d.t.Helper()
	d.must(d.call(agent, call).Connected())
}

func (d *desk) view(agent string) queue.AgentView {
	d.settle()
	v, _ := d.Agent(agent)
	return v
}

// with asserts which part an agent has in a call, and beside whom.
func (d *desk) with(agent string, state queue.State, call, other string, third bool) {
	d.t.Helper()
	if v := d.view(agent); v.State != state || v.Call != call || v.With != other || v.Third != third {
		d.t.Fatalf("agent %s is %s in call %q with %q, as a third: %v; want %s in call %q with %q, %v",
			agent, v.State, v.Call, v.With, v.Third, state, call, other, third)
	}
}

func testConsult(t *testing.T, at house) {
	at.atWork(t, func(t *testing.T, d *desk) {
		d.must(d.Consult("1001", "a"))
		o := d.call("1002", "a")
		if o.Agent.ID != "1002" || o.Number != 0 || o.Queue != "bills" || o.RingTimeout != 15*time.Second || o.With != "1001" || o.Context().Err() != nil {
			t.Errorf("offer %+v", o)
		}
		if c := d.last(queue.KindCalled); c.Agent != "1002" || c.Call != "a" || c.With != "1001" || !c.Third || c.Offer != o.ID ||
			c.From != queue.StateReady || c.To != queue.StateReserved {
			t.Errorf("recorded %+v", c)
		}
		d.with("1002", queue.StateReserved, "a", "1001", true)
		d.with("1001", queue.StateConsult, "a", "1002", false)
		d.must(o.Ringing())
		d.with("1002", queue.StateRinging, "a", "1001", true)
		d.unoffered(d.joinAs(queue.Caller{ID: "b", Queue: "bills"})) // nobody else is ready there
		d.must(o.Connected())
		began := d.view("1002").Began
		d.with("1002", queue.StateConsult, "a", "1001", true)
		if c := d.last(queue.KindConsulted); c.Agent != "1002" || c.With != "1001" || !c.Third || c.From != queue.StateRinging || c.To != queue.StateConsult {
			t.Errorf("recorded %+v", c)
		}
		for _, err := range []error{d.Hold("1002", "a"), d.Resume("1002", "a"), d.EndConsult("1001", "a")} {
			if !errors.Is(err, queue.ErrNotTheirCall) {
				t.Errorf("one has done what is the other's: %v", err)
			}
		}
		d.must(d.Resume("1001", "a"))
		d.pass(5 * time.Second)
		d.must(d.EndConsult("1002", "a"))
		if c := d.last(queue.KindAgentState); c.Agent != "1002" || !c.Third || c.With != "1001" || !c.Began.Equal(began) || c.From != queue.StateConsult || c.To != queue.StateReady {
			t.Errorf("recorded %+v, and the consult began at %v", c, began)
		}
		d.with("1002", queue.StateReserved, "b", "", false) // at once: nothing to wrap up
		d.with("1001", queue.StateTalking, "a", "", false)
	})
}

func testConsultRefused(t *testing.T, at house) {
	for name, row := range map[string]struct {
		before func(d *desk)
		call   string
		agent  string
		from   queue.State // of a TransitionError
		want   error
	}{
		"offline":            {before: func(d *desk) { d.must(d.SignOut("1002")) }, from: queue.StateOffline},
		"paused":             {before: func(d *desk) { d.must(d.Pause("1002", "lunch")) }, from: queue.StatePaused},
		"talking":            {before: func(d *desk) { d.talking("b", "1002") }, from: queue.StateTalking},
		"offered":            {before: func(d *desk) { d.join("b") }, from: queue.StateReserved},
		"with another call":  {before: func(d *desk) { d.must(d.Pause("1003", "tea")); d.talking("b", "1002"); d.consulted("duty", "b") }, agent: "duty", from: queue.StateConsult},
		"themselves":         {before: func(*desk) {}, agent: "1001", from: queue.StateTalking},
		"after another call": {before: func(d *desk) { d.talking("b", "1002"); d.must(d.EndTalk("1002", "b")) }, from: queue.StateWrapUp},
		"unknown":            {before: func(*desk) {}, agent: "9", want: queue.ErrUnknownAgent},
		"a third is there":   {before: func(d *desk) { d.consulted("duty", "a") }, want: queue.ErrThird},
		"a third is called":  {before: func(d *desk) { d.call("duty", "a") }, want: queue.ErrThird},
		"the caller waits":   {before: func(d *desk) { d.must(d.Pause("1002", "x")); d.join("w"); d.must(d.Pause("1003", "x")) }, call: "w", agent: "duty", want: queue.ErrDuplicate},
	} {
		t.Run(name, func(t *testing.T) {
			at.atWork(t, func(t *testing.T, d *desk) {
				row.before(d)
				agent, call := "1002", "a"
				if row.agent != "" {
					agent = row.agent
				}
				if row.call != "" {
					call = row.call
				}
				_, err := d.Call(agent, call)
				var no *queue.TransitionError
				switch {
				case row.want != nil && !errors.Is(err, row.want):
					t.Errorf("calling agent %s in: %v, want %v", agent, err, row.want)
				case row.want == nil && (!errors.As(err, &no) || no.AgentID != agent || no.From != row.from):
					t.Errorf("calling agent %s in: %v, want a TransitionError that names %s", agent, err, row.from)
				}
			})
		})
	}
}

// Each way a call to an agent fails has the consequence for them that it has
// for an offer of a caller in line.
func testConsultFails(t *testing.T, at house) {
	for name, row := range map[string]struct {
		end    func(d *desk, o *queue.Offer)
		state  queue.State
		cause  string
		become error // of the offer's context
	}{
		"no answer":   {func(_ *desk, o *queue.Offer) { o.Failed(queue.NoAnswer) }, queue.StatePaused, "no-answer", queue.ErrOfferOver},
		"declined":    {func(_ *desk, o *queue.Offer) { o.Failed(queue.Declined) }, queue.StatePaused, "declined", queue.ErrOfferOver},
		"unreachable": {func(_ *desk, o *queue.Offer) { o.Failed(queue.Unreachable) }, queue.StateUnreachable, "unreachable", queue.ErrOfferOver},
		"cancelled":   {func(_ *desk, o *queue.Offer) { o.Failed(queue.Cancelled) }, queue.StateReady, "cancelled", queue.ErrCallerLeft},
		"a pause":     {func(d *desk, _ *queue.Offer) { d.must(d.Pause("duty", "lunch")) }, queue.StatePaused, "lunch", queue.ErrWithdrawn},
		"unreported":  {func(d *desk, _ *queue.Offer) { d.pass(20 * time.Second) }, queue.StateReady, queue.LapseUnreported, queue.ErrUnreported},
	} {
		t.Run(name, func(t *testing.T) {
			at.atWork(t, func(t *testing.T, d *desk) {
				before := d.view("duty").IdleSince
				o := d.call("duty", "a")
				row.end(d, o)
				d.inState("duty", row.state)
				if got := context.Cause(o.Context()); !errors.Is(got, row.become) {
					t.Errorf("the offer's context: %v, want %v", got, row.become)
				}
				if err := o.Connected(); !errors.Is(err, queue.ErrOfferOver) {
					t.Errorf("an answer that came too late: %v", err)
				}
				if c := d.last(queue.KindRefused); c.Agent != "duty" || c.Call != "a" || !c.Third || c.Cause != row.cause || c.To != row.state {
					t.Errorf("recorded %+v", c)
				}
				if v := d.view("duty"); row.state == queue.StateReady && !v.IdleSince.Equal(before) {
					t.Errorf("the agent was blamed: %+v, idle before since %v", v, before)
				}
				d.with("1001", queue.StateTalking, "a", "", false)
				d.consulted("1002", "a") // somebody else may be called
			})
		})
	}
}

// Whose call it is may part from it before the third does, or come back to it.
func testConsultEndsOtherwise(t *testing.T, at house) {
	at.atWork(t, func(t *testing.T, d *desk) {
		d.consulted("1002", "a")
		d.must(d.EndTalk("1001", "a"))
		d.with("1002", queue.StateConsult, "a", "", true)
		if _, err := d.Join(queue.Caller{ID: "a", Queue: "bills", Head: true}); !errors.Is(err, queue.ErrDuplicate) {
			t.Errorf("joining while a third is with the call: %v", err)
		}
		d.must(d.Rejoin("1001", "a"))
		d.with("1002", queue.StateConsult, "a", "1001", true)
		d.must(d.EndTalk("1001", "a"))
		d.must(d.EndTalk("1002", "a")) // whose part it was, too
		d.inState("1002", queue.StateReady)
		if err := d.Rejoin("1002", "a"); !errors.Is(err, queue.ErrNotTheirCall) {
			t.Errorf("a third of before rejoins the call: %v", err)
		}
		d.offered(d.joinAs(queue.Caller{ID: "a", Queue: "bills", Head: true}), "1002")
	})
}

func testWarmTransfer(t *testing.T, at house) {
	at.atWork(t, func(t *testing.T, d *desk) {
		first := d.view("1001").Began
		d.consulted("1002", "a")
		called := d.view("1002").Began
		d.pass(7 * time.Second)
		if err := d.HandOver("a", "1002", "1001"); !errors.Is(err, queue.ErrNotTheirCall) {
			t.Errorf("handed over the wrong way: %v", err)
		}
		if err := d.HandOver("a", "1001", "1003"); !errors.Is(err, queue.ErrNotTheirCall) {
			t.Errorf("handed over to nobody: %v", err)
		}
		d.must(d.HandOver("a", "1001", "1002"))
		c := d.last(queue.KindHandedOver)
		if c.Agent != "1002" || c.From != queue.StateConsult || c.To != queue.StateTalking || !c.Began.Equal(called) || c.With != "1001" || c.Third {
			t.Errorf("recorded %+v", c)
		}
		if l := c.Left; l == nil || *l != (queue.Leaving{Agent: "1001", From: queue.StateTalking, To: queue.StateWrapUp, Began: first}) {
			t.Errorf("recorded that %+v", l)
		}
		d.with("1002", queue.StateTalking, "a", "", false)
		d.inState("1001", queue.StateWrapUp)
		d.must(d.HandOver("a", "1001", "1002")) // which is so
		d.must(d.Hold("1002", "a"))
		d.must(d.EndTalk("1002", "a"))
		d.inState("1002", queue.StateWrapUp)
	})
}

func testBlindTransfer(t *testing.T, at house) {
	at.atWork(t, func(t *testing.T, d *desk) {
		d.must(d.EndTalk("1001", "a"))
		o := d.call("duty", "a")
		if o.With != "1001" || o.Queue != "bills" {
			t.Errorf("offer %+v", o)
		}
		if _, err := d.Join(queue.Caller{ID: "a", Queue: "bills", Head: true}); !errors.Is(err, queue.ErrDuplicate) {
			t.Errorf("joining while a phone rings for the call: %v", err)
		}
		d.must(o.Ringing())
		d.must(o.Connected())
		if c := d.last(queue.KindConnected); c.Agent != "duty" || c.With != "1001" || c.Third || c.WaitedMs != 0 || c.To != queue.StateTalking {
			t.Errorf("recorded %+v", c)
		}
		d.with("duty", queue.StateTalking, "a", "", false)
		d.must(d.HandOver("a", "1001", "duty")) // which is so
		d.must(d.EndTalk("duty", "a"))
		d.inState("duty", queue.StateWrapUp)
	})
	at.atWork(t, func(t *testing.T, d *desk) { // who transfers leaves while the third is there already
		d.consulted("1002", "a")
		d.must(d.EndTalk("1001", "a"))
		d.must(d.HandOver("a", "1001", "1002"))
		if c := d.last(queue.KindHandedOver); c.Agent != "1002" || c.With != "1001" || c.Left != nil {
			t.Errorf("recorded %+v", c)
		}
		d.with("1002", queue.StateTalking, "a", "", false)
	})
}

func testBackToWhoTransferred(t *testing.T, at house) {
	at.atWork(t, func(t *testing.T, d *desk) {
		d.must(d.EndTalk("1001", "a"))
		d.call("1002", "a").Failed(queue.NoAnswer)
		d.pass(5 * time.Second)
		o := d.call("1001", "a") // from the wrap-up
		d.with("1001", queue.StateReserved, "a", "", true)
		d.must(o.Ringing())
		o.Failed(queue.Cancelled)
		d.inState("1001", queue.StateWrapUp) // for its whole time
		d.pass(19 * time.Second)
		d.inState("1001", queue.StateWrapUp)
		d.must(d.call("1001", "a").Connected())
		d.with("1001", queue.StateTalking, "a", "", false)
		d.must(d.EndTalk("1001", "a"))
		d.call("1001", "a").Failed(queue.Declined)
		d.inState("1001", queue.StatePaused)
		d.must(d.Ready("1002"))
		d.offered(d.joinAs(queue.Caller{ID: "a", Queue: "bills", Head: true}), "1002") // in the end the head of the line
	})
}

func testWishesOfAThird(t *testing.T, at house) {
	at.atWork(t, func(t *testing.T, d *desk) {
		d.consulted("1002", "a")
		d.must(d.Pause("1002", "lunch"))
		if v := d.view("1002"); v.State != queue.StateConsult || v.Then != queue.StatePaused {
			t.Errorf("the third is shown as %+v", v)
		}
		waits := d.join("b")
		d.must(d.EndConsult("1002", "a"))
		d.inState("1002", queue.StatePaused)
		d.unoffered(waits)
		if v := d.view("1002"); v.Reason != "lunch" {
			t.Errorf("paused because of %q", v.Reason)
		}
		d.consulted("duty", "a")
		d.must(d.SignOut("duty"))
		d.must(d.HandOver("a", "1001", "duty"))
		if v := d.view("duty"); v.State != queue.StateTalking || v.Then != queue.StateOffline {
			t.Errorf("who has taken the call over is shown as %+v", v)
		}
		d.is("1001", queue.StateWrapUp, 0)
		d.must(d.EndTalk("duty", "a"))
		d.is("duty", queue.StateWrapUp, queue.StateOffline)
		d.pass(20 * time.Second)
		d.inState("duty", queue.StateOffline)
	})
}

// Who is to leave after the wrap-up may be called back from it, and leaves all
// the same.
func testWishesOfWhoIsCalledBack(t *testing.T, at house) {
	at.atWork(t, func(t *testing.T, d *desk) {
		d.must(d.Pause("1001", "lunch"))
		d.consulted("1002", "a")
		d.must(d.HandOver("a", "1001", "1002"))
		d.is("1001", queue.StateWrapUp, queue.StatePaused)
		d.must(d.EndTalk("1002", "a")) // who transfers the caller, too
		d.must(d.call("1001", "a").Connected())
		d.is("1001", queue.StateTalking, queue.StatePaused)
		d.must(d.EndTalk("1001", "a"))
		o := d.call("1001", "a")
		d.is("1001", queue.StateReserved, queue.StatePaused)
		o.Failed(queue.Cancelled)
		d.is("1001", queue.StateWrapUp, queue.StatePaused)
		d.call("1001", "a").Failed(queue.Declined)
		d.is("1001", queue.StatePaused, 0)
		d.pass(time.Minute)
		if v := d.view("1001"); v.State != queue.StatePaused || v.Reason != "lunch" {
			t.Errorf("the break has become %+v", v)
		}
	})
}

func testFoundWithAThird(t *testing.T, at house) {
	at.atWork(t, func(t *testing.T, d *desk) {
		o := d.call("1002", "a")
		for range 2 { // a part that is known is no error
			d.must(d.FoundThird("1002", "a", "bills"))
		}
		d.with("1002", queue.StateConsult, "a", "1001", true)
		if c := d.last(queue.KindConsulted); c.Cause != queue.CauseFound || c.Offer != o.ID || o.Context().Err() != nil {
			t.Errorf("recorded %+v; the offer's context: %v", c, o.Context().Err())
		}
		for _, agent := range []string{"1001", "duty"} {
			if err := d.FoundThird(agent, "a", "bills"); !errors.Is(err, queue.ErrNotTheirCall) {
				t.Errorf("agent %s is found as another third: %v", agent, err)
			}
		}
		if err := d.Found("1002", "a", "bills"); !errors.Is(err, queue.ErrNotTheirCall) {
			t.Errorf("the third is found as whose call it is: %v", err)
		}
		d.must(d.EndTalk("1001", "a"))
		d.must(d.Found("1002", "a", "bills"))
		d.with("1002", queue.StateTalking, "a", "", false)
		if c := d.last(queue.KindHandedOver); c.Agent != "1002" || c.Cause != queue.CauseFound {
			t.Errorf("recorded %+v", c)
		}
		waits := d.joinAs(queue.Caller{ID: "b", Queue: "repairs"})
		rings := d.offered(waits, "1003")
		toDuty := d.call("duty", "a")
		d.must(d.FoundThird("1003", "a", "bills")) // whose phone rang for somebody else, and another's for this call
		d.with("1003", queue.StateConsult, "a", "1002", true)
		for _, o := range []*queue.Offer{rings, toDuty} {
			if !errors.Is(context.Cause(o.Context()), queue.ErrWithdrawn) {
				t.Errorf("the context of %s: %v", o.ID, context.Cause(o.Context()))
			}
		}
		d.waits(waits, 1)
		d.inState("duty", queue.StateReady)
		if err := d.FoundThird("duty", "b", "repairs"); !errors.Is(err, queue.ErrNotTheirCall) {
			t.Errorf("found as the third of a call that waits: %v", err)
		}
		d.must(d.SignOut("duty"))
		if err := d.FoundThird("duty", "c", "repairs"); !errors.Is(err, queue.ErrTransition) {
			t.Errorf("found though offline: %v", err)
		}
	})
}

// In the queue's figures a call is one, however many agents were with it.
func testACallCountsOnce(t *testing.T, at house) {
	at.desk(t, office(), func(t *testing.T, d *desk) {
		d.signIn("1001", "1002", "duty")
		calls := []string{"a", "b", "c"}
		for _, id := range calls { // 30 s of talk by one and 30 s by the other, 20 s of wrap-up
			d.talking(id, "1001")
			d.pass(30 * time.Second)
			d.consulted("duty", id)
			d.must(d.HandOver(id, "1001", "duty"))
			d.pass(30 * time.Second)
			d.must(d.EndTalk("duty", id))
			d.pass(20 * time.Second)
			d.inState("1001", queue.StateReady)
			d.inState("duty", queue.StateReady)
			d.must(d.Pause("1002", "so that 1001 is first"))
			d.must(d.Ready("1002"))
		}
		v := d.Queues()[0]
		if v.Handling < 80*time.Second || v.Handling > 84*time.Second || v.InTime == nil || *v.InTime != 100 {
			t.Errorf("the queue's view: %+v, want a handling of 1m20s", v)
		}
	})
}
