package call

import (
	"context"
	"strings"
	"sync"
	"time"

	"hotline/call/scene"
	"hotline/queue"
)

// order is what somebody asks of a talk.
type order struct {
	scene.Order
	by     string     // an agent: whose call it is, or a supervisor
	answer chan error // capacity 1
}

// talks are the talks under way: what is asked of one goes to its own
// goroutine.
type talks struct {
	mu     sync.Mutex
	byCall map[string]*seat
}

type seat struct {
	orders chan order
	over   chan struct{} // closed when nothing can be asked any more
}

// takeOrders has a talk asked until the returned function is called.
func (s *Service) takeOrders(callID string) (orders <-chan order, stop func()) {
	t := &s.asked
	t.mu.Lock()
	defer t.mu.Unlock()
	own := &seat{orders: make(chan order), over: make(chan struct{})}
	t.byCall[callID] = own
	return own.orders, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if t.byCall[callID] == own {
			delete(t.byCall, callID)
		}
		close(own.over)
	}
}

// Do carries out what an agent asks of their call. What is impossible, and what
// only supervisors may, is a [*scene.Refused]; nil says that the call and its
// journal have taken it in, and Asterisk is being told.
func (s *Service) Do(ctx context.Context, agentID string, o scene.Order) error {
	switch {
	case o.Act == scene.DoRejoin:
		return s.bringBack(agentID, o.Call)
	case !o.Act.Asked():
		return impossible(o.Act)
	}
	if o.Call == "" {
		desk, there := s.Desk(agentID)
		if !there {
			return &scene.Refused{Code: scene.NoCall}
		}
		o.Call = desk.ID
	}
	return s.ask(ctx, agentID, o)
}

// Monitor carries out what a supervisor asks of somebody else's call (E6), as Do
// does. Whether they may is for who calls this to know, and to write down first.
func (s *Service) Monitor(ctx context.Context, supervisorID, callID string, act scene.Act) error {
	if !act.Supervised() {
		return impossible(act)
	}
	return s.ask(ctx, supervisorID, scene.Order{Call: callID, Act: act})
}

func impossible(act scene.Act) error {
	return &scene.Refused{Code: scene.Impossible, Values: map[string]string{"act": string(act)}}
}

