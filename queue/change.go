package queue

import "time"

// Kinds of Change.
const (
	KindJoined     = "queue.joined"    // Caller's fields are in Priority, Arrived, Head, Again, Prefer
	KindOffered    = "queue.offered"   // one agent reserved for one caller
	KindConnected  = "queue.connected" // the wait is over, the talk has begun
	KindRefused    = "queue.refused"   // an offer failed or was taken back; the caller keeps the place
	KindLeft       = "queue.left"      // the caller left; with Agent when a phone was ringing
	KindLapsed     = "queue.lapsed"    // the queue ended the wait; with Agent when an offer was taken back
	KindAgentState = "agent.state"     // an agent's state changed; with Call during a talk
)

// Causes of a Change that the engine itself gives, beside refusals and lapses.
const (
	CauseFound   = "found"   // agent and call were found together
	CauseRestart = "restart" // the offer was out when the service was last seen

	causeSignedIn   = "signed in"
	causeReady      = "ready"
	causeRegistered = "phone registered"
	causeWrapped    = "wrap-up over"
	causeRested     = "rested"
)

// Change is one thing that happened, for the journal. A change that touches a
// call and an agent is one Change naming both. Wherever To is set, the agent
// went From → To, whatever the kind.
type Change struct {
	At    time.Time `json:"-"`
	Kind  string    `json:"-"`
	Queue string    `json:"queue,omitempty"`
	Call  string    `json:"call,omitempty"`
	Agent string    `json:"agent,omitempty"`
	Offer string    `json:"offer,omitempty"`
	From  State     `json:"from,omitzero"`
	To    State     `json:"to,omitzero"`
	Cause string    `json:"cause,omitempty"` // why: a Refusal, a lapse reason, what was asked
	Out   bool      `json:"out,omitempty"`   // the agent is out of service until they act
	Then  State     `json:"then,omitzero"`   // asked for during a talk, granted after it

	WaitedMs int64     `json:"waited_ms,omitempty"` // this wait so far, in milliseconds
	Priority int       `json:"priority,omitempty"`
	Arrived  time.Time `json:"arrived,omitzero"`
	Head     bool      `json:"head,omitempty"`
	Again    bool      `json:"again,omitempty"`  // the place is one of before a restart
	Prefer   string    `json:"prefer,omitempty"` // the agent the caller had before
}

// outbox holds what has happened and is not yet recorded, and what is told to
// calls once it is.
type outbox struct {
	changes []Change
	offers  []*Offer
	lapses  []*Ticket
}

func (o *outbox) empty() bool { return len(o.changes)+len(o.offers)+len(o.lapses) == 0 }

// note queues a change for recording; the lock is held.
func (e *Engine) note(c Change) {
	c.At = e.now()
	if e.record != nil {
		e.out.changes = append(e.out.changes, c)
	}
}

// tell records changes in their order and only then tells the calls, so that
// the journal knows of an offer before a phone rings for it. It is the one
// goroutine of the engine and ends when the engine has stopped and the outbox
// is empty.
func (e *Engine) tell() {
	defer close(e.told)
	for {
		e.mu.Lock()
		out, stopped := e.out, e.stopped
		e.out = outbox{}
		e.mu.Unlock()

		if len(out.changes) > 0 {
			e.record(out.changes)
		}
		for _, o := range out.offers {
			o.deliver()
		}
		for _, t := range out.lapses {
			close(t.lapsed)
		}
		if stopped {
			return
		}
		<-e.news
	}
}

// deliver puts the offer in the ticket's channel, in place of one that ended
// unread. Only the goroutine of tell sends there, so it never blocks.
func (o *Offer) deliver() {
	if o.ctx.Err() != nil {
		return
	}
	select {
	case <-o.ticket.offers:
	default:
	}
	o.ticket.offers <- o
}
