package main

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hotline/ari"
	"hotline/queue"
)

// others is a queue as far as it is shared.
type others struct {
	heard  []string
	shared bool
	why    error
}

func (o others) Alone() (time.Time, error) { return time.Unix(0, 0), o.why }
func (o others) Others() ([]string, bool)  { return o.heard, o.shared }

// onTime is a journal without trouble.
type onTime struct{}

func (onTime) Late() (int, time.Time) { return 0, time.Time{} }
func (onTime) Err() error             { return nil }

func TestReadyzSaysWithWhomTheQueueIsShared(t *testing.T) {
	link, err := ari.New(ari.Options{URL: "http://127.0.0.1:1/ari", App: "hotline", Username: "hotline", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		others
		queue, degraded string
	}{
		{others{}, "", ""},
		{others{shared: true}, "shared, and no other service is there", ""},
		{others{shared: true, heard: []string{"south", "west"}}, "shared with south, west", ""},
		{others{shared: true, why: queue.ErrNotOpen}, "", "the queue is this service's alone until Asterisk is there"},
		{others{shared: true, heard: []string{"south"}, why: errors.New("connection refused")}, "", "the queue is this service's alone since 1970-01-01T00:00:00Z: connection refused"},
	} {
		h := &health{link: link, journal: onTime{}, queue: c.others, drain: &drain{}, watch: &watch{}}
		is := h.readiness()
		if is.Queue != c.queue || !strings.HasPrefix(strings.Join(is.Degraded, ";"), c.degraded) || (c.degraded == "") != (len(is.Degraded) == 0) {
			t.Errorf("%+v is told as %q, and as worse %q; want %q and %q", c.others, is.Queue, is.Degraded, c.queue, c.degraded)
		}
	}
}

// The log says which services are heard, when that changes.
func TestTheLogSaysWhoIsHeard(t *testing.T) {
	var said bytes.Buffer
	w := newWatch(&watch{log: slog.New(slog.NewTextHandler(&said, nil))}, prometheus.NewRegistry())
	for _, with := range []string{"", "shared with south", "shared with south", "", "shared with south", "shared, and no other service is there"} {
		w.tellCompany(with)
	}
	if n := strings.Count(said.String(), "the queue is shared"); n != 3 {
		t.Errorf("it is told %d times, want each of three changes once:\n%s", n, said.String())
	}
}
