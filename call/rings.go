package call

import "time"

// The cadence of a ring in China: 1 s of tone, 4 s of silence. The standard
// is broken (B1) when a call is unanswered as the fourth ring would begin.
const (
	ringTone   = 1 * time.Second
	ringCycle  = 5 * time.Second
	threeRings = 3 * ringCycle
)

// ringsUntil is when the n-th ring's tone has ended, counted from the arrival.
func ringsUntil(n int) time.Duration { return time.Duration(n-1)*ringCycle + ringTone }

// rings counts the rings that had begun after d.
func rings(d time.Duration) int { return int(d/ringCycle) + 1 }

// late says whether an answer after d broke the three rings (B1).
func late(d time.Duration) bool { return d >= threeRings }
