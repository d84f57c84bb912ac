package queue

import (
	"maps"
	"slices"
	"strings"
)

// Where several services share a queue, each rings the others' agents through
// their Asterisks, and may have no way to some of them: an address that it was
// not told, or that leads nowhere. Its callers are then not offered to agents
// there, who are there for everybody else's. For whether somebody attends who can
// take such callers these agents count as those of a service that is gone.

// setWays notes the services whose agents' phones a service can ring beside its
// own; nil: everybody's.
func (m *Machine) setWays(owner string, homes []string) {
	if homes == nil {
		delete(m.ways, owner)
	} else {
		m.ways[owner] = slices.AppendSeq([]string{}, slices.Values(slices.Compact(slices.Sorted(slices.Values(homes)))))
	}
	m.pave()
}

// pave has callers be offered to those agents only to whom there is a way,
// whenever a service has others or an agent has come or gone.
func (m *Machine) pave() {
	barred := m.withoutWay()
	if maps.EqualFunc(barred, m.barred, slices.Equal) {
		return
	}
	was := m.held
	m.barred, m.held = barred, true // nobody is offered anybody before all queues go by it
	for _, q := range m.byID() {
		m.reform(q, q.rules)
	}
	if !was {
		m.open()
	}
}

// withoutWay are, by service, the homes of agents that it has no way to.
func (m *Machine) withoutWay() map[string][]string {
	homes := map[string]bool{}
	for _, a := range m.agents {
		homes[a.profile.Home] = true
	}
	barred := map[string][]string{}
	for owner, open := range m.ways {
		for _, home := range slices.Sorted(maps.Keys(homes)) {
			if home != owner && !slices.Contains(open, home) {
				barred[owner] = append(barred[owner], home)
			}
		}
	}
	return barred
}

// demand is what callers ask of an agent: skills, and not to be at home where
// there is no way to.
func demand(needs []need, barred []string) string {
	if len(barred) == 0 {
		return needsKey(needs)
	}
	return needsKey(needs) + "\x00" + strings.Join(barred, "\x00")
}

// takes reports whether an agent meets what callers of the class need, and can be
// rung for them.
func (c *class) takes(a *agent) bool {
	return meets(a.profile.Skills, c.needs) && !slices.Contains(c.barred, a.profile.Home)
}

// Unreached are the services whose agents' phones cannot be rung from this one,
// so that its callers are not offered to them.
func (e *Engine) Unreached() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.machine.barred[e.owner])
}

// SetWays says of which services' agents the phones can be rung from this one,
// its own apart (Options.Ways); none: to nobody's.
func (e *Engine) SetWays(services []string) error {
	return e.do(Command{Do: VerbWays, Homes: services})
}
