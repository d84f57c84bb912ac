package looks

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"hotline/call"
	"hotline/call/scene"
	"hotline/queue"
)

// What the service sends as codes, people read as words: each has its own in every language.
func TestEveryCodeHasWords(t *testing.T) {
	states := []string{"nobody"}
	for s := queue.StateOffline; !strings.HasPrefix(s.String(), "state "); s++ {
		states = append(states, s.String())
	}
	codes := map[string][]string{
		"state":   states,
		"causes":  {"microphone denied", "microphone none", "star code", "monitoring", string(queue.NoAnswer), string(queue.Declined), string(queue.Unreachable), queue.CauseServiceGone},
		"result":  {call.Served, call.Abandoned, call.Messaged, call.TurnedAway, call.Informed, call.Failed, call.Lost},
		"refused": {scene.NoCall, scene.Impossible, scene.UnknownTarget, scene.NotAvailable, scene.Self, scene.BadKeys, scene.NotNow, "visits", "visits-full", "no-visitors", "no-visit", "busy", "bad-order", "session", "stale", "condition"},
	}
	for _, language := range []string{"zh-CN", "en"} {
		text, err := os.ReadFile("../../web/ui/src/lib/words/" + language + ".ts")
		if err != nil {
			t.Fatal(err)
		}
		for part, list := range codes {
			whole := regexp.MustCompile(`(?s)\b` + part + `: \{([^\n]+\},?\n|\n.*?\n  \})`).FindString(string(text))
			for _, code := range list {
				if !regexp.MustCompile(`['{,\s]` + regexp.QuoteMeta(code) + `'?: `).MatchString(whole) {
					t.Errorf("%s: %s has no words for %q", language, part, code)
				}
			}
		}
	}
}
