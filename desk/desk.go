// Package desk joins people in browsers with the legs of their calls: an agent's
// browser rings and answers as a phone does, a visitor's calls in, and a line
// that is lost is held, waited for, and given up.
//
// It owns which leg is whose, the ports between a leg and a browser, and how
// long a browser that is gone is waited for. It must not know who is offered
// whom (package queue), what a talk is (package call), HTTP, or how browsers and
// Asterisk are spoken to (packages softphone and ari).
//
// The files: desk.go (the parts), line.go (one leg and its person), agents.go
// (what calls ask for), app.go (what browsers tell), visitors.go (who calls in).
package desk

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"hotline/ari"
	"hotline/call/scene"
	"hotline/softphone"
)

// goneFor is how long a browser that is gone in a talk is waited for; then its
// person's line is dead. It is what the softphone waits for a page, counted from
// a restart of ours.
const goneFor = 20 * time.Second

// Floor is what desks show, and what agents do there with their calls.
type Floor interface {
	// Do carries out an order in a talk, or refuses it with a *scene.Refused.
	Do(ctx context.Context, agentID string, o scene.Order) error
	// View is what an agent's desk shows, any JSON, and a text that is another
	// whenever it shows something else. It is not whole while a call of the agent's
	// may yet be taken up that an earlier process has left.
	View(agentID string) (shown any, state string, whole bool)
	// Watch tells when it may be another, until stop is called. What it does not
	// tell is seen within a second.
	Watch(agentID string) (changed <-chan struct{}, stop func())
}

// Agents are told of agents' lines; a queue.Engine is.
type Agents interface {
	// Reachable tells that an agent who could not be reached can be again.
	Reachable(agentID string) error
	// Pause takes an agent out who cannot be heard.
	Pause(agentID, reason string) error
}

// Options are the parts that Desks join. All are required unless said otherwise.
type Options struct {
	Link   *ari.Link
	Agents Agents

	Media netip.Addr // of this machine, at which Asterisk reaches our ports
	Codec string     // of the legs, as Asterisk calls it: alaw, ulaw

	// Visitors is where people without an account may call; nil: nowhere.
	Visitors *Visitors

	Logger *slog.Logger // nil: nothing is logged
}

// Desks are all browsers with somebody at them. They are the softphone's App.
type Desks struct {
	o       Options
	log     *slog.Logger
	gateway *softphone.Gateway
	floor   Floor
	ctx     context.Context
	stop    context.CancelCauseFunc
	work    sync.WaitGroup

	mu    sync.Mutex
	lines map[string]*line // by channel ID
	calls map[string]bool  // by owner, of visitors who have called
	asked time.Time        // when it was first asked whether a visitor is here; zero: never
}

// errStopped is why what is under way ends when the service does.
var errStopped = errors.New("desk: the service stops")

// New puts the desks together. Attach is to be called before anybody comes.
func New(o Options) *Desks {
	d := &Desks{o: o, log: o.Logger, lines: map[string]*line{}, calls: map[string]bool{}}
	if d.log == nil {
		d.log = slog.New(slog.DiscardHandler)
	}
	d.ctx, d.stop = context.WithCancelCause(context.Background())
	return d
}

// Attach gives the desks the gateway whose App they are, and the floor.
func (d *Desks) Attach(g *softphone.Gateway, f Floor) { d.gateway, d.floor = g, f }

// Stop ends what is under way and hangs up nobody: the next process finds the
// legs in Asterisk, and the browsers come to it.
func (d *Desks) Stop() {
	d.stop(errStopped)
	d.mu.Lock()
	for _, l := range d.lines {
		l.rest()
	}
	d.mu.Unlock()
	d.work.Wait()
}

// background runs part of the desks until Stop.
func (d *Desks) background(part func(context.Context)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ctx.Err() == nil {
		d.work.Go(func() { part(d.ctx) })
	}
}

// session is the browser of an owner, if they are at one.
func (d *Desks) session(owner string) *softphone.Session {
	s, _ := d.gateway.Session(owner)
	return s
}

// commandLimit bounds a command that a person waits for.
const commandLimit = 5 * time.Second
