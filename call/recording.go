package call

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"hotline/ivr"
	"hotline/journal"
	"hotline/recordings"
)

// The dialplan's context that starts MixMonitor on the caller's channel and
// returns to us: from there on both directions are recorded, whatever happens
// to the bridge.
const recordContext = "hotline-record"

// startRecording begins the recording at the end of the notice. A call whose
// recording does not start goes on, and the journal says so.
func (c *call) startRecording(ctx context.Context) {
	if !c.o.Record || !c.recording.IsZero() {
		return
	}
	began, err := c.beginRecording(ctx, c.id)
	if err != nil && ctx.Err() == nil {
		c.log.Error("the call is not recorded", "err", err)
		c.write(KindRecording, RecordingStarted{Error: err.Error()})
		return
	}
	c.recording = began
	c.write(KindRecording, RecordingStarted{Began: began.UTC()})
}

// beginRecording says since when everything is recorded. Where a process that
// died had begun it, and could not write so down, it goes on.
func (c *call) beginRecording(ctx context.Context, name string) (time.Time, error) {
	_, err := c.recordings.Start(name, c.arrived)
	if began := c.recordings.Began(name); c.run > 0 && errors.Is(err, recordings.ErrExists) && !began.IsZero() {
		return began, nil
	}
	began := time.Now()
	if err == nil {
		err = c.caller.Continue(ctx, recordContext, "rec-"+name, 1)
	}
	return began, err
}

// finishRecording keeps what was recorded and says how complete it is.
func (c *call) finishRecording(ctx context.Context) *RecordingEnded {
	if c.recording.IsZero() {
		return nil
	}
	if c.leftToNet() {
		return &RecordingEnded{Expected: time.Since(c.recording).Seconds(), Gap: "it goes on in the dialplan's net and is kept when the caller has left"}
	}
	ended := c.caller.Evidence().GoneAt
	if c.again != nil {
		ended = c.again.Ending.Facts.Gone
	}
	kept := c.finishPart(ctx, recordings.Meta{CallID: c.id, At: c.arrived, Began: c.recording, Ended: goneAt(ended)})
	if c.again.answered() {
		kept.Then = c.finishSecond(ctx)
	}
	return kept
}

// goneAt is when a leg ended, which is now where that is not known.
func goneAt(gone time.Time) time.Time {
	if gone.IsZero() {
		return time.Now()
	}
	return gone
}

// finishPart keeps one file of what was recorded.
func (c *call) finishPart(ctx context.Context, part recordings.Meta) *RecordingEnded {
	result, err := c.recordings.Finish(ctx, part)
	if err != nil {
		c.log.Error("the recording is not kept yet; the next sweep tries again", "err", err)
		return &RecordingEnded{Expected: part.Ended.Sub(part.Began).Seconds(), Gap: err.Error()}
	}
	kept := &RecordingEnded{File: result.Path, Seconds: result.Duration.Seconds(), Expected: result.Expected.Seconds()}
	if !result.Complete() {
		kept.Gap = result.Note
	}
	return kept
}

// messageName is what a call's takes of a message are named after.
func (c *call) messageName() string { return c.id + "-message" }

// dropTakes removes the takes of a message that the caller did not keep. It is
// for when the one kept, if any, has been moved away.
func (c *call) dropTakes() {
	takes, err := filepath.Glob(c.o.MessageFile(c.messageName() + "-*"))
	if err = errors.Join(err, c.recordings.DropTakes(takes...)); err != nil {
		c.log.Error("a take of a message that the caller did not keep is left", "err", err)
	}
}

// errNotKept says that a message is not safe: its caller must not be told
// that it is saved.
var errNotKept = errors.New("the message is not kept")

// keepMessage files a message and journals it (A4). A number that the caller
// confirmed is a message too. Both are on the disk when it returns nil;
// otherwise the error is errNotKept, already logged with where the sound is,
// and the other takes are left for who looks after it.
func (c *call) keepMessage(ctx context.Context, m ivr.Message, reason string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), teardownLimit)
	defer cancel()
	file, length, err := c.fileMessage(ctx, m)
	if file == "" && !m.Confirmed {
		return c.notKept(file, err)
	}
	c.left = &LeftMessage{Number: m.Number, Confirmed: m.Confirmed, Seconds: length.Seconds(), Reason: reason, File: file}
	entry := journal.NewEntry(KindMessage, c.left, Stream(c.id))
	entry.At = c.now().UTC()
	if _, failed := c.journal.AppendDurable(ctx, entry); failed != nil {
		c.unrecorded = failed
		c.metrics.unjournaled.Inc()
		err = errors.Join(err, failed)
	}
	if err != nil {
		return c.notKept(file, err)
	}
	c.dropTakes()
	return nil
}

func (c *call) notKept(file string, err error) error {
	c.log.Error("a message is not kept safely; look after its file", "file", file, "err", err)
	return fmt.Errorf("call %s: %w: %w", c.id, errNotKept, err)
}

// fileMessage is where what the caller said is kept from now on, and how long
// it is; "" when nothing was said and only the number is left. Where a file
// cannot be moved it stays where Asterisk recorded it.
func (c *call) fileMessage(ctx context.Context, m ivr.Message) (file string, length time.Duration, err error) {
	if m.Recording == "" {
		return "", 0, nil
	}
	recorded := c.o.MessageFile(m.Recording)
	kept, err := c.recordings.KeepMessage(ctx, recorded, c.id)
	switch {
	case errors.Is(err, recordings.ErrMissing), errors.Is(err, recordings.ErrEmpty):
		return "", 0, err
	case err != nil:
		return recorded, m.Duration, err
	case m.Duration == 0: // not told by Asterisk
		return kept.Path, kept.Duration, nil
	}
	return kept.Path, m.Duration, nil
}
