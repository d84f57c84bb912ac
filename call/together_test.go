package call_test

import (
	"slices"
	"testing"

	"hotline/ari/aritest"
	"hotline/call"
	"hotline/call/scene"
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
