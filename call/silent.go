package call

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"hotline/ari"
)

// Who is cut off often calls again before Asterisk has noticed: a line counts as
// dead only after rtp_timeout. So when a number calls that is in line or in a
// talk already, it is looked whether anything still arrives on that line. Where
// it was alive and nothing has come for as long as the new caller heard the ring
// and the greeting, it is ended as a dead line, and the new call goes on in its
// place (returning.go). Nobody else is asked for anything.
//
// A number may be a whole office's, and a phone may send nothing while its user
// listens or holds. A line is therefore left alone unless it has sent nearly all
// the packets that a phone sends which is never quiet, and is not on hold. What
// cannot be known then is known once Asterisk has noticed: a caller who waits in
// line meanwhile gets the place at that moment.

const (
	// deadLine is why we hang such a line up.
	deadLine = "the line was silent and its caller called again"

	lineSilence   = 3 * time.Second         // for how long nothing may have arrived, at least
	soundEvery    = 20 * time.Millisecond   // a packet of a phone that is never quiet
	linePatience  = time.Second             // with Asterisk's answer how much has arrived
	mostSameCalls = 4                       // with one number, of which anything can be told
	deadLineEnds  = 2500 * time.Millisecond // how long its call may take to end
)

// presence is a call that is in line or in a talk, as other calls of the same
// number see it.
type presence struct {
	id       string
	caller   *ari.Leg
	since    time.Time     // machine's clock: the caller's phone sends sound
	finished chan struct{} // closed when the call is over
	lost     chan struct{} // capacity 1: another call's line was lost, whose place this one may have
}

// present lets calls of the same number find this one until the returned
// function is called.
func (c *call) present() (p *presence, leave func()) {
	p = &presence{id: c.id, caller: c.caller, since: c.answered, finished: c.finished, lost: make(chan struct{}, 1)}
	if c.byNet { // which had answered before
		p.since = c.started
	}
	if c.number == "" || c.o.Redial.Remember == 0 || c.again != nil {
		return p, func() {}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byNumber[c.number] == nil {
		c.byNumber[c.number] = map[*presence]bool{}
	}
	c.byNumber[c.number][p] = true
	p.lost <- struct{}{} // or it was lost before, while this caller was in the menu
	return p, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if delete(c.byNumber[c.number], p); len(c.byNumber[c.number]) == 0 {
			delete(c.byNumber, c.number)
		}
	}
}

// lostUnless receives when another call's place may be had, unless nobody wants
// it: who is about to be served, or comes before all others, has nothing to gain.
func (p *presence) lostUnless(idle bool) <-chan struct{} {
	if idle {
		return nil
	}
	return p.lost
}

// others are the calls of the same number that are in line or in a talk.
func (c *call) others() (list []*presence) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for p := range c.byNumber[c.number] {
		if p.id != c.id {
			list = append(list, p)
		}
	}
	return list
}

// heardLine is a line on which sound has arrived all the time, so far.
type heardLine struct {
	*presence
	packets int
	at      time.Time
}

// listen notes how much has arrived by now from others with this number. It
// keeps nobody waiting: what it has found is received once.
func (c *call) listen() <-chan []heardLine {
	others := c.others()
	if len(others) == 0 || len(others) > mostSameCalls {
		return nil
	}
	found := make(chan []heardLine, 1)
	c.start(func(ctx context.Context) {
		var lines []heardLine
		for _, p := range others {
			line := heardLine{presence: p, at: time.Now()}
			var err error
			if line.packets, err = received(ctx, p.caller); err != nil {
				c.log.Warn("whether the line of another call with this number is dead is not known", "channel_id", p.caller.ID(), "err", err)
				continue
			}
			if always := int(line.at.Sub(p.since) / soundEvery); line.packets >= always*4/5 {
				lines = append(lines, line)
			}
		}
		found <- lines
	})
	return found
}

// received is how many packets of sound have arrived on a leg.
func received(ctx context.Context, leg *ari.Leg) (packets int, err error) {
	ctx, cancel := context.WithTimeout(ctx, linePatience)
	defer cancel()
	told, err := leg.GetVar(ctx, "CHANNEL(rtcp,rxcount)")
	if err == nil {
		packets, err = strconv.Atoi(told)
	}
	if err != nil {
		return 0, fmt.Errorf("how much sound has arrived: %w", err)
	}
	return packets, nil
}

// silent says whether nothing has arrived since, though the line is not on hold.
func (l heardLine) silent(ctx context.Context) bool {
	packets, err := received(ctx, l.caller)
	if err != nil || packets != l.packets || l.caller.Held() {
		return false
	}
	held, err := l.caller.GetVar(ctx, "CHANNEL(rtp,hold)")
	return err == nil && held != "1"
}

// endDeadLine ends the call in which this caller was until the line went dead,
// and returns when it has ended.
func (c *call) endDeadLine(ctx context.Context) {
	if c.listening == nil {
		return
	}
	var lines []heardLine
	select {
	case lines = <-c.listening:
	case <-ctx.Done():
		return
	}
	for _, line := range lines {
		if pause(ctx, time.Until(line.at.Add(lineSilence))) != nil {
			return
		}
		if !line.silent(ctx) {
			continue
		}
		c.log.Warn("a caller calls again whose line has gone dead; its call is ended", "other_call_id", line.id, "channel_id", line.caller.ID())
		if err := line.caller.Hangup(ctx, hangupNormal, deadLine); err != nil {
			c.log.Warn("the dead line is not ended", "channel_id", line.caller.ID(), "err", err)
			continue
		}
		ended := time.NewTimer(deadLineEnds)
		defer ended.Stop()
		select {
		case <-line.finished:
		case <-ended.C:
		case <-ctx.Done():
		}
		return
	}
}

// tellBack tells calls of the same number that wait in line that this one's
// line was lost.
func (c *call) tellBack() {
	for _, p := range c.others() {
		select {
		case p.lost <- struct{}{}:
		default:
		}
	}
}
