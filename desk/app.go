package desk

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"hotline/ari"
	"hotline/call/scene"
	"hotline/softphone"
)

// What browsers tell: the softphone's App.

// Acts of the phone itself; the others are scene's.
const (
	actAnswer  = "answer"
	actDecline = "decline"
	actEcho    = "echo" // the device check: the agent hears themselves
)

// echoFor is how long they do: the page records three seconds of it.
const echoFor = 4 * time.Second

// refused is an act that is not done, with a code for the page.
type refused struct {
	code   string
	values map[string]any
}

func (r *refused) Error() string          { return "desk: refused: " + r.code }
func (r *refused) Code() string           { return r.code }
func (r *refused) Values() map[string]any { return r.values }

// asRefused has what a talk refuses be told to the page.
func asRefused(err error) error {
	no, is := err.(*scene.Refused)
	if !is {
		return err
	}
	values := map[string]any{}
	for name, value := range no.Values {
		values[name] = value
	}
	return &refused{no.Code, values}
}

// Opened has a desk be shown from now on.
func (d *Desks) Opened(s *softphone.Session) {
	if !isVisitor(s.Owner()) {
		d.background(func(ctx context.Context) { d.show(ctx, s) })
	}
}

// show keeps a page's desk as it is, until the session is gone. A page that comes
// back to a service that has just begun goes on showing what it did until the
// calls are there, or wholeWithin is over: in between an agent would see their
// talk vanish, and a key that they press would do nothing.
func (d *Desks) show(ctx context.Context, s *softphone.Session) {
	changed, stop := d.floor.Watch(s.Owner())
	defer stop()
	began := time.Now()
	look := time.NewTicker(lookFirst)
	defer look.Stop()
	ask := time.NewTicker(askEvery)
	defer ask.Stop()
	for last := "nothing"; ; {
		desk, state, whole := d.floor.View(s.Owner())
		if state != last && (whole || time.Since(began) >= wholeWithin) {
			if err := s.Show(desk); err != nil {
				return // it is gone
			}
			if last == "nothing" {
				look.Reset(lookEvery)
			}
			last = state
		}
		select {
		case <-changed:
		case <-look.C:
		case <-ask.C:
			d.mayStay(s)
		case <-s.Done():
			return
		case <-ctx.Done():
			return
		}
	}
}

const (
	wholeWithin = 2 * time.Second        // of the page's coming
	lookFirst   = 100 * time.Millisecond // how often it is looked until there is something to show
	lookEvery   = time.Second            // and from then on: clocks tell nobody
)

// askEvery is how often it is asked whether people at desks may be there still.
const askEvery = 5 * time.Second

// mayStay ends the session of an agent who has been signed out, or may not be at
// a desk any more. A talk goes on to its end: its caller has done nothing.
func (d *Desks) mayStay(s *softphone.Session) bool {
	if d.of(s.Owner(), answered) != nil || s.Allowed() {
		return true
	}
	s.Close(whyOver)
	return false
}

// Closed is a page that does not come back: a talk has lost its agent's line.
// When it is we who close, the page comes to the next process.
func (d *Desks) Closed(s *softphone.Session, why string) {
	d.mu.Lock()
	delete(d.calls, s.Owner())
	d.mu.Unlock()
	if why == softphone.WhyClosing {
		return
	}
	switch l := d.of(s.Owner(), answered); {
	case l == nil:
	case isVisitor(s.Owner()):
		l.leaves(why)
	default:
		l.giveUp()
	}
	if l := d.of(s.Owner(), ringing); l != nil {
		l.tell("an offer to a browser that is gone goes on", (*ari.Leg).Abandon)
	}
}

// Do carries out what a person at a browser asks for.
func (d *Desks) Do(ctx context.Context, s *softphone.Session, _ string, text json.RawMessage) error {
	var o scene.Order
	if err := json.Unmarshal(text, &o); err != nil {
		return &refused{code: "bad-order"}
	}
	if _, err := o.Check(); err != nil {
		return &refused{code: "bad-order"}
	}
	if isVisitor(s.Owner()) {
		return &refused{code: scene.Impossible} // their keys are in the sound
	}
	if !d.mayStay(s) {
		return &refused{code: "session"}
	}
	switch o.Act {
	case actAnswer:
		return d.answer(ctx, s, o.Call)
	case actDecline:
		return d.decline(ctx, s, o.Call)
	case actEcho:
		s.Echo(echoFor)
		return nil
	}
	if !o.Act.Asked() { // what supervisors may is asked for where it is looked who they are, and written down
		return &refused{code: scene.Impossible}
	}
	return asRefused(d.floor.Do(ctx, s.Owner(), o))
}

// answer takes the call that rings: this one, where the page says which it means.
func (d *Desks) answer(ctx context.Context, s *softphone.Session, call string) error {
	l := d.of(s.Owner(), rings(call))
	switch {
	case l == nil:
		return &refused{code: scene.NoCall}
	case d.of(s.Owner(), answered) != nil: // who would be alone
		return &refused{code: scene.Impossible, values: map[string]any{"act": actAnswer}}
	}
	return d.put(ctx, s, l)
}

