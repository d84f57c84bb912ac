// Package call owns the life of a call: the stages ring → greet → menu →
// wait → talk → rate, the scenes inside talk, who hung up, and the one result
// and one reason with which every call ends.
//
// A call is a script: one goroutine per call runs stage functions that read
// top to bottom. Verbs block and take a context; when the caller is gone the
// context is cancelled with that as its cause, so no stage repeats exit arms.
//
// The package must not know HTTP, SQL or Redis. It speaks to Asterisk through
// package ari, to the waiting line through package queue, and writes what
// happens to a journal that it only appends to.
package call

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"hotline/ari"
	"hotline/journal"
	"hotline/queue"
)

// errShutdown is the cause with which a call's context ends when the service
// stops: Asterisk keeps the call, and no ending is written.
var errShutdown = errors.New("the service is shutting down")

// stopping says whether ctx ended because the service stops.
func stopping(ctx context.Context) bool { return errors.Is(context.Cause(ctx), errShutdown) }

// call is one caller's visit, from the first ring to its outcome. Only its
// own goroutine touches it, except for what is said otherwise.
type call struct {
	*Service
	id      string
	log     *slog.Logger
	session *ari.Session
	caller  *ari.Leg
	line    *line
	ctx     context.Context // ends with the caller or the service

	number  string    // the caller's, "" when anonymous
	exten   string    // what was dialled
	found   bool      // left in Asterisk by a service that died
	arrived time.Time // on the service's clock
	started time.Time // the same moment on the real clock, for durations

	stage    string
	answered time.Time // real clock; zero until answered
	waiting  waiting   // how and since when the caller waits
	tone     *holdTone // what the caller hears while nobody talks; nil otherwise
	tones    int       // lists of hold tone so far
	bridge   *ari.Bridge
	bridged  map[*ari.Leg]bool
	agent    *agentLeg // who talks or talked last; nil before the first
	agents   []*agentLeg
	offers   int // made so far, over all waits

	recording  time.Time    // real clock: since when everything is recorded; zero when not
	informed   bool         // heard something from the menu
	left       *LeftMessage // a message
	outcome    Outcome      // set by the stages that end a call without a talk or a message
	unrecorded error        // why the journal misses entries of this call; nil when it has all
}

// waiting is a place in line, kept while the caller goes from offer to offer
// and back to the head of the line when an agent's line breaks.
type waiting struct {
	queue     string
	priority  int
	emergency bool
	since     time.Time // on the service's clock: the order in line
	joined    time.Time // on the machine's clock: how long this wait lasts; zero before it
	head      bool      // returns to the head of the line (B4)
}

// agentLeg is one agent's part in a call.
type agentLeg struct {
	queue.Profile
	leg       *ari.Leg
	offer     *queue.Offer // nil for one who came back by a star code
	connected bool         // the queue has given the call to the agent
	joined    bool         // caller and agent have heard each other
	parted    bool         // the queue knows that it is over
}

// stage is one part of a call's script: it returns the next part, or nil when
// the script is over. An error ends the script; the caller's leaving and the
// service's shutdown arrive as errors.
type stage func(ctx context.Context) (next stage, err error)

// serve runs one caller's script from first to last.
func (s *Service) serve(ctx context.Context, arrival ari.Arrival) {
	c := s.newCall(arrival)
	ctx, release := during(ctx, c.caller)
	defer release()
	c.ctx = ctx
	c.log.Info("caller arrived", "channel_id", arrival.ChannelID)

	err := c.explained(ctx, c.play(ctx))
	if err != nil && !callerGone(err) && ctx.Err() == nil {
		c.apologise(ctx, err)
	}
	c.end(ctx, err)
}

// play runs the script. A fault of ours in one call is that call's failure,
// and no other's.
func (c *call) play(ctx context.Context) (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("call %s: in the stage %q: %v\n%s", c.id, c.stage, fault, debug.Stack())
		}
	}()
	for next := stage(c.ring); next != nil && err == nil; {
		next, err = next(ctx)
	}
	return err
}

// explained waits for the event behind a refused command: a caller who hangs
// up is gone from Asterisk a moment before we hear of it, and that is the end
// of a visit and no failure of ours.
func (c *call) explained(ctx context.Context, err error) error {
	var refused *ari.Error
	if !errors.As(err, &refused) || !refused.NotFound() && !refused.Conflict() {
		return err
	}
	if gone := ended(ctx); gone != nil {
		return gone
	}
	return err
}

// ended waits for the event that tells a leg's end, when something else has
// told of it already, and says why ctx is over; nil when nothing came.
func ended(ctx context.Context) error {
	grace, cancel := context.WithTimeout(ctx, legEndGrace)
	defer cancel()
	<-grace.Done()
	return context.Cause(ctx)
}

// apologise says sorry where we cannot go on, rather than just hang up.
func (c *call) apologise(ctx context.Context, err error) {
	c.log.Error("the call cannot go on; the caller hears an apology", "err", err)
	ctx, cancel := context.WithTimeout(ctx, teardownLimit)
	defer cancel()
	if err := c.stopTone(ctx); err != nil {
		c.log.Warn("the apology may not be heard", "err", err)
	}
	if err := c.leaveBridge(ctx); err != nil {
		c.log.Warn("the apology may not be heard", "err", err)
	}
	if err := c.line.Say(ctx, "error.sorry", c.calendar.Closing(c.now())); err != nil {
		c.log.Error("the caller was hung up on without an apology", "err", err)
	}
}

