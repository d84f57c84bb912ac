package main

import (
	"strings"
	"testing"
	"time"
)

func TestAMeasurementIsJudged(t *testing.T) {
	for name, row := range map[string]struct {
		measured
		says string // "": it is good
	}{
		"as it is to be":                      {measured{sent: 900, meant: 1000, p99: 5}, ""},
		"packets are late":                    {measured{sent: 1000, meant: 1000, p99: 5.01}, "aimed at"},
		"… and the host took next to nothing": {measured{sent: 1000, meant: 1000, p99: 60, stolen: 0.005}, "aimed at"},
		"… and the host took the processors":  {measured{sent: 1000, meant: 1000, p99: 60, stolen: 0.006}, "not judged"},
		"the host took some, all the same":    {measured{sent: 1000, meant: 1000, p99: 0.4, stolen: 0.1}, ""},
		"nothing was sent":                    {measured{meant: 1000}, "not judged"},
		"less was sent":                       {measured{sent: 899, meant: 1000, p99: 0.4}, "not judged"},
		"packets are lost":                    {measured{sent: 1000, meant: 1000, lost: 1, p99: 0.4}, "lost"},
		"packets are lost, host or no":        {measured{sent: 500, meant: 1000, lost: 1, p99: 60, stolen: 1}, "lost"},
	} {
		said := ""
		if err := judge(row.measured); err != nil {
			said = err.Error()
		}
		if (said == "") != (row.says == "") || !strings.Contains(said, row.says) {
			t.Errorf("%s: judged as %q, want %q", name, said, row.says)
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
