package call

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"hotline/ari"
	"hotline/ivr"
)

// line is a leg as the machine's conversations need it: it speaks prompts and
// reads keys. It implements ivr.Phone.
type line struct {
	session *ari.Session
	leg     *ari.Leg
	files   func(prompts []string) []string // as Asterisk names them
	lasts   func(prompts ...string) time.Duration
	ready   func(context.Context)                   // called before anything is played, while nothing plays; nil for nobody
	note    func(prompts []string, playback string) // told before anything is played; nil for nobody
	log     *slog.Logger
	keys    []rune // pressed and not yet asked for

	begun    *Said                  // what an earlier process was about to play, until something is said here; nil for nothing
	longest  time.Duration          // that a message may last
	leftTake string                 // the take of a message that an earlier process was recording; "" for none
	taken    func(take string) bool // whether there is a file of this take
}

// keyBuffer bounds how many keys are kept ahead of the questions; a phone
// that sends 200 a second loses the rest.
const keyBuffer = 32

var _ ivr.Phone = (*line)(nil)

// Say plays the prompts to their end. Keys pressed meanwhile are kept.
func (l *line) Say(ctx context.Context, prompts ...string) error {
	playing, err := l.play(ctx, prompts)
	if err != nil {
		return err
	}
	defer l.bound(ctx, playing, l.lasts(prompts...))()
	if !l.until(ctx, playing.Done()) {
		return l.stopped(ctx, playing)
	}
	return l.heard(ctx, playing)
}

// overdue is how much later than they should prompts may end on an Asterisk that
// is busy. It was seen to accept one and never to play it, to a caller just out
// of a bridge: that would be silence without an end.
const overdue = 10 * time.Second

// bound gives prompts up that do not come to their end, so that the
// conversation goes on; the func returned takes the limit away.
func (l *line) bound(ctx context.Context, playing *ari.Playback, lasts time.Duration) func() {
	lost := time.AfterFunc(lasts+overdue+unheard, func() {
		l.log.Error("nothing was heard of a prompt's end, and it is given up", "channel_id", l.leg.ID(), "playback", playing.ID())
		playing.Lost()
	})
	limit := time.AfterFunc(lasts+overdue, func() {
		given, err := playing.GiveUp(context.WithoutCancel(ctx))
		if given {
			l.log.Error("a prompt did not come to its end, and is given up", "channel_id", l.leg.ID(), "playback", playing.ID())
		}
		if err != nil {
			l.log.Warn("a prompt that is overdue may play yet", "channel_id", l.leg.ID(), "err", err)
		}
	})
	return func() { limit.Stop(); lost.Stop() }
}

// unheard is how much later a prompt is given up that Asterisk has no more and
// whose end we have not heard of: by then a connection that is dead is known to
// be, and another one is there.
const unheard = 20 * time.Second

// Ask plays the prompts followed by silence for as long as it waits, so that
// Asterisk keeps the time and the recording does not skip, and stops at the
// first key.
func (l *line) Ask(ctx context.Context, wait time.Duration, prompts ...string) (rune, error) {
	if key, ok := l.key(); ok {
		return key, context.Cause(ctx)
	}
	asked := append(prompts[:len(prompts):len(prompts)], silence(wait)...)
	playing, err := l.play(ctx, asked)
	if err != nil {
		return ivr.Silence, err
	}
	defer l.bound(ctx, playing, l.lasts(asked...))()
	return l.await(ctx, playing)
}

// Replay plays a recording of this call, then asks as Ask does.
func (l *line) Replay(ctx context.Context, name string, wait time.Duration, prompts ...string) (rune, error) {
	media := append([]string{"recording:" + name}, l.files(append(prompts, silence(wait)...))...)
	id := l.session.NewID("play")
	l.note(append([]string{"recording"}, prompts...), id)
	playing, err := l.leg.Play(ctx, media, ari.PlayOptions{ID: id})
	if err != nil {
		return ivr.Silence, fmt.Errorf("replaying a recording: %w", err)
	}
	defer l.bound(ctx, playing, l.longest+l.lasts(prompts...)+wait)()
	return l.await(ctx, playing)
}

