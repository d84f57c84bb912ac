package call_test

import (
	"slices"
	"testing"
	"time"

	"hotline/ari/aritest"
	"hotline/call"
	"hotline/queue"
)

// arrives is a caller who has heard the greeting, and what they hear then.
func (h *hotline) arrives(number string, then string) *aritest.Channel {
	h.t.Helper()
	ch := h.asterisk.Arrive(aritest.Caller{Number: number, Args: []string{"in", "96196"}})
	h.until("the caller hears "+then, func() bool { return played(ch, then) })
	return ch
}

// waitsInLine is a caller in line.
func (h *hotline) waitsInLine(number string) *aritest.Channel {
	h.t.Helper()
	ch := h.arrives(number, "menu.main")
	ch.Press("0")
	h.until("the tone plays", func() bool { return played(ch, "hold.tone.30") })
	return ch
}

// Who was in line gets the old place, before those who came later, without the menu, and once.
func TestWhoCallsAgainHasTheOldPlace(t *testing.T) {
	h := newHotline(t, 1, mayBeDialled())
	h.asterisk.Phone("PJSIP/1001", answers)
	h.asterisk.Phone("PJSIP/1002", answers)
	if err := h.queue.SignIn("1001"); err != nil {
		t.Fatal(err)
	}
	if err := h.queue.Pause("1001", "break"); err != nil {
		t.Fatal(err)
	}
	first := h.waitsInLine(theirNumber)
	other := h.waitsInLine("13900139000")
	first.LoseLine()
	h.outcome()
	again := h.arrives(theirNumber, "return.place")
	h.until("the tone plays again", func() bool { return played(again, "hold.tone.30") })
	if played(again, "menu.main") || played(again, "queue.joined") {
		t.Errorf("the caller who came back heard %v", again.Played())
	}
	if back := decoded[call.Returned](h.journal, call.KindReturned); len(back) != 1 || back[0].Place.Head {
		t.Errorf("the journal has %+v", back)
	}
	h.ready()
	h.talks(again)
	if played(other, "agent.after") {
		t.Error("who came later was served first")
	}
	again.LoseLine() // not on the list of those to be dialled
	h.until("the call has ended", func() bool { return len(h.journal.ended()) == 2 })
	h.talks(other)
	other.Bye()
	last := h.arrives(theirNumber, "return.agent")
	last.Bye()
	h.until("the call has ended", func() bool { return len(h.journal.ended()) == 4 })
	h.arrives(theirNumber, "menu.main").Bye()
}

// Who was in a talk goes to the head of the line, and to the same agent though another one has been idle for longer.
func TestWhoCallsAgainHasTheSameAgent(t *testing.T) {
	h, caller := talkWith(t, aritest.Caller{Number: theirNumber}, mayBeDialled())
	h.asterisk.Phone("PJSIP/1002", answers)
	if err := h.queue.SignIn("1002"); err != nil {
		t.Fatal(err)
	}
	caller.LoseLine()
	h.until("the agent is ready again", func() bool { return h.agentState() == queue.StateReady })
	again := h.arrives(theirNumber, "return.agent")
	h.talks(again)
	if !slices.Contains(again.Joined(), h.asterisk.At("PJSIP/1001")[0].ID()) {
		t.Error("the caller is with another agent")
	}
	if back := decoded[call.Returned](h.journal, call.KindReturned); len(back) != 1 || !back[0].Place.Head || back[0].Place.Prefer != "1001" {
		t.Errorf("the journal has %+v", back)
	}
}

// Nobody else is known: who hung up, who withholds the number, another number, or who comes too late.
func TestWhoIsNotKnownAgain(t *testing.T) {
	for name, tt := range map[string]struct {
		before, after string
		ends          func(*aritest.Channel)
		remember      time.Duration
	}{
		"who hung up":          {theirNumber, theirNumber, (*aritest.Channel).Bye, time.Minute},
		"a withheld number":    {"", "", (*aritest.Channel).LoseLine, time.Minute},
		"another number":       {theirNumber, "13900139000", (*aritest.Channel).LoseLine, time.Minute},
		"who comes too late":   {theirNumber, theirNumber, (*aritest.Channel).LoseLine, time.Millisecond},
		"anybody, if not kept": {theirNumber, theirNumber, (*aritest.Channel).LoseLine, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, caller := talkWith(t, aritest.Caller{Number: tt.before}, mayBeDialled(), func(o *call.Options) { o.Redial.Remember = tt.remember })
			tt.ends(caller)
			h.outcome()
			h.arrives(tt.after, "menu.main")
			if back := h.journal.streams(call.KindReturned); len(back) > 0 {
				t.Errorf("the caller is known: %v", back)
			}
		})
	}
}
