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
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"hotline/ari"
	"hotline/call/scene"
	"hotline/journal"
	"hotline/queue"
)

// errShutdown is the cause with which a call's context ends when the service
// stops: Asterisk keeps the call, and no ending is written.
var errShutdown = errors.New("the service is shutting down")

// stopping says whether ctx ended because the service stops.
func stopping(ctx context.Context) bool { return errors.Is(context.Cause(ctx), errShutdown) }

// call is one caller's visit, from the first ring to its outcome. Only its
// own goroutine touches it, except for what is said otherwise. What is needed
// to go on with it in another process is in the journal; see [standing].
type call struct {
	*Service
	id      string
	run     int // processes that had the call before this one
	log     *slog.Logger
	session *ari.Session
	caller  *ari.Leg
	line    *line
	ctx     context.Context // ends with the caller or the service

	number  string    // the caller's, "" when anonymous
	exten   string    // what was dialled
	found   bool      // left in Asterisk, and in no journal
	byNet   bool      // answered by the dialplan, while the service was away
	arrived time.Time // on the service's clock
	since   time.Time // the same on a clock that is never set back: the order in line
	started time.Time // the same moment on the machine's clock, for durations

	stage    string
	answered time.Time     // machine's clock; zero until answered
	greeted  bool          // has been told who we are, or is being told
	waiting  Place         // how and since when the caller waits
	ticket   *queue.Ticket // a place taken before the script is in the stage wait; nil otherwise
	place    *queue.Ticket // in line, or the last there was; nil: none yet
	tone     *holdTone     // what the caller hears while nobody talks; nil otherwise
	tones    int           // lists of hold tone so far
	bridge   *ari.Bridge
	bridged  map[*ari.Leg]bool
	doubt    time.Time   // when it last was not told whether a leg was moved
	state    scene.State // of the talk: the scene that is wanted; none before it
	talking  *floor      // what the talk has beside caller and agent; nil before it
	agent    *agentLeg   // who talks or talked last; nil before the first
	agents   []*agentLeg
	before   []Ending   // of legs that were over when this process took the call up, or the caller was dialled again
	seen     *Ending    // of the caller's leg, by an earlier process; nil otherwise
	again    *redialled // the caller is, or has been, dialled again; nil otherwise
	served   bool       // has talked with an agent
	begun    bool       // this process has written something of it
	offers   int        // made so far, over all waits

	path      string        // keyed in the menus
	waitedFor time.Duration // until an agent had the call

	parts         []part    // of the recording; none when nothing is recorded
	recordingLook time.Time // before it, it is not looked whether Asterisk records

	lineLost chan struct{} // capacity 1: another call of the number has lost its line, whose place this one may have

	informed   bool         // heard something from the menu
	left       *LeftMessage // a message
	rated      *Rated       // the answer after the last talk; nil before it
	outcome    Outcome      // set by the stages that end a call without a talk or a message
	released   bool         // left to the dialplan's net
	unrecorded error        // why the journal misses entries of this call; nil when it has all
}

// agentLeg is one agent's part in a call, or that of somebody outside who was
// called in.
type agentLeg struct {
	queue.Profile
	leg       *ari.Leg
	offer     *queue.Offer // nil for one who came back, and for one an earlier process found
	back      bool         // had the call before
	connected bool         // has, or has had, the call
	joined    bool         // caller and agent have heard each other
	parted    bool         // the queue knows that it is over
	told      bool         // the journal knows how the line has ended
	judged    bool         // … and has it from an earlier process
	asked     time.Time    // machine's clock: has ended the talk at the desk; zero: has not
	since     time.Time    // machine's clock: has the call since

	// Of who is called in, the third, which they may come to be the call's agent by.
	called    *Called       // as whom; nil for others
	directory string        // the entry outside, and no agent; "" for others
	limit     *time.Timer   // on the ringing outside; nil for others
	answered  bool          // by a third
	refused   queue.Refusal // why they were not reached; "": not known
	heard     bool          // the caller, as a third
	from      string        // the leg of who handed the call over to them; "": nobody did
}

// stage is one part of a call's script: it returns the next part, or nil when
// the script is over. An error ends the script; the caller's leaving and the
// service's shutdown arrive as errors.
type stage func(ctx context.Context) (next stage, err error)

// serve runs a new caller's script from first to last.
func (c *call) serve(ctx context.Context) { c.follow(ctx, c.arrive, c.ring) }

