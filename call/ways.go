package call

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"hotline/ari"
	"hotline/queue"
)

// ways are those to the agents of other services: Asterisk asks the others' time
// and again whether they are there and know us, and the queue is told, so that
// callers are offered to agents only who can be rung from here.
type ways struct {
	mu   sync.Mutex
	open []string      // services, as the queue has been told
	look chan struct{} // closed when the look at Asterisk is over that is under way; nil: none is
}

// watchWays tells the queue which other services' agents can be rung.
func (s *Service) watchWays(ctx context.Context) {
	if len(s.o.Ways) == 0 {
		return
	}
	ticker := time.NewTicker(phonesEvery)
	defer ticker.Stop()
	for {
		s.lookAtWays(ctx)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// lookAtWays has Asterisk be asked to which services it has a way, and the queue
// be told, and waits for that as long as ctx lasts. However many want to know,
// there is one look at a time; one that is under way may have asked too early.
func (s *Service) lookAtWays(ctx context.Context) {
	for range 2 {
		over, begun := s.beginLook()
		select {
		case <-over:
		case <-ctx.Done():
			return
		}
		if begun {
			return
		}
	}
}

// beginLook begins a look, unless one is under way, and returns what is closed at
// its end.
func (s *Service) beginLook() (over <-chan struct{}, begun bool) {
	w := &s.ways
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.look != nil {
		return w.look, false
	}
	look := make(chan struct{})
	w.look = look
	s.start(func(ctx context.Context) {
		defer close(look)
		s.tellWays(s.openWays(ctx))
		w.mu.Lock()
		defer w.mu.Unlock()
		w.look = nil
	})
	return look, true
}

// openWays are the services that Asterisk has a way to. What it does not tell is
// left as it was.
func (s *Service) openWays(ctx context.Context) []string {
	open := []string{}
	for _, service := range slices.Sorted(maps.Keys(s.o.Ways)) {
		online, err := s.link.EndpointOnline(ctx, "PJSIP", s.o.Ways[service])
		var refused *ari.Error
		if errors.As(err, &refused) && refused.NotFound() { // Asterisk's files are older than hotline.yaml
			err = nil
		}
		if err != nil {
			online = s.hasWay(service)
		}
		if online {
			open = append(open, service)
		}
	}
	return open
}

// tellWays has the queue go by these.
func (s *Service) tellWays(open []string) {
	s.ways.mu.Lock()
	same := slices.Equal(open, s.ways.open)
	s.ways.mu.Unlock()
	if same {
		return
	}
	if err := s.queue.SetWays(open); err != nil {
		s.log.Warn("the queue was not told which services' agents can be rung from here", "services", open, "err", err)
		return
	}
	s.log.Info("the services whose agents can be rung from here are others now", "services", open)
	s.ways.mu.Lock()
	defer s.ways.mu.Unlock()
	s.ways.open = open
}

// hasWay says whether there was a way to a service when it was looked last.
func (s *Service) hasWay(service string) bool {
	s.ways.mu.Lock()
	defer s.ways.mu.Unlock()
	return slices.Contains(s.ways.open, service)
}

// lookAtMost is how long a call waits for a look at the ways: it does nothing else
// meanwhile, and what the look before has shown is not much older.
const lookAtMost = time.Second

// refusal is what it means for an agent that their phone could not be reached or
// was not answered: nothing, where the way to their service is closed.
func (c *call) refusal(agent queue.Profile, how queue.Refusal) queue.Refusal {
	if c.o.Ways[agent.Home] == "" || how != queue.Unreachable && how != queue.NoAnswer {
		return how
	}
	ctx, cancel := context.WithTimeout(c.ctx, lookAtMost)
	defer cancel()
	if c.lookAtWays(ctx); !c.hasWay(agent.Home) {
		return queue.NoWay
	}
	return how
}
