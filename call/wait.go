package call

import (
	"context"
	"errors"
	"fmt"
	"time"

	"hotline/ari"
	"hotline/queue"
)

// wait is the caller's place in line: the hold tone with its apology clock,
// while agents are offered the call one after the other. It ends with an
// agent, or with a spoken reason why there is none.
func (c *call) wait(ctx context.Context) (stage, error) {
	if c.waiting.Joined.IsZero() {
		c.waiting.Joined = time.Now()
	}
	place := c.waiting
	c.enter(Reached{Stage: stageWait, Place: &place})
	if c.ticket == nil && c.shutOut() {
		return c.closing(), nil // closing time came while the caller was in the menu
	}
	c.line.forget()
	ticket, turned, err := c.takePlace()
	if ticket == nil {
		return turned, err
	}
	if c.shutOut() { // … or in this very moment, when the queue was closed before we joined it
		ticket.Leave(queue.LapseClosing)
		return c.closing(), nil
	}
	if err := c.keepTone(ctx, ticket); err != nil {
		err = c.explained(ctx, err)
		switch {
		case stopping(ctx), c.replaced():
		case callerGone(err):
			ticket.Leave("abandoned")
		default:
			ticket.Leave("failed")
		}
		return nil, err
	}
	return c.untilServed(ctx, ticket)
}

// takePlace is the caller's place in line, or the stage that says why there is
// none.
func (c *call) takePlace() (*queue.Ticket, stage, error) {
	if ticket := c.ticket; ticket != nil {
		c.ticket = nil
		return ticket, nil, nil
	}
	ticket, err := c.join(false)
	switch {
	case errors.Is(err, queue.ErrNobodySignedIn):
		return nil, c.turnAway("nobody-signed-in", "queue.nobody"), nil
	case errors.Is(err, queue.ErrFull):
		return nil, c.turnAway("full", "queue.full"), nil
	case err != nil:
		return nil, nil, fmt.Errorf("call %s: joining queue %s: %w", c.id, c.waiting.Queue, err)
	}
	return ticket, nil, nil
}

// join asks for a place in line; again says that the caller had it before.
func (c *call) join(again bool) (*queue.Ticket, error) {
	return c.queue.Join(queue.Caller{
		ID: c.id, Queue: c.waiting.Queue, Priority: c.waiting.Priority,
		Arrived: c.waiting.Since, Head: c.waiting.Head, Prefer: c.waiting.Prefer,
		Offers: c.offers, Again: again, Waited: time.Since(c.waiting.Joined),
	})
}

// shutOut says whether closing time sends this caller away.
func (c *call) shutOut() bool { return c.shutsOut(c.waiting) }

// shutsOut says whether closing time sends away who has this place: not an
// emergency, and not one who was already talking when the agent's line broke.
func (s *Service) shutsOut(p Place) bool {
	reason, _ := s.closed()
	return reason != "" && !p.Emergency && !p.Head
}

// keepTone starts the hold tone, or lets the one go on that the caller hears
// who only changed the place in line.
func (c *call) keepTone(ctx context.Context, ticket *queue.Ticket) error {
	if c.tone != nil {
		c.tone.spoken = c.positions(ticket)
		return nil
	}
	return c.startTone(ctx, c.positions(ticket), c.welcomeToQueue()...)
}

// welcomeToQueue is what the caller hears as the wait begins.
func (c *call) welcomeToQueue() []string {
	switch {
	case c.waiting.Head, c.waiting.Back: // the apology has been said
		return nil
	case c.waiting.Emergency:
		return []string{"emergency.connecting"}
	default:
		return []string{"queue.joined"}
	}
}

// positions tells the caller at chosen apologies how many are before and how
// long it may take (D1), so far as that can be said honestly.
func (c *call) positions(ticket *queue.Ticket) func(nth int) []string {
	return func(nth int) []string {
		every := c.o.Queues[c.waiting.Queue].PositionEvery
		if every == 0 || (nth-1)%every != 0 {
			return nil
		}
		ahead := ticket.Position() - 1
		said := c.speech.Position(ahead)
		if estimate, known := ticket.Estimate(); known {
			said = append(said, c.speech.Estimate(estimate)...)
		}
		return said
	}
}

// untilServed is the wait itself: whatever happens first is answered.
func (c *call) untilServed(ctx context.Context, ticket *queue.Ticket) (stage, error) {
	var ringing *agentLeg
	leave := func(reason string) {
		ticket.Leave(reason)
		c.cancelOffer(ctx, ringing)
	}
	for {
		select {
		case <-ctx.Done():
			if !stopping(ctx) && !c.replaced() { // Asterisk keeps the caller and the phone that rings
				leave("abandoned")
			}
			return nil, context.Cause(ctx)

		case offer := <-ticket.Offers():
			c.cancelOffer(ctx, ringing) // taken back in the same moment
			ringing = c.offer(ctx, offer)

		case <-withdrawn(ringing):
			c.cancelOffer(ctx, ringing)
			ringing = nil

		case <-ticket.Lapsed():
			leave(ticket.LapseReason())
			return c.lapsed(ticket.LapseReason()), nil

		case <-c.lostUnless(ringing != nil):
			if back := c.returning(c.noticed(), c.gains); back != nil {
				leave("returned")
				return back, nil
			}

		case <-c.tone.tick():
			if err := c.tone.apologise(ctx); err != nil {
				c.log.Warn("the plain apology plays instead of the position", "err", err)
			}

		case <-c.tone.broken():
			_ = c.tone.mend(ctx) // its only error is that the wait is over

		case <-c.session.Wake():
			for event, ok := c.session.Poll(); ok; event, ok = c.session.Poll() {
				if ringing == nil || event.Leg != ringing.leg {
					continue
				}
				switch answered, over := c.ringingEvent(ringing, event); {
				case answered && ringing.offer.Connected() == nil:
					return c.connect(ringing), nil
				case answered: // the queue took the offer back in the same moment
					c.cancelOffer(ctx, ringing)
					ringing = nil
				case over:
					ringing = nil
				}
			}
		}
	}
}

