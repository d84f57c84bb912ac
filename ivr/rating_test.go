package ivr

import "testing"

func TestRate(t *testing.T) {
	for _, test := range []struct {
		keys  string
		want  Rating
		asked int
	}{
		{"5", Rating{5, "given"}, 1},
		{"1", Rating{1, "given"}, 1},
		{"93", Rating{3, "given"}, 2},
		{"90", Rating{0, "wrong"}, 2},
		{".", Rating{0, "absent"}, 1},
		{"9.", Rating{0, "wrong"}, 2},
	} {
		caller := &script{keys: test.keys}
		got, err := Rate(t.Context(), caller, 0)
		if err != nil || got != test.want || len(caller.heard) != test.asked {
			t.Errorf("keys %q: got %+v, %v after %q", test.keys, got, err, caller.heard)
		}
	}
}
