package queuetest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"hotline/queue"
)

// Step is one thing that somebody does or that happens, sensible or not.
type Step struct {
	Do     string
	Agent  int
	Call   int
	Number int // of seconds, of a reason, of a queue
}

var doings = []string{
	"join", "join", "join", "leave", "ringing", "connected", "connected", "failed", "sign in", "sign in", "sign out", "pause", "ready",
	"reachable", "unreachable", "hold", "resume", "end", "end", "rejoin", "found", "extend", "finish", "close", "reopen", "rules", "time", "time",
	"call", "call", "call", "end consult", "hand over", "found third",
}

var step = rapid.Custom(func(t *rapid.T) Step {
	return Step{
		Do:     rapid.SampledFrom(doings).Draw(t, "do"),
		Agent:  rapid.IntRange(0, 3).Draw(t, "agent"),
		Call:   rapid.IntRange(0, 7).Draw(t, "call"),
		Number: rapid.IntRange(0, 29).Draw(t, "number"),
	}
})

// Steps draws a course of events.
func Steps() *rapid.Generator[[]Step] { return rapid.SliceOfN(step, 1, 60) }

// Course has an engine go through a course of events, and tells what it answers
// and how things stand after each. Engines that do the same tell the same: no
// deadline of the rules falls on the moment of a step, nor less than 0.7 s
// after one.
func Course(t *testing.T, with Make, steps []Step) (answers []string) {
	t.Helper()
	rules := queue.Rules{WrapUp: 10700 * time.Millisecond, RingTimeout: 10700 * time.Millisecond, DeclinePause: 7700 * time.Millisecond,
		Unattended: 20700 * time.Millisecond, PreferFor: 5700 * time.Millisecond}
	o := queue.Options{}
	for i, strategy := range strategies {
		rules.ID, rules.Strategy = fmt.Sprint("queue ", i), strategy
		o.Queues = append(o.Queues, rules)
	}
	for i, serves := range [][]string{{"queue 0"}, {"queue 0", "queue 1"}, {"queue 1", "queue 2"}, {"queue 2", "queue 0"}} {
		o.Agents = append(o.Agents, queue.Profile{ID: agentID(i), Queues: serves})
	}
	for i := range o.Queues {
		if o.Queues[i].Strategy == queue.RingAll {
			o.Queues[i].PreferFor = 0
		}
	}
	house{with}.desk(t, o, func(_ *testing.T, d *desk) {
		c := &course{desk: d, rules: o.Queues, began: time.Now(), tickets: map[string]*queue.Ticket{}, offers: map[string]*queue.Offer{}}
		for _, s := range steps {
			err := c.take(s)
			d.settle()
			answers = append(answers, fmt.Sprintf("%+v: %s; %s", s, answer(err), c.stand()))
		}
	})
	return answers
}

var strategies = []queue.Strategy{queue.LongestIdle, queue.RingAll, queue.RoundRobin, queue.FewestCalls, queue.Linear}

func agentID(i int) string { return fmt.Sprint(1001 + i) }

// course is an engine on its way.
type course struct {
	*desk
	rules   []queue.Rules
	began   time.Time // with the time that has passed since
	joins   int
	tickets map[string]*queue.Ticket
	offers  map[string]*queue.Offer // the latest of a call to an agent, by both
}

