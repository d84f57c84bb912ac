package e2e

import (
	"testing"
	"time"
)

// A restart is no reason for callers to hear that nobody is there: agents are
// what they were, and what the operator announced is in force.
func TestAgentsStaySignedInOverARestart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, time.Minute, nil)
	w.must("agent", "sign-in", "1001")
	w.must("agent", "sign-in", "1001") // twice is no mistake
	w.must("agent", "sign-in", "1002")
	w.must("agent", "pause", "1002", "--reason", "lunch")
	w.must("agent", "sign-in", "1003")
	w.must("agent", "sign-out", "1003")
	for name, stop := range map[string]func() error{"stopped": w.Terminate, "killed": w.Kill} {
		if err := stop(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := w.Serve(w.ctx, "2026-03-10 10:00"); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for agent, state := range map[string]string{"1001": "ready", "1002": "paused", "1003": "offline", "1004": "offline"} {
			w.state(agent, state)
		}
	}
}
