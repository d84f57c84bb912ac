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

// Agents who have a phone and no desk hold, mute, consult, transfer and call a third in by feature codes (B5, C3, C4). Each
// hears a word of what has come of it, the caller hears neither that nor the keys, and is never in silence.
func TestFeatureCodes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 4*time.Minute, lanes(func(cfg *configs.Config) {
		cfg.Rating.Enabled = false
	}))
	together(t, w, map[string]func(*lane){
		"hold for 65 s": func(l *lane) {
			v, a := l.talks(l.agent(l.desk1(), phone.AnswerAfter(0)))
			held := l.codes(v, a, "*1", "code.hold", ear.HoldTone)
			l.agentState(l.desk1(), queue.StateHold)
			l.passes(time.Until(v.call.Start().Add(held + 65*time.Second)))
			l.codes(v, a, "*1", "code.resumed", "voice.agent")
			v.onClock(held, 2, nil)
			v.steady(held, v.now())
			l.agentState(l.desk1(), queue.StateTalking)
			l.nothingOfCodes(v.call)
			v.hangup()
			v.wantEnd(call.Served, "talked", callerPressed, "caller: "+callerPressed, "agent "+l.desk1()+": "+serviceDid)
		},
		"mute, and mute through a hold": func(l *lane) {
			v, a := l.talks(l.agent(l.desk1(), phone.AnswerAfter(0)))
			l.key(a, "*6", "code.muted")
			l.passes(500 * time.Millisecond)
			from := v.now()
			l.passes(2 * time.Second)
			l.hearsNothing(v.call, "voice.agent", from, v.now())
			l.codes(v, a, "*1", "code.hold", ear.HoldTone)
			l.key(a, "*1", "code.resumed")
			l.passes(500 * time.Millisecond)
			from = v.now()
			l.passes(2 * time.Second)
			l.hearsNothing(v.call, "voice.agent", from, v.now())
			unmuted := a.Since(time.Now())
			l.codes(v, a, "*6", "code.unmuted", "voice.agent")
			l.world.hears(a, "voice.caller", unmuted) // again, after the word
			l.nothingOfCodes(v.call)
			v.hangup()
		},
		"consult, back, and hand over": func(l *lane) {
			v, a := l.talks(l.agent(l.desk1(), phone.AnswerAfter(0)))
			second := l.other(l.desk2(), phone.AnswerAfter(2*time.Second))
			began := l.codes(v, a, "*2"+l.desk2()+"#", "code.calling", ear.HoldTone)
			third := l.answered(second)
			l.world.hears(third, "voice.agent", 0)
			l.world.hears(a, "voice.other", 0)
			l.agentState(l.desk2(), queue.StateConsult)
			l.hearsNothing(third, "voice.caller", 0, third.Since(time.Now()))
			l.codes(v, a, "*5", "code.resumed", "voice.agent")
			v.steady(began, v.now())
			l.ended(third)
			l.agentState(l.desk2(), queue.StateReady)

			l.key(a, "*2"+l.desk2()+"#", "code.calling")
			third = l.answered(second)
			l.world.hears(third, "voice.agent", 0)
			handed := v.now()
			l.key(a, "*4", "code.handed_over")
			l.world.hears(v.call, "voice.other", handed)
			l.world.hears(v.call, "agent.after", handed)
			l.world.hears(third, "voice.caller", 0)
			l.ended(a)
			v.steady(handed, v.now())
			l.agentState(l.desk2(), queue.StateTalking)
			l.nothingOfCodes(v.call)
			l.nothingOfCodes(third)
			v.hangup()
			v.wantEnd(call.Served, "talked", callerPressed, "caller: "+callerPressed,
				"agent "+l.desk1()+": "+serviceDid, "agent "+l.desk2()+": "+serviceDid)
		},
		"all three talk": func(l *lane) {
			v, a := l.talks(l.agent(l.desk1(), phone.AnswerAfter(0)))
			second := l.other(l.desk2(), phone.AnswerAfter(time.Second))
			l.key(a, "*2"+l.desk2()+"#", "code.calling")
			third := l.answered(second)
			l.world.hears(third, "voice.agent", 0)
			joined := time.Now()
			l.key(a, "*3", "code.joined")
			for _, one := range []struct {
				hears *phone.Call
				whom  []string
			}{{v.call, []string{"voice.agent", "voice.other"}}, {a, []string{"voice.caller", "voice.other"}}, {third, []string{"voice.caller", "voice.agent"}}} {
				for _, voice := range one.whom {
					l.world.hears(one.hears, voice, one.hears.Since(joined)-2*time.Second)
				}
			}
			l.passes(time.Second)
			l.key(a, "*5", "code.dropped")
			l.ended(third)
			l.nothingOfCodes(v.call)
			l.nothingOfCodes(third)
			v.hangup()
			l.ended(a)
		},
		"transfer without asking": func(l *lane) {
			v, a := l.talks(l.agent(l.desk1(), phone.AnswerAfter(0)))
			second := l.other(l.desk2(), phone.AnswerAfter(3*time.Second))
			began := v.now()
			l.key(a, "*7"+l.desk2()+"#", "code.transferred")
			l.world.hears(v.call, "transfer.please_wait", began)
			third := l.answered(second)
			l.world.hears(v.call, "voice.other", began)
			l.world.hears(third, "voice.caller", 0)
			l.ended(a)
			v.steady(began, v.now())
			l.agentState(l.desk2(), queue.StateTalking)
			v.hangup()
			v.wantEnd(call.Served, "talked", callerPressed, "caller: "+callerPressed,
				"agent "+l.desk1()+": "+serviceDid, "agent "+l.desk2()+": "+serviceDid)
		},
		"transfer that nobody answers": func(l *lane) {
			desk := l.agent(l.desk1(), phone.AnswerAfter(2*time.Second))
			v, a := l.talks(desk)
			l.other(l.desk2(), phone.RingForEver())
			began := v.now()
			l.key(a, "*7"+l.desk2()+"#", "code.transferred")
			l.ended(a)
			back := l.answered(desk)
			told := l.world.hears(v.call, "transfer.not_reached", began)
			l.t.Logf("the caller was told after %.1f s that nobody answers", (told.At - began).Seconds())
			l.world.hears(v.call, "voice.agent", told.At)
			l.world.hears(back, "voice.caller", 0)
			v.steady(began, v.now())
			l.agentState(l.desk1(), queue.StateTalking)
			v.hangup()
			l.ended(back)
		},
	})
	w.nothingLeft()
	w.audits()
}

