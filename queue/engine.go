package queue

import (
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Options of an engine. Queues and Agents are required.
type Options struct {
	Queues []Rules
	Agents []Profile

	// Now is the wall clock for everything that is shown or recorded; nil is
	// time.Now. Timers run on the real clock.
	Now func() time.Time

	// Record gets every change, in order, several at once when they come fast,
	// from one goroutine and under no lock. An offer or a lapse reaches its
	// call only after Record has returned, so it must come back soon and deal
	// with its own errors. It must not call Stop. nil: nothing is recorded.
	Record func([]Change)

	// Hold puts matching off until Open: callers take their places and agents
	// are listened to, but nobody is offered anybody, and nobody lapses because
	// no agent is there, since who is there is not known before Restore. Newcomers
	// are refused as ever: they are to come after Restore.
	Hold bool

	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// Engine matches callers with agents. All agents start offline, or as Restore
// says. Its methods
// may be called from any goroutine; Stop ends it.
type Engine struct {
	now     func() time.Time
	record  func([]Change)
	log     *slog.Logger
	metrics *metrics
	news    chan struct{} // something is in the outbox
	told    chan struct{} // closed when tell has ended

	mu      sync.Mutex
	queues  map[string]*callers
	agents  map[string]*agent
	waiting map[string]*Ticket // by call
	talking map[string]*agent  // by call
	serial  int64              // orders idle times
	line    LineClock          // for callers who do not say when they arrived
	held    bool               // nobody is offered anybody: before Open
	out     outbox
	stopped bool
}

// callers is one queue at work.
type callers struct {
	rules   Rules
	agents  []*agent     // all who serve it
	ready   line[agent]  // longest idle first
	waiting line[Ticket] // without an offer
	offered line[Ticket] // an agent's phone rings for them; they keep their place

	signedIn, attending int // agents, see presence
	unattended          *time.Timer
	refusing            bool // nobody has attended for Rules.Unattended

	handled handling
	metrics queueMetrics
}

// ahead counts the callers before t, those with an offer included.
func (q *callers) ahead(t *Ticket) int { return q.waiting.ahead(t) + q.offered.ahead(t) }

// New checks the options, names everything that is wrong in them, and starts.
func New(o Options) (*Engine, error) {
	e := &Engine{
		now: o.Now, record: o.Record, log: o.Logger, held: o.Hold,
		news: make(chan struct{}, 1), told: make(chan struct{}),
		queues: map[string]*callers{}, agents: map[string]*agent{},
		waiting: map[string]*Ticket{}, talking: map[string]*agent{},
	}
	if e.now == nil {
		e.now = time.Now
	}
	if e.log == nil {
		e.log = slog.New(slog.DiscardHandler)
	}
	if err := e.admit(o.Queues, o.Agents); err != nil {
		return nil, fmt.Errorf("queue: %w", err)
	}
	var err error
	if e.metrics, err = newMetrics(o.Registerer); err != nil {
		return nil, fmt.Errorf("queue: registering metrics: %w", err)
	}
	e.metrics.start(e)
	go e.tell()
	return e, nil
}

// Stop ends the engine: timers stop, offers are cancelled with ErrStopped,
// what has happened is recorded. Waiting callers are neither lapsed nor
// recorded as gone: a shutdown is no ending of a call.
func (e *Engine) Stop() {
	e.mu.Lock()
	if !e.stopped {
		e.stopped = true
		e.stopTimers()
	}
	e.mu.Unlock()
	e.wake()
	<-e.told
}

// enter takes the lock; the function it returns gives it back and has what
// happened meanwhile told.
func (e *Engine) enter() (leave func()) {
	e.mu.Lock()
	return func() {
		news := !e.out.empty()
		e.mu.Unlock()
		if news {
			e.wake()
		}
	}
}

func (e *Engine) wake() {
	select {
	case e.news <- struct{}{}:
	default:
	}
}

// Join gives the caller a place, and an agent at once if one is ready. Before
// Open a caller whom nobody is there for gets a place too, and lapses then. It
// returns ErrUnknownQueue, ErrNobodySignedIn, ErrFull, ErrDuplicate or
// ErrStopped, wrapped.
func (e *Engine) Join(c Caller) (*Ticket, error) {
	defer e.enter()()
	t, err := e.join(c)
	if err != nil {
		return nil, fmt.Errorf("call %s cannot wait in queue %q: %w", c.ID, c.Queue, err)
	}
	return t, nil
}

// SignIn makes an agent ready (A1): from offline, from a pause, from being
// unreachable or taken out. During a talk it takes back a SignOut or Pause.
func (e *Engine) SignIn(agentID string) error { return e.ask(agentID, eventSignIn, causeSignedIn) }

// SignOut takes an agent off. During a talk it is granted when the talk ends,
// though callers no longer count on the agent from now on. An offer is
// withdrawn; when nobody is left, waiting callers lapse.
func (e *Engine) SignOut(agentID string) error { return e.ask(agentID, eventSignOut, "signed out") }

// Pause keeps an agent signed in without offers until Ready. During a talk it
// is granted when the talk ends. An offer is withdrawn.
func (e *Engine) Pause(agentID, reason string) error { return e.ask(agentID, eventPause, reason) }

// Ready ends a pause, a wrap-up or being unreachable. During a talk it takes
// back a SignOut or Pause.
func (e *Engine) Ready(agentID string) error { return e.ask(agentID, eventReady, causeReady) }

// Reachable reports that an agent's phone has registered. An unreachable agent
// is ready again; for any other it means nothing and is no error.
func (e *Engine) Reachable(agentID string) error {
	defer e.enter()()
	a, err := e.agent(agentID)
	if err != nil || a.state != StateUnreachable {
		return err
	}
	e.turn(a, eventReachable, causeRegistered)
	return nil
}

// Hold reports that the agent put the caller on hold.
func (e *Engine) Hold(agentID, callID string) error { return e.talk(agentID, callID, eventHold) }

// Resume reports that the agent came back to the caller.
func (e *Engine) Resume(agentID, callID string) error { return e.talk(agentID, callID, eventResume) }

// EndTalk reports that agent and caller have parted, whoever hung up. The
// agent wraps up, or gets what they asked for during the talk.
func (e *Engine) EndTalk(agentID, callID string) error { return e.talk(agentID, callID, eventEnd) }

// Rejoin takes an agent back to the call they last talked with, after an
// accidental hang-up (B4): from wrap-up, and from ready or paused if wrap-up
// has passed already. The call must not wait (Leave first) nor be with
// somebody else: that is ErrNotTheirCall.
func (e *Engine) Rejoin(agentID, callID string) error {
	return e.talk(agentID, callID, eventRejoin)
}

// Close is closing time: every waiting caller lapses with the reason,
// LapseClosing as a rule. A caller for whom a phone rings keeps that offer and
// lapses only if it fails. The queue itself stays usable: whether it is open
// is the calendar's matter, and a caller who lost an agent's line may return.
func (e *Engine) Close(queueID, reason string) error {
	defer e.enter()()
	q := e.queues[queueID]
	switch {
	case e.stopped:
		return fmt.Errorf("closing queue %q: %w", queueID, ErrStopped)
	case q == nil:
		return fmt.Errorf("closing queue %q: %w", queueID, ErrUnknownQueue)
	}
	for _, t := range q.offered.items {
		t.lapseNext = reason
	}
	e.lapseAll(q, reason)
	return nil
}

// admit builds queues and agents from the options.
func (e *Engine) admit(queues []Rules, agents []Profile) error {
	for _, r := range queues {
		r, err := r.withDefaults()
		if err != nil {
			return err
		}
		if e.queues[r.ID] != nil {
			return fmt.Errorf("queue %s is described twice", r.ID)
		}
		e.queues[r.ID] = &callers{
			rules:   r,
			ready:   line[agent]{order: idleOrder},
			waiting: line[Ticket]{order: callerOrder},
			offered: line[Ticket]{order: callerOrder},
		}
	}
	for _, p := range agents {
		if p.ID == "" || e.agents[p.ID] != nil {
			return fmt.Errorf("agent %q has no ID or is described twice", p.ID)
		}
		a := &agent{profile: p, state: StateOffline, since: e.now()}
		for i, id := range p.Queues {
			q := e.queues[id]
			if q == nil || slices.Contains(p.Queues[:i], id) {
				return fmt.Errorf("agent %s serves queue %q, which does not exist or is named twice", p.ID, id)
			}
			a.queues, q.agents = append(a.queues, q), append(q.agents, a)
		}
		e.agents[p.ID] = a
	}
	return nil
}

// named finds a queue. One that is no longer described still has talks to end.
func (e *Engine) named(id string) *callers {
	if q := e.queues[id]; q != nil {
		return q
	}
	return &callers{rules: Rules{ID: id}}
}

// agent finds an agent of a running engine.
func (e *Engine) agent(id string) (*agent, error) {
	if e.stopped {
		return nil, fmt.Errorf("agent %s: %w", id, ErrStopped)
	}
	if a := e.agents[id]; a != nil {
		return a, nil
	}
	return nil, fmt.Errorf("agent %q: %w", id, ErrUnknownAgent)
}

func (e *Engine) stopTimers() {
	for _, a := range e.agents {
		a.stopTimer()
		if a.offer != nil {
			a.offer.end(ErrStopped)
		}
	}
	for _, q := range e.queues {
		q.stopUnattended()
	}
	for _, t := range e.waiting {
		t.stopPatience()
	}
}
