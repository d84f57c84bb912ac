package call

import (
	"context"
	"os"

	"hotline/ari"
	"hotline/ivr"
	"hotline/queue"
)

// reentry is how each stage is entered from the journal alone. What is not here
// cannot be reached; "" is a call that has arrived and no more.
var reentry = map[string]func(*call, *standing) stage{
	"":              func(c *call, _ *standing) stage { return c.ring },
	stageGreet:      func(c *call, _ *standing) stage { return c.greet },
	stageMenu:       func(c *call, s *standing) stage { return c.menuAt(s.stage.Menu, s.stage.Path) },
	stageTurnedAway: func(c *call, s *standing) stage { return c.turnAway(s.stage.Reason, s.stage.Prompts...) },
	stageMessage:    func(c *call, s *standing) stage { return c.resumeMessage(s) },
	stageWait:       func(c *call, _ *standing) stage { return c.wait },
	stageTalk:       func(c *call, _ *standing) stage { return c.talk },
	stageRedial:     func(c *call, _ *standing) stage { return c.redial },
	stageReturned:   func(c *call, _ *standing) stage { return c.returned },
	stageRate:       func(c *call, _ *standing) stage { return c.rate },
	stageFarewell:   func(c *call, _ *standing) stage { return c.farewell },
	stageEnd:        func(*call, *standing) stage { return nil },
}

// resumed is a call as an earlier process left it, with what Asterisk has of
// it. It sends nothing: whatever is to be done is for the script to do, in
// begin.
type resumed struct {
	*call
	left *standing
	from stage // where the script goes on
	lost bool  // Asterisk has the caller no more
}

// takeUp makes a call of what the journal says, and of what Asterisk has. back
// is the caller's channel coming back from the dialplan, nil where it never
// left or is no more.
func (s *Service) takeUp(left *standing, snap *ari.Snapshot, back *ari.Arrival) *resumed {
	c := &call{
		Service: s, id: left.id, run: left.runs + 1,
		log:    s.log.With("call_id", left.id),
		number: left.arrived.Number, exten: left.arrived.Dialled, byNet: left.arrived.ByNet,
		arrived: left.arrived.At, started: left.arrived.Machine,
		answered: left.answered, greeted: left.greeted, waiting: left.place,
		bridged: map[*ari.Leg]bool{}, before: left.endings, served: left.served, offers: left.offers,
		recording: left.records, informed: left.informed, left: left.left, outcome: left.outcome,
	}
	c.session = s.link.Reopen(c.id, c.run)
	channel, there := snap.Channels[left.channel]
	switch {
	case back != nil:
		c.caller, there = c.session.Adopt(*back), true
	case there:
		c.caller = c.session.Restore(channel)
	default:
		c.caller = c.session.RestoreLost(left.channel)
	}
	c.line = c.newLine()
	c.line.begun = left.said
	c.takeUpRedial(left, snap)
	c.takeUpBridge(snap)
	r := &resumed{call: c, left: left, lost: !there && left.stage.Stage != stageRedial}
	r.from = c.takeUpAgents(left, snap)
	return r
}

// takeUpBridge finds the call's bridge by the call's name on it.
func (c *call) takeUpBridge(snap *ari.Snapshot) {
	for _, b := range snap.Bridges {
		if b.Name != c.id {
			continue
		}
		if c.bridge == nil || len(b.Channels) > 0 {
			c.bridge = c.session.RestoreBridge(b.ID)
			for _, id := range b.Channels {
				if id == c.caller.ID() {
					c.bridged[c.caller] = true
				}
			}
		}
	}
}

// takeUpAgents finds the legs of agents' phones, and with them the stage in
// which the call goes on: the one that was written down, except for a caller
// whose agent has answered while nobody was here.
func (c *call) takeUpAgents(left *standing, snap *ari.Snapshot) stage {
	inBridge := map[string]bool{}
	for _, b := range snap.Bridges {
		if b.Name == c.id {
			for _, id := range b.Channels {
				inBridge[id] = true
			}
		}
	}
	stage := left.stage.Stage
	var with *agentLeg
	for _, channel := range snap.Channels {
		if !legOf(channel, c.id) || channel.ID == c.caller.ID() || left.redial != nil && channel.ID == left.redial.Leg {
			continue
		}
		leg := c.session.Restore(channel)
		a := &agentLeg{Profile: c.profile(agentID(channel.Endpoint())), leg: leg}
		c.agents = append(c.agents, a)
		c.bridged[leg] = inBridge[channel.ID]
		switch {
		case (stage == stageTalk || stage == stageRedial) && channel.ID == left.stage.Leg:
			with = a
		case stage == stageWait && a.Number != "" && channel.State == "Up" && with == nil:
			with = a // answered meanwhile
		}
	}
	switch {
	case stage == stageRedial && c.again != nil:
		return c.takeUpRedialling(left, with)
	case stage == stageTalk && left.parted != nil:
		c.agent = &agentLeg{Profile: c.profile(left.stage.Agent)}
		return c.parted(*left.parted)
	case stage == stageTalk:
		if with == nil { // whose end nobody saw
			with = &agentLeg{leg: c.session.RestoreLost(left.stage.Leg)}
			c.agents = append(c.agents, with)
		}
		with.Profile, with.joined, with.back = c.profile(left.stage.Agent), left.met, left.met
		c.noteAgent(with, c.queue.Found(with.ID, c.id, c.waiting.Queue))
		from := c.connect(with)
		c.scene = sceneOf(left.scene)
		return from
	case with != nil:
		err := c.queue.Found(with.ID, c.id, c.waiting.Queue)
		if err == nil {
			return c.connect(with)
		}
		c.noteAgent(with, err) // signed out since: the phone is released, as it would have been
	case stage == stageRate:
		c.agent = &agentLeg{Profile: c.profile(left.stage.Agent)}
	}
	return reentry[stage](c, left)
}

