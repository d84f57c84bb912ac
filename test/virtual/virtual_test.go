// Package virtual lets the whole service live through seeded days in virtual time: calls, queue, link and a real journal
// against a fake Asterisk in memory, with callers, agents and operators who do what people do, a network that fails, and
// processes that are killed at a chosen boundary and replaced.
//
// It owns the world around the service and the checks of what callers, agents and the journal were left with. It must
// not know how the service does its work.
package virtual

import (
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// runs is how many seeds the normal suite lives through, a few of them with the
// race detector, which makes a day many times as long; make soak goes on.
const (
	runs      = 200
	racedRuns = 8
)

// A failing seed is run again by itself, and told in full, with HOTLINE_SEED=n.
func TestSeededRuns(t *testing.T) {
	makeParts(t, t.TempDir())
	if seed, one := number(t, "HOTLINE_SEED"); one {
		live(t, seed, true)
		return
	}
	first, n, limit := uint64(0), uint64(runs), time.Duration(math.MaxInt64)
	if raced {
		n = racedRuns
	}
	if soak, on := number(t, "SOAK"); on { // beyond the usual ones
		first, n = runs, soak
	}
	if text := os.Getenv("SOAK_FOR"); text != "" {
		var err error
		if limit, err = time.ParseDuration(text); err != nil {
			t.Fatalf("SOAK_FOR: %v", err)
		}
	}
	began := time.Now()
	var done atomic.Int64
	t.Cleanup(func() {
		fmt.Printf("%d of %d seeded runs in %v\n", done.Load(), n, time.Since(began).Round(time.Second))
	})
	for seed := first; seed < first+n; seed++ {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			if time.Since(began) < limit {
				live(t, seed, false)
				done.Add(1)
			}
		})
	}
}

// number is one from the environment.
func number(t *testing.T, name string) (n uint64, given bool) {
	text := os.Getenv(name)
	if text == "" {
		return 0, false
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n, true
}

// live is one run in a bubble of its own.
func live(t *testing.T, seed uint64, verbose bool) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, newPlan(seed), dir, verbose)
		defer func() {
			if t.Failed() || verbose {
				t.Logf("replay with: HOTLINE_SEED=%d go test -run 'TestSeededRuns' ./test/virtual\n%s", seed, strings.Join(w.log, "\n"))
			}
		}()
		w.run()
	})
}
