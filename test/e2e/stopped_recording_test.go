package e2e

import (
	"strings"
	"testing"
	"time"

	"hotline/call"
	"hotline/queue"
	"hotline/test/ear"
	"hotline/test/phone"
)

// stopRecording is somebody who stops the recording of the only caller, from Asterisk's console.
func (w *world) stopRecording() {
	w.t.Helper()
	channels, err := w.CLI("core show channels concise")
	if err != nil {
		w.t.Fatal(err)
	}
	for line := range strings.Lines(channels) {
		if name, _, _ := strings.Cut(line, "!"); strings.HasPrefix(name, "PJSIP/trunk-") {
			if said, err := w.CLI("mixmonitor stop " + name); err != nil {
				w.t.Fatalf("%s: %v", said, err)
			}
			return
		}
	}
	w.t.Fatalf("there is no caller's channel among\n%s", channels)
}

// restarts kills the service and starts it again, which takes the one talk up.
func (w *world) restarts(meanwhile func()) (ready time.Time) {
	w.t.Helper()
	if err := w.Kill(); err != nil {
		w.t.Fatal(err)
	}
	meanwhile()
	ready = w.launched()
	w.await("the agent is known to talk", func() bool { return w.stateOf("1001") == queue.StateTalking })
	return ready
}

// After a restart a recording that goes on is left alone, and one that has stopped begins again in the middle of the
// talk, which nobody hears; what is missing in between is named.
func TestARecordingThatHasStoppedBeginsAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2*time.Minute, nil)
	desk := w.agent("1001", phone.AnswerAfter(0))
	v := w.visitor()
	v.key("menu.main", "0")
	agent := w.answered(desk)
	v.hears("voice.agent")
	w.passes(4 * time.Second) // so that it is old enough to be looked at
	began := v.now()
	w.restarts(func() {})
	w.passes(time.Second)
	if told := v.story().of(call.KindRecording); len(told) != 1 {
		t.Errorf("a recording that goes on was begun again: %v", told)
	}

	w.restarts(w.stopRecording)
	w.await("the recording begins again", func() bool { return len(v.story().of(call.KindRecording)) == 2 })
	w.passes(3 * time.Second)
	v.steady(began, v.now())
	for who, c := range map[string]*phone.Call{"the caller": v.call, "the agent": agent} {
		gaps := c.Gaps(60 * time.Millisecond)
		t.Logf("gaps of 60 ms and more in what %s was sent: %v", who, gaps)
		for _, g := range gaps {
			if g.After > began && g.Lasts > 150*time.Millisecond {
				t.Errorf("%s heard that the recording was begun again: %v", who, g)
			}
		}
	}
	v.hangup()
	ended, _ := v.end()
	first := ended.Recording
	if first == nil || first.Then == nil || !strings.Contains(first.Gap, "gap of") || first.Then.Gap != "" && !strings.Contains(first.Then.Gap, "clock") {
		t.Fatalf("the recording is %+v, then %+v; want the gap named in the first part, and a second", first, first.Then)
	}
	t.Logf("recorded %.2f s of %.2f s (%s), then %.2f s of %.2f s (%s)", first.Seconds, first.Expected, first.Gap, first.Then.Seconds, first.Then.Expected, first.Then.Gap)
	heard, err := ear.DecodeFile(first.Then.File, ear.DecoderOptions{Code: v.code, Voices: voices})
	if err != nil {
		t.Fatal(err)
	}
	if len(heard.Left.Of("voice.caller")) == 0 || len(heard.Right.Of("voice.agent")) == 0 {
		t.Errorf("the second part lacks a voice:\nleft %s\nright %s", heard.Left, heard.Right)
	}
	w.nothingLeft()
	w.must("audit")
}
