package call

import (
	"context"
	"errors"
	"time"

	"hotline/ari"
	"hotline/call/scene"
)

// connect gives the call to the agent who answered.
func (c *call) connect(a *agentLeg) stage {
	a.connected, a.since = true, time.Now()
	if c.waitedFor = time.Since(c.waiting.Joined); c.waiting.Joined.IsZero() {
		c.waitedFor = 0
	}
	c.agent, c.state, c.rated = a, scene.State{Scene: scene.Talking}, nil
	c.floor().third = nil // of the talk before
	return c.talk
}

// talk is the conversation: scenes follow one another by the tables of package
// scene, until one of them is its end. Whoever asks for something, and
// whatever happens to a line, is a step; converge then has Asterisk be as the
// scene wants it.
func (c *call) talk(ctx context.Context) (stage, error) {
	c.write(KindStage, c.talksWith(), c.agent.streams()...)
	looks, stop := c.watchJoined(c.id)
	defer stop()
	orders, close := c.takeOrders(c.id)
	defer close()
	defer c.showNothing()
	c.listen(c.agent)
	c.takenUp()
	again := c.reach(ctx)
	for !c.state.Row().End {
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)

		case <-c.tone.tick():
			c.tone.apologise(ctx)
			continue

		case <-c.tone.broken():
			_ = c.tone.mend(ctx) // its only error is that the talk is over
			continue

		case order := <-orders:
			order.answer <- c.obeyOrder(ctx, order)

		case <-c.session.Wake():
			for event, ok := c.session.Poll(); ok; event, ok = c.session.Poll() {
				c.happened(ctx, event)
			}

		case joined := <-looks:
			if !c.agrees(joined) {
				c.doubt = time.Now()
			}

		case <-c.floor().keypad.late():
			c.floor().keyedTooLittle()

		case <-c.unheardOf():
			c.step(scene.ThirdFailed, scene.Order{}, "")

		case <-c.floor().lines:
		case <-again:
		}
		c.linesEnded(ctx)
		again = c.reach(ctx)
	}
	c.floor().dismiss(c)
	c.dropWatcher(ctx)
	return c.talkEnds(), nil
}

// takenUp answers what has happened to lines before anybody listened.
func (c *call) takenUp() {
	if third := c.third(); third != nil && third.answered && c.state.Row().Rings {
		c.step(scene.ThirdAnswered, scene.Order{}, "")
	}
	if c.agent.leg.Held() && !c.state.Held {
		c.step(scene.PhoneHolds, scene.Order{}, "")
	}
	c.show()
}

// talksWith is the entry of a talk with the agent who has it.
func (c *call) talksWith() Reached {
	return Reached{Stage: stageTalk, Agent: c.agent.ID, Directory: c.agent.directory, Leg: c.agent.leg.ID(), From: c.agent.from}
}

// floor is what a talk has beside the caller and the agent.
type floor struct {
	third    *agentLeg     // rung, consulted, or called in; nil: there is none
	missed   *agentLeg     // who was to be the third, and was not reached in the last step
	lines    chan struct{} // a line, or an offer, has ended; capacity 1
	unsure   bool          // whether the agent is muted is not known
	muted    *ari.Leg      // that Asterisk has muted
	say      string        // what the agent is to be told next; "": nothing
	word     *ari.Playback // what the agent is told
	wordTo   *ari.Leg      // whose line that plays on
	ringback *ari.Playback // what the agent hears while the third's phone rings
	keypad   keypad
	leaving  []leaving  // who is in the talk no more
	began    time.Time  // of the scene, on the service's clock
	given    time.Time  // machine's clock: when a caller who waited last came to the agent, from a third or to one
	toldIn   scene.Name // the scene in which the caller waits, of which they have been told
	watcher  *watcher   // a supervisor; nil: there is none
}

func (c *call) floor() *floor {
	if c.talking == nil {
		c.talking = &floor{lines: make(chan struct{}, 1)}
	}
	return c.talking
}

func (c *call) third() *agentLeg { return c.floor().third }

// listen has the end of a line noticed, and of an offer.
func (c *call) listen(a *agentLeg) {
	signal := c.floor().signal
	if a.leg != nil {
		context.AfterFunc(a.leg.Context(), signal)
	}
	if a.offer != nil {
		context.AfterFunc(a.offer.Context(), signal)
	}
}

