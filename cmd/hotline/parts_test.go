package main

import (
	"testing"
	"time"

	"hotline/configs"
)

// Who calls again waits for the agent of before while that agent finishes, and no longer than anybody would.
func TestHowLongWhoCallsAgainWaitsForTheSameAgent(t *testing.T) {
	for wrapUp, want := range map[time.Duration]time.Duration{
		0: 5 * time.Second, 10 * time.Second: 15 * time.Second, 25 * time.Second: 30 * time.Second,
		26 * time.Second: 0, 30 * time.Minute: 0,
	} {
		cfg := &configs.Config{Queues: []configs.Queue{{ID: "service", WrapUp: configs.Duration{Duration: wrapUp}}}}
		if got := queueOptions(cfg, time.Now, &changes{}, nil, nil).Queues[0].PreferFor; got != want {
			t.Errorf("with a wrap-up of %v the caller waits %v, want %v", wrapUp, got, want)
		}
	}
}
