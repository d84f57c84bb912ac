package e2e

import (
	"testing"
	"time"

	"hotline/call"
	"hotline/configs"
	"hotline/journal"
	"hotline/test/ear"
	"hotline/test/phone"
)

// redials is a hotline that notices a dead line soon, and may dial mobiles again.
func redials(t *testing.T, limit time.Duration) *world {
	return newWorld(t, limit, func(cfg *configs.Config) {
		cfg.Asterisk.RTPTimeout.Duration = 5 * time.Second
		cfg.Asterisk.RTPTimeoutHold.Duration = 5 * time.Second
		cfg.Queues[0].WrapUp.Duration = time.Second
		cfg.Redial.Ring.Duration = 15 * time.Second
		var mobiles configs.NumberPattern
		if err := mobiles.UnmarshalText([]byte("1[3-9]XXXXXXXXX")); err != nil {
			t.Fatal(err)
		}
		cfg.Redial.Allow = []configs.NumberPattern{mobiles}
	})
}

// reachable is a caller whom the hotline can dial: a phone where the trunk leads to.
func (w *world) reachable(number string, incoming phone.Behaviour) *phone.Phone {
	w.t.Helper()
	return w.caller(phone.Options{
		Voice: voices["caller"], Number: number, Port: int(w.Config.Asterisk.Trunk.Out.Port()), Incoming: incoming,
	})
}

// talk is a caller and an agent who hear each other.
func (w *world) talk(p *phone.Phone, number string, desk *phone.Phone) (*visit, *phone.Call) {
	w.t.Helper()
	v := &visit{w, number, p, w.dial(p)}
	v.key("menu.main", "0")
	a := w.incoming(desk)
	v.hears("voice.agent")
	w.hears(a, "voice.caller", 0)
	return v, a
}

// breaks cuts the caller's line and waits until Asterisk has noticed.
func (v *visit) breaks() {
	v.t.Helper()
	v.call.StopRTP()
	v.ended(v.call)
}

// since is how long a call has lasted.
func since(c *phone.Call) time.Duration { return time.Since(c.Start()) }

// notDialled fails when the caller's phone is called within a while.
func (v *visit) notDialled() {
	v.t.Helper()
	v.passes(2 * time.Second)
	if told := v.story(); len(told.of(call.KindRedial)) > 0 {
		v.t.Errorf("the caller was dialled again\n%s", told)
	}
}

