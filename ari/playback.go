package ari

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"time"
)

// PlaybackResult is how a playback ended.
type PlaybackResult string

// Results of a playback. Asterisk reports a list as failed when its last file
// is missing or damaged; files missing before that are only skipped.
const (
	Playing   PlaybackResult = ""          // not over
	Finished  PlaybackResult = "finished"  // played to the end
	Failed    PlaybackResult = "failed"    // a file could not be played
	Cancelled PlaybackResult = "cancelled" // stopped, or its leg or bridge went
)

// Playback is a list of media playing on a leg or in a bridge.
type Playback struct {
	session *Session
	leg     *Leg    // nil in a bridge
	bridge  *Bridge // nil on a leg
	id      string
	done    chan struct{}

	mu       sync.Mutex
	accepted bool
	result   PlaybackResult
	stopped  bool
}

func newPlayback(s *Session, leg *Leg, id string) *Playback {
	if id == "" {
		id = s.newID("play")
	}
	return &Playback{session: s, leg: leg, id: id, done: make(chan struct{})}
}

// ID is the playback's ID.
func (p *Playback) ID() string { return p.id }

// Done is closed once the playback is over.
func (p *Playback) Done() <-chan struct{} { return p.done }

// Result says how it ended; Playing until Done.
func (p *Playback) Result() PlaybackResult {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.result
}

// Stop ends the playback within one frame (20 ms). One that is over already is
// no error.
// When another one is queued on the same leg it begins at once: queue the new tail of
// a list first, then stop the old one. One that is still queued is dropped when
// its turn comes, and is reported then.
func (p *Playback) Stop(ctx context.Context) error {
	p.stopping()
	return p.session.link.stopPlayback(ctx, p.id)
}

// GiveUp takes a playback for over, as Failed, that should have ended long ago
// and that Asterisk still has: whether or not it can be brought to end it. One
// that Asterisk has no more is not given up: its end is on its way to us, and
// without a connection nothing else could be done anyway.
func (p *Playback) GiveUp(ctx context.Context) (given bool, err error) {
	if err := p.ask(ctx); err != nil {
		if notFound(err) {
			err = nil
		}
		return false, err
	}
	err = p.Stop(ctx)
	p.finish(Event{At: time.Now()}, Failed, true)
	return true, err
}

// Lost takes a playback for over, as Failed, of whose end nothing will be heard.
func (p *Playback) Lost() { p.finish(Event{At: time.Now()}, Failed, true) }

// StopPlayback ends a playback that another process has left on the leg under
// an ID of [PlayOptions]. One that is not there is no error.
func (l *Leg) StopPlayback(ctx context.Context, id string) error { return l.link.stopPlayback(ctx, id) }

func (l *Link) stopPlayback(ctx context.Context, id string) error {
	err := l.do(ctx, request{op: opStopPlayback, target: id, method: http.MethodDelete, path: []string{"playbacks", id}, again: true}, nil)
	if notFound(err) {
		return nil
	}
	return err
}

func (p *Playback) stopping() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped = true
}

func (p *Playback) start(ctx context.Context, op string, path, media []string, o PlayOptions) (*Playback, error) {
	p.session.own(p.id, p)
	p.track()
	body := map[string]any{"media": media, "playbackId": p.id}
	if o.Language != "" {
		body["lang"] = o.Language
	}
	if o.Skip > 0 {
		body["offsetms"] = o.Skip.Milliseconds()
	}
	err := p.session.link.do(ctx, request{
		op: op, target: path[1], method: http.MethodPost, path: path, body: body,
		again: true, done: p.begun,
	}, nil)
	if err == nil || taken(err) {
		p.mu.Lock()
		p.accepted = true
		p.mu.Unlock()
		return p, nil
	}
	p.finish(Event{At: time.Now()}, Failed, false)
	if p.leg != nil {
		return nil, p.leg.verdict(err)
	}
	return nil, err
}

// begun says whether Asterisk has the playback, or had: it does not refuse one
// whose ID is in use, but plays both.
func (p *Playback) begun(ctx context.Context) (bool, error) {
	err := p.ask(ctx)
	if notFound(err) {
		return p.Result() != Playing, nil
	}
	return err == nil, err
}

func (p *Playback) ask(ctx context.Context) error {
	return p.session.link.do(ctx, request{op: opPlayback, target: p.id, method: http.MethodGet, path: []string{"playbacks", p.id}}, nil)
}

func (p *Playback) track() {
	if p.leg != nil {
		p.leg.track(p)
	}
	if p.bridge != nil {
		p.bridge.track(p)
	}
}

func (p *Playback) untrack() {
	if p.leg != nil {
		p.leg.untrack(p)
	}
	if p.bridge != nil {
		p.bridge.untrack(p)
	}
}

func (p *Playback) handle(ev any) {
	finished, ok := ev.(*playbackFinished)
	if !ok {
		return
	}
	p.finish(Event{At: at(finished.Timestamp)}, p.verdict(finished.Playback.State), true)
}

// verdict reads Asterisk's state, which is "done" for one that was stopped, and
// "failed" when the channel hung up (after the hang-up request) or the bridge
// went.
func (p *Playback) verdict(state string) PlaybackResult {
	ending := p.leg != nil && p.leg.ending()
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.stopped, ending:
		return Cancelled
	case state == "failed":
		return Failed
	}
	return Finished
}

// finish ends the playback and, if tell is set, tells the script.
func (p *Playback) finish(ev Event, r PlaybackResult, tell bool) {
	if !p.settle(r) {
		return
	}
	p.untrack()
	p.session.disown(p.id)
	if tell {
		ev.Kind, ev.Leg, ev.Playback = PlaybackDone, p.leg, p
		p.session.post(ev)
	}
}

// settle fixes the result; false when it was over before.
func (p *Playback) settle(r PlaybackResult) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.result != Playing {
		return false
	}
	p.result = r
	close(p.done)
	return true
}

func (p *Playback) isAccepted() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.accepted
}

// Check asks whether the playback is still there: queued or playing. If it is
// not, it is over: the script is told by PlaybackDone, unless it was before.
func (p *Playback) Check(ctx context.Context) (there bool, err error) {
	if p.Result() != Playing {
		return false, nil
	}
	err = p.ask(ctx)
	if notFound(err) {
		p.finish(Event{At: time.Now()}, p.verdict("done"), true)
		return false, nil
	}
	return err == nil, err
}

func (p *Playback) release() { p.settle(Cancelled) }

func (l *Leg) track(p *Playback) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.playing = append(l.playing, p)
}

func (l *Leg) untrack(p *Playback) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.playing = without(l.playing, p)
}

// without takes one out of a few.
func without[T comparable](few []T, one T) []T {
	return slices.DeleteFunc(few, func(other T) bool { return other == one })
}
