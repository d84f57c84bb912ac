package call

import (
	"context"
	"fmt"
	"slices"
	"time"

	"hotline/ari"
	"hotline/call/scene"
	"hotline/queue"
)

// A supervisor listens, whispers or joins (E6). While they listen or whisper
// their phone is in a bridge of its own with a snoop on the agent's line, which
// hears both; what they whisper goes to the agent's phone alone, and not into
// the recording, which is the caller's line. Who joins is in the call's bridge.

// watcher is a supervisor in a talk.
type watcher struct {
	queue.Profile
	name     string   // the leg's
	leg      *ari.Leg // nil before it is made
	answered bool
	in       scene.Mode  // what they are for Asterisk, or are to be next; "": nothing yet
	snoop    *ari.Leg    // nil: none
	on       *ari.Leg    // whose line it is on
	ear      *ari.Bridge // of the supervisor's phone and the snoop; nil: none
}

// The roles of a supervisor's phone, and of what listens for it; ear names the
// bridge of both.
const (
	roleWatcher = "monitor"
	roleSnoop   = "snoop"
	ear         = "ear"
)

// watcherRing is how long a supervisor's phone rings, who has just asked for it.
const watcherRing = 15 * time.Second

// supervise has a supervisor listen, whisper, join or leave.
func (c *call) supervise(o order) error {
	f := c.floor()
	agent, known := c.queue.Agent(o.by)
	_, _, possible := c.state.After(o.Act)
	third := c.third()
	switch {
	case !known || o.by == c.agent.ID || third != nil && o.by == third.ID, f.watcher == nil && busy(agent.State):
		return &scene.Refused{Code: scene.NotAvailable, Values: map[string]string{"kind": scene.ToAgent, "id": o.by, "state": agent.State.String()}}
	case !possible, f.watcher != nil && f.watcher.ID != o.by:
		return &scene.Refused{Code: scene.Impossible, Values: map[string]string{"act": string(o.Act), "scene": string(c.state.Scene)}}
	}
	if f.watcher == nil {
		if err := c.takeFromQueue(agent); err != nil {
			return &scene.Refused{Code: scene.NotNow}
		}
		f.watcher = &watcher{Profile: agent.Profile}
		f.watcher.name = c.session.NewID(roleWatcher)
	}
	c.step(o.Act, o.Order, o.by)
	return nil
}

// busy says whether agents have a caller, or are offered one.
func busy(s queue.State) bool {
	return s.InTalk() || s == queue.StateReserved || s == queue.StateRinging
}

// monitoring is why a supervisor who is in somebody else's talk is offered nobody.
const monitoring = "monitoring"

// takeFromQueue has a supervisor be offered nobody who otherwise would be: they
// have one line.
func (s *Service) takeFromQueue(supervisor queue.AgentView) error {
	if supervisor.State != queue.StateReady && supervisor.State != queue.StateWrapUp {
		return nil
	}
	err := s.queue.Pause(supervisor.ID, monitoring)
	if err != nil {
		s.log.Warn("a supervisor who was to listen in is not taken from the queue", "agent_id", supervisor.ID, "err", err)
	}
	return err
}

// backToQueue undoes takeFromQueue.
func (s *Service) backToQueue(supervisorID string) {
	agent, known := s.queue.Agent(supervisorID)
	if !known || agent.State != queue.StatePaused || agent.Reason != monitoring {
		return
	}
	if err := s.queue.Ready(supervisorID); err != nil {
		s.log.Warn("a supervisor who has listened in is still paused", "agent_id", supervisorID, "err", err)
	}
}

// watching says whether a leg is a supervisor's phone, or listens for it.
func (c *call) watching(leg *ari.Leg) bool {
	w := c.floor().watcher
	return w != nil && leg != nil && (leg == w.leg || leg == w.snoop)
}

func (c *call) watcherEvent(e ari.Event) {
	if w := c.floor().watcher; e.Leg == w.leg && e.Kind == ari.Answered {
		w.answered = true
	}
}

// watcherEnded answers the end of a supervisor's line.
func (c *call) watcherEnded() {
	w := c.floor().watcher
	if w != nil && w.leg != nil && w.leg.Context().Err() != nil {
		c.step(scene.DoLeave, scene.Order{}, w.ID)
	}
}

