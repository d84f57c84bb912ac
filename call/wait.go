package call

import (
	"context"
	"errors"
	"fmt"
	"time"

	"hotline/queue"
)

// wait is the caller's place in line: the hold tone with its apology clock,
// while agents are offered the call one after the other. It ends with an
// agent, or with a spoken reason why there is none.
func (c *call) wait(ctx context.Context) (stage, error) {
	if c.waiting.Joined.IsZero() {
		c.waiting.Joined = time.Now()
	}
	if c.ticket == nil {
		c.goBackFromClosed()
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
		return nil, err
	}
	return c.inLine(ticket), nil
}

// takePlace is the caller's place in line, or the stage that says why there is
// none.
func (c *call) takePlace() (*queue.Ticket, stage, error) {
	if ticket := c.ticket; ticket != nil {
		c.ticket = nil
		return ticket, nil, nil
	}
	ticket, err := c.join(false)
	for _, refused := range refusals {
		if errors.Is(err, refused.err) {
			return nil, c.turnAway(refused.reason, refused.prompt), nil
		}
	}
	if err != nil {
		return nil, nil, fmt.Errorf("call %s: joining queue %s: %w", c.id, c.waiting.Queue, err)
	}
	return ticket, nil, nil
}

// join asks for a place in line; again says that the caller had it before.
func (c *call) join(again bool) (*queue.Ticket, error) {
	ticket, err := c.queue.Join(queue.Caller{
		ID: c.id, Queue: c.waiting.Queue, Priority: c.waiting.Priority,
		Arrived: c.waiting.Since, Head: c.waiting.Head, Prefer: c.waiting.Prefer,
		AnyHour: c.waiting.anyHour(), Offers: c.offers, Again: again, Waited: time.Since(c.waiting.Joined), Who: c.who(),
	})
	if err == nil {
		c.place = ticket
	}
	return ticket, err
}

// givePlaceUp ends a wait that came to no end of its own: the caller left, or the
// call broke, before or between the stages that know of it.
func (c *call) givePlaceUp(err error) {
	switch {
	case c.place == nil, stopping(c.ctx), c.replaced():
	case err == nil || callerGone(err):
		c.place.Leave("abandoned")
	default:
		c.place.Leave("failed")
	}
}

// shutOut says whether closing time sends this caller away.
func (c *call) shutOut() bool { return c.shutsOut(c.waiting) }

// shutsOut says whether closing time sends away who has this place.
func (s *Service) shutsOut(p Place) bool {
	reason, _ := s.closed()
	return (reason != "" || s.queueClosed(p.Queue)) && !p.anyHour()
}

// anyHour says that closing time does not concern who has this place: an
// emergency, or one who was already talking when the agent's line broke.
func (p Place) anyHour() bool { return p.Emergency || p.Head }

// goBackFromClosed has a caller who overflowed into a queue that is closed by now
// stand in the one they wanted, if that is open.
func (c *call) goBackFromClosed() {
	if c.waiting.Asked == "" || !c.shutOut() {
		return
	}
	if back := c.waiting.in(c.waiting.Asked); !c.shutsOut(back) {
		c.waiting = back
	}
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
		every := c.o.Queues[ticket.Queue()].PositionEvery
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

// inLine goes on with the wait of a caller who has a place.
func (c *call) inLine(ticket *queue.Ticket) stage {
	return func(ctx context.Context) (stage, error) { return c.untilServed(ctx, ticket) }
}

// untilServed is the wait itself: whatever happens first is answered. Thousands
// are in it at a time: what it and its callers keep on the stack is most of what
// a waiting caller costs.
func (c *call) untilServed(ctx context.Context, ticket *queue.Ticket) (stage, error) {
	phones := c.phones()
	for {
		select {
		case <-ctx.Done():
			return nil, c.leaveLine(ctx, ticket, phones)

		case offer := <-ticket.Offers():
			phones.dropTaken(ctx) // in the same moment
			phones.ring(ctx, offer)

		case <-phones.taken:
			phones.dropTaken(ctx)

		case <-ticket.Lapsed():
			phones.stop(ctx)
			return c.lapsed(ticket), nil

		case <-c.lostUnless(len(phones.ringing) > 0):
			if back := c.returning(c.noticed(), c.gains); back != nil {
				ticket.Leave("returned")
				phones.stop(ctx)
				return back, nil
			}

		case <-c.tone.tick():
			c.tone.apologise(ctx)

		case <-c.tone.broken():
			_ = c.tone.mend(ctx) // its only error is that the wait is over

		case <-c.session.Wake():
			if agent := phones.answered(ctx); agent != nil {
				return c.connect(agent), nil
			}
		}
	}
}

// leaveLine is the end of a wait in which the caller has left, or the service:
// then Asterisk keeps the caller, and the phones that ring.
func (c *call) leaveLine(ctx context.Context, ticket *queue.Ticket, phones *phones) error {
	if !stopping(ctx) && !c.replaced() {
		ticket.Leave("abandoned")
		phones.stop(ctx)
	}
	return context.Cause(ctx)
}

// lapsed gives the caller a spoken outcome where the queue ended the wait. An
// emergency is not sent away at closing time, nor who can go back to the queue
// they wanted: they take a place again, and the apology's clock goes on (C3).
func (c *call) lapsed(ticket *queue.Ticket) stage {
	c.waiting = c.waiting.in(ticket.Queue())
	c.goBackFromClosed()
	reason := ticket.LapseReason()
	switch end, known := lapses[reason]; {
	case known:
		return c.turnAway(end.reason, end.prompt)
	case reason == queue.LapseClosing && c.shutOut():
		return c.closing()
	default: // a fault of ours, or open again
		return c.wait
	}
}
