package queue

import (
	"sync"
	"time"
)

// ClockTolerance is by how much the wall clocks of services that share a queue,
// and that of what they share, may differ. Who arrives at a service whose clock
// is further off stands by the common one, as long ago as they arrived.
const ClockTolerance = time.Second

// onClock is a moment as a clock shows it that is ahead of the one it was told by:
// the same, as long as that is within the tolerance.
func onClock(moment time.Time, ahead int64) time.Time {
	if d := time.Duration(ahead); d > ClockTolerance || d < -ClockTolerance {
		return moment.Add(d)
	}
	return moment
}

// LineClock gives out the moments by which callers stand in line
// (Caller.Arrived): those of the wall clock, except that it never goes back.
// Where the wall clock is set back, whoever comes then would otherwise stand
// before everybody who waits; here the time goes on as if it had not been. The
// zero value is ready; it may be used from any goroutine.
type LineClock struct {
	mu      sync.Mutex
	moment  time.Time // the newest given out, or set by NotBefore
	machine time.Time // when that was, on the machine's clock
}

// Now is the moment of a caller who comes now, which the wall clock shows.
func (c *LineClock) Now(wall time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at(wall)
}

// NotBefore has the clock show no earlier moments from now on: somebody who
// stands in line since before this process has that one.
func (c *LineClock) NotBefore(moment time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at(moment)
}

func (c *LineClock) at(wall time.Time) time.Time {
	now, moment := time.Now(), wall.Round(0) // without the machine's clock, since it is recorded so
	if !c.machine.IsZero() {
		if goesOn := c.moment.Add(now.Sub(c.machine)); moment.Before(goesOn) {
			moment = goesOn
		}
	}
	c.moment, c.machine = moment, now
	return moment
}
