package queue

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Log puts the commands of several engines into one order, in which each
// engine carries out all of them.
type Log interface {
	// Start begins to bring the follower together with the others. It does not
	// wait, and calls the follower from one goroutine of the log's own.
	Start(Follower)

	// Append puts a command behind those given before. It does not wait: the
	// follower is told in that order what has happened, or that it is alone,
	// and then nothing that it has not been told of.
	Append(Command)

	// Tick has time pass for everybody once a moment of the machine's clock has
	// come, unless something else has happened since.
	Tick(due time.Time)

	// Stop ends the log. Once it returns the follower is left alone.
	Stop()
}

// Follower is an engine as its log sees it. An engine is alone at first: it
// takes in callers and agents by itself. Then it brings what it has to the
// others and enters, and from then on only what happens in the log happens.
// When that fails at any point it is alone again and goes on with what it has.
type Follower struct{ engine *Engine }

// Owner is the name of the follower's service.
func (f Follower) Owner() string { return f.engine.owner }

// Beginning is what a log begins with where there is none.
func (f Follower) Beginning() (*Machine, error) {
	f.engine.mu.Lock()
	defer f.engine.mu.Unlock()
	return f.engine.machine.Beginning()
}

// Bring appends what the follower has, as it is at this moment: by that clocks
// go on elsewhere. What is asked of it waits from now on until it has entered or
// is alone.
func (f Follower) Bring() {
	e := f.engine
	e.mu.Lock()
	defer e.leave()
	if e.submit(Command{Do: VerbTick}) == nil {
		e.company = true
		e.brought = e.machine.Part(e.owner)
		if !e.met {
			e.brought.Clock = e.wall(time.Now())
		}
		e.append(Command{Do: VerbReturn, Part: e.brought})
	}
}

// Enter gives the follower the machine that all have in common, as it is just
// before what the follower brought, and the moment of the log's clock at which
// that comes. What falls due there up to then is for the other services to act
// on: the follower's own callers and agents have been through that time without
// them, and what it brings says what has become of them.
func (f Follower) Enter(m *Machine, at time.Time) {
	_, _ = m.Apply(Command{Do: VerbTick, At: at}) // which nothing refuses
	e := f.engine
	e.mu.Lock()
	e.machine, e.met = m, true
	e.armed = time.Time{} // by the clock of before
	was := e.alone
	e.alone = solitude{}
	e.mu.Unlock()
	if was.why != nil {
		e.log.Info("queue: back with the other services", "alone_since", was.since)
	}
	e.settle()
}

// Happened tells what has happened at a moment of the log's clock: the next so
// many of the follower's own commands, and those of others.
func (f Follower) Happened(at time.Time, own int, others []Command) {
	e := f.engine
	e.mu.Lock()
	defer e.leave()
	if e.stopped {
		return
	}
	e.ahead = at.Sub(e.steady(time.Now()))
	for range own {
		r := e.asked[0]
		e.asked = e.asked[1:]
		r.At = at
		r.done <- e.apply(r.Command, true)
		if r.Do == VerbReturn {
			e.lapseUnplaced()
			e.metrics.forget()
			e.compare(e.brought)
		}
	}
	for _, c := range others {
		c.At = at
		_ = e.apply(c, false) // the answer is for whoever asked
	}
	e.arm(e.clock())
}

// Alone tells the follower that the others cannot be heard. It goes on with its
// own callers and agents; nobody is offered anybody before Serve, since what
// was last heard may still hold for the others.
func (f Follower) Alone(why error) {
	e := f.engine
	e.mu.Lock()
	defer e.settle()
	defer e.leave()
	if e.stopped || e.alone.why != nil && !e.company {
		return
	}
	asked := e.asked
	e.asked, e.company, e.machine.held = nil, false, true
	for _, r := range asked {
		if r.Do != VerbReturn {
			r.done <- e.submit(r.Command)
		}
	}
	_ = e.submit(Command{Do: VerbAlone})
	e.lapseUnplaced()
	if e.alone.why == nil {
		e.alone = solitude{since: e.wall(time.Now()), why: why}
		e.log.Error("queue: nothing is heard of the other services; going on with the callers and agents of this one", "err", why)
	}
}

// Serve has callers and agents of a follower that is alone be matched.
func (f Follower) Serve() {
	e := f.engine
	e.mu.Lock()
	defer e.leave()
	if !e.company {
		_ = e.submit(Command{Do: VerbOpen})
	}
}

// request is a command that is in the log's hands.
type request struct {
	Command
	done chan error
}

// append gives a command to the log; the lock is held.
func (e *Engine) append(c Command) *request {
	c.Owner = e.owner
	r := &request{c, make(chan error, 1)}
	e.asked = append(e.asked, r)
	e.shared.Append(c)
	return r
}

// solitude is being alone.
type solitude struct {
	since time.Time
	why   error
}

// Alone says since when and why nothing is heard of the other services, so that
// this one goes on with its own callers and agents; nil while they are heard,
// and where there are to be none. Before Open it is ErrNotOpen.
func (e *Engine) Alone() (since time.Time, why error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.alone.why == nil && e.shared != nil && !e.isSettled() {
		return e.wall(e.began), ErrNotOpen
	}
	return e.alone.since, e.alone.why
}

// ErrNotOpen says that an engine has not come to the others yet.
var ErrNotOpen = errors.New("it is shared with the others once it is known which calls this service has")

// Others are the other services that are heard of, by name, if the engine shares
// its queues at all.
func (e *Engine) Others() (heard []string, shared bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, service := range slices.Sorted(maps.Keys(e.machine.here)) {
		if service != e.owner && !e.machine.unheard(service) {
			heard = append(heard, service)
		}
	}
	return heard, e.shared != nil
}

// settle tells Open that it is known how things stand.
func (e *Engine) settle() { e.settling.Do(func() { close(e.settled) }) }

func (e *Engine) isSettled() bool {
	select {
	case <-e.settled:
		return true
	default:
		return false
	}
}

// prepare makes the options such that the agents whose home is not said are
// the engine's own.
func (o *Options) prepare() error {
	if o.Log == nil {
		return nil
	}
	if o.Owner == "" {
		return fmt.Errorf("queue: a service that shares its callers needs a name of its own: set Options.Owner")
	}
	agents := make([]Profile, len(o.Agents))
	for i, a := range o.Agents {
		if a.Home == "" {
			a.Home = o.Owner
		}
		agents[i] = a
	}
	o.Agents = agents
	return nil
}

// concerns reports whether a change is for this engine's record: its calls and
// agents are, and the rules, but for those it brought along and has recorded.
func (e *Engine) concerns(c *Change) bool {
	return e.shared == nil || c.Call == "" && c.Agent == "" && c.By != byService(e.owner) ||
		c.Call != "" && c.Owner == e.owner && !c.homeOnly || c.Agent != "" && c.Home == e.owner ||
		c.Left != nil && c.Left.Home == e.owner
}
