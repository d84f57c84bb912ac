package queue

import (
	"slices"
	"strings"
	"time"
)

const (
	handlingKept   = 50 // talks an estimate looks back on
	handlingNeeded = 3  // fewer would be guessing
	guessesKept    = 50 // estimates by which the next are judged
	levelKept      = 100
)

// handling remembers how long agents were busy with one caller, talk and
// wrap-up together, for the most recent callers of a queue.
type handling struct {
	recent [handlingKept]time.Duration
	count  int // ever
	sum    time.Duration
}

func (h *handling) add(d time.Duration) {
	slot := &h.recent[h.count%handlingKept]
	h.sum += d - *slot
	*slot = d
	h.count++
}

// mean is false when too few talks have been had.
func (h *handling) mean() (time.Duration, bool) {
	if h.count < handlingNeeded {
		return 0, false
	}
	return h.sum / time.Duration(min(h.count, handlingKept)), true
}

// guesses remembers by how much the most recent estimates were wrong.
type guesses struct {
	recent [guessesKept]time.Duration // absolute
	count  int
	sum    time.Duration
}

func (g *guesses) add(off time.Duration) {
	off = max(off, -off)
	slot := &g.recent[g.count%guessesKept]
	g.sum += off - *slot
	*slot = off
	g.count++
}

// mean is by how much an estimate is wrong on average; false before the first
// one could be judged.
func (g *guesses) mean() (time.Duration, bool) {
	if g.count == 0 {
		return 0, false
	}
	return g.sum / time.Duration(min(g.count, guessesKept)), true
}

// service remembers who of the most recent callers was connected in time.
type service struct {
	recent [levelKept]bool
	count  int
	inTime int
}

func (s *service) add(inTime bool) {
	slot := &s.recent[s.count%levelKept]
	s.inTime += count(inTime) - count(*slot)
	*slot = inTime
	s.count++
}

// percent is how many of the most recent callers were connected in time; false
// before the first.
func (s *service) percent() (int, bool) {
	if s.count == 0 {
		return 0, false
	}
	return 100 * s.inTime / min(s.count, levelKept), true
}

// measure takes a wait that has ended into the queue's figures. Who left within
// the service level had no time to be served and does not count.
func (q *callers) measure(w WaitEnded) {
	if w.How == WaitConnected || w.Waited > q.rules.ServiceLevel {
		q.level.add(w.InTime)
	}
	if w.judged() {
		q.guesses.add(w.Waited - w.Predicted) // at least so much, for who gave up
	}
}

// judged says whether the wait tells how good its estimate was.
func (w *WaitEnded) judged() bool {
	return w.Known && (w.How == WaitConnected || w.Waited > w.Predicted)
}

// guess keeps what is estimated as a caller joins, to be judged when they are
// connected, or when they have waited for longer than that and leave, or go to
// another queue. Who does not have to wait is told nothing, and the rest of a wait
// that began before a restart is not judged.
func (m *Machine) guess(p *place) {
	if p.caller.Again || m.held || p.queue.taker(p.class) != nil {
		return
	}
	if left, known := p.queue.estimate(p.queue.all.ahead(p) + 1); known {
		p.predicted = left
	}
}

// roster counts the agents who serve the same queues, for estimates.
type roster struct {
	queues []*callers
	taking int // agents who take calls at present
}

func (r *roster) count(d int) { r.taking += d }

// rosterOf is that of an agent's queues.
func (m *Machine) rosterOf(queues []string) *roster {
	ids := slices.Sorted(slices.Values(queues))
	key := strings.Join(ids, "\x00")
	r := m.rosters[key]
	if r == nil {
		r = &roster{}
		for _, id := range ids {
			q := m.queues[id]
			r.queues = append(r.queues, q)
			q.rosters = append(q.rosters, r)
		}
		m.rosters[key] = r
	}
	return r
}

// share is the unit in which agents are divided among their queues, a number
// that many others divide.
const share = 720720

// capacity is the number of agents taking this queue's calls at present, in
// shares. One who also serves other queues with callers waiting counts for a
// part.
func (q *callers) capacity() (shares int64) {
	for _, r := range q.rosters {
		if r.taking == 0 {
			continue
		}
		among := 1
		for _, other := range r.queues {
			among += count(other != q && other.all.len() > other.offered)
		}
		shares += int64(r.taking) * (share / int64(among))
	}
	return shares
}

// estimate is the time until the caller at the position is taken: that many
// agents must become free, and they do so once in mean/agents. It is unknown
// without recent talks or with nobody taking calls.
func (q *callers) estimate(position int) (time.Duration, bool) {
	mean, known := q.handled.mean()
	agents := q.capacity()
	if !known || agents == 0 {
		return 0, false
	}
	return time.Duration(int64(position)*mean.Milliseconds()*share/agents) * time.Millisecond, true
}
