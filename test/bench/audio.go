package main

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"hotline/test/phone"
	"hotline/test/stand"
)

// voices of the two who talk, by the note that each of them hums.
var voices = map[string]int{"caller": 250, "agent": 400}

// audio places calls one after the other and measures how long after the agent's 200 the two hear each other, as their
// phones hear it: in windows of 20 ms.
func (f *field) audio(ctx context.Context, c contestant, calls int) (heard []time.Duration, err error) {
	t, err := f.begin(ctx, c, full, netip.AddrPort{}, nil)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, t.stop()) }()
	desk, err := t.register(ctx, voices["agent"], phone.AnswerAfter(time.Second))
	if err != nil {
		return nil, err
	}
	if err := t.agents(ctx, "sign-in", agentID(0)); err != nil {
		return nil, err
	}
	line, err := phone.New(phone.Options{
		Name: "caller", IP: stand.TrunkAddress, Number: "13800138000", Server: t.SIP().String(), Voice: voices["caller"], Voices: voices,
	})
	if err != nil {
		return nil, err
	}
	defer line.Close()
	for range calls {
		one, err := t.talk(ctx, line, desk)
		if err != nil {
			return heard, err
		}
		heard = append(heard, one)
	}
	return heard, nil
}

// talk is one call: until both hear each other, then the agent hangs up.
func (t *turn) talk(ctx context.Context, line, desk *phone.Phone) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	call, err := line.Call(ctx, t.exten())
	if err != nil {
		return 0, err
	}
	if err := call.Keys(ctx, "0"); err != nil {
		return 0, err
	}
	ring, err := desk.NextCall(ctx)
	if err != nil {
		return 0, err
	}
	atDesk, err := ring.WaitHeard(ctx, "voice.caller", 0)
	if err != nil {
		return 0, err
	}
	atLine, err := call.WaitHeard(ctx, "voice.agent", 0)
	if err != nil {
		return 0, err
	}
	both := ring.Start().Add(atDesk.At)
	if at := call.Start().Add(atLine.At); at.After(both) {
		both = at
	}
	if err := ring.Hangup(ctx); err != nil {
		return 0, err
	}
	_, err = call.WaitEnded(ctx)
	return both.Sub(ring.Times().Answered), err
}
