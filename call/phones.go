package call

import (
	"context"
	"time"

	"hotline/queue"
)

// watchPhones gives agents back whose phones could not be reached: once such
// a phone has registered again, its agent is ready. Only these are asked for;
// with every phone in order this asks Asterisk nothing.
func (s *Service) watchPhones(ctx context.Context) {
	ticker := time.NewTicker(phonesEvery)
	defer ticker.Stop()
	offline := map[string]bool{}    // agents whose phone was seen to be away
	first := map[string]time.Time{} // when an agent was first seen to be unreachable, on this machine's clock
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		for _, agent := range s.queue.Agents() {
			if agent.State != queue.StateUnreachable || agent.Home != s.o.Name {
				delete(offline, agent.ID)
				delete(first, agent.ID)
				continue
			}
			if first[agent.ID].IsZero() {
				first[agent.ID] = time.Now()
			}
			online, err := s.reachable(ctx, agent.ID)
			switch {
			case err != nil:
				s.log.Debug("an agent's phone could not be looked at", "agent_id", agent.ID, "err", err)
			case !online:
				offline[agent.ID] = true
			case offline[agent.ID] || time.Since(first[agent.ID]) >= phoneRest:
				if err := s.queue.Reachable(agent.ID); err != nil {
					s.log.Warn("an agent's phone is back, and the agent is not", "agent_id", agent.ID, "err", err)
				}
			}
		}
	}
}

// reachable says whether an agent is at a browser, or has a phone that is registered.
func (s *Service) reachable(ctx context.Context, agentID string) (bool, error) {
	if s.o.Browsers.Online(agentID) {
		return true, nil
	}
	return s.link.EndpointOnline(ctx, "PJSIP", agentID)
}

const (
	phonesEvery = 2 * time.Second // how soon a phone that registered again is noticed

	// phoneRest is how long a phone is left alone that is registered and
	// still could not be reached, so that callers are not offered to it over
	// and over.
	phoneRest = 15 * time.Second
)