// follow runs the script from a stage on to the call's end. What the call begins
// with is written down even of a caller who is gone by then.
func (c *call) follow(service context.Context, begins func(), from stage) {
	c.alive(c.id, c.newest())
	defer c.session.Close() // whoever is left in Asterisk is nobody's from here on
	defer c.over()

	c.ctx = service
	begins()
	ctx, err := service, error(nil)
	for from != nil { // once, and again for a redial and its answer
		var release func()
		lead := c.lead()
		ctx, release = during(service, lead)
		defer release()
		c.ctx = ctx
		err = c.explained(ctx, c.play(ctx, lead, from))
		from = c.goOn(err)
	}
	c.givePlaceUp(err)
	c.apologiseFor(ctx, err)
	c.end(ctx, err)
}

// play runs the script. A fault of ours in one call is that call's failure,
// and no other's.
func (c *call) play(ctx context.Context, lead *ari.Leg, next stage) (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("call %s: in the stage %q: %v\n%s", c.id, c.stage, fault, debug.Stack())
		}
	}()
	for next != nil && err == nil {
		if err = over(ctx, lead); err == nil { // no stage runs for a caller who is gone
			next, err = next(ctx)
		}
	}
	return err
}

// over says why a script is over that goes on as long as a leg: by the leg, too,
// since ctx ends a moment after it.
func over(ctx context.Context, lead *ari.Leg) error {
	return cmp.Or(context.Cause(ctx), context.Cause(lead.Context()))
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
func ended(ctx context.Context) error { return endedWithin(ctx, legEndGrace) }

func endedWithin(ctx context.Context, grace time.Duration) error {
	limited, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	<-limited.Done()
	return context.Cause(ctx)
}

// apologiseFor says sorry where we cannot go on, rather than just hang up.
func (c *call) apologiseFor(ctx context.Context, err error) {
	if err == nil || callerGone(err) || ctx.Err() != nil || c.replaced() {
		return
	}
	c.log.Error("the call cannot go on; the caller hears an apology", "err", err)
	ctx, cancel := context.WithTimeout(ctx, teardownLimit)
	defer cancel()
	if err := c.stopTone(ctx); err != nil {
		c.log.Warn("the apology may not be heard", "err", err)
	}
	if err := c.leaveBridge(ctx); err != nil {
		c.log.Warn("the apology may not be heard", "err", err)
	}
	err = c.line.Say(ctx, "error.sorry", c.calendar.Closing(c.now()))
	if err == nil || callerGone(err) || c.caller.Context().Err() != nil || stopping(ctx) || c.replaced() {
		return
	}
	c.released = true
	c.log.Warn("the caller is left to the dialplan's net", "err", err)
}

// leaveToNet is for a caller who could not even be told that we cannot go on:
// the dialplan's net has a tone and an apology of its own, and tries us again.
// This call is over by then: who comes back is a caller like any other.
// Where Asterisk does not do that either, the caller stays where they are, and
// is found there by the next look: nobody is hung up on without a word.
func (c *call) leaveToNet() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.ctx), teardownLimit)
	defer cancel()
	c.session.Close()
	if !c.caller.InStasis() { // it is done, by an earlier process
		return
	}
	if err := c.caller.Release(ctx); err != nil {
		c.log.Error("the caller stays in Asterisk without a word, until the next look at it", "err", err)
		c.suspect()
	}
}

// leftToNet says whether the dialplan has the caller, or is to have: its net takes
// care of whoever is left to it.
func (c *call) leftToNet() bool {
	return c.released || c.caller.Evidence().GoneAt.IsZero() && !c.caller.InStasis()
}

// over notes that the call is over.
func (c *call) over() {
	c.delist()
	left := c.caller.ID()
	if c.leftToNet() {
		left = ""
	}
	c.gone(c.id, left)
}

func (s *Service) newCall(arrival ari.Arrival) *call {
	age := max(time.Since(arrival.Created), 0)
	now := s.now()
	c := &call{
		Service: s,
		id:      newID(s.now()),
		number:  callerNumber(arrival.CallerNumber),
		exten:   arrival.Exten,
		found:   arrival.Found,
		byNet:   arrival.Answered && !arrival.External(), // which is answered before it arrives
		arrived: now.Add(-age),
		since:   s.order.Now(now).Add(-age),
		started: time.Now().Add(-age),
		bridged: map[*ari.Leg]bool{}, lineLost: make(chan struct{}, 1),
	}
	if len(arrival.Args) > 1 {
		c.exten = arrival.Args[1]
	}
	c.log = s.log.With("call_id", c.id)
	c.session = s.link.Session(c.id)
	c.caller = c.session.Adopt(arrival)
	c.line = c.newLine()
	c.enlist()
	return c
}

