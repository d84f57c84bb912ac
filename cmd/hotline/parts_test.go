package main

import (
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"testing"
	"time"

	"hotline/configs"
	"hotline/queue"
)

// Who calls again waits for the agent of before until that one has finished as usual; where every phone rings, for nobody.
func TestHowLongWhoCallsAgainWaitsForTheSameAgent(t *testing.T) {
	shipped := configs.Default().Queues[0]
	if wait := queueRules(shipped).PreferFor; wait < shipped.WrapUp.Duration+5*time.Second {
		t.Errorf("by the rules shipped a caller waits %v for an agent who wraps up for %v", wait, shipped.WrapUp.Duration)
	}
	shipped.Strategy = configs.RingAll
	if wait := queueRules(shipped).PreferFor; wait != 0 {
		t.Errorf("where every phone rings a caller waits %v for one agent", wait)
	}
}

// Where a queue is shared, callers are offered to agents of those services alone that are named among the peers: none is
// nobody, and not everybody.
func TestWhoCanBeRungFromHere(t *testing.T) {
	for _, peers := range []map[string]netip.AddrPort{nil, {"south": netip.MustParseAddrPort("10.0.0.6:5060")}} {
		cfg := configs.Default()
		cfg.Redis.Addresses, cfg.Redis.Name, cfg.Redis.Peers = []string{"127.0.0.1:6379"}, "north", peers
		var o queue.Options
		if _, err := share(cfg, &o, slog.New(slog.DiscardHandler)); err != nil {
			t.Fatal(err)
		}
		want := slices.AppendSeq([]string{}, maps.Keys(peers))
		if o.Ways == nil || !slices.Equal(o.Ways, want) {
			t.Errorf("with peers %v the queue is told %#v, want %#v", peers, o.Ways, want)
		}
		if got := waysOf(cfg); len(got) != len(peers) || len(peers) > 0 && got["south"] != "peer-south" {
			t.Errorf("with peers %v Asterisk is asked for %v", peers, got)
		}
	}
}
