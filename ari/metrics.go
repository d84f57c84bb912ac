package ari

import (
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	latency    *prometheus.HistogramVec
	errors     *prometheus.CounterVec
	events     *prometheus.CounterVec
	unknown    prometheus.Counter
	malformed  prometheus.Counter
	unrouted   prometheus.Counter
	repeated   prometheus.Counter
	repeats    *prometheus.CounterVec
	depth      prometheus.Gauge
	attempts   prometheus.Counter
	reconnects prometheus.Counter
	connected  prometheus.Gauge
	deep       atomic.Int64
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "hotline_ari_request_seconds",
			Help:    "Time until Asterisk answered a REST request, by verb.",
			Buckets: []float64{.001, .002, .005, .01, .02, .05, .1, .25, .5, 1, 2, 4},
		}, []string{"op"}),
		errors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hotline_ari_request_errors_total",
			Help: "REST requests that failed, by verb and HTTP status (0: no answer).",
		}, []string{"op", "status"}),
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hotline_ari_events_total",
			Help: "Events received and understood, by kind.",
		}, []string{"kind"}),
		unknown: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hotline_ari_unknown_events_total",
			Help: "Events of a kind this service does not know; ignored.",
		}),
		malformed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hotline_ari_malformed_events_total",
			Help: "Messages that are not a readable event; ignored.",
		}),
		unrouted: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hotline_ari_unrouted_events_total",
			Help: "Events about something no call owns.",
		}),
		repeated: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hotline_ari_repeated_events_total",
			Help: "Events received a second time, byte for byte; ignored.",
		}),
		repeats: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hotline_ari_repeated_requests_total",
			Help: "Requests that were sent a second time for want of an answer, by verb: Asterisk is slow or away.",
		}, []string{"op"}),
		depth: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "hotline_ari_mailbox_depth_max",
			Help: "Deepest mailbox of any call since the start.",
		}),
		attempts: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hotline_ari_connection_attempts_total",
			Help: "Attempts to open the websocket.",
		}),
		reconnects: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hotline_ari_reconnects_total",
			Help: "Times the websocket was opened again after it had been lost.",
		}),
		connected: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "hotline_ari_connected",
			Help: "1 while the websocket is up and the event filter in force.",
		}),
	}
	if reg != nil {
		reg.MustRegister(m.latency, m.errors, m.events, m.unknown, m.malformed,
			m.unrouted, m.repeated, m.repeats, m.depth, m.attempts, m.reconnects, m.connected)
	}
	return m
}

func (m *metrics) request(op string, status int, took time.Duration, err error) {
	m.latency.WithLabelValues(op).Observe(took.Seconds())
	if err != nil {
		m.errors.WithLabelValues(op, strconv.Itoa(status)).Inc()
	}
}

// deepest raises the depth gauge; the mailboxes of all calls share it.
func (m *metrics) deepest(depth int) {
	for {
		seen := m.deep.Load()
		if int64(depth) <= seen {
			return
		}
		if m.deep.CompareAndSwap(seen, int64(depth)) {
			m.depth.Set(float64(depth))
			return
		}
	}
}

// count is called for known kinds only: the label stays small.
func (m *metrics) count(kind string) { m.events.WithLabelValues(kind).Inc() }