// put puts a person through. Asterisk answers while the port is put in, so that
// the two hear each other as soon as both have happened. Should Asterisk fail to,
// the call rings for as long as it would have.
func (d *Desks) put(ctx context.Context, s *softphone.Session, l *line) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	d.mu.Lock()
	l.rest()
	d.mu.Unlock()
	plugged := make(chan error, 1)
	d.background(func(context.Context) { plugged <- l.plug(ctx, s) })
	if err := l.leg.Pickup(ctx); !l.leg.Answered() {
		if refusedByAsterisk(err) {
			cancel()
			select {
			case <-plugged:
			case <-d.ctx.Done():
			}
			l.unplug(s)
		} // else it may answer yet, and then the two are to hear each other
		d.mu.Lock()
		l.goOn()
		d.mu.Unlock()
		return fmt.Errorf("answering %s, which rings on: %w", l.channel, cmp.Or(err, errUnanswered))
	}
	d.holdUnheard(s, l)
	select {
	case err := <-plugged:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// errUnanswered is that Asterisk did what was asked, and the leg is not up.
var errUnanswered = errors.New("Asterisk does not say that it is up")

// refusedByAsterisk says whether Asterisk has not answered a leg, and will not
// by itself: it said so, and not that it is at it.
func refusedByAsterisk(err error) bool {
	var no *ari.Error
	return errors.As(err, &no) && no.Status != 0 && !no.Conflict()
}

func (d *Desks) decline(ctx context.Context, s *softphone.Session, call string) error {
	l := d.of(s.Owner(), rings(call))
	if l == nil {
		return &refused{code: scene.NoCall}
	}
	return l.leg.Decline(ctx)
}

// Mic takes out an agent whom nobody could hear.
func (d *Desks) Mic(s *softphone.Session, state softphone.Mic) {
	if isVisitor(s.Owner()) || state != softphone.MicDenied && state != softphone.MicNone {
		return
	}
	if err := d.o.Agents.Pause(s.Owner(), "microphone "+string(state)); err != nil {
		d.log.Debug("an agent without a microphone was not available anyway", "agent_id", s.Owner(), "err", err)
	}
}

// Digit is a key of a visitor's. Agents' desks say what they mean.
func (d *Desks) Digit(s *softphone.Session, digit rune) {
	if l := d.of(s.Owner(), answered); l != nil && isVisitor(s.Owner()) {
		l.leg.Press(digit)
	}
}

// Audio follows a browser's line: while it is not heard a talk is on hold, so
// that the caller hears the tone.
func (d *Desks) Audio(s *softphone.Session, state softphone.Audio) {
	switch state {
	case softphone.AudioOK:
		d.comes(s)
	case softphone.AudioLost, softphone.AudioConnecting: // the second: a page was loaded anew
		d.goes(s)
	}
}

// comes is a browser that is heard: for the first time, or again.
func (d *Desks) comes(s *softphone.Session) {
	l := d.of(s.Owner(), answered)
	if l == nil && isVisitor(s.Owner()) {
		if d.callsFirst(s.Owner()) {
			d.background(func(ctx context.Context) { d.visit(ctx, s) })
		}
		return
	}
	if l == nil {
		if err := d.o.Agents.Reachable(s.Owner()); err != nil {
			d.log.Debug("an agent is at a browser, and not in the queue", "agent_id", s.Owner(), "err", err)
		}
		return
	}
	d.mu.Lock()
	l.rest()
	back := l.silent || !l.plugged
	l.silent = false
	d.mu.Unlock()
	if !back {
		return
	}
	d.background(func(ctx context.Context) {
		if err := l.plug(ctx, s); err != nil {
			d.log.Warn("a browser is back, and its talk is not heard", "agent_id", l.owner, "err", err)
			return
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		if !l.silent { // again, meanwhile
			l.leg.Thaw()
		}
	})
}

// goes is a browser that is not heard any more.
func (d *Desks) goes(s *softphone.Session) {
	if l := d.of(s.Owner(), answered); l != nil {
		d.mu.Lock()
		defer d.mu.Unlock()
		l.silence()
	}
}

// holdUnheard has a talk that has just begun be held while its browser is not
// heard. It is looked under d.mu, so that who is heard at this moment has the
// hold undone.
func (d *Desks) holdUnheard(s *softphone.Session, l *line) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if s.Audio() != softphone.AudioOK {
		l.silence()
	}
}

// silence has a line be held that is not heard, and given up unless it comes
// back. d.mu is held, as it is where a hold is undone: the call is told in the
// order in which it was.
func (l *line) silence() {
	l.silent = true
	l.within(goneFor, l.giveUp)
	l.leg.Freeze()
}

// giveUp ends the leg of a person who is not coming back.
func (l *line) giveUp() { l.tell("a talk with a browser that is gone goes on", (*ari.Leg).Abandon) }
