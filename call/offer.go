package call

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"hotline/ari"
	"hotline/queue"
)

// phones are those that ring for a waiting caller: one, or several in a queue
// that rings all.
type phones struct {
	*call
	ringing []*agentLeg
	taken   chan struct{} // the queue has taken an offer back; capacity 1
}

func (c *call) phones() *phones { return &phones{call: c, taken: make(chan struct{}, 1)} }

// ring rings the phone of a reserved agent. Where it cannot be rung at all the
// caller keeps the place and goes to the next.
func (p *phones) ring(ctx context.Context, o *queue.Offer) {
	a := p.offer(ctx, o)
	if a == nil {
		return
	}
	p.ringing = append(p.ringing, a)
	p.showOffered(p.ringing)
	context.AfterFunc(o.Context(), func() {
		select {
		case p.taken <- struct{}{}:
		default:
		}
	})
}

// answered follows the ringing phones through what has happened on the call: it
// returns the agent who has answered and has the caller.
func (p *phones) answered(ctx context.Context) *agentLeg {
	for event, ok := p.session.Poll(); ok; event, ok = p.session.Poll() {
		if agent := p.event(ctx, event); agent != nil {
			return agent
		}
	}
	return nil
}

// event follows them through one event.
func (p *phones) event(ctx context.Context, e ari.Event) *agentLeg {
	at := slices.IndexFunc(p.ringing, func(a *agentLeg) bool { return a.leg == e.Leg })
	if at < 0 {
		return nil
	}
	a := p.ringing[at]
	defer func() { p.showOffered(p.ringing) }()
	switch e.Kind {
	case ari.Ringing:
		_ = a.offer.Ringing() // an offer that is over says so by its context
	case ari.DialFailed:
		if e.Lost && endedWithin(ctx, lostTogether) != nil {
			return nil // the caller's line went with it
		}
		a.offer.Failed(p.unanswered(a.Profile, dialRefusals[e.DialStatus], e.Lost))
		p.ringing = slices.Delete(p.ringing, at, at+1)
	case ari.Answered:
		p.ringing = slices.Delete(p.ringing, at, at+1)
		if a.offer.Connected() == nil {
			p.stop(ctx) // the others, whom the queue has released
			return a
		}
		p.cancelOffer(ctx, a) // the queue took the offer back in the same moment
	}
	return nil
}

// dropTaken stops the phones whose offers the queue has taken back.
func (p *phones) dropTaken(ctx context.Context) {
	p.ringing = slices.DeleteFunc(p.ringing, func(a *agentLeg) bool {
		over := a.offer.Context().Err() != nil
		if over {
			p.cancelOffer(ctx, a)
		}
		return over
	})
	p.showOffered(p.ringing)
}

// stop stops every phone.
func (p *phones) stop(ctx context.Context) {
	for _, a := range p.ringing {
		p.cancelOffer(ctx, a)
	}
	p.ringing = nil
	p.showOffered(nil)
}

// roleAgent names the leg of a phone that is offered a caller.
const roleAgent = "agent"

// offer rings the reserved agent's phone. It returns nil where the phone
// cannot be rung at all; the caller then keeps the place and goes to the next.
func (c *call) offer(ctx context.Context, o *queue.Offer) *agentLeg {
	a := &agentLeg{Profile: o.Agent, offer: o}
	c.offers, c.waiting = o.Number, c.waiting.in(o.Queue) // which may be another one than they joined
	err := c.ringAgent(ctx, o.Agent, ari.Dial{
		ID:           c.legName(o), // so that the entry of the offer names the leg before it is made
		Role:         roleAgent,
		CallerName:   c.shownToAgent(),
		CallerNumber: shown(c.number),
	}, o.RingTimeout, func(leg *ari.Leg) {
		a.leg = leg
		c.agents = append(c.agents, a)
	}, c.o.Browsers.Ring)
	if err != nil && (ctx.Err() != nil || c.replaced()) {
		return a // the wait is over, and ends this offer with it; or the offer is another process's
	}
	if err != nil {
		c.log.Warn("an agent's phone could not be rung; the caller goes to the next", "agent_id", a.ID, "err", err)
		o.Failed(c.refusal(o.Agent, queue.Unreachable))
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

// againMark stands before the number of the process in the name of a leg that
// the first process of the call did not make.
const againMark = "-r"

// legName is what the leg of an offer is called. Offers of an earlier process
// that never reached the journal may have had the same number.
func (c *call) legName(o *queue.Offer) string { return c.nameAgain(o.ID) }

// nameAgain is the name of a leg that this process makes in the place of one that
// an earlier process has made, or may have.
func (c *call) nameAgain(name string) string {
	if c.run == 0 {
		return name
	}
	return fmt.Sprintf("%s%s%d", name, againMark, c.run)
}

// isLeg says whether a channel is the leg of that name, or one that was made in
// its place.
func isLeg(channelID, name string) bool {
	return channelID == name || strings.HasPrefix(channelID, name+againMark)
}

// dialRefusals are the ways a dial fails, as the queue counts them: a phone that
// is busy or says no has somebody beside it.
var dialRefusals = map[string]queue.Refusal{
	ari.DialBusy:        queue.Declined,
	ari.DialRejected:    queue.Declined,
	ari.DialNoAnswer:    queue.NoAnswer,
	ari.DialUnreachable: queue.Unreachable,
	ari.DialCancelled:   queue.Cancelled,
}

// unanswered is what the end of ringing means for an agent: nothing, where Asterisk
// has lost their line.
func (c *call) unanswered(agent queue.Profile, how queue.Refusal, lost bool) queue.Refusal {
	if lost {
		return queue.NoWay
	}
	return c.refusal(agent, how)
}

// cancelOffer stops the ringing at once: the caller left, or the queue took
// the offer back.
func (c *call) cancelOffer(ctx context.Context, a *agentLeg) {
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
