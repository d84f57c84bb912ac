package call

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"hotline/journal"
	"hotline/queue"
)

// agentChanges are the kinds of entries that change an agent's state.
var agentChanges = []string{
	queue.KindOffered, queue.KindConnected, queue.KindRefused,
	queue.KindLeft, queue.KindLapsed, queue.KindAgentState,
	queue.KindCalled, queue.KindConsulted, queue.KindHandedOver,
}

// lastRead is how many of an agent's newest changes are read at first, and
// then, while they do not tell enough; 0 means all. A talk and what follows it
// takes six, so that few agents need a second look.
var lastRead = []int{8, 64, 0}

// lastAgents folds what each agent was doing when the service was last seen,
// in the order in which that began. wrapUp is a queue's time after a talk.
// Agents of whom nothing is known are left out, and so are those whose entries
// cannot be read: the error names them, the others are told all the same.
func lastAgents(ctx context.Context, r *journal.Reader, agents []string, now time.Time, wrapUp func(queueID string) time.Duration) ([]queue.Restored, error) {
	var known []lastAgent
	var errs []error
	for _, id := range agents {
		last, err := readLast(ctx, r, id)
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("what agent %s did last is not known, so they have to sign in again: %w", id, err))
		case last.State != 0:
			known = append(known, last)
		}
	}
	slices.SortFunc(known, func(a, b lastAgent) int { return cmp.Compare(a.began, b.began) })
	list := make([]queue.Restored, len(known))
	for i, last := range known {
		list[i] = last.Restored
		if last.State == queue.StateWrapUp {
			whole := wrapUp(last.Queue)
			list[i].WrapUpLeft = min(whole-now.Sub(last.Since), whole) // a clock set back lengthens nothing
		}
	}
	return list, errors.Join(errs...)
}

// lastAgent is what one agent was doing, and the entry with which it began.
type lastAgent struct {
	queue.Restored
	began int64
}

// readLast reads an agent's changes backwards until one of them settles what
// was before, and goes through them forwards.
func readLast(ctx context.Context, r *journal.Reader, agent string) (lastAgent, error) {
	for _, limit := range lastRead {
		entries, enough, err := newestChanges(ctx, r, agent, limit)
		if err != nil {
			return lastAgent{}, err
		}
		if !enough && len(entries) == limit {
			continue
		}
		last := lastAgent{Restored: queue.Restored{Agent: agent}}
		for _, e := range slices.Backward(entries) {
			next := last.After(e.change)
			if !idle(last.State) || !idle(next.State) { // an offer does not interrupt being idle
				last.began = e.seq
			}
			last.Restored = next
		}
		return last, nil
	}
	return lastAgent{}, nil
}

func idle(s queue.State) bool {
	return s == queue.StateReady || s == queue.StateReserved || s == queue.StateRinging
}

// agentChange is a change with its place in the journal.
type agentChange struct {
	change queue.Change
	seq    int64
}

// newestChanges are an agent's changes, the newest first, until enough are read.
// Where the content of entries has expired, there is nothing to know before.
func newestChanges(ctx context.Context, r *journal.Reader, agent string, limit int) (changes []agentChange, enough bool, err error) {
	query := journal.Query{Stream: AgentStream(agent), Kinds: agentChanges, Newest: true, Limit: limit}
	for e, err := range r.Read(ctx, query) {
		if err != nil {
			return nil, false, err
		}
		change := queue.Change{At: e.At, Kind: e.Kind}
		switch err := e.Decode(&change); {
		case errors.Is(err, journal.ErrExpired):
			return changes, true, nil
		case err != nil:
			return nil, false, err
		}
		changes = append(changes, agentChange{change, e.Seq})
		if change.Settles() {
			return changes, true, nil
		}
	}
	return changes, limit == 0, nil
}
