package faults

import (
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// SeedVariable repeats a run: HOTLINE_FAULT_SEED=… go test -run … .
const SeedVariable = "HOTLINE_FAULT_SEED"

// Seed is where a test's chance comes from. It may be used by several goroutines.
type Seed struct {
	mu sync.Mutex
	r  *rand.Rand
}

// NewSeed takes the seed of SeedVariable, or a new one. A test that fails says how to run it again with the same.
func NewSeed(t testing.TB) *Seed {
	t.Helper()
	n := uint64(time.Now().UnixNano())
	if text := os.Getenv(SeedVariable); text != "" {
		var err error
		if n, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("%s: %v", SeedVariable, err)
		}
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("again with the same chance: %s=%d go test ./test/faults -run '^%s$'", SeedVariable, n, strings.ReplaceAll(t.Name(), "/", "$/^"))
		}
	})
	return &Seed{r: rand.New(rand.NewPCG(n, 0))}
}

// Between is a duration of at least from and less than to.
func (s *Seed) Between(from, to time.Duration) time.Duration {
	return from + time.Duration(s.N(int(to-from)))
}

// N is a number from 0 to n-1.
func (s *Seed) N(n int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.r.IntN(n)
}

// Shuffle puts n things into another order.
func (s *Seed) Shuffle(n int, swap func(i, j int)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.r.Shuffle(n, swap)
}
