package softphone

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// figures are a gateway's. What is counted for each packet are plain atomics,
// read when somebody asks.
type figures struct {
	up, down atomic.Uint64 // packets sent to Asterisk, to browsers
	dropped  struct{ malformed, unknown, unconnected, stranger, again, unsent atomic.Uint64 }

	errors   prometheus.Counter
	loss     *prometheus.HistogramVec
	jitter   *prometheus.HistogramVec
	rtt      prometheus.Histogram
	offers   *prometheus.CounterVec
	refused  *prometheus.CounterVec
	closed   *prometheus.CounterVec
	sockets  *prometheus.CounterVec
	restarts prometheus.Counter

	packets, drops, lines *prometheus.Desc
	states                func() map[Audio]int
}

func newFigures(r prometheus.Registerer, states func() map[Audio]int) (*figures, error) {
	counter := func(name, help string) prometheus.CounterOpts {
		return prometheus.CounterOpts{Name: "hotline_softphone_" + name, Help: help}
	}
	f := &figures{
		states: states,
		errors: prometheus.NewCounter(counter("media_errors_total", "Errors of media sockets, which were read over or led to another socket.")),
		loss: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "hotline_softphone_loss_ratio",
			Help:    "Share of packets lost between browser and gateway, for each RTCP report: up as the gateway sees it, down as the browser does.",
			Buckets: []float64{0, .001, .005, .01, .02, .05, .1, .2, .5}}, []string{"direction"}),
		jitter: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "hotline_softphone_jitter_seconds",
			Help:    "Jitter between browser and gateway, for each RTCP report.",
			Buckets: []float64{.001, .002, .005, .01, .02, .03, .05, .1, .2}}, []string{"direction"}),
		rtt: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "hotline_softphone_rtt_seconds",
			Help:    "Round trips between gateway and browsers, for each RTCP report.",
			Buckets: []float64{.001, .005, .01, .02, .05, .1, .2, .3, .5, 1}}),
		offers:   prometheus.NewCounterVec(counter("offers_total", "Browsers' offers by what became of them: connection, renegotiation, or the code of the refusal."), []string{"result"}),
		refused:  prometheus.NewCounterVec(counter("refused_frames_total", "Frames that were refused, by code."), []string{"code"}),
		closed:   prometheus.NewCounterVec(counter("sessions_closed_total", "Sessions that ended, by why."), []string{"why"}),
		sockets:  prometheus.NewCounterVec(counter("sockets_closed_total", "Signalling sockets that ended, by why."), []string{"why"}),
		restarts: prometheus.NewCounter(counter("ice_restarts_total", "ICE restarts by browsers.")),
		packets:  prometheus.NewDesc("hotline_softphone_packets_total", "RTP packets sent on: up to Asterisk, down to browsers.", []string{"direction"}, nil),
		drops:    prometheus.NewDesc("hotline_softphone_dropped_packets_total", "RTP packets not sent on, by why.", []string{"why"}, nil),
		lines:    prometheus.NewDesc("hotline_softphone_lines", "Sessions by the state of their audio.", []string{"audio"}, nil),
	}
	if r == nil {
		return f, nil
	}
	var errs []error
	for _, c := range []prometheus.Collector{f.errors, f.loss, f.jitter, f.rtt, f.offers, f.refused, f.closed, f.sockets, f.restarts, f} {
		errs = append(errs, r.Register(c))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("softphone: registering metrics: %w", err)
	}
	return f, nil
}

func (f *figures) observe(direction string, lost float64, jitter time.Duration) {
	f.loss.WithLabelValues(direction).Observe(lost)
	f.jitter.WithLabelValues(direction).Observe(jitter.Seconds())
}

// Describe and Collect make the figures a prometheus.Collector.
func (f *figures) Describe(ch chan<- *prometheus.Desc) { ch <- f.packets; ch <- f.drops; ch <- f.lines }

// Collect tells what is so at the moment.
func (f *figures) Collect(ch chan<- prometheus.Metric) {
	count := func(desc *prometheus.Desc, n *atomic.Uint64, label string) {
		ch <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, float64(n.Load()), label)
	}
	count(f.packets, &f.up, "up")
	count(f.packets, &f.down, "down")
	count(f.drops, &f.dropped.malformed, "malformed")
	count(f.drops, &f.dropped.unknown, "payload-type")
	count(f.drops, &f.dropped.unconnected, "unconnected")
	count(f.drops, &f.dropped.stranger, "stranger")
	count(f.drops, &f.dropped.again, "duplicate")
	count(f.drops, &f.dropped.unsent, "unsent")
	for state, n := range f.states() {
		ch <- prometheus.MustNewConstMetric(f.lines, prometheus.GaugeValue, float64(n), string(state))
	}
}

// Stats are a session's figures.
type Stats struct {
	// From the browser, since the session began.
	Received, Lost uint64
	Jitter         time.Duration

	// As the browser reported last: the share it lost of late, 0 to 1; zero
	// before its first report (every 5 s or so).
	RemoteLost   float64
	RemoteJitter time.Duration
	RTT          time.Duration

	// Of the leg that is plugged in; zero where none is.
	FromAsterisk, AsteriskLost uint64
	AsteriskJitter             time.Duration
	ToAsterisk                 uint64

	// Level of the browser's last packet in dBov: 0 the loudest, -90 silence.
	Level float64
}

func (l *line) stats() Stats {
	var s Stats
	s.Received, s.Lost, s.Jitter = l.up.meter.figures()
	l.remote.mu.Lock()
	s.RemoteLost, s.RemoteJitter, s.RTT = l.remote.lost, l.remote.jitter, l.remote.rtt
	l.remote.mu.Unlock()
	if p := l.port.Load(); p != nil {
		s.FromAsterisk, s.AsteriskLost, s.AsteriskJitter = p.meter.figures()
		s.ToAsterisk = p.sent.Load()
	}
	s.Level = decibels(l.level.Load())
	return s
}