func (s *Service) newCall(arrival ari.Arrival) *call {
	age := max(time.Since(arrival.Created), 0)
	c := &call{
		Service: s,
		id:      newID(s.now()),
		number:  callerNumber(arrival.CallerNumber),
		exten:   arrival.Exten,
		found:   arrival.Found,
		arrived: s.now().Add(-age),
		started: time.Now().Add(-age),
		bridged: map[*ari.Leg]bool{},
	}
	if len(arrival.Args) > 1 {
		c.exten = arrival.Args[1]
	}
	c.log = s.log.With("call_id", c.id)
	c.session = s.link.Session(c.id)
	c.caller = c.session.Adopt(arrival)
	c.line = &line{session: c.session, leg: c.caller, media: s.media, note: c.said, log: c.log}
	return c
}

// during returns a context that ends with the service's or the leg's, with
// the cause of whichever came first.
func during(ctx context.Context, leg *ari.Leg) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(leg.Context(), func() { cancel(context.Cause(leg.Context())) })
	return ctx, func() { stop(); cancel(nil) }
}

// newID names a call: sortable by time, safe in a file name and an extension.
func newID(now time.Time) string {
	return fmt.Sprintf("%s-%s", now.Format("20060102-150405"), rand.Text()[:6])
}

// enter names the stage the call is in, for the journal, the metrics and the
// reason of a caller who leaves in it.
func (c *call) enter(stage string) {
	if c.stage != "" {
		c.metrics.active.WithLabelValues(c.stage).Dec()
	}
	if c.stage = stage; stage != "" {
		c.metrics.active.WithLabelValues(stage).Inc()
	}
}

// write appends to the call's stream of the journal. A journal that cannot be
// written does not stop a call: the call goes on, marked.
//
// A service that is shutting down writes nothing: whatever ends now ends for
// this process, and not for the caller.
func (c *call) write(kind string, data any, also ...string) {
	if stopping(c.ctx) {
		return
	}
	entry := journal.NewEntry(kind, data, append([]string{Stream(c.id)}, also...)...)
	entry.At = c.now().UTC()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.ctx), journalLimit)
	defer cancel()
	if _, err := c.journal.Append(ctx, entry); err != nil {
		if c.unrecorded == nil {
			c.log.Error("the journal cannot be written; the call goes on without it", "err", err)
		}
		c.unrecorded = err
		c.metrics.unjournaled.Inc()
	}
}

// journalLimit is how long a call waits for a journal that is busy before it
// goes on without the entry, marked.
const journalLimit = time.Second

// said journals what the caller is about to hear.
func (c *call) said(prompts []string) {
	c.write(KindSaid, Said{Prompts: private(prompts)})
}

// end closes the call: everyone still on it is let go, the recording is
// finished, and one result with one reason is written. On shutdown it writes
// nothing and hangs up nobody: Asterisk keeps the call.
func (c *call) end(ctx context.Context, err error) {
	stage := c.stage
	c.enter("")
	if errors.Is(err, errShutdown) || stopping(ctx) {
		c.session.Close()
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), teardownLimit)
	defer cancel()

	c.outcome = c.conclude(stage, err)
	c.letGo(ctx)
	endings := c.endings()
	c.write(KindEnded, Ended{
		Outcome:   c.outcome,
		Seconds:   time.Since(c.started).Seconds(),
		HungUp:    firstToLeave(endings),
		Legs:      endings,
		Recording: c.finishRecording(ctx),
		Marked:    c.unrecorded != nil,
	})
	c.session.Close()
	c.metrics.ended.WithLabelValues(c.outcome.Result, c.outcome.Reason).Inc()
	c.log.Info("call ended", "result", c.outcome.Result, "reason", c.outcome.Reason)
}

// teardownLimit bounds the ending of a call; what is left over then is logged
// and found again by the next look at Asterisk.
const teardownLimit = 10 * time.Second

// hangupNormal is the cause we give when we hang up: 16, normal clearing.
const hangupNormal = 16

// letGo hangs up whoever is still there and waits until they are gone, so
// that the evidence is complete.
func (c *call) letGo(ctx context.Context) {
	if c.tone != nil {
		c.tone.forget()
		c.tone = nil
	}
	legs := []*ari.Leg{c.caller}
	for _, a := range c.agents {
		legs = append(legs, a.leg)
		c.endTalk(a)
	}
	var wg sync.WaitGroup
	for _, leg := range legs {
		wg.Go(func() { c.release(ctx, leg) })
	}
	wg.Wait()
	if c.bridge != nil {
		if err := c.bridge.Destroy(ctx); err != nil {
			c.log.Error("the call's bridge is left in Asterisk", "err", err)
		}
	}
}

// release hangs a leg up, if it is still there and ours, and waits for its
// end. A caller whom the dialplan has taken is left to its net.
func (c *call) release(ctx context.Context, leg *ari.Leg) {
	switch {
	case leg.Context().Err() != nil:
	case leg.InStasis():
		c.hangUp(ctx, leg, "the call is over")
	default:
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, legEndGrace) // a leg that hangs up leaves Stasis first
		defer cancel()
	}
	select {
	case <-leg.Context().Done():
	case <-ctx.Done():
		c.log.Error("a leg is left in Asterisk", "channel_id", leg.ID(), "err", ctx.Err())
	}
}

// pause waits, unless the caller is gone before.
func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return context.Cause(ctx)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
