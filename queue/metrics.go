package queue

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the engine's figures; queueMetrics are those of one queue.
type metrics struct {
	wait     *prometheus.HistogramVec
	offers   *prometheus.CounterVec
	answered *prometheus.CounterVec
	refused  *prometheus.CounterVec
	waiting  *prometheus.GaugeVec
	agents   *prometheus.GaugeVec
	byState  [states]prometheus.Gauge
	again    *prometheus.CounterVec
	held     prometheus.Gauge
}

type queueMetrics struct {
	all     *metrics
	queue   string
	waiting prometheus.Gauge
	inWait  prometheus.Observer
	offered prometheus.Counter
	inTime  prometheus.Counter
	late    prometheus.Counter
	again   prometheus.Counter
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		wait: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "hotline_queue_wait_seconds",
			Help:    "How long callers waited in a queue, by how the wait ended: connected, left, lapsed.",
			Buckets: []float64{1, 2, 5, 10, 15, 20, 30, 60, 90, 120, 180, 300, 600, 1800}}, []string{"queue", "outcome"}),
		offers: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hotline_queue_offers_total",
			Help: "Offers to agents by result: connected, no-answer, declined, unreachable, cancelled, withdrawn, unreported, restart."}, []string{"queue", "result"}),
		answered: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hotline_queue_answered_total",
			Help: "Callers connected, by whether the queue's service level was kept."}, []string{"queue", "in_time"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hotline_queue_turned_away_total",
			Help: "Callers who got no place, by reason: full, nobody."}, []string{"queue", "reason"}),
		waiting: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "hotline_queue_waiting",
			Help: "Callers waiting, those for whom a phone rings included."}, []string{"queue"}),
		agents: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "hotline_queue_agents",
			Help: "Agents by state."}, []string{"state"}),
		again: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hotline_queue_rejoined_total",
			Help: "Callers who took their place of before a restart again."}, []string{"queue"}),
		held: prometheus.NewGauge(prometheus.GaugeOpts{Name: "hotline_queue_held",
			Help: "1 while callers only take their places and nobody is offered to them: after a start, until it is known how things stand."}),
	}
	for s := StateOffline; s < states; s++ {
		m.byState[s] = m.agents.WithLabelValues(s.String())
	}
	if r == nil {
		return m, nil
	}
	var errs []error
	for _, c := range []prometheus.Collector{m.wait, m.offers, m.answered, m.refused, m.waiting, m.agents, m.again, m.held} {
		errs = append(errs, r.Register(c))
	}
	return m, errors.Join(errs...)
}

// start sets what is known before anything happens.
func (m *metrics) start(e *Engine) {
	m.byState[StateOffline].Set(float64(len(e.agents)))
	m.held.Set(float64(count(e.held)))
	for id, q := range e.queues {
		q.metrics = queueMetrics{
			all: m, queue: id,
			waiting: m.waiting.WithLabelValues(id),
			inWait:  m.wait.WithLabelValues(id, "connected"),
			offered: m.offers.WithLabelValues(id, "connected"),
			inTime:  m.answered.WithLabelValues(id, "yes"),
			late:    m.answered.WithLabelValues(id, "no"),
			again:   m.again.WithLabelValues(id),
		}
	}
}

func (m *metrics) moved(from, to State) {
	m.byState[from].Dec()
	m.byState[to].Inc()
}

func (m *queueMetrics) joined(again bool) {
	m.waiting.Inc()
	if again {
		m.again.Inc()
	}
}

func (m *queueMetrics) connected(waited, serviceLevel time.Duration) {
	m.inWait.Observe(waited.Seconds())
	m.offered.Inc()
	if waited <= serviceLevel {
		m.inTime.Inc()
	} else {
		m.late.Inc()
	}
}

func (m *queueMetrics) waitEnded(outcome string, waited time.Duration) {
	m.all.wait.WithLabelValues(m.queue, outcome).Observe(waited.Seconds())
}

// offerEnded counts an offer that led to no talk.
func (m *queueMetrics) offerEnded(result string) {
	m.all.offers.WithLabelValues(m.queue, result).Inc()
}

func (m *queueMetrics) turnedAway(reason string) {
	m.all.refused.WithLabelValues(m.queue, reason).Inc()
}
