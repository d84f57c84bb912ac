package journal

import (
	"fmt"
	"time"

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
	var err error
	m.unregister, err = register(reg, m.appendSeconds, m.batchEntries, m.failures)
	return m, err
}

type scribeMetrics struct {
	dropped    prometheus.Counter
	unregister func()
}

func newScribeMetrics(reg prometheus.Registerer, s *Scribe) (*scribeMetrics, error) {
	m := &scribeMetrics{dropped: prometheus.NewCounter(prometheus.CounterOpts{
		Name: "hotline_journal_dropped_entries_total",
		Help: "Entries for which there was no room in memory while the disk did not take them; they are missing.",
	})}
	entries := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "hotline_journal_late_entries",
		Help: "Entries kept in memory until the disk takes them; 0 while the journal keeps up.",
	}, func() float64 {
		count, _ := s.Late()
		return float64(count)
	})
	seconds := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "hotline_journal_late_seconds",
		Help: "How long the journal has not kept up; 0 while it does.",
	}, func() float64 {
		_, since := s.Late()
		if since.IsZero() {
			return 0
		}
		return time.Since(since).Seconds()
	})
	var err error
	m.unregister, err = register(reg, m.dropped, entries, seconds)
	return m, err
}

// register registers all the collectors or, with an error, none.
func register(reg prometheus.Registerer, collectors ...prometheus.Collector) (unregister func(), err error) {
	if reg == nil {
		return func() {}, nil
	}
	for i, c := range collectors {
		if err := reg.Register(c); err != nil {
			for _, done := range collectors[:i] {
				reg.Unregister(done)
			}
			return func() {}, fmt.Errorf("register the journal's metrics: %w", err)
		}
	}
	return func() {
		for _, c := range collectors {
			reg.Unregister(c)
		}
	}, nil
}
