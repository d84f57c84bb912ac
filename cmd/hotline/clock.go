package main

import (
	"fmt"
	"sync/atomic"
	"time"
)

// clock is the service's wall clock. It can be set, so that a festival can be
// heard before it comes; durations and timers run on the machine's clock.
type clock struct {
	offset   atomic.Int64
	zone     *time.Location
	settable bool
}

func (c *clock) now() time.Time { return time.Now().In(c.zone).Add(time.Duration(c.offset.Load())) }

func (c *clock) set(to time.Time) { c.offset.Store(int64(time.Until(to))) }

// parseMoment reads "2027-02-06 09:00" or "2027-02-06 09:00:00" in the
// hotline's time zone.
func parseMoment(s string, zone *time.Location) (time.Time, error) {
	for _, layout := range []string{"2006-01-02 15:04", "2006-01-02 15:04:05", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, s, zone); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no moment: write it as 2027-02-06 09:00", s)
}
