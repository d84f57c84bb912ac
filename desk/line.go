package desk

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"hotline/ari"
	"hotline/softphone"
)

// line is one leg and the person at its other end. What is in it changes under
// Desks.mu; the leg's verbs may be called from anywhere.
type line struct {
	d       *Desks
	owner   string // the agent, or the visitor's session
	channel string
	port    *softphone.Port
	leg     *ari.Leg    // nil until Asterisk has made it
	plugged bool        // the port is in the browser's line, or is being put there
	silent  bool        // the browser is not heard: the call has been told that it is held
	limit   *time.Timer // until which it is to be answered, or the browser to be back; nil: no limit
	due     time.Time   // when the limit is reached, or was to be
	late    func()      // what happens then
}

// open makes a port for a leg that is about to be made.
func (d *Desks) open(owner, channel string, at netip.AddrPort) (*line, error) {
	port, err := d.gateway.Port(at)
	if err != nil {
		return nil, fmt.Errorf("a port for channel %s: %w", channel, err)
	}
	l := &line{d: d, owner: owner, channel: channel, port: port}
	d.mu.Lock()
	d.lines[channel] = l
	d.mu.Unlock()
	return l, nil
}

// live has a line end with its leg, and the port learn where Asterisk is.
func (l *line) live(leg *ari.Leg) {
	l.d.mu.Lock()
	l.leg = leg
	l.d.mu.Unlock()
	context.AfterFunc(leg.Context(), l.close)
	l.d.background(func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, commandLimit)
		defer cancel()
		at, err := leg.Sound(ctx)
		if err == nil {
			l.port.Far(at) // else it is learned from Asterisk's first packet
		} else if leg.Context().Err() == nil {
			l.d.log.Debug("where Asterisk takes a browser's sound is not known yet", "channel_id", l.channel, "err", err)
		}
	})
}

// close ends a line whose leg has ended. Its port leaves the browser's line with
// that, unless the next talk's is in its place already.
func (l *line) close() {
	l.d.mu.Lock()
	l.rest()
	delete(l.d.lines, l.channel)
	l.d.mu.Unlock()
	if s := l.d.session(l.owner); s != nil && isVisitor(l.owner) {
		s.Close(whyOver)
	}
	if err := l.port.Close(); err != nil {
		l.d.log.Warn("a browser's port could not be closed", "channel_id", l.channel, "err", err)
	}
}

// within gives a line so long; then late happens. d.mu is held.
func (l *line) within(limit time.Duration, late func()) {
	l.rest()
	l.due, l.late = time.Now().Add(limit), late
	l.limit = time.AfterFunc(limit, late)
}

// rest takes a limit away. d.mu is held.
func (l *line) rest() {
	if l.limit != nil {
		l.limit.Stop()
		l.limit = nil
	}
}

// goOn puts a limit back that was taken away, with what is left of it. d.mu is
// held.
func (l *line) goOn() {
	if l.late != nil {
		l.within(time.Until(l.due), l.late)
	}
}

// plug puts the port into the browser's line.
func (l *line) plug(ctx context.Context, s *softphone.Session) error {
	l.setPlugged(true)
	if err := s.Plug(ctx, l.port); err != nil {
		l.setPlugged(false)
		return fmt.Errorf("the browser of %s was not heard: %w", l.owner, err)
	}
	return nil
}

// unplug takes it out again.
func (l *line) unplug(s *softphone.Session) {
	s.Unplug(l.port)
	l.setPlugged(false)
}

func (l *line) setPlugged(is bool) {
	l.d.mu.Lock()
	defer l.d.mu.Unlock()
	l.plugged = is
}

// miss ends an offer that nobody has answered in time.
func (l *line) miss() {
	if !l.leg.Answered() {
		l.tell("an offer that nobody answered goes on", (*ari.Leg).Miss)
	}
}

// tell carries out a command in the person's name, which they do not wait for.
func (l *line) tell(what string, command func(*ari.Leg, context.Context) error) {
	l.d.background(func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, commandLimit)
		defer cancel()
		if err := command(l.leg, ctx); err != nil && l.leg.Context().Err() == nil {
			l.d.log.Warn(what, "agent_id", l.owner, "channel_id", l.channel, "err", err)
		}
	})
}

// of finds the line of an owner that fits; nil for none.
func (d *Desks) of(owner string, fits func(*line) bool) *line {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, l := range d.lines {
		if l.owner == owner && l.leg != nil && l.leg.Context().Err() == nil && fits(l) {
			return l
		}
	}
	return nil
}

func ringing(l *line) bool { return !l.leg.Answered() }

// rings fits the line that rings for a call; "": for any. A call's legs bear its
// name (ari.Session.NewID).
func rings(call string) func(*line) bool {
	return func(l *line) bool { return ringing(l) && (call == "" || strings.HasPrefix(l.channel, call+"-")) }
}

func answered(l *line) bool { return l.leg.Answered() }
