package main

import (
	"context"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"testing"
	"time"
)

func TestHeadroomIsTheSameForAnyNumberOfCallers(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		inUse uint64
		want  int // percent
	}{
		{0, 400}, {4 * mib, 400}, {8 * mib, 200}, {16 * mib, 100}, {32 * mib, 50}, {64 * mib, 25}, {1024 * mib, 25},
	} {
		if got := headroomFor(c.inUse); got != c.want {
			t.Errorf("with %d MiB in use: %d %%, want %d", c.inUse/mib, got, c.want)
		}
	}
}

func TestHeadroomFollowsWhatIsInUse(t *testing.T) {
	t.Setenv("GOGC", "")
	t.Setenv("GOMEMLIMIT", "")
	usual := debug.SetGCPercent(100)
	defer debug.SetGCPercent(usual)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); keepHeadroom(ctx) }()

	much := make([][]byte, 1<<16) // 64 MiB
	for i := range much {
		much[i] = make([]byte, 1<<10)
	}
	runtime.GC()
	within := time.Now().Add(10 * headroomEvery)
	for percent() != leastHeadroom && time.Now().Before(within) {
		time.Sleep(headroomEvery / 10)
	}
	if got := percent(); got != leastHeadroom {
		t.Errorf("with 64 MiB in use the collector leaves %d %%, want %d", got, leastHeadroom)
	}
	runtime.KeepAlive(much)

	stop()
	<-done
	if got := percent(); got != 100 {
		t.Errorf("afterwards the collector leaves %d %%, want 100 as before", got)
	}
}

func TestHeadroomIsLeftToTheEnvironment(t *testing.T) {
	t.Setenv("GOGC", "150")
	usual := debug.SetGCPercent(150)
	defer debug.SetGCPercent(usual)
	keepHeadroom(t.Context())
	if got := percent(); got != 150 {
		t.Errorf("the collector leaves %d %%, want 150, as GOGC says", got)
	}
}

// percent is what the collector leaves at present.
func percent() int {
	sample := []metrics.Sample{{Name: "/gc/gogc:percent"}}
	metrics.Read(sample)
	return int(sample[0].Value.Uint64())
}
