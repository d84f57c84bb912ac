package main

import (
	"context"
	"fmt"
	"log/slog"

	"hotline/call"
	"hotline/configs"
	"hotline/journal"
	"hotline/queue"
)

// lastAnnounced is what was in force when the service was last seen.
func lastAnnounced(ctx context.Context, r *journal.Reader) ([]string, error) {
	query := journal.Query{Stream: call.AnnounceStream, Newest: true, Limit: 1}
	return journal.Fold(r.Read(ctx, query), nil, func(_ []string, e journal.Entry) []string {
		var change call.Announced
		if e.Decode(&change) != nil {
			return nil
		}
		return change.All
	})
}

// signBackIn gives the agents the states in which the service was last seen:
// whoever was signed in is so again, on a break if it was one. A restart is
// no reason for callers to hear that nobody is there.
func signBackIn(ctx context.Context, cfg *configs.Config, r *journal.Reader, lines *queue.Engine, log *slog.Logger) error {
	for _, agent := range cfg.Agents {
		last, err := lastState(ctx, r, agent.ID)
		if err != nil {
			return fmt.Errorf("what agent %s did last: %w", agent.ID, err)
		}
		if err := resume(lines, agent.ID, last); err != nil {
			log.Warn("an agent has to sign in again", "agent_id", agent.ID, "err", err)
		}
	}
	return nil
}

// resume does again what led to the state the agent was in, or asked for.
func resume(lines *queue.Engine, agent string, last queue.Change) error {
	state := last.To
	if last.Then != 0 {
		state = last.Then
	}
	if state == 0 || state == queue.StateOffline {
		return nil
	}
	if err := lines.SignIn(agent); err != nil {
		return err
	}
	if state == queue.StatePaused && (last.Out || last.Kind == queue.KindAgentState) {
		return lines.Pause(agent, last.Cause)
	}
	return nil
}

// lastState is the newest change of an agent's state; zero when there is none.
func lastState(ctx context.Context, r *journal.Reader, agent string) (queue.Change, error) {
	for entry, err := range r.Read(ctx, journal.Query{Stream: call.AgentStream(agent), Newest: true}) {
		if err != nil {
			return queue.Change{}, err
		}
		var change queue.Change
		if entry.Decode(&change) == nil && change.Agent == agent && (change.To != 0 || change.Then != 0) {
			change.Kind = entry.Kind
			return change, nil
		}
	}
	return queue.Change{}, nil
}
