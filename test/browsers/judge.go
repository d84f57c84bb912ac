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

// judge says what is wrong with a measurement. Delays say nothing of the gateway where the host took processor time from
// this machine meanwhile; what was lost is lost.
func judge(lost int64, p99 float64, stolen time.Duration) error {
	switch {
	case lost > 0:
		return fmt.Errorf("%d packets were lost: is the machine too busy for the load (see net.core.rmem_max, too)?", lost)
	case p99 > aim && stolen == 0:
		return fmt.Errorf("one packet in a hundred took longer than %.2f ms, and %d ms are aimed at: is there anything else to do on this machine?", p99, aim)
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
