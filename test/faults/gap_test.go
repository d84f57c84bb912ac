package faults_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"hotline/call"
	"hotline/queue"
	"hotline/test/ear"
	"hotline/test/phone"
)

// gap is a way in which the service hears nothing of Asterisk for a while.
type gap struct {
	begin func(*world) (end func())
	// What a caller hears whose agent hung up in it. Where that is told late it is as ever; where nobody will ever tell,
	// the agent's line may have failed: the caller hears so and is the next to be served.
	agentLeft string
	ends      map[string]call.Outcome // how the calls of those end who hung up in it, by number
}

// told is how calls end whose end is told late, untold how those do that are only found to be gone.
var (
	told = map[string]call.Outcome{
		"13800000012": {Result: call.Served, Reason: "talked"},
		"13800000014": {Result: call.Abandoned, Reason: "wait"},
		"13800000016": {Result: call.Abandoned, Reason: "wait"},
	}
	untold = map[string]call.Outcome{
		"13800000012": {Result: call.Lost, Reason: "talk"},
		"13800000014": {Result: call.Lost, Reason: "wait"},
		"13800000016": {Result: call.Lost, Reason: "wait"},
	}
)

var gaps = map[string]gap{
	"the websocket is closed": {
		begin:     func(w *world) func() { return w.onceNoticed(w.wire.Part()) },
		agentLeft: "talk.line_lost", ends: untold,
	},
	"the wire is a black hole": {
		begin:     func(w *world) func() { return w.onceNoticed(w.wire.BlackHole()) },
		agentLeft: "talk.line_lost", ends: untold,
	},
	"the service is frozen": {
		begin: func(w *world) func() {
			w.try(w.Freeze())
			return func() { w.try(w.Thaw()) }
		},
		agentLeft: "rating.ask", ends: told,
	},
}

// onceNoticed ends a gap once the service knows of it.
func (w *world) onceNoticed(end func()) func() {
	return func() {
		w.unready()
		end()
	}
}

// ready says whether /readyz does.
func (w *world) ready() bool {
	status, _, err := w.Get(w.ctx, "/readyz")
	return err == nil && status == http.StatusOK
}

// unready waits until the service says that it has lost Asterisk, and gives how long that took.
func (w *world) unready() time.Duration {
	w.t.Helper()
	return w.await("the service says that it has lost Asterisk", func() bool { return !w.ready() })
}

// A websocket that is closed is noticed within a second, and taken up again as soon as it can be.
func TestAClosedWebsocketIsNoticedAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, time.Minute, nil)
	rejoin := w.wire.Part()
	noticed := w.unready()
	rejoin()
	back := w.await("the service is ready again", w.ready)
	t.Logf("closed: noticed after %v, ready again %v after it could be", noticed.Round(time.Millisecond), back.Round(time.Millisecond))
	if noticed > time.Second {
		t.Errorf("the closed websocket was noticed after %v, want within 1 s", noticed)
	}
	if back > 2*time.Second {
		t.Errorf("the service was ready %v after Asterisk could be reached, want within 2 s", back)
	}
}

// A wire that swallows everything without a word is noticed within 15 s; who waits meanwhile hears the tone and the
// apology, and is served when it is whole again.
func TestABlackHoleIsNoticed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2*time.Minute, nil)
	w.desk("1001", phone.DeclineAfter(0, 486)) // somebody is signed in
	c := w.waits("13800000002")
	end := w.wire.BlackHole()
	began := time.Since(c.Start())
	noticed := w.unready()
	w.hears(c, "hold.apology", began)
	end()
	back := w.await("the service is ready again", w.ready)
	t.Logf("black hole: noticed after %v, ready again %v after its end", noticed.Round(time.Millisecond), back.Round(time.Millisecond))
	if noticed > 15*time.Second+100*time.Millisecond {
		t.Errorf("the black hole was noticed after %v, want within 15 s", noticed)
	}
	w.desk("1002", phone.AnswerAfter(0))
	voice := w.hears(c, "voice.agent", began)
	if quiet := c.Transcript().Silences(began, voice.At, 300*time.Millisecond); len(quiet) > 0 {
		t.Errorf("the caller heard nothing for a while: %v\nheard: %s", quiet, c.Transcript())
	}
}

// Everything happens to callers and agents at once while the service hears nothing of it: afterwards all is as if it had
// heard, and nobody is called twice.
func TestWhatHappenedInAGapIsReconstructed(t *testing.T) {
	t.Parallel()
	for name, g := range gaps {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g.pass(newWorld(t, 2*time.Minute, nil))
		})
	}
}

// people of a gap: what they do in it is their name.
type people struct {
	agentLeaves, callerLeaves      *phone.Call // callers who talk
	leavingAgent, leftAgent        *phone.Call // … and their agents
	isAnswered, leavesWhileRinging *phone.Call // callers who are offered
	answering, ringing             *phone.Call // … at these phones
	waits, leavesWaiting           *phone.Call // callers in line
	desks                          []*desk
}

