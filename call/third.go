package call

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"hotline/ari"
	"hotline/call/scene"
	"hotline/queue"
)

// Entry is somebody outside whom agents may call in or transfer to: there is
// no other way to a number outside, so that nobody calls at our expense.
type Entry struct {
	ID     string
	Name   string
	Number string // as the trunk dials it
}

// directoryRing is how long a number outside is rung: it takes longer to reach
// than a desk.
const directoryRing = 30 * time.Second

// outsideAtMost is when we give up somebody outside of whom Asterisk tells
// nothing: it ends the ringing before.
const outsideAtMost = directoryRing + 5*time.Second

// roleOutside names the leg of a directory entry.
const roleOutside = "outside"

// callIn finds who is meant by a target and reserves them; nobody is rung yet.
func (c *call) callIn(o scene.Order) (*agentLeg, error) {
	target := o.Target
	if target == nil {
		return nil, &scene.Refused{Code: scene.UnknownTarget}
	}
	a := &agentLeg{called: &Called{Target: *target}}
	switch target.Kind {
	case scene.ToAgent:
		return a, c.reserve(a, target.ID)
	case scene.ToDuty:
		return a, c.reserve(a, c.o.Duty...)
	case scene.ToQueue:
		if !slices.ContainsFunc(c.queue.Rules(), func(r queue.Rules) bool { return r.ID == target.ID }) {
			break
		}
		if o.Act == scene.DoTransfer { // the caller stands in line there
			return a, nil
		}
		return a, c.reserve(a, c.readyIn(target.ID)...)
	case scene.ToDirectory:
		entry, known := c.entry(target.ID)
		if !known || c.o.Redial.Trunk == "" {
			break
		}
		a.directory, a.Name = target.ID, entry.Name
		a.called.Leg = c.session.NewID(roleOutside)
		return a, nil
	}
	return nil, unknownTarget(*target)
}

// entry is one of the directory.
func (s *Service) entry(id string) (Entry, bool) {
	if at := slices.IndexFunc(s.o.Directory, func(e Entry) bool { return e.ID == id }); at >= 0 {
		return s.o.Directory[at], true
	}
	return Entry{}, false
}

func unknownTarget(t scene.Target) error {
	return &scene.Refused{Code: scene.UnknownTarget, Values: map[string]string{"kind": t.Kind, "id": t.ID}}
}

// reserve has the queue keep the first of these agents for this call who can be
// rung. Where there is none, what is said of who is busy comes before the rest.
func (c *call) reserve(a *agentLeg, ids ...string) error {
	var self, unknown error
	state := ""
	for _, id := range ids {
		agent, known := c.queue.Agent(id)
		switch {
		case !known:
			unknown = unknownTarget(a.called.Target)
			continue
		case c.agent != nil && id == c.agent.ID && !c.agent.parted:
			self = &scene.Refused{Code: scene.Self}
			continue
		}
		offer, err := c.queue.Call(id, c.id)
		if err == nil {
			a.Profile, a.offer, a.called.Agent = agent.Profile, offer, id
			return nil
		}
		if errors.Is(err, queue.ErrHeld) {
			return err
		}
		c.log.Debug("an agent cannot be called in", "agent_id", id, "err", err)
		state = agent.State.String()
	}
	if other := cmp.Or(self, unknown); state == "" && other != nil {
		return other
	}
	values := map[string]string{"kind": a.called.Kind, "id": a.called.ID, "state": cmp.Or(state, "nobody")}
	return &scene.Refused{Code: scene.NotAvailable, Values: values}
}

// readyIn lists the agents of a queue who are ready, longest idle first.
func (c *call) readyIn(queueID string) (ids []string) {
	agents := slices.DeleteFunc(c.queue.Agents(), func(a queue.AgentView) bool {
		return a.State != queue.StateReady || a.Away || !slices.Contains(a.Queues, queueID)
	})
	slices.SortFunc(agents, func(a, b queue.AgentView) int {
		return cmp.Or(a.IdleSince.Compare(b.IdleSince), cmp.Compare(a.ID, b.ID))
	})
	for _, a := range agents {
		ids = append(ids, a.ID)
	}
	return ids
}

