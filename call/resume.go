package call

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	"hotline/ari"
	"hotline/call/scene"
	"hotline/ivr"
	"hotline/ivr/prompt"
	"hotline/queue"
)

// reentry is how each stage is entered from the journal alone. What is not here
// cannot be reached; "" is a call that has arrived and no more.
var reentry = map[string]func(*call, *standing) stage{
	"": func(c *call, _ *standing) stage {
		c.found = true // and maybe left with a tone
		return c.ring
	},
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
		arrived: left.arrived.At, since: left.arrived.since(), started: left.arrived.Machine,
		answered: left.answered, greeted: left.greeted, waiting: left.place,
		bridged: map[*ari.Leg]bool{}, lineLost: make(chan struct{}, 1), before: left.endings, seen: left.callers, served: left.served, offers: left.offers,
		parts: left.parts, informed: left.informed, left: left.left, rated: left.rated, outcome: left.outcome,
		released: left.stage.Released, path: left.path,
	}
	c.session = s.link.Reopen(c.id, c.run)
	channel, there := snap.Channels[left.channel]
	switch {
	case back != nil:
		c.caller, there = c.session.Adopt(*back), true
	case there:
		c.caller = c.takeUp(channel, "")
	default:
		c.caller = c.session.RestoreLost(left.channel)
	}
	c.line = c.newLine()
	c.line.begun = left.said
	c.enlist()
	c.takeUpRedial(left, snap)
	c.takeUpBridge(snap)
	r := &resumed{call: c, left: left, lost: !there && left.stage.Stage != stageRedial}
	r.from = c.takeUpAgents(left, snap)
	return r
}

// takeUpBridge finds the call's bridge by the call's name on it.
func (c *call) takeUpBridge(snap *ari.Snapshot) {
	for _, b := range snap.BridgesNamed(c.id) {
		if !b.Of(ear) && (c.bridge == nil || len(b.Channels) > 0) {
			c.bridge = c.session.RestoreBridge(b.ID)
		}
	}
	c.bridged[c.caller] = c.inBridge(c.caller.ID(), snap)
}

// takeUpAgents finds the legs of agents' phones, and with them the stage in
// which the call goes on: the one that was written down, except for a caller
// whose agent has answered while nobody was here, or before it was written.
func (c *call) takeUpAgents(left *standing, snap *ari.Snapshot) stage {
	stage := left.stage.Stage
	var with, third *agentLeg
	for _, channel := range legsOf(left, snap) {
		if channel.ID == c.caller.ID() || left.redial != nil && channel.ID == left.redial.Leg || left.watches(channel) {
			continue
		}
		was := channel.ID == left.stage.Leg
		agent := c.profile(left.agentOf(channel))
		a := &agentLeg{Profile: agent, leg: c.takeUp(channel, agent.ID)}
		c.agents = append(c.agents, a)
		c.bridged[a.leg] = c.inBridge(channel.ID, snap)
		switch {
		case !was && left.isThird(channel):
			third = a
		case was || left.stage.Leg == "" && with == nil && c.answeredUnseen(a, stage, channel):
			with = a
		}
	}
	switch {
	case stage == stageRedial && c.again != nil:
		return c.takeUpRedialling(left, with)
	case stage == stageTalk:
		return c.takeUpTalk(left, with, third, snap)
	case with != nil:
		if c.waiting.Queue == "" {
			c.waiting = Place{Queue: with.Queues[0], Since: c.since}
		}
		err := c.queue.Found(with.ID, c.id, c.waiting.Queue)
		c.noteAgent(with, err)
		if err == nil || c.bridged[with.leg] && c.bridged[c.caller] {
			return c.connect(with)
		} // otherwise signed out since: the phone is released, as it would have been
	case stage == stageRate:
		c.agent = &agentLeg{Profile: c.profile(left.stage.Agent), leg: c.session.RestoreLost(left.talked), parted: true, told: true}
	}
	return c.reenter(left)
}

