package call_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hotline/ari/aritest"
	"hotline/call"
)

// recordedBy is a hotline whose calls this recorder records, and a caller in the menu whose recording was begun, or
// refused so often.
func recordedBy(t *testing.T, refused int) (h *hotline, tape *recorder, caller *aritest.Channel) {
	h = newHotline(t, 1)
	tape = &recorder{dir: h.rawDir}
	t.Cleanup(tape.stop)
	h.asterisk.Dialplan("hotline-record", "", tape.begin)
	h.asterisk.Phone("PJSIP/1001", answers)
	if err := h.queue.SignIn("1001"); err != nil {
		t.Fatal(err)
	}
	h.asterisk.Fail("POST", "/channels/{id}/continue", http.StatusInternalServerError, refused)
	return h, tape, h.arrives(theirNumber, "menu.main")
}

// oldEnough waits until it is looked whether the call is recorded.
func (h *hotline) oldEnough() {
	h.t.Helper()
	began := time.Now()
	h.until("the recording is old enough to be looked at", func() bool { return time.Since(began) > 3*time.Second })
}

func (h *hotline) count(method, route string) (n int) {
	for _, r := range h.asterisk.Requests() {
		if r.Method == method && r.Route == route {
			n++
		}
	}
	return n
}

// A recording that could not begin is tried again; one that Asterisk began late, or began and ended, is not lost.
func TestARecordingThatCouldNotBegin(t *testing.T) {
	for name, late := range map[string]func(h *hotline, tape *recorder){
		"is tried again": func(*hotline, *recorder) {},
		"began late": func(h *hotline, tape *recorder) {
			file, err := os.Create(filepath.Join(h.rawDir, h.callID()+".raw"))
			if err != nil {
				h.t.Fatal(err)
			}
			tape.mu.Lock()
			defer tape.mu.Unlock()
			tape.files = append(tape.files, file)
			if _, err := file.Write(make([]byte, 3200)); err != nil {
				h.t.Fatal(err)
			}
		},
		"began late, and has stopped": func(h *hotline, _ *recorder) { h.leaveRaw(h.callID()) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, tape, caller := recordedBy(t, 1)
			late(h, tape)
			h.oldEnough()
			caller.Press("0")
			h.talks(caller)
			parts := decoded[call.RecordingStarted](h.journal, call.KindRecording)
			tape.stop()
			caller.Bye()
			r := h.outcome().Recording
			if len(parts) != 2 || parts[0].Error == "" || parts[1].Error != "" || parts[1].Why == "" {
				t.Fatalf("the journal has the parts %+v", parts)
			}
			switch {
			case r == nil:
				t.Fatal("the ending tells of no recording")
			case name == "began late":
				if r.File == "" || r.Then != nil || parts[1].Part != 0 {
					t.Errorf("the recording is %+v, want the file that was begun late", r)
				}
			case (r.File != "") != (name != "is tried again"), r.Then == nil, r.Gap == "", r.Expected < 2.9:
				t.Errorf("the recording is %+v, want what is missing in the first part", r)
			case !strings.HasSuffix(r.Then.File, h.callID()+"-2.wav"):
				t.Errorf("then the recording is %+v, want a file", r.Then)
			}
		})
	}
}

// Where no part can begin, since its disk is full, nobody is taken out of a talk for it.
func TestATalkIsNotDisturbedForARecordingThatCannotBegin(t *testing.T) {
	h, tape, caller := recordedBy(t, 0)
	caller.Press("0")
	h.talks(caller)
	if err := os.MkdirAll(filepath.Join(h.rawDir, h.callID()+"-2.json.part", "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	tape.stop()
	h.oldEnough()
	h.asterisk.Drop() // with every look at Asterisk the talk looks at its recording
	h.until("the recording is to begin again", func() bool { return len(decoded[call.RecordingStarted](h.journal, call.KindRecording)) == 2 })
	if told := decoded[call.RecordingStarted](h.journal, call.KindRecording)[1]; told.Error == "" || told.Part != 2 {
		t.Errorf("the journal has %+v", told)
	}
	if moved, begun := h.count("POST", "/bridges/{id}/removeChannel"), h.count("POST", "/channels/{id}/continue"); moved > 0 || begun != 1 {
		t.Errorf("the caller was taken out of the talk %d times, and %d recordings were begun", moved, begun)
	}
	caller.Bye()
	if r := h.outcome().Recording; r == nil || r.File == "" || r.Then == nil || r.Then.Gap == "" {
		t.Errorf("the recording is %+v", r)
	}
}
