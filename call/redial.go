package call

import (
	"context"
	"errors"
	"time"

	"hotline/ari"
	"hotline/call/scene"
	"hotline/ivr/prompt"
	"hotline/journal"
)

// A caller whose line fails in a talk is dialled again at once, while the agent
// stays on the line (A5, B4): once in a call, only where the operator allows
// the number, and never one who hung up. The script goes on for as long as the
// agent's leg does; when the caller answers, it goes on with the caller's new
// leg, back in the talk.

// RedialOptions say who is dialled again whose line fails. The zero value is
// nobody.
type RedialOptions struct {
	Allowed  func(number string) bool // asked right before a number is dialled; nil: none is allowed
	Trunk    string                   // the endpoint through which we dial out
	From     string                   // our own number, which the caller's phone shows
	Ring     time.Duration            // the caller's phone rings at most so long; whole seconds
	Remember time.Duration            // who calls again within it is known (returning.go); 0: nobody is
}

// endpoint is how Asterisk dials a number; false where it may not be dialled.
// There is no other way to dial one.
func (o RedialOptions) endpoint(number string) (string, bool) {
	if o.Allowed == nil || o.Trunk == "" || number == "" || callerNumber(number) != number || !o.Allowed(number) {
		return "", false
	}
	return "PJSIP/" + number + "@" + o.Trunk, true
}

// Kinds of the entries of a redial, in the call's stream.
const (
	KindRedial    = "call.redial"    // before the dial is made
	KindRedialled = "call.redialled" // what came of it
)

// Redial is a caller about to be dialled again.
type Redial struct {
	Attempt int       `json:"attempt"` // 1: there is no other
	Number  string    `json:"number"`  // masked
	Leg     string    `json:"leg"`     // the channel that is about to be made
	Agent   string    `json:"agent"`   // who stays on the line
	Ending  Ending    `json:"ending"`  // of the leg that failed
	Machine time.Time `json:"machine"` // on the machine's clock
}

// Redialled is what came of a redial.
type Redialled struct {
	Leg     string `json:"leg"`
	Agent   string `json:"agent"`
	Outcome string `json:"outcome"`
}

// Outcomes of a redial.
const (
	RedialAnswered    = "answered"
	RedialBusy        = "busy"
	RedialRejected    = "rejected"
	RedialNoAnswer    = "no-answer"
	RedialUnreachable = "unreachable"
	RedialAgentLeft   = "agent-left" // before the caller answered
	RedialLost        = "lost"       // what came of the dial was not seen
	RedialFailed      = "failed"     // we could not dial
)

// redialOutcomes are the ways in which a dial fails.
var redialOutcomes = map[string]string{
	ari.DialBusy: RedialBusy, ari.DialRejected: RedialRejected, ari.DialNoAnswer: RedialNoAnswer, ari.DialUnreachable: RedialUnreachable,
}

// redialGrace is how much later than Asterisk's own time-out a dial is given
// up that nothing is told of.
const redialGrace = 2 * time.Second

// roleCaller names the leg of a caller whom we have dialled.
const roleCaller = "caller"

// Legs, as their endings name them.
const (
	legAgent       = "agent " // and who
	legCaller      = "caller"
	legCallerAgain = "caller again" // after a redial
)

// redialled is the one redial of a call.
type redialled struct {
	Redial
	outcome string   // "" while it is open
	leg     *ari.Leg // nil before it is made
	joins   bool     // the caller has just answered, and the script is to go on with the talk
}

func (a *redialled) answered() bool { return a != nil && a.outcome == RedialAnswered }

// lead is the leg with whose end the script ends: the caller's, or while the
// caller is being dialled the agent's.
func (c *call) lead() *ari.Leg {
	if c.again == nil || c.again.answered() || c.agent == nil {
		return c.caller
	}
	return c.agent.leg
}

// goOn says where a script goes on that has come to its end: a caller whose
// line failed in the talk is dialled again, one who has answered that talks
// on. nil: the call is over.
func (c *call) goOn(err error) stage {
	switch again := c.again; {
	case again != nil && again.joins:
		again.joins = false
		return c.comeBack
	case again != nil && again.outcome == "" && !stopping(c.ctx) && !c.replaced(): // its stage could not even begin, or broke
		c.closeRedial(c.whyNoRedial())
	case again == nil && callerGone(err) && c.mayRedial() && c.meanToRedial():
		return c.redial
	}
	return nil
}

// whyNoRedial is the outcome of a redial whose stage came to no end.
func (c *call) whyNoRedial() string {
	if c.agent.leg.Context().Err() != nil {
		return RedialAgentLeft
	}
	return RedialFailed
}

// mayRedial says whether the caller, who is gone, is to be dialled again: the
// line failed, in a talk, they have not called again since it can have gone dead,
// and the agent is still there.
func (c *call) mayRedial() bool {
	if c.stage != stageTalk && c.stage != stageHold || c.caller.Context().Err() == nil || c.Service.ctx.Err() != nil || c.replaced() {
		return false
	}
	ending := c.callerEnding()
	_, allowed := c.o.Redial.endpoint(c.number)
	return ending.Who == CallerParty && ending.How == LineFailed && allowed && !c.calledAgain(ending.Facts.Gone.Add(-c.noticed())) &&
		c.state.Row().Has(scene.Agent) && c.agent.joined && !c.agent.outside() && c.agent.leg.Context().Err() == nil
}

