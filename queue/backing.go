package queue

import (
	"slices"
	"strings"
	"time"
)

// Who stands behind callers: whether somebody is there who can take them, now
// or at last.

// backing is that of callers who need this when all has been relaxed, and cannot
// be brought to these services' agents.
func (m *Machine) backing(q *callers, needs []need, barred []string) *backing {
	key := demand(needs, barred)
	at, there := slices.BinarySearchFunc(q.backings, key, func(b *backing, key string) int { return strings.Compare(b.key, key) })
	if there {
		return q.backings[at]
	}
	b := &backing{queue: q, key: key, needs: needs, barred: barred}
	b.unattended.owner, b.onBreak.owner = b, b
	b.countAll()
	q.backings = slices.Insert(q.backings, at, b) // in order, so that a machine loaded from a snapshot goes through them alike
	return b
}

// countAll counts the agents anew.
func (b *backing) countAll() {
	b.able, b.signedIn, b.attending, b.working = 0, 0, 0, 0
	for _, mine := range b.queue.members {
		if meets(mine.agent.profile.Skills, b.needs) {
			b.able++
			b.add(mine.agent, mine.agent.counted, 1)
		}
	}
}

// add counts an agent, or with by -1 no more. Those to whom there is no way are
// there, and do not attend.
func (b *backing) add(a *agent, is presence, by int) {
	b.signedIn += by * count(is.signedIn)
	if !slices.Contains(b.barred, a.profile.Home) {
		b.attending += by * count(is.attending)
		b.working += by * count(is.working)
	}
}

// count changes how an agent counts in their queues.
func (m *Machine) count(a *agent, is presence) {
	for _, mine := range a.members {
		for _, b := range mine.queue.backings {
			if meets(a.profile.Skills, b.needs) {
				b.add(a, a.counted, -1)
				b.add(a, is, 1)
			}
		}
	}
	a.counted = is
}

func (m *Machine) attendAll(q *callers) {
	for _, b := range q.backings {
		m.attend(b)
	}
}

// attend decides what becomes of callers when the number of agents behind them
// has changed. Who is behind them is not known before VerbOpen.
func (m *Machine) attend(b *backing) {
	switch {
	case m.held:
	case b.working > 0:
		m.watchNobody(b)
		b.refusing = false
	case b.able == 0 && len(b.needs) > 0:
		m.watchNobody(b)
		m.lapseAll(b, LapseNoSkill)
	case b.queue.rules.StayEmpty:
		m.watchNobody(b)
		b.refusing = false
	case b.signedIn == 0:
		m.watchNobody(b)
		m.lapseAll(b, LapseSignedOut)
	case b.refusing:
	default:
		m.watch(&b.onBreak, b.queue.rules.OnBreak)
		if b.attending == 0 {
			m.watch(&b.unattended, b.queue.rules.Unattended)
		} else {
			m.timers.stop(&b.unattended)
		}
	}
}

// watchOver begins to watch for somebody to take a caller who has come, who may be
// the first for whom nobody is left to be awaited.
func (m *Machine) watchOver(p *place) {
	if b := p.backing; b.able > 0 && b.working == 0 {
		m.attend(b)
	}
}

// watch sets a timer that is not set yet.
func (m *Machine) watch(t *timer, limit time.Duration) {
	if t.at == 0 {
		m.timers.set(t, m.after(limit))
	}
}

func (m *Machine) watchNobody(b *backing) {
	m.timers.stop(&b.unattended)
	m.timers.stop(&b.onBreak)
}

// expire is when nobody has attended, or worked, for too long.
func (b *backing) expire(m *Machine) {
	m.watchNobody(b)
	b.refusing = true
	m.lapseAll(b, LapseUnattended)
}

// lapseAll ends the wait of the callers with this backing for whom no phone
// rings.
func (m *Machine) lapseAll(b *backing, reason string) {
	for _, p := range b.queue.all.items() {
		if p.backing == b && len(p.offers) == 0 && !p.done {
			m.lapse(p, Change{Cause: reason})
		}
	}
}
