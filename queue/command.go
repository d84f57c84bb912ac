package queue

import "time"

// Verb is what a Command does.
type Verb string

// The verbs, each with the fields of Command it reads. What they mean and
// refuse is said at the methods of Engine, Ticket and Offer that give them.
const (
	VerbJoin        Verb = "join"         // Caller, Waited, Who, Clock
	VerbLeave       Verb = "leave"        // Call, Reason
	VerbRinging     Verb = "ringing"      // Call, Offer
	VerbConnected   Verb = "connected"    // Call, Offer
	VerbFailed      Verb = "failed"       // Call, Offer, Reason: a Refusal
	VerbSignIn      Verb = "sign-in"      // Agent
	VerbSignOut     Verb = "sign-out"     // Agent
	VerbPause       Verb = "pause"        // Agent, Reason
	VerbReady       Verb = "ready"        // Agent
	VerbReachable   Verb = "reachable"    // Agent
	VerbUnreachable Verb = "unreachable"  // Agent
	VerbHold        Verb = "hold"         // Agent, Call
	VerbConsult     Verb = "consult"      // Agent, Call
	VerbResume      Verb = "resume"       // Agent, Call
	VerbEnd         Verb = "end"          // Agent, Call
	VerbRejoin      Verb = "rejoin"       // Agent, Call
	VerbExtend      Verb = "extend"       // Agent, For
	VerbFinish      Verb = "finish"       // Agent: the wrap-up, before its time
	VerbCall        Verb = "call"         // Agent, Call
	VerbEndConsult  Verb = "end-consult"  // Agent, Call
	VerbHandOver    Verb = "hand-over"    // Agent: to whom; With: from whom; Call
	VerbFound       Verb = "found"        // Agent, Call, Queue
	VerbFoundThird  Verb = "found-third"  // Agent, Call, Queue
	VerbClose       Verb = "close"        // Queue, Reason; the asking service's callers
	VerbReopen      Verb = "reopen"       // Queue; for the asking service's callers
	VerbWays        Verb = "ways"         // Homes: the services whose agents' phones the asking service can ring
	VerbRestore     Verb = "restore"      // Agents
	VerbOpen        Verb = "open"         //
	VerbSetRules    Verb = "set-rules"    // Rules, By
	VerbRemoveQueue Verb = "remove-queue" // Queue, By
	VerbSetProfile  Verb = "set-profile"  // Profile, By
	VerbRemoveAgent Verb = "remove-agent" // Agent, By
	VerbGone        Verb = "gone"         // Owner, Reason: a service is no more
	VerbReturn      Verb = "return"       // Owner, Part: a service is there, with what it brings along
	VerbAlone       Verb = "alone"        // Owner: of this service only, since nothing is heard of the others
	VerbTick        Verb = "tick"         // nothing but time passes
)

// Command is one thing that is asked or reported. It carries its time, so that
// the machine needs no clock.
type Command struct {
	Do Verb `json:"do"`

	// At is the machine's clock, by which everything is measured and falls due.
	// It need not be that of the wall and is not let go back: an earlier At
	// counts as the latest before it.
	At time.Time `json:"at,omitzero"`

	// Wall is what clocks show at that moment, for what is recorded; zero: At.
	Wall time.Time `json:"wall,omitzero"`

	By     string        `json:"by,omitempty"`    // who asks, if not the agent themselves
	Owner  string        `json:"owner,omitempty"` // the service that asks, or that is gone
	Call   string        `json:"call,omitempty"`
	Agent  string        `json:"agent,omitempty"`
	With   string        `json:"with,omitempty"`
	Queue  string        `json:"queue,omitempty"`
	Offer  string        `json:"offer,omitempty"`
	Reason string        `json:"reason,omitempty"`
	For    time.Duration `json:"for_ns,omitempty"`
	Waited time.Duration `json:"waited_ns,omitempty"` // Caller.Waited
	Who    string        `json:"who,omitempty"`       // Caller.Who
	Clock  time.Time     `json:"clock,omitzero"`      // what the clock shows by which Caller.Arrived is told; zero: that of the machine

	Caller  *Caller    `json:"caller,omitempty"`
	Seen    Version    `json:"seen,omitempty"` // what a change of rules or of a profile is meant for; "": whatever is there
	Rules   *Rules     `json:"rules,omitempty"`
	Profile *Profile   `json:"profile,omitempty"`
	Agents  []Restored `json:"agents,omitempty"`
	Homes   []string   `json:"homes,omitempty"`
	Part    *Part      `json:"part,omitempty"`

	ticket *Ticket // of a caller who joins at this engine
	offer  *Offer  // of an agent who is called in at this engine
}

