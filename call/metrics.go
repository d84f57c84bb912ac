package call

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the standard's figures, from the first day.
type metrics struct {
	rings       prometheus.Histogram
	breaches    prometheus.Counter
	firstSound  prometheus.Histogram
	apologyLate prometheus.Histogram
	active      *prometheus.GaugeVec
	ended       *prometheus.CounterVec
	unjournaled prometheus.Counter
	redials     *prometheus.CounterVec
	returned    prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		rings: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "hotline_rings_before_answer", Help: "Rings a caller heard begin before the answer (B1: at most 3).",
			Buckets: []float64{1, 2, 3, 4, 6, 10},
		}),
		breaches: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hotline_three_ring_breaches_total", Help: "Calls answered when the fourth ring had begun, or later (B1).",
		}),
		firstSound: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "hotline_first_sound_seconds", Help: "From a caller's arrival to the greeting's request.",
			Buckets: []float64{.5, 1, 1.5, 2, 5, 10, 15, 30},
		}),
		apologyLate: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "hotline_apology_late_seconds", Help: "How late an apology of the hold tone began (C3) with which this service replaced the list that played.",
			Buckets: []float64{.005, .01, .02, .05, .1, .2, .5, 1, 5},
		}),
		active: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "hotline_active_calls", Help: "Calls under way by stage.",
		}, []string{"stage"}),
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hotline_calls_total", Help: "Calls that ended, by result and reason.",
		}, []string{"result", "reason"}),
		unjournaled: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hotline_unjournaled_entries_total", Help: "Entries of calls that the journal did not take.",
		}),
		redials: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hotline_redials_total", Help: "Callers dialled again whose line failed in a talk, by what came of it (A5, B4).",
		}, []string{"outcome"}),
		returned: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hotline_callers_returned_total", Help: "Callers who called again after a lost line and got the old place, or the agent of before.",
		}),
	}
	if reg != nil {
		reg.MustRegister(m.rings, m.breaches, m.firstSound, m.apologyLate, m.active, m.ended, m.unjournaled, m.redials, m.returned)
	}
	return m
}

func (m *metrics) answered(after time.Duration) {
	m.rings.Observe(float64(rings(after)))
	if late(after) {
		m.breaches.Inc()
	}
}
