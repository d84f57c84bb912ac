package ari_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"hotline/ari"
	"hotline/ari/aritest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 10 * time.Second

func options(server *aritest.Server) ari.Options {
	return ari.Options{
		URL: server.URL(), App: aritest.App, Username: aritest.User, Password: aritest.Password,
		Backoff: ari.Backoff{Min: 5 * time.Millisecond, Max: 20 * time.Millisecond},
		Logger:  slog.New(slog.DiscardHandler),
	}
}

// connect runs a link to a fresh server until the test ends.
func connect(t *testing.T, change ...func(*ari.Options)) (*aritest.Server, *ari.Link) {
	t.Helper()
	server := aritest.Start(t)
	o := options(server)
	for _, c := range change {
		c(&o)
	}
	return server, run(t, o)
}

func run(t *testing.T, o ari.Options) *ari.Link {
	t.Helper()
	link := begin(t, o)
	until(t, "the link is connected", func() bool { return link.Status().Connected })
	return link
}

// begin runs a link without waiting for the connection.
func begin(t *testing.T, o ari.Options) *ari.Link {
	t.Helper()
	link, err := ari.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- link.Run(ctx) }()
	t.Cleanup(func() {
		cancel(errTestOver)
		select {
		case err := <-ended:
			if !errors.Is(err, errTestOver) && !errors.Is(err, ari.ErrReplaced) && !errors.Is(err, context.Canceled) {
				t.Errorf("Run ended with %v: want the cause of its context", err)
			}
		case <-time.After(patience):
			t.Error("Run does not end with its context: a goroutine it owns hangs, look at watch and prepare")
		}
		for range link.Arrivals() { // closed by the end of Run
		}
	})
	return link
}

var errTestOver = errors.New("the test is over")

// until waits for a condition that another goroutine brings about.
func until(t *testing.T, what string, met func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !met() {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v until %s", patience, what)
		}
		time.Sleep(time.Millisecond)
	}
}

// arrived takes the next arrival.
func arrived(t *testing.T, link *ari.Link) ari.Arrival {
	t.Helper()
	select {
	case a := <-link.Arrivals():
		return a
	case <-time.After(patience):
		t.Fatal("no arrival: is StasisStart in the event filter, was the channel taken for a leg?")
		panic("unreachable")
	}
}

// answeredCall is a caller whose leg is subscribed and answered.
func answeredCall(t *testing.T, server *aritest.Server, link *ari.Link) (*aritest.Channel, *ari.Session, *ari.Leg) {
	t.Helper()
	caller := server.Arrive(aritest.Caller{Name: "王先生", Number: "13800000000"})
	session := link.Session("20260206-090000-0001")
	t.Cleanup(session.Close)
	leg := session.Adopt(arrived(t, link))
	must(t, leg.Subscribe(t.Context()))
	must(t, leg.Answer(t.Context()))
	return caller, session, leg
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// next reads the mailbox until an event of a kind comes, and returns what came
// before it too.
func next(t *testing.T, s *ari.Session, kind ari.EventKind) (ari.Event, []ari.Event) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var before []ari.Event
	for {
		ev, err := s.Next(ctx)
		if err != nil {
			t.Fatalf("no %s in the mailbox (%v); there was %v", kind, err, kindsOf(before))
		}
		if ev.Kind == kind {
			return ev, before
		}
		before = append(before, ev)
	}
}

func kindsOf(events []ari.Event) []ari.EventKind {
	var kinds []ari.EventKind
	for _, ev := range events {
		kinds = append(kinds, ev.Kind)
	}
	return kinds
}

// over waits for a channel to close.
func over(t *testing.T, what string, done <-chan struct{}) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatalf("%s is not over after %v", what, patience)
	}
}

// value reads one metric, by name and the values of its labels.
func value(t *testing.T, reg *prometheus.Registry, name string, labels ...string) float64 {
	t.Helper()
	families, err := reg.Gather()
	must(t, err)
	var sum float64
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
	metrics:
		for _, m := range f.GetMetric() {
			for i, label := range m.GetLabel() {
				if i < len(labels) && label.GetValue() != labels[i] {
					continue metrics
				}
			}
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return sum
}
