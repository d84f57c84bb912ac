package configs

import (
	"strings"
	"testing"
	"time"
)

// What is changed while the service runs has the limits of the file.
func TestCheckQueue(t *testing.T) {
	for says, change := range map[string]func(*Queue){
		"": func(q *Queue) { q.MaxWait = Duration{2 * time.Minute} },
		"max_wait: 5s is out of range; use 10s to 24h":                               func(q *Queue) { q.MaxWait = Duration{5 * time.Second} },
		"ring_timeout: 1m is out of range; use 5s to 15s":                            func(q *Queue) { q.RingTimeout = Duration{time.Minute} },
		"ring_timeout: 7.5s is not a whole number":                                   func(q *Queue) { q.RingTimeout = Duration{7500 * time.Millisecond} },
		"decline_pause: -1s is out of range":                                         func(q *Queue) { q.DeclinePause = Duration{-time.Second} },
		"stay_empty: callers who stay where nobody is signed in would wait for ever": func(q *Queue) { q.StayEmpty = true },
		"skills.english: 101 is out of range":                                        func(q *Queue) { q.Skills = map[string]int{"english": 101} },
		`id: "Gas!" is not usable`:                                                   func(q *Queue) { q.ID = "Gas!" },
	} {
		q := Default().Queues[0]
		change(&q)
		wantWrong(t, says)(CheckQueue(q))
	}
}

func TestCheckAgent(t *testing.T) {
	for says, change := range map[string]func(*Agent){
		"":                                     func(a *Agent) { a.Weights = map[string]int{"service": 2} },
		`id: "PJSIP/1" is not usable`:          func(a *Agent) { a.ID = "PJSIP/1" },
		`number: "x" is not usable`:            func(a *Agent) { a.Number = "x" },
		`name: "a\"\n" is not usable`:          func(a *Agent) { a.Name = "a\"\n" },
		"queues: an agent who serves no queue": func(a *Agent) { a.Queues = nil },
		`weights.gas: the agent does not serve the queue "gas"`: func(a *Agent) { a.Weights = map[string]int{"gas": 2} },
	} {
		a := Default().Agents[0]
		change(&a)
		wantWrong(t, says)(CheckAgent(a))
	}
}

func wantWrong(t *testing.T, says string) func(setting string, wrong error) {
	return func(setting string, wrong error) {
		t.Helper()
		got := setting
		if wrong != nil {
			got += ": " + wrong.Error()
		}
		if !strings.HasPrefix(got, says) || (says == "") != (got == "") {
			t.Errorf("%q is said, want %q", got, says)
		}
		if strings.Contains(got, "shipped") {
			t.Errorf("%q sends the operator to a file that does not say it", got)
		}
	}
}
