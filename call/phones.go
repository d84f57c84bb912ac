package call

import (
	"context"
	"time"

	"hotline/queue"
)

// watchPhones keeps agents' states true to their phones. One that cannot be reached is
// ready again once its phone has registered, or a page is open; a ready one who has
// neither any more is unreachable before a caller is offered to them. All phones are asked
// for in one request; where everybody is at a browser there is none.
func (s *Service) watchPhones(ctx context.Context) {
	ticker := time.NewTicker(phonesEvery)
	defer ticker.Stop()
	seen := map[string]*sight{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		var phones map[string]bool
		for _, agent := range s.queue.Agents() {
			was := seen[agent.ID]
			switch {
			case agent.Home != s.o.Name || agent.State != queue.StateUnreachable && agent.State != queue.StateReady:
				delete(seen, agent.ID)
				continue
			case was == nil || was.in != agent.State:
				was = &sight{in: agent.State, first: time.Now()}
				seen[agent.ID] = was
			}
			online := s.o.Browsers.Online(agent.ID)
			if !online && phones == nil {
				var err error
				if phones, err = s.link.EndpointsOnline(ctx, "PJSIP"); err != nil {
					s.log.Debug("the agents' phones could not be looked at", "err", err)
					break // what cannot be seen counts for nothing
				}
			}
			s.judge(agent.ID, was, online || phones[agent.ID])
		}
	}
}

// sight is how an agent's phone has been seen while the agent was in a state. Times are on
// this machine's clock.
type sight struct {
	in    queue.State
	first time.Time // when the agent was first seen in that state
	away  time.Time // since when the phone has been away, or was while nobody could be reached; zero: it is there
}

// judge tells the queue what a look at an agent's phone means.
func (s *Service) judge(agentID string, was *sight, online bool) {
	var err error
	switch {
	case !online && was.away.IsZero():
		was.away = time.Now()
	case !online && was.in == queue.StateReady && time.Since(was.away) >= phoneGone:
		err = s.queue.Unreachable(agentID)
	case !online:
	case was.in == queue.StateUnreachable && (!was.away.IsZero() || time.Since(was.first) >= phoneRest):
		err = s.queue.Reachable(agentID)
	default:
		was.away = time.Time{}
	}
	if err != nil {
		s.log.Warn("an agent's phone is back or gone, and the queue does not take it", "agent_id", agentID, "err", err)
	}
}

const (
	phonesEvery = 2 * time.Second // how soon a phone that registered again is noticed

	// phoneGone is for how long a ready agent may have neither phone nor page: it is
	// longer than a page takes to be loaded anew, or to come to a service that begins.
	phoneGone = 10 * time.Second

	// phoneRest is how long a phone is left alone that is registered and
	// still could not be reached, so that callers are not offered to it over
	// and over.
	phoneRest = 15 * time.Second
)
