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

// ring lets the caller hear a ring or more, then answers: within three rings
// (B1), or at once where it is too late for that.
func (c *call) ring(ctx context.Context) (stage, error) {
	c.enter("ring")
	c.write(KindArrived, Arrived{Number: c.number, Dialled: c.exten, Channel: c.caller.ID(), At: c.arrived.UTC()})
	if err := c.caller.Subscribe(ctx); err != nil {
		return nil, fmt.Errorf("call %s: watching the caller's channel: %w", c.id, err)
	}
	if c.found {
		if err := c.endLeftTone(ctx); err != nil {
			return nil, err
		}
	}
	if c.caller.Answered() { // by the dialplan's net, while the service was away
		c.answered = time.Now()
		c.write(KindAnswered, Answered{ByNet: true, After: time.Since(c.started).Seconds()})
		return c.greet, nil
	}
	if err := pause(ctx, time.Until(c.started.Add(ringsUntil(c.o.AfterRings)))); err != nil {
		return nil, err
	}
	if err := c.caller.Answer(ctx); err != nil {
		return nil, fmt.Errorf("call %s: answering: %w", c.id, err)
	}
	c.answered = time.Now()
	after := c.answered.Sub(c.started)
	c.metrics.answered(after)
	c.write(KindAnswered, Answered{After: after.Seconds(), Rings: rings(after), Late: late(after)})
	return c.greet, nil
}

// greet says hello for the hour or the festival (B2, C1), apologises when the
// answer came late (B1), says what the operator announces, and tells the
// caller about the recording before it begins.
func (c *call) greet(ctx context.Context) (stage, error) {
	c.enter("greet")
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
	c.write(KindGreeted, Greeted{Prompts: prompts, Festival: greeting.Festival, Why: greeting.Why})
	c.metrics.firstSound.Observe(time.Since(c.started).Seconds())
	if err := c.line.Say(ctx, prompts...); err != nil {
		return nil, err
	}
	c.startRecording(ctx)
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

// closing tells a caller, who was let in while the hotline was open, that it
// has closed meanwhile.
func (c *call) closing() stage {
	if reason, prompt := c.closed(); reason == closedByOperator {
		return c.turnAway(reason, prompt)
	}
	return c.turnAway("closing-time", "queue.closing")
}

// menu asks what the call is about.
func (c *call) menu(ctx context.Context) (stage, error) {
	c.enter("menu")
	choice, err := c.choose(ctx, c.menus)
	c.informed = choice.Informed
	if err != nil {
		return nil, err
	}
	return c.follow(choice.Action), nil
}

// choose leads the caller through menus and journals the way taken.
func (c *call) choose(ctx context.Context, menus ivr.Menus) (ivr.Choice, error) {
	choice, err := menus.Choose(ctx, c.line)
	c.write(KindChose, Chose{
		Path: choice.Path, Do: string(choice.Do), Target: choice.Target,
		Topic: choice.Topic, Why: string(choice.Why),
	})
	return choice, err
}

// follow turns a menu's choice into the stage that serves it.
func (c *call) follow(a ivr.Action) stage {
	switch a.Do {
	case ivr.DoMessage:
		return c.message("caller's choice")
	case ivr.DoEmergency:
		c.waiting = waiting{queue: a.Target, priority: emergencyPriority, emergency: true, since: c.arrived}
		return c.wait
	default:
		c.waiting = waiting{queue: a.Target, priority: a.Priority, since: c.arrived}
		return c.wait
	}
}

// emergencyPriority is before every other caller's, 0.
const emergencyPriority = 100

// turnAway tells the caller why nobody can take the call now and offers to
// take a message (A4). The emergency key goes on working.
func (c *call) turnAway(reason string, prompts ...string) stage {
	return func(ctx context.Context) (stage, error) {
		c.enter("turned-away")
		c.outcome = Outcome{Result: TurnedAway, Reason: reason}
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
			return c.follow(choice.Action), nil
		case choice.Do == ivr.DoMessage:
			return c.message(reason), nil
		}
		return c.farewell, nil
	}
}

// message takes the caller's number and words (A4).
func (c *call) message(reason string) stage {
	return func(ctx context.Context) (stage, error) {
		c.enter("message")
		if c.outcome == (Outcome{}) {
			c.outcome = Outcome{Abandoned, "message"} // until one is left
		}
		message, err := c.messages.Take(ctx, c.line, c.number, c.messageName())
		if stopping(ctx) {
			return nil, err
		}
		if message.Recording != "" || message.Confirmed {
			if kept := c.keepMessage(ctx, message, reason); err == nil {
				err = kept
			}
			if err == nil {
				err = c.line.Say(ctx, "message.saved")
			}
		} else {
			c.dropTakes()
		}
		if err != nil {
			return nil, err
		}
		return c.farewell, nil
	}
}

// rate asks the caller to rate the call once the agent has left (A11). An
// agent who hung up by accident can come back while it lasts (B4).
func (c *call) rate(ctx context.Context) (stage, error) {
	c.enter("rate")
	asking, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	back := make(chan ari.Arrival, 1)
	stop := c.awaitBack(c.agent.ID, func(a ari.Arrival) { back <- a; cancel(errRejoined) })
	err := c.askAndClose(asking)
	stop()
	select {
	case arrival := <-back:
		return c.welcomeBack(arrival), nil
	default:
		return nil, err
	}
}

// askAndClose asks for the rating, if that is wanted, thanks, and says
// goodbye.
func (c *call) askAndClose(ctx context.Context) error {
	var thanks []string
	if c.o.RatingWait > 0 {
		rating, err := ivr.Rate(ctx, c.line, c.o.RatingWait, c.o.RatingTries)
		c.write(KindRated, Rated{Score: rating.Score, Outcome: rating.Outcome}, AgentStream(c.agent.ID))
		if err != nil {
			return err
		}
		if rating.Score > 0 {
			thanks = []string{"rating.thanks"}
		}
	}
	return c.line.Say(ctx, append(thanks, c.calendar.Closing(c.now()))...)
}

// errRejoined interrupts the farewell when the agent comes back.
var errRejoined = errors.New("the agent came back to the call")

// farewell closes by the hour (B2, C7): our side ends the call politely.
func (c *call) farewell(ctx context.Context) (stage, error) {
	c.enter("farewell")
	return nil, c.line.Say(ctx, c.calendar.Closing(c.now()))
}