// Effects is what a command has led to, each list in the order in which it
// happened. The lists are the machine's: they hold until its next command.
type Effects struct {
	Changes []Change     `json:"changes,omitempty"` // for the record
	Offers  []OfferMade  `json:"offers,omitempty"`  // to be rung, once they are recorded
	Over    []OfferOver  `json:"over,omitempty"`    // to be rung no more
	Waits   []WaitEnded  `json:"waits,omitempty"`
	Refused []TurnedAway `json:"refused,omitempty"`
}

func (fx *Effects) reset() {
	fx.Changes, fx.Offers, fx.Over = fx.Changes[:0], fx.Offers[:0], fx.Over[:0]
	fx.Waits, fx.Refused = fx.Waits[:0], fx.Refused[:0]
}

// OfferMade is an agent reserved for a caller, or called in by a call.
type OfferMade struct {
	Call        string        `json:"call"`
	ID          string        `json:"id"`
	Number      int           `json:"number,omitempty"`
	Called      bool          `json:"called,omitempty"`
	With        string        `json:"with,omitempty"` // called: by whose call this is or was last
	Agent       string        `json:"agent"`
	Queue       string        `json:"queue"`
	RingTimeout time.Duration `json:"ring_timeout_ns"`
	Waited      time.Duration `json:"waited_ns"`

	profile *Profile
}

// How an offer ends, beside the Refusals.
const (
	ResultConnected  = "connected"
	ResultWithdrawn  = "withdrawn"  // the agent signed out, paused or serves the caller no more
	ResultUnreported = "unreported" // its owner said nothing
	ResultElsewhere  = "elsewhere"  // another agent who was rung for the same caller answered first
)

// OfferOver is the end of an offer.
type OfferOver struct {
	Call   string `json:"call"`
	ID     string `json:"id"`
	Agent  string `json:"agent"`
	Queue  string `json:"queue"`
	Result string `json:"result"` // one of the Result constants or a Refusal
	Called bool   `json:"called,omitempty"`
}

// How a wait ends.
const (
	WaitConnected = "connected"
	WaitLeft      = "left"
	WaitLapsed    = "lapsed"
)

// WaitEnded is the end of a wait.
type WaitEnded struct {
	Call   string        `json:"call"`
	Queue  string        `json:"queue"`
	How    string        `json:"how"`              // WaitConnected, WaitLeft, WaitLapsed
	Reason string        `json:"reason,omitempty"` // of leaving or lapsing
	Waited time.Duration `json:"waited_ns"`
	InTime bool          `json:"in_time,omitempty"` // within the queue's ServiceLevel

	// Predicted is what was estimated when the caller joined; false where there
	// was too little to tell it from.
	Predicted time.Duration `json:"predicted_ns,omitempty"`
	Known     bool          `json:"known,omitempty"`
}

// Why a caller gets no place.
const (
	RefusedFull    = "full"
	RefusedNobody  = "nobody"
	RefusedNoSkill = "no-skill"
)

// TurnedAway is a caller who got no place.
type TurnedAway struct {
	Queue  string `json:"queue"`
	Reason string `json:"reason"` // one of the Refused constants
}