// signal says that a line, or an offer, may have ended; from any goroutine.
func (f *floor) signal() {
	select {
	case f.lines <- struct{}{}:
	default:
	}
}

// happened answers an event of one of the lines. What it means for a scene is
// the table's to say; what is impossible there is of no interest.
func (c *call) happened(ctx context.Context, e ari.Event) {
	switch third := c.third(); {
	case third != nil && e.Leg == third.leg:
		c.thirdEvent(e)
	case c.watching(e.Leg):
		c.watcherEvent(e)
	case e.Leg != c.agent.leg || !c.state.Row().Has(scene.Agent):
	case e.Kind == ari.Held, e.Kind == ari.Resumed:
		c.phoneHolds(e.Kind == ari.Held)
	case e.Kind == ari.Key && !c.agent.outside(): // whose keys are no codes
		c.key(ctx, e.Digit)
	}
}

// phoneHolds answers that the agent's phone holds the line by itself, or not: by
// its button, or because its browser is not heard.
func (c *call) phoneHolds(held bool) {
	switch {
	case held && !c.state.Held:
		c.step(scene.PhoneHolds, scene.Order{}, "")
	case !held && c.state.Held:
		c.step(scene.PhoneResumes, scene.Order{}, "")
	}
}

// linesEnded answers the ends of lines: the third's, and the agent's. Those that
// Asterisk has lost with itself are told one by one: the caller's may be next,
// and then the talk is over as it was.
func (c *call) linesEnded(ctx context.Context) {
	third := c.third()
	if lost := c.state.Row().Has(scene.Agent) && c.agent.lost() || third != nil && third.lost(); lost && endedWithin(ctx, lostTogether) != nil {
		return
	}
	if third != nil {
		c.thirdEnded(third)
	}
	for _, a := range c.agents {
		if a.connected && !a.told && a.leg.Context().Err() != nil && (a != c.agent || !c.state.Row().Has(scene.Agent)) {
			c.tellLeft(a)
		}
	}
	if c.state.Row().Has(scene.Agent) && c.agent.leg.Context().Err() != nil {
		c.step(c.leftAs(actOf(c.tellLeft(c.agent))), scene.Order{}, "")
	}
	c.watcherEnded()
}

// lostTogether is within how long all lines of an Asterisk that is gone are told
// to be lost.
const lostTogether = 200 * time.Millisecond

// lost says whether Asterisk has the agent's line no more without having said
// how it ended.
func (a *agentLeg) lost() bool {
	return a.leg != nil && a.leg.Context().Err() != nil && a.leg.Evidence().Lost
}

// metAtLeast is for how long a caller who was handed over must have had the new
// agent for a talk: who hangs up sooner did not mean this caller.
const metAtLeast = 2 * time.Second

// leftAs is what the end of the agent's line means for a caller who has only just
// come to them from a wait.
func (c *call) leftAs(act scene.Act) scene.Act {
	if _, _, possible := c.state.After(scene.NotMet); possible && act == scene.AgentLeft && time.Since(c.floor().given) < metAtLeast {
		return scene.NotMet
	}
	return act
}

// tellLeft writes down how an agent's line has ended.
func (c *call) tellLeft(a *agentLeg) Ending {
	a.told = true
	ending := judge(a.role(), c.agentFacts(a))
	c.note(KindAgentLeft, AgentLeft{Agent: a.ID, Leg: a.leg.ID(), Ending: ending}, a.streams()...)
	return ending
}

// actOf is what the end of an agent's line means: who hung up has left, whose
// line failed has not.
func actOf(e Ending) scene.Act {
	if e.Who == AgentParty && e.How == Pressed {
		return scene.AgentLeft
	}
	return scene.AgentFailed
}

