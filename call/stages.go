package call

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"hotline/ari"
	"hotline/ivr"
)

// The stages of a call, as they are journaled. What each takes to be entered
// is in [Reached]; how it is entered again, in reentry.
const (
	stageRing       = "ring"
	stageGreet      = "greet"
	stageMenu       = "menu"
	stageTurnedAway = "turned-away"
	stageMessage    = "message"
	stageWait       = "wait"
	stageTalk       = "talk"
	stageHold       = "hold"     // of a talk
	stageRedial     = "redial"   // the caller's line failed in the talk, and the agent waits
	stageReturned   = "returned" // the caller called again after the line failed
	stageRate       = "rate"
	stageFarewell   = "farewell"
	stageEnd        = "end"
)

// arrive writes a new caller down, before anything is done.
func (c *call) arrive() {
	c.name(stageRing)
	c.write(KindArrived, Arrived{
		Number: c.number, Dialled: c.exten, Channel: c.caller.ID(),
		At: c.arrived.UTC(), Since: c.since.UTC(), Machine: c.started.UTC(), ByNet: c.byNet,
	})
}

// ring lets the caller hear a ring or more, then answers: within three rings
// (B1), or at once where it is too late for that.
func (c *call) ring(ctx context.Context) (stage, error) {
	if c.found {
		if err := c.endLeftTone(ctx); err != nil {
			return nil, err
		}
	}
	if err := c.caller.Subscribe(ctx); err != nil {
		return nil, fmt.Errorf("call %s: watching the caller's channel: %w", c.id, err)
	}
	if c.answered.IsZero() {
		if err := c.answer(ctx); err != nil {
			return nil, err
		}
	}
	return c.greet, nil
}

// answer answers once the ring is over, unless that has been done: by the
// dialplan's net, or by a process that died before it could write it down.
func (c *call) answer(ctx context.Context) error {
	if !c.caller.Answered() {
		if err := pause(ctx, time.Until(c.started.Add(ringsUntil(c.o.AfterRings)))); err != nil {
			return err
		}
		if err := c.caller.Answer(ctx); err != nil {
			return fmt.Errorf("call %s: answering: %w", c.id, err)
		}
	}
	c.answered = time.Now()
	after := c.answered.Sub(c.started)
	if c.byNet {
		c.note(KindAnswered, Answered{ByNet: true, After: after.Seconds()})
		return nil
	}
	c.metrics.answered(after)
	c.note(KindAnswered, Answered{After: after.Seconds(), Rings: rings(after), Late: late(after)})
	return nil
}

// greet says hello for the hour or the festival (B2, C1), apologises when the
// answer came late (B1), says what the operator announces, and tells the
// caller about the recording before it begins.
func (c *call) greet(ctx context.Context) (stage, error) {
	c.enterSaying(Reached{Stage: stageGreet})
	greeting := c.calendar.Greeting(c.now())
	announced, _ := c.announcements.current()

	var prompts []string
	if late(c.answered.Sub(c.started)) {
		prompts = append(prompts, "apology.late")
	}
	prompts = append(prompts, greeting.Prompt, "greeting.company")
	prompts = append(prompts, announced...)
	if c.o.Record {
		prompts = append(prompts, c.o.RecordingNotice)
	}
	if !c.greeted {
		c.greeted = true
		c.note(KindGreeted, Greeted{Prompts: prompts, Festival: greeting.Festival, Why: greeting.Why})
		c.metrics.firstSound.Observe(time.Since(c.started).Seconds())
	}
	if err := c.line.Say(ctx, prompts...); err != nil {
		return nil, err
	}
	c.startRecording(ctx)
	if err := c.line.left(ctx); err != nil { // a place is kept for who calls again
		return nil, err
	}
	if back := c.returning(time.Since(c.started), anyPlace); back != nil {
		return back, nil
	}
	if reason, prompt := c.closed(); reason != "" {
		return c.turnAway(reason, prompt), nil
	}
	return c.menu, nil
}

const closedByOperator = "closed by the operator"

// closed says why the hotline is closed now, with the prompt that tells a new
// caller so: the operator's word comes before the calendar's. "" is open.
func (s *Service) closed() (reason, prompt string) {
	if _, forced := s.announcements.current(); forced != nil {
		return closedByOperator, forced.Prompt
	}
	if open, _ := s.calendar.Open(s.now()); !open {
		return "closed", "closed.hours"
	}
	return "", ""
}

// queueClosed says whether a queue takes nobody at this hour, though the hotline
// is open.
func (s *Service) queueClosed(id string) bool {
	own := s.o.Queues[id].Hours
	if own == nil {
		return false
	}
	open, _ := own.Open(s.now())
	return !open
}

// closing tells a caller, who was let in while the hotline was open, that it
// has closed meanwhile, or that the queue is closed.
func (c *call) closing() stage {
	switch reason, prompt := c.closed(); {
	case reason == closedByOperator:
		return c.turnAway(reason, prompt)
	case reason == "" && c.queueClosed(c.waiting.Queue):
		return c.turnAway("queue-closed", "queue.closed")
	}
	return c.turnAway("closing-time", "queue.closing")
}

// menu asks what the call is about.
func (c *call) menu(ctx context.Context) (stage, error) { return c.menuAt("", "")(ctx) }