func (c *course) take(s Step) error {
	agent, call, in := agentID(s.Agent), fmt.Sprint("call ", s.Call), fmt.Sprint("queue ", s.Number%3)
	switch s.Do {
	case "join":
		return c.joinAt(s, call, in)
	case "leave":
		if t := c.tickets[call]; t != nil {
			t.Leave("hang-up")
		}
	case "ringing", "connected", "failed":
		return c.report(s)
	case "sign in":
		return c.SignIn(agent)
	case "sign out":
		return c.SignOut(agent)
	case "pause":
		return c.Pause(agent, "lunch")
	case "ready":
		return c.Ready(agent)
	case "reachable":
		return c.Reachable(agent)
	case "unreachable":
		return c.Unreachable(agent)
	case "hold":
		return c.Hold(agent, call)
	case "resume":
		return c.Resume(agent, call)
	case "end":
		v, _ := c.Agent(agent)
		return c.EndTalk(agent, v.Call)
	case "rejoin":
		return c.Rejoin(agent, call)
	case "found":
		return c.Found(agent, call, in)
	case "call":
		return c.callIn(s, agent)
	case "end consult":
		v, _ := c.Agent(agent)
		return c.EndConsult(agent, v.Call)
	case "hand over":
		v, _ := c.Agent(agent)
		return c.HandOver(v.Call, agent, v.With)
	case "found third":
		return c.FoundThird(agent, call, in)
	case "finish":
		return c.Finish(agent)
	case "extend":
		return c.Extend(agent, time.Duration(s.Number)*time.Second)
	case "reopen":
		return c.Reopen(in)
	case "close":
		return c.Close(in, queue.LapseClosing)
	case "rules":
		r := c.rules[s.Number%3]
		r.Strategy, r.PreferFor = strategies[s.Agent], 0
		r.MaxWaiting = s.Call
		return c.SetRules(r, "somebody")
	case "time":
		long := time.Duration(s.Number) * time.Second
		c.pass(long)
		if !c.clock.Ahead { // otherwise the queue adds it to what this machine says
			c.began = c.began.Add(long)
		}
	}
	return nil
}

func (c *course) joinAt(s Step, call, in string) error {
	c.joins++
	caller := queue.Caller{ID: call, Queue: in, Priority: s.Number % 4, Head: s.Number == 13,
		Arrived: c.began.Add(time.Duration(c.joins*5-s.Number) * time.Second), Offers: 100 * c.joins}
	if s.Number%5 == 0 {
		caller.Prefer = agentID(s.Agent)
	}
	ticket, err := c.Join(caller)
	if err == nil {
		c.tickets[call] = ticket
	}
	return err
}

// callIn has an agent called in by the call that another one is with or was.
func (c *course) callIn(s Step, agent string) error {
	v, _ := c.Agent(agentID(s.Number % 4))
	o, err := c.Call(agent, v.Call)
	if err == nil {
		c.offers[o.ID] = o
	}
	return err
}

func (c *course) report(s Step) error {
	if len(c.offers) == 0 {
		return nil
	}
	ids := slices.Sorted(maps.Keys(c.offers))
	o := c.offers[ids[(s.Call*4+s.Agent)%len(ids)]]
	switch {
	case s.Do == "ringing":
		return o.Ringing()
	case s.Do == "connected":
		return o.Connected()
	}
	o.Failed([]queue.Refusal{queue.NoAnswer, queue.Declined, queue.Unreachable, queue.Cancelled}[s.Number%4])
	return nil
}

// stand tells how things are, for every caller and agent.
func (c *course) stand() string {
	var b strings.Builder
	for _, r := range c.rules {
		fmt.Fprintf(&b, "%s:", r.ID)
		for _, v := range c.Waiting(r.ID) {
			fmt.Fprintf(&b, " %s at %d to %q %q", v.ID, v.Position, v.OfferedTo, v.AlsoTo)
		}
		b.WriteString("; ")
	}
	for _, v := range c.Agents() {
		if v.ID == sentinel {
			continue
		}
		fmt.Fprintf(&b, "%s %s with %q %q %v then %s, %q %v; ", v.ID, v.State, v.Call, v.With, v.Third, v.Then, v.Reason, v.OutOfService)
	}
	for i := range 8 {
		call := fmt.Sprint("call ", i)
		t := c.tickets[call]
		if t == nil {
			continue
		}
		fmt.Fprintf(&b, "%s in %s %s:", call, t.Queue(), t.LapseReason())
		for more := true; more; {
			select {
			case o := <-t.Offers():
				if o.Context().Err() == nil { // one that ended unread may never have been told
					c.offers[call+o.Agent.ID] = o
					fmt.Fprintf(&b, " %s to %s", o.ID, o.Agent.ID)
				}
			default:
				more = false
			}
		}
		b.WriteString("; ")
	}
	return b.String()
}

// answer is what an error means, without what it says.
func answer(err error) string {
	if err == nil {
		return "done"
	}
	for _, known := range []error{queue.ErrUnknownQueue, queue.ErrNobodySignedIn, queue.ErrFull, queue.ErrDuplicate, queue.ErrNoSkill, queue.ErrNotTheirCall,
		queue.ErrOfferOver, queue.ErrTransition, queue.ErrNoMore, queue.ErrThird} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	return err.Error()
}
