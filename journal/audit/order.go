package audit

import (
	"cmp"
	"slices"
	"time"
)

// order is I3: in each queue the caller who stands first is offered the agent.
//
// What is guaranteed: whenever an agent is offered a caller, nobody who stands before that caller waits, without an
// offer of their own, in any queue the agent serves. Which queues these are, the entries show as far as the agent was
// offered callers of them since the process started. A caller who prefers an agent may be let wait for that one, and
// is given to that one, out of order. So may one who needs a skill, since the entries do not say who has it; and
// whoever was in line when rules changed, since it is not known what they changed. An agent whose queues count
// differently is held to the order within the queue of the offer.
//
// Where services share a queue, each journal shows that its own callers are served in their order; callers of others
// may stand between them.
//
// Over a restart: who was waiting comes back to a place that is no worse, and before anybody behind is offered an agent.
type order struct {
	tally
	visits *visits
	marked bool                       // the journal says when a process started
	waits  map[string]*wait           // by call
	lines  map[string][]*wait         // by queue: those without an offer, in order
	serves map[string]map[string]bool // by agent: queues they were offered callers of
	away   map[string]*wait           // by call: those who waited when the process before ended, and are not back
}

type wait struct {
	call, queue, prefer string
	place               change
	joined              mark
	passed              mark // away: who was behind was offered an agent
	offers              int  // phones that ring
	unsure              bool // rules changed while they waited
}

// standsAs is when a caller of ordinary priority would have had to arrive to stand there, where the entry says so.
func (w *wait) standsAs() (at time.Time, known bool) {
	if w.place.StandsAs.IsZero() {
		return w.place.Arrived, w.place.Priority == 0
	}
	return w.place.StandsAs, true
}

func newOrder(t tally, v *visits) *order {
	c := &order{tally: t, visits: v, away: map[string]*wait{}}
	c.forget()
	return c
}

// forget drops what ends with a process.
func (c *order) forget() {
	c.waits, c.lines, c.serves = map[string]*wait{}, map[string][]*wait{}, map[string]map[string]bool{}
}

// before is the order in line: who returns to the head of it, then who has waited longest, priority counted as waiting
// where the entries say for how much, then the earlier arrival.
func before(a, b *wait) int {
	x, y := &a.place, &b.place
	switch {
	case x.Head != y.Head && x.Head:
		return -1
	case x.Head != y.Head:
		return 1
	}
	asA, known := a.standsAs()
	asB, too := b.standsAs()
	if known && too {
		return cmp.Or(asA.Compare(asB), x.Arrived.Compare(y.Arrived))
	}
	return cmp.Or(cmp.Compare(y.Priority, x.Priority), x.Arrived.Compare(y.Arrived))
}

// inLine decides between equals as well: by the call, so that it is the same after a restart.
func inLine(a, b *wait) int { return cmp.Or(before(a, b), cmp.Compare(a.call, b.call)) }

func (c *order) see(e *entry) {
	if e.starts {
		c.restart()
	}
	if e.Kind == kindEnded {
		delete(c.away, e.call)
		return
	}
	if e.Kind == kindRules || e.Kind == kindRemoved || e.Kind == kindProfile {
		for _, waiting := range []map[string]*wait{c.waits, c.away} {
			for _, w := range waiting {
				w.unsure = true
			}
		}
		return
	}
	d, ok := e.data.(*change)
	if !ok || d.Owner != "" {
		return
	}
	w := c.waits[d.Call]
	switch {
	case e.Kind == kindJoined:
		c.join(e, d)
	case e.Kind == kindOffered:
		c.offer(e, d, w)
	case w == nil:
		if e.Kind == kindConnected {
			delete(c.away, d.Call) // found talking
		}
	case e.Kind == kindRefused:
		if w.offers = max(0, w.offers-1); w.offers == 0 {
			c.add(w)
		}
	case e.Kind == kindMoved:
		c.drop(w)
		w.queue, w.place.Queue, w.place.StandsAs, w.place.Needs = d.Into, d.Into, d.StandsAs, d.Needs
		c.waits[d.Call] = w
		c.add(w)
	case e.Kind == kindConnected, e.Kind == kindLeft, e.Kind == kindLapsed:
		c.drop(w)
	}
}

