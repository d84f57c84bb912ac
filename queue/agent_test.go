package queue

import (
	"encoding/json"
	"testing"
)

// The table holds no cell twice, and no state is a trap: from each there is a
// way back to ready.
func TestTransitionTable(t *testing.T) {
	seen := map[[2]uint8]bool{}
	for _, row := range transitions {
		if row.later == (row.to != 0) {
			t.Errorf("event %q: a row either leads to a state or waits for the end of the talk", row.on)
		}
		for _, from := range row.from {
			cell := [2]uint8{uint8(from), uint8(row.on)}
			if seen[cell] {
				t.Errorf("%s on %q is there twice", from, row.on)
			}
			seen[cell] = true
		}
	}
	for from := StateOffline; from < states; from++ {
		reach := map[State]bool{from: true}
		for again := true; again; {
			again = false
			for s := range reach {
				for ev := event(1); ev < events; ev++ {
					if to := outcomes[s][ev].to; to != 0 && !reach[to] {
						reach[to], again = true, true
					}
				}
			}
		}
		if !reach[StateReady] {
			t.Errorf("an agent who is %s can never be ready again", from)
		}
	}
}

// Only the course of an offer and of a talk leads to a caller.
func TestNobodyTalksWithoutAnOffer(t *testing.T) {
	for from := StateOffline; from < states; from++ {
		for ev := event(1); ev < events; ev++ {
			if outcomes[from][ev].to != StateTalking {
				continue
			}
			switch {
			case ev == eventConnect && (from == StateReserved || from == StateRinging):
			case ev == eventResume && (from == StateHold || from == StateConsult):
			case ev == eventFound && from != StateOffline && !from.InTalk(): // told by Asterisk
			case ev == eventTakeOver && from == StateConsult: // a third's, to whom the call is handed over
			case ev == eventRejoin && (from == StateWrapUp || from == StateReady || from == StatePaused):
			default:
				t.Errorf("%s on %q leads to a talk", from, ev)
			}
		}
	}
}

func TestStateText(t *testing.T) {
	for s := StateOffline; s < states; s++ {
		text, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var back State
		if err := json.Unmarshal(text, &back); err != nil || back != s {
			t.Errorf("%s came back as %s, %v", s, back, err)
		}
	}
	var s State
	if err := s.UnmarshalText([]byte("asleep")); err == nil {
		t.Error("a state that does not exist was read")
	}
	if got := State(99).String(); got != "state 99" {
		t.Errorf("an impossible state is shown as %q", got)
	}
}
