package main

import (
	"testing"
	"time"

	"hotline/test/stand"
)

// The chosen way to record keeps both channels whole and on the clock, also of a
// caller who sends nothing while silent.
func TestChosenMechanism(t *testing.T) {
	for name, dtx := range map[string]bool{"caller always sends": false, "caller sends only speech": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, err := open(t.Context(), stand.Asterisk(t, stand.Options{}))
			if err != nil {
				t.Fatal(err)
			}
			defer l.close()
			v, err := l.try(t.Context(), chosen, dtx)
			if err != nil {
				t.Fatal(err)
			}
			if v.left != complete || v.right != complete {
				t.Errorf("left: %s; right: %s; want both complete. Likely causes: the bridge passes frames on instead of mixing them, or MixMonitor lost its options; see docs/recording.md", v.left, v.right)
			}
			if v.durationError.Abs() > 100*time.Millisecond {
				t.Errorf("the file is %v longer than the call lasted, want within 0.1 s. Likely causes: nothing was sent to the caller for a while, and MixMonitor leaves out such time; or the machine was held up, as these gaps in the caller's RTP would show: %v", v.durationError, v.stalls)
			}
		})
	}
}
