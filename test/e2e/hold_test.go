package e2e

import (
	"testing"
	"time"

	"hotline/call"
	"hotline/configs"
	"hotline/queue"
	"hotline/test/ear"
	"hotline/test/phone"
)

// An agent puts the caller on hold from the phone, by re-INVITE: the same tone
// with the same apologies as in the queue, on a clock of its own for every
// hold (C3, B5).
func TestAgentHold(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 4*time.Minute, lanes(func(cfg *configs.Config) {
		cfg.Asterisk.RTPTimeout.Duration = 5 * time.Second
		cfg.Asterisk.RTPTimeoutAgents.Duration = 5 * time.Second
		cfg.Asterisk.RTPTimeoutHold.Duration = time.Minute
		cfg.Asterisk.SessionExpires.Duration = 90 * time.Second
	}))
	together(t, w, map[string]func(*lane){
		"70 s, talk, hold again, the agent hangs up": func(l *lane) {
			v, a := l.talks(l.agent(l.desk1(), phone.AnswerAfter(0)))
			held := v.held(a)
			l.agentState(l.desk1(), queue.StateHold)
			w.hears(v.call, "hold.apology", held+seconds(55))
			l.passes(time.Until(v.call.Start().Add(held + 70*time.Second)))
			v.resumed(a)
			v.onClock(held, 2, nil)
			v.steady(held, v.now())
			l.agentState(l.desk1(), queue.StateTalking)

			l.passes(2 * time.Second)
			again := v.held(a)
			l.world.hears(v.call, "hold.apology", again)
			v.onClock(again, 1, nil)
			gone := v.now()
			hangUp(l.world, a)
			asked := l.world.hears(v.call, "rating.ask", gone)
			v.steady(again, asked.At)
			v.hears("closing.day")
			told := v.wantEnd(call.Served, "talked", agentPressed, "caller: "+serviceDid, "agent "+l.desk1()+": "+agentPressed)
			if tones := told.of(call.KindTone); len(tones) != 3 {
				l.t.Errorf("the journal tells of %d hold tones, want the queue's and two holds:\n%s", len(tones), told)
			}
			l.agentState(l.desk1(), queue.StateReady)
		},
		"the agent's phone sends nothing while it holds": func(l *lane) {
			v, a := l.talks(l.agent(l.desk1(), phone.AnswerAfter(0)))
			held := v.held(a)
			a.Quiet()
			a.SetDTX(true)
			l.passes(12 * time.Second) // more than twice the time after which a silent line counts as dead
			a.SetDTX(false)
			a.Speak()
			v.resumed(a)
			v.steady(held, v.now())
			v.hangup()
			v.wantEnd(call.Served, "talked", callerPressed, "caller: "+callerPressed, "agent "+l.desk1()+": "+serviceDid)
		},
		"the agent's line dies on hold": func(l *lane) {
			desk := l.agent(l.desk1(), phone.AnswerAfter(0))
			v, a := l.talks(desk)
			held := v.held(a)
			second := l.agent(l.desk2(), phone.AnswerAfter(time.Second))
			desk.Die()
			lost := v.hears("talk.line_lost")
			next := l.incoming(second)
			voice := l.world.hears(v.call, "voice.agent", lost.At)
			l.t.Logf("dead on hold at %.2f s, apology for the line at %.2f s, next agent at %.2f s", held.Seconds(), lost.At.Seconds(), voice.At.Seconds())
			v.steady(held, voice.At)
			hangUp(l.world, next)
			v.hears("closing.day")
			v.wantEnd(call.Served, "talked", "agent line-failed (proven)", "caller: "+serviceDid,
				"agent "+l.desk1()+": agent line-failed (proven)", "agent "+l.desk2()+": "+agentPressed)
		},
		"hold and back as fast as a finger can": func(l *lane) {
			v, a := l.talks(l.agent(l.desk1(), phone.AnswerAfter(0)))
			for range 6 {
				if err := a.Hold(l.ctx); err != nil {
					l.t.Fatal(err)
				}
				if err := a.Unhold(l.ctx); err != nil {
					l.t.Fatal(err)
				}
			}
			toggled := v.now()
			l.agentState(l.desk1(), queue.StateTalking)
			l.passes(time.Second)
			if voices := v.call.Transcript().Of("voice.agent"); len(voices) == 0 || voices[len(voices)-1].End < toggled+seconds(0.5) {
				l.t.Errorf("the caller does not hear the agent any more: %v", voices)
			}
			if tones := v.call.Transcript().Between(toggled+seconds(0.5), v.now()).Of(ear.HoldTone); len(tones) > 0 {
				l.t.Errorf("the hold tone plays into the talk: %v", tones)
			}
			hangUp(l.world, a)
			v.hears("rating.ask")
			v.hangup()
			v.wantEnd(call.Served, "talked", agentPressed, "caller: "+callerPressed, "agent "+l.desk1()+": "+agentPressed)
		},
		"the agent's phone answers no SIP any more": func(l *lane) {
			desk := l.agent(l.desk1(), phone.AnswerAfter(0))
			v, _ := l.talks(desk)
			stopped := v.now()
			second := l.agent(l.desk2(), phone.AnswerAfter(time.Second))
			desk.StopSIP()
			lost := v.hears("talk.line_lost")
			l.t.Logf("the session was given up %.1f s after the phone's last word", (lost.At - stopped).Seconds())
			next := l.incoming(second)
			v.steady(stopped, l.world.hears(v.call, "voice.agent", lost.At).At)
			v.hangup()
			l.ended(next)
			v.wantEnd(call.Served, "talked", "agent line-failed (inferred)", "caller: "+callerPressed,
				"agent "+l.desk1()+": agent line-failed (inferred)", "agent "+l.desk2()+": "+serviceDid)
		},
		"the caller's phone holds": func(l *lane) {
			v, a := l.talks(l.agent(l.desk1(), phone.AnswerAfter(0)))
			if err := v.call.Hold(l.ctx); err != nil {
				l.t.Fatal(err)
			}
			l.passes(2 * time.Second)
			l.agentState(l.desk1(), queue.StateTalking)
			back := v.now()
			if err := v.call.Unhold(l.ctx); err != nil {
				l.t.Fatal(err)
			}
			l.passes(time.Second)
			heard := v.call.Transcript().Voices()
			if last := heard[len(heard)-1]; last.End < back+seconds(0.5) {
				l.t.Errorf("the caller came back and does not hear the agent: %v", heard)
			}
			l.t.Logf("the agent heard %v", a.Transcript())
			v.hangup()
			v.wantEnd(call.Served, "talked", callerPressed, "caller: "+callerPressed, "agent "+l.desk1()+": "+serviceDid)
		},
	})
	w.nothingLeft()
}

