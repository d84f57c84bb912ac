package configs

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestAmendingAQueue(t *testing.T) {
	before := Default().Queues[0]
	want := before
	want.MaxWait, want.Strategy, want.Skills = Duration{2 * time.Minute}, RingAll, map[string]int{"english": 3}
	got, err := AmendQueue(before, "max_wait: 2m", "strategy: ring-all", "skills: {english: 3}")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the queue is not what was asked for (-want +got):\n%s", diff)
	}
}

// Everything wrong is named, in the words of hotline.yaml.
func TestAmendingAQueueWrongly(t *testing.T) {
	for setting, says := range map[string]string{
		"max_wait: 5s":                 "max_wait: 5s is out of range; use 10s to 24h",
		"max_wiat: 2m":                 "max_wiat: is not a setting; did you mean max_wait?",
		"strategy: fastest":            `strategy: "fastest" is not known`,
		"id: other":                    "id: a queue keeps its id",
		"stay_empty: true":             "stay_empty: callers who stay where nobody is signed in would wait for ever",
		"relax: [":                     "this is not YAML",
		"max_wait: 2m\n  - id: second": "a setting is one line",
		"---":                          "this is not YAML",
	} {
		_, err := AmendQueue(Default().Queues[0], "max_waiting: 7", setting)
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("of %q is said %v, want %q", setting, err, says)
		}
	}
	if _, err := AmendQueue(Default().Queues[0]); err == nil {
		t.Error("nothing was to be changed, and that is right")
	}
}

func TestAmendingAnAgent(t *testing.T) {
	before := Default().Agents[0]
	want := before
	want.Weights, want.Skills = map[string]int{"service": 2}, map[string]int{"english": 3}
	got, err := AmendAgent(before, "weights: {service: 2}", "skills: {english: 3}")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the agent is not what was asked for (-want +got):\n%s", diff)
	}
	for setting, says := range map[string]string{
		"queues: []":         "queues: an agent who serves no queue",
		"weights: {gas: 2}":  `weights.gas: the agent does not serve the queue "gas"`,
		"skills: {a: 101}":   "skills.a: 101 is out of range",
		"pin: \"12345\"":     "id, role, password and pin are changed in hotline.yaml",
		"password: whatever": "id, role, password and pin are changed in hotline.yaml",
	} {
		if _, err := AmendAgent(before, setting); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("of %q is said %v, want %q", setting, err, says)
		}
	}
}
