package journal

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	appendSeconds *prometheus.HistogramVec
	batchEntries  prometheus.Histogram
	failures      prometheus.Counter
	unregister    func()
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		appendSeconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "hotline_journal_append_seconds",
			Help:    "Time from handing entries to the journal until they are committed (flushed to disk if durable).",
			Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, 1, 5},
		}, []string{"durable"}),
		batchEntries: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "hotline_journal_batch_entries",
			Help:    "Entries committed in one transaction.",
			Buckets: prometheus.ExponentialBuckets(1, 2, 11),
		}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hotline_journal_write_failures_total",
			Help: "Transactions that could not be committed; none of their entries was written.",
		}),
	}
	return m, m.register(reg)
}

func (m *metrics) register(reg prometheus.Registerer) error {
	m.unregister = func() {}
	if reg == nil {
		return nil
	}
	collectors := []prometheus.Collector{m.appendSeconds, m.batchEntries, m.failures}
	for i, c := range collectors {
		if err := reg.Register(c); err != nil {
			for _, done := range collectors[:i] {
				reg.Unregister(done)
			}
			return fmt.Errorf("register the journal's metrics: %w", err)
		}
	}
	m.unregister = func() {
		for _, c := range collectors {
			reg.Unregister(c)
		}
	}
	return nil
}
