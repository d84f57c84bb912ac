package queue

import "time"

const (
	handlingKept   = 50 // talks an estimate looks back on
	handlingNeeded = 3  // fewer would be guessing
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

// estimate is the time until the caller at the position is taken: that many
// agents must become free, and they do so once in mean/agents. It is unknown
// without recent talks or with nobody taking calls.
func (q *callers) estimate(position int) (time.Duration, bool) {
	mean, known := q.handled.mean()
	agents := q.capacity()
	if !known || agents == 0 {
		return 0, false
	}
	return time.Duration(float64(position) * float64(mean) / agents), true
}

// capacity is the number of agents taking this queue's calls at present. One
// who also serves other queues with callers waiting counts for a share.
func (q *callers) capacity() (agents float64) {
	for _, a := range q.agents {
		if !a.takesCalls() {
			continue
		}
		shared := 1
		for _, other := range a.queues {
			shared += count(other != q && other.waiting.len() > 0)
		}
		agents += 1 / float64(shared)
	}
	return agents
}
