// Package queue puts waiting callers and agents together: who stands where, who
// takes the next caller, what an unanswered offer means for either of them.
//
// It owns the order of the callers, the states of the agents (one table, in
// agent.go), offers with their ends, and the estimate of a wait. It works in
// memory and by events: nothing polls. It must not know telephony, storage or
// HTTP; whoever drives a phone reports what the phone did.
//
// The files: rules.go (what a queue and an agent are), order.go (who comes
// before whom), clock.go (by which moments), agent.go (the states), caller.go
// (ticket and offer, the side a call sees), engine.go (the verbs), match.go (how
// a caller and an agent meet and part), change.go (what is recorded), restore.go
// (going on after a restart from what was recorded), estimate.go, views.go,
// metrics.go.
package queue

import (
	"fmt"
	"time"
)

// What a zero field of Rules stands for.
const (
	DefaultRingTimeout     = 15 * time.Second // three rings, B1
	DefaultServiceLevel    = 20 * time.Second // of 80/20
	DefaultDeclinePause    = 10 * time.Second
	DefaultMissesBeforeOut = 2
	DefaultUnattended      = 60 * time.Second
)

// ReportGrace is how much longer than RingTimeout an offer may stay without a
// report before the engine takes it back, so that no agent stays reserved for
// a call that has stopped working.
const ReportGrace = 5 * time.Second

// Rules are one queue's standards. A zero field takes its default, except
// MaxWaiting (zero: no limit), WrapUp and PreferFor (zero: none).
type Rules struct {
	ID string

	// MaxWaiting refuses a caller who would stand behind this many others and
	// for whom nobody is ready. Callers of a better class stand further ahead,
	// so they are refused last.
	MaxWaiting int

	// WrapUp is the agent's time after a talk before the next offer.
	WrapUp time.Duration

	// RingTimeout is how long an agent's phone is offered a call (B1).
	RingTimeout time.Duration

	// ServiceLevel is the wait within which a caller should be connected (E2);
	// it is only measured.
	ServiceLevel time.Duration

	// DeclinePause is how long an agent is left alone after declining or
	// missing an offer; negative: not at all. Meanwhile the caller goes to
	// somebody else.
	DeclinePause time.Duration

	// MissesBeforeOut is the number of offers missed in a row after which an
	// agent is taken out of service until they sign in or make themselves
	// ready again.
	MissesBeforeOut int

	// Unattended is how long callers go on waiting when every agent signed in
	// is out of service (unreachable, or taken out after missed offers). Then
	// they lapse, so that they are told (A3).
	Unattended time.Duration

	// PreferFor is how long a caller waits for the agent they had before
	// (Caller.Prefer) and lets others pass, as long as that agent is going to
	// be ready. Zero: anybody takes them unless that agent is ready at once.
	PreferFor time.Duration
}

// withDefaults fills zero fields and refuses what makes no sense.
func (r Rules) withDefaults() (Rules, error) {
	if r.ID == "" {
		return r, fmt.Errorf("a queue has no ID: give each queue one")
	}
	if r.MaxWaiting < 0 || r.MissesBeforeOut < 0 {
		return r, fmt.Errorf("queue %s: MaxWaiting %d, MissesBeforeOut %d: neither may be negative", r.ID, r.MaxWaiting, r.MissesBeforeOut)
	}
	for _, d := range []struct {
		name   string
		value  *time.Duration
		normal time.Duration
	}{
		{"WrapUp", &r.WrapUp, 0},
		{"RingTimeout", &r.RingTimeout, DefaultRingTimeout},
		{"ServiceLevel", &r.ServiceLevel, DefaultServiceLevel},
		{"DeclinePause", &r.DeclinePause, DefaultDeclinePause},
		{"Unattended", &r.Unattended, DefaultUnattended},
		{"PreferFor", &r.PreferFor, 0},
	} {
		if *d.value < 0 && d.value != &r.DeclinePause {
			return r, fmt.Errorf("queue %s: %s is %v: it may not be negative", r.ID, d.name, *d.value)
		}
		if *d.value == 0 {
			*d.value = d.normal
		}
	}
	if r.MissesBeforeOut == 0 {
		r.MissesBeforeOut = DefaultMissesBeforeOut
	}
	return r, nil
}

// Profile is an agent as the operator describes them.
type Profile struct {
	ID     string   `json:"id"`     // the phone's account, "1001"
	Number string   `json:"number"` // what is said to callers, "789" (C9)
	Name   string   `json:"name"`
	Queues []string `json:"queues"` // the queues they serve
}
