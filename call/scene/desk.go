package scene

import (
	"fmt"
	"time"
)

// Kinds of targets.
const (
	ToAgent     = "agent"     // ID: the agent's
	ToQueue     = "queue"     // ID: the queue's; its next agent
	ToDirectory = "directory" // ID: the entry's in hotline.yaml
	ToDuty      = "duty"      // the duty manager; no ID
)

// Target is whom a caller is to be brought to, or who is to be asked.
type Target struct {
	Kind string `json:"kind"`
	ID   string `json:"id,omitempty"`
}

// Order is an act that is asked for.
type Order struct {
	Call   string  `json:"call,omitempty"` // "": the one that the agent has
	Act    Act     `json:"act"`
	Target *Target `json:"target,omitempty"` // consult, transfer
	Keys   string  `json:"keys,omitempty"`   // keys: 0-9 A-D * #
	Reason string  `json:"reason,omitempty"` // hangup: why our side ends it
}

// Why an order is refused.
const (
	NoCall        = "no-call"        // the agent has none, or not that one
	Impossible    = "impossible"     // not in this scene; Values: act, scene
	UnknownTarget = "unknown-target" // Values: kind, id
	NotAvailable  = "not-available"  // the target cannot be rung now; Values: kind, id, state
	Self          = "self"           // the target is the agent who asks
	BadKeys       = "bad-keys"
	NotNow        = "not-now" // the service cannot; Asterisk or the journal refused
)

// Refused says why an order is not carried out, in a code and in values: for
// programs, and for whoever finds words.
type Refused struct {
	Code   string            `json:"code"`
	Values map[string]string `json:"values,omitempty"`
}

func (r *Refused) Error() string { return fmt.Sprintf("scene: refused: %s %v", r.Code, r.Values) }

// Kinds of parts that an agent has in a call.
const (
	PartIn    = "in"    // has it, or is offered it
	PartThird = "third" // is consulted about it
)

// Ringing is what a desk shows of a call that its agent is offered.
const Ringing Name = "ringing"

// Desk is what an agent has at hand of a call. Times are on the service's
// clock. What Region and Times need, a call does not know.
type Desk struct {
	ID       string     `json:"id"`
	Kind     string     `json:"kind"`
	Scene    Name       `json:"scene"`
	Number   string     `json:"number"` // masked; "" when withheld
	Region   Names      `json:"region,omitempty"`
	Queue    Line       `json:"queue"`
	WaitedMs int64      `json:"waited_ms"`
	Times    int        `json:"times,omitempty"` // which call of this number it is, from 1
	Path     []string   `json:"path"`            // through the menus, in words
	Began    time.Time  `json:"began"`
	RingEnds *time.Time `json:"ring_ends"`
	Answered *time.Time `json:"answered"`
	Muted    bool       `json:"muted"`
	Hold     *OnHold    `json:"hold"`
	Third    *Other     `json:"third"`
	Monitor  Mode       `json:"monitor"` // as far as the agent is to know: never "listen"
	Acts     []Act      `json:"acts"`

	// Watched is who listens, whispers or has joined, for the floor alone; nil:
	// nobody.
	Watched *Watching `json:"-"`
}

// Names are how something is called, by language: "zh-CN", "en".
type Names map[string]string

// Watching is a supervisor in a talk.
type Watching struct {
	Agent string
	Mode  Mode
}

// Line is a queue.
type Line struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// OnHold is a caller who hears the tone.
type OnHold struct {
	Since     time.Time `json:"since"`
	Apologies int       `json:"apologies"` // that have begun
	Next      time.Time `json:"next"`      // the next one begins
}

// ApologyEvery lies between two apologies of a hold (C3).
const ApologyEvery = 30 * time.Second

// HoldAt is a hold that began at since, as it is now.
func HoldAt(since, now time.Time) *OnHold {
	n := max(int(now.Sub(since)/ApologyEvery), 0)
	return &OnHold{Since: since, Apologies: n, Next: since.Add(time.Duration(n+1) * ApologyEvery)}
}

// States of a third.
const (
	ThirdRinging = "ringing"
	ThirdTalking = "talking"
	ThirdMissed  = "failed" // not reached; shown until the next step
	ThirdSent    = "sent"   // has transferred the caller, and left
)

// Other is the third of a talk, or for a third the agent who asks.
type Other struct {
	Target
	Name  string    `json:"name"`
	State string    `json:"state"`
	Why   string    `json:"why,omitempty"` // failed: no-answer, declined (or busy), unreachable, no-way; "": not known
	Since time.Time `json:"since"`
}