// meanToRedial writes down that the caller is about to be dialled. Where that
// cannot be kept, nobody is dialled: it would not be known after a crash.
func (c *call) meanToRedial() bool {
	if third := c.third(); third != nil { // the agent is to be there for the caller alone
		c.step(scene.ThirdLeft, scene.Order{}, "")
		c.step(scene.ThirdFailed, scene.Order{}, "")
	}
	a := &redialled{Redial: Redial{
		Attempt: 1, Number: mask(c.number), Leg: c.session.NewID(roleCaller),
		Agent: c.agent.ID, Ending: c.callerEnding(), Machine: time.Now(),
	}}
	c.noteAll(c.forgetTone()...) // which the caller heard until the line failed
	err := c.writeDurably(
		journal.NewEntry(KindStage, Reached{Stage: stageRedial, Agent: c.agent.ID, Leg: c.agent.leg.ID()}, Stream(c.id), AgentStream(c.agent.ID)),
		journal.NewEntry(KindRedial, a.Redial, Stream(c.id), AgentStream(c.agent.ID)),
	)
	if err != nil {
		c.log.Error("the caller is not dialled again, since that cannot be written down", "err", err)
		return false
	}
	delete(c.bridged, c.caller)
	c.before = append(c.before, a.Ending)
	c.again = a
	return true
}

// writeDurably appends entries of what must not be done unless it is known to
// have been meant.
func (c *call) writeDurably(entries ...journal.Entry) error {
	for i := range entries {
		entries[i].At = c.now().UTC()
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.ctx), journalLimit)
	defer cancel()
	seq, err := c.journal.AppendDurable(ctx, entries...)
	if errors.Is(err, journal.ErrFenced) {
		c.giveUp()
	}
	c.wrote(seq)
	return err
}

// redial rings the caller, or waits for one whom an earlier process rings; the
// agent hears what goes on.
func (c *call) redial(ctx context.Context) (stage, error) {
	c.name(stageRedial)
	if c.again.outcome == "" {
		outcome := c.dialAgain(ctx)
		if outcome == "" {
			outcome = c.untilAnswered(ctx)
		}
		if stopping(ctx) || c.replaced() {
			return nil, context.Cause(ctx)
		}
		c.closeRedial(outcome)
	}
	switch c.again.outcome {
	case RedialAnswered:
		c.caller = c.again.leg
		c.line = c.newLine()
		c.again.joins = true
	case RedialAgentLeft:
		c.tellLeft(c.agent)
		c.endTalk(c.agent)
	default:
		return nil, c.tellInVain(ctx)
	}
	return nil, nil
}

// dialAgain dials the caller, unless that has been done, and says why it could
// not; "" where the phone is about to ring.
func (c *call) dialAgain(ctx context.Context) (failed string) {
	if c.again.leg != nil {
		return ""
	}
	endpoint, allowed := c.o.Redial.endpoint(c.number)
	if !allowed {
		return RedialFailed
	}
	leg, err := c.session.Create(context.WithoutCancel(ctx), ari.Dial{
		ID: c.again.Leg, Role: roleCaller, Endpoint: endpoint, CallerNumber: c.o.Redial.From, CallerName: c.o.Redial.From,
	})
	if err == nil {
		c.again.leg = leg
		err = leg.Dial(ctx, c.o.Redial.Ring)
	}
	var refused *ari.Error
	switch {
	case err == nil:
		c.tellRedial(ctx)
		return ""
	case ctx.Err() != nil:
		return RedialAgentLeft
	case errors.As(err, &refused) && refused.Unreachable():
		return RedialUnreachable
	}
	c.log.Error("the caller could not be dialled again", "err", err)
	return RedialFailed
}

// tellRedial tells the agent, in the bridge where it delays nothing, that the
// caller is being called; then there is the tone, so that the agent knows that
// it goes on.
func (c *call) tellRedial(ctx context.Context) {
	prompts := []string{"agent.redial"}
	for rings := time.Duration(0); rings < c.o.Redial.Ring+redialGrace; rings += prompt.HoldEvery {
		prompts = append(prompts, prompt.HoldTone(int(prompt.HoldEvery/time.Second)))
	}
	if c.bridge == nil {
		return
	}
	if _, err := c.bridge.Play(ctx, c.line.files(prompts)); err != nil && ctx.Err() == nil {
		c.log.Warn("the agent is not told that the caller is dialled again", "agent_id", c.agent.ID, "err", err)
	}
}