// takeUpTalk goes on with a talk in its scene. with and third are nil where
// their legs are no more.
func (c *call) takeUpTalk(left *standing, with, third *agentLeg, snap *ari.Snapshot) stage {
	if with == nil { // whose end nobody saw, unless the journal has it
		with = &agentLeg{leg: c.session.RestoreLost(left.stage.Leg)}
		c.agents = append(c.agents, with)
	}
	with.Profile, with.directory, with.from = c.profile(left.stage.Agent), left.stage.Directory, left.stage.From
	with.joined, with.back = left.met, left.met || with.from == with.role().leg
	row := left.state.Row()
	from := c.connect(with)
	c.state, c.floor().unsure, c.floor().began = left.state, true, left.changed
	if with.told, with.judged = left.parted != nil, left.parted != nil; left.tone != nil {
		c.floor().toldIn = left.state.Scene
	}
	switch {
	case row.End && left.third != nil: // sent to a queue
		c.waiting = c.waiting.sentTo(left.third.ID)
		fallthrough
	case row.End:
		with.parted = true
		return c.talkEnds()
	case !row.Has(scene.Agent):
		with.parted, with.told = true, true
		c.floor().leave(with)
	default:
		c.noteAgent(with, c.seatAgent(with))
	}
	if row.WithThird() && left.third != nil {
		c.takeUpThird(left, third)
	}
	c.takeUpWatcher(left, snap)
	if left.parted != nil && row.Has(scene.Agent) { // told, and not yet drawn a consequence from
		return func(context.Context) (stage, error) {
			if c.step(actOf(*left.parted), scene.Order{}, ""); c.state.Row().End {
				return c.talkEnds(), nil
			}
			return from, nil
		}
	}
	return from
}

// seatAgent has the queue see this agent as the call's: who was its third, and
// was just being given the call, too.
func (c *call) seatAgent(a *agentLeg) error {
	if a.outside() {
		return nil
	}
	if view, known := c.queue.Agent(a.ID); known && view.Call == c.id && view.Third && view.With != "" {
		return c.queue.HandOver(c.id, view.With, a.ID)
	}
	return c.queue.Found(a.ID, c.id, c.waiting.Queue)
}

// takeUpThird goes on with the third of a scene: one who has answered is there,
// an agent whose phone rings is rung anew once the queue is open, and so is
// somebody outside whose phone was perhaps never dialled.
func (c *call) takeUpThird(left *standing, third *agentLeg) {
	row := left.state.Row()
	entry := left.third.Kind == scene.ToDirectory
	undialled := entry && third != nil && third.leg.Evidence().DialStatus == ""
	if third == nil {
		third = &agentLeg{}
		if entry || row.Has(scene.Third) {
			third.leg = c.session.RestoreLost(left.third.Leg)
		}
	}
	third.called = left.third
	third.answered = third.leg != nil && (third.leg.Answered() || row.Has(scene.Third))
	switch {
	case entry:
		known, _ := c.entry(left.third.ID)
		third.directory, third.Profile = left.third.ID, queue.Profile{Name: known.Name}
	default:
		third.Profile = c.profile(left.third.Agent)
	}
	if third.answered && !entry {
		found := c.queue.FoundThird
		if !row.Has(scene.Agent) {
			found = c.queue.Found
		}
		c.noteAgent(third, found(third.ID, c.id, c.waiting.Queue))
	}
	switch {
	case third.answered:
	case undialled:
		again := *left.third
		again.Leg = c.nameAgain(again.Leg)
		third = &agentLeg{Profile: third.Profile, directory: third.directory, called: &again}
	case entry:
		third.limit = time.NewTimer(outsideAtMost)
	default: // what rings is let go of before
		third = &agentLeg{Profile: third.Profile, called: third.called}
	}
	c.floor().third = third
	c.listen(third)
}

// isThird says whether a channel is that of the scene's third.
func (s *standing) isThird(channel ari.Channel) bool {
	if s.third == nil || s.stage.Stage != stageTalk {
		return false
	}
	return s.third.Leg != "" && isLeg(channel.ID, s.third.Leg) || s.third.Agent != "" && s.agentOf(channel) == s.third.Agent && slices.Contains(channel.Args, roleAgent)
}

// watches says whether a channel is the phone of a supervisor who goes on
// watching: they have answered.
func (s *standing) watches(channel ari.Channel) bool {
	return s.watcher != nil && s.state.Monitor != "" && isLeg(channel.ID, s.watcher.Leg) && channel.State == "Up"
}

