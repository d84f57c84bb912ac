package ivr

import (
	"errors"
	"testing"
	"time"
)

// FuzzKeys presses whatever there is to press, hangs up at any moment, and goes
// on after an interruption anywhere: every conversation ends with something
// defined after a bounded number of questions, and no number is made up.
func FuzzKeys(f *testing.F) {
	for _, keys := range []string{"", "0", "1*8", "....", "444", "2x", "1#", "2" + "01088886666#" + "1#", "ABCD**##", "9"} {
		f.Add(keys, uint8(0))
	}
	f.Fuzz(func(t *testing.T, keys string, take uint8) {
		menu := &script{keys: keys}
		menus := tree
		menus.At = []string{"", "main", "bill", "closed long ago"}[take%4]
		choice, err := menus.Choose(t.Context(), menu)
		if err != nil && !errors.Is(err, errHungUp) {
			t.Fatal(err)
		}
		if err == nil && (choice.Do == "" || choice.Do == DoMenu || choice.Do == DoInfo) {
			t.Errorf("the menus end with %q", choice.Do)
		}
		if len(menu.heard) > maxSteps+1 {
			t.Errorf("%d prompts were played", len(menu.heard))
		}

		caller := &script{keys: keys, takes: []time.Duration{time.Minute}}
		from := Progress{Number: "5551234", Take: int(take % 7), Begun: take%2 == 1, Taken: take%3 == 1}
		message, err := taker().Take(t.Context(), caller, "13800138000", "m", from, func(p Progress) {
			if p.Take < from.Take || p.Take > recordTries+1 || p.Take > recordTries && p.Begun { // which says that no take is left
				t.Errorf("after %+v comes %+v", from, p)
			}
		})
		if err != nil && !errors.Is(err, errHungUp) {
			t.Fatal(err)
		}
		if message.Number != "" && !plausible(message.Number) {
			t.Errorf("the number to call back is %q", message.Number)
		}

		rating, err := Rate(t.Context(), &script{keys: keys}, time.Second, int(take%5))
		if err == nil && (rating.Score < 0 || rating.Score > 5) {
			t.Errorf("the rating is %+v", rating)
		}
	})
}
