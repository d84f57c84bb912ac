package call

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"hotline/ari"
)

// A scene is who hears whom and what plays to whom while an agent has the
// call. A command or an event maps one scene to another; converge issues the
// difference between the scene that is wanted and what Asterisk has.
type scene struct {
	name   string
	caller bool // the caller is in the bridge
	agent  bool // the agent is in the bridge
	tone   bool // the caller hears the hold tone with its apology clock
}

var (
	talking = scene{name: "talking", caller: true, agent: true}
	onHold  = scene{name: "hold", agent: true, tone: true}
)

// sceneChange is a row of the table of scenes: in this scene, this event of
// the agent's phone leads to that scene.
type sceneChange struct {
	in string
	on ari.EventKind
}

var scenes = map[sceneChange]scene{
	{talking.name, ari.Held}:   onHold,
	{onHold.name, ari.Resumed}: talking,
}

// sceneOf is a scene by its name, as it is journaled.
func sceneOf(name string) scene {
	if name == onHold.name {
		return onHold
	}
	return talking
}

// connect gives the call to the agent who answered.
func (c *call) connect(a *agentLeg) stage {
	a.connected = true
	c.agent, c.scene, c.rated = a, talking, nil
	return c.talk
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
		c.note(KindRejoined, Talk{Agent: a.ID, Number: a.Number}, AgentStream(a.ID))
		return
	}
	c.note(KindTalk, Talk{Agent: a.ID, Number: a.Number, Waited: time.Since(c.waiting.Joined).Seconds()}, AgentStream(a.ID))
	if ctx.Err() != nil {
		return // the caller has left already
	}
	prompts := c.speech.Agent(a.Number)
	c.said(prompts, "")
	if _, err := c.bridge.Play(ctx, c.line.files(prompts)); err != nil {
		c.log.Warn("the agent's number was not said", "agent_id", a.ID, "err", err)
	}
}

// talk is the conversation: the tone stops, both are in the bridge, and scenes
// follow one another until the agent leaves or the caller does.
func (c *call) talk(ctx context.Context) (stage, error) {
	agent, want := c.agent, c.scene
	c.write(KindStage, Reached{Stage: stageTalk, Agent: agent.ID, Leg: agent.leg.ID()}, AgentStream(agent.ID))
	looks, stop := c.watchJoined(c.id)
	defer stop()
	again := c.reach(ctx, want)
	for {
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)

		case <-agent.leg.Context().Done():
			return c.agentLeft(agent), nil

		case <-again:
			again = c.reach(ctx, want)

		case joined := <-looks:
			if !c.agrees(joined) {
				c.doubt = time.Now()
			}
			again = c.reach(ctx, want)

		case <-c.tone.tick():
			c.tone.apologise(ctx)

		case <-c.tone.broken():
			_ = c.tone.mend(ctx) // its only error is that the talk is over

		case <-c.session.Wake():
			for event, ok := c.session.Poll(); ok; event, ok = c.session.Poll() {
				next, known := scenes[sceneChange{want.name, event.Kind}]
				if !known || event.Leg != agent.leg {
					continue
				}
				want = next
				c.changed(agent, want)
				again = c.reach(ctx, want)
			}
		}
	}
}

// changed tells the queue and the journal that another scene is wanted.
func (c *call) changed(a *agentLeg, want scene) {
	c.name(stageOf(want))
	if want.tone {
		c.noteAgent(a, c.queue.Hold(a.ID, c.id))
	} else {
		c.noteAgent(a, c.queue.Resume(a.ID, c.id))
	}
	c.write(KindScene, Scene{Scene: want.name, Agent: a.ID})
}

func stageOf(s scene) string {
	if s.tone {
		return stageHold
	}
	return stageTalk
}

// sceneRetry is how soon a scene that Asterisk refused is tried again.
const sceneRetry = 500 * time.Millisecond

// reach converges on a scene. What Asterisk refuses does not end a talk: it
// goes on as it is, and the returned channel says when to try again. A leg's
// end in the middle of it is seen and answered by talk.
func (c *call) reach(ctx context.Context, want scene) (again <-chan time.Time) {
	err := c.converge(ctx, want)
	switch {
	case err == nil:
		if want == talking {
			c.met(ctx, c.agent)
		}
		if c.doubtful() {
			return time.After(doubtLook)
		}
		return nil
	case ctx.Err() != nil, c.agent.leg.Context().Err() != nil:
		return nil
	}
	c.log.Warn("the scene is not reached and tried again", "scene", want.name, "err", err)
	return time.After(sceneRetry)
}

// A command of which Asterisk told nothing may still be carried out, and move a
// leg away from where it is wanted: for a while it is looked where the legs are.
const (
	doubtLasts = 15 * time.Second
	doubtLook  = time.Second
)

func (c *call) doubtful() bool { return !c.doubt.IsZero() && time.Since(c.doubt) < doubtLasts }

// agrees says whether those are in the bridge whom we believe there.
func (c *call) agrees(joined []string) bool {
	return slices.Contains(joined, c.caller.ID()) == c.bridged[c.caller] &&
		slices.Contains(joined, c.agent.leg.ID()) == c.bridged[c.agent.leg]
}

