package ari

// A process that takes up what an earlier one began does it from its journal and
// a snapshot: nothing here sends a request.

// Reopen opens the mailbox of a call that an earlier process began. The run says
// how many have had it before, from 1: what this one makes is numbered
// <call>-<what>-r<run>-<n>, and never collides with what they made. With run 0
// it is [Link.Session].
func (l *Link) Reopen(callID string, run int) *Session {
	s := l.Session(callID)
	s.run = run
	return s
}

// Restore makes a channel of a snapshot a leg of this call: answered if it is
// up, ringing if it rings, in Stasis if it is in our application, and
// subscribed if Asterisk lists it; else call [Leg.Subscribe]. The mailbox is
// told only what happens from now on. Whether the phone has the call on hold a
// snapshot does not show: the first Held or Resumed is told in any case.
func (s *Session) Restore(c Channel) *Leg {
	leg := newLeg(s.link, c.ID)
	leg.name, leg.made, leg.unsure = c.Name, true, true
	leg.answered, leg.subscribed = c.State == "Up", c.Subscribed
	if c.App == s.link.o.App {
		leg.inStasis, leg.entries = true, 1
	}
	if c.Leg() {
		leg.dialing, leg.ringing = c.State != "Up", c.State == "Ringing"
		leg.evidence.DialStatus = dialStatusOf[c.State]
	}
	s.own(leg.id, leg)
	leg.attach(s)
	return leg
}

// RestoreLost is a leg whose channel Asterisk has no more: it is gone, and
// nobody saw how. Where the event of its end is among those that are held back
// at this connect, that is what ends it. Should the event come later, after
// all, its Evidence says so.
func (s *Session) RestoreLost(channelID string) *Leg {
	leg := newLeg(s.link, channelID)
	leg.made = true
	s.own(leg.id, leg)
	leg.attach(s)
	if !s.link.gate.tellsEndOf(channelID) {
		leg.lost()
	}
	return leg
}

// dialStatusOf is how far dialing has come, by the state of the channel.
var dialStatusOf = map[string]string{"Ringing": "RINGING", "Up": "ANSWER"}

// RestoreBridge is a bridge that an earlier process made.
func (s *Session) RestoreBridge(id string) *Bridge { return newBridge(s, id) }

// RestorePlayback is what an earlier process plays on a leg, or in a bridge if
// leg is nil. Whether it is still there [Playback.Check] asks.
func (s *Session) RestorePlayback(leg *Leg, id string) *Playback {
	p := newPlayback(s, leg, id)
	p.accepted = true
	s.own(id, p)
	p.track()
	return p
}

// RestoreRecording is a recording of a leg that an earlier process began. Whether
// it is still under way [Recording.Check] asks.
func (s *Session) RestoreRecording(leg *Leg, name string) *Recording {
	r := &Recording{session: s, leg: leg, name: name, accepted: true, done: make(chan struct{})}
	s.own(name, r)
	leg.trackRecording(r)
	return r
}
