package ari

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// EventKind is what happened to a leg or to something a call started. The
// values are stable and fit for a log or a journal.
type EventKind string

// The events a script sees.
const (
	Key             EventKind = "key"              // Digit was pressed
	Held            EventKind = "held"             // the phone put the call on hold
	Resumed         EventKind = "resumed"          // … and took it back
	Ringing         EventKind = "ringing"          // the dialed phone rings (180)
	Answered        EventKind = "answered"         // the dialed phone answered
	DialFailed      EventKind = "dial-failed"      // DialStatus says how; Gone follows
	HangupRequested EventKind = "hangup-requested" // Soft: by us or by Asterisk; not Soft: by the phone
	Left            EventKind = "left"             // the channel left Stasis: continued, or about to be gone
	Entered         EventKind = "entered"          // the channel is in Stasis (again)
	Gone            EventKind = "gone"             // the channel is no more; the last event of a leg
	PlaybackDone    EventKind = "playback-done"    // Playback ended
	RecordingDone   EventKind = "recording-done"   // Recording ended
)

// How a dialed phone was not reached, in Event.DialStatus and
// Evidence.DialStatus.
const (
	DialBusy        = "BUSY"        // the phone said busy (486)
	DialRejected    = "REJECTED"    // the phone, or its owner, said no (603)
	DialNoAnswer    = "NOANSWER"    // it rang
	DialUnreachable = "UNREACHABLE" // it never rang
	DialCancelled   = "CANCEL"      // we hung up first
)

// Event is one entry of a call's mailbox. Which fields are filled depends on
// Kind.
type Event struct {
	At         time.Time // Asterisk's clock, milliseconds
	Kind       EventKind
	Leg        *Leg       // nil for what plays in a bridge
	Digit      rune       // Key: 0-9 A-D * #
	Playback   *Playback  // PlaybackDone
	Recording  *Recording // RecordingDone
	Soft       bool       // HangupRequested
	Cause      int        // HangupRequested, DialFailed, Gone: Q.850, 0 when not given
	CauseText  string     // Gone
	TechCause  int        // HangupRequested, DialFailed, Gone: SIP status, 0 when not given
	DialStatus string     // DialFailed, Gone: how the phone was not reached
	Lost       bool       // Gone: found absent, its end was not seen
}

// Session is the mailbox of one call, and the owner of its legs, bridges,
// playbacks and recordings. Everything it creates has an ID that starts with
// the call's.
type Session struct {
	link   *Link
	callID string
	run    int // how many processes had the call before

	mu     sync.Mutex
	box    []Event
	warned bool
	closed bool
	serial []serial
	owned  []routed // everything routed to this call: a handful
	wake   chan struct{}
}

// deepMailbox is the depth at which a call is reported as not keeping up.
const deepMailbox = 1000

// Session opens the mailbox of a call.
func (l *Link) Session(callID string) *Session {
	return &Session{
		link: l, callID: callID,
		wake: make(chan struct{}, 1),
	}
}

// CallID is the ID the session was opened with.
func (s *Session) CallID() string { return s.callID }

// Adopt makes an arrived channel a leg of this call. What happened to the
// channel since it arrived is put into the mailbox. It sends nothing: call
// [Leg.Subscribe] so that the channel's end is reported with its cause.
func (s *Session) Adopt(a Arrival) *Leg {
	leg := a.leg
	if leg == nil {
		leg = newLeg(s.link, a.ChannelID)
		leg.name, leg.answered, leg.inStasis, leg.entries = a.Name, a.Answered, true, 1
	}
	s.own(leg.id, leg)
	leg.attach(s)
	return leg
}

// Next waits for the next event. It fails with ctx's cause, or with ErrClosed.
func (s *Session) Next(ctx context.Context) (Event, error) {
	for {
		if ev, ok := s.Poll(); ok {
			return ev, nil
		}
		if s.isClosed() {
			return Event{}, ErrClosed
		}
		select {
		case <-ctx.Done():
			return Event{}, context.Cause(ctx)
		case <-s.wake:
		}
	}
}

// Poll takes the next event if there is one.
func (s *Session) Poll() (Event, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.box) == 0 {
		return Event{}, false
	}
	ev := s.box[0]
	s.box[0] = Event{}
	s.box = s.box[1:]
	if len(s.box) > 0 {
		s.signal()
	} else {
		s.box = nil
	}
	return ev, true
}

// Wake receives when the mailbox may have something in it, for select loops:
// after it, Poll until that says false.
func (s *Session) Wake() <-chan struct{} { return s.wake }

// Close gives up the call's routes and cancels its legs' contexts with
// ErrClosed. It hangs nothing up and sends nothing.
func (s *Session) Close() {
	s.mu.Lock()
	owned := s.owned
	s.owned, s.closed = nil, true
	s.signal()
	s.mu.Unlock()

	s.link.unroute(owned...)
	for _, r := range owned {
		r.to.release()
	}
}

func (s *Session) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// post appends to the mailbox; it never blocks.
func (s *Session) post(ev Event) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.box = append(s.box, ev)
	depth := len(s.box)
	warn := depth > deepMailbox && !s.warned
	s.warned = s.warned || warn
	s.signal()
	s.mu.Unlock()

	s.link.met.deepest(depth)
	if warn {
		s.link.log.Warn("the call does not keep up with its events", "call_id", s.callID, "depth", depth)
	}
}

func (s *Session) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// NewID is a name for something that the call is about to make: written down
// first, it can be found in Asterisk by another process.
func (s *Session) NewID(what string) string { return s.newID(what) }

// newID numbers the call's things: <call>-agent-1, <call>-play-3, and in its
// second process <call>-agent-r1-1.
func (s *Session) newID(what string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := slices.IndexFunc(s.serial, func(one serial) bool { return one.what == what })
	if at < 0 {
		at = len(s.serial)
		s.serial = append(s.serial, serial{what: what})
	}
	s.serial[at].last++
	if s.run > 0 {
		return fmt.Sprintf("%s-%s-r%d-%d", s.callID, what, s.run, s.serial[at].last)
	}
	return fmt.Sprintf("%s-%s-%d", s.callID, what, s.serial[at].last)
}

// serial is the last number given to things of a name. There are two or three of
// them, in each of thousands of calls: a map would be ten times as large.
type serial struct {
	what string
	last int
}

// own routes events about id to r until disown or Close.
func (s *Session) own(id string, r route) {
	s.mu.Lock()
	closed := s.closed
	if !closed {
		s.drop(id)
		s.owned = append(s.owned, routed{id, r})
	}
	s.mu.Unlock()
	if !closed {
		s.link.route(id, r)
	}
}

func (s *Session) disown(id string) {
	s.mu.Lock()
	dropped := s.drop(id)
	s.mu.Unlock()
	if dropped.to != nil {
		s.link.unroute(dropped)
	}
}

// drop takes what has the ID out of what is owned; it is called with the lock
// held, and returns nothing where there is none.
func (s *Session) drop(id string) (dropped routed) {
	at := slices.IndexFunc(s.owned, func(r routed) bool { return r.id == id })
	if at >= 0 {
		dropped = s.owned[at]
		s.owned = slices.Delete(s.owned, at, at+1)
	}
	return dropped
}

// routed is an ID, and where events about it are routed.
type routed struct {
	id string
	to route
}
