package queue

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Machine is all queues and agents as they are, and what follows from a
// command. It is deterministic: two machines that begin alike and are given
// the same commands in the same order show the same and lead to the same
// effects, wherever they run. It is not safe for use from several goroutines.
type Machine struct {
	now  int64     // the machine's clock, in nanoseconds
	wall time.Time // what is recorded
	by   string

	queues   map[string]*callers
	agents   map[string]*agent
	waiting  map[string]*place // by call
	parties  map[string]party  // by call
	rosters  map[string]*roster
	timers   timers
	serial   int64 // orders idle times
	listed   int   // agents described so far
	calledIn int   // agents called in so far
	held     bool  // nobody is offered anybody: before VerbOpen
	toRing   []*place

	away   map[string]bool            // services that are gone
	here   map[string]bool            // services that have come
	ways   map[string][]string        // by service, the others whose agents' phones it can ring; none: everybody's
	barred map[string][]string        // by service, whose agents' phones it cannot ring: what follows from ways
	shut   map[string]map[string]bool // by service, the queues that take nobody over from others at this hour
	only   string                     // the one service this machine is of, while nothing is heard of the others
	quiet  bool                       // what is noted concerns nobody but the agents' own services

	changed map[string]bool // queues that got other rules or were removed meanwhile, or before the start

	fx Effects
}

// callers is one queue at work.
type callers struct {
	rules   Rules
	members []*member // all who serve it, as they are listed

	all     line[place] // everybody who waits, with and without an offer
	offered int         // of these, for whom a phone rings
	classes []*class
	crews   []*crew
	turn    int // round robin: who was offered a caller last

	backings []*backing
	rosters  []*roster

	handled handling
	guesses guesses
	level   service
	sticky  sticky
}

// place is a caller's in a queue.
type place struct {
	standing
	caller  Caller
	queue   *callers
	class   *class
	backing *backing
	in      *line[place] // where they stand: with their class, as a fan; nil when no agent is to be found for them now

	joined  int64 // of the machine's clock, a wait before a restart included
	entered int64 // this queue
	number  int   // of offers made
	offers  []*reservation
	only    [1]*reservation // offers, where there is one at a time

	needs   []need // unrelaxed
	steps   int    // of the queue's relaxations that have passed
	prefers *agent // whom the caller waits for, while others are let pass

	// When something is due, of the machine's clock; 0: never. alarm is set for
	// the first of them.
	patienceEnds, relaxes, overflows, limit int64

	alarm     timer
	lapseNext string // lapses with this reason if the phones that ring do not lead to a talk
	moveNext  bool   // overflows in that case
	done      bool
	predicted time.Duration // negative: unknown
}

// reservation is one agent for one caller: one who waits, or whose call asks
// for that agent.
type reservation struct {
	id    string
	call  string
	owner string // the service at which the call is
	place *place // nil: the agent is called in
	with  string // … by whose call this is or was last, "" where that is not known
	back  bool   // … from the wrap-up of this call
	agent *agent
	queue *callers
	alarm timer
}

// backing is who stands behind callers: the agents of a queue who can serve
// them at last, once all that can be relaxed has been.
type backing struct {
	queue  *callers
	key    string
	needs  []need
	barred []string // services to whose agents they cannot be brought

	able, signedIn, attending, working int // agents: all, and see presence

	unattended timer // since nobody attends
	onBreak    timer // since nobody works
	refusing   bool  // for too long: until somebody works
}