// held puts the caller on hold and returns when the tone began, which must be
// at once.
func (v *visit) held(a *phone.Call) time.Duration {
	v.t.Helper()
	pressed := v.now()
	if err := a.Hold(v.ctx); err != nil {
		v.t.Fatal(err)
	}
	tone := v.world.hears(v.call, ear.HoldTone, pressed-50*time.Millisecond) // the ear's own grain
	v.t.Logf("the tone began %d ms after the hold", (tone.At - pressed).Milliseconds())
	if late := tone.At - pressed; late > joinTolerance {
		v.t.Errorf("the tone began %v after the hold, want at most %v", late, joinTolerance)
	}
	return tone.At
}

// resumed ends the hold; both hear each other at once and the tone is over.
func (v *visit) resumed(a *phone.Call) {
	v.t.Helper()
	pressed := v.now()
	if err := a.Unhold(v.ctx); err != nil {
		v.t.Fatal(err)
	}
	voice := v.world.hears(v.call, "voice.agent", pressed-joinTolerance)
	v.t.Logf("the caller heard the agent %d ms after the hold's end", (voice.At - pressed).Milliseconds())
	if late := voice.At - pressed; late > joinTolerance {
		v.t.Errorf("the caller heard the agent %v after the hold's end, want at most %v", late, joinTolerance)
	}
	for _, h := range v.call.Transcript().Of(ear.HoldTone) {
		if h.End > pressed+joinTolerance {
			v.t.Errorf("the hold tone went on until %v after the hold's end", h.End-pressed)
		}
	}
}
