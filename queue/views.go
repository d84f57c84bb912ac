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
	Owner        string    `json:"owner,omitempty"`          // the service at which that call is, where several share a queue
	With         string    `json:"with,omitempty"`           // another agent of that call: the third, whoever is called in to it, or for a third whose call it is
	Third        bool      `json:"third,omitempty"`          // called in, or with that call beside whose call it is
	Began        time.Time `json:"began,omitzero"`           // since when with that call: in talk only
	Then         State     `json:"then,omitzero"`            // asked for during the talk, granted once it is wrapped up
	Until        time.Time `json:"until,omitzero"`           // wrap-up: when it ends by itself, on the clock of Since
	CallAway     bool      `json:"call_away,omitempty"`      // in talk, and nothing is heard of the service with that call: whether it goes on is not known here
	Away         bool      `json:"away,omitempty"`           // nothing is heard of the agent's service: they are offered nobody
}

// CallerView is a waiting caller.
type CallerView struct {
	Caller
	Position  int           `json:"position"` // 1 is next
	Waited    time.Duration `json:"waited_ns"`
	OfferedTo string        `json:"offered_to,omitempty"` // the agent whose phone rings
	AlsoTo    []string      `json:"also_to,omitempty"`    // further agents, in a queue that rings all
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

	// EstimateError is by how much the estimates of the most recent callers were
	// wrong on average; zero when none could be judged.
	EstimateError time.Duration `json:"estimate_error_ns,omitempty"`

	// InTime is how many of a hundred of the most recent callers were connected
	// within Rules.ServiceLevel, nil before the first; ServiceTarget is how many
	// should be.
	InTime        *int `json:"in_time,omitempty"`
	ServiceTarget int  `json:"service_target"`
}

// Agent returns one agent's view; false when there is no such agent.
func (e *Engine) Agent(id string) (AgentView, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.machine.Agent(id)
}

// Agent returns one agent's view; false when there is no such agent.
func (m *Machine) Agent(id string) (AgentView, bool) {
	a := m.agents[id]
	if a == nil {
		return AgentView{}, false
	}
	return m.view(a), true
}

// Agents lists everybody by ID.
func (e *Engine) Agents() []AgentView {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.machine.Agents()
}

// Agents lists everybody by ID.
func (m *Machine) Agents() []AgentView {
	views := make([]AgentView, 0, len(m.agents))
	for _, id := range slices.Sorted(maps.Keys(m.agents)) {
		views = append(views, m.view(m.agents[id]))
	}
	return views
}

func (m *Machine) view(a *agent) AgentView {
	v := AgentView{Profile: a.profile, State: a.state, Since: a.since, OutOfService: a.out, Then: a.wished(), Away: a.beyond}
	switch a.state {
	case StateReady:
		v.IdleSince = a.idleSince
	case StateReserved, StateRinging:
		v.Call, v.Queue, v.Owner = a.offer.call, a.offer.queue.rules.ID, a.offer.owner
		v.With, v.Third = a.offer.with, a.offer.place == nil
		if !a.offer.back {
			v.IdleSince = a.idleSince
		}
	case StateTalking, StateHold, StateConsult:
		v.Call, v.Queue, v.Owner = a.call, a.queue.rules.ID, a.owner
		v.With, v.Third, v.Began, v.CallAway = m.partner(a), a.third, a.part, m.unheard(a.owner)
	case StateWrapUp:
		v.Call, v.Queue, v.Owner = a.call, a.queue.rules.ID, a.owner
	case StatePaused, StateUnreachable:
		v.Reason = a.reason
	}
	if left := time.Duration(a.alarm.due - a.began); a.state == StateWrapUp && a.alarm.at > 0 && left > 0 {
		v.Until = a.since.Add(left)
	}
	return v
}

// Waiting lists a queue's callers in order, nil for an unknown queue.
func (e *Engine) Waiting(queueID string) []CallerView {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.machine.Waiting(queueID, e.clock())
}

// Waiting lists a queue's callers in order, nil for an unknown queue. now is
// the machine's clock.
func (m *Machine) Waiting(queueID string, now time.Time) []CallerView {
	q := m.queues[queueID]
	if q == nil {
		return nil
	}
	views := make([]CallerView, 0, q.all.len())
	for p := range q.all.all() {
		v := CallerView{Caller: p.caller, Position: len(views) + 1, Waited: p.waitedAt(now)}
		for i, r := range p.offers {
			if i == 0 {
				v.OfferedTo = r.agent.profile.ID
			} else {
				v.AlsoTo = append(v.AlsoTo, r.agent.profile.ID)
			}
		}
		views = append(views, v)
	}
	return views
}

// waitedAt is how long a wait has lasted at a moment of the machine's clock.
func (p *place) waitedAt(now time.Time) time.Duration { return time.Duration(nanos(now) - p.joined) }

// SignedIn counts the agents of a queue who are signed in and not about to
// sign out; 0 for an unknown queue.
func (e *Engine) SignedIn(queueID string) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	if q := e.machine.queues[queueID]; q != nil {
		return q.backings[0].signedIn
	}
	return 0
}

// Queues lists all queues by ID.
func (e *Engine) Queues() []QueueView {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.machine.Queues(e.clock())
}

// Queues lists all queues by ID. now is the machine's clock.
func (m *Machine) Queues(now time.Time) []QueueView {
	views := make([]QueueView, 0, len(m.queues))
	for _, q := range m.byID() {
		views = append(views, q.view(now))
	}
	return views
}

func (q *callers) view(now time.Time) QueueView {
	v := QueueView{ID: q.rules.ID, Waiting: q.all.len(), Offered: q.offered,
		SignedIn: q.backings[0].signedIn, Attending: q.backings[0].attending, ServiceTarget: q.rules.ServiceTarget}
	for _, w := range q.crews {
		v.Ready += w.ready.len()
	}
	for p := range q.all.all() {
		v.LongestWait = max(v.LongestWait, p.waitedAt(now))
	}
	v.Handling, _ = q.handled.mean()
	v.EstimateError, _ = q.guesses.mean()
	if percent, known := q.level.percent(); known {
		v.InTime = &percent
	}
	return v
}

// Rules lists the rules in force by queue, defaults filled in.
func (e *Engine) Rules() []Rules {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.machine.Rules()
}

// Rules lists the rules in force by queue, defaults filled in.
func (m *Machine) Rules() []Rules {
	list := make([]Rules, 0, len(m.queues))
	for _, q := range m.byID() {
		list = append(list, q.rules.clone())
	}
	return list
}
