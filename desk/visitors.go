package desk

import (
	"context"
	"crypto/rand"
	"net/netip"
	"strings"

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

// NewVisitor names a visitor, for a ticket.
func NewVisitor() string { return visitorMark + rand.Text() }

// channelMark stands before the names of their channels, and what follows is the
// visitor.
const channelMark = "web-"

func visitorOf(channel string) string { return visitorMark + strings.TrimPrefix(channel, channelMark) }

func isVisitor(owner string) bool { return strings.HasPrefix(owner, visitorMark) }

// whyOver is why a visitor's session ends with the call.
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
	first := !d.calls[owner] && d.o.Visitors != nil
	d.calls[owner] = true
	return first
}

func (d *Desks) callIn(ctx context.Context, s *softphone.Session) error {
	l, err := d.open(s.Owner(), channelMark+strings.TrimPrefix(s.Owner(), visitorMark), netip.AddrPortFrom(d.o.Media, 0))
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
	context.AfterFunc(leg.Context(), func() { s.Close(whyOver) })
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
