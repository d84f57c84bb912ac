package redisq

import (
	"slices"
	"testing"
)

// Each service knows which others are heard of.
func TestWhoIsHeardOf(t *testing.T) {
	s := startRedis(t)
	north := open(t, s, "north", "1001")
	hears := func(h *house, want ...string) {
		t.Helper()
		h.soon("it hears of others as they come and go", func() bool { heard, shared := h.Others(); return shared && slices.Equal(heard, want) })
	}
	hears(north)
	south := open(t, s, "south", "2001")
	hears(north, "south")
	hears(south, "north")
	south.die()
	hears(north)
}
