package ari

import (
	"context"
	"strconv"
	"strings"
	"time"
)

// route is what events are delivered to.
type route interface {
	// handle takes one event on the pump's goroutine; it never blocks.
	handle(ev any)
	// release lets go when the session is closed.
	release()
}

// handle updates the leg's signals and then its call's mailbox. It is written so that
// repeated events change nothing and that order between kinds does not matter:
// an answer seen before the ringing swallows the ringing, nothing follows Gone
// except evidence.
func (l *Leg) handle(ev any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch ev := ev.(type) {
	case *stasisStart:
		l.entered(ev)
	case *stasisEnd:
		l.left(ev)
	case *keyReceived:
		l.see(&ev.Channel)
		for _, digit := range ev.Digit {
			l.tell(Event{At: at(ev.Timestamp), Kind: Key, Digit: digit})
		}
	case *channelHold:
		l.see(&ev.Channel)
		l.hold(at(ev.Timestamp), true)
	case *channelUnhold:
		l.see(&ev.Channel)
		l.hold(at(ev.Timestamp), false)
	case *dialStep:
		l.see(&ev.Peer)
		l.dialed(at(ev.Timestamp), ev.Dialstatus)
	case *hangupRequest:
		l.see(&ev.Channel)
		l.requested(HangupSeen{At: at(ev.Timestamp), Soft: ev.Soft, Cause: ev.Cause, TechCause: ev.TechCause})
	case *destroyed:
		l.see(&ev.Channel)
		l.destroyed(&GoneError{
			ChannelID: l.id, At: at(ev.Timestamp),
			Cause: ev.Cause, CauseText: ev.CauseTxt, TechCause: ev.TechCause,
		})
	}
}

func (l *Leg) see(c *channelSeen) {
	if c.Name != "" {
		l.name = c.Name
	}
	if rtp := rtpOf(c.ChannelVars.RTPAUDIOQOS); rtp.Known {
		l.evidence.RTP = rtp
	}
}

// rtpOf reads RTPAUDIOQOS: ssrc=1;themssrc=2;lp=0;rxjitter=0.0;rxcount=34;…
func rtpOf(stats string) RTP {
	var rtp RTP
	for field := range strings.SplitSeq(stats, ";") {
		name, value, _ := strings.Cut(field, "=")
		n, err := strconv.Atoi(value)
		if err != nil {
			continue
		}
		switch name {
		case "rxcount":
			rtp.Received, rtp.Known = n, true
		case "txcount":
			rtp.Sent = n
		case "lp":
			rtp.Lost = n
		case "rlp":
			rtp.LostRemotely = n
		}
	}
	return rtp
}

func (l *Leg) entered(ev *stasisStart) {
	l.see(&ev.Channel)
	l.enter(at(ev.Timestamp))
}

// enter and leave follow whether the channel is in Stasis. What a look at
// Asterisk has shown before its event came is not told twice.
func (l *Leg) enter(at time.Time) {
	if l.inStasis {
		return
	}
	l.inStasis = true
	l.entries++
	l.change()
	l.tell(Event{At: at, Kind: Entered})
}

func (l *Leg) leave(at time.Time) {
	if !l.inStasis && l.entries > 0 {
		return
	}
	l.inStasis = false
	l.change()
	l.tell(Event{At: at, Kind: Left})
}

func (l *Leg) left(ev *stasisEnd) {
	l.see(&ev.Channel)
	l.leave(at(ev.Timestamp))
	hungUp := len(l.evidence.Requests) > 0
	if l.continuing && !hungUp {
		return
	}
	l.evidence.LeftAt = at(ev.Timestamp)
	switch {
	case l.gone:
	case hungUp && !l.subscribed:
		l.destroyed(l.goneByRequest(at(ev.Timestamp)))
	default:
		l.verifyLocked()
	}
}

// goneByRequest is the end of a channel whose destruction nobody reports, since
// we did not subscribe: it left Stasis after a hang-up request.
func (l *Leg) goneByRequest(at time.Time) *GoneError {
	g := &GoneError{ChannelID: l.id, At: at}
	for _, r := range l.evidence.Requests {
		g.Cause, g.TechCause = max(g.Cause, r.Cause), max(g.TechCause, r.TechCause)
	}
	return g
}

func (l *Leg) hold(at time.Time, held bool) {
	if l.held == held && !l.unsure {
		return
	}
	l.held, l.unsure = held, false
	kind := Resumed
	if held {
		kind = Held
	}
	l.tell(Event{At: at, Kind: kind})
}

// dialed follows the dialing: "" (sent), PROGRESS, RINGING, ANSWER, or how it
// failed.
func (l *Leg) dialed(at time.Time, status string) {
	switch status {
	case "", "PROGRESS", "PROCEEDING":
	case "RINGING":
		l.dialStatus(status)
		if !l.ringing && !l.answered {
			l.ringing = true
			l.tell(Event{At: at, Kind: Ringing})
		}
	case "ANSWER":
		l.dialStatus(status)
		l.evidence.AnsweredAt = at // a look at Asterisk knew no better than now
		if !l.answered {
			l.answered, l.dialing = true, false
			l.change()
			l.tell(Event{At: at, Kind: Answered})
		}
	}
}

