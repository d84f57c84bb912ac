package call

import (
	"context"
	"time"

	"hotline/queue"
)

// An agent of ours may talk with the call of another service. When nothing is
// heard of that one any more, nobody says when the talk is over, nor whether it
// began: several phones may have rung for that caller as we lost sight of them.
// Our Asterisk has the agents' lines, though, and is asked then.

// drifting is such a talk as the looks at Asterisk have found it.
type drifting struct {
	call     string
	answered bool // a line of the phone's was
	without  int  // looks in a row that found no line
}

// looksWithout is how many looks must find no line before a talk is over: one may
// fall between two lines.
const looksWithout = 2

// watchTalksElsewhere ends the talks of our agents with calls of services that are
// not heard of, once their phones have no line any more.
func (s *Service) watchTalksElsewhere(ctx context.Context) {
	ticker := time.NewTicker(phonesEvery)
	defer ticker.Stop()
	known := map[string]*drifting{} // by agent
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		for _, agent := range s.queue.Agents() {
			if !agent.CallAway || agent.Home != s.o.Name {
				delete(known, agent.ID)
				continue
			}
			if d := known[agent.ID]; d == nil || d.call != agent.Call {
				known[agent.ID] = &drifting{call: agent.Call}
			}
			s.lookAtTalk(ctx, agent, known[agent.ID])
		}
	}
}

// lookAtTalk asks for the agent's lines, and ends the talk where there are none.
// Who was in none has nothing to write up.
func (s *Service) lookAtTalk(ctx context.Context, agent queue.AgentView, d *drifting) {
	has, answered, err := s.link.EndpointLines(ctx, "PJSIP", agent.ID)
	if err != nil {
		s.log.Debug("an agent's lines could not be looked at", "agent_id", agent.ID, "err", err)
		return
	}
	d.answered = d.answered || answered
	if d.without++; has {
		d.without = 0
	}
	if d.without < looksWithout {
		return
	}
	err = s.endPart(agent)
	if err == nil && !d.answered && !agent.Third {
		err = s.queue.Ready(agent.ID)
	}
	if err != nil {
		s.log.Warn("the talk of an agent, who has no line any more, with another service's call was not ended", "agent_id", agent.ID, "call_id", agent.Call, "err", err)
		return
	}
	s.log.Info("an agent's talk with a call of a service that is not heard of is over: the phone has no line any more", "agent_id", agent.ID, "call_id", agent.Call)
}
