package queue

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
)

// What a service says of queues and agents when it comes to the others: rules
// that it has anew hold for everybody, an agent of its own whom it does not bring
// is there no more, and one who is at home elsewhere stays there.

// admitted is what a service brings, without the agents whose phones are at home
// at another service that is heard of: a phone is rung by one service only.
func (m *Machine) admitted(owner string, part *Part) *Part {
	p := *part
	p.Agents = slices.DeleteFunc(slices.Clone(part.Agents), func(i agentImage) bool {
		a := m.agents[i.Profile.ID]
		return a != nil && a.profile.Home != owner && !m.away[a.profile.Home]
	})
	return &p
}

// byService is who is said to have changed rules that a service brings along.
func byService(name string) string { return "service " + name }

// dismiss takes out the agents of a service whom it does not bring. A talk with
// another service's caller goes on, and is the last.
func (m *Machine) dismiss(owner string, part *Part) {
	brought := map[string]bool{}
	for i := range part.Agents {
		brought[part.Agents[i].Profile.ID] = true
	}
	concerned := map[*callers]bool{}
	for _, a := range m.byListing() {
		if a.profile.Home != owner || brought[a.profile.ID] {
			continue
		}
		for _, q := range a.queues() {
			concerned[q] = true
		}
		stays := a.state.InTalk() && a.owner != owner && !m.away[a.owner]
		if stays {
			a.then = eventSignOut
			m.settle(a)
		} else {
			m.signOff(a)
			delete(m.agents, a.profile.ID)
		}
		a.profile.Queues = nil
		m.assign(a)
	}
	for _, q := range m.byID() {
		if concerned[q] {
			m.regroup([]*callers{q})
		}
	}
}

// signOff has an agent be offline, whatever they were doing.
func (m *Machine) signOff(a *agent) {
	if r := a.offer; r != nil {
		c := m.about(r, KindRefused, CauseReturned)
		m.release(r, &c, ResultWithdrawn)
		m.noteFor(c, false)
	}
	if a.state.InTalk() {
		m.endTalk(a)
	}
	if a.state != StateOffline {
		m.turn(a, eventSignOut, CauseReturned)
	}
}

// removeAll ends the queues that a service has taken away. One that another
// queue or agent cannot be without stays.
func (m *Machine) removeAll(owner string, ids []string) {
	defer func(by string) { m.by = by }(m.by)
	m.by = byService(owner)
	for _, id := range ids {
		_ = m.removeQueue(id) // who brings it is told of it: Engine.compare
	}
}

// news are the queues of which the machine's service says another thing than
// the others know: those with other rules, and those that are there no more.
func (m *Machine) news() (changed, removed []string) {
	for _, id := range slices.Sorted(maps.Keys(m.changed)) {
		if m.queues[id] != nil {
			changed = append(changed, id)
		} else {
			removed = append(removed, id)
		}
	}
	return changed, removed
}

// compare warns of what holds among the services and is not what this one
// brought; the lock is held.
func (e *Engine) compare(part *Part) {
	for i := range part.Queues {
		own := &part.Queues[i]
		if q := e.machine.queues[own.ID]; q == nil || !sameRules(q.rules, *own) {
			e.log.Warn("the other services have other rules for a queue, which hold: change them with hotline queue set, or write the same into every hotline.yaml", "queue", own.ID)
		}
	}
	for _, id := range part.Removed {
		if e.machine.queues[id] != nil {
			e.log.Warn("a queue that this service has no more stays, since queues or agents of the other services need it", "queue", id)
		}
	}
	for _, r := range e.rivals() {
		e.log.Error("an agent is listed at two services: take them out of one's hotline.yaml and restart it, then the other", "agent_id", r.Agent, "same_as", r.Other, "service", r.Home)
	}
}

// sameRules compares as rules are written, where no skills are an empty list too.
func sameRules(a, b Rules) bool {
	one, err := json.Marshal(a)
	other, err2 := json.Marshal(b)
	return err == nil && err2 == nil && bytes.Equal(one, other)
}

// Rival is an agent of this service whom another service has, too, or whose
// number another agent is called by.
type Rival struct {
	Agent string // of this service
	Other string // the agent of the other: the same ID, or one with the same number
	Home  string // the other service
}

// Rivals lists the agents of this service who are not its own alone. One whose
// ID another service has is offered callers there only.
func (e *Engine) Rivals() []Rival {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.rivals()
}

func (e *Engine) rivals() (list []Rival) {
	if e.brought == nil {
		return nil
	}
	numbers := map[string][]*agent{}
	for _, a := range e.machine.byListing() {
		if a.profile.Home != e.owner {
			numbers[a.profile.Number] = append(numbers[a.profile.Number], a)
		}
	}
	for i := range e.brought.Agents {
		own := &e.brought.Agents[i].Profile
		if a := e.machine.agents[own.ID]; a != nil && a.profile.Home != e.owner {
			list = append(list, Rival{own.ID, own.ID, a.profile.Home})
			continue
		}
		for _, a := range numbers[own.Number] {
			if own.Number != "" {
				list = append(list, Rival{own.ID, a.profile.ID, a.profile.Home})
			}
		}
	}
	return list
}
