package queue

import (
	"container/list"
	"time"
)

// sticky remembers who served a queue's callers last, for Rules.Sticky: each
// caller once, in the order in which they were served last. What has expired is
// forgotten from the oldest on, so that everybody who follows the same commands
// remembers the same.
type sticky struct {
	last  map[string]*list.Element // by Caller.Who
	order list.List                // of memory, the oldest first
}

// memory is one caller's last agent.
type memory struct {
	who, agent string
	at         int64 // of the machine's clock
}

// mostSticky bounds what a queue remembers.
const mostSticky = 100_000

// remember notes that the agent has the caller.
func (s *sticky) remember(who, agent string, now int64, keep time.Duration) {
	if who == "" || keep == 0 {
		return
	}
	s.note(memory{who, agent, now})
	s.forget(now, keep)
}

func (s *sticky) note(m memory) {
	if s.last == nil {
		s.last = map[string]*list.Element{}
	}
	if before := s.last[m.who]; before != nil {
		s.order.Remove(before)
	}
	s.last[m.who] = s.order.PushBack(m)
}

// forget drops what is older than keep or too much.
func (s *sticky) forget(now int64, keep time.Duration) {
	for oldest := s.order.Front(); oldest != nil; oldest = s.order.Front() {
		m := oldest.Value.(memory)
		if now-m.at <= int64(keep) && len(s.last) <= mostSticky {
			return
		}
		s.order.Remove(oldest)
		delete(s.last, m.who)
	}
}

// of is who served the caller last, "" when that is not known or too long ago.
func (s *sticky) of(who string, now int64, keep time.Duration) string {
	last := s.last[who]
	if who == "" || last == nil {
		return ""
	}
	if m := last.Value.(memory); now-m.at <= int64(keep) {
		return m.agent
	}
	return ""
}

// all are the memories, the oldest first.
func (s *sticky) all(yield func(memory) bool) {
	for e := s.order.Front(); e != nil && yield(e.Value.(memory)); e = e.Next() {
	}
}