// NewMachine checks queues and agents, names everything that is wrong in them,
// and begins. All agents are offline, or as VerbRestore says. While held nobody
// is offered anybody before VerbOpen. begun is what clocks show.
func NewMachine(queues []Rules, agents []Profile, held bool, begun time.Time) (*Machine, error) {
	m := newMachine()
	m.held, m.wall = held, begun.Round(0)
	p := plan{map[string]Rules{}, map[string]Profile{}}
	for _, r := range queues {
		r, err := r.withDefaults()
		if err != nil {
			return nil, err
		}
		if _, there := p.rules[r.ID]; there {
			return nil, fmt.Errorf("queue %s is described twice", r.ID)
		}
		p.rules[r.ID] = r
	}
	for _, a := range agents {
		if _, there := p.profiles[a.ID]; there || a.ID == "" {
			return nil, fmt.Errorf("agent %q has no ID or is described twice: two agents cannot share a phone", a.ID)
		}
		if err := a.sound(); err != nil {
			return nil, err
		}
		p.profiles[a.ID] = a
	}
	if err := p.check(); err != nil {
		return nil, err
	}
	for _, r := range queues {
		m.establish(p.rules[r.ID])
	}
	for _, a := range agents {
		m.hire(a)
	}
	for _, q := range m.queues {
		q.form()
	}
	return m, nil
}

func newMachine() *Machine {
	return &Machine{queues: map[string]*callers{}, agents: map[string]*agent{}, rosters: map[string]*roster{},
		waiting: map[string]*place{}, parties: map[string]party{}, away: map[string]bool{}, here: map[string]bool{},
		ways: map[string][]string{}, shut: map[string]map[string]bool{}, changed: map[string]bool{}}
}

// Apply has a command happen, after everything that has fallen due before it.
// What was due may have effects though the command itself is refused with an
// error; a refused command changes nothing.
func (m *Machine) Apply(c Command) (Effects, error) {
	m.fx.reset()
	m.now = max(m.now, c.At.UnixNano())
	if m.wall = c.Wall; m.wall.IsZero() {
		m.wall = time.Unix(0, m.now).UTC()
	}
	m.wall = m.wall.Round(0)
	m.expire()
	m.by = c.By // of nothing that falls due by itself
	err := ErrChanged
	if m.isMeant(&c) {
		err = m.do(&c)
	}
	m.by = ""
	m.ringOn()
	m.expire()
	return m.fx, err
}

// Next is when something falls due by itself, of the machine's clock; false
// when nothing does. A VerbTick at that moment or later has it happen.
func (m *Machine) Next() (at time.Time, ok bool) {
	if t := m.timers.next(); t != nil {
		return time.Unix(0, t.due).UTC(), true
	}
	return time.Time{}, false
}

func (m *Machine) expire() {
	for t := m.timers.next(); t != nil && t.due <= m.now; t = m.timers.next() {
		m.timers.stop(t)
		t.owner.expire(m)
		m.ringOn()
	}
}

