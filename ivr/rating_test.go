package ivr

import "testing"

func TestRate(t *testing.T) {
	for _, test := range []struct {
		keys  string
		tries int
		want  Rating
		asked int
	}{
		{"5", 2, Rating{5, "given"}, 1},
		{"1", 2, Rating{1, "given"}, 1},
		{"93", 2, Rating{3, "given"}, 2},
		{"90", 2, Rating{0, "wrong"}, 2},
		{".", 2, Rating{0, "absent"}, 1},
		{"9.", 2, Rating{0, "wrong"}, 2},
		{"993", 3, Rating{3, "given"}, 3},
		{"93", 1, Rating{0, "wrong"}, 1},
		{"3", 0, Rating{3, "given"}, 1},
	} {
		caller := &script{keys: test.keys}
		got, err := Rate(t.Context(), caller, 0, test.tries)
		if err != nil || got != test.want || len(caller.heard) != test.asked {
			t.Errorf("keys %q: got %+v, %v after %q", test.keys, got, err, caller.heard)
		}
	}
}
