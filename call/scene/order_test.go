package scene

import (
	"strings"
	"testing"
)

// What a page sends is bounded, and has nothing in it that a log or a terminal would obey.
func TestOrdersAreBounded(t *testing.T) {
	long, red := strings.Repeat("x", 200), "\x1b[31m"
	for field, o := range map[string]Order{
		"":            {Call: "20260206-090000-0001", Act: DoConsult, Target: &Target{ToAgent, "1002"}, Keys: strings.Repeat("1", MostKeys), Reason: strings.Repeat("原", MostReason/3)},
		"call":        {Call: long, Act: DoHold},
		"act":         {Act: Act(red)},
		"target.kind": {Act: DoConsult, Target: &Target{long, "1002"}},
		"target.id":   {Act: DoConsult, Target: &Target{ToAgent, red}},
		"keys":        {Act: DoKeys, Keys: strings.Repeat("1", MostKeys+1)},
		"reason":      {Act: DoHangup, Reason: red},
	} {
		if got, err := o.Check(); got != field || (err != nil) != (field != "") {
			t.Errorf("%+v is wrong in %q: %v, want %q", o, got, err, field)
		}
	}
}