// restart has everybody who is waiting come back.
func (c *order) restart() {
	c.marked = true
	for id, w := range c.waits {
		if !c.visits.over(id) {
			c.away[id] = w
		}
	}
	c.forget()
}

func (c *order) join(e *entry, d *change) {
	if w := c.waits[d.Call]; w != nil {
		c.find(d.Call, "", []mark{w.joined, e.mark()}, "the caller is in line twice")
		c.drop(w)
	}
	w := &wait{call: d.Call, queue: d.Queue, prefer: d.Prefer, place: *d, joined: e.mark()}
	if old := c.away[d.Call]; old != nil && old.queue == w.queue && !old.unsure {
		if before(old, w) < 0 {
			c.find(d.Call, "", []mark{old.joined, e.mark()}, "after the restart the caller has a worse place in the queue %s than before", w.queue)
		}
		if old.passed.seq != 0 {
			c.find(d.Call, "", []mark{old.joined, old.passed, e.mark()}, "after the restart an agent was offered to somebody behind before the caller was back in the queue %s", w.queue)
		}
	}
	delete(c.away, d.Call)
	c.waits[d.Call] = w
	c.add(w)
}

func (c *order) offer(e *entry, d *change, w *wait) {
	if w == nil || w.queue != d.Queue {
		if c.marked {
			c.find(d.Call, d.Agent, []mark{e.mark()}, "offered to agent %s without waiting in the queue %s", d.Agent, d.Queue)
		}
		return
	}
	if !e.At.Before(c.since) {
		c.Looked++
	}
	c.take(w)
	w.offers++
	for _, queue := range c.served(d) {
		if w.prefer == d.Agent {
			break
		}
		if first := c.first(queue, d.Agent); first != nil && inLine(first, w) < 0 {
			c.find(first.call, d.Agent, []mark{first.joined, w.joined, e.mark()}, "the caller stood first in the queue %s, and agent %s was offered the call %s", queue, d.Agent, d.Call)
		}
	}
	for _, old := range c.away {
		if old.queue == d.Queue && old.passed.seq == 0 && (old.prefer == "" || old.prefer == d.Agent) && old.place.Needs == "" && inLine(old, w) < 0 {
			old.passed = e.mark()
		}
	}
}

// served are the queues that the agent is known to serve, the one of this offer among them.
func (c *order) served(d *change) []string {
	if !c.marked || d.Weighted {
		return []string{d.Queue} // the agent's queues may have changed at a start that is not named
	}
	if c.serves[d.Agent] == nil {
		c.serves[d.Agent] = map[string]bool{}
	}
	c.serves[d.Agent][d.Queue] = true
	queues := make([]string, 0, len(c.serves[d.Agent]))
	for queue := range c.serves[d.Agent] {
		queues = append(queues, queue)
	}
	slices.Sort(queues)
	return queues
}

// first is who stands first in a queue for an agent, leaving out who may be waiting for another one, or of whom it is
// not known whether the agent could serve them.
func (c *order) first(queue, agent string) *wait {
	for _, w := range c.lines[queue] {
		if (w.prefer == "" || w.prefer == agent) && w.place.Needs == "" && !w.unsure {
			return w
		}
	}
	return nil
}

// add puts a caller in line.
func (c *order) add(w *wait) {
	line := c.lines[w.queue]
	if at, there := slices.BinarySearchFunc(line, w, inLine); !there {
		c.lines[w.queue] = slices.Insert(line, at, w)
	}
}

// take gets a caller out of the line, if there.
func (c *order) take(w *wait) {
	line := c.lines[w.queue]
	if at, there := slices.BinarySearchFunc(line, w, inLine); there {
		c.lines[w.queue] = slices.Delete(line, at, at+1)
	}
}

func (c *order) drop(w *wait) {
	c.take(w)
	delete(c.waits, w.call)
}

func (c *order) end() {}
