package call

import (
	"context"
	"time"

	"hotline/ivr"
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
	_, err := c.recordings.Start(c.id, c.arrived)
	if err == nil {
		began := time.Now()
		if err = c.caller.Continue(ctx, recordContext, "rec-"+c.id, 1); err == nil {
			c.recording = began
		}
	}
	if err != nil && ctx.Err() == nil {
		c.log.Error("the call is not recorded", "err", err)
		c.write(KindRecording, RecordingStarted{Error: err.Error()})
		return
	}
	c.write(KindRecording, RecordingStarted{})
}

// finishRecording keeps what was recorded and says how complete it is.
func (c *call) finishRecording(ctx context.Context) *RecordingEnded {
	if c.recording.IsZero() {
		return nil
	}
	ended := c.caller.Evidence().GoneAt
	if ended.IsZero() {
		ended = time.Now()
	}
	result, err := c.recordings.Finish(ctx, recordings.Meta{CallID: c.id, At: c.arrived, Began: c.recording, Ended: ended})
	if err != nil {
		c.log.Error("the recording is not kept yet; the next sweep tries again", "err", err)
		return &RecordingEnded{Expected: ended.Sub(c.recording).Seconds(), Gap: err.Error()}
	}
	kept := &RecordingEnded{File: result.Path, Seconds: result.Duration.Seconds(), Expected: result.Expected.Seconds()}
	if !result.Complete() {
		kept.Gap = result.Note
	}
	return kept
}

// keepMessage files a message and journals it (A4). A number alone is a
// message too.
func (c *call) keepMessage(ctx context.Context, m ivr.Message, reason string) {
	left := LeftMessage{
		Number: m.Number, Confirmed: m.Confirmed, Seconds: m.Duration.Seconds(), Reason: reason,
		File: c.messageFile(context.WithoutCancel(ctx), m.Recording),
	}
	c.left = &left
	c.write(KindMessage, left)
}

// messageFile is where a message is kept from now on; "" when nothing was
// said and only the number is left.
func (c *call) messageFile(ctx context.Context, recording string) string {
	if recording == "" {
		return ""
	}
	recorded := c.o.MessageFile(recording)
	kept, err := c.recordings.KeepMessage(ctx, recorded, c.id)
	if err != nil {
		c.log.Error("a message stays where Asterisk recorded it", "err", err)
		return recorded
	}
	return kept.Path
}
