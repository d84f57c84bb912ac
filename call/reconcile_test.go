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

// A service that has not reached Asterisk knows from the journal whether there
// are calls to wait for.
func TestADrainWithoutAsteriskGoesByTheJournal(t *testing.T) {
	d := newDiary(t)
	none := newService(t, Options{Reader: d.j.Reader()})
	if err := none.Drain(t.Context()); err != nil || none.Live() != 0 {
		t.Errorf("the journal has no call that goes on, and the drain does not end: %v, %d live", err, none.Live())
	}
	if _, err := d.j.Append(t.Context(), journal.NewEntry(KindArrived, Arrived{Channel: "channel"}, Stream("a"))); err != nil {
		t.Fatal(err)
	}
	left := newService(t, Options{Reader: d.j.Reader()})
	drained := make(chan error, 1)
	go func() { drained <- left.Drain(t.Context()) }()
	for left.Live() != 1 {
		select {
		case err := <-drained:
			t.Fatalf("a call of before may go on in Asterisk, and the drain ends: %v", err)
		case <-time.After(time.Millisecond):
		}
	}
	left.settle() // it was not there any more
	if err := <-drained; err != nil || left.Live() != 0 {
		t.Errorf("no call is left, and the drain ends with %v, %d live", err, left.Live())
	}
}