// A caller whose line breaks is dialled at once and hears the apology first; the agent stays on the line and hears why
// (A5, B4). Nobody else is dialled. Who calls again gets back what they had. The scenarios share the one line by which
// the hotline dials out, and come one after the other.
func TestCutOffCaller(t *testing.T) {
	t.Parallel()
	w := redials(t, 6*time.Minute)
	desk := w.agent("1001", phone.AnswerAfter(0))
	for _, scenario := range []struct {
		name string
		play func(w *world, number string)
	}{
		{"answers the redial", func(w *world, number string) {
			p := w.reachable(number, phone.AnswerAfter(2*time.Second))
			v, a := w.talk(p, number, desk)
			v.breaks()
			broke := since(a)
			again := w.incoming(p)
			told := w.hears(a, "agent.redial", broke-5*time.Second)
			w.hears(a, ear.HoldTone, told.At)
			if shown := again.RemoteNumber(); shown != w.Config.Service.Number {
				w.t.Errorf("the caller's phone shows %q, want our number %s", shown, w.Config.Service.Number)
			}
			apology := w.hears(again, "redial.apology", 0)
			voice := w.hears(again, "voice.agent", 0)
			back := w.hears(a, "voice.caller", told.At)
			w.t.Logf("dialled %.2f s after the line was seen to be dead, apology %.2f s after the answer, then %.2f s until they talk; the agent hears the caller %.2f s after the word",
				(again.Start().Sub(a.Start()) - broke).Seconds(), (apology.At - again.Since(again.Times().Answered)).Seconds(), (voice.At - apology.End).Seconds(), (back.At - told.At).Seconds())
			if first := again.Transcript(); first[0].ID != "redial.apology" {
				w.t.Errorf("the caller hears first %s", first)
			}
			w.silences(again, apology.At, since(again))
			w.passes(2 * time.Second)
			hangUp(w, again)
			w.ended(a)
			v.wantEnd(call.Served, "talked", "caller line-failed (proven)", "caller again: "+callerPressed,
				"caller: caller line-failed (proven)", "agent 1001: "+serviceDid)
			v.wantBothParts()
		}},
		{"answers the redial, on hold", func(w *world, number string) {
			p := w.reachable(number, phone.AnswerAfter(time.Second))
			v, a := w.talk(p, number, desk)
			if err := a.Hold(w.ctx); err != nil {
				w.t.Fatal(err)
			}
			w.hears(v.call, ear.HoldTone, v.now())
			v.breaks()
			again := w.incoming(p)
			apology := w.hears(again, "redial.apology", 0)
			w.hears(again, ear.HoldTone, apology.At)
			if err := a.Unhold(w.ctx); err != nil {
				w.t.Fatal(err)
			}
			w.hears(again, "voice.agent", 0)
			hangUp(w, a)
			w.hears(again, "rating.ask", 0)
			hangUp(w, again)
			v.wantEnd(call.Served, "talked", "caller line-failed (proven)", "caller again: "+callerPressed,
				"caller: caller line-failed (proven)", "agent 1001: "+agentPressed)
		}},
		{"is busy", func(w *world, number string) {
			p := w.reachable(number, phone.DeclineAfter(time.Second, 486))
			v, a := w.talk(p, number, desk)
			v.breaks()
			w.incoming(p)
			w.hears(a, "agent.redial.failed", 0)
			w.ended(a)
			v.wantEnd(call.Served, "talked", "caller line-failed (proven)", "caller: caller line-failed (proven)", "agent 1001: "+serviceDid)
			if one := w.listed(number); one.How != call.LineFailed || one.Why != call.RedialBusy || one.Talked < 1 {
				w.t.Errorf("the caller is listed as %+v", one)
			}
			// … and calls by themselves: the same agent, without the menu
			back := &visit{w, number, p, w.dial(p)}
			word := back.hears("return.agent")
			a = w.incoming(desk)
			w.hears(back.call, "voice.agent", word.At)
			if heard := back.call.Transcript(); len(heard.Of("menu.main")) > 0 {
				w.t.Errorf("who called again heard %s", heard)
			}
			back.hangup()
			w.ended(a)
			w.await("the caller is listed as served since", func() bool { return w.listed(number).Since == call.SinceServed })
		}},
		{"does not answer", func(w *world, number string) {
			p := w.reachable(number, phone.RingForEver())
			v, a := w.talk(p, number, desk)
			v.breaks()
			rings := w.incoming(p)
			w.hears(a, "agent.redial.failed", 0)
			end := w.ended(rings)
			if end.Reason != "CANCEL" || end.At < 14*time.Second || end.At > 18*time.Second {
				w.t.Errorf("the ringing ended with %v, want CANCEL after 15 s", end)
			}
			w.ended(a)
			v.wantEnd(call.Served, "talked", "caller line-failed (proven)", "caller: caller line-failed (proven)", "agent 1001: "+serviceDid)
		}},
		{"hung up", func(w *world, number string) {
			v, a := w.talk(w.reachable(number, phone.AnswerAfter(0)), number, desk)
			v.hangup()
			w.ended(a)
			v.notDialled()
			v.wantEnd(call.Served, "talked", callerPressed, "caller: "+callerPressed, "agent 1001: "+serviceDid)
		}},
		{"has a number that may not be dialled", func(w *world, _ string) {
			const number = "02112345678"
			v, a := w.talk(w.reachable(number, phone.AnswerAfter(0)), number, desk)
			v.breaks()
			w.ended(a)
			v.notDialled()
			v.wantEnd(call.Served, "talked", "caller line-failed (proven)", "caller: caller line-failed (proven)", "agent 1001: "+serviceDid)
		}},
		{"was in line", func(w *world, number string) {
			w.must("agent", "pause", "1001")
			p := w.reachable(number, phone.AnswerAfter(0))
			v := &visit{w, number, p, w.dial(p)}
			v.key("menu.main", "0")
			v.hears(ear.HoldTone)
			other := w.visitor()
			other.key("menu.main", "0")
			other.hears(ear.HoldTone)
			v.breaks()
			v.wantEnd(call.Abandoned, "wait", "caller line-failed (proven)", "caller: caller line-failed (proven)")
			back := &visit{w, number, p, w.dial(p)}
			word := back.hears("return.place")
			w.hears(back.call, ear.HoldTone, word.At)
			w.must("agent", "ready", "1001")
			a := w.incoming(desk)
			w.hears(back.call, "voice.agent", 0)
			if heard := other.call.Transcript(); len(heard.Of("agent.after")) > 0 {
				w.t.Errorf("who came later was served first, and heard %s", heard)
			}
			if heard := back.call.Transcript(); len(heard.Of("menu.main")) > 0 {
				w.t.Errorf("who called again heard %s", heard)
			}
			back.hangup()
			w.ended(a)
			a = w.incoming(desk)
			other.hears("voice.agent")
			other.hangup()
			w.ended(a)
		}},
	} {
		if !t.Run(scenario.name, func(t *testing.T) { scenario.play(w.in(t), newNumber()) }) {
			break // the next one would meet its agent
		}
		w.state("1001", "ready")
	}
	w.nothingLeft()
	w.must("audit")
}