func (c *call) newLine() *line {
	return &line{
		session: c.session, leg: c.caller, files: c.files, lasts: c.library.Total, ready: c.keepRecording, note: c.said, log: c.log,
		longest: c.messages.MaxLength,
		taken:   func(take string) bool { return exists(c.o.MessageFile(take)) },
	}
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

// enter begins a stage: with all that it takes to begin it again.
func (c *call) enter(at Reached) {
	c.name(at.Stage)
	c.write(KindStage, at)
}

// enterSaying begins a stage whose first act is written down by itself, so that
// nothing needs to wait for the stage's own entry.
func (c *call) enterSaying(at Reached) {
	c.name(at.Stage)
	c.note(KindStage, at)
}

// name says which stage the call is in, for the metrics and the reason of a
// caller who leaves in it.
func (c *call) name(stage string) {
	if c.stage != "" {
		c.metrics.active.WithLabelValues(c.stage).Dec()
	}
	if c.stage = stage; stage != "" {
		c.metrics.active.WithLabelValues(stage).Inc()
	}
}

// fact is one entry of the call's stream, and of others.
type fact struct {
	kind string
	data any
	also []string
}

// write appends to the call's stream of the journal what is about to be done,
// or what something is done about without another entry: it is in the journal
// when write returns, and the journal still ours.
func (c *call) write(kind string, data any, also ...string) { c.writeAll(fact{kind, data, also}) }

// writeAll appends facts that are told at once.
func (c *call) writeAll(facts ...fact) {
	if stopping(c.ctx) || c.replaced() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.ctx), journalLimit)
	defer cancel()
	seq, err := c.journal.Append(ctx, c.entries(facts)...)
	c.begun = true
	c.written(err)
	c.wrote(seq)
}

// note tells what has happened and what is done about it only after another
// entry. It is in the journal a moment later, and before all that is written
// after it: should the service die in that moment, it is as if it had died before
// it happened.
func (c *call) note(kind string, data any, also ...string) { c.noteAll(fact{kind, data, also}) }

func (c *call) noteAll(facts ...fact) {
	if len(facts) == 0 || stopping(c.ctx) || c.replaced() {
		return
	}
	c.written(c.journal.Note(c.entries(facts)...))
}

func (c *call) entries(facts []fact) []journal.Entry {
	entries := make([]journal.Entry, len(facts))
	for i, f := range facts {
		entries[i] = journal.NewEntry(f.kind, f.data, append([]string{Stream(c.id)}, f.also...)...)
		entries[i].At = c.now().UTC()
	}
	return entries
}

