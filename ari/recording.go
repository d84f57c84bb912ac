package ari

import (
	"context"
	"net/http"
	"sync"
	"time"

	arilib "github.com/CyCoreSystems/ari/v5"
)

// RecordOptions say what to record. Recording works on a leg that is in no
// bridge.
type RecordOptions struct {
	Name        string // file below Asterisk's recording folder, without extension; empty: the recording's ID
	Format      string // wav, alaw, ulaw, sln16 …
	MaxDuration time.Duration
	MaxSilence  time.Duration // silence that ends it; 0: never
	Beep        bool
	TerminateOn string // none, any, *, #; empty: none
	IfExists    string // fail, overwrite, append; empty: fail
}

// RecordingResult is how a recording ended.
type RecordingResult struct {
	Duration, Talking, Silence time.Duration // whole seconds, as Asterisk reports them
	Failed                     bool
	Cause                      string // why it failed
	Lost                       bool   // the channel or the connection went: look at the file
}

// Recording is a recording of one leg under way.
type Recording struct {
	session *Session
	leg     *Leg
	name    string
	done    chan struct{}

	mu       sync.Mutex
	accepted bool
	over     bool
	result   RecordingResult
}

// Record records what the leg says, until silence, key, time or Stop.
func (l *Leg) Record(ctx context.Context, o RecordOptions) (*Recording, error) {
	s, err := l.owner(opRecord)
	if err != nil {
		return nil, err
	}
	if o.Name == "" {
		o.Name = s.newID("record")
	}
	r := &Recording{session: s, leg: l, name: o.Name, done: make(chan struct{})}
	s.own(o.Name, r)
	l.trackRecording(r)
	err = l.post(ctx, opRecord, "record", o.body())
	if err != nil {
		r.finish(Event{}, RecordingResult{Failed: true, Cause: err.Error()}, false)
		return nil, err
	}
	r.mu.Lock()
	r.accepted = true
	r.mu.Unlock()
	return r, nil
}

func (l *Leg) trackRecording(r *Recording) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.recording = append(l.recording, r)
}

func (o RecordOptions) body() map[string]any {
	body := map[string]any{
		"name": o.Name, "format": o.Format, "beep": o.Beep,
		"maxDurationSeconds": seconds(o.MaxDuration),
		"maxSilenceSeconds":  seconds(o.MaxSilence),
	}
	if o.TerminateOn != "" {
		body["terminateOn"] = o.TerminateOn
	}
	if o.IfExists != "" {
		body["ifExists"] = o.IfExists
	}
	return body
}

// Name is the recording's name: its file below Asterisk's recording folder.
func (r *Recording) Name() string { return r.name }

// Done is closed once the recording is over.
func (r *Recording) Done() <-chan struct{} { return r.done }

// Result says how it ended; zero until Done.
func (r *Recording) Result() RecordingResult {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.result
}

// Stop ends the recording and keeps the file. One that is over already is no
// error.
func (r *Recording) Stop(ctx context.Context) error {
	err := r.session.link.do(ctx, request{op: opStopRecord, target: r.name, method: http.MethodPost, path: []string{"recordings", "live", r.name, "stop"}}, nil)
	if notFound(err) {
		return nil
	}
	return err
}

func (r *Recording) handle(ev any) {
	switch ev := ev.(type) {
	case *arilib.RecordingFinished:
		r.finish(Event{At: at(ev.Timestamp)}, resultOf(&ev.Recording), true)
	case *arilib.RecordingFailed:
		result := resultOf(&ev.Recording)
		result.Failed, result.Cause = true, ev.Recording.Cause
		r.finish(Event{At: at(ev.Timestamp)}, result, true)
	}
}

func resultOf(d *arilib.LiveRecordingData) RecordingResult {
	return RecordingResult{
		Duration: time.Duration(d.Duration),
		Talking:  time.Duration(d.Talking),
		Silence:  time.Duration(d.Silence),
	}
}

func (r *Recording) finish(ev Event, result RecordingResult, tell bool) {
	if !r.settle(result) {
		return
	}
	r.leg.mu.Lock()
	r.leg.recording = without(r.leg.recording, r)
	r.leg.mu.Unlock()
	r.session.disown(r.name)
	if tell {
		ev.Kind, ev.Leg, ev.Recording = RecordingDone, r.leg, r
		r.session.post(ev)
	}
}

func (r *Recording) settle(result RecordingResult) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over {
		return false
	}
	r.over, r.result = true, result
	close(r.done)
	return true
}

func (r *Recording) isAccepted() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.accepted
}

// Check asks whether the recording is still under way. If it is not, it is over
// and Lost, for its file to be looked at: the script is told by RecordingDone,
// unless it was before.
func (r *Recording) Check(ctx context.Context) (there bool, err error) {
	if r.isOver() {
		return false, nil
	}
	err = r.session.link.do(ctx, request{op: opRecording, target: r.name, method: http.MethodGet, path: []string{"recordings", "live", r.name}}, nil)
	if notFound(err) {
		r.finish(Event{At: time.Now()}, RecordingResult{Lost: true}, true)
		return false, nil
	}
	return err == nil, err
}

func (r *Recording) isOver() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.over
}

func (r *Recording) release() { r.settle(RecordingResult{Lost: true}) }
