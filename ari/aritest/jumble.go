package aritest

import "time"

// jumble holds events back to send them in another order.
type jumble struct {
	s      *Server
	client *client
	pick   func(n int) int
	left   int
	held   []heldEvent
}

type heldEvent struct {
	about string
	data  []byte
}

// Jumble holds the next n events back, for as long as within, and then sends
// them as pick chooses, from 0 to n-1, among those that may come next: what is
// about one channel or bridge keeps its order. pick must not call the server.
func (s *Server) Jumble(n int, within time.Duration, pick func(n int) int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.client == nil || s.jumble != nil || n < 2 {
		return
	}
	j := &jumble{s: s, client: s.client, pick: pick, left: n}
	s.jumble = j
	s.after(within, func() {
		if s.jumble == j {
			j.release()
		}
	})
}

func (j *jumble) take(about string, data []byte) {
	j.held = append(j.held, heldEvent{about, data})
	if j.left--; j.left == 0 {
		j.release()
	}
}

func (j *jumble) release() {
	j.s.jumble = nil
	for len(j.held) > 0 {
		next := j.next()
		i := next[j.pick(len(next))]
		j.client.push(j.held[i].data)
		j.held = append(j.held[:i:i], j.held[i+1:]...)
	}
}

// next lists the first held event of each channel or bridge.
func (j *jumble) next() (indexes []int) {
	seen := make(map[string]bool)
	for i, e := range j.held {
		if !seen[e.about] {
			indexes = append(indexes, i)
		}
		seen[e.about] = true
	}
	return indexes
}
