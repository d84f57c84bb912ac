package call

import (
	"context"
	"fmt"
	"slices"
	"time"

	"hotline/ari"
	"hotline/call/scene"
)

// sceneRetry is how soon a scene that Asterisk refused is tried again.
const sceneRetry = 500 * time.Millisecond

// reach converges on the scene. What Asterisk refuses does not end a talk: it
// goes on as it is, and the returned channel says when to try again. A line's
// end in the middle of it is seen and answered by talk.
func (c *call) reach(ctx context.Context) (again <-chan time.Time) {
	for {
		before := c.state.Scene
		err := c.converge(ctx)
		switch {
		case err == nil && c.state.Scene != before: // nobody to be rung, or a place in the queue
			continue
		case err == nil && c.state.Row().End, ctx.Err() != nil, c.lineEnded():
			return nil
		case err == nil && c.doubtful():
			return time.After(doubtLook)
		case err == nil:
			return nil
		}
		c.log.Warn("the scene is not reached and tried again", "scene", c.state.Scene, "err", err)
		return time.After(sceneRetry)
	}
}

// lineEnded says whether a line that the scene wants is no more.
func (c *call) lineEnded() bool {
	for _, leg := range c.wanted() {
		if leg.Context().Err() != nil {
			return true
		}
	}
	return false
}

// wanted are the legs that the scene has in the bridge.
func (c *call) wanted() (legs []*ari.Leg) {
	for _, party := range c.state.Row().Bridge {
		switch party {
		case scene.Caller:
			legs = append(legs, c.caller)
		case scene.Agent:
			legs = append(legs, c.agent.leg)
		case scene.Third:
			legs = append(legs, c.third().leg)
		}
	}
	if w := c.floor().watcher; w != nil && w.in == scene.Barging && w.answered {
		legs = append(legs, w.leg)
	}
	return legs
}

// converge issues the difference between what Asterisk has and the scene that
// is wanted. Order matters: Asterisk makes a channel that is playing wait
// with every other command, so the tone stops before a leg moves, and starts
// after; and nobody comes into the bridge while it rings there for the agent.
func (c *call) converge(ctx context.Context) error {
	want := c.state.Row()
	if want.End {
		return nil
	}
	if c.tone != nil && !want.Tone {
		if err := c.stopTone(ctx); err != nil {
			return err
		}
	}
	if c.bridge != nil && c.doubtful() {
		if err := c.lookWhoIsJoined(ctx); err != nil {
			return err
		}
		if c.tone == nil && want.Has(scene.Caller) && !c.bridged[c.caller] {
			if err := c.endLeftTone(ctx); err != nil { // a list that was played twice, say, keeps the caller out
				return err
			}
		}
	}
	if c.tone == nil && want.Has(scene.Caller) {
		c.keepRecording(ctx)
	}
	if err := c.stopRinging(ctx); err != nil {
		return err
	}
	if err := c.moveAll(ctx); err != nil {
		return fmt.Errorf("call %s: towards the scene %q: %w", c.id, want.Name, err)
	}
	c.floor().dismiss(c)
	if want.Has(scene.Caller) {
		c.allMet(ctx)
	}
	if want.Tone {
		if err := c.keepHolding(ctx); err != nil {
			return err
		}
	}
	if err := c.ringThird(ctx); err != nil {
		return err
	}
	if err := c.mute(ctx); err != nil {
		return err
	}
	c.sayWord(ctx)
	return c.seatWatcher(ctx)
}

// moveAll puts those into the bridge whom the scene wants there, and takes the
// others out.
func (c *call) moveAll(ctx context.Context) error {
	wanted := c.wanted()
	var in, out []*ari.Leg
	for _, leg := range wanted {
		if !c.bridged[leg] {
			in = append(in, leg)
		}
	}
	for leg := range c.bridged {
		switch {
		case leg.Context().Err() != nil:
			delete(c.bridged, leg)
		case c.bridged[leg] && !slices.Contains(wanted, leg):
			out = append(out, leg)
		}
	}
	return c.move(ctx, in, out)
}