// step goes on to where an act leads; false where it is impossible. The journal
// and then the queue know of it before anything is done: what only the journal
// knows the next process tells the queue.
func (c *call) step(act scene.Act, o scene.Order, by string) bool {
	was := c.state
	next, handOver, possible := was.After(act)
	if !possible {
		return false
	}
	c.state = next
	if next.Scene != was.Scene {
		c.floor().began = c.now()
	}
	if !next.Row().Tone {
		c.floor().toldIn = ""
	}
	left := c.agent
	entries := []fact{}
	if handOver {
		c.handOver()
	}
	if handOver || was.Row().End { // a talk begins, or begins again
		entries = append(entries, fact{KindStage, c.talksWith(), c.agent.streams()})
	}
	if act == scene.DoHangup { // not when we hang up for them, which is only the consequence
		c.agent.asked = time.Now()
		c.tellLeft(c.agent)
	}
	gone := c.third()
	if c.floor().missed = nil; act == scene.ThirdFailed {
		c.floor().missed = gone
	}
	switch {
	case next.Scene != was.Scene && (next.Scene == scene.Returning || next.Scene == scene.Rejoining):
		c.floor().third = c.agentBefore()
	case !next.Row().WithThird() && next.Scene != scene.Queued: // where the third is that queue
		c.floor().third = nil
	}
	c.writeAll(append(entries, fact{kind: KindScene, data: c.sceneEntry(act, o, by)})...)
	if handOver {
		c.tellHandOver(left)
	} else {
		c.tellQueue(was.Row(), next.Row())
	}
	c.name(stageOf(next.Row()))
	if gone != nil && gone != c.third() && gone != c.agent {
		c.endThird(gone, "the third is let go of")
	}
	if f := c.floor(); f.keypad.used && words[act] != "" {
		f.say = words[act]
	}
	if was.Row().Has(scene.Agent) && (left != c.agent || !next.Row().Has(scene.Agent)) {
		c.floor().leave(left)
	}
	if handOver && !c.agent.heard || act == scene.ThirdLeft && was.Row().Tone {
		c.floor().given = time.Now()
	}
	c.show()
	if handOver && c.agent.leg.Held() {
		c.step(scene.PhoneHolds, scene.Order{}, "")
	}
	return true
}

// sceneEntry is the entry of a step.
func (c *call) sceneEntry(act scene.Act, o scene.Order, by string) Scene {
	entry := Scene{State: c.state, Agent: c.agent.ID, On: act, By: by, Reason: o.Reason}
	if third := c.third(); third != nil {
		entry.Third = third.called
	}
	if w := c.floor().watcher; w != nil {
		entry.Watcher = &Watching{Agent: w.ID, Leg: w.name}
	}
	return entry
}

// tellQueue tells the queue what the agent does now.
func (c *call) tellQueue(was, is scene.Row) {
	state := map[string]func(agentID, callID string) error{"talking": c.queue.Resume, "hold": c.queue.Hold, "consult": c.queue.Consult}
	switch {
	case is.Agent == was.Agent || c.agent.outside():
	case is.Agent == "":
		c.endTalk(c.agent)
	default:
		c.noteAgent(c.agent, state[is.Agent](c.agent.ID, c.id))
	}
}

func stageOf(row scene.Row) string {
	if row.Tone {
		return stageHold
	}
	return stageTalk
}

// handOver makes the third the call's agent.
func (c *call) handOver() {
	from, to := c.agent, c.third()
	c.waitedFor = c.toned() // who asked to have them heard out has apologised for the wait in line
	c.agent, c.floor().third, c.rated = to, nil, nil
	to.connected, to.since, to.back, to.from = true, time.Now(), to.ID == from.ID && !to.outside(), from.role().leg
}

// tellHandOver tells the queue that the call's agent has it from another. Where
// nobody had the call any more they have been that for the queue since they
// answered.
func (c *call) tellHandOver(from *agentLeg) {
	switch to := c.agent; {
	case to.outside():
		c.endTalk(from)
	case from.connected && !from.parted:
		from.parted = true
		c.noteAgent(to, c.queue.HandOver(c.id, from.ID, to.ID))
	}
}

// agentBefore is the agent of before, to be rung for the caller whom they sent away.
func (c *call) agentBefore() *agentLeg {
	return &agentLeg{called: &Called{Target: scene.Target{Kind: scene.ToAgent, ID: c.agent.ID}, Agent: c.agent.ID}}
}

// talkEnds is what becomes of the caller at the end of a talk.
func (c *call) talkEnds() stage {
	switch c.state.Scene {
	case scene.LineLost:
		return c.parted(c.headOfLine("talk.line_lost"))
	case scene.InVain:
		return c.parted(c.headOfLine("transfer.in_vain"))
	case scene.Queued:
		return c.wait
	case scene.Rating:
		if c.agent.outside() {
			return c.parted(c.farewell)
		}
	}
	return c.parted(c.rate)
}

