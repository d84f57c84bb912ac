package main

import (
	"testing"
	"time"

	"hotline/configs"
)

// Who calls again waits for the agent of before until that one has finished as usual; where every phone rings, for nobody.
func TestHowLongWhoCallsAgainWaitsForTheSameAgent(t *testing.T) {
	shipped := configs.Default().Queues[0]
	if wait := queueRules(shipped).PreferFor; wait < shipped.WrapUp.Duration+5*time.Second {
		t.Errorf("by the rules shipped a caller waits %v for an agent who wraps up for %v", wait, shipped.WrapUp.Duration)
	}
	shipped.Strategy = configs.RingAll
	if wait := queueRules(shipped).PreferFor; wait != 0 {
		t.Errorf("where every phone rings a caller waits %v for one agent", wait)
	}
}
