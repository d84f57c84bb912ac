package desk

import (
	"context"
	"net/netip"
	"time"

	"hotline/ari"
	"hotline/softphone"
)

// What calls ask for: the other side of call.Browsers.

// Online says whether an agent is at a browser that can be rung.
func (d *Desks) Online(agentID string) bool {
	s := d.session(agentID)
	return s != nil && s.Audio() == softphone.AudioOK
}

// Line is the endpoint of a leg for an agent's browser, to be made under this
// channel ID. It is false for an agent who is at none, and whose phone is rung.
func (d *Desks) Line(agentID, channelID string) (endpoint string, ok bool) {
	if !d.Online(agentID) {
		return "", false
	}
	l, err := d.open(agentID, channelID, netip.AddrPortFrom(d.o.Media, 0))
	if err != nil {
		d.log.Error("an agent's browser is not rung", "agent_id", agentID, "err", err)
		return "", false
	}
	return ari.External(l.port.Addr(), d.o.Codec), true
}

// Ring shows an agent the call whose leg has been made with Line's endpoint. Who
// does not answer within so long has missed it.
func (d *Desks) Ring(leg *ari.Leg, limit time.Duration) {
	d.mu.Lock()
	l := d.lines[leg.ID()]
	d.mu.Unlock()
	if l == nil {
		return
	}
	l.live(leg)
	leg.Alerted()
	d.mu.Lock()
	defer d.mu.Unlock()
	l.within(limit, l.miss)
}

// Take puts an agent through to a call that they have asked for. Where that
// fails, it rings.
func (d *Desks) Take(leg *ari.Leg, limit time.Duration) {
	d.Ring(leg, limit)
	d.background(func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, commandLimit)
		defer cancel()
		d.mu.Lock()
		l := d.lines[leg.ID()]
		d.mu.Unlock()
		if l == nil {
			return
		}
		if s := d.session(l.owner); s != nil {
			if err := d.put(ctx, s, l); err != nil && leg.Context().Err() == nil {
				d.log.Warn("an agent is not put through to the call they asked for, which rings", "agent_id", l.owner, "err", err)
			}
		}
	})
}

// Unmade gives up the line of a leg that could not be made.
func (d *Desks) Unmade(channelID string) {
	d.mu.Lock()
	l := d.lines[channelID]
	d.mu.Unlock()
	if l != nil {
		l.close()
	}
}

// Found is a leg that an earlier process made. Its sound goes to where that one
// had it sent, and its person has to be back at the browser within [goneFor];
// until then nobody hears them, so a talk is on hold. A visitor is known by the
// leg's name.
func (d *Desks) Found(owner string, leg *ari.Leg, at netip.AddrPort) {
	if owner == "" {
		owner = visitorOf(leg.ID())
	}
	if leg.Answered() {
		leg.Freeze()
	}
	d.background(func(ctx context.Context) {
		l, err := d.openAgain(ctx, owner, leg.ID(), at)
		if err != nil {
			d.log.Error("a browser's line is lost with the restart", "channel_id", leg.ID(), "err", err)
			d.abandon(ctx, leg)
			return
		}
		l.live(leg)
		leg.Alerted() // which is news only where nobody has answered
		d.mu.Lock()
		l.silent = true
		l.within(goneFor, l.giveUp)
		d.mu.Unlock()
		if s := d.session(owner); s != nil && s.Audio() == softphone.AudioOK {
			d.comes(s)
		}
	})
}

// A process that is relieved has its ports until it has left.
const (
	portAgain    = 50 * time.Millisecond
	portAgainFor = 5 * time.Second
)

// openAgain opens a port that another process may still have.
func (d *Desks) openAgain(ctx context.Context, owner, channel string, at netip.AddrPort) (l *line, err error) {
	for deadline := time.Now().Add(portAgainFor); ; {
		if l, err = d.open(owner, channel, at); err == nil || time.Now().After(deadline) {
			return l, err
		}
		select {
		case <-time.After(portAgain):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// abandon ends a leg that leads nowhere.
func (d *Desks) abandon(ctx context.Context, leg *ari.Leg) {
	ctx, cancel := context.WithTimeout(ctx, commandLimit)
	defer cancel()
	if err := leg.Abandon(ctx); err != nil {
		d.log.Warn("a leg that leads nowhere stays", "channel_id", leg.ID(), "err", err)
	}
}
