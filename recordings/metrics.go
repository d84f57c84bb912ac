package recordings

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	finished *prometheus.CounterVec
	recorded prometheus.Counter
	missing  prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		finished: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hotline_recordings_total",
			Help: "Recordings by how they ended: complete, gap, long, unknown; failed counts every attempt to start or keep one that failed.",
		}, []string{"result"}),
		recorded: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hotline_recordings_seconds_total",
			Help: "Seconds of calls that were recorded and kept.",
		}),
		missing: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hotline_recordings_missing_seconds_total",
			Help: "Seconds that the clock says should have been recorded and were not.",
		}),
	}
	if reg == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.finished, m.recorded, m.missing} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("register the recordings' metrics: %w", err)
		}
	}
	return m, nil
}

func (m *metrics) count(r Result) {
	m.recorded.Add(r.Duration.Seconds())
	switch {
	case r.Gap > 0:
		m.missing.Add(r.Gap.Seconds())
		m.finished.WithLabelValues("gap").Inc()
	case r.Gap < 0:
		m.finished.WithLabelValues("long").Inc()
	case r.Complete():
		m.finished.WithLabelValues("complete").Inc()
	default:
		m.finished.WithLabelValues("unknown").Inc()
	}
}
