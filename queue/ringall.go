package queue

import "slices"

// Ring all: several agents are reserved for one caller, each with an offer of
// their own. The first whom the machine sees connected has the caller; the
// others are let go in the same command, so that there are never two.
//
// A ready agent goes to a caller for whom no phone rings yet, and only then
// joins in where phones ring already. So the phones of an empty hall all ring
// for one caller, and nobody waits for the phones of others to stop.

// ringLater has further phones ring for a caller, once everybody who is free
// in this command has been given to a caller without any.
func (m *Machine) ringLater(p *place) {
	if p.queue.rules.Strategy == RingAll {
		m.toRing = append(m.toRing, p)
	}
}

// ringOn does what ringLater put off, for callers in their order.
func (m *Machine) ringOn() {
	for len(m.toRing) > 0 {
		list := m.toRing
		m.toRing = nil
		slices.SortFunc(list, callerOrder)
		for _, p := range slices.Compact(list) {
			if !p.done && len(p.offers) > 0 {
				m.ringMore(p)
			}
		}
	}
}

// ringMore rings further phones for a caller in a queue that rings all, until
// there are as many as may be or no agent is ready. What is missing then is
// made up by those who become ready.
func (m *Machine) ringMore(p *place) {
	q := p.queue
	p.stand(nil)
	if q.rules.Strategy != RingAll || p.lapseNext != "" || p.moveNext {
		return // what rings now decides
	}
	for len(p.offers) < q.rules.RingAtMost {
		t := q.taker(p.class)
		if t == nil || m.held {
			p.stand(&p.class.room)
			return
		}
		m.offer(p, t)
	}
}

// joinIn has the phone of a ready agent ring with others' for the first caller
// for whom there is room.
func (m *Machine) joinIn(a *agent) {
	var first *place
	var by *member
	for _, mine := range a.members {
		if mine.queue.rules.Strategy != RingAll {
			continue
		}
		for _, c := range mine.crew.classes {
			if p := c.room.first(); p != nil && (first == nil || callerOrder(p, first) < 0) {
				first, by = p, mine
			}
		}
	}
	if first != nil {
		m.offer(first, by)
		if len(first.offers) >= first.queue.rules.RingAtMost {
			first.stand(nil)
		}
	}
}
