package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"hotline/ari"
	"hotline/configs"
	"hotline/queue"
	"hotline/web"
)

// health answers whether the service lives (/healthz) and whether it can
// serve callers (/readyz, with the reason where it cannot). A service that is
// degraded still serves callers: it is ready, and says what is the matter.
type health struct {
	link    *ari.Link
	journal lateness
	queue   company
	drain   *drain
	watch   *watch
}

// lateness is how entries get to the disk: [journal.Scribe].
type lateness interface {
	Late() (count int, since time.Time) // how many are kept in memory meanwhile, and since when
	Err() error                         // why
}

// company is whether a queue that is shared is: [queue.Engine].
type company interface {
	Alone() (since time.Time, why error)   // nothing is heard of the other services; nil: they are heard, or there are none
	Others() (heard []string, shared bool) // who they are, if the queue is shared at all
}

// sharedWith says with whom a queue is shared; "" for nobody, by choice or since
// nobody is heard.
func sharedWith(q company) string {
	heard, shared := q.Others()
	switch _, why := q.Alone(); {
	case !shared || why != nil:
		return ""
	case len(heard) == 0:
		return "shared, and no other service is there"
	}
	return "shared with " + strings.Join(heard, ", ")
}

func (h *health) handler(reg *prometheus.Registry) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", h.ready)
	return mux
}

// readiness is /readyz's answer: what is missing, in words.
type readiness struct {
	Ready    bool     `json:"ready"`
	Asterisk string   `json:"asterisk"`
	Calls    string   `json:"calls"`
	Journal  string   `json:"journal"`
	Queue    string   `json:"queue,omitempty"`    // with whom it is shared
	Degraded []string `json:"degraded,omitempty"` // what is worse than it should be; callers are served all the same
}

func (h *health) ready(w http.ResponseWriter, _ *http.Request) {
	answer := h.readiness()
	w.Header().Set("Content-Type", "application/json")
	if !answer.Ready {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(answer) // the asker has gone: nobody to tell
}

func (h *health) readiness() readiness {
	answer := readiness{Ready: true, Asterisk: "connected", Calls: "taken", Journal: "written", Queue: sharedWith(h.queue), Degraded: h.watch.list()}
	if status := h.link.Status(); !status.Connected {
		answer.Ready = false
		answer.Asterisk = fmt.Sprintf("waiting for Asterisk: %v", status.Err)
	}
	if h.drain.on() {
		answer.Ready = false
		answer.Calls = fmt.Sprintf("draining: %d left", h.drain.calls.Live())
	}
	if since, why := h.queue.Alone(); errors.Is(why, queue.ErrNotOpen) {
		answer.Degraded = append(answer.Degraded, "the queue is this service's alone until Asterisk is there: which calls it has is not known before")
	} else if why != nil {
		answer.Degraded = append(answer.Degraded, fmt.Sprintf("the queue is this service's alone since %s: %v", since.UTC().Format(time.RFC3339), why))
	}
	if why := h.journalTrouble(); why != "" {
		answer.Journal = why
		answer.Degraded = append(answer.Degraded, "the journal is "+why)
	}
	return answer
}

// codes are the same for pages, which have words of their own.
func (h *health) codes(cfg *configs.Config) web.Health {
	is := web.Health{Asterisk: "ok", Journal: "ok", Trunk: "none", Redis: "none", Calls: "taken", Degraded: h.readiness().Degraded}
	if !h.link.Status().Connected {
		is.Asterisk = "away"
	}
	if late, _ := h.journal.Late(); late > 0 {
		is.Journal = "late"
	} else if h.journal.Err() != nil {
		is.Journal = "failing"
	}
	if cfg.Asterisk.Trunk.Dials() {
		is.Trunk = "ok"
	}
	if cfg.Redis.On() {
		is.Redis = "ok"
		if _, why := h.queue.Alone(); why != nil {
			is.Redis = "alone"
		}
	}
	if h.drain.on() {
		is.Calls = "draining"
	}
	return is
}

// journalTrouble is why entries are not on the disk, and what becomes of them.
func (h *health) journalTrouble() string {
	late, since := h.journal.Late()
	err := h.journal.Err()
	switch {
	case late > 0:
		return fmt.Sprintf("late: %d entries since %s are kept in memory: %v", late, since.UTC().Format(time.RFC3339), err)
	case err != nil:
		return fmt.Sprintf("not written: %v", err)
	}
	return ""
}
