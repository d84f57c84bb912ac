package queue

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// What contradicts itself is refused before it is in force, by a sentence that
// says what and why in the words of hotline.yaml, instead of showing itself as callers nobody comes for.

// sound is what can be said of a queue's rules alone, defaults filled in.
func (r Rules) sound() error {
	refuse := func(format string, args ...any) error {
		return fmt.Errorf("queue %s: "+format, append([]any{r.ID}, args...)...)
	}
	switch r.Strategy {
	case LongestIdle, FewestCalls, RoundRobin, Linear, RingAll:
	default:
		return refuse("there is no strategy %q: use %s, %s, %s, %s or %s", r.Strategy, LongestIdle, FewestCalls, RoundRobin, Linear, RingAll)
	}
	switch {
	case r.RingAtMost != 0 && r.Strategy != RingAll:
		return refuse("ring_at_most means something only to the strategy %s, and this is %s", RingAll, r.Strategy)
	case r.Strategy == RingAll && (r.RingAtMost < 1 || r.RingAtMost > MostRung):
		return refuse("ring_at_most is %d: it may be 1 to %d", r.RingAtMost, MostRung)
	case r.Strategy == RingAll && (r.PreferFor > 0 || r.Sticky > 0):
		return refuse("%s rings everybody, so that nobody can be preferred: leave prefer_for and sticky out", RingAll)
	case r.MaxWaitTo != "" && r.MaxWait == 0:
		return refuse("max_wait_to is %q, and there is no max_wait after which it would happen", r.MaxWaitTo)
	case r.MaxWaitTo != "" && r.MaxWaitTo != LapseCallBack && r.MaxWaitTo != LapseMessage:
		return refuse("a wait cannot end in %q: use %q or %q", r.MaxWaitTo, LapseCallBack, LapseMessage)
	case r.OverflowAfter > 0 && r.OverflowTo == "":
		return refuse("callers overflow after %v, and no queue is named that takes them", r.OverflowAfter)
	case r.OverflowTo == r.ID:
		return refuse("it cannot overflow into itself")
	case r.MaxWait > 0 && r.OverflowAfter >= r.MaxWait:
		return refuse("a wait ends after %v, so that nobody would overflow after %v", r.MaxWait, r.OverflowAfter)
	case r.MaxWait > 0 && r.PreferFor >= r.MaxWait:
		return refuse("a wait ends after %v, before a caller has waited %v for the agent they had before", r.MaxWait, r.PreferFor)
	case r.OverflowAfter > 0 && r.PreferFor >= r.OverflowAfter:
		return refuse("callers overflow after %v, before they have waited %v for the agent they had before", r.OverflowAfter, r.PreferFor)
	case r.JoinEmpty && !r.StayEmpty:
		return refuse("callers who may join where nobody is signed in (join_empty) must be let stay there (stay_empty)")
	case r.StayEmpty && r.MaxWait == 0:
		return refuse("callers who stay where nobody is signed in would wait for ever: give the wait an end (max_wait)")
	case r.ServiceTarget < 1 || r.ServiceTarget > 100:
		return refuse("service_target is %d per cent: it may be 1 to 100", r.ServiceTarget)
	case r.WrapUpAtMost < r.WrapUp:
		return refuse("wrap_up_at_most %v is less than wrap_up %v", r.WrapUpAtMost, r.WrapUp)
	case r.Aging > 24*time.Hour:
		return refuse("aging is %v: a step of priority may be worth a day of waiting at most", r.Aging)
	}
	if err := levels(r.Needs); err != nil {
		return refuse("what callers need: %w", err)
	}
	for i, step := range r.Relax {
		switch {
		case step.After <= 0 || i > 0 && step.After < r.Relax[i-1].After:
			return refuse("relaxation %d comes after %v: write them in the order in which they come", i+1, step.After)
		case r.MaxWait > 0 && step.After >= r.MaxWait:
			return refuse("a wait ends after %v, so that relaxation %d after %v would help nobody", r.MaxWait, i+1, step.After)
		case step.By < 1 || step.By > MostLevel:
			return refuse("relaxation %d lowers by %d levels: use 1 to %d", i+1, step.By, MostLevel)
		}
	}
	return nil
}