// profile is an agent's, as far as hotline.yaml still has the agent.
func (c *call) profile(id string) queue.Profile {
	if agent, known := c.queue.Agent(id); known {
		return agent.Profile
	}
	return queue.Profile{ID: id}
}

// legOf says whether a channel is a leg that was made for this call.
func legOf(c ari.Channel, callID string) bool {
	return c.Leg() && len(c.Args) > 1 && c.Args[1] == callID
}

// freeAgents ends talks that the queue goes on seeing where the call, as it is
// taken up, has no such agent: the journal had one of the two facts and not yet
// the other when the process before this one died.
func (r *resumed) freeAgents() {
	for _, agent := range r.queue.Agents() {
		if agent.Call != r.id || agent.State != queue.StateTalking && agent.State != queue.StateHold {
			continue
		}
		if r.agent == nil || !r.agent.connected || r.agent.ID != agent.ID {
			r.noteAgent(&agentLeg{Profile: agent.Profile}, r.queue.EndTalk(agent.ID, r.id))
		}
	}
}

// keepPlace puts a caller who waits back in line, before any agent is offered
// to anybody: at the place that the wait had.
func (r *resumed) keepPlace() {
	if r.lost || r.left.stage.Stage != stageWait || r.agent != nil {
		return
	}
	ticket, err := r.join(true)
	if err != nil {
		r.log.Warn("the caller's place is asked for anew", "err", err) // by the stage, which says why there is none
		return
	}
	r.ticket = ticket
}

// begin goes on with the call.
func (r *resumed) begin(ctx context.Context) {
	c, left := r.call, r.left
	c.name(stageName(left.stage.Stage))
	c.log.Info("a call is taken up", "stage", c.stage, "channel_id", c.caller.ID(), "lost", r.lost)
	c.follow(ctx, func(ctx context.Context) (stage, error) {
		c.write(KindResumed, Resumed{Stage: c.stage, Run: c.run, Away: c.now().Sub(left.last).Seconds()})
		for _, a := range c.agents {
			if !a.connected { // a phone that rings for nobody
				c.hangUp(ctx, a.leg, "the offer was an earlier process's")
			}
		}
		if err := c.watch(ctx); err != nil {
			return nil, err
		}
		c.sceneNow(ctx)
		if c.bridged[c.caller] && (c.agent == nil || !c.agent.connected) {
			if err := c.leaveBridge(ctx); err != nil {
				return nil, err
			}
		}
		if left.tone != nil {
			if err := c.takeUpTone(ctx, *left.tone); err != nil {
				return nil, err
			}
		}
		return r.from, nil
	})
}

// sceneNow asks whether the agent has the caller on hold: what the phone said
// while nobody was here is not told again. Without an answer it is as it was.
func (c *call) sceneNow(ctx context.Context) {
	if c.agent == nil || !c.agent.connected || c.agent.leg.Context().Err() != nil {
		return
	}
	held, err := c.agent.leg.GetVar(ctx, "CHANNEL(rtp,hold)")
	switch {
	case err != nil:
		c.log.Warn("whether the agent has the caller on hold is not known", "agent_id", c.agent.ID, "err", err)
	case held == "1" && c.scene != onHold:
		c.scene = onHold
		c.changed(c.agent, onHold)
	case held == "0" && c.scene == onHold:
		c.scene = talking
		c.changed(c.agent, talking)
	}
}

// stageName is how a stage is called that the journal has no entry for.
func stageName(written string) string {
	if written == "" {
		return stageRing
	}
	return written
}

// watch has the ends of the legs told that are still there.
func (c *call) watch(ctx context.Context) error {
	for _, a := range c.agents {
		if a.connected && a.leg.Context().Err() == nil {
			if err := a.leg.Subscribe(ctx); err != nil {
				c.log.Warn("the end of the agent's leg may not be seen", "agent_id", a.ID, "err", err)
			}
		}
	}
	return c.lead().Subscribe(ctx)
}

// resumeMessage goes on taking a message where it was.
func (c *call) resumeMessage(s *standing) stage {
	if s.left != nil { // it is kept, and the caller may not have heard so
		return c.saved
	}
	var at ivr.Progress
	if s.stage.Message != nil {
		at = *s.stage.Message
	}
	if at.Begun && !at.Taken {
		c.line.leftTake = ivr.TakeName(c.messageName(), at.Take)
	}
	return c.message(s.stage.Reason, at)
}

// exists says whether there is a file.
func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