// agentOf is whose phone a leg is: of one that is registered at another
// service's Asterisk only the offer tells.
func (s *standing) agentOf(channel ari.Channel) string {
	for offer, agent := range s.offered {
		if isLeg(channel.ID, offer) {
			return agent
		}
	}
	if s.watcher != nil && isLeg(channel.ID, s.watcher.Leg) {
		return s.watcher.Agent
	}
	return agentID(channel.Endpoint())
}

// inBridge says whether a channel is in the call's bridge.
func (c *call) inBridge(channelID string, snap *ari.Snapshot) bool {
	return slices.ContainsFunc(snap.BridgesNamed(c.id), func(b ari.BridgeInfo) bool { return slices.Contains(b.Channels, channelID) })
}

// answeredUnseen says whether an agent is with the caller though the journal
// does not say so: the phone was answered while nobody was here, or what was
// written of it never reached the disk.
func (c *call) answeredUnseen(a *agentLeg, stage string, channel ari.Channel) bool {
	if channel.State != "Up" || len(a.Queues) == 0 || stage == stageEnd {
		return false
	}
	return stage == stageWait || c.bridged[a.leg] && c.bridged[c.caller]
}

// reenter is the stage that was written down last. One that a later version of
// the service has written is not known here.
func (c *call) reenter(left *standing) stage {
	if enter, known := reentry[left.stage.Stage]; known {
		return enter(c, left)
	}
	return func(context.Context) (stage, error) {
		return nil, fmt.Errorf("call %s: the journal has a stage %q, which this version does not know", c.id, left.stage.Stage)
	}
}

// profile is an agent's, as far as hotline.yaml still has the agent.
func (c *call) profile(id string) queue.Profile {
	if agent, known := c.queue.Agent(id); known {
		return agent.Profile
	}
	return queue.Profile{ID: id}
}

// legsOf are the channels that were made for a call, and the leg of the agent in
// the talk: one who came back has a channel of their own making.
func legsOf(left *standing, snap *ari.Snapshot) []ari.Channel {
	legs := snap.Legs(left.id)
	own := func(c ari.Channel) bool { return c.ID == left.stage.Leg }
	if channel, there := snap.Channels[left.stage.Leg]; there && !slices.ContainsFunc(legs, own) {
		legs = append(slices.Clip(legs), channel)
	}
	return legs
}

// freeAgentsOf ends talks that the queue goes on seeing where the call, as it is
// taken up, has no such agent: the journal had one of the two facts and not yet
// the other when the process before this one died. Supervisors likewise.
func (s *Service) freeAgentsOf(taken ...*resumed) {
	calls := make(map[string]*resumed, len(taken))
	for _, r := range taken {
		calls[r.id] = r
		if was := r.left.watcher; was != nil && (r.talking == nil || r.talking.watcher == nil) {
			s.backToQueue(was.Agent)
		}
	}
	for _, agent := range s.queue.Agents() {
		r := calls[agent.Call]
		if r == nil || !agent.State.InTalk() || r.hasAgent(agent.ID) {
			continue
		}
		r.noteAgent(&agentLeg{Profile: agent.Profile}, s.endPart(agent))
	}
}

// endPart ends what an agent has in a call: their own talk, or their part as a
// third.
func (s *Service) endPart(agent queue.AgentView) error {
	if agent.Third {
		return s.queue.EndConsult(agent.ID, agent.Call)
	}
	return s.queue.EndTalk(agent.ID, agent.Call)
}

// hasAgent says whether an agent is in the call's talk.
func (c *call) hasAgent(id string) bool {
	if c.agent != nil && c.agent.connected && !c.agent.parted && c.agent.ID == id {
		return true
	}
	return c.talking != nil && c.talking.third != nil && c.talking.third.answered && c.talking.third.ID == id
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
	if r.lost {
		r.keepWords(ctx)
	}
	goesOn := func() {
		c.write(KindResumed, Resumed{Stage: c.stage, Run: c.run, Away: c.now().Sub(left.last).Seconds()})
	}
	c.follow(ctx, goesOn, func(ctx context.Context) (stage, error) {
		if err := r.settle(ctx); err != nil {
			r.keepWords(ctx)
			return nil, err
		}
		return r.from, nil
	})
}

