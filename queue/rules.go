// Package queue puts waiting callers and agents together: who stands where, who
// takes the next caller, what an unanswered offer means for either of them.
//
// It owns the order of the callers, the states of the agents (one table, in
// agent.go), the rules of a queue, offers with their ends, and the estimate of
// a wait. It must not know telephony, storage or HTTP; whoever drives a phone
// reports what the phone did.
//
// It has two layers. Machine decides: a state and Apply(Command), without
// clocks, goroutines or chance, so that the same commands in the same order
// lead to the same everywhere. Engine drives a machine in this process: real
// time, the tickets and offers that calls hold, the record of what happened.
// Nothing polls.
//
// The files of the machine: machine.go (state and commands), command.go (what
// goes in and comes out), match.go (how a caller and an agent meet and part),
// verbs.go (what agents, calls and operators ask), consult.go (agents whom a call
// calls in), ringall.go, classes.go and ways.go (who may serve whom), order.go (who comes before whom), agent.go (the states),
// timers.go, rules.go and check.go (what a queue and an agent are, and what
// contradicts itself), change.go (what is recorded), restore.go (going on after
// a restart from what was recorded), govern.go (new rules at run time),
// estimate.go, sticky.go, snapshot.go. Those of the engine: engine.go,
// caller.go (ticket and offer, the side a call sees), clock.go (by which moments
// callers stand), views.go, metrics.go.
package queue

import (
	"cmp"
	"fmt"
	"time"
)

// What a zero field of Rules stands for.
const (
	DefaultRingTimeout     = 15 * time.Second // three rings, B1
	DefaultServiceLevel    = 20 * time.Second // of 80/20
	DefaultServiceTarget   = 80               // per cent
	DefaultDeclinePause    = 10 * time.Second
	DefaultMissesBeforeOut = 2
	DefaultUnattended      = 60 * time.Second
	DefaultOnBreak         = 10 * time.Minute
	DefaultAging           = 15 * time.Minute
	DefaultRingAtMost      = 8
	DefaultWrapUpAtMost    = 10 * time.Minute
)

// Limits of Rules and Profile.
const (
	MostRung   = 32  // phones rung at once for one caller
	MostLevel  = 100 // of a skill
	MostWeight = 1000
)

// ReportGrace is how much longer than RingTimeout an offer may stay without a
// report before the engine takes it back, so that no agent stays reserved for
// a call that has stopped working.
const ReportGrace = 5 * time.Second

// LeastDeclinePause is how long an agent is left alone after declining, whatever
// the rules say: a phone that is set to take no calls declines at once, and
// where it is the only one would be rung without end.
const LeastDeclinePause = time.Second

// overflowAgain is how soon, at the earliest, a caller who could not overflow
// because the other queue would not have them is tried again.
const overflowAgain = 10 * time.Second

// Strategy says which of several ready agents takes a caller.
type Strategy string

// The strategies.
const (
	LongestIdle Strategy = "longest-idle" // who has been ready for longest; what an empty Strategy stands for
	FewestCalls Strategy = "fewest-calls" // who has taken the fewest calls of this queue, then the longest idle
	RoundRobin  Strategy = "round-robin"  // one after the other, in the order in which agents are listed
	Linear      Strategy = "linear"       // always the first who is ready, in the order in which agents are listed
	RingAll     Strategy = "ring-all"     // up to RingAtMost phones ring at once, and who answers first has the caller
)

// Rules are one queue's standards. A zero field takes its default, and where
// no default is named it is none: no limit, no such time.
type Rules struct {
	ID string `json:"id"`

	// MaxWaiting refuses a caller who would stand behind this many others and
	// for whom nobody is ready. Callers of a better class stand further ahead,
	// so they are refused last.
	MaxWaiting int `json:"max_waiting,omitempty"`

	// MaxWait ends a wait in this queue after so long: the ticket lapses with
	// MaxWaitTo, or LapseTooLong. A phone that rings then may still be answered.
	MaxWait   time.Duration `json:"max_wait_ns,omitempty"`
	MaxWaitTo string        `json:"max_wait_to,omitempty"` // LapseCallBack, LapseMessage

	// OverflowTo is the queue that takes a caller after OverflowAfter in this
	// one, and at once where this one is full or nobody is there. The caller
	// stays where they are while that queue is full or nobody takes calls there.
	// Place and clocks go on: arrival, priority and the wait so far count there.
	OverflowTo    string        `json:"overflow_to,omitempty"`
	OverflowAfter time.Duration `json:"overflow_after_ns,omitempty"` // zero: only where this queue is full or nobody is there

	// Aging is how much waiting one step of Priority is worth: a caller stands
	// as if they had arrived Priority × Aging earlier. So nobody is passed for
	// ever: who has waited longer than Aging for each step that a newcomer is
	// better stays ahead of them. Default DefaultAging.
	Aging time.Duration `json:"aging_ns,omitempty"`

	// Needs are the skills, with the lowest level of each, that every caller of
	// this queue needs of an agent; Caller.Needs adds to them. Relax lowers them
	// as the wait grows.
	Needs map[string]int `json:"needs,omitempty"`
	Relax []Relaxation   `json:"relax,omitempty"`

	// Strategy chooses between agents; default LongestIdle. RingAtMost is how
	// many phones RingAll rings at once for a caller, MostRung at most.
	Strategy   Strategy `json:"strategy,omitempty"`
	RingAtMost int      `json:"ring_at_most,omitempty"`

	// WrapUp is the agent's time after a talk before the next offer; WrapUpAtMost
	// is how long it can get when the agent asks for more (Engine.Extend).
	WrapUp       time.Duration `json:"wrap_up_ns,omitempty"`
	WrapUpAtMost time.Duration `json:"wrap_up_at_most_ns,omitempty"`

	// RingTimeout is how long an agent's phone is offered a call (B1).
	RingTimeout time.Duration `json:"ring_timeout_ns,omitempty"`

	// ServiceLevel is the wait within which ServiceTarget per cent of the
	// callers should be connected (E2); it is only measured.
	ServiceLevel  time.Duration `json:"service_level_ns,omitempty"`
	ServiceTarget int           `json:"service_target,omitempty"`

	// DeclinePause is how long an agent is left alone after declining or
	// missing an offer; negative: not at all, after declining for
	// LeastDeclinePause. Meanwhile the caller goes to somebody else.
	DeclinePause time.Duration `json:"decline_pause_ns,omitempty"`

	// MissesBeforeOut is the number of offers missed in a row after which an
	// agent is taken out of service until they sign in or make themselves
	// ready again.
	MissesBeforeOut int `json:"misses_before_out,omitempty"`

	// JoinEmpty lets callers wait where nobody is signed in. StayEmpty lets them
	// go on waiting when the last agent signs out, or when all have been out of
	// service for Unattended; it needs a MaxWait.
	JoinEmpty bool `json:"join_empty,omitempty"`
	StayEmpty bool `json:"stay_empty,omitempty"`

	// Unattended is how long callers go on waiting when every agent signed in
	// is out of service (unreachable, or taken out after missed offers). Then
	// they lapse, so that they are told (A3).
	Unattended time.Duration `json:"unattended_ns,omitempty"`

	// OnBreak is how long they go on waiting when everybody who is signed in and
	// in service is on a break.
	OnBreak time.Duration `json:"on_break_ns,omitempty"`

	// Sticky is how long it is remembered who served a caller (Caller.Who)
	// last, to be preferred when they call again.
	Sticky time.Duration `json:"sticky_ns,omitempty"`

	// PreferFor is how long a caller waits for the agent they had before
	// (Caller.Prefer, or by Sticky) and lets others pass, as long as that agent
	// is going to be ready. Zero: anybody takes them unless that agent is ready
	// at once.
	PreferFor time.Duration `json:"prefer_for_ns,omitempty"`
}

