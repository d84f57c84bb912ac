package queue

// What falls due by itself. Timers are data: the machine says when the next is
// due (Machine.Next), and whichever command comes at that moment or later
// finds it done first, so that a tick that comes late, twice or never changes
// nothing of the outcome's order.

// timer belongs to what it is set for and is set or not.
type timer struct {
	due   int64  // of the machine's clock, in nanoseconds
	set   uint64 // in the order of their being set, those of one moment fall due
	at    int    // in the heap, counted from 1; 0: not set
	owner expirer
}

// expirer is what a timer is set for. When expire is called the timer is no
// longer set.
type expirer interface{ expire(*Machine) }

// timers is a heap with the next on top.
type timers struct {
	heap []*timer
	sets uint64
}

// set sets a timer, anew if it was set before.
func (h *timers) set(t *timer, due int64) {
	h.stop(t)
	h.sets++
	t.due, t.set = due, h.sets
	h.push(t)
}

func (h *timers) push(t *timer) {
	h.heap = append(h.heap, t)
	t.at = len(h.heap)
	h.up(t)
}

// stop makes a timer not happen. One that is not set is no error.
func (h *timers) stop(t *timer) {
	if t.at == 0 {
		return
	}
	last := h.heap[len(h.heap)-1]
	h.heap[len(h.heap)-1] = nil
	h.heap = h.heap[:len(h.heap)-1]
	if last != t {
		last.at = t.at
		h.heap[t.at-1] = last
		h.up(last)
		h.down(last)
	}
	t.at = 0
}

// next is the timer that falls due next, nil when none is set.
func (h *timers) next() *timer {
	if len(h.heap) == 0 {
		return nil
	}
	return h.heap[0]
}

func (t *timer) before(other *timer) bool {
	return t.due < other.due || t.due == other.due && t.set < other.set
}

func (h *timers) up(t *timer) {
	for t.at > 1 {
		parent := h.heap[t.at/2-1]
		if !t.before(parent) {
			return
		}
		h.swap(t, parent)
	}
}

func (h *timers) down(t *timer) {
	for {
		child := 2 * t.at
		if child > len(h.heap) {
			return
		}
		if child < len(h.heap) && h.heap[child].before(h.heap[child-1]) {
			child++
		}
		smaller := h.heap[child-1]
		if !smaller.before(t) {
			return
		}
		h.swap(t, smaller)
	}
}

func (h *timers) swap(a, b *timer) {
	a.at, b.at = b.at, a.at
	h.heap[a.at-1], h.heap[b.at-1] = a, b
}