// untilAnswered waits for what comes of the dial.
func (c *call) untilAnswered(ctx context.Context) (outcome string) {
	leg := c.again.leg
	late := time.NewTimer(time.Until(c.again.Machine.Add(c.o.Redial.Ring + redialGrace)))
	defer late.Stop()
	for !leg.Answered() {
		select {
		case <-ctx.Done():
			return RedialAgentLeft
		case <-late.C:
			return RedialNoAnswer
		case <-c.session.Wake():
			for event, ok := c.session.Poll(); ok; event, ok = c.session.Poll() {
				if outcome := c.redialEvent(event); outcome != "" {
					return outcome
				}
			}
		}
	}
	return RedialAnswered
}

// redialEvent follows the phone that rings, and the agent's.
func (c *call) redialEvent(e ari.Event) (outcome string) {
	switch {
	case e.Leg == c.again.leg && e.Kind == ari.DialFailed && redialOutcomes[e.DialStatus] != "" && !e.Lost:
		return redialOutcomes[e.DialStatus]
	case e.Leg == c.again.leg && (e.Kind == ari.DialFailed || e.Kind == ari.Gone):
		return RedialLost
	case e.Leg == c.agent.leg && (e.Kind == ari.Held || e.Kind == ari.Resumed):
		c.happened(c.ctx, e)
		c.name(stageRedial)
	}
	return ""
}

// closeRedial writes down what came of the redial, and lets go of a phone that
// has not answered.
func (c *call) closeRedial(outcome string) {
	a := c.again
	a.outcome = outcome
	c.write(KindRedialled, Redialled{Leg: a.Leg, Agent: a.Agent, Outcome: outcome}, AgentStream(a.Agent))
	c.metrics.redials.WithLabelValues(outcome).Inc()
	c.log.Info("the caller whose line failed was dialled again", "outcome", outcome, "channel_id", a.Leg)
	if outcome != RedialAnswered && a.leg != nil && a.leg.Context().Err() == nil {
		c.hangUp(c.ctx, a.leg, "the caller did not answer the redial")
	}
}

// tellInVain tells the agent that the caller did not come back. The call is
// over then, and is listed for somebody to call back (outage.go).
func (c *call) tellInVain(ctx context.Context) error {
	if err := c.leaveBridge(ctx); err != nil {
		c.log.Warn("the agent may not hear that the caller was not reached", "agent_id", c.agent.ID, "err", err)
	}
	l := &line{session: c.session, leg: c.agent.leg, files: c.files, lasts: c.library.Total, log: c.log}
	err := l.Say(ctx, "agent.redial.failed")
	switch {
	case stopping(ctx):
		return err
	case err != nil && !callerGone(err):
		c.log.Warn("the agent was not told that the caller was not reached", "agent_id", c.agent.ID, "err", err)
	}
	return nil
}

// comeBack joins a caller who has answered the redial with the agent again,
// after the apology; meanwhile the agent hears the tone.
func (c *call) comeBack(ctx context.Context) (stage, error) {
	c.recordAgain(ctx)
	if err := c.line.Say(ctx, "redial.apology"); err != nil {
		return nil, err
	}
	if err := c.leaveBridge(ctx); err != nil { // and with it what the agent hears
		c.log.Warn("the tone goes on for a while as caller and agent talk again", "err", err)
	}
	c.name(stageOf(c.state.Row()))
	c.sceneNow(ctx) // what the agent's phone said during the apology was not listened to
	return c.talk, nil
}

// recordAgain records the caller's new leg where the old one was recorded:
// Asterisk records a channel, and this is another one.
func (c *call) recordAgain(ctx context.Context) {
	if len(c.parts) > 0 && !c.parts[len(c.parts)-1].again {
		c.record(ctx, "the caller was dialled again")
	}
}

// takeUpRedial goes on with the redial of an earlier process: nobody is dialled
// a second time, and the phone that rings is not left ringing.
func (c *call) takeUpRedial(left *standing, snap *ari.Snapshot) {
	if left.redial == nil {
		return
	}
	c.again = &redialled{Redial: *left.redial, outcome: left.redialled}
	switch channel, there := snap.Channels[c.again.Leg]; {
	case c.again.answered():
		c.again.leg = c.caller
	case there && channel.App == c.link.App():
		c.again.leg = c.session.Restore(channel)
	default: // or not yet: the command that makes it may be on its way
		c.again.leg = c.session.RestoreLost(c.again.Leg)
		c.link.HangUpStray(c.again.Leg)
	}
}

// takeUpRedialling is the stage of a call whose agent stays on the line while
// the caller is dialled; with is the agent's leg, nil where it is no more.
func (c *call) takeUpRedialling(left *standing, with *agentLeg) stage {
	if with == nil {
		with = &agentLeg{leg: c.session.RestoreLost(left.stage.Leg)}
		c.agents = append(c.agents, with)
	}
	with.Profile, with.joined, with.back = c.profile(left.stage.Agent), true, true
	c.agent, c.state = with, left.state
	if left.parted == nil { // otherwise the queue knows
		with.connected = true
		c.noteAgent(with, c.queue.Found(with.ID, c.id, c.waiting.Queue))
	}
	if c.again.answered() {
		return c.comeBack
	}
	return c.redial
}
