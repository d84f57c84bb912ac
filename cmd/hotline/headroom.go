package main

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// The garbage collector usually lets memory grow to twice of what is in use.
// That is much where thousands wait and little is thrown away, and little where
// nobody waits and calls come fast: it collects ten times a second then. So what
// it leaves is about the same for any number of callers.
const (
	headroom      = 16 << 20 // bytes that may lie about uncollected
	leastHeadroom = 25       // … but not less than so many in a hundred of what is in use
	mostHeadroom  = 400      // … nor more
	headroomEvery = time.Second
)

// keepHeadroom has the collector leave that much, until ctx ends. Where the
// environment says how much is to be left, it is left to that.
func keepHeadroom(ctx context.Context) {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	set := headroomFor(collectable())
	usual := debug.SetGCPercent(set)
	defer debug.SetGCPercent(usual)
	tick := time.NewTicker(headroomEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if now := headroomFor(collectable()); now > set+set/8 || now < set-set/8 { // each change stops the world for a moment
			debug.SetGCPercent(now)
			set = now
		}
	}
}

// headroomFor is the collector's share, in percent, of so many bytes in use.
func headroomFor(inUse uint64) int {
	return int(min(max(headroom*100/max(inUse, 1), leastHeadroom), mostHeadroom))
}

// collectable is what the collector takes its share of: what was in use when it
// last looked, and what it looks through besides.
func collectable() (bytes uint64) {
	samples := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/scan/stack:bytes"}, {Name: "/gc/scan/globals:bytes"}}
	metrics.Read(samples)
	for _, s := range samples {
		bytes += s.Value.Uint64()
	}
	return bytes
}