// wantBothParts listens to what was recorded before and after the line broke.
func (v *visit) wantBothParts() {
	v.t.Helper()
	ended, _ := v.end()
	if ended.Recording == nil || ended.Recording.Then == nil {
		v.t.Fatalf("the recording is %+v, want two parts", ended.Recording)
	}
	for part, r := range map[string]*call.RecordingEnded{"before": ended.Recording, "after": ended.Recording.Then} {
		heard, err := ear.DecodeFile(r.File, ear.DecoderOptions{Code: v.code, Voices: voices})
		if err != nil {
			v.t.Errorf("the recording %s: %v", part, err)
			continue
		}
		v.t.Logf("recorded %s: %.2f s of %.2f s, gap %q\nleft %s\nright %s", part, r.Seconds, r.Expected, r.Gap, heard.Left, heard.Right)
		if len(heard.Left.Of("voice.caller")) == 0 || len(heard.Right.Of("voice.agent")) == 0 {
			v.t.Errorf("the recording %s lacks a voice", part)
		}
	}
	after, err := ear.DecodeFile(ended.Recording.Then.File, ear.DecoderOptions{Code: v.code, Voices: voices})
	if err == nil && len(after.Right.Of("redial.apology")) == 0 {
		v.t.Errorf("the recording lacks the apology")
	}
}

// A service that is killed in the middle of a redial leaves it to the next one: nobody is dialled a second time, the
// phone that rings is not left, and whoever answers talks with the agent again.
func TestCutOffCallerAndAKill(t *testing.T) {
	t.Parallel()
	w := redials(t, 4*time.Minute)
	desk := w.agent("1001", phone.AnswerAfter(0))
	for _, scenario := range []struct {
		name  string
		rings time.Duration // for how long, before the caller answers
		kill  func(w *world, again *phone.Call)
	}{
		{"while it rings, answered after the restart", 6 * time.Second, func(w *world, again *phone.Call) {
			if err := again.WaitRinging(w.ctx); err != nil {
				w.t.Fatal(err)
			}
		}},
		{"while it rings, answered meanwhile", 1500 * time.Millisecond, func(w *world, again *phone.Call) {
			w.passes(time.Second)
		}},
		{"in the apology", time.Second, func(w *world, again *phone.Call) { w.hears(again, "redial.apology", 0) }},
		{"in the talk", time.Second, func(w *world, again *phone.Call) { w.hears(again, "voice.agent", 0) }},
	} {
		if !t.Run(scenario.name, func(t *testing.T) {
			w := w.in(t)
			number := newNumber()
			p := w.reachable(number, phone.AnswerAfter(scenario.rings))
			v, a := w.talk(p, number, desk)
			v.breaks()
			again := w.incoming(p)
			scenario.kill(w, again)
			if err := w.Kill(); err != nil {
				w.t.Fatal(err)
			}
			w.passes(2 * time.Second)
			if err := w.Serve(w.ctx, "2026-03-10 10:00"); err != nil {
				w.t.Fatal(err)
			}
			w.hears(again, "redial.apology", 0)
			w.hears(again, "voice.agent", 0)
			w.passes(3 * time.Second)
			voices := again.Transcript().Of("voice.agent")
			if last := voices[len(voices)-1]; last.End < since(again)-time.Second {
				w.t.Errorf("the caller does not hear the agent any more, and heard %s", again.Transcript())
			}
			hangUp(w, again)
			w.ended(a)
			told := v.wantEnd(call.Served, "talked", "caller line-failed (proven)", "caller again: "+callerPressed,
				"caller: caller line-failed (proven)", "agent 1001: "+serviceDid)
			if dials := len(told.of(call.KindRedial)); dials != 1 {
				w.t.Errorf("the journal has %d redials", dials)
			}
		}) {
			break
		}
		w.state("1001", "ready")
	}
	w.nothingLeft()
	if left := w.read(journal.Query{Kinds: []string{call.KindServiceLeft}}); len(left) > 0 {
		t.Errorf("something was left in Asterisk: %v", left)
	}
	w.must("audit")
}