// ask has a talk's own goroutine carry an order out.
func (s *Service) ask(ctx context.Context, agentID string, o scene.Order) error {
	s.asked.mu.Lock()
	talk := s.asked.byCall[o.Call]
	s.asked.mu.Unlock()
	if talk == nil {
		return &scene.Refused{Code: scene.NoCall, Values: map[string]string{"call": o.Call}}
	}
	asked := order{Order: o, by: agentID, answer: make(chan error, 1)}
	select {
	case talk.orders <- asked:
	case <-talk.over:
		return &scene.Refused{Code: scene.NoCall, Values: map[string]string{"call": o.Call}}
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case err := <-asked.answer:
		return err
	case <-talk.over: // unless it was the last thing that was done
		select {
		case err := <-asked.answer:
			return err
		default:
			return &scene.Refused{Code: scene.NotNow}
		}
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// bringBack has an agent who hung up by accident be rung for the caller, who is
// still there (B4).
func (s *Service) bringBack(agentID, callID string) error {
	agent, _ := s.queue.Agent(agentID)
	switch {
	case s.Back(agentID) == "":
	case agent.State != queue.StateWrapUp && agent.State != queue.StateReady:
		return &scene.Refused{Code: scene.NotAvailable, Values: map[string]string{"kind": scene.ToAgent, "id": agentID, "state": agent.State.String()}}
	case s.giveBack(agentID, callID, nil):
		return nil
	}
	return &scene.Refused{Code: scene.NoCall, Values: map[string]string{"call": callID}}
}

// obeyOrder does what is asked, if that is possible and theirs to ask.
func (c *call) obeyOrder(ctx context.Context, o order) error {
	third := c.third()
	switch {
	case o.Act.Supervised():
		return c.supervise(o)
	case third != nil && third.answered && o.by == third.ID && o.Act == scene.DoHangup: // who was called in leaves
		third.asked = time.Now()
		c.step(scene.ThirdLeft, o.Order, o.by)
		return nil
	case o.by != c.agent.ID || c.agent.outside():
		return &scene.Refused{Code: scene.NoCall, Values: map[string]string{"call": c.id}}
	}
	return c.obeyAgent(ctx, o.Order, o.by)
}

// obeyAgent does what the call's agent asks, by the desk or by a feature code.
func (c *call) obeyAgent(ctx context.Context, o scene.Order, by string) error {
	if _, _, possible := c.state.After(o.Act); !possible || !o.Act.Asked() {
		return &scene.Refused{Code: scene.Impossible, Values: map[string]string{"act": string(o.Act), "scene": string(c.state.Scene)}}
	}
	switch o.Act {
	case scene.DoKeys:
		return c.sendKeys(ctx, o.Keys)
	case scene.DoConsult, scene.DoTransfer:
		third, err := c.callIn(o)
		if err != nil {
			return err
		}
		c.floor().third = third
		c.listen(third)
	}
	c.step(o.Act, o, by)
	return nil
}

// keysAtOnce bounds what is keyed with one order.
const keysAtOnce = 32

// sendKeys presses keys for whoever the agent talks with: a machine, perhaps.
func (c *call) sendKeys(ctx context.Context, keys string) error {
	if keys == "" || len(keys) > keysAtOnce || strings.Trim(keys, "0123456789*#ABCD") != "" {
		return &scene.Refused{Code: scene.BadKeys}
	}
	to := c.caller
	if !c.state.Row().Has(scene.Caller) {
		to = c.third().leg
	}
	if err := to.SendKeys(ctx, keys); err != nil {
		c.log.Warn("keys could not be pressed", "channel_id", to.ID(), "err", err)
		return &scene.Refused{Code: scene.NotNow}
	}
	return nil
}

// desks are what the calls show to their agents.
type desks struct {
	mu      sync.Mutex
	byAgent map[string]scene.Desk
	byCall  map[string][]string                   // the agents to whom a call shows something
	changed map[string]map[chan struct{}]struct{} // by agent; "": any
}

func newDesks() desks {
	return desks{byAgent: map[string]scene.Desk{}, byCall: map[string][]string{}, changed: map[string]map[chan struct{}]struct{}{}}
}

// Desk is what an agent has at hand: the call they are offered, talk in, or
// are consulted about; false where there is none.
func (s *Service) Desk(agentID string) (scene.Desk, bool) {
	s.desks.mu.Lock()
	defer s.desks.mu.Unlock()
	desk, there := s.desks.byAgent[agentID]
	if desk.Hold != nil {
		desk.Hold = scene.HoldAt(desk.Hold.Since, s.now())
	}
	return desk, there
}

// Watch tells of changes of what Desk returns, of one agent or with "" of any,
// until stop is called. The channel has room for one: who has not yet looked
// needs no second word.
func (s *Service) Watch(agentID string) (changed <-chan struct{}, stop func()) {
	d := &s.desks
	d.mu.Lock()
	defer d.mu.Unlock()
	told := make(chan struct{}, 1)
	if d.changed[agentID] == nil {
		d.changed[agentID] = map[chan struct{}]struct{}{}
	}
	d.changed[agentID][told] = struct{}{}
	return told, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.changed[agentID], told)
		if len(d.changed[agentID]) == 0 {
			delete(d.changed, agentID)
		}
	}
}

// show puts before agents what a call shows them, and takes away what it showed
// to others.
func (d *desks) show(callID string, now map[string]scene.Desk) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, agent := range d.byCall[callID] {
		if _, still := now[agent]; !still && d.byAgent[agent].ID == callID {
			delete(d.byAgent, agent)
			d.tell(agent)
		}
	}
	agents := d.byCall[callID][:0]
	for agent, desk := range now {
		d.byAgent[agent] = desk
		agents = append(agents, agent)
		d.tell(agent)
	}
	if d.byCall[callID] = agents; len(agents) == 0 {
		delete(d.byCall, callID)
	}
}

// changes tells that an agent's desk shows something else.
func (d *desks) changes(agent string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.tell(agent)
}

func (d *desks) tell(agent string) {
	for _, who := range []string{agent, ""} {
		for told := range d.changed[who] {
			select {
			case told <- struct{}{}:
			default:
			}
		}
	}
}

