package queue

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the engine's figures. What is counted is told by effects, what
// is so at a moment is read from the machine when somebody asks.
type metrics struct {
	engine   *Engine
	wait     *prometheus.HistogramVec
	offers   *prometheus.CounterVec
	called   *prometheus.CounterVec
	answered *prometheus.CounterVec
	refused  *prometheus.CounterVec
	again    *prometheus.CounterVec
	wrong    *prometheus.HistogramVec

	waiting, agents, held, alone *prometheus.Desc

	byQueue map[string]*queueMetrics
}

// queueMetrics are those of one queue, found once.
type queueMetrics struct {
	queue   string // the label
	inWait  prometheus.Observer
	offered prometheus.Counter
	inTime  prometheus.Counter
	late    prometheus.Counter
	again   prometheus.Counter
	wrong   prometheus.Observer
}

func newMetrics(e *Engine, r prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		engine: e, byQueue: map[string]*queueMetrics{},
		wait: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "hotline_queue_wait_seconds",
			Help:    "How long callers waited in a queue, by how the wait ended: connected, left, lapsed.",
			Buckets: []float64{1, 2, 5, 10, 15, 20, 30, 60, 90, 120, 180, 300, 600, 1800}}, []string{"queue", "outcome"}),
		offers: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hotline_queue_offers_total",
			Help: "Offers to agents by result: connected, no-answer, declined, unreachable, no-way, cancelled, withdrawn, unreported, elsewhere, restart."}, []string{"queue", "result"}),
		called: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hotline_queue_called_total",
			Help: "Agents called in by calls, to be consulted or to take them over, by result, as offers; the queue is the call's."}, []string{"queue", "result"}),
		answered: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hotline_queue_answered_total",
			Help: "Callers connected, by whether the queue's service level was kept."}, []string{"queue", "in_time"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hotline_queue_turned_away_total",
			Help: "Callers who got no place, by reason: full, nobody, no-skill."}, []string{"queue", "reason"}),
		again: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hotline_queue_rejoined_total",
			Help: "Callers who took their place of before a restart again."}, []string{"queue"}),
		wrong: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "hotline_queue_estimate_error_seconds",
			Help:    "How much longer (above 0) or shorter callers waited until connected than was estimated when they joined.",
			Buckets: []float64{-600, -300, -120, -60, -30, -15, -5, 0, 5, 15, 30, 60, 120, 300, 600}}, []string{"queue"}),
		waiting: prometheus.NewDesc("hotline_queue_waiting", "This service's callers waiting, those for whom a phone rings included.", []string{"queue"}, nil),
		agents:  prometheus.NewDesc("hotline_queue_agents", "Agents whose phones are at this service, by state.", []string{"state"}, nil),
		held: prometheus.NewDesc("hotline_queue_held",
			"1 while callers only take their places and nobody is offered to them: after a start, until it is known how things stand.", nil, nil),
		alone: prometheus.NewDesc("hotline_queue_alone",
			"1 while nothing is heard of the services that share the queue, and this one goes on with its own callers and agents.", nil, nil),
	}
	for id := range e.machine.queues {
		m.of(id)
	}
	if r == nil {
		return m, nil
	}
	var errs []error
	for _, c := range []prometheus.Collector{m.wait, m.offers, m.called, m.answered, m.refused, m.again, m.wrong, m} {
		errs = append(errs, r.Register(c))
	}
	return m, errors.Join(errs...)
}

// label is a queue's; "" for one that is there no more, as for calls of no queue.
// The engine's lock is held, as for all that counts.
func (m *metrics) label(queue string) string {
	if m.engine.machine.queues[queue] == nil {
		return ""
	}
	return queue
}

// forget drops the figures of queues that are there no more.
func (m *metrics) forget() {
	for queue := range m.byQueue {
		if queue == m.label(queue) {
			continue
		}
		delete(m.byQueue, queue)
		for _, of := range []interface {
			DeletePartialMatch(prometheus.Labels) int
		}{m.wait, m.offers, m.called, m.answered, m.refused, m.again, m.wrong} {
			of.DeletePartialMatch(prometheus.Labels{"queue": queue})
		}
	}
}

// of are the figures of a queue.
func (m *metrics) of(queue string) *queueMetrics {
	queue = m.label(queue)
	q := m.byQueue[queue]
	if q == nil {
		q = &queueMetrics{
			queue:   queue,
			inWait:  m.wait.WithLabelValues(queue, WaitConnected),
			offered: m.offers.WithLabelValues(queue, ResultConnected),
			inTime:  m.answered.WithLabelValues(queue, "yes"),
			late:    m.answered.WithLabelValues(queue, "no"),
			again:   m.again.WithLabelValues(queue),
			wrong:   m.wrong.WithLabelValues(queue),
		}
		m.byQueue[queue] = q
	}
	return q
}

// turnedAway counts callers who got no place.
func (m *metrics) turnedAway(refused []TurnedAway) {
	for _, r := range refused {
		m.refused.WithLabelValues(m.of(r.Queue).queue, r.Reason).Inc()
	}
}

func (m *metrics) over(o *OfferOver) {
	switch {
	case o.Called:
		m.called.WithLabelValues(m.of(o.Queue).queue, o.Result).Inc()
	case o.Result == ResultConnected:
		m.of(o.Queue).offered.Inc()
	default:
		m.offers.WithLabelValues(m.of(o.Queue).queue, o.Result).Inc()
	}
}

func (m *metrics) waited(w *WaitEnded) {
	if w.judged() {
		m.of(w.Queue).wrong.Observe((w.Waited - w.Predicted).Seconds())
	}
	if w.How != WaitConnected {
		m.wait.WithLabelValues(m.of(w.Queue).queue, w.How).Observe(w.Waited.Seconds())
		return
	}
	q := m.of(w.Queue)
	q.inWait.Observe(w.Waited.Seconds())
	if w.InTime {
		q.inTime.Inc()
	} else {
		q.late.Inc()
	}
}

// Describe is for Prometheus.
func (m *metrics) Describe(to chan<- *prometheus.Desc) {
	to <- m.waiting
	to <- m.agents
	to <- m.held
	to <- m.alone
}

// Collect is for Prometheus.
func (m *metrics) Collect(to chan<- prometheus.Metric) {
	waiting, agents, held := m.engine.figures()
	_, alone := m.engine.Alone()
	for queue, n := range waiting {
		to <- prometheus.MustNewConstMetric(m.waiting, prometheus.GaugeValue, float64(n), queue)
	}
	for s := StateOffline; s < states; s++ {
		to <- prometheus.MustNewConstMetric(m.agents, prometheus.GaugeValue, float64(agents[s]), s.String())
	}
	to <- prometheus.MustNewConstMetric(m.held, prometheus.GaugeValue, float64(count(held)))
	to <- prometheus.MustNewConstMetric(m.alone, prometheus.GaugeValue, float64(count(alone != nil)))
}

// figures are how many wait by queue, and agents by state, at this moment: of this
// service's own, so that the sum over services counts everybody once.
func (e *Engine) figures() (waiting map[string]int, agents [states]int, held bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	waiting = map[string]int{}
	for id, q := range e.machine.queues {
		waiting[id] = q.all.len()
		if e.shared == nil {
			continue
		}
		for p := range q.all.all() {
			waiting[id] -= count(p.caller.Owner != e.owner)
		}
	}
	for _, a := range e.machine.agents {
		agents[a.state] += count(a.profile.Home == e.owner)
	}
	return waiting, agents, e.machine.held
}
