package audit

import (
	"cmp"
	"slices"
	"time"
)

// endings is I1: every call that arrived ends once, with one result and one reason.
//
// A call without an ending may still be live. It is not when the service itself says that every call before it has
// ended (service.clean), and when the present process has met Asterisk and the call was neither taken up nor ended.
type endings struct {
	tally
	visits *visits
	clock  *clock

	started   mark // the newest process
	met       bool // it has had Asterisk within reach
	metAfter  time.Duration
	clean     mark  // the newest service.clean that names a live call
	endBefore int64 // calls that arrived before this entry have ended, by that service.clean
}

// results are all that a call can end with.
var results = map[string]bool{
	"served": true, "abandoned": true, "message": true, "turned-away": true, "informed": true, "failed": true, "lost": true,
}

// notSeen is the result of a call whose end nobody saw, whatever had been decided.
const notSeen = "lost"

// takeUp is how long a process may take from its meeting Asterisk until it has taken up the calls it found.
const takeUp = 10 * time.Second

func newEndings(t tally, v *visits, c *clock) *endings {
	return &endings{tally: t, visits: v, clock: c}
}

func (c *endings) see(e *entry) {
	if e.starts {
		c.started, c.met = e.mark(), false
	}
	switch {
	case e.Kind == kindServiceConnected:
		c.met, c.metAfter = true, c.clock.passed
	case e.Kind == kindServiceClean:
		if d, ok := e.data.(*serviceClean); ok && d.Seen > 0 {
			c.clean, c.endBefore = e.mark(), d.Seen
		}
	case script[e.Kind] && e.call != "":
		c.follow(e)
	}
}

// follow takes in an entry of a call's script.
func (c *endings) follow(e *entry) {
	v := e.visit
	switch {
	case e.Kind == kindArrived:
		c.arrive(e)
		return
	case v == nil:
		c.find(e.call, "", []mark{e.mark()}, "%s of a call that never arrived, or ended long before", e.Kind)
		return
	case v.ended.seq == 0:
	case e.Kind == kindEnded:
		c.find(e.call, "", []mark{v.ended, e.mark()}, "it ended twice")
		return
	default:
		c.find(e.call, "", []mark{v.ended, e.mark()}, "%s after it had ended", e.Kind)
		return
	}
	v.last = e.mark()
	switch d := e.data.(type) {
	case *stage:
		if d.Stage == "end" && d.Outcome != nil {
			c.decide(e, *d.Outcome)
		}
	case *ended:
		c.judge(e, d.outcome)
	}
	if e.Kind == kindEnded {
		v.ended, v.endedAfter = e.mark(), c.clock.passed
		c.visits.ended = append(c.visits.ended, v)
	}
}

func (c *endings) arrive(e *entry) {
	if v := e.visit; v != nil {
		c.find(e.call, "", []mark{v.arrived, e.mark()}, "it arrived twice")
		return
	}
	if !e.At.Before(c.since) {
		c.Looked++
	}
	e.visit = &visit{id: e.call, arrived: e.mark(), last: e.mark()}
	if d, ok := e.data.(*arrived); ok {
		e.visit.at = d.At
	}
	c.visits.live[e.call] = e.visit
}

// decide keeps the outcome that was written down before anybody was hung up.
func (c *endings) decide(e *entry, o outcome) {
	v := e.visit
	if v.decidedBy.seq != 0 && v.decided != o {
		c.find(e.call, "", []mark{v.decidedBy, e.mark()}, "its outcome was decided twice: %s (%s), then %s (%s)",
			v.decided.Result, v.decided.Reason, o.Result, o.Reason)
	}
	v.decided, v.decidedBy = o, e.mark()
}

// judge looks at the one result and the one reason.
func (c *endings) judge(e *entry, o outcome) {
	v := e.visit
	v.result = o
	switch {
	case !results[o.Result]:
		c.find(e.call, "", []mark{e.mark()}, "it ended with the result %q, which does not exist", o.Result)
	case o.Reason == "":
		c.find(e.call, "", []mark{e.mark()}, "it ended as %s without a reason", o.Result)
	case v.decidedBy.seq != 0 && v.decided != o && o.Result != notSeen:
		c.find(e.call, "", []mark{v.decidedBy, e.mark()}, "it ended as %s (%s) though %s (%s) had been decided",
			o.Result, o.Reason, v.decided.Result, v.decided.Reason)
	}
}

// end looks at the calls that have no ending.
func (c *endings) end() {
	var open []*visit
	for _, v := range c.visits.live {
		if v.ended.seq == 0 {
			open = append(open, v)
		}
	}
	if len(open) > 0 && c.started.seq == 0 {
		c.Except = "calls without an ending, as the journal does not say when a process started"
		return
	}
	slices.SortFunc(open, func(a, b *visit) int { return cmp.Compare(a.arrived.seq, b.arrived.seq) })
	for _, v := range open {
		switch {
		case v.arrived.seq < c.endBefore:
			c.find(v.id, "", []mark{v.arrived, v.last, c.clean}, "it has no ending, though service.clean says that every call before entry %d has ended", c.endBefore)
		case v.last.seq < c.started.seq && c.tookUp():
			c.find(v.id, "", []mark{v.arrived, v.last, c.started}, "it has no ending, and the process that started later neither took it up nor ended it")
		}
	}
}

// tookUp says that the present process has had the time to take up every call it found.
func (c *endings) tookUp() bool {
	return c.met && c.clock.passed >= c.metAfter+takeUp
}
