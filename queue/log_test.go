package queue

import (
	"errors"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// deaf is a log that hears of nobody.
type deaf struct{ why error }

func (d deaf) Start(f Follower) { go f.Alone(d.why) }
func (d deaf) Append(Command)   {}
func (d deaf) Tick(time.Time)   {}
func (d deaf) Stop()            {}

// A service that has not come to the others yet is alone, and says why; once it
// has tried it says what came of that.
func TestAServiceIsAloneUntilItOpens(t *testing.T) {
	why := errors.New("nobody answers")
	reg := prometheus.NewRegistry()
	o := usual()
	o.Log, o.Owner, o.Hold, o.Registerer = deaf{why}, "north", true, reg
	e, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Stop()
	isAlone := func(want error) {
		t.Helper()
		since, got := e.Alone()
		if !errors.Is(got, want) || since.IsZero() {
			t.Errorf("alone since %v: %v, want %v", since, got, want)
		}
		if heard, shared := e.Others(); len(heard) > 0 || !shared {
			t.Errorf("others are %v, shared %v; want nobody, of a queue that is to be shared", heard, shared)
		}
		if alone := figures(t, reg)["hotline_queue_alone"]; alone != 1 {
			t.Errorf("hotline_queue_alone is %v, want 1", alone)
		}
	}
	isAlone(ErrNotOpen)
	e.Open()
	isAlone(why)
}

// One that shares with nobody is not alone.
func TestAQueueOfItsOwnIsNotAlone(t *testing.T) {
	o := usual()
	o.Hold = true
	e, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Stop()
	heard, shared := e.Others()
	if _, why := e.Alone(); why != nil || shared || len(heard) > 0 {
		t.Errorf("it is alone because of %v, shared %v with %v", why, shared, heard)
	}
}
