package web

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"hotline/queue"
)

// Rules are a queue's as they are read and shown: those fields of a queue in
// hotline.yaml that its engine goes by, with the same names.
type Rules struct {
	MaxWaiting      int            `json:"max_waiting"`
	MaxWait         Duration       `json:"max_wait"`
	MaxWaitTo       string         `json:"max_wait_to"`
	OverflowTo      string         `json:"overflow_to"`
	OverflowAfter   Duration       `json:"overflow_after"`
	Aging           Duration       `json:"aging"`
	Skills          map[string]int `json:"skills"`
	Relax           []Relaxation   `json:"relax"`
	Strategy        queue.Strategy `json:"strategy"`
	RingAtMost      int            `json:"ring_at_most"`
	WrapUp          Duration       `json:"wrap_up"`
	WrapUpAtMost    Duration       `json:"wrap_up_at_most"`
	RingTimeout     Duration       `json:"ring_timeout"`
	ServiceLevel    Duration       `json:"service_level"`
	ServiceTarget   int            `json:"service_target"`
	DeclinePause    Duration       `json:"decline_pause"`
	MissesBeforeOut int            `json:"misses_before_out"`
	JoinEmpty       bool           `json:"join_empty"`
	StayEmpty       bool           `json:"stay_empty"`
	Unattended      Duration       `json:"unattended"`
	OnBreak         Duration       `json:"on_break"`
	Sticky          Duration       `json:"sticky"`
	PreferFor       Duration       `json:"prefer_for"`
}

// Relaxation is a step by which callers need less.
type Relaxation struct {
	After Duration `json:"after"`
	Skill string   `json:"skill"`
	By    int      `json:"by"`
}

// rulesOf shows the engine's rules.
func rulesOf(q queue.Rules) Rules {
	r := Rules{
		MaxWaiting: q.MaxWaiting, MaxWait: Duration(q.MaxWait), MaxWaitTo: cmp.Or(q.MaxWaitTo, queue.LapseMessage), OverflowTo: q.OverflowTo, OverflowAfter: Duration(q.OverflowAfter),
		Aging: Duration(q.Aging), Skills: maps.Clone(q.Needs), Relax: []Relaxation{}, Strategy: q.Strategy,
		RingAtMost: q.RingAtMost, WrapUp: Duration(q.WrapUp), WrapUpAtMost: Duration(q.WrapUpAtMost), RingTimeout: Duration(q.RingTimeout),
		ServiceLevel: Duration(q.ServiceLevel), ServiceTarget: q.ServiceTarget,
		DeclinePause: Duration(max(0, q.DeclinePause)), MissesBeforeOut: q.MissesBeforeOut,
		JoinEmpty: q.JoinEmpty, StayEmpty: q.StayEmpty, Unattended: Duration(q.Unattended), OnBreak: Duration(q.OnBreak),
		Sticky: Duration(q.Sticky), PreferFor: Duration(q.PreferFor),
	}
	if r.RingAtMost == 0 {
		r.RingAtMost = queue.DefaultRingAtMost // what it would be if the queue rang all
	}
	if r.Skills == nil {
		r.Skills = map[string]int{}
	}
	for _, step := range q.Relax {
		r.Relax = append(r.Relax, Relaxation{After: Duration(step.After), Skill: step.Skill, By: step.By})
	}
	return r
}

// forQueue are the rules in the engine's words. What means nothing under the
// strategy, or without an end of the wait, is left out, as in hotline.yaml.
func (r Rules) forQueue(id string) queue.Rules {
	q := queue.Rules{
		ID: id, MaxWaiting: r.MaxWaiting, MaxWait: r.MaxWait.d(), OverflowTo: r.OverflowTo, OverflowAfter: r.OverflowAfter.d(),
		Aging: r.Aging.d(), Needs: r.Skills, Strategy: r.Strategy,
		WrapUp: r.WrapUp.d(), WrapUpAtMost: r.WrapUpAtMost.d(), RingTimeout: r.RingTimeout.d(),
		ServiceLevel: r.ServiceLevel.d(), ServiceTarget: r.ServiceTarget,
		DeclinePause: r.DeclinePause.d(), MissesBeforeOut: r.MissesBeforeOut,
		JoinEmpty: r.JoinEmpty, StayEmpty: r.StayEmpty, Unattended: r.Unattended.d(), OnBreak: r.OnBreak.d(),
		Sticky: r.Sticky.d(),
	}
	if r.DeclinePause == 0 {
		q.DeclinePause = -1
	}
	if r.MaxWait > 0 {
		q.MaxWaitTo = r.MaxWaitTo
	}
	if r.Strategy == queue.RingAll {
		q.RingAtMost = r.RingAtMost
	} else {
		q.PreferFor = r.PreferFor.d()
	}
	for _, step := range r.Relax {
		q.Relax = append(q.Relax, queue.Relaxation{After: step.After.d(), Skill: step.Skill, By: step.By})
	}
	return q
}

// tag is a version as an ETag.
func tag(v queue.Version) string { return `"` + string(v) + `"` }

// unchanged makes sure that who changes something has seen what is there:
// If-Match with its version, or * for whatever it is. What is not there yet is
// made without it; If-None-Match: * makes sure that it is only made. What is
// returned is the version that the engine is to find, of which it makes sure
// itself: another service may change the same meanwhile.
func unchanged(r request, is queue.Version) (seen queue.Version, err error) {
	there := is != queue.Absent
	match, none := r.Header.Get("If-Match"), r.Header.Get("If-None-Match")
	switch {
	case none != "" && (none != "*" || match != ""):
		return "", problem(400, "condition", "use If-None-Match: * for what is not to be there yet, or If-Match for what is")
	case there && none == "*":
		return "", problem(412, "stale", "it is there already; read it, and change what is there with If-Match")
	case none == "*" || !there && match == "":
		return is, nil
	case !there:
		return "", problem(412, "stale", "it is not there, or not any more")
	case match == "":
		return "", problem(428, "condition", "say what is to be changed: If-Match with the ETag that reading it gave, or If-Match: * for whatever is there")
	case match == "*":
		return "", nil
	}
	for one := range strings.SplitSeq(match, ",") {
		if strings.TrimSpace(one) == tag(is) {
			return is, nil
		}
	}
	return "", stale()
}

func stale() *Problem {
	return problem(412, "stale", "it has been changed since; read it again, and change what is there now")
}

// unlessChanged is what a refused change is told as.
func unlessChanged(err error, otherwise func(error) error) error {
	if errors.Is(err, queue.ErrChanged) {
		return stale()
	}
	return unlessStopped(err, otherwise)
}

// Duration is a time.Duration written as 2s, 1m30s or 500ms.
type Duration time.Duration

func (d Duration) d() time.Duration { return time.Duration(d) }

// String writes 2m rather than 2m0s.
func (d Duration) String() string {
	s := d.d().String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// MarshalText writes what UnmarshalJSON reads.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalJSON reads "2s", "1m30s", "500ms".
func (d *Duration) UnmarshalJSON(text []byte) error {
	var said string
	if json.Unmarshal(text, &said) == nil {
		if parsed, err := time.ParseDuration(said); err == nil {
			*d = Duration(parsed)
			return nil
		}
	}
	return fmt.Errorf(`a time belongs here, with its unit: "2s", "1m30s", "500ms"`)
}