// Record takes down what is said, until silence, a key, or its limit.
func (l *line) Record(ctx context.Context, o ivr.RecordOptions) (ivr.Recorded, error) {
	rec, err := l.recording(ctx, o)
	if err != nil {
		return ivr.Recorded{}, fmt.Errorf("recording a message: %w", err)
	}
	limit := time.AfterFunc(o.MaxLength+overdue, func() { l.giveUp(ctx, rec) })
	defer limit.Stop()
	finished := l.until(ctx, rec.Done())
	if !finished { // Asterisk keeps what a caller said who hung up
		finished = within(ctx, legEndGrace, rec.Done())
	}
	l.forget() // a # that ended the message is not an answer to the next question
	result, gone := rec.Result(), l.left(ctx)
	if result.Failed && gone == nil {
		return ivr.Recorded{}, fmt.Errorf("recording %s: %w: %s", o.Name, ivr.ErrNotRecorded, result.Cause)
	}
	return ivr.Recorded{
		Name: o.Name, Duration: said(result),
		Unknown: !finished || result.Lost || result.Failed,
	}, gone
}

// giveUp ends a recording that does not come to its end; of one that Asterisk has
// no more, whose end nobody told, what is there is kept.
func (l *line) giveUp(ctx context.Context, rec *ari.Recording) {
	ctx = context.WithoutCancel(ctx)
	l.log.Error("a message did not come to its end, and is cut off there", "channel_id", l.leg.ID())
	if err := rec.Stop(ctx); err != nil {
		l.log.Warn("a message that is overdue may be recorded yet", "channel_id", l.leg.ID(), "err", err)
	}
	_, _ = rec.Check(ctx) // where it cannot be asked, the next look asks
}

// recording begins to record, or goes on with the recording of this name that
// an earlier process began.
func (l *line) recording(ctx context.Context, o ivr.RecordOptions) (*ari.Recording, error) {
	if o.Name == l.leftTake {
		l.leftTake = ""
		rec := l.session.RestoreRecording(l.leg, o.Name)
		there, err := rec.Check(ctx)
		if err != nil || there || l.taken(o.Name) {
			return rec, err
		}
	}
	return l.leg.Record(ctx, ari.RecordOptions{
		Name: o.Name, Format: "wav", MaxDuration: o.MaxLength, MaxSilence: o.MaxSilence,
		TerminateOn: "#", IfExists: "overwrite",
	})
}

// within waits a little for something to be done, whether or not the caller is
// still there.
func within(ctx context.Context, grace time.Duration, done <-chan struct{}) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	select {
	case <-done:
		return true
	case <-ctx.Done():
		return false
	}
}

// until waits for something to be done, false if the conversation ends before.
// It goes on taking keys, so that a phone that floods us fills no mailbox.
func (l *line) until(ctx context.Context, done <-chan struct{}) bool {
	for {
		select {
		case <-l.session.Wake():
			l.listen()
		case <-done:
			return true
		case <-ctx.Done():
			return false
		}
	}
}

// await waits for a key or the end of what is playing.
func (l *line) await(ctx context.Context, playing *ari.Playback) (rune, error) {
	for {
		if key, ok := l.key(); ok {
			return key, l.stopped(ctx, playing)
		}
		select {
		case <-l.session.Wake():
		case <-playing.Done():
			key, _ := l.key()
			return key, l.heard(ctx, playing)
		case <-ctx.Done():
			return ivr.Silence, l.stopped(ctx, playing)
		}
	}
}

// heard is asked when a playback is over by itself: why the conversation is
// over with it, if it is. A prompt that could not be played was silence to the
// caller; the conversation goes on, and somebody has to look after it.
func (l *line) heard(ctx context.Context, playing *ari.Playback) error {
	err := l.left(ctx)
	if err == nil && playing.Result() == ari.Failed {
		l.log.Error("a prompt could not be played and was silence; check with: hotline prompts check", "playback", playing.ID())
	}
	return err
}

// left is asked when something on the leg is over: why the conversation is
// over with it, if it is. Who hangs up ends what is playing a moment before
// the leg's own end is told; going on meanwhile would blame the next stage.
func (l *line) left(ctx context.Context) error {
	if l.leg.Context().Err() != nil || len(l.leg.Evidence().Requests) > 0 {
		return ended(ctx)
	}
	return context.Cause(ctx)
}

