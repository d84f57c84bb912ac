package queue

import (
	"maps"
	"slices"
	"time"
)

// AgentView is an agent as a wallboard shows them.
type AgentView struct {
	Profile
	State        State     `json:"state"`
	Since        time.Time `json:"since"`
	Reason       string    `json:"reason,omitempty"`         // why paused or unreachable
	OutOfService bool      `json:"out_of_service,omitempty"` // paused by the engine after missed offers
	IdleSince    time.Time `json:"idle_since,omitzero"`      // reserved, ringing and ready only
	Call         string    `json:"call,omitempty"`           // offered, talking, or wrapped up
	Queue        string    `json:"queue,omitempty"`          // that call's
	Then         State     `json:"then,omitzero"`            // asked for during the talk
}

// CallerView is a waiting caller.
type CallerView struct {
	Caller
	Position  int           `json:"position"` // 1 is next
	Waited    time.Duration `json:"waited_ns"`
	OfferedTo string        `json:"offered_to,omitempty"` // the agent whose phone rings
}

// QueueView is one queue in figures.
type QueueView struct {
	ID          string        `json:"id"`
	Waiting     int           `json:"waiting"`               // callers, those with a phone ringing included
	Offered     int           `json:"offered"`               // callers for whom a phone rings
	SignedIn    int           `json:"signed_in"`             // agents
	Attending   int           `json:"attending"`             // signed in and not out of service
	Ready       int           `json:"ready"`                 // agents
	LongestWait time.Duration `json:"longest_ns"`            // of those waiting now
	Handling    time.Duration `json:"handling_ns,omitempty"` // mean talk and wrap-up; zero when unknown
}

// Agent returns one agent's view; false when there is no such agent.
func (e *Engine) Agent(id string) (AgentView, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	a := e.agents[id]
	if a == nil {
		return AgentView{}, false
	}
	return a.view(), true
}

// Agents lists everybody by ID.
func (e *Engine) Agents() []AgentView {
	e.mu.Lock()
	defer e.mu.Unlock()
	views := make([]AgentView, 0, len(e.agents))
	for _, id := range slices.Sorted(maps.Keys(e.agents)) {
		views = append(views, e.agents[id].view())
	}
	return views
}

func (a *agent) view() AgentView {
	v := AgentView{Profile: a.profile, State: a.state, Since: a.since, OutOfService: a.out, Then: a.afterTalk()}
	switch a.state {
	case StateReady:
		v.IdleSince = a.idleSince
	case StateReserved, StateRinging:
		v.IdleSince, v.Call, v.Queue = a.idleSince, a.offer.ticket.caller.ID, a.offer.Queue
	case StateTalking, StateHold, StateWrapUp:
		v.Call, v.Queue = a.call, a.queue.rules.ID
	case StatePaused, StateUnreachable:
		v.Reason = a.reason
	}
	return v
}

// Waiting lists a queue's callers in order, nil for an unknown queue.
func (e *Engine) Waiting(queueID string) []CallerView {
	e.mu.Lock()
	defer e.mu.Unlock()
	q := e.queues[queueID]
	if q == nil {
		return nil
	}
	all := slices.Concat(q.offered.items, q.waiting.items)
	slices.SortFunc(all, callerOrder)
	views := make([]CallerView, len(all))
	for i, t := range all {
		views[i] = CallerView{Caller: t.caller, Position: i + 1, Waited: t.waited()}
		if t.offer != nil {
			views[i].OfferedTo = t.offer.Agent.ID
		}
	}
	return views
}

// SignedIn counts the agents of a queue who are signed in and not about to
// sign out; 0 for an unknown queue.
func (e *Engine) SignedIn(queueID string) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	if q := e.queues[queueID]; q != nil {
		return q.signedIn
	}
	return 0
}

// Queues lists all queues by ID.
func (e *Engine) Queues() []QueueView {
	e.mu.Lock()
	defer e.mu.Unlock()
	views := make([]QueueView, 0, len(e.queues))
	for _, id := range slices.Sorted(maps.Keys(e.queues)) {
		views = append(views, e.queues[id].view())
	}
	return views
}

func (q *callers) view() QueueView {
	v := QueueView{ID: q.rules.ID, Waiting: q.waiting.len() + q.offered.len(), Offered: q.offered.len(),
		SignedIn: q.signedIn, Attending: q.attending, Ready: q.ready.len()}
	v.Handling, _ = q.handled.mean()
	for _, line := range [][]*Ticket{q.waiting.items, q.offered.items} {
		for _, t := range line {
			v.LongestWait = max(v.LongestWait, t.waited())
		}
	}
	return v
}
