package prompt

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// Generated prompts are in every library and in no catalogue: their length is exact, because the apology clock is
// built from it.
const (
	Frame       = 20 * time.Millisecond // every prompt's length is a multiple of this: one RTP packet
	longestTone = 30                    // seconds of hold.tone.30
	longestRest = 10                    // seconds of silence.10
	beepLength  = 300 * time.Millisecond
)

// HoldTone is the ID of the hold melody of exactly n seconds, 1..30.
func HoldTone(n int) string { return fmt.Sprintf("hold.tone.%d", n) }

// Pause is the ID of a silence of exactly ms milliseconds: 20, 40 … 980.
func Pause(ms int) string { return fmt.Sprintf("pause.%03d", ms) }

// Silence is the ID of a silence of exactly n seconds, 1..10.
func Silence(n int) string { return fmt.Sprintf("silence.%d", n) }

// Beep is the ID of the tone before a message is recorded.
const Beep = "beep"

// Generated lists the prompts the service makes itself, each with its exact Length.
func Generated() []Prompt {
	list := []Prompt{{ID: Beep, Length: beepLength}}
	for n := 1; n <= longestTone; n++ {
		list = append(list, Prompt{ID: HoldTone(n), Length: time.Duration(n) * time.Second})
	}
	for ms := 20; ms <= 980; ms += 20 {
		list = append(list, Prompt{ID: Pause(ms), Length: time.Duration(ms) * time.Millisecond})
	}
	for n := 1; n <= longestRest; n++ {
		list = append(list, Prompt{ID: Silence(n), Length: time.Duration(n) * time.Second})
	}
	return list
}

var generatedIDs = func() map[string]bool {
	ids := map[string]bool{}
	for _, p := range Generated() {
		ids[p.ID] = true
	}
	return ids
}()

func isGenerated(id string) bool { return generatedIDs[id] }

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
