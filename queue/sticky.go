package queue

import "time"

// sticky remembers who served a queue's callers last, for Rules.Sticky. What
// has expired is forgotten from the oldest on.
type sticky struct {
	last  map[string]served // by Caller.Who
	order []memory          // as they were served, each caller's last and older ones
}

type served struct {
	agent string
	at    int64 // of the machine's clock
}

type memory struct {
	who string
	at  int64
}

// mostSticky bounds what a queue remembers.
const mostSticky = 100_000

// remember notes that the agent has the caller.
func (s *sticky) remember(who, agent string, now int64, keep time.Duration) {
	if who == "" || keep == 0 {
		return
	}
	if s.last == nil {
		s.last = map[string]served{}
	}
	s.last[who] = served{agent, now}
	s.order = append(s.order, memory{who, now})
	s.forget(now, keep)
}

// forget drops what is older than keep or too much.
func (s *sticky) forget(now int64, keep time.Duration) {
	for len(s.order) > 0 {
		oldest := s.order[0]
		current := s.last[oldest.who].at == oldest.at
		if current && now-oldest.at <= int64(keep) && len(s.order) <= mostSticky {
			return
		}
		if current {
			delete(s.last, oldest.who)
		}
		s.order = s.order[1:]
	}
}

// of is who served the caller last, "" when that is not known or too long ago.
func (s *sticky) of(who string, now int64, keep time.Duration) string {
	last, known := s.last[who]
	if who == "" || !known || now-last.at > int64(keep) {
		return ""
	}
	return last.agent
}
