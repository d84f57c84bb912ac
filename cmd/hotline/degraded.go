package main

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hotline/queue"
)

// What makes the service worse without making it unready is looked for while
// it runs: each is a figure, a line of the log when it begins and one when it
// is over, and a word on /readyz. What the journal and the link suffer from
// they tell themselves.

const (
	lookEvery = 5 * time.Second
	lowDisk   = 512 << 20       // bytes; a hundred calls record as much in three minutes
	slowAfter = 1 * time.Second // for Asterisk to answer a question that is easy
)

// watch looks after what the service stands on.
type watch struct {
	dirs     map[string]string                    // folders by what they are for
	prompts  func() (missing []string, err error) // asks the disk
	asterisk func(context.Context) error          // a question that is easy to answer; only while connected
	noWay    func() []string                      // other services whose agents cannot be rung from here
	rivals   func() []queue.Rival                 // agents of this service whom another has, too
	company  func() string                        // with whom the queue is shared, in words; "" for nobody
	ahead    func() time.Duration                 // by which this machine's clock is ahead of Redis'
	log      *slog.Logger

	low      uint64 // bytes of a disk
	degraded *prometheus.GaugeVec
	free     *prometheus.GaugeVec
	clock    prometheus.Gauge

	unreached []string // what noWay said at the last look

	mu       sync.Mutex
	troubles map[string]string // what → why, in words
	with     string            // what company said last
}

func newWatch(w *watch, reg prometheus.Registerer) *watch {
	w.low = lowDisk
	w.troubles = map[string]string{}
	w.degraded = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "hotline_degraded",
		Help: "1 while this is worse than it should be and the service goes on: disk:<folder>, prompts, asterisk, peers, agents, clock.",
	}, []string{"what"})
	w.free = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "hotline_disk_free_bytes",
		Help: "Free space of the disk a folder is on.",
	}, []string{"dir"})
	w.clock = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "hotline_queue_clock_ahead_seconds",
		Help: "By how much this machine's clock is ahead of Redis', which services share; behind below 0.",
	})
	reg.MustRegister(w.degraded, w.free, w.clock)
	return w
}

// run looks at once and then every few seconds, until ctx ends.
func (w *watch) run(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for n := 0; ; n++ {
		w.look(ctx, n%12 == 0)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// look asks everything there is; the prompts only at times, as they are
// hundreds of files.
func (w *watch) look(ctx context.Context, promptsToo bool) {
	for use, dir := range w.dirs {
		w.tell("disk:"+use, w.diskTrouble(use, dir))
	}
	if promptsToo {
		w.tell("prompts", w.promptTrouble())
	}
	w.tell("peers", w.peerTrouble())
	w.tell("agents", w.agentTrouble())
	w.tell("clock", w.clockTrouble())
	w.tellCompany(w.company())
	if why := w.asteriskTrouble(ctx); ctx.Err() == nil {
		w.tell("asterisk", why)
	}
}

func (w *watch) diskTrouble(use, dir string) string {
	var disk syscall.Statfs_t
	if err := syscall.Statfs(dir, &disk); err != nil {
		return fmt.Sprintf("%s cannot be looked at: %v", dir, err)
	}
	free := disk.Bavail * uint64(disk.Bsize)
	w.free.WithLabelValues(use).Set(float64(free))
	if free >= w.low {
		return ""
	}
	return fmt.Sprintf("%s has less than %d MiB left: make room", dir, w.low>>20)
}

func (w *watch) promptTrouble() string {
	missing, err := w.prompts()
	switch {
	case err != nil:
		return fmt.Sprintf("the prompts cannot be read: %v", err)
	case len(missing) > 0:
		return fmt.Sprintf("callers hear nothing instead of %v: build them with: hotline prompts build", missing)
	}
	return ""
}

// asteriskTrouble is that Asterisk is there and slow. That it is away is the
// link's to tell.
func (w *watch) asteriskTrouble(ctx context.Context) string {
	began := time.Now()
	err := w.asterisk(ctx)
	took := time.Since(began)
	switch {
	case err != nil:
		return fmt.Sprintf("Asterisk does not answer as it should: %v", err)
	case took > slowAfter:
		return fmt.Sprintf("Asterisk needs more than %v to answer: is the machine overloaded?", slowAfter)
	}
	return ""
}

// peerTrouble is that agents are in line whom this service has no way to, at two
// looks: Asterisk asks its peers every few seconds, and who has just come may
// not have been asked yet.
func (w *watch) peerTrouble() string {
	before, now := w.unreached, w.noWay()
	w.unreached = now
	if names := slices.DeleteFunc(slices.Clone(now), func(name string) bool { return !slices.Contains(before, name) }); len(names) > 0 {
		return fmt.Sprintf("agents of %v cannot be rung from here, and our callers are not offered to them: name these services in redis.peers with the addresses of their Asterisks, and this one in theirs, render Asterisk's files anew on both sides, and start again", names)
	}
	return ""
}

// agentTrouble is that agents are listed at two services, by their phone or by
// the number that callers are told.
func (w *watch) agentTrouble() string {
	var words []string
	for _, r := range w.rivals() {
		switch r.Agent {
		case r.Other:
			words = append(words, fmt.Sprintf("agent %s is listed at %s too, and is offered callers there only", r.Agent, r.Home))
		default:
			words = append(words, fmt.Sprintf("agent %s has the number that callers are told of agent %s at %s", r.Agent, r.Other, r.Home))
		}
	}
	if len(words) == 0 {
		return ""
	}
	return strings.Join(words, "; ") + ": take each out of one service's hotline.yaml and restart that one, then the other"
}

// clockTrouble is that callers of this service stand by another clock than they
// came by.
func (w *watch) clockTrouble() string {
	ahead := w.ahead()
	w.clock.Set(ahead.Seconds())
	if ahead.Abs() <= queue.ClockTolerance {
		return ""
	}
	side := "ahead of"
	if ahead < 0 {
		side = "behind"
	}
	return fmt.Sprintf("this machine's clock is %v %s that of Redis, and callers stand in line by the latter: see to the time service (NTP) of both", ahead.Abs().Round(100*time.Millisecond), side)
}

// tell notes what is the matter, "" for nothing, and logs it when that is news.
func (w *watch) tell(what, why string) {
	w.mu.Lock()
	_, was := w.troubles[what]
	if why == "" {
		delete(w.troubles, what)
	} else {
		w.troubles[what] = why
	}
	w.mu.Unlock()
	switch {
	case why != "" && !was:
		w.degraded.WithLabelValues(what).Set(1)
		w.log.Error("the service is degraded and goes on", "what", what, "why", why)
	case why == "" && was:
		w.log.Info("this is well again", "what", what)
		fallthrough
	case why == "":
		w.degraded.WithLabelValues(what).Set(0)
	}
}

// tellCompany logs with whom the queue is shared when that is news. That it is
// shared with nobody any more the queue tells itself.
func (w *watch) tellCompany(with string) {
	w.mu.Lock()
	news := with != "" && with != w.with
	w.with = with
	w.mu.Unlock()
	if news {
		w.log.Info("the queue is " + with)
	}
}

// list is what is the matter at present, in words.
func (w *watch) list() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Sorted(maps.Values(w.troubles))
}
