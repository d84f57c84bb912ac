package ari

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// An external leg is a channel whose other end is an RTP address of our own: a
// browser's sound goes to and comes from there. It is made by [Session.Create]
// with the endpoint that [External] names, and stays Down, unanswered and in
// Stasis, until [Leg.Pickup]. Asterisk sees nobody ring, decline or hang up there:
// what the person does is told by the verbs below, and the call's mailbox and
// the evidence have it as they have it of a phone.
//
// Asterisk never gives such a channel up by itself: there is no rtp_timeout. One
// whose person does not come back has to be ended by [Leg.Abandon].

// externalTech is the channel driver of external legs.
const externalTech = "UnicastRTP/"

// External is the endpoint whose sound goes to this address and is taken from
// it; the codec is Asterisk's name for it: alaw, ulaw.
func External(at netip.AddrPort, codec string) string {
	return fmt.Sprintf("%s%s/c(%s)", externalTech, at, codec)
}

// External is the address to which the channel's sound goes; false for a channel
// that is a phone's. A process that takes a call up binds it again.
func (c *Channel) External() (netip.AddrPort, bool) {
	at, external := strings.CutPrefix(c.Endpoint(), externalTech)
	if !external {
		return netip.AddrPort{}, false
	}
	address, err := netip.ParseAddrPort(at)
	return address, err == nil
}

// External says whether a caller came from a browser.
func (a *Arrival) External() bool { return strings.HasPrefix(a.Name, externalTech) }

// External says whether the leg's person is at a browser: that they are not heard
// is told by [Leg.Freeze] alone, and Asterisk knows nothing of it.
func (l *Leg) External() bool { return strings.HasPrefix(l.Name(), externalTech) }

// Sound is where Asterisk takes an external leg's sound from.
func (l *Leg) Sound(ctx context.Context) (netip.AddrPort, error) {
	ip, err := l.GetVar(ctx, "UNICASTRTP_LOCAL_ADDRESS")
	if err != nil {
		return netip.AddrPort{}, err
	}
	port, err := l.GetVar(ctx, "UNICASTRTP_LOCAL_PORT")
	if err != nil {
		return netip.AddrPort{}, err
	}
	at, err := netip.ParseAddrPort(ip + ":" + port)
	if err != nil {
		return at, fmt.Errorf("ari: channel %s: where its sound is taken from: %w", l.id, err)
	}
	return at, nil
}

// ExternalLeg is the leg of a call of this process whose channel has this ID,
// for whoever hears from its person; false when there is none, or none any more.
func (l *Link) ExternalLeg(channelID string) (*Leg, bool) {
	l.mu.Lock()
	leg, ours := l.routes[channelID].(*Leg)
	l.mu.Unlock()
	if !ours || leg.Context().Err() != nil || !leg.External() {
		return nil, false
	}
	return leg, true
}

// Visitor is a person who calls in from a browser.
type Visitor struct {
	ChannelID string
	Endpoint  string // see [External]
	Number    string // that the call shows as the caller's; "": none
	Context   string // of the dialplan, as for callers of a trunk
	Exten     string // whom they call
}

// Bring has a visitor arrive as a trunk's callers do, by way of the dialplan, so
// that its net holds them, too, and returns their leg once it has arrived. The
// channel is up at once: nobody has to answer.
func (l *Link) Bring(ctx context.Context, v Visitor) (*Leg, error) {
	body := map[string]any{
		"endpoint": v.Endpoint, "channelId": v.ChannelID, "callerId": v.Number,
		"context": v.Context, "extension": v.Exten, "priority": 1,
	}
	err := l.do(ctx, request{op: opOriginate, target: v.ChannelID, method: http.MethodPost, path: []string{"channels"}, body: body}, nil)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, l.o.RequestTimeout, errNoAnswer)
	defer cancel()
	for {
		if leg, here := l.ExternalLeg(v.ChannelID); here {
			return leg, nil
		}
		select {
		case <-time.After(arrivalLook):
		case <-ctx.Done():
			l.HangUpStray(v.ChannelID)
			return nil, &Error{Op: opOriginate, Target: v.ChannelID, Message: "the visitor did not arrive in Stasis", Err: context.Cause(ctx)}
		}
	}
}

// arrivalLook is how often it is looked whether a visitor has arrived, which
// takes milliseconds.
const arrivalLook = 5 * time.Millisecond

// Alerted tells that the person sees the call: the mailbox has Ringing.
func (l *Leg) Alerted() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dialing = !l.answered
	l.dialed(time.Now(), "RINGING")
}

// Pickup tells that the person has answered: Asterisk begins to send sound, and
// the mailbox has Answered. Of a few in a hundred Asterisk 22 was seen to say
// nothing, though they were up: no Dial event came, and the caller would have
// heard the tone until the next comparison. The channel's state tells.
func (l *Leg) Pickup(ctx context.Context) error {
	if err := l.Dial(ctx, 0); err != nil {
		return err
	}
	for look := firstLook; ; look *= 2 {
		soon, cancel := context.WithTimeout(ctx, look)
		err := l.until(soon, func() bool { return l.answered })
		cancel()
		if err == nil || ctx.Err() != nil || l.ctx.Err() != nil || look > lastLook {
			return context.Cause(ctx) // what is not known now the next comparison finds
		}
		if now, err := l.link.channel(ctx, l.id); err == nil {
			l.keepUp(&now, l.link.o.App)
		}
	}
}

// How soon it is looked whether a leg is up of whose answer nothing was heard: at
// first, and at last.
const (
	firstLook = 50 * time.Millisecond
	lastLook  = time.Second
)

// Decline tells that the person said no: the mailbox has DialFailed with
// DialRejected, and Gone.
func (l *Leg) Decline(ctx context.Context) error { return l.quit(ctx, causeRejected, false) }

// Leave tells that the person hung up: the evidence has it as a phone's BYE.
func (l *Leg) Leave(ctx context.Context) error { return l.quit(ctx, causeNormal, true) }

// Miss tells that nobody answered in time: the mailbox has DialFailed with
// DialNoAnswer, and Gone.
func (l *Leg) Miss(ctx context.Context) error { return l.quit(ctx, causeNoAnswer, false) }

// Abandon tells that the person's line is dead: the evidence has it as Asterisk's
// own notice that a phone has fallen silent (cause 44).
func (l *Leg) Abandon(ctx context.Context) error { return l.quit(ctx, causeNoMedia, false) }

// Freeze tells that the person is not heard for the moment, Thaw that they are
// again: the mailbox has Held and Resumed, as of a phone that holds the call.
func (l *Leg) Freeze() { l.freeze(true) }

// Thaw undoes Freeze.
func (l *Leg) Thaw() { l.freeze(false) }

func (l *Leg) freeze(held bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hold(time.Now(), held)
}

// Press tells that the person pressed a key: 0-9 A-D * #.
func (l *Leg) Press(digit rune) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tell(Event{At: time.Now(), Kind: Key, Digit: digit})
}

// Q.850 causes with which the person at an external leg goes.
const (
	causeNormal   = 16
	causeNoAnswer = 19
	causeRejected = 21
	causeNoMedia  = 44
)

// quit ends the channel in the person's name. A channel that is gone already is
// no error.
func (l *Leg) quit(ctx context.Context, cause int, asked bool) error {
	l.mu.Lock()
	l.dialing = l.dialing || !l.answered
	if asked {
		l.requested(HangupSeen{At: time.Now(), Cause: cause})
	}
	l.mu.Unlock()
	return l.unlessGone(l.hangup(ctx, cause))
}