// Relaxation lowers what is needed of an agent by so many levels once a caller
// has waited for After. A skill whose level falls to zero is needed no more.
type Relaxation struct {
	After time.Duration `json:"after_ns"`
	Skill string        `json:"skill,omitempty"` // empty: every skill
	By    int           `json:"by"`
}

// withDefaults fills zero fields and refuses what makes no sense by itself;
// what contradicts other rules is refused by check.
func (r Rules) withDefaults() (Rules, error) {
	if r.ID == "" {
		return r, fmt.Errorf("a queue has no ID: give each queue one")
	}
	if r.MaxWaiting < 0 || r.MissesBeforeOut < 0 {
		return r, fmt.Errorf("queue %s: max_waiting %d, misses_before_out %d: neither may be negative", r.ID, r.MaxWaiting, r.MissesBeforeOut)
	}
	for _, d := range []struct {
		name   string
		value  *time.Duration
		normal time.Duration
	}{
		{"max_wait", &r.MaxWait, 0},
		{"overflow_after", &r.OverflowAfter, 0},
		{"aging", &r.Aging, DefaultAging},
		{"wrap_up", &r.WrapUp, 0},
		{"wrap_up_at_most", &r.WrapUpAtMost, max(DefaultWrapUpAtMost, r.WrapUp)},
		{"ring_timeout", &r.RingTimeout, DefaultRingTimeout},
		{"service_level", &r.ServiceLevel, DefaultServiceLevel},
		{"decline_pause", &r.DeclinePause, DefaultDeclinePause},
		{"unattended", &r.Unattended, DefaultUnattended},
		{"on_break", &r.OnBreak, DefaultOnBreak},
		{"sticky", &r.Sticky, 0},
		{"prefer_for", &r.PreferFor, 0},
	} {
		if *d.value < 0 && d.value != &r.DeclinePause {
			return r, fmt.Errorf("queue %s: %s is %v: it may not be negative", r.ID, d.name, *d.value)
		}
		*d.value = cmp.Or(*d.value, d.normal)
	}
	r.MissesBeforeOut = cmp.Or(r.MissesBeforeOut, DefaultMissesBeforeOut)
	r.ServiceTarget = cmp.Or(r.ServiceTarget, DefaultServiceTarget)
	r.Strategy = cmp.Or(r.Strategy, LongestIdle)
	if r.Strategy == RingAll {
		r.RingAtMost = cmp.Or(r.RingAtMost, DefaultRingAtMost)
	}
	return r, r.sound()
}

// rest is how long an agent is left alone after an offer that came to nothing.
func (r *Rules) rest(declined bool) time.Duration {
	if declined {
		return max(r.DeclinePause, LeastDeclinePause)
	}
	return r.DeclinePause
}

// Profile is an agent as the operator describes them.
type Profile struct {
	ID     string   `json:"id"`     // the phone's account, "1001"
	Number string   `json:"number"` // what is said to callers, "789" (C9)
	Name   string   `json:"name"`
	Queues []string `json:"queues"` // the queues they serve

	// Home is the service at whose Asterisk the phone is registered, where
	// several share a queue. An Engine with a Log takes its own for none.
	Home string `json:"home,omitempty"`

	// Weights say how much a wait in a queue counts when callers wait in several
	// of the agent's queues: who has the longest wait × weight is next. A queue
	// without one has 1, so that the longest waiter is next.
	Weights map[string]int `json:"weights,omitempty"`

	// Skills are what the agent can do and how well, 1 and up.
	Skills map[string]int `json:"skills,omitempty"`
}