// menuAt asks in one of the menus, for a caller whom these keys led there.
func (c *call) menuAt(id, path string) stage {
	return func(ctx context.Context) (stage, error) {
		menus := c.menus
		menus.At, menus.Path = id, path
		menus.Moved = func(id, path string) { c.enterSaying(Reached{Stage: stageMenu, Menu: id, Path: path}) }
		c.enterSaying(Reached{Stage: stageMenu, Menu: id, Path: path})
		choice, err := c.choose(ctx, menus)
		c.informed = choice.Informed
		if err != nil {
			return nil, err
		}
		return c.obey(choice.Action), nil
	}
}

// choose leads the caller through menus and journals the way taken.
func (c *call) choose(ctx context.Context, menus ivr.Menus) (ivr.Choice, error) {
	choice, err := menus.Choose(ctx, c.line)
	c.path = choice.Path
	c.note(KindChose, Chose{
		Path: choice.Path, Do: string(choice.Do), Target: choice.Target,
		Topic: choice.Topic, Why: string(choice.Why), Informed: choice.Informed,
	})
	return choice, err
}

// obey turns a menu's choice into the stage that serves it.
func (c *call) obey(a ivr.Action) stage {
	switch a.Do {
	case ivr.DoMessage:
		return c.message("caller's choice", ivr.Progress{})
	case ivr.DoEmergency:
		c.waiting = Place{Queue: a.Target, Priority: emergencyPriority, Emergency: true, Since: c.since}
		return c.wait
	default:
		c.waiting = Place{Queue: a.Target, Priority: a.Priority, Since: c.since}
		return c.wait
	}
}

// emergencyPriority is before every other caller's, 0.
const emergencyPriority = 100

// turnAway tells the caller why nobody can take the call now and offers to
// take a message (A4). The emergency key goes on working.
func (c *call) turnAway(reason string, prompts ...string) stage {
	return func(ctx context.Context) (stage, error) {
		c.outcome = Outcome{Result: TurnedAway, Reason: reason}
		c.enter(Reached{Stage: stageTurnedAway, Reason: reason, Prompts: prompts})
		if err := c.stopTone(ctx); err != nil {
			return nil, err
		}
		c.line.forget(slices.Collect(maps.Keys(c.menus.Emergency()))...) // the others were meant for the menu
		choice, err := c.choose(ctx, c.menus.TurnedAway(prompts...))
		switch {
		case err != nil:
			return nil, err
		case choice.Do == ivr.DoEmergency:
			c.outcome = Outcome{}
			return c.obey(choice.Action), nil
		case choice.Do == ivr.DoMessage:
			return c.message(reason, ivr.Progress{}), nil
		}
		return c.farewell, nil
	}
}

// message takes the caller's number and words (A4), from where an earlier
// process has come to.
func (c *call) message(reason string, from ivr.Progress) stage {
	return func(ctx context.Context) (stage, error) {
		at := func(p ivr.Progress) { c.enter(Reached{Stage: stageMessage, Reason: reason, Message: &p}) }
		at(from)
		if c.outcome == (Outcome{}) {
			c.outcome = Outcome{Abandoned, stageMessage} // until one is left
		}
		message, err := c.messages.Take(ctx, c.line, c.number, c.messageName(), from, at)
		if stopping(ctx) || c.replaced() {
			return nil, err
		}
		if message.Recording != "" || message.Confirmed {
			if kept := c.keepMessage(ctx, message, reason); err == nil {
				err = kept
			}
			return c.saved, err
		}
		c.dropTakes()
		return c.farewell, err
	}
}

// saved tells the caller that the message is kept.
func (c *call) saved(ctx context.Context) (stage, error) {
	c.dropTakes() // that an earlier process did not live to drop
	return c.farewell, c.line.Say(ctx, "message.saved")
}

// rate asks the caller to rate the call once the agent has left (A11). An
// agent who hung up by accident can come back while it lasts (B4).
func (c *call) rate(ctx context.Context) (stage, error) {
	c.enterSaying(Reached{Stage: stageRate, Agent: c.agent.ID})
	asking, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	back := make(chan *ari.Arrival, 1)
	stop := c.awaitBack(c.agent.ID, c.id, func(a *ari.Arrival) { back <- a; cancel(errRejoined) })
	err := c.askAndClose(asking)
	stop()
	select {
	case arrival := <-back:
		if arrival == nil {
			return c.rejoin, nil
		}
		return c.welcomeBack(c.adopt(*arrival)), nil
	default:
		return nil, err
	}
}

// askAndClose asks for the rating, if that is wanted, thanks, and says
// goodbye.
func (c *call) askAndClose(ctx context.Context) error {
	var thanks []string
	if c.o.RatingWait > 0 && c.rated == nil {
		rating, err := ivr.Rate(ctx, c.line, c.o.RatingWait, c.o.RatingTries)
		c.rated = &Rated{Score: rating.Score, Outcome: rating.Outcome}
		c.note(KindRated, c.rated, AgentStream(c.agent.ID))
		if err != nil {
			return err
		}
	}
	if c.rated != nil && c.rated.Score > 0 {
		thanks = []string{"rating.thanks"}
	}
	return c.line.Say(ctx, append(thanks, c.calendar.Closing(c.now()))...)
}

// errRejoined interrupts the farewell when the agent comes back.
var errRejoined = errors.New("the agent came back to the call")

// farewell closes by the hour (B2, C7): our side ends the call politely.
func (c *call) farewell(ctx context.Context) (stage, error) {
	c.enterSaying(Reached{Stage: stageFarewell, Outcome: &c.outcome})
	return nil, c.line.Say(ctx, c.calendar.Closing(c.now()))
}