// lookWhoIsJoined asks Asterisk where the legs are.
func (c *call) lookWhoIsJoined(ctx context.Context) error {
	joined, err := c.bridge.Joined(ctx)
	if err != nil {
		return err
	}
	for _, leg := range []*ari.Leg{c.caller, c.agent.leg} {
		c.bridged[leg] = slices.Contains(joined, leg.ID())
	}
	return nil
}

// legEndGrace is how much later than a refused command the event may come
// that explains it.
const legEndGrace = 2 * time.Second

// converge issues the difference between what Asterisk has and the scene that
// is wanted. Order matters: Asterisk makes a channel that is playing wait
// with every other command, so the tone stops before a leg moves, and starts
// after.
func (c *call) converge(ctx context.Context, want scene) error {
	if c.tone != nil && !want.tone {
		if err := c.stopTone(ctx); err != nil {
			return err
		}
	}
	if c.bridge != nil && c.doubtful() {
		if err := c.lookWhoIsJoined(ctx); err != nil {
			return err
		}
		if c.tone == nil && want.caller && !c.bridged[c.caller] {
			if err := c.endLeftTone(ctx); err != nil { // a list that was played twice, say, keeps the caller out
				return err
			}
		}
	}
	if c.tone == nil && want.caller {
		c.keepRecording(ctx)
	}
	var in, out []*ari.Leg
	for leg, wanted := range map[*ari.Leg]bool{c.caller: want.caller, c.agent.leg: want.agent} {
		switch {
		case wanted && !c.bridged[leg]:
			in = append(in, leg)
		case !wanted && c.bridged[leg]:
			out = append(out, leg)
		}
	}
	if err := c.move(ctx, in, out); err != nil {
		return fmt.Errorf("call %s: towards the scene %q: %w", c.id, want.name, err)
	}
	if c.tone == nil && want.tone {
		return c.startTone(ctx, nil)
	}
	return nil
}

// move puts legs into the call's bridge and takes others out.
func (c *call) move(ctx context.Context, in, out []*ari.Leg) (err error) {
	if c.bridge == nil {
		if c.bridge, err = c.session.Bridge(ctx, c.bridgeKind()); err != nil {
			return err
		}
	}
	if len(out) > 0 {
		err = c.bridge.Remove(ctx, out...)
	}
	if len(in) > 0 && err == nil {
		// Asterisk lets them hear each other before it answers: whether they talked
		// must be known, even if the caller leaves meanwhile.
		err = c.bridge.Add(context.WithoutCancel(ctx), in...)
	}
	if err != nil {
		c.doubt = time.Now()
		return err
	}
	for _, leg := range in {
		c.bridged[leg] = true
	}
	for _, leg := range out {
		delete(c.bridged, leg)
	}
	return nil
}

// agentLeft judges the end of the agent's leg, and tells the queue.
func (c *call) agentLeft(a *agentLeg) stage {
	ending := judge(a.role(), c.agentFacts(a))
	c.write(KindAgentLeft, AgentLeft{Agent: a.ID, Ending: ending}, AgentStream(a.ID))
	c.endTalk(a)
	return c.parted(ending)
}

// parted decides what the end of the agent's leg means for the caller: an
// agent who hung up leaves the caller to the rating; an agent whose line
// failed did not hang up, and the caller hears so and goes to the head of the
// line (A5, B4).
func (c *call) parted(ending Ending) stage {
	return func(ctx context.Context) (stage, error) {
		if err := c.stopTone(ctx); err != nil {
			return nil, err
		}
		if err := c.leaveBridge(ctx); err != nil {
			return nil, err
		}
		if ending.Who == AgentParty && ending.How == Pressed {
			return c.rate, nil
		}
		if err := c.line.Say(ctx, "talk.line_lost"); err != nil {
			return nil, err
		}
		c.waiting.Head, c.waiting.Joined = true, time.Time{}
		return c.wait, nil
	}
}

// leaveBridge ends the bridge; the caller alone is left, outside of it.
func (c *call) leaveBridge(ctx context.Context) error {
	if c.bridge == nil {
		return nil
	}
	if err := c.bridge.Destroy(ctx); err != nil {
		return fmt.Errorf("call %s: leaving the bridge: %w", c.id, err) // the call's end tries again
	}
	c.bridge = nil
	clear(c.bridged)
	return nil
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
		if err := errors.Join(a.leg.Subscribe(ctx), a.leg.Answer(ctx)); err != nil {
			c.log.Warn("the agent could not come back", "agent_id", a.ID, "err", err)
			return c.rate, nil
		}
		c.noteAgent(a, c.queue.Rejoin(a.ID, c.id))
		return c.connect(a), nil
	}
}

// endTalk tells the queue, once, that the agent's part in this call is over.
func (c *call) endTalk(a *agentLeg) {
	if a.connected && !a.parted {
		a.parted = true
		c.noteAgent(a, c.queue.EndTalk(a.ID, c.id))
	}
}

// noteAgent logs that the queue sees an agent otherwise than this call does;
// the talk goes on all the same.
func (c *call) noteAgent(a *agentLeg, err error) {
	if err != nil {
		c.log.Warn("the queue sees the agent otherwise", "agent_id", a.ID, "err", err)
	}
}