// settle makes of what Asterisk has what the stage expects. What Asterisk
// refuses is tried again: only the caller's end ends a call that goes on.
func (r *resumed) settle(ctx context.Context) error {
	c := r.call
	for _, a := range c.agents {
		if !a.connected && (c.talking == nil || a != c.talking.third) { // a phone that rings for nobody
			c.hangUp(ctx, a.leg, "the offer was an earlier process's")
		}
	}
	c.watch(ctx)
	c.sceneNow(ctx)
	for {
		err := r.agree(ctx)
		if gone := context.Cause(ctx); gone != nil || err == nil {
			return gone
		}
		c.log.Warn("a call that was taken up is not as it should be yet, and is tried again", "err", err)
		c.suspect()
		if err := pause(ctx, sceneRetry); err != nil {
			return err
		}
	}
}

// agree takes a caller out of a bridge without an agent, and goes on with the
// hold tone of one who is in none.
func (r *resumed) agree(ctx context.Context) error {
	c := r.call
	talks := c.agent != nil && c.agent.connected
	if c.bridged[c.caller] && !talks {
		if err := c.leaveBridge(ctx); err != nil {
			return err
		}
	}
	if r.left.tone == nil || c.tone != nil {
		return nil
	}
	if c.bridged[c.caller] { // it was ended, for what was written last, and that could not be told any more
		lasted := max(r.left.changed.Sub(r.left.toneAt), 0)
		c.note(KindTone, Tone{Seconds: lasted.Seconds(), Apologies: int(lasted / prompt.HoldEvery)})
		r.left.tone = nil
		return nil
	}
	return c.takeUpTone(ctx, *r.left.tone)
}

// keepWords keeps what a caller has said of a message who is gone by now: who
// just hangs up has left it.
func (r *resumed) keepWords(ctx context.Context) {
	at := r.left.stage.Message
	if r.left.stage.Stage != stageMessage || at == nil || r.replaced() {
		return
	}
	if r.left.left != nil { // kept already
		r.dropTakes()
		return
	}
	words := ivr.Message{Number: at.Number, Confirmed: at.Confirmed}
	switch name := ivr.TakeName(r.messageName(), at.Take); {
	case at.Begun && exists(r.o.MessageFile(name)):
		words.Recording = name
	case at.Kept > 0:
		words.Recording = ivr.TakeName(r.messageName(), at.Kept)
	}
	if words.Recording == "" && !words.Confirmed {
		r.dropTakes()
		return
	}
	if err := r.keepMessage(ctx, words, r.left.stage.Reason); err != nil {
		r.log.Error("what a caller said before an outage is not kept", "err", err)
	}
}

// sceneNow asks whether the agent has the caller on hold: what the phone said
// while nobody was here is not told again. Without an answer it is as it was. Of
// a browser the leg knows.
func (c *call) sceneNow(ctx context.Context) {
	if c.agent == nil || !c.agent.connected || c.agent.parted || c.agent.leg.Context().Err() != nil {
		return
	}
	if leg := c.agent.leg; leg.External() {
		c.phoneHolds(leg.Held())
		return
	}
	held, err := c.agent.leg.GetVar(ctx, "CHANNEL(rtp,hold)")
	switch {
	case err != nil:
		c.log.Warn("whether the agent has the caller on hold is not known", "agent_id", c.agent.ID, "err", err)
	case held == "1" || held == "0":
		c.phoneHolds(held == "1")
	}
}

// stageName is how a stage is called that the journal has no entry for.
func stageName(written string) string {
	if written == "" {
		return stageRing
	}
	return written
}

// watch has the ends of the legs told that are still there. A talk goes on
// without: then an end is noticed at the next look at the latest.
func (c *call) watch(ctx context.Context) {
	legs := []*ari.Leg{c.lead()}
	for _, a := range c.agents {
		if a.connected || a.answered {
			legs = append(legs, a.leg)
		}
	}
	for _, leg := range legs {
		if leg.Context().Err() != nil {
			continue
		}
		if err := leg.Subscribe(ctx); err != nil && ctx.Err() == nil {
			c.log.Warn("the end of a leg may be seen late", "channel_id", leg.ID(), "err", err)
			c.suspect()
		}
	}
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
