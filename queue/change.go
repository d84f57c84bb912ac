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
	KindMoved      = "queue.moved"     // the caller overflowed out of Queue, Into another
	KindAgentState = "agent.state"     // an agent's state changed; with Call during a talk

	KindCalled     = "agent.called"      // an agent is called in by a call, to be consulted or to take it over
	KindConsulted  = "agent.consulted"   // … and is with it as a third; KindConnected where nobody else has the call; KindRefused where it came to nothing
	KindHandedOver = "agent.handed-over" // a third has the call now, and With has left it: in this moment, if Left says so

	KindRules   = "queue.rules"   // a queue is there or has other rules, in Rules; By whom
	KindRemoved = "queue.removed" // a queue is gone; By whom
	KindProfile = "agent.profile" // an agent is there or serves others, in Profile; By whom
	KindLetGo   = "agent.removed" // an agent is there no more; By whom
)

// Causes of a Change that the engine itself gives, beside refusals and lapses.
const (
	CauseFound   = "found"   // agent and call were found together
	CauseRestart = "restart" // the offer was out when the service was last seen

	CauseElsewhere   = "elsewhere"    // another agent who was rung for the same caller answered first
	CauseRemoved     = "removed"      // the queue is gone
	CauseProfile     = "profile"      // the agent serves the caller no more
	CauseServiceGone = "service-gone" // the caller's service is gone, and the phone may ring for a while yet
	CauseAlone       = "alone"        // nothing is heard any more of the agent's service, or of the caller's
	CauseReturned    = "returned"     // a service has come back, and the others knew better

	causeSignedIn   = "signed in"
	causeReady      = "ready"
	causeRegistered = "phone registered"
	causePhoneGone  = "phone gone"
	causeWrapped    = "wrap-up over"
	causeRested     = "rested"
	causeExtended   = "more wrap-up"
)

// Change is one thing that happened, for the journal. A change that touches a
// call and an agent is one Change naming both. Wherever To is set, the agent
// went From → To, whatever the kind; of an agent who left by it see Left.
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
	Then  State     `json:"then,omitzero"`   // asked for during a talk, granted once that is wrapped up

	// Where two agents are concerned with one call. The talk's part that Began
	// ends with this change, at At: an agent is credited with their own parts.
	With  string    `json:"with,omitempty"`  // the other agent
	Third bool      `json:"third,omitempty"` // Agent is called in, or with the call beside whose call it is
	Began time.Time `json:"began,omitzero"`
	Left  *Leaving  `json:"left,omitempty"`

	WaitedMs int64     `json:"waited_ms,omitempty"` // this wait so far, in milliseconds
	Priority int       `json:"priority,omitempty"`
	Arrived  time.Time `json:"arrived,omitzero"`
	Head     bool      `json:"head,omitempty"`
	Again    bool      `json:"again,omitempty"`  // the place is one of before a restart
	Prefer   string    `json:"prefer,omitempty"` // the agent the caller had before

	Needs    string    `json:"needs,omitempty"`    // what the caller needs of an agent
	StandsAs time.Time `json:"stands_as,omitzero"` // they stand as if they had arrived then; zero: when they did
	RingAll  bool      `json:"ring_all,omitempty"` // phones of other agents may ring for the caller too
	Weighted bool      `json:"weighted,omitempty"` // the agent's queues count differently, so that the longest waiter need not be next
	Into     string    `json:"into,omitempty"`     // the queue moved to
	MoreMs   int64     `json:"more_ms,omitempty"`  // by which a wrap-up grew

	// Where several services share a queue: the one at which the call is, and
	// the one at which the agent's phone is, unless it is the one that records
	// this. Its own record has the rest about them.
	Owner string `json:"owner,omitempty"`
	Home  string `json:"home,omitempty"`

	By      string   `json:"by,omitempty"` // who changed rules, or an agent's state in their stead
	Rules   *Rules   `json:"rules,omitempty"`
	Profile *Profile `json:"profile,omitempty"`

	homeOnly bool // nobody's record is concerned but that of the agent's service
}