func (m *Machine) do(c *Command) error {
	switch c.Do {
	case VerbTick:
		return nil
	case VerbJoin:
		return m.join(c)
	case VerbLeave:
		if p := m.waiting[c.Call]; p != nil {
			m.leave(p, c.Reason)
		}
		return nil
	case VerbRinging, VerbConnected, VerbFailed:
		return m.report(c)
	case VerbSignIn:
		return m.ask(c.Agent, eventSignIn, causeSignedIn)
	case VerbSignOut:
		return m.ask(c.Agent, eventSignOut, "signed out")
	case VerbPause:
		return m.ask(c.Agent, eventPause, c.Reason)
	case VerbReady:
		return m.ask(c.Agent, eventReady, causeReady)
	case VerbReachable:
		return m.looked(c.Agent, StateUnreachable, eventReachable, causeRegistered)
	case VerbUnreachable:
		return m.looked(c.Agent, StateReady, eventUnreach, causePhoneGone)
	case VerbHold:
		return m.talk(c.Agent, c.Call, eventHold)
	case VerbConsult:
		return m.talk(c.Agent, c.Call, eventConsult)
	case VerbResume:
		return m.talk(c.Agent, c.Call, eventResume)
	case VerbEnd:
		return m.talk(c.Agent, c.Call, eventEnd)
	case VerbRejoin:
		return m.talk(c.Agent, c.Call, eventRejoin)
	case VerbExtend:
		return m.extend(c.Agent, c.For)
	case VerbFinish:
		return m.finishWrapUp(c.Agent)
	case VerbCall:
		return m.callIn(c)
	case VerbEndConsult:
		return m.talk(c.Agent, c.Call, eventEndConsult)
	case VerbHandOver:
		return m.handOver(c)
	case VerbFound:
		return m.find(c.Agent, c.Call, c.Queue, c.Owner)
	case VerbFoundThird:
		return m.findThird(c.Agent, c.Call, c.Queue, c.Owner)
	case VerbClose:
		return m.close(c.Queue, c.Owner, c.Reason)
	case VerbReopen:
		return m.reopen(c.Queue, c.Owner)
	case VerbWays:
		m.setWays(c.Owner, append([]string{}, c.Homes...))
		return nil
	case VerbRestore:
		return m.restore(c.Agents)
	case VerbOpen:
		m.open()
		return nil
	case VerbSetRules:
		return m.setRules(c.Rules)
	case VerbRemoveQueue:
		return m.removeQueue(c.Queue)
	case VerbSetProfile:
		return m.setProfile(c.Profile)
	case VerbRemoveAgent:
		return m.removeAgent(c.Agent)
	case VerbGone:
		m.gone(c.Owner, c.Reason)
		return nil
	case VerbReturn:
		return m.comeBack(c.Owner, c.Part)
	case VerbAlone:
		m.alone(c.Owner)
		return nil
	}
	return fmt.Errorf("queue: there is no command %q", c.Do)
}

// note records a change.
func (m *Machine) note(c Change) { m.noteFor(c, m.quiet) }

// noteFor records a change, for the agent's own service only or for that of
// the call too.
func (m *Machine) noteFor(c Change, homeOnly bool) {
	c.At, c.homeOnly = m.wall, homeOnly
	a := m.agents[c.Agent]
	if a != nil && c.To != 0 {
		c.Then = a.wished()
	}
	if c.Call != "" && c.Owner == "" {
		c.Owner = m.ownerOf(c.Call)
	}
	if a != nil {
		c.Home = a.profile.Home
		if c.Owner == "" && c.Call == a.call { // their last one
			c.Owner = a.owner
		}
	}
	m.fx.Changes = append(m.fx.Changes, c)
}

// after is so much later than now.
func (m *Machine) after(d time.Duration) int64 { return m.now + int64(d) }

// since is how long ago a moment of the machine's clock was.
func (m *Machine) since(at int64) time.Duration { return time.Duration(m.now - at) }

// agent finds an agent.
func (m *Machine) agent(id string) (*agent, error) {
	if a := m.agents[id]; a != nil {
		return a, nil
	}
	return nil, fmt.Errorf("agent %q: %w", id, ErrUnknownAgent)
}

// named finds a queue. One that is not described still has talks to end, and
// its calls may call agents in.
func (m *Machine) named(id string) *callers {
	if q := m.queues[id]; q != nil {
		return q
	}
	return &callers{rules: Rules{ID: id, RingTimeout: DefaultRingTimeout, DeclinePause: DefaultDeclinePause, MissesBeforeOut: DefaultMissesBeforeOut}}
}

// byID lists queues in the order of their names, so that nothing depends on
// the order of a map.
func (m *Machine) byID() []*callers {
	list := make([]*callers, 0, len(m.queues))
	for _, q := range m.queues {
		list = append(list, q)
	}
	slices.SortFunc(list, func(a, b *callers) int { return strings.Compare(a.rules.ID, b.rules.ID) })
	return list
}

// byListing lists agents in the order in which they were described.
func (m *Machine) byListing() []*agent {
	list := make([]*agent, 0, len(m.agents))
	for _, a := range m.agents {
		list = append(list, a)
	}
	slices.SortFunc(list, func(a, b *agent) int { return a.listed - b.listed })
	return list
}

var errNothing = errors.New("queue: the command says nothing")