// dialFailed draws from the channel's end why the phone was not reached.
func (l *Leg) dialFailed(g *GoneError) {
	if !l.dialing || l.answered {
		return
	}
	l.dialing = false
	l.evidence.DialStatus = l.whyNotAnswered(g)
	l.tell(Event{At: g.At, Kind: DialFailed, DialStatus: l.evidence.DialStatus, Cause: g.Cause, TechCause: g.TechCause, Lost: g.Lost})
}

func (l *Leg) whyNotAnswered(g *GoneError) string {
	switch {
	case len(l.evidence.Commands) > 0:
		return DialCancelled
	case g.Cause == 17:
		return DialBusy
	case g.Cause == 21:
		return DialRejected
	case l.ringing:
		return DialNoAnswer
	}
	return DialUnreachable
}

// dialStatus keeps the furthest status: a late RINGING does not undo ANSWER.
func (l *Leg) dialStatus(status string) {
	if status == "RINGING" && l.evidence.DialStatus != "" {
		return
	}
	l.evidence.DialStatus = status
}

func (l *Leg) requested(seen HangupSeen) {
	if seen.Soft && !l.evidence.LeftAt.IsZero() {
		return // the dialplan ends after the channel left us
	}
	if seen.Soft {
		seen.Cause = 0 // a flag, see Evidence
	}
	for _, before := range l.evidence.Requests {
		if before == seen {
			return
		}
	}
	l.evidence.Requests = append(l.evidence.Requests, seen)
	l.tell(Event{At: seen.At, Kind: HangupRequested, Soft: seen.Soft, Cause: seen.Cause, TechCause: seen.TechCause})
}

// destroyed ends the leg: its playbacks and recordings are over, its context is cancelled,
// the script is told last.
func (l *Leg) destroyed(g *GoneError) {
	if l.gone && g.Lost {
		return
	}
	l.evidence.GoneAt, l.evidence.Lost = g.At, g.Lost
	l.evidence.Cause, l.evidence.CauseText, l.evidence.TechCause = g.Cause, g.CauseText, g.TechCause
	if l.gone {
		return // its end was seen after all, or told in full: evidence only
	}
	l.dialFailed(g)
	for _, p := range l.playing {
		p.settle(Cancelled)
		l.tell(Event{At: g.At, Kind: PlaybackDone, Playback: p})
	}
	for _, r := range l.recording {
		r.settle(RecordingResult{Lost: true})
		l.tell(Event{At: g.At, Kind: RecordingDone, Recording: r})
	}
	l.playing, l.recording = nil, nil
	l.tell(Event{
		At: g.At, Kind: Gone, Cause: g.Cause, CauseText: g.CauseText, TechCause: g.TechCause,
		DialStatus: l.evidence.DialStatus, Lost: g.Lost,
	})
	l.gone = true
	l.inStasis = false
	l.end(g)
	l.change()
}

// tell appends to the mailbox, or keeps the event until the leg is adopted.
func (l *Leg) tell(ev Event) {
	if l.gone {
		return
	}
	ev.Leg = l
	if l.session == nil {
		l.pending = append(l.pending, ev)
		return
	}
	l.session.post(ev)
}

func (l *Leg) change() {
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
}

func (l *Leg) attach(s *Session) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.session = s
	for _, ev := range l.pending {
		s.post(ev)
	}
	l.pending = nil
}

// ending says whether the channel is known to be on its way out.
func (l *Leg) ending() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.gone || len(l.evidence.Requests) > 0 || len(l.evidence.Commands) > 0
}

// exists says whether Asterisk has made the channel: until then its absence
// means nothing.
func (l *Leg) exists() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.made || l.entries > 0
}

func (l *Leg) release() { l.end(ErrClosed) }

// graceForEvent is how long the event that tells a channel's end may take after
// other signs of it.
const graceForEvent = time.Second

func (l *Leg) verifySoon() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.verifyLocked()
}

// verifyLocked asks Asterisk a little later whether the channel still exists,
// unless its end has been reported by then. A StasisEnd alone is no proof, and for a
// channel without subscription it is the last thing we hear.
func (l *Leg) verifyLocked() {
	if l.gone || l.checking {
		return
	}
	l.checking = true
	started := l.link.background(func(ctx context.Context) {
		timer := time.NewTimer(graceForEvent)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-l.ctx.Done():
		case <-ctx.Done():
		}
		l.mu.Lock()
		l.checking = false
		l.mu.Unlock()
		if l.ctx.Err() == nil && ctx.Err() == nil {
			l.verify(ctx)
		}
	})
	if !started {
		l.checking = false
	}
}

func (l *Leg) verify(ctx context.Context) {
	if _, err := l.link.channel(ctx, l.id); notFound(err) {
		l.lost()
	}
}

// lost marks the leg as gone without its end having been seen.
func (l *Leg) lost() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.destroyed(&GoneError{ChannelID: l.id, At: time.Now(), CauseText: "lost", Lost: true})
}

func at(t moment) time.Time { return time.Time(t) }