// written looks at what the journal has said. One that cannot be written does
// not stop a call: the call goes on, marked.
//
// A service that is shutting down writes nothing: whatever ends now ends for
// this process, and not for the caller.
func (c *call) written(err error) {
	switch {
	case errors.Is(err, journal.ErrFenced):
		c.giveUp() // another process has the calls; what we meant to do must not be done
	case errors.Is(err, journal.ErrLate): // it is kept, and written when the disk takes it
	case err != nil:
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

// said journals what the caller is about to hear, and its name in Asterisk, so
// that another process can tell whether it still plays.
func (c *call) said(prompts []string, playback string) { c.writeAll(saying(prompts, playback)) }

func saying(prompts []string, playback string) fact {
	return fact{kind: KindSaid, data: Said{Prompts: private(prompts), Playback: playback, Machine: time.Now()}}
}

// end closes the call: one result with one reason is decided and written, then
// everyone still on it is let go and the recording is finished. On shutdown it
// writes nothing and hangs up nobody: Asterisk keeps the call.
func (c *call) end(ctx context.Context, err error) {
	stage := c.stage
	c.name("")
	if errors.Is(err, errShutdown) || stopping(ctx) || c.replaced() {
		c.noteLeft(stage)
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), teardownLimit)
	defer cancel()

	c.outcome = c.conclude(stage, err)
	c.writeAll(append(c.forgetTone(), c.endsAs(c.outcome))...)
	if stopping(c.ctx) || c.replaced() { // the journal is another process's, and so is the call
		return
	}
	c.letGo(ctx)
	if stopping(c.ctx) || c.replaced() { // meanwhile: what is left to be done is the next one's
		c.noteEnd(c.outcome)
		return
	}
	if c.released {
		c.leaveToNet()
	}
	endings := c.allEndings()
	c.rememberLine(stage, endings)
	c.note(KindEnded, Ended{
		Outcome:   c.outcome,
		Seconds:   time.Since(c.started).Seconds(),
		HungUp:    firstToLeave(endings),
		Legs:      endings,
		Recording: c.finishRecording(ctx),
		Released:  c.leftToNet(),
		Marked:    c.unrecorded != nil,
	})
	c.metrics.ended.WithLabelValues(c.outcome.Result, c.outcome.Reason).Inc()
	c.log.Info("call ended", "result", c.outcome.Result, "reason", c.outcome.Reason)
}

// endsAs is the stage of a call's end.
func (c *call) endsAs(outcome Outcome) fact {
	return fact{kind: KindStage, data: Reached{Stage: stageEnd, Outcome: &outcome, Released: c.released, Ending: c.endSeen()}}
}

// endSeen is how the caller's leg has ended; nil where it has not, or nobody
// saw it. Whoever writes the end may not live to tell it: the next process finds
// nobody, and could not tell why.
func (c *call) endSeen() *Ending {
	if c.caller.Context().Err() == nil || c.caller.Evidence().Lost {
		return c.seen
	}
	ending := c.callerEnding()
	return &ending
}

// noteLeft writes down, where the service stops or is relieved in this moment,
// that the caller has hung up. A message is the next one's to keep, whoever has
// hung up.
func (c *call) noteLeft(stage string) {
	gone := context.Cause(c.caller.Context())
	if gone == nil || !c.begun || c.again != nil || stage == stageEnd || stage == stageMessage {
		return
	}
	if ending := c.callerEnding(); ending.Who == CallerParty && ending.How == Pressed {
		c.noteEnd(c.conclude(stage, gone))
	}
}

// noteEnd writes down how the call ends that another process is to end: a fact
// that this one alone has seen, and nothing is done.
func (c *call) noteEnd(outcome Outcome) {
	ctx, cancel := context.WithTimeout(context.Background(), journalLimit)
	defer cancel()
	if _, err := c.journal.Append(ctx, c.entries([]fact{c.endsAs(outcome)})...); err != nil && !errors.Is(err, journal.ErrLate) && !errors.Is(err, journal.ErrFenced) {
		c.log.Warn("how the caller's leg has ended is not in the journal", "err", err)
	}
}

// teardownLimit bounds the ending of a call; what is left over then is logged
// and found again by the next look at Asterisk.
const teardownLimit = 10 * time.Second

// hangupRetry is how soon a leg that is still there is hung up again.
const hangupRetry = time.Second

// hangupNormal is the cause we give when we hang up: 16, normal clearing.
const hangupNormal = 16

// letGo hangs up whoever is still there and waits until they are gone, so
// that the evidence is complete.
func (c *call) letGo(ctx context.Context) {
	legs := []*ari.Leg{c.caller}
	if c.again != nil && c.again.leg != nil && c.again.leg != c.caller {
		legs = append(legs, c.again.leg)
	}
	c.dropThird()
	c.dropWatcher(ctx)
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
			c.suspect()
		}
	}
}

// release hangs a leg up, if it is still there and ours, and waits for its
// end; what Asterisk refused or did not answer is asked for again. A caller whom the dialplan has taken is left to its net.
// Once another process has the calls, it is told of the end, and not this one.
func (c *call) release(ctx context.Context, leg *ari.Leg) {
	switch {
	case leg.Context().Err() != nil, leg == c.caller && c.released:
		return
	case leg.InStasis():
		c.hangUp(ctx, leg, "the call is over")
	default:
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, legEndGrace) // a leg that hangs up leaves Stasis first
		defer cancel()
	}
	again := time.NewTicker(hangupRetry)
	defer again.Stop()
	stopped := c.Service.ctx.Done()
	for {
		select {
		case <-leg.Context().Done():
			return
		case <-stopped:
			if c.replaced() {
				return
			}
			stopped = nil
		case <-again.C:
			if leg.InStasis() {
				c.hangUp(ctx, leg, "the call is over")
			}
		case <-ctx.Done():
			c.log.Error("a leg is left in Asterisk", "channel_id", leg.ID(), "err", ctx.Err())
			c.suspect()
			return
		}
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
