package call_test

import (
	"slices"
	"testing"

	"hotline/ari/aritest"
	"hotline/call"
	"hotline/call/scene"
	"hotline/queue"
)

// Lines that Asterisk loses with itself are told lost one by one, in any order:
// the talk is over as it was, and nobody's line failed in it.
func TestLinesThatAreLostTogether(t *testing.T) {
	for _, first := range []string{"once", "and again"} { // told in no order of their own
		t.Run(first, func(t *testing.T) {
			t.Parallel()
			h, caller := talkWith(t, aritest.Caller{Number: "13800138000"})
			h.asterisk.At("PJSIP/1001")[0].Vanish()
			caller.Vanish()
			h.asterisk.Drop()
			got := h.outcome()
			if got.Outcome != (call.Outcome{Result: call.Lost, Reason: "talk"}) {
				t.Errorf("the call ended as %+v, want lost in the talk", got.Outcome)
			}
			h.wantLegs(got, "caller: unknown vanished (unknown)", "agent 1001: unknown vanished (unknown)")
			if h.sawScene(scene.LineLost) {
				t.Error("the agent's line is said to have failed")
			}
		})
	}
}

// An agent's line that is lost alone has failed: the caller hears an apology, and waits first in line.
func TestAnAgentsLineThatIsLostAlone(t *testing.T) {
	h, caller := talkWith(t, aritest.Caller{Number: "13800138000"})
	if err := h.queue.Pause("1001", "break"); err != nil {
		t.Fatal(err)
	}
	h.asterisk.At("PJSIP/1001")[0].Vanish()
	h.asterisk.Drop()
	h.until("the agent's line is said to have failed", func() bool { return h.sawScene(scene.LineLost) })
	h.until("the caller waits first", func() bool { return len(h.queue.Waiting("service")) == 1 })
	caller.Bye()
	h.outcome()
}

func (h *hotline) sawScene(name scene.Name) bool {
	return slices.ContainsFunc(decoded[call.Scene](h.journal, call.KindScene), func(s call.Scene) bool { return s.Scene == name })
}

// A phone that rang as Asterisk died was not missed: by nobody who is left to ring for, and by nobody who is rung anew.
func TestAPhoneThatRingsAsAsteriskDies(t *testing.T) {
	for name, everything := range map[string]bool{"with the caller": true, "alone": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, caller := waits(t, aritest.Phone{Does: aritest.NoAnswer})
			h.ready()
			phone := func() []*aritest.Channel { return h.asterisk.At("PJSIP/1001") }
			h.until("the phone rings", func() bool { return len(phone()) == 1 && h.agentState() == queue.StateRinging })
			rang := phone()[0]
			rang.Vanish()
			if everything {
				caller.Vanish()
			}
			h.asterisk.Drop()
			anew := func() bool { return len(phone()) == 1 && phone()[0] != rang }
			h.until("the agent is not rung for it any more", func() bool { return anew() || h.agentState() != queue.StateRinging })
			if state := h.agentState(); state == queue.StatePaused || state == queue.StateUnreachable {
				t.Errorf("the agent, who missed nothing, is %v", state)
			}
			if !everything {
				h.until("the phone rings anew", anew)
				caller.Bye()
			}
			h.outcome()
		})
	}
}