// parted takes the caller out of the talk.
func (c *call) parted(then stage) stage {
	return func(ctx context.Context) (stage, error) {
		if err := c.stopTone(ctx); err != nil {
			return nil, err
		}
		if err := c.leaveBridge(ctx); err != nil {
			return nil, err
		}
		return then, nil
	}
}

// headOfLine is for a caller who has lost an agent by no doing of their own:
// they hear an apology and go to the head of the line (A5, B4).
func (c *call) headOfLine(apology string) stage {
	return func(ctx context.Context) (stage, error) {
		if err := c.line.Say(ctx, apology); err != nil {
			return nil, err
		}
		c.waiting.Head, c.waiting.Joined = true, time.Time{}
		return c.wait, nil
	}
}

// met is called when caller and agent hear each other for the first time. The
// agent's number is said inside the bridge (C9), where it delays nobody.
func (c *call) met(ctx context.Context, a *agentLeg) {
	if a.joined {
		return
	}
	c.name(stageTalk) // until now it was a wait, or a farewell
	a.joined, c.served = true, true
	if a.back {
		c.note(KindRejoined, Talk{Agent: a.ID, Number: a.Number}, a.streams()...)
		return
	}
	talk := Talk{Agent: a.ID, Directory: a.directory, Number: a.Number, From: a.from}
	if a.from == "" {
		talk.Waited = time.Since(c.waiting.Joined).Seconds()
	}
	c.note(KindTalk, talk, a.streams()...)
	if ctx.Err() != nil || a.outside() { // the caller has left already, or there is no number to say
		return
	}
	prompts := c.speech.Agent(a.Number)
	c.said(prompts, "")
	if _, err := c.bridge.Play(ctx, c.line.files(prompts)); err != nil {
		c.log.Warn("the agent's number was not said", "agent_id", a.ID, "err", err)
	}
}

// adopt makes a leg of the call of an agent who comes back: it ends with the call,
// should the caller have left in that moment.
func (c *call) adopt(arrival ari.Arrival) *agentLeg {
	a := &agentLeg{Profile: c.agent.Profile, leg: c.session.Adopt(arrival), back: true}
	c.agents = append(c.agents, a)
	return a
}

// welcomeBack joins the caller again with the agent who hung up by accident
// and keyed the way back (B4).
func (c *call) welcomeBack(a *agentLeg) stage {
	return func(ctx context.Context) (stage, error) {
		err := errors.Join(a.leg.Subscribe(ctx), a.leg.Answer(ctx))
		if err == nil {
			err = c.takeBack(a)
		}
		if err == nil {
			return c.connect(a), nil
		}
		c.log.Warn("the agent could not come back", "agent_id", a.ID, "err", err)
		if ctx.Err() == nil && !c.replaced() {
			c.hangUp(ctx, a.leg, "the agent could not come back")
			c.askAgain()
		}
		return c.rate, nil
	}
}

// takeBack has the queue know that an agent is with the caller again. Who has been
// reserved for another meanwhile has chosen this one, and the other keeps the
// place. Who talks with the other already has to end that first.
func (c *call) takeBack(a *agentLeg) error {
	err := c.queue.Rejoin(a.ID, c.id)
	if err != nil && c.queue.Found(a.ID, c.id, c.waiting.Queue) == nil {
		return nil
	}
	return err
}

// askAgain has the rating be asked for anew, where the question was interrupted.
func (c *call) askAgain() {
	if c.rated != nil && c.rated.Score == 0 {
		c.rated = nil
	}
}

// rejoin has an agent who hung up by accident, and asks for the caller at the
// desk, be rung: the caller hears the tone meanwhile (B4).
func (c *call) rejoin(context.Context) (stage, error) {
	c.askAgain() // should nobody come back
	c.state = scene.State{Scene: scene.Rating}
	c.step(scene.DoRejoin, scene.Order{}, c.agent.ID)
	return c.talk, nil
}

// endTalk tells the queue, once, that the agent's part in this call is over.
func (c *call) endTalk(a *agentLeg) {
	if a.connected && !a.parted {
		a.parted = true
		if !a.outside() {
			c.noteAgent(a, c.queue.EndTalk(a.ID, c.id))
		}
	}
}

// noteAgent logs that the queue sees an agent otherwise than this call does;
// the talk goes on all the same.
func (c *call) noteAgent(a *agentLeg, err error) {
	if err != nil {
		c.log.Warn("the queue sees the agent otherwise", "agent_id", a.ID, "err", err)
	}
}