// levels says what is wrong with skills.
func levels(skills map[string]int) error {
	if len(skills) == 0 {
		return nil
	}
	for _, skill := range slices.Sorted(maps.Keys(skills)) {
		if level := skills[skill]; skill == "" || level < 1 || level > MostLevel {
			return fmt.Errorf("skill %q has level %d: give each a name and a level of 1 to %d", skill, level, MostLevel)
		}
	}
	return nil
}

// sound is what can be said of a profile alone.
func (p Profile) sound() error {
	if p.ID == "" {
		return fmt.Errorf("agent %q has no ID", p.ID)
	}
	if err := levels(p.Skills); err != nil {
		return fmt.Errorf("agent %s: %w", p.ID, err)
	}
	for _, id := range slices.Sorted(maps.Keys(p.Weights)) {
		switch weight := p.Weights[id]; {
		case !slices.Contains(p.Queues, id):
			return fmt.Errorf("agent %s has a weight for queue %q, which they do not serve", p.ID, id)
		case weight < 1 || weight > MostWeight:
			return fmt.Errorf("agent %s gives queue %q the weight %d: use 1 to %d", p.ID, id, weight, MostWeight)
		}
	}
	return nil
}

// plan is all queues and agents as they are meant to be, by ID.
type plan struct {
	rules    map[string]Rules
	profiles map[string]Profile
}

// check names everything in which the rules of all queues and agents
// contradict one another.
func (p plan) check() error {
	var errs []error
	for _, id := range slices.Sorted(maps.Keys(p.rules)) {
		errs = append(errs, p.overflows(p.rules[id]), p.skilled(p.rules[id]))
	}
	for _, id := range slices.Sorted(maps.Keys(p.profiles)) {
		errs = append(errs, p.serves(p.profiles[id]))
	}
	return errors.Join(errs...)
}

// overflows follows where a queue's callers go.
func (p plan) overflows(r Rules) error {
	seen := []string{r.ID}
	for next := r.OverflowTo; next != ""; next = p.rules[next].OverflowTo {
		if _, there := p.rules[next]; !there && len(seen) == 1 {
			return fmt.Errorf("queue %s overflows into queue %q, which does not exist", r.ID, next)
		}
		if next == r.ID {
			return fmt.Errorf("queue %s overflows in a circle: %q", r.ID, append(seen, next))
		}
		if slices.Contains(seen, next) {
			return nil // a circle further on, told of there
		}
		seen = append(seen, next)
	}
	return nil
}

// skilled looks for an agent who can serve the queue's callers at last. A queue
// without agents asks for nothing that somebody could have.
func (p plan) skilled(r Rules) error {
	if len(r.Needs) == 0 {
		return nil
	}
	floor := relaxed(needsOf(r.Needs), r.Relax, len(r.Relax))
	best, served := map[string]int{}, false
	for _, a := range p.profiles {
		if !slices.Contains(a.Queues, r.ID) {
			continue
		}
		if served = true; meets(a.Skills, floor) {
			return nil
		}
		for skill, level := range a.Skills {
			best[skill] = max(best[skill], level)
		}
	}
	if !served {
		return nil
	}
	for _, n := range floor {
		if best[n.skill] < n.level {
			return fmt.Errorf("queue %s asks for the skill %q of level %d even after the longest wait, and the best who serves it has %d", r.ID, n.skill, n.level, best[n.skill])
		}
	}
	return fmt.Errorf("queue %s asks for %s even after the longest wait, and nobody who serves it has all of that", r.ID, needsKey(floor))
}

func (p plan) serves(a Profile) error {
	for i, id := range a.Queues {
		if _, there := p.rules[id]; !there || slices.Contains(a.Queues[:i], id) {
			return fmt.Errorf("agent %s serves queue %q, which does not exist or is named twice", a.ID, id)
		}
	}
	return nil
}
