package call

import "testing"

func TestWhoLeavesTheQueueHasNotOnlyBeenInformed(t *testing.T) {
	for stage, want := range map[string]Outcome{
		"menu": {Informed, "menu"},
		"wait": {Abandoned, "wait"},
	} {
		c := &call{informed: true}
		if got := c.conclude(stage, nil); got != want {
			t.Errorf("a caller who was informed and leaves in %s: %+v, want %+v", stage, got, want)
		}
	}
}