// seatWatcher has the supervisor hear and be heard as the talk's mark wants it.
func (c *call) seatWatcher(ctx context.Context) error {
	w := c.floor().watcher
	switch {
	case w == nil:
		return nil
	case c.state.Monitor == "":
		c.dropWatcher(ctx)
		return nil
	case w.leg == nil:
		return c.ringWatcher(ctx, w)
	case !w.answered || w.leg.Context().Err() != nil || !c.state.Row().Has(scene.Agent):
		return nil
	}
	listens := w.snoop != nil && w.snoop.Context().Err() == nil && w.on == c.agent.leg
	if w.in == c.state.Monitor && (listens || w.in == scene.Barging) {
		return nil
	}
	if w.snoop != nil && w.snoop.Context().Err() == nil {
		c.hangUp(ctx, w.snoop, "the supervisor listens otherwise")
	}
	w.snoop = nil
	if w.in = c.state.Monitor; w.in == scene.Barging {
		return c.moveAll(ctx)
	}
	if err := c.moveAll(ctx); err != nil { // out of the call's bridge
		w.in = ""
		return err
	}
	if err := c.snoop(ctx, w); err != nil {
		w.in = ""
		return fmt.Errorf("call %s: listening in for %s: %w", c.id, w.ID, err)
	}
	return nil
}

// ringWatcher calls the supervisor's phone; at a browser they are there at once,
// since they have asked. Where that cannot be, there is none.
func (c *call) ringWatcher(ctx context.Context, w *watcher) error {
	err := c.ringAgent(ctx, w.Profile, ari.Dial{
		ID: w.name, Role: roleWatcher, CallerName: c.agent.Name, CallerNumber: c.agent.Number,
	}, watcherRing, func(leg *ari.Leg) {
		w.leg = leg
		context.AfterFunc(leg.Context(), c.floor().signal)
	}, c.o.Browsers.Take)
	switch {
	case err == nil:
	case ctx.Err() != nil || c.replaced():
		return err
	default:
		c.log.Warn("a supervisor's phone could not be rung", "agent_id", w.ID, "err", err)
		c.step(scene.DoLeave, scene.Order{}, w.ID)
		c.dropWatcher(ctx)
	}
	return nil
}

// snoop puts the supervisor's phone and an ear on the agent's line into one
// bridge.
func (c *call) snoop(ctx context.Context, w *watcher) (err error) {
	if w.snoop, err = c.agent.leg.Snoop(ctx, ari.Snoop{Role: roleSnoop, Whisper: w.in == scene.Whispering}); err != nil {
		return err
	}
	w.on = c.agent.leg
	if w.ear == nil {
		if w.ear, err = c.session.BridgeOf(ctx, ear, "mixing"); err != nil {
			return err
		}
	}
	return w.ear.AddKeyless(ctx, w.leg, w.snoop)
}

// dropWatcher lets go of a supervisor.
func (c *call) dropWatcher(ctx context.Context) {
	if c.talking == nil || c.talking.watcher == nil {
		return
	}
	w := c.talking.watcher
	c.talking.watcher = nil
	for _, leg := range []*ari.Leg{w.snoop, w.leg} {
		if leg != nil && leg.Context().Err() == nil {
			c.hangUp(ctx, leg, "the supervisor has left")
		}
	}
	c.backToQueue(w.ID)
	if w.leg != nil {
		delete(c.bridged, w.leg)
	}
	if w.ear != nil {
		if err := w.ear.Destroy(context.WithoutCancel(ctx)); err != nil {
			c.log.Warn("the bridge of a supervisor is left in Asterisk", "err", err)
			c.suspect()
		}
	}
}

// takeUpWatcher goes on with the supervisor of a talk that an earlier process
// had: their phone is there, the rest is made anew. One that rings, or was made
// and never dialled, is let go of before, and rung anew.
func (c *call) takeUpWatcher(left *standing, snap *ari.Snapshot) {
	was := left.watcher
	if was == nil || left.state.Monitor == "" {
		return
	}
	w := &watcher{Profile: c.profile(was.Agent), name: was.Leg}
	made := snap.Legs(c.id)
	at := slices.IndexFunc(made, left.watches)
	switch {
	case at >= 0:
		w.name, w.leg, w.answered = made[at].ID, c.takeUp(made[at], was.Agent), true
		c.bridged[w.leg] = c.inBridge(w.name, snap)
		if c.bridged[w.leg] {
			w.in = scene.Barging
		}
	case slices.ContainsFunc(made, func(channel ari.Channel) bool { return isLeg(channel.ID, was.Leg) }):
		w.name = c.nameAgain(was.Leg)
	default:
		w.leg = c.session.RestoreLost(was.Leg)
	}
	for _, b := range snap.BridgesNamed(c.id) {
		if b.Of(ear) {
			w.ear = c.session.RestoreBridge(b.ID)
		}
	}
	c.floor().watcher = w
	if w.leg != nil {
		context.AfterFunc(w.leg.Context(), c.floor().signal)
	}
}
