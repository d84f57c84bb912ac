package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// usage is what a process has used so far.
type usage struct {
	cpu      time.Duration // utime and stime of all its threads
	resident int64         // bytes
}

// ticks is how many of /proc's clock ticks a second has: USER_HZ, 100 on every Linux that Go runs on.
const ticks = 100

// usageOf reads /proc/PID/stat (proc(5)). A process that is gone is an error.
func usageOf(pid int) (usage, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return usage{}, fmt.Errorf("what process %d has used: %w", pid, err)
	}
	return parseStat(string(text))
}

// parseStat reads the fields after the name, which may hold blanks and parentheses.
func parseStat(text string) (usage, error) {
	_, rest, found := cutLast(text, ")")
	fields := strings.Fields(rest)
	const first, utime, stime, rss = 3, 14, 15, 24 // numbers of the fields in proc(5); rest begins with the third
	if !found || len(fields) <= rss-first {
		return usage{}, errors.New("/proc/PID/stat is not as expected: " + text)
	}
	number := func(field int) int64 {
		n, err := strconv.ParseInt(fields[field-first], 10, 64)
		if err != nil {
			found = false
		}
		return n
	}
	u := usage{
		cpu:      time.Duration(number(utime)+number(stime)) * time.Second / ticks,
		resident: number(rss) * int64(os.Getpagesize()),
	}
	if !found {
		return usage{}, errors.New("/proc/PID/stat is not as expected: " + text)
	}
	return u, nil
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}
