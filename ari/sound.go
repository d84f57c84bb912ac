package ari

import (
	"context"
	"net/http"
	"net/url"
)

// Mute has nobody hear the leg's phone; what it hears goes on. It waits behind a
// playback on the leg, as Unmute does: stop that first.
func (l *Leg) Mute(ctx context.Context) error {
	return l.postAgain(ctx, opMute, "mute", map[string]string{"direction": "in"})
}

// Unmute has the leg's phone heard again. One that is not muted is no error.
func (l *Leg) Unmute(ctx context.Context) error {
	return l.verdict(l.link.do(ctx, request{
		op: opUnmute, target: l.id, method: http.MethodDelete, path: []string{"channels", l.id, "mute"},
		query: url.Values{"direction": {"in"}}, again: true,
	}, nil))
}

// SendKeys presses keys (0-9 A-D * #) for the phone at the other end of the
// leg, which may be a machine that asks for them. It waits behind a playback.
func (l *Leg) SendKeys(ctx context.Context, digits string) error {
	return l.post(ctx, opKeys, "dtmf", map[string]any{"dtmf": digits})
}

// Snoop describes a leg that listens in on another.
type Snoop struct {
	ID      string // empty: the call's next number
	Role    string // names it within the call, and becomes part of its ID
	Whisper bool   // what it is played, or hears in a bridge, is heard by the other leg's phone, and by nobody else
}

// Snoop makes a leg that hears what this one's phone hears and says. It is in
// Stasis at once, and ends with this one.
func (l *Leg) Snoop(ctx context.Context, o Snoop) (*Leg, error) {
	s, err := l.owner(opSnoop)
	if err != nil {
		return nil, err
	}
	id := o.ID
	if id == "" {
		id = s.newID(o.Role)
	}
	snoop := newLeg(l.link, id)
	snoop.answered = true
	s.own(id, snoop)
	snoop.attach(s)
	whisper := "none"
	if o.Whisper {
		whisper = "out"
	}
	var made channel
	err = l.verdict(l.link.do(ctx, request{
		op: opSnoop, target: l.id, method: http.MethodPost, path: []string{"channels", l.id, "snoop", id},
		body: map[string]string{"spy": "both", "whisper": whisper, "app": l.link.o.App, "appArgs": legMark + "," + s.callID + "," + o.Role},
	}, &made))
	if err != nil {
		s.disown(id)
		snoop.release()
		if mayExist(err) {
			l.link.HangUpStray(id)
		}
		return nil, err
	}
	snoop.mu.Lock()
	snoop.name, snoop.made = made.Name, true
	snoop.mu.Unlock()
	return snoop, nil
}
