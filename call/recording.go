package call

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"hotline/ari"
	"hotline/ivr"
	"hotline/journal"
	"hotline/recordings"
)

// The dialplan's context that starts MixMonitor on the caller's channel and
// returns to us: from there on both directions are recorded, whatever happens
// to the bridge.
const recordContext = "hotline-record"

// part is one file of a call's recording. Asterisk records a channel from a
// moment on: the caller's leg after a redial is another part, and so is what
// follows where a recording had stopped.
type part struct {
	n     int       // from 1
	due   time.Time // machine's clock: since when everything is to be recorded in it
	began time.Time // the same, since when it is; where it has not begun, when that was tried last
	again bool      // of the caller's leg after a redial
	why   string    // it has not begun; "" where it has
	free  bool      // … and Asterisk was not even asked, so that nothing can be recorded under its number
}

// withPart adds a part, or what has become of one that had not begun.
func withPart(parts []part, p part) []part {
	p.due = p.began
	if last := len(parts) - 1; last >= 0 && parts[last].n == p.n {
		p.due = parts[last].due
		parts = parts[:last:last]
	}
	return append(parts, p)
}

// partName is what the files of a part are named after.
func (c *call) partName(n int) string {
	if n == 1 {
		return c.id
	}
	return fmt.Sprintf("%s-%d", c.id, n)
}

// startRecording begins the recording at the end of the notice.
func (c *call) startRecording(ctx context.Context) {
	if c.o.Record && len(c.parts) == 0 {
		c.record(ctx, "")
	}
}

// recordingLook is how old a part is before it is looked whether it is still
// recorded, and how often that is looked at the most; recordingAgain, after it
// had to be begun again: what had kept it from beginning may last.
const (
	recordingLook  = 3 * time.Second
	recordingAgain = time.Minute
)

// keepRecording looks whether Asterisk records the call, and has it begin again
// where it does not: it could not begin, somebody has stopped it, or its file
// could not be made. It is for moments in which nothing plays to the caller, who
// may be out of the bridge when it returns: for one or two packets nobody hears
// the caller.
func (c *call) keepRecording(ctx context.Context) {
	if len(c.parts) == 0 || c.replaced() {
		return
	}
	last := c.parts[len(c.parts)-1]
	now := time.Now()
	if now.Sub(last.began) < recordingLook || now.Before(c.recordingLook) {
		return
	}
	c.recordingLook = now.Add(recordingLook)
	running, err := c.recordings.Running(c.partName(last.n))
	switch {
	case err != nil:
		c.log.Warn("whether the call is still recorded is not known", "err", err)
		return
	case running && last.why == "":
		return
	case running:
		last.began, last.why = c.recordings.Began(c.partName(last.n)), ""
		c.notePart(last, "it began late")
		return
	}
	if _, err := c.caller.GetVar(ctx, "CHANNEL(channeltype)"); err != nil {
		return // the caller has left, and with them the recording: the end is on its way
	}
	c.recordingLook = now.Add(recordingAgain)
	why := "it could not begin before"
	if last.why == "" {
		why = "Asterisk had stopped recording"
		c.log.Error("Asterisk has stopped recording a call, and is told to begin again", "part", last.n)
	}
	c.record(ctx, why)
}

// record begins the next part, and says why there is another. A call whose
// recording does not begin goes on, and the journal says so.
func (c *call) record(ctx context.Context, why string) {
	p := part{n: len(c.parts) + 1, again: c.again.answered()}
	if last := len(c.parts) - 1; last >= 0 && c.parts[last].free && c.parts[last].again == p.again {
		p.n = c.parts[last].n
	}
	err := c.beginPart(ctx, &p)
	if err != nil && ctx.Err() == nil {
		c.log.Error("the call is not recorded", "part", p.n, "err", err)
		p.why = err.Error()
	}
	c.notePart(p, why)
}

// notePart writes down what has become of a part.
func (c *call) notePart(p part, why string) {
	told := RecordingStarted{Began: p.began.UTC(), Why: why, Error: p.why}
	if p.n > 1 {
		told.Part = p.n
	}
	c.write(KindRecording, told)
	c.parts = withPart(c.parts, p)
}

// beginPart has Asterisk record. What was begun before, by a process that died
// and could not write so down, or by a command that was carried out late, is that
// part: where it has stopped again, the next look sees it.
func (c *call) beginPart(ctx context.Context, p *part) error {
	name := c.partName(p.n)
	p.began = time.Now()
	if _, err := c.recordings.Start(name, c.arrived); err != nil {
		began := c.recordings.Began(name)
		if errors.Is(err, recordings.ErrExists) && !began.IsZero() {
			p.began = began
			return nil
		}
		p.free = !errors.Is(err, recordings.ErrExists)
		return err
	}
	if c.bridged[c.caller] {
		if err := c.move(ctx, nil, []*ari.Leg{c.caller}); err != nil {
			p.free = true
			return err
		}
	}
	p.began = time.Now()
	return c.caller.Continue(ctx, recordContext, "rec-"+name, 1)
}

// finishRecording keeps what was recorded and says how complete it is.
func (c *call) finishRecording(ctx context.Context) (kept *RecordingEnded) {
	if len(c.parts) == 0 {
		return nil
	}
	if c.leftToNet() {
		return &RecordingEnded{Expected: time.Since(c.parts[0].due).Seconds(), Gap: "it goes on in the dialplan's net and is kept when the caller has left"}
	}
	if c.again.answered() && !c.parts[len(c.parts)-1].again {
		kept = &RecordingEnded{Gap: notAfterRedial + "the caller left before the recording began"}
	}
	for i, p := range slices.Backward(c.parts) {
		before := c.finishPart(ctx, p, c.partEnded(i))
		before.Then = kept
		kept = before
	}
	return kept
}

// notBegun is the gap of a part that has not begun.
func (p part) notBegun() string {
	if p.again {
		return notAfterRedial + p.why
	}
	return "nothing is recorded: " + p.why
}

const notAfterRedial = "after the redial nothing is recorded: "

// partEnded is when a part was over: with its leg or, where that recording had
// stopped, as the next one began: what is missing in between is missing in it.
func (c *call) partEnded(i int) time.Time {
	p := c.parts[i]
	switch {
	case i+1 < len(c.parts) && c.parts[i+1].again == p.again:
		return c.parts[i+1].due
	case !p.again && c.again != nil:
		return goneAt(c.again.Ending.Facts.Gone)
	}
	return goneAt(c.caller.Evidence().GoneAt)
}

// goneAt is when a leg ended, which is now where that is not known.
func goneAt(gone time.Time) time.Time {
	if gone.IsZero() {
		return time.Now()
	}
	return gone
}

// finishPart keeps one file of what was recorded.
func (c *call) finishPart(ctx context.Context, p part, ended time.Time) *RecordingEnded {
	result, err := c.recordings.Finish(ctx, recordings.Meta{CallID: c.partName(p.n), At: c.arrived, Began: p.due, Ended: ended})
	switch {
	case p.why != "" && errors.Is(err, recordings.ErrMissing): // otherwise it began after all
		return &RecordingEnded{Expected: ended.Sub(p.due).Seconds(), Gap: p.notBegun()}
	case err != nil:
		c.log.Error("the recording is not kept yet; the next sweep tries again", "part", p.n, "err", err)
		return &RecordingEnded{Expected: ended.Sub(p.due).Seconds(), Gap: err.Error()}
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
