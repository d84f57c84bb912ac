package desk

import (
	"context"
	"crypto/rand"
	"net/netip"
	"strings"

	"hotline/ari"
	"hotline/call/scene"
	"hotline/softphone"
)

// Visitors is where people without an account may call, from a web page.
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

// Acts of a visitor; keys are scene.DoKeys, and telephone events.
const (
	actDial  = "dial"
	actLeave = "hangup"
)

// visit carries out what a visitor asks for.
func (d *Desks) visit(ctx context.Context, s *softphone.Session, o scene.Order) error {
	l := d.of(s.Owner(), func(*line) bool { return true })
	switch {
	case o.Act == actDial && l == nil:
		return d.callIn(ctx, s)
	case l == nil:
		return &refused{code: scene.NoCall}
	case o.Act == actLeave:
		return l.leg.Leave(ctx)
	case o.Act == scene.DoKeys && keys(o.Keys):
		for _, key := range o.Keys {
			l.leg.Press(key)
		}
		return nil
	}
	return &refused{code: scene.Impossible}
}

func keys(pressed string) bool {
	return len(pressed) > 0 && len(pressed) <= 32 && strings.Trim(pressed, "0123456789*#ABCD") == ""
}

// callIn has a visitor arrive as a trunk's callers do.
func (d *Desks) callIn(ctx context.Context, s *softphone.Session) error {
	if d.o.Visitors == nil {
		return &refused{code: scene.NotNow}
	}
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
	return l.plug(ctx, s)
}
