package web

import (
	"errors"
	"net/http"
	"time"

	"hotline/queue"
)

// Agent is an agent in a list: who they are, and what they do.
type Agent struct {
	ID      string  `json:"id"`
	Profile Profile `json:"profile"`
	State   State   `json:"state"`
}

// State is what an agent does.
type State struct {
	State        queue.State `json:"state"`
	Since        time.Time   `json:"since"`
	Reason       string      `json:"reason"`         // why paused or unreachable
	OutOfService bool        `json:"out_of_service"` // by the queue, after offers that were missed
	Call         string      `json:"call"`           // offered, talked to, or wrapped up
	Queue        string      `json:"queue"`          // that call's
	Then         queue.State `json:"then"`           // what was asked for during a talk, granted once that is wrapped up; "": nothing
	Home         string      `json:"home"`           // the service whose phone it is, where several share their queues; "": not shared
	Away         bool        `json:"away"`           // nothing is heard of that service: callers are not offered to the agent
}

func agentOf(v queue.AgentView) Agent {
	return Agent{ID: v.ID, Profile: profileOf(v.Profile), State: State{
		State: v.State, Since: v.Since.UTC(), Reason: v.Reason, OutOfService: v.OutOfService, Call: v.Call, Queue: v.Queue, Then: v.Then, Home: v.Home, Away: v.Away,
	}}
}

func (a *API) listAgents(request) (reply, error) {
	list := []Agent{}
	for _, v := range a.o.Queues.Agents() {
		list = append(list, agentOf(v))
	}
	return reply{body: map[string]any{"agents": list}}, nil
}

func noAgent(id string) *Problem {
	return problem(http.StatusNotFound, "no-agent", "there is no agent %.60q", id)
}

// profile is an agent's, with its version.
func (a *API) profile(id string) (Profile, queue.Version) {
	v, there := a.o.Queues.Agent(id)
	if !there {
		return Profile{}, queue.Absent
	}
	return profileOf(v.Profile), v.Profile.Version()
}

func (a *API) getProfile(r request) (reply, error) {
	id := r.PathValue("id")
	p, version := a.profile(id)
	if version == queue.Absent {
		return reply{}, noAgent(id)
	}
	return reply{version: tag(version), body: p}, nil
}

func (a *API) putProfile(r request) (reply, error) {
	id, asked := r.PathValue("id"), profileOf(queue.Profile{})
	if err := read(r, &asked); err != nil {
		return reply{}, err
	}
	if a.o.CheckProfile != nil {
		if field, err := a.o.CheckProfile(asked.forAgent(id)); err != nil {
			return reply{}, limit(field, err)
		}
	}
	a.numbering.Lock()
	defer a.numbering.Unlock()
	_, is := a.profile(id)
	seen, err := unchanged(r, is)
	if err != nil {
		return reply{}, err
	}
	if err := asked.ownNumber(id, a.o.Queues.Agents()); err != nil {
		return reply{}, err
	}
	if err := a.o.Queues.SetProfile(asked.forAgent(id), r.by, seen); err != nil {
		return reply{}, unlessChanged(err, contradicts)
	}
	now, version := a.profile(id)
	return reply{status: created(is != queue.Absent), version: tag(version), body: now}, nil
}

func (a *API) removeAgent(r request) (reply, error) {
	id := r.PathValue("id")
	_, is := a.profile(id)
	if is == queue.Absent {
		return reply{}, noAgent(id)
	}
	seen, err := unchanged(r, is)
	if err != nil {
		return reply{}, err
	}
	return reply{}, unlessChanged(a.o.Queues.RemoveAgent(id, r.by, seen), aboutAgent(id))
}

// aboutAgent is why something could not be done with an agent.
func aboutAgent(id string) func(error) error {
	return func(err error) error {
		if errors.Is(err, queue.ErrUnknownAgent) {
			return noAgent(id)
		}
		return conflict(err)
	}
}

func (a *API) getState(r request) (reply, error) {
	id := r.PathValue("id")
	v, there := a.o.Queues.Agent(id)
	if !there {
		return reply{}, noAgent(id)
	}
	return reply{body: agentOf(v).State}, nil
}

// Order is what an agent is to do.
type Order struct {
	Do     queue.Verb `json:"do"`     // one of the verbs below
	Reason string     `json:"reason"` // with pause: why; shown and recorded
	For    Duration   `json:"for"`    // with extend: how much longer
}

// mostReason bounds a pause's reason, which is written down.
const mostReason = 100

func (o Order) check() error {
	switch o.Do {
	case queue.VerbSignIn, queue.VerbSignOut, queue.VerbPause, queue.VerbReady, queue.VerbExtend:
	default:
		return wrong("value", "do", "%.60q is nothing an agent can do; use sign-in, sign-out, pause, ready or extend", o.Do)
	}
	switch {
	case o.Reason != "" && o.Do != queue.VerbPause:
		return wrong("value", "reason", "only a pause has a reason")
	case len(o.Reason) > mostReason:
		return wrong("out-of-range", "reason", "has %d bytes; use %d at most", len(o.Reason), mostReason)
	case o.Do == queue.VerbExtend && o.For <= 0:
		return wrong("out-of-range", "for", "say by how much the wrap-up is to be longer: \"1m\"")
	case o.Do != queue.VerbExtend && o.For != 0:
		return wrong("value", "for", "only extend has a time")
	}
	return nil
}

// order has an agent do something.
func (a *API) order(r request) (reply, error) {
	id := r.PathValue("id")
	var o Order
	if err := read(r, &o); err != nil {
		return reply{}, err
	}
	if err := a.command(id, r.by, o); err != nil {
		return reply{}, err
	}
	return a.getState(r)
}

// command has an agent do something, in their stead where by says so. Signing in
// who is in already, or out who is out, is no mistake.
func (a *API) command(id, by string, o Order) error {
	if err := o.check(); err != nil {
		return err
	}
	err := a.o.Queues.Order(queue.Command{Do: o.Do, Agent: id, Reason: o.Reason, For: o.For.d(), By: by})
	if done := o.Do == queue.VerbSignIn || o.Do == queue.VerbSignOut; done && errors.Is(err, queue.ErrTransition) {
		err = nil
	}
	return unlessStopped(err, aboutAgent(id))
}
