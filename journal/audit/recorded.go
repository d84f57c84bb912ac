package audit

import "math"

// recorded is I5: of every call that was recorded there is a file, or it is said what is missing and why. Where files
// are looked at, the file is a WAV of the length that the call's ending tells.
type recorded struct {
	tally
	files bool
}

// lengthTolerance is how far, in seconds, a file may be from the length that is told.
const lengthTolerance = 0.1

func newRecorded(t tally, files bool) *recorded {
	if !files {
		t.Except = "the files"
	}
	return &recorded{tally: t, files: files}
}

func (c *recorded) see(e *entry) {
	if e.visit == nil {
		return
	}
	switch d := e.data.(type) {
	case *recordingBegan:
		if d.Error == "" && e.visit.recording.seq == 0 {
			e.visit.recording = e.mark()
		}
	case *ended:
		if d.Recording != nil || e.visit.recording.seq != 0 {
			c.judge(e, d)
		}
	}
}

func (c *recorded) judge(e *entry, d *ended) {
	if !e.At.Before(c.since) {
		c.Looked++
	}
	if d.Recording == nil {
		c.find(e.call, "", []mark{e.visit.recording, e.mark()}, "it was recorded, and its ending does not say what became of that")
	}
	for part := d.Recording; part != nil; part = part.Then {
		c.judgePart(e, part)
	}
}

func (c *recorded) judgePart(e *entry, r *recording) {
	shown := []mark{e.visit.recording, e.mark()}
	switch {
	case r.File == "" && r.Gap == "":
		c.find(e.call, "", shown, "it was recorded, and there is neither a file nor a reason why not")
	case r.File == "" || !c.files || e.At.Before(c.since):
	default:
		length, err := wavLength(r.File)
		switch {
		case err != nil:
			c.find(e.call, "", shown, "its recording cannot be listened to: %v", err)
		case math.Abs(length-r.Seconds) > lengthTolerance:
			c.find(e.call, "", shown, "its recording %s lasts %.2f s, and its ending says %.2f s", r.File, length, r.Seconds)
		}
	}
}

func (c *recorded) end() {}
