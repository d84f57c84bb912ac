package redisq

import (
	"testing"
	"time"
)

// When it is tried again, after tries that soon failed: quickly as long as nothing
// was promised; and not before the follower has served where it was, but for the
// first time.
func TestPace(t *testing.T) {
	type next struct {
		wait  time.Duration
		serve bool
	}
	const ms, s = time.Millisecond, time.Second
	for _, row := range []struct {
		name   string
		leased bool
		want   []next
	}{
		{"nothing was promised", false, []next{{100 * ms, false}, {200 * ms, false}, {400 * ms, false}, {800 * ms, false}, {s, false}, {s, false}}},
		{"the lease was taken", true, []next{{100 * ms, false}, {200 * ms, true}, {400 * ms, true}, {800 * ms, true}, {1600 * ms, true}, {3200 * ms, true},
			{6400 * ms, true}, {12800 * ms, true}, {25600 * ms, true}, {30 * s, true}, {30 * s, true}}},
	} {
		t.Run(row.name, func(t *testing.T) {
			var p pace
			for i, want := range row.want {
				if wait, serve := p.after(s, row.leased); wait != want.wait || serve != want.serve {
					t.Errorf("after try %d: wait %v, serve %v, want %v, %v", i+1, wait, serve, want.wait, want.serve)
				}
			}
			if wait, serve := p.after(time.Minute, true); wait != firstRetry || serve {
				t.Errorf("after a minute together: wait %v, serve %v, want to be back at once", wait, serve)
			}
		})
	}
}