// stopped ends a playback and reports why the conversation ended, if it did.
// A caller who is gone has taken the playback along.
func (l *line) stopped(ctx context.Context, playing *ari.Playback) error {
	if l.leg.Context().Err() == nil && !stopping(ctx) {
		if err := playing.Stop(context.WithoutCancel(ctx)); err != nil && ctx.Err() == nil {
			return fmt.Errorf("stopping a prompt: %w", err)
		}
		return pause(ctx, stopRest)
	}
	return context.Cause(ctx)
}

// stopRest lies between a playback that is stopped and what comes next. The
// last packet is out up to 20 ms before the next one is due: without the rest
// the caller's sound gets ahead at each change, until the recording drops what
// is ahead (docs/recording.md).
const stopRest = 12 * time.Millisecond

func (l *line) play(ctx context.Context, prompts []string) (*ari.Playback, error) {
	known, done := l.known(ctx)
	defer done()
	if playing, err := l.takeUp(known, prompts); playing != nil || err != nil {
		if cause := over(ctx, l.leg); err != nil && cause != nil {
			return nil, cause
		}
		return playing, err
	}
	if l.ready != nil {
		l.ready(ctx)
	}
	id := l.session.NewID("play")
	if l.note != nil {
		l.note(spoken(prompts), id)
	}
	playing, err := l.leg.Play(known, l.files(prompts), ari.PlayOptions{ID: id})
	if err != nil {
		if cause := over(ctx, l.leg); cause != nil {
			return nil, cause
		}
		return nil, fmt.Errorf("playing %s and what follows: %w", prompts[0], err)
	}
	return playing, nil
}

// known is for a request whose end must be known though the conversation is
// interrupted meanwhile, as when an agent wants the caller back: what plays
// is to be stopped. It ends with the caller's line, and with the service.
func (l *line) known(ctx context.Context) (context.Context, context.CancelFunc) {
	known, cancel := context.WithCancel(context.WithoutCancel(ctx))
	gone := context.AfterFunc(l.leg.Context(), cancel)
	stopped := context.AfterFunc(ctx, func() {
		if stopping(ctx) {
			cancel()
		}
	})
	return known, func() { gone(); stopped(); cancel() }
}

// takeUp goes on with what an earlier process began to say, if that is what is
// to be said now; anything else is ended. What is over and lasted long enough
// to be heard has been heard, as far as anybody can tell; a goodbye is rather
// said twice than not at all. nil: it is for us to say it.
func (l *line) takeUp(ctx context.Context, prompts []string) (*ari.Playback, error) {
	left := l.begun
	if l.begun = nil; left == nil || left.Playback == "" {
		return nil, nil
	}
	playing := l.session.RestorePlayback(l.leg, left.Playback)
	there, err := playing.Check(ctx)
	if err != nil {
		return nil, fmt.Errorf("looking for what was being said: %w", err)
	}
	same := slices.Equal(left.Prompts, private(spoken(prompts))) && !slices.Contains(left.Prompts, hiddenDigits) // which may be another number's
	switch {
	case there && same, same && !goodbye(prompts) && time.Since(left.Machine) >= l.lasts(prompts...):
		return playing, nil
	case there:
		return nil, playing.Stop(ctx)
	}
	return nil, nil
}

// goodbye says whether the call is over after these.
func goodbye(prompts []string) bool {
	return strings.HasPrefix(prompts[len(prompts)-1], "closing.")
}

// listen takes the keys pressed since it last did.
func (l *line) listen() {
	for event, ok := l.session.Poll(); ok; event, ok = l.session.Poll() {
		// What else happens on the call is either waited for by itself (a
		// playback's end, a leg's end) or of no interest to a conversation.
		if event.Kind == ari.Key && event.Leg == l.leg && len(l.keys) < keyBuffer {
			l.keys = append(l.keys, event.Digit)
		}
	}
}

// key takes the oldest key pressed and not yet asked for.
func (l *line) key() (rune, bool) {
	l.listen()
	if len(l.keys) == 0 {
		return ivr.Silence, false
	}
	key := l.keys[0]
	l.keys = l.keys[1:]
	return key, true
}

// forget drops the keys pressed so far, which were meant for something else,
// except those that mean the same everywhere.
func (l *line) forget(except ...rune) {
	l.listen()
	l.keys = slices.DeleteFunc(l.keys, func(key rune) bool { return !slices.Contains(except, key) })
}

// said is how long somebody spoke: the silence that ended the recording does
// not count.
func said(r ari.RecordingResult) time.Duration { return max(r.Duration-r.Silence, 0) }