// move puts legs into the call's bridge and takes others out. Only the
// caller's keys are for everybody: an agent's are feature codes.
func (c *call) move(ctx context.Context, in, out []*ari.Leg) (err error) {
	if c.bridge == nil {
		if c.bridge, err = c.session.Bridge(ctx, c.bridgeKind()); err != nil {
			return err
		}
	}
	if to := c.floor().wordTo; slices.Contains(in, to) || slices.Contains(out, to) { // what plays on a leg keeps it waiting
		if err := c.endWord(ctx); err != nil {
			return err
		}
	}
	if slices.Contains(out, c.caller) { // first, and by a request that waits for nobody else
		err = c.bridge.Remove(ctx, c.caller)
	}
	if others := c.butCaller(out); len(others) > 0 && err == nil {
		err = c.bridge.Remove(ctx, others...)
	}
	// Asterisk lets them hear each other before it answers: whether they talked
	// must be known, even if the caller leaves meanwhile.
	known := context.WithoutCancel(ctx)
	if agents := c.butCaller(in); len(agents) > 0 && err == nil {
		err = c.bridge.AddKeyless(known, agents...)
	}
	if slices.Contains(in, c.caller) && err == nil {
		err = c.bridge.Add(known, c.caller)
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

// butCaller are all of these legs but the caller's.
func (c *call) butCaller(legs []*ari.Leg) []*ari.Leg {
	return slices.DeleteFunc(slices.Clone(legs), func(leg *ari.Leg) bool { return leg == c.caller })
}

// allMet is called when those in the bridge hear the caller.
func (c *call) allMet(ctx context.Context) {
	c.met(ctx, c.agent)
	if third := c.third(); third != nil {
		third.heard = true
	}
}

// What a caller is told at the beginning of a scene in which they wait.
var toldWaiting = map[scene.Name]string{
	scene.Transferring: "transfer.please_wait",
	scene.Returning:    "transfer.not_reached",
}

// keepHolding has the caller hear the tone. Its clock goes on from scene to
// scene: it is the caller's (C3).
func (c *call) keepHolding(ctx context.Context) error {
	told := toldWaiting[c.state.Scene]
	if c.floor().toldIn == c.state.Scene {
		told = ""
	}
	var first []string
	if told != "" {
		first = []string{told}
	}
	var err error
	switch {
	case c.tone == nil:
		err = c.startTone(ctx, nil, first...)
	case told != "":
		err = c.tone.interrupt(ctx, first)
	}
	if err == nil {
		c.floor().toldIn = c.state.Scene
		c.show()
	}
	return err
}

// mute has Asterisk keep the agent's sound from everybody, or let it through.
func (c *call) mute(ctx context.Context) error {
	f, leg := c.floor(), c.agent.leg
	if !c.state.Row().Has(scene.Agent) || !f.unsure && (f.muted == leg) == c.state.Muted {
		return nil
	}
	if err := c.endWord(ctx); err != nil {
		return err
	}
	order := leg.Unmute
	if c.state.Muted {
		order = leg.Mute
	}
	if err := order(ctx); err != nil {
		return fmt.Errorf("call %s: muting the agent, or the opposite: %w", c.id, err)
	}
	if f.unsure, f.muted = false, nil; c.state.Muted {
		f.muted = leg
	}
	return nil
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
	for _, leg := range c.legs() {
		if slices.Contains(joined, leg.ID()) != c.bridged[leg] {
			return false
		}
	}
	return true
}

// lookWhoIsJoined asks Asterisk where the legs are.
func (c *call) lookWhoIsJoined(ctx context.Context) error {
	joined, err := c.bridge.Joined(ctx)
	if err != nil {
		return err
	}
	for _, leg := range c.legs() {
		c.bridged[leg] = slices.Contains(joined, leg.ID())
	}
	return nil
}

// legs are all lines of the talk that may be in its bridge.
func (c *call) legs() []*ari.Leg {
	legs := []*ari.Leg{c.caller, c.agent.leg}
	if third := c.third(); third != nil && third.leg != nil {
		legs = append(legs, third.leg)
	}
	if w := c.floor().watcher; w != nil && w.leg != nil {
		legs = append(legs, w.leg)
	}
	return legs
}

// legEndGrace is how much later than a refused command the event may come
// that explains it.
const legEndGrace = 2 * time.Second

// leaveBridge ends the bridge; the caller alone is left, outside of it. The
// caller leaves first: Asterisk takes legs out of a bridge that ends a moment
// after it has said that it has, and what it accepts to play in that moment it
// drops without a word (play_uri in res_stasis_playback.c: the leg still has a
// bridge, which has no such leg any more). Whether the caller leaves by this
// request or had left before it, the answer comes after that moment.
func (c *call) leaveBridge(ctx context.Context) error {
	if c.bridge == nil {
		return nil
	}
	if c.bridged[c.caller] {
		if err := c.bridge.Remove(ctx, c.caller); err != nil {
			c.log.Debug("the caller leaves the bridge with its end", "err", err)
		}
	}
	if err := c.bridge.Destroy(ctx); err != nil {
		return fmt.Errorf("call %s: leaving the bridge: %w", c.id, err) // the call's end tries again
	}
	c.bridge = nil
	clear(c.bridged)
	return nil
}
