package audit

import "cmp"

// pairs is I2: never two agents for a caller, nor two callers for an agent, over all calls and restarts.
//
// It folds what the queue tells: who is offered to whom, who talks with whom. A restart ends every offer, and talks go
// on over it. What an agent goes through must follow from what came before, restarts included, or the fold would not
// know who is with whom. In a queue that rings all, several phones may ring for a caller until one is answered: the
// others are let go before that. Beside the agent whose call it is there may be one third, whom the call has called in:
// never two of them, and a caller in line has none. What agents of other services do between our calls is in the journals there.
type pairs struct {
	tally
	visits    *visits
	agents    map[string]*agent
	with      map[part]string // the agent who has it
	marked    bool            // the journal says when a process started
	restarted func()          // told of a restart that the journal does not name
}

// part is what an agent has in a call: it is theirs, or they are called in to it.
type part struct {
	call  string
	third bool
}

type agent struct {
	state string
	part       // offered or in talk
	since mark // of state
	found bool // state is from before a restart
}

func newPairs(t tally, v *visits) *pairs {
	return &pairs{tally: t, visits: v, agents: map[string]*agent{}, with: map[part]string{}}
}

func (c *pairs) see(e *entry) {
	if e.starts {
		c.marked = true
		c.restart(onOffer)
	}
	d, ok := e.data.(*change)
	if !ok {
		return
	}
	holder := c.holder(d.Call)
	switch {
	case e.Kind == kindJoined && holder != "":
		c.find(d.Call, holder, []mark{c.agents[holder].since, e.mark()}, "the caller gets in line while agent %s has the call", holder)
	case (e.Kind == kindLeft || e.Kind == kindLapsed) && holder != "" && holder != d.Agent:
		c.find(d.Call, holder, []mark{c.agents[holder].since, e.mark()}, "the wait ends, and agent %s still has the call", holder)
	}
	if d.Left != nil {
		c.move(e, &change{Queue: d.Queue, Call: d.Call, Agent: d.Left.Agent, From: d.Left.From, To: d.Left.To, Owner: d.Owner, Home: d.Left.Home})
	}
	if d.Agent != "" {
		c.move(e, d)
	}
}

// holder is whose call it is, or else who is called in to it.
func (c *pairs) holder(call string) string {
	return cmp.Or(c.with[part{call, false}], c.with[part{call, true}])
}

// move takes in an agent's change of state, with the call it is about.
func (c *pairs) move(e *entry, d *change) {
	a := c.agents[d.Agent]
	if a == nil {
		a = &agent{state: d.From}
		c.agents[d.Agent] = a
	}
	switch {
	case d.Home != "": // whose journal has what came before
	case d.From == a.state || a.found && c.begunAnew(a, d.From):
	case !c.marked && d.From == "offline": // nobody is signed in when a process starts
		c.restart(states)
		c.restarted()
	default:
		c.find(d.Call, d.Agent, []mark{a.since, e.mark()}, "the agent was %s and goes from %s to %s: something in between is missing, or happened in two places",
			a.state, d.From, d.To)
	}
	if onOffer[d.To] || inTalk[d.To] {
		c.engage(e, a, d)
	} else {
		c.release(a)
	}
	if !e.At.Before(c.since) {
		c.Looked++
	}
	a.state, a.since, a.found = d.To, e.mark(), false
}

// begunAnew says whether a restart alone may have brought the agent from one state to another: whoever had an offer is
// ready again, and so is who had a call that was over by then. Who was not described for a while begins offline.
func (c *pairs) begunAnew(a *agent, now string) bool {
	switch now {
	case "offline":
		return true
	case "ready":
		return onOffer[a.state] || inTalk[a.state] && c.visits.over(a.call)
	}
	return false
}

// engage gives the call to the agent, if nobody else has it and the agent has nobody else.
func (c *pairs) engage(e *entry, a *agent, d *change) {
	if a.call != "" && a.call != d.Call && !(a.found && c.visits.over(a.call)) {
		c.find(d.Call, d.Agent, []mark{a.since, e.mark()}, "two callers for an agent: agent %s has the call %s and gets another", d.Agent, a.call)
	}
	own := part{d.Call, d.Third}
	other := c.with[own]
	together := d.RingAll && onOffer[d.To] && other != "" && onOffer[c.agents[other].state]
	if other != "" && other != d.Agent && !together {
		c.find(d.Call, d.Agent, []mark{c.agents[other].since, e.mark()}, "two agents for a caller: agent %s has the call, and agent %s gets it", other, d.Agent)
	}
	c.release(a)
	a.part = own
	c.with[own] = d.Agent
}

func (c *pairs) release(a *agent) {
	if b := c.agents[c.with[a.part]]; b == a {
		delete(c.with, a.part)
	}
	a.part = part{}
}

// restart ends what agents in these states had with callers.
func (c *pairs) restart(ends map[string]bool) {
	for _, a := range c.agents {
		a.found = true
		if ends[a.state] {
			c.release(a)
		}
	}
}

// parted looks whether an agent is still with a call that ended a while ago.
func (c *pairs) parted(v *visit) {
	for holder := c.holder(v.id); holder != ""; holder = c.holder(v.id) {
		a := c.agents[holder]
		if c.marked && !a.found {
			c.find(v.id, holder, []mark{a.since, v.ended}, "the call ended, and the agent is still %s with it", a.state)
		}
		c.release(a)
	}
}

func (c *pairs) end() {}
