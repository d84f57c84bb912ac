package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hotline/queue"
)

// Each trouble is told once when it begins and once when it is over, and has
// its figure and its word meanwhile.
func TestATroubleIsToldOnceAndOnceOver(t *testing.T) {
	var missing []string
	var refusal error
	var noWay []string
	var rivals []queue.Rival
	var ahead time.Duration
	for _, test := range []struct {
		what  string
		begin func(*watch)
		end   func(*watch)
		why   string
	}{
		{"disk:raw", func(w *watch) { w.low = 1 << 62 }, func(w *watch) { w.low = 0 }, "make room"},
		{"prompts", func(*watch) { missing = []string{"menu.main"} }, func(*watch) { missing = nil }, "instead of [menu.main]"},
		{"asterisk", func(*watch) { refusal = errors.New("500 Allocation failed") }, func(*watch) { refusal = nil }, "Allocation failed"},
		{"peers", func(*watch) { noWay = []string{"south"} }, func(*watch) { noWay = nil }, "agents of [south] cannot be rung"},
		{"agents", func(*watch) { rivals = []queue.Rival{{Agent: "1001", Other: "1001", Home: "south"}} }, func(*watch) { rivals = nil }, "agent 1001 is listed at south too"},
		{"agents", func(*watch) { rivals = []queue.Rival{{Agent: "1001", Other: "2001", Home: "south"}} }, func(*watch) { rivals = nil }, "the number that callers are told of agent 2001"},
		{"clock", func(*watch) { ahead = -90 * time.Second }, func(*watch) { ahead = -queue.ClockTolerance }, "1m30s behind that of Redis"},
	} {
		t.Run(test.what, func(t *testing.T) {
			var said bytes.Buffer
			reg := prometheus.NewRegistry()
			w := newWatch(&watch{
				dirs:     map[string]string{"raw": t.TempDir()},
				prompts:  func() ([]string, error) { return missing, nil },
				asterisk: func(context.Context) error { return refusal },
				noWay:    func() []string { return noWay },
				rivals:   func() []queue.Rival { return rivals },
				company:  func() string { return "" },
				ahead:    func() time.Duration { return ahead },
				log:      slog.New(slog.NewTextHandler(&said, nil)),
			}, reg)
			degraded := func() float64 { return figure(t, reg, "hotline_degraded", test.what) }
			w.low = 0
			w.look(t.Context(), true)
			if said.Len() > 0 || degraded() != 0 || len(w.list()) > 0 {
				t.Errorf("all is well, and it says %s%v", said.String(), w.list())
			}
			test.begin(w)
			w.look(t.Context(), true)
			w.look(t.Context(), true)
			if n := strings.Count(said.String(), "level=ERROR"); n != 1 || !strings.Contains(said.String(), test.what) {
				t.Errorf("the trouble is told %d times, want once:\n%s", n, said.String())
			}
			if list := w.list(); len(list) != 1 || !strings.Contains(list[0], test.why) || degraded() != 1 {
				t.Errorf("the trouble is %v with the figure %v, want %q and 1", list, degraded(), test.why)
			}
			said.Reset()
			test.end(w)
			w.look(t.Context(), true)
			w.look(t.Context(), true)
			if n := strings.Count(said.String(), "level=INFO"); n != 1 || len(w.list()) > 0 || degraded() != 0 {
				t.Errorf("its end is told %d times, want once; there is still %v:\n%s", n, w.list(), said.String())
			}
		})
	}
}

// A service that has just come may not have been asked yet whether it is there.
func TestAWayThatIsNotKnownYetIsNoTrouble(t *testing.T) {
	noWay := []string{"south"}
	w := &watch{noWay: func() []string { return noWay }}
	if why := w.peerTrouble(); why != "" {
		t.Errorf("at the first look it says %q", why)
	}
	noWay = []string{"east", "south"}
	if why := w.peerTrouble(); !strings.Contains(why, "[south]") {
		t.Errorf("at the second look it says %q, want that the south cannot be rung, and nothing of the east", why)
	}
}

func TestFreeSpaceIsMeasured(t *testing.T) {
	reg := prometheus.NewRegistry()
	w := newWatch(&watch{
		dirs:     map[string]string{"state": t.TempDir(), "raw": "/nowhere/at/all"},
		prompts:  func() ([]string, error) { return nil, nil },
		asterisk: func(context.Context) error { return nil },
		noWay:    func() []string { return nil },
		rivals:   func() []queue.Rival { return nil },
		company:  func() string { return "" },
		ahead:    func() time.Duration { return 0 },
		log:      slog.New(slog.DiscardHandler),
	}, reg)
	w.low = 0
	w.look(t.Context(), true)
	if free := figure(t, reg, "hotline_disk_free_bytes", "state"); free <= 0 {
		t.Errorf("%v bytes are free, want some", free)
	}
	if list := w.list(); len(list) != 1 || !strings.Contains(list[0], "/nowhere/at/all") {
		t.Errorf("a folder that is gone is told as %v", list)
	}
}

// A part that does not end holds nobody up who waits for the service to go.
func TestLeavingWaitsForNobodyForLong(t *testing.T) {
	never := make(chan struct{})
	defer close(never)
	if err := within(1, func() error { <-never; return nil }); !errors.Is(err, errStuck) {
		t.Errorf("it ended with %v, want that it is stuck", err)
	}
	broken := errors.New("broken")
	if err := within(closeWithin, func() error { return broken }); !errors.Is(err, broken) {
		t.Errorf("it ended with %v, want its own error", err)
	}
}

// figure is a gauge as whoever watches the service sees it.
func figure(t *testing.T, reg *prometheus.Registry, name, label string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			if family.GetName() == name && m.GetLabel()[0].GetValue() == label {
				return m.GetGauge().GetValue()
			}
		}
	}
	t.Fatalf("there is no figure %s of %s", name, label)
	return 0
}
