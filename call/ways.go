package call

import (
	"context"
	"errors"
	"maps"
	"net/http"
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
	open []string // services, as the queue has been told
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

// lookAtWays returns the services that Asterisk has a way to, once the queue goes
// by it. What Asterisk does not tell is left as it was.
func (s *Service) lookAtWays(ctx context.Context) []string {
	s.ways.mu.Lock()
	defer s.ways.mu.Unlock()
	open := []string{}
	for _, service := range slices.Sorted(maps.Keys(s.o.Ways)) {
		online, err := s.link.EndpointOnline(ctx, "PJSIP", s.o.Ways[service])
		var refused *ari.Error
		if errors.As(err, &refused) && refused.Status == http.StatusNotFound { // Asterisk's files are older than hotline.yaml
			err = nil
		}
		if err != nil {
			online = slices.Contains(s.ways.open, service)
		}
		if online {
			open = append(open, service)
		}
	}
	if slices.Equal(open, s.ways.open) {
		return open
	}
	if err := s.queue.SetWays(open); err != nil {
		s.log.Warn("the queue was not told which services' agents can be rung from here", "services", open, "err", err)
		return s.ways.open
	}
	s.log.Info("the services whose agents can be rung from here are others now", "services", open)
	s.ways.open = open
	return open
}

// refusal is what it means for an agent that their phone could not be reached or
// was not answered: nothing, where the way to their service is closed.
func (s *Service) refusal(agent queue.Profile, how queue.Refusal) queue.Refusal {
	if s.o.Ways[agent.Home] == "" || how != queue.Unreachable && how != queue.NoAnswer {
		return how
	}
	if !slices.Contains(s.lookAtWays(s.ctx), agent.Home) {
		return queue.NoWay
	}
	return how
}