// ringThird has the third's phone ring where the scene wants that and it does
// not ring yet, or gives the caller a place in the queue that they are sent to.
func (c *call) ringThird(ctx context.Context) error {
	third := c.third()
	if !c.state.Row().Rings || third == nil || third.leg != nil {
		return c.playRinging(ctx)
	}
	if third.called.Kind == scene.ToQueue && third.called.Agent == "" && c.state.Scene == scene.Transferring {
		c.sendToQueue(third.called.ID)
		return nil
	}
	if third.offer == nil && !third.outside() {
		switch err := c.reserve(third, third.called.Agent); {
		case errors.Is(err, queue.ErrHeld): // just after a start
			return err
		case err != nil:
			c.step(scene.ThirdFailed, scene.Order{}, "")
			return nil
		}
	}
	if err := c.dialThird(ctx, third); err != nil {
		if ctx.Err() != nil || c.replaced() { // the talk is over, and ends this with it; or it is another process's
			return err
		}
		c.log.Warn("a third could not be rung", "agent_id", third.ID, "directory", third.directory, "err", err)
		third.failed(c.refusal(third.Profile, queue.Unreachable))
		c.step(scene.ThirdFailed, scene.Order{}, "")
		return nil
	}
	c.show()
	return c.playRinging(ctx)
}

// dialThird makes the third's leg and has it ring.
func (c *call) dialThird(ctx context.Context, third *agentLeg) error {
	made := func(leg *ari.Leg) {
		third.leg = leg
		c.agents = append(c.agents, third)
		c.listen(third)
	}
	var err error
	if third.outside() {
		err = c.dialOutside(ctx, third, made)
	} else {
		dial := ari.Dial{ID: c.legName(third.offer), Role: roleAgent, CallerName: c.shownToAgent(), CallerNumber: shown(c.number)}
		show := c.o.Browsers.Ring
		if c.state.Scene == scene.Rejoining { // they have asked for it
			show = c.o.Browsers.Take
		}
		err = c.ringAgent(ctx, third.Profile, dial, third.offer.RingTimeout, made, show)
	}
	if err != nil && third.leg != nil && ctx.Err() == nil && !c.replaced() {
		c.hangUp(ctx, third.leg, "the phone could not be dialed")
	}
	return err
}

// dialOutside calls an entry of the directory.
func (c *call) dialOutside(ctx context.Context, third *agentLeg, made func(*ari.Leg)) error {
	entry, known := c.entry(third.directory)
	if !known {
		return unknownTarget(third.called.Target)
	}
	leg, err := c.session.Create(context.WithoutCancel(ctx), ari.Dial{
		ID: third.called.Leg, Role: roleOutside, Endpoint: "PJSIP/" + entry.Number + "@" + c.o.Redial.Trunk,
		CallerName: c.o.Redial.From, CallerNumber: c.o.Redial.From,
	})
	if err != nil {
		return err
	}
	made(leg)
	third.limit = time.NewTimer(outsideAtMost)
	return leg.Dial(ctx, directoryRing)
}

// sentTo is the place in another queue of who is sent there out of a talk.
func (p Place) sentTo(id string) Place {
	return Place{Queue: id, Priority: p.Priority, Emergency: p.Emergency, Since: p.Since, Joined: time.Now()}
}

// sendToQueue gives the caller a place in another queue, with the arrival of
// before.
func (c *call) sendToQueue(id string) {
	before := c.waiting
	c.waiting = before.sentTo(id)
	ticket, err := c.join(false)
	if err != nil {
		c.log.Info("the queue that the caller was to be sent to takes nobody", "queue", id, "err", err)
		c.waiting = before
		c.step(scene.ThirdFailed, scene.Order{}, "")
		return
	}
	c.ticket = ticket
	c.step(scene.QueueTakes, scene.Order{}, "")
}