func (g gap) pass(w *world) {
	w.t.Helper()
	p := w.gather()
	end := g.begin(w)
	began := time.Now()
	w.hangup(p.leavingAgent)
	w.hangup(p.callerLeaves)
	w.hangup(p.leavesWhileRinging)
	w.hangup(p.leavesWaiting)
	w.try(p.answering.Answer(w.ctx))
	arrives, err := w.caller("13800000017").Dial(w.ctx, w.Config.Service.Number)
	w.try(err)
	w.pass(2 * time.Second)
	for _, d := range p.desks {
		d.answers(phone.AnswerAfter(0)) // whoever is offered afterwards
	}
	end()
	over := time.Now()
	w.t.Logf("the gap lasted %v", over.Sub(began).Round(time.Millisecond))

	expected := map[string]func(){
		"the caller whose agent left hears " + g.agentLeft: func() { w.hears(p.agentLeaves, g.agentLeft, p.agentLeaves.Since(began)) },
		"the agent whose caller left is let go":            func() { w.ended(p.leftAgent) },
		"the phone whose caller left rings no more":        func() { w.ended(p.ringing) },
		"who answered talks": func() {
			w.hears(p.isAnswered, "voice.agent", p.isAnswered.Since(began))
			w.hears(p.answering, "voice.caller", 0)
		},
		"who arrived is served": func() { w.hears(arrives, "menu.main", 0) },
		"who waits is served":   func() { w.hears(p.waits, "voice.agent", p.waits.Since(began)) },
	}
	var all []func()
	for what, happens := range expected {
		all = append(all, func() {
			happens()
			w.t.Logf("%s: %v after the gap", what, time.Since(over).Round(time.Millisecond))
		})
	}
	w.together(all...)
	if g.agentLeft == "talk.line_lost" {
		w.hears(p.agentLeaves, "voice.agent", p.agentLeaves.Since(over))
	}
	heard := p.waits.Transcript()
	if quiet := heard.Silences(p.waits.Since(began), heard.Of("voice.agent")[0].At, 300*time.Millisecond); len(quiet) > 0 {
		w.t.Errorf("who waits heard nothing for a while: %v\nheard: %s", quiet, heard)
	}

	for number, want := range g.ends {
		if got := w.summary(number).Outcome; got != want {
			w.t.Errorf("the call from %s ended as %+v, want %+v", number, got, want)
		}
	}
	w.noDoubleOffers()
	for _, d := range p.desks {
		if n := len(d.calls(w.t)); d.id == "1001" && n != 1 {
			w.t.Errorf("%s was called %d times for one caller\n%s", d.Name(), n, d.Trace())
		}
	}
}

// gather brings two talks, two offers and two waiting callers about.
func (w *world) gather() *people {
	w.t.Helper()
	p := &people{}
	at := func(id string, b phone.Behaviour) *desk {
		d := w.desk(id, b)
		p.desks = append(p.desks, d)
		return d
	}
	p.agentLeaves, p.leavingAgent = w.talks("13800000011", at("1002", phone.AnswerAfter(0)))
	p.callerLeaves, p.leftAgent = w.talks("13800000012", at("1003", phone.AnswerAfter(0)))
	inMenu := w.inMenu("13800000013", "13800000014", "13800000015", "13800000016")
	p.isAnswered, p.answering = inMenu[0], w.offered(inMenu[0], at("1001", nil))
	p.leavesWhileRinging, p.ringing = inMenu[1], w.offered(inMenu[1], at("1004", nil))
	p.waits, p.leavesWaiting = inMenu[2], inMenu[3]
	for _, c := range inMenu[2:] {
		w.keys(c, "0")
		w.hears(c, ear.HoldTone, 0)
	}
	return p
}

// inMenu are callers who call at once and hear the menu.
func (w *world) inMenu(numbers ...string) []*phone.Call {
	w.t.Helper()
	calls := make([]*phone.Call, len(numbers))
	phones := make([]*phone.Phone, len(numbers))
	for i, number := range numbers {
		phones[i] = w.caller(number)
	}
	w.each(len(numbers), func(i int) {
		calls[i] = w.dial(phones[i])
		w.hears(calls[i], "menu.main", 0)
	})
	return calls
}

// offered lets a caller choose a person, and gives the call at that desk's phone, which rings.
func (w *world) offered(c *phone.Call, at *desk) *phone.Call {
	w.t.Helper()
	w.keys(c, "0")
	ringing := w.incoming(at)
	w.becomes(at.id, queue.StateRinging)
	return ringing
}

// pass lets time go by that people take: it is part of the scenario.
func (w *world) pass(d time.Duration) {
	w.t.Helper()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-w.ctx.Done():
	}
}

// noDoubleOffers folds the queue's changes: a caller has at most one offer at a time, an agent at most one caller.
func (w *world) noDoubleOffers() {
	w.t.Helper()
	caller, agent := map[string]string{}, map[string]string{} // whom they are offered to or talk with
	for _, e := range w.entries() {
		if !strings.HasPrefix(e.Kind, "queue.") && e.Kind != queue.KindAgentState {
			continue
		}
		change := decoded[queue.Change](w.t, e)
		if e.Kind == queue.KindOffered {
			if with := caller[change.Call]; with != "" {
				w.t.Errorf("entry %d: call %s is offered to %s while it is with %s", e.Seq, change.Call, change.Agent, with)
			}
			if with := agent[change.Agent]; with != "" {
				w.t.Errorf("entry %d: agent %s is offered call %s while with %s", e.Seq, change.Agent, change.Call, with)
			}
			caller[change.Call], agent[change.Agent] = change.Agent, change.Call
			continue
		}
		switch change.To {
		case 0, queue.StateReserved, queue.StateRinging, queue.StateTalking, queue.StateHold:
		default: // the agent is free of the caller
			delete(caller, agent[change.Agent])
			delete(agent, change.Agent)
		}
	}
}