// show has the desks of this call's agents show it as it is.
func (c *call) show() {
	row, now := c.state.Row(), map[string]scene.Desk{}
	if row.Has(scene.Agent) && !c.agent.outside() {
		desk := c.desk(row.Shown)
		desk.Muted, desk.Acts = c.state.Muted, c.state.Acts()
		if c.state.Monitor != scene.Listening {
			desk.Monitor = c.state.Monitor
		}
		if w := c.floor().watcher; w != nil && c.state.Monitor != "" {
			desk.Watched = &scene.Watching{Agent: w.ID, Mode: c.state.Monitor}
		}
		desk.Third = c.beside()
		now[c.agent.ID] = desk
	}
	if third := c.third(); third != nil && third.ID != "" && third.leg != nil { // before, there is nothing to answer
		desk := c.desk(scene.Ringing)
		who := scene.Target{Kind: scene.ToAgent, ID: c.agent.ID}
		switch {
		case third.ID == c.agent.ID: // it is the caller who comes back
			desk.Third = c.missed()
		case row.Has(scene.Agent):
			desk.Kind, desk.Third = scene.PartThird, c.other(c.agent, who, scene.ThirdTalking)
		default:
			desk.Third = c.other(c.agent, who, scene.ThirdSent)
		}
		if third.answered {
			desk.Scene, desk.Acts = row.Shown, []scene.Act{scene.DoHangup}
		} else if third.offer != nil {
			ends := c.floor().began.Add(third.offer.RingTimeout)
			desk.RingEnds = &ends
		}
		now[third.ID] = desk
	}
	c.desks.show(c.id, now)
}

// beside is the third as the agent is shown them; nil where there is none.
func (c *call) beside() *scene.Other {
	switch third := c.third(); {
	case third == nil:
		return c.missed()
	case third.answered:
		return c.other(third, third.called.Target, scene.ThirdTalking)
	default:
		return c.other(third, third.called.Target, scene.ThirdRinging)
	}
}

// missed is who was not reached in the last step; nil for nobody.
func (c *call) missed() *scene.Other {
	if m := c.floor().missed; m != nil {
		other := c.other(m, m.called.Target, scene.ThirdMissed)
		other.Why = string(m.refused)
		return other
	}
	return nil
}

func (c *call) other(a *agentLeg, as scene.Target, state string) *scene.Other {
	return &scene.Other{Target: as, Name: a.Name, State: state, Since: c.floor().began}
}

// showOffered has the desks of those whose phones ring show what for.
func (c *call) showOffered(ringing []*agentLeg) {
	now := map[string]scene.Desk{}
	for _, a := range ringing {
		desk := c.desk(scene.Ringing)
		ends := desk.Began.Add(a.offer.RingTimeout)
		desk.RingEnds = &ends
		now[a.ID] = desk
	}
	c.desks.show(c.id, now)
}

func (c *call) showNothing() { c.desks.show(c.id, nil) }

// desk is what is the same for everybody who is shown this call.
func (c *call) desk(in scene.Name) scene.Desk {
	d := scene.Desk{
		ID: c.id, Kind: scene.PartIn, Scene: in, Number: mask(c.number), Began: c.now(), Path: c.menus.Words(c.path), Acts: []scene.Act{},
		Queue: scene.Line{ID: c.waiting.Queue, Name: c.queueName(c.waiting.Queue)}, WaitedMs: c.waited().Milliseconds(),
	}
	if c.talking != nil && in != scene.Ringing {
		answered := c.now().Add(-time.Since(c.agent.since))
		d.Began, d.Answered = c.floor().began, &answered
	}
	if c.tone != nil && in != scene.Ringing && c.state.Row().Tone { // one that is being stopped is no hold
		d.Hold = scene.HoldAt(c.now().Add(-time.Since(c.tone.started)), c.now())
	}
	return d
}

// waited is how long the caller has waited for who has them now, or is rung for
// them: in line, or with the tone since somebody has sent them on.
func (c *call) waited() time.Duration {
	switch {
	case c.agent != nil && !c.agent.parted, c.waiting.Joined.IsZero():
		return c.waitedFor
	case c.stage == stageHold:
		return c.toned()
	}
	return time.Since(c.waiting.Joined)
}

// toned is for how long the caller has had the tone by now; 0: they have none.
func (c *call) toned() time.Duration {
	if c.tone == nil {
		return 0
	}
	return time.Since(c.tone.started)
}