// withdrawn ends when the queue takes the offer back (the agent signed out).
func withdrawn(a *agentLeg) <-chan struct{} {
	if a == nil {
		return nil
	}
	return a.offer.Context().Done()
}

// lapsed gives the caller a spoken outcome where the queue ended the wait:
// closing time, or the last agent signed out. An emergency is not sent away:
// it takes its place again, and the apology's clock goes on (C3).
func (c *call) lapsed(reason string) stage {
	switch {
	case reason == queue.LapseUnreported, reason == queue.LapseClosing && !c.shutOut():
		return c.wait
	case reason == queue.LapseClosing:
		return c.closing()
	default:
		return c.turnAway("agents-left", "queue.signed_out")
	}
}

// offer rings the reserved agent's phone. It returns nil where the phone
// cannot be rung at all; the caller then keeps the place and goes to the next.
func (c *call) offer(ctx context.Context, o *queue.Offer) *agentLeg {
	a := &agentLeg{Profile: o.Agent, offer: o}
	c.offers = o.Number
	// Whether the leg is made must be known, even if the caller leaves meanwhile.
	leg, err := c.session.Create(context.WithoutCancel(ctx), ari.Dial{
		ID:           c.legName(o), // so that the entry of the offer names the leg before it is made
		Role:         roleAgent,
		Endpoint:     c.endpoint(o.Agent.ID),
		CallerName:   c.shownToAgent(),
		CallerNumber: shown(c.number),
	})
	if err == nil {
		a.leg = leg
		c.agents = append(c.agents, a)
		err = leg.Dial(ctx, o.RingTimeout)
	}
	if err != nil && (ctx.Err() != nil || c.replaced()) {
		return a // the wait is over, and ends this offer with it; or the offer is another process's
	}
	if err != nil {
		c.log.Warn("an agent's phone could not be rung; the caller goes to the next", "agent_id", a.ID, "err", err)
		o.Failed(queue.Unreachable)
		if a.leg != nil {
			c.hangUp(ctx, a.leg, "the phone could not be dialed")
		}
		return nil
	}
	if c.bridge == nil {
		// Made while the phone rings, so that the answer finds it ready.
		if c.bridge, err = c.session.Bridge(context.WithoutCancel(ctx), c.bridgeKind()); err != nil {
			c.log.Warn("no bridge for the call yet", "err", err) // the answer tries again
		}
	}
	return a
}

// roleAgent names the leg of a phone that is offered a caller.
const roleAgent = "agent"

// legName is what the leg of an offer is called. Offers of an earlier process
// that never reached the journal may have had the same number.
func (c *call) legName(o *queue.Offer) string {
	if c.run == 0 {
		return o.ID
	}
	return fmt.Sprintf("%s-r%d", o.ID, c.run)
}

// ringingEvent follows a ringing agent's phone.
func (c *call) ringingEvent(a *agentLeg, e ari.Event) (answered, over bool) {
	switch e.Kind {
	case ari.Ringing:
		if err := a.offer.Ringing(); err != nil {
			return false, false // its context says so too
		}
	case ari.Answered:
		return true, false
	case ari.DialFailed:
		a.offer.Failed(refusals[e.DialStatus])
		return false, true
	}
	return false, false
}

// refusals are the ways a dial fails, as the queue counts them: a phone that
// is busy or says no has somebody beside it.
var refusals = map[string]queue.Refusal{
	ari.DialBusy:        queue.Declined,
	ari.DialRejected:    queue.Declined,
	ari.DialNoAnswer:    queue.NoAnswer,
	ari.DialUnreachable: queue.Unreachable,
	ari.DialCancelled:   queue.Cancelled,
}

// cancelOffer stops the ringing at once: the caller left, or the queue took
// the offer back.
func (c *call) cancelOffer(ctx context.Context, a *agentLeg) {
	if a == nil {
		return
	}
	a.offer.Failed(queue.Cancelled)
	if a.leg != nil {
		c.hangUp(ctx, a.leg, "the offer is withdrawn")
	}
}

// hangUp ends a leg, whether or not the caller is still there.
func (c *call) hangUp(ctx context.Context, leg *ari.Leg, why string) {
	if err := leg.Hangup(context.WithoutCancel(ctx), hangupNormal, why); err != nil {
		c.log.Warn("a leg could not be hung up", "channel_id", leg.ID(), "err", err)
	}
}

// shownToAgent is what an agent's phone displays: the queue and the wait.
func (c *call) shownToAgent() string {
	waited := time.Since(c.waiting.Joined).Round(time.Second)
	return fmt.Sprintf("%s %d:%02d", c.queueName(c.waiting.Queue), int(waited.Minutes()), int(waited.Seconds())%60)
}
