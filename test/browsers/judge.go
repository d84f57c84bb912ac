package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// aim is how long 99 of 100 packets may take at most, in ms, in either direction.
const aim = 5

// disturbed is the share of the machine's processor time beyond which delays say nothing of the gateway, since the host has
// taken it.
const disturbed = 0.005

// measured is what a measurement has come to.
type measured struct {
	sent, meant int64   // packets of the load
	lost        int64   // of those sent
	p99         float64 // ms, in the slower direction
	stolen      float64 // the share of the machine's processor time that its host took meanwhile
}

// judge says what is wrong with a measurement, or why it is none.
func judge(m measured) error {
	switch {
	case m.lost > 0:
		return fmt.Errorf("%d packets were lost: is the machine too busy for the load (see net.core.rmem_max, too)?", m.lost)
	case m.sent < m.meant*9/10:
		return fmt.Errorf("not judged: the load sent %d packets of %d: is there anything else to do on this machine?", m.sent, m.meant)
	case m.p99 > aim && m.stolen > disturbed:
		return fmt.Errorf("not judged: one packet in a hundred took longer than %.2f ms, while the host took %.1f %% of the processors", m.p99, 100*m.stolen)
	case m.p99 > aim:
		return fmt.Errorf("one packet in a hundred took longer than %.2f ms, and %d ms are aimed at: is there anything else to do on this machine?", m.p99, aim)
	}
	return nil
}

// stolen is the processor time that the host has taken from this machine since it was started.
func stolen() (time.Duration, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, fmt.Errorf("what the host has taken: %w", err)
	}
	return parseStolen(string(text))
}

// parseStolen reads the first line of /proc/stat (proc(5)): cpu user nice system idle iowait irq softirq steal …
func parseStolen(text string) (time.Duration, error) {
	first, _, _ := strings.Cut(text, "\n")
	fields := strings.Fields(first)
	const steal, ticks = 8, 100 // ticks: USER_HZ, 100 on every Linux that Go runs on
	if len(fields) <= steal || fields[0] != "cpu" {
		return 0, errors.New("/proc/stat is not as expected: " + first)
	}
	taken, err := strconv.ParseInt(fields[steal], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("/proc/stat is not as expected: %w", err)
	}
	return time.Duration(taken) * time.Second / ticks, nil
}
