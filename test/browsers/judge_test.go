package main

import (
	"testing"
	"time"
)

func TestAMeasurementIsJudged(t *testing.T) {
	for name, row := range map[string]struct {
		lost   int64
		p99    float64
		stolen time.Duration
		good   bool
	}{
		"as it is to be":                   {0, 5, 0, true},
		"packets are late":                 {0, 5.01, 0, false},
		"the host took the processor":      {0, 60, 10 * time.Millisecond, true},
		"packets are lost":                 {1, 0.4, 0, false},
		"packets are lost, host or no":     {1, 60, time.Second, false},
		"the host took some, all the same": {0, 0.4, time.Second, true},
	} {
		if err := judge(row.lost, row.p99, row.stolen); (err == nil) != row.good {
			t.Errorf("%s: judged as %v, want good: %v", name, err, row.good)
		}
	}
}

func TestWhatTheHostHasTaken(t *testing.T) {
	const stat = "cpu  10 20 30 40 50 60 70 253 90 100\ncpu0 1 2 3 4 5 6 7 8 9 10\nintr 1\n"
	if taken, err := parseStolen(stat); err != nil || taken != 2530*time.Millisecond {
		t.Errorf("the host has taken %v, %v; want 2.53 s", taken, err)
	}
	for _, bad := range []string{"", "cpu 1 2 3", "cpu0 1 2 3 4 5 6 7 8", "cpu 1 2 3 4 5 6 7 x"} {
		if taken, err := parseStolen(bad); err == nil {
			t.Errorf("%q is read as %v", bad, taken)
		}
	}
	if _, err := stolen(); err != nil {
		t.Errorf("this machine's: %v", err)
	}
}