// thirdEvent follows the phone of a third.
func (c *call) thirdEvent(e ari.Event) {
	third := c.third()
	switch e.Kind {
	case ari.Ringing:
		third.rings()
	case ari.DialFailed:
		if e.Lost && endedWithin(c.ctx, lostTogether) != nil {
			return // the caller's line went with it
		}
		third.failed(c.unanswered(third.Profile, dialRefusals[e.DialStatus], e.Lost))
		c.step(scene.ThirdFailed, scene.Order{}, "")
	case ari.Answered:
		c.thirdAnswered(third)
	}
}

func (c *call) thirdAnswered(third *agentLeg) {
	if third.offer != nil && third.offer.Connected() != nil { // taken back in the same moment
		c.step(scene.ThirdFailed, scene.Order{}, "")
		return
	}
	third.answered = true
	c.step(scene.ThirdAnswered, scene.Order{}, "")
}

// thirdEnded answers the end of a third's line, or of what reserved them.
func (c *call) thirdEnded(third *agentLeg) {
	switch {
	case third.answered && third.leg.Context().Err() != nil:
		c.step(scene.ThirdLeft, scene.Order{}, "")
	case third.answered:
	case third.offer != nil && third.offer.Context().Err() != nil, third.leg != nil && third.leg.Context().Err() != nil:
		third.failed(c.unanswered(third.Profile, queue.Unreachable, third.lost())) // where its event has not said otherwise
		c.step(scene.ThirdFailed, scene.Order{}, "")
	}
}

// unheardOf fires where somebody outside should have answered long ago, or not;
// nil (never) where nobody is rung there.
func (c *call) unheardOf() <-chan time.Time {
	if third := c.third(); third != nil && third.limit != nil && !third.answered {
		return third.limit.C
	}
	return nil
}

// endThird lets go of a third who has not become the call's agent.
func (c *call) endThird(third *agentLeg, why string) {
	if third.answered && !third.parted && !third.outside() {
		third.parted = true
		c.noteAgent(third, c.queue.EndConsult(third.ID, c.id))
	}
	third.failed(queue.Cancelled)
	if third.leg != nil && third.leg.Context().Err() == nil {
		c.hangUp(c.ctx, third.leg, why)
	}
}

// dropThird lets go of the third at the end of the talk, whatever its scene.
func (c *call) dropThird() {
	if c.talking == nil || c.talking.third == nil {
		return
	}
	third := c.talking.third
	c.talking.third = nil
	c.endThird(third, "the call is over")
}

// ringing is what an agent hears while the third's phone rings.
const ringing = "tone:ring;tonezone=cn"

// playRinging has the agent, who is alone in the bridge, hear the third's phone ring.
func (c *call) playRinging(ctx context.Context) error {
	f := c.floor()
	if !c.state.Row().Rings || !c.state.Row().Has(scene.Agent) || f.ringback != nil {
		return nil
	}
	playing, err := c.bridge.Play(ctx, []string{ringing})
	if err != nil {
		c.log.Warn("the agent does not hear the other phone ring", "agent_id", c.agent.ID, "err", err)
		return nil
	}
	f.ringback = playing
	return nil
}

// stopRinging ends it before anybody else comes into the bridge.
func (c *call) stopRinging(ctx context.Context) error {
	f := c.floor()
	if f.ringback == nil || c.state.Row().Rings && c.state.Row().Has(scene.Agent) {
		return nil
	}
	if err := f.ringback.Stop(ctx); err != nil {
		return err
	}
	f.ringback = nil
	return nil
}

// rings, and what follows, tell the queue of a third's phone; a directory entry
// is nobody's.
func (a *agentLeg) rings() {
	if a.offer != nil {
		_ = a.offer.Ringing() // an offer that is over says so by its context
	}
}

// failed is that they were not reached, or are not wanted any more.
func (a *agentLeg) failed(how queue.Refusal) {
	if how != queue.Cancelled {
		a.refused = how
	}
	if a.offer != nil && !a.answered {
		a.offer.Failed(how)
	}
}

// outside says whether this is a directory entry, and no agent of ours.
func (a *agentLeg) outside() bool { return a.directory != "" }

// streams are those beside the call's in which this party's part is told.
func (a *agentLeg) streams() []string {
	if a.outside() {
		return nil
	}
	return []string{AgentStream(a.ID)}
}
