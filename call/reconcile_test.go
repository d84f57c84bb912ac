package call

import (
	"context"
	"errors"
	"testing"
	"time"

	"hotline/journal"
)

// How long nobody was there is told from the last sign of whoever was there before.
func TestTheFirstConnectIsSinceTheLastSignOfBefore(t *testing.T) {
	d := newDiary(t)
	s := newService(t, Options{Reader: d.j.Reader()})
	wantSeen := func(want time.Time) {
		t.Helper()
		if seen, err := s.lastSeen(t.Context()); err != nil || !seen.Equal(want) {
			t.Errorf("last seen at %v, %v; want %v", seen, err, want)
		}
	}
	wantSeen(time.Time{})
	for _, seen := range []time.Time{{}, second(30)} { // the first process of all, and the next
		if _, err := d.j.Append(t.Context(), journal.NewEntry(KindServiceStarted, ServiceStarted{LastSeen: seen}, ServiceStream)); err != nil {
			t.Fatal(err)
		}
		wantSeen(seen)
	}
}

// Before Asterisk was reached nobody knows how many calls there are.
func TestADrainWaitsUntilTheCallsOfBeforeAreKnown(t *testing.T) {
	s := newService(t, Options{})
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Drain(over); !errors.Is(err, context.Canceled) {
		t.Errorf("drained before the calls are known: %v", err)
	}
	s.alive("a", 0)
	s.settle()
	if err := s.Drain(over); !errors.Is(err, context.Canceled) {
		t.Errorf("drained with a call under way: %v", err)
	}
	s.ctx = t.Context()
	s.gone("a", "channel")
	if err := s.Drain(t.Context()); err != nil {
		t.Errorf("the last call has ended, and the drain goes on: %v", err)
	}
}