// other is an agent's phone with a voice of its own.
func (w *world) other(id string, incoming phone.Behaviour) *phone.Phone {
	w.t.Helper()
	p := w.deskOf(id, "other", incoming)
	w.must("agent", "sign-in", id)
	return p
}

// key keys a feature code and waits for its word.
func (l *lane) key(a *phone.Call, code, word string) {
	l.t.Helper()
	from := a.Since(time.Now())
	l.keys(a, code)
	l.world.hears(a, word, from)
}

// codes does that, and returns when the caller first hears what is to follow.
func (l *lane) codes(v *visit, a *phone.Call, code, word, follows string) time.Duration {
	l.t.Helper()
	from := v.now()
	l.key(a, code, word)
	return l.world.hears(v.call, follows, from-50*time.Millisecond).At
}

// hearsNothing says that a phone has not heard something in that time.
func (w *world) hearsNothing(c *phone.Call, id string, from, to time.Duration) {
	w.t.Helper()
	for _, h := range c.Transcript().Of(id) {
		if h.At < to && h.End > from {
			w.t.Errorf("%s heard %s from %.2f to %.2f s, and was to hear nothing of it from %.2f to %.2f s", c.Phone().Name(), id,
				h.At.Seconds(), h.End.Seconds(), from.Seconds(), to.Seconds())
		}
	}
}

// nothingOfCodes says that neither keys nor words of codes have reached a phone.
func (w *world) nothingOfCodes(c *phone.Call) {
	w.t.Helper()
	if keys := c.KeysHeard(); len(keys) > 0 {
		w.t.Errorf("keys of codes have reached %s: %v", c.Phone().Name(), keys)
	}
	for _, h := range c.Transcript().Prompts() {
		if len(h.ID) > 5 && h.ID[:5] == "code." {
			w.t.Errorf("%s heard %s, which is for the agent alone", c.Phone().Name(), h.ID)
		}
	}
}
