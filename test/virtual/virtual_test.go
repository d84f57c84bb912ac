// Package virtual lets the whole service live through seeded days in virtual time: calls, queue, link and a real journal
// against a fake Asterisk in memory, with callers, agents and operators who do what people do, a network that fails, and
// processes that are killed at a chosen boundary and replaced.
//
// It owns the world around the service and the checks of what callers, agents and the journal were left with. It must
// not know how the service does its work.
package virtual

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
)

// runs is how many seeds the normal suite lives through; make soak goes on.
const runs = 200

// A failing seed is run again by itself, and told in full, with HOTLINE_SEED=n.
func TestSeededRuns(t *testing.T) {
	first, n, verbose := seeds(t)
	makeParts(t, t.TempDir())
	for seed := first; seed < first+n; seed++ {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			live(t, seed, verbose)
		})
	}
}

// seeds are those to be run: one that is asked for, as many as SOAK says, or the usual ones.
func seeds(t *testing.T) (first, n uint64, verbose bool) {
	number := func(name string) (uint64, bool) {
		text := os.Getenv(name)
		if text == "" {
			return 0, false
		}
		value, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("%s=%q is not a number", name, text)
		}
		return value, true
	}
	if seed, ok := number("HOTLINE_SEED"); ok {
		return seed, 1, true
	}
	if n, ok := number("SOAK"); ok {
		return runs, n, false
	}
	return 0, runs, false
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
