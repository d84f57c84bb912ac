package redisq

import (
	"testing"
	"time"

	"hotline/queue"
)

// openOff starts a service whose wall clock is off.
func openOff(t *testing.T, s *server, name string, off time.Duration, agents ...string) *house {
	t.Helper()
	wall := func() time.Time { return time.Now().Add(off) }
	return openAs(t, s, name, func(o *queue.Options) {
		o.Now = wall
		o.Log.(*Log).wall = wall
	}, agents...)
}

// A service whose clock is off puts its callers neither before everybody's nor
// behind: they stand by Redis' clock, whenever they come, and it is told.
func TestAClockThatIsOff(t *testing.T) {
	for name, off := range map[string]time.Duration{"behind": -time.Hour, "ahead": time.Hour} {
		t.Run(name, func(t *testing.T) {
			s := startRedis(t)
			north := open(t, s, "north", "1001")
			north.signIn("1001")
			north.must(north.offered(north.join("talk"), "1001").Connected())
			south := openOff(t, s, "south", off, "2001")
			south.together()
			north.join("1")
			north.stands("1")
			south.join("2")
			south.stands("1", "2")
			north.join("3")
			ago := 30 * time.Second // in the menu
			if _, err := south.Join(queue.Caller{ID: "0", Queue: "bills", Arrived: time.Now().Add(off - ago)}); err != nil {
				t.Fatal(err)
			}
			for _, h := range []*house{north, south} {
				h.stands("0", "1", "2", "3")
			}
			if got := south.log.ClockAhead(); (got - off).Abs() > queue.ClockTolerance {
				t.Errorf("the clock is told to be ahead by %v, want %v", got, off)
			}
			if got := north.log.ClockAhead(); got.Abs() > queue.ClockTolerance {
				t.Errorf("the clock of the north is told to be ahead by %v, and it is Redis' own", got)
			}

			s.Kill()
			south.alone()
			south.join("4") // by the same clock, alone
			south.stands("0", "2", "4")
			s.Start()
			south.together()
			north.together()
			for _, h := range []*house{north, south} {
				h.stands("0", "1", "2", "3", "4")
			}
		})
	}
}

// So do the callers whom such a service took in before it came to the others.
func TestAClockThatIsOffFromTheStart(t *testing.T) {
	s := startRedis(t)
	north := open(t, s, "north", "1001")
	north.signIn("1001")
	north.must(north.offered(north.join("talk"), "1001").Connected())
	north.join("1")
	s.Pause()
	south := openOff(t, s, "south", -time.Hour, "2001")
	south.alone()
	south.signIn("2001")
	south.must(south.offered(south.join("own talk"), "2001").Connected())
	south.join("2")
	s.Resume()
	for _, h := range []*house{north, south} {
		h.together()
		h.stands("1", "2")
	}
}
