package desk

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"strings"
	"time"

	"hotline/ari"
	"hotline/softphone"
)

// Visitors is where people without an account may call, from a web page. Their
// session is their call: it begins as soon as they are heard, and ends with it.
type Visitors struct {
	Context string // of the dialplan, as for callers of a trunk
	Exten   string // the hotline's number
}

// visitorMark stands before the owners of visitors' sessions. An agent's ID is
// digits.
const visitorMark = "visitor/"

// VisitorOf names the visitor whose page keeps a secret, for a ticket: with it the
// page comes back to its own call. The name is in logs, and the secret is not.
func VisitorOf(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return visitorMark + hex.EncodeToString(sum[:16])
}

// Visiting says whether a visitor is at a page or in a call. After a start it is
// not known until the calls have been found again, nor for [goneFor] after the
// first has asked.
func (d *Desks) Visiting(visitor string) (is, known bool) {
	is = d.session(visitor) != nil
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.asked.IsZero() {
		d.asked = time.Now()
	}
	is = is || d.lines[channelOf(visitor)] != nil
	return is, is || time.Since(d.asked) >= goneFor
}

// channelMark stands before the names of their channels, and what follows is the
// visitor.
const channelMark = "web-"

func channelOf(visitor string) string { return channelMark + strings.TrimPrefix(visitor, visitorMark) }

func visitorOf(channel string) string { return visitorMark + strings.TrimPrefix(channel, channelMark) }

func isVisitor(owner string) bool { return strings.HasPrefix(owner, visitorMark) }

// whyOver is why a visitor's session ends with the call, and an agent's when they
// have been signed out.
const whyOver = "closed"

// visit is a visitor who is heard and has no call yet: they arrive as a trunk's
// callers do.
func (d *Desks) visit(ctx context.Context, s *softphone.Session) {
	if err := d.callIn(ctx, s); err != nil {
		d.log.Error("a visitor cannot call in", "err", err)
		s.Close(whyOver)
	}
}

// callsFirst says whether a visitor who is heard has not called yet: one call to
// a session.
func (d *Desks) callsFirst(owner string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	first := !d.calls[owner] && d.o.Visitors != nil && d.lines[channelOf(owner)] == nil // found again, and not told of yet
	d.calls[owner] = true
	return first
}

func (d *Desks) callIn(ctx context.Context, s *softphone.Session) error {
	l, err := d.open(s.Owner(), channelOf(s.Owner()), netip.AddrPortFrom(d.o.Media, 0))
	if err != nil {
		return err
	}
	leg, err := d.o.Link.Bring(ctx, ari.Visitor{
		ChannelID: l.channel, Endpoint: ari.External(l.port.Addr(), d.o.Codec), Context: d.o.Visitors.Context, Exten: d.o.Visitors.Exten,
	})
	if err != nil {
		l.close()
		return err
	}
	l.live(leg)
	return l.plug(ctx, s)
}

// leaves is a visitor whose page is closed: who said goodbye has hung up, and
// anybody else's line is dead.
func (l *line) leaves(why string) {
	if why == softphone.WhyBye {
		l.tell("a caller who has hung up goes on", (*ari.Leg).Leave)
	} else {
		l.giveUp()
	}
}
