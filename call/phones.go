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
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		for _, agent := range s.queue.Agents() {
			if agent.State != queue.StateUnreachable {
				continue
			}
			online, err := s.link.EndpointOnline(ctx, "PJSIP", agent.ID)
			if err != nil {
				s.log.Debug("an agent's phone could not be looked at", "agent_id", agent.ID, "err", err)
				continue
			}
			if online {
				if err := s.queue.Reachable(agent.ID); err != nil {
					s.log.Warn("an agent's phone is back, and the agent is not", "agent_id", agent.ID, "err", err)
				}
			}
		}
	}
}

// phonesEvery is how soon a phone that registered again is noticed.
const phonesEvery = 2 * time.Second
