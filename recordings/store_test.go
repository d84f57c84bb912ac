package recordings

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

func TestPathsFollowTheServicesDay(t *testing.T) {
	s := newStore(t)
	tests := []struct{ got, want string }{
		{s.Path("c1", arrived), "kept/2026/02/17/c1.wav"},
		{s.Path("c1", arrived.UTC()), "kept/2026/02/17/c1.wav"}, // the same moment, whatever the zone it is told in
		{s.Path("c1", arrived.Add(-7*time.Hour)), "kept/2026/02/16/c1.wav"},
		{s.MessagePath("c1"), "kept/messages/c1.wav"},
		{s.RawPath("c1"), "raw/c1.raw"},
	}
	for _, tt := range tests {
		if !strings.HasSuffix(tt.got, "/"+tt.want) {
			t.Errorf("%s does not end with %s", tt.got, tt.want)
		}
	}
}

func TestStartThenFinish(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	dir := t.TempDir()
	s, err := Open(Options{Dir: filepath.Join(dir, "kept"), RawDir: filepath.Join(dir, "raw"), Location: shanghai, Registerer: reg})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := s.Start("c1", arrived)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, raw, rawStream(16000))
	if _, err := s.Start("c1", arrived); !errors.Is(err, ErrExists) {
		t.Errorf("starting a recording that runs already gives %v, want ErrExists: Asterisk would overwrite it", err)
	}
	began := time.Now()
	meta := Meta{CallID: "c1", At: arrived, Began: began, Ended: began.Add(5 * time.Second)}
	first, err := s.Finish(context.Background(), meta)
	if err != nil {
		t.Fatal(err)
	}
	if first.Path != s.Path("c1", arrived) || first.Duration != 2*time.Second || first.Gap != 3*time.Second || first.Note != "gap of 3000 ms" {
		t.Errorf("the result is %+v", first)
	}
	if left, err := os.ReadDir(s.rawDir); err != nil || len(left) != 0 {
		t.Errorf("the folder of raw files still holds %v (%v)", left, err)
	}
	again, err := s.Finish(context.Background(), meta)
	if err != nil || again != first {
		t.Errorf("finishing again gives %+v, %v; want the same as before", again, err)
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	sums := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			sums[f.GetName()] += m.GetCounter().GetValue()
		}
	}
	if sums["hotline_recordings_missing_seconds_total"] != 3 || sums["hotline_recordings_seconds_total"] != 2 {
		t.Errorf("the metrics are %v, want 2 s recorded and 3 s missing, counted once", sums)
	}
}

func TestFinishWithoutARecording(t *testing.T) {
	s := newStore(t)
	if _, err := s.Finish(context.Background(), Meta{CallID: "c1", At: arrived}); !errors.Is(err, ErrMissing) {
		t.Errorf("a call that was never recorded gives %v, want ErrMissing", err)
	}
	if _, err := s.Finish(context.Background(), Meta{CallID: "c1"}); !errors.Is(err, ErrMissing) {
		t.Errorf("a call nobody knows gives %v, want ErrMissing", err)
	}
}

func TestIDsCannotLeaveTheFolder(t *testing.T) {
	s := newStore(t)
	for _, id := range []string{"", ".", "..", "../c1", "a/b", "a\x00b", "a b", ".hidden", "-rf", strings.Repeat("x", 129)} {
		if _, err := s.Start(id, arrived); err == nil {
			t.Errorf("Start took the ID %q", id)
		}
		if _, err := s.Finish(context.Background(), Meta{CallID: id, At: arrived}); err == nil || errors.Is(err, ErrMissing) {
			t.Errorf("Finish of the ID %q gives %v, want it refused", id, err)
		}
		if _, err := s.KeepMessage(context.Background(), "/dev/null", id); err == nil || errors.Is(err, ErrMissing) {
			t.Errorf("KeepMessage of the ID %q gives %v, want it refused", id, err)
		}
	}
	if _, err := s.Start("20260217-063000-0001", arrived); err != nil {
		t.Errorf("an ordinary ID is refused: %v", err)
	}
}

// TestFinishWaitsForAsterisk holds the raw file open as Asterisk does and closes it, or does not.
func TestFinishWaitsForAsterisk(t *testing.T) {
	tests := []struct {
		name   string
		closes time.Duration // after which it is closed; 0 means never
		want   error
	}{
		{"closed in time", 2 * time.Second, nil},
		{"never closed", 0, ErrStillWritten},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStore(t)
				writeFile(t, s.RawPath("c1"), rawStream(8000))
				asterisk, err := os.OpenFile(s.RawPath("c1"), os.O_WRONLY|os.O_APPEND, 0)
				if err != nil {
					t.Fatal(err)
				}
				defer asterisk.Close()
				if tt.closes > 0 {
					go func() {
						time.Sleep(tt.closes)
						if _, err := asterisk.Write(rawStream(8000)); err != nil { // its last buffer
							t.Error(err)
						}
						asterisk.Close()
					}()
				}
				began := time.Now()
				r, err := s.Finish(context.Background(), Meta{CallID: "c1", At: arrived})
				if !errors.Is(err, tt.want) {
					t.Errorf("Finish gives %v, want %v", err, tt.want)
				}
				if tt.want == nil && r.Duration != 2*time.Second {
					t.Errorf("%v were kept: the last buffer is missing", r.Duration)
				}
				if tt.want != nil && (exists(s.Path("c1", arrived)) || !exists(s.RawPath("c1")) || time.Since(began) != closeWait) {
					t.Errorf("after %v the raw file must be left as it is", time.Since(began))
				}
			})
		})
	}
}

func TestQuietFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := writeFile(t, filepath.Join(t.TempDir(), "c1.raw"), []byte("1234"))
		var q quiet
		if q.long(path) {
			t.Error("a file is quiet at the first look")
		}
		time.Sleep(bufferTime)
		writeFile(t, path, []byte("12345678"))
		if q.long(path) {
			t.Error("a file that has just grown is quiet")
		}
		time.Sleep(bufferTime)
		if q.long(path) {
			t.Errorf("a file is quiet after exactly %v", bufferTime)
		}
		time.Sleep(time.Millisecond)
		if !q.long(path) {
			t.Errorf("a file that has not grown for longer than %v is not quiet", bufferTime)
		}
	})
}

func TestSweep(t *testing.T) {
	s := newStore(t)
	start := func(id string) string {
		t.Helper()
		raw, err := s.Start(id, arrived)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	old := func(path string, content []byte) string {
		writeFile(t, path, content)
		age(t, path, 2*sweepAge)
		return path
	}
	old(start("left"), rawStream(8000))
	old(start("torn"), rawStream(8000)[:31999])
	old(start("empty"), nil)
	start("never")
	age(t, s.notesPath("never"), 2*sweepAge)
	writeFile(t, start("young"), rawStream(8000))
	asterisk, err := os.OpenFile(old(start("open"), rawStream(8000)), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer asterisk.Close()
	old(s.RawPath("noteless"), rawStream(8000))
	old(s.RawPath("garbled"), rawStream(8000))
	old(s.notesPath("garbled"), []byte("{"))
	old(filepath.Join(s.rawDir, "stranger.txt"), []byte("not ours"))
	old(s.RawPath("a strange name"), []byte("not ours"))

	swept, err := s.Sweep(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]Swept{}
	for _, one := range swept {
		got[one.CallID] = one
	}
	today := time.Now().Add(-2 * sweepAge)
	kept := map[string]struct {
		at       time.Time
		duration time.Duration
		note     string
	}{
		"left":     {arrived, time.Second, "longer than the clock"}, // its notes are young, its raw file was made to look old
		"torn":     {arrived, 7999 * time.Second / 8000, "torn sample"},
		"noteless": {today, time.Second, "completeness unknown"},
		"garbled":  {today, time.Second, "completeness unknown"},
	}
	for id, want := range kept {
		one := got[id]
		if one.Err != nil || one.Result.Path != s.Path(id, want.at) || one.Result.Duration != want.duration || one.Result.Complete() {
			t.Errorf("%s: %+v, want it kept at %s with %v", id, one, s.Path(id, want.at), want.duration)
		}
		if exists(s.RawPath(id)) || exists(s.notesPath(id)) || !exists(s.Path(id, want.at)) {
			t.Errorf("%s: the raw file must have given way to the WAV file", id)
		}
	}
	if !strings.Contains(got["torn"].Result.Note, kept["torn"].note) || got["noteless"].Result.Note != kept["noteless"].note {
		t.Errorf("the notes are %q and %q", got["torn"].Result.Note, got["noteless"].Result.Note)
	}
	for id, want := range map[string]error{"empty": ErrEmpty, "never": ErrMissing} {
		if !errors.Is(got[id].Err, want) || exists(s.RawPath(id)) || exists(s.notesPath(id)) {
			t.Errorf("%s: %v, want %v and nothing left", id, got[id].Err, want)
		}
	}
	if len(swept) != len(kept)+2 {
		t.Errorf("%d recordings were swept, want %d: %+v", len(swept), len(kept)+2, swept)
	}
	for _, path := range []string{s.RawPath("young"), s.RawPath("open"), s.notesPath("open"), filepath.Join(s.rawDir, "stranger.txt"), s.RawPath("a strange name")} {
		if !exists(path) {
			t.Errorf("the sweep removed %s", path)
		}
	}
	if again, err := s.Sweep(context.Background()); err != nil || len(again) != 0 {
		t.Errorf("a second sweep finds %+v (%v)", again, err)
	}
}

// TestFinishersAndSweepersTogether: the recovered call's script and a sweep may come to the same recording.
func TestFinishersAndSweepersTogether(t *testing.T) {
	s := newStore(t)
	raw, err := s.Start("c1", arrived)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, raw, rawStream(80000))
	age(t, raw, 2*sweepAge)
	var all sync.WaitGroup
	for i := range 10 {
		all.Go(func() {
			if i%2 == 0 {
				if _, err := s.Sweep(context.Background()); err != nil {
					t.Errorf("sweep: %v", err)
				}
				return
			}
			r, err := s.Finish(context.Background(), Meta{CallID: "c1", At: arrived})
			if err != nil || r.Duration != 10*time.Second {
				t.Errorf("finish: %+v, %v", r, err)
			}
		})
	}
	all.Wait()
	if _, channels := readWAV(t, s.Path("c1", arrived)); len(channels[0]) != 80000 {
		t.Errorf("%d samples, want 80000", len(channels[0]))
	}
	if left, err := os.ReadDir(s.rawDir); err != nil || len(left) != 0 {
		t.Errorf("the folder of raw files still holds %v (%v)", left, err)
	}
}

func TestMessages(t *testing.T) {
	samples := bytes.Repeat([]byte{1, 2, 3, 4}, 4000) // one second at 8 kHz, one channel
	mono := shape{channels: 1, rate: 8000}
	junk := []byte("LIST\x05\x00\x00\x00abcde\x00")
	plain := mono.header(int64(len(samples)))
	tests := []struct {
		name    string
		content []byte
		want    error // nil: the samples are kept
	}{
		{"plain", append(plain[:44:44], samples...), nil},
		{"sizes never filled in", append(mono.header(0), samples...), nil},
		{"sizes of a stream", append(append(plain[:40:40], 0xff, 0xff, 0xff, 0xff), samples...), nil},
		{"chunk before the samples", append(append(append(plain[:36:36], junk...), plain[36:]...), samples...), nil},
		{"chunk after the samples", append(append(plain[:44:44], samples...), junk...), nil},
		{"half a sample too much", append(append(mono.header(0), samples...), 9), nil},
		{"no samples", mono.header(0), ErrEmpty},
		{"text", []byte("a text that is longer than a header of forty-four bytes"), errNotWAV},
		{"A-law", func() []byte { h := mono.header(0); h[20] = 6; return append(h, samples...) }(), errNotWAV},
		{"nothing", nil, errNotWAV},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newStore(t)
			src := writeFile(t, filepath.Join(t.TempDir(), "spool", "c1-message.wav"), tt.content)
			r, err := s.KeepMessage(context.Background(), src, "c1")
			if !errors.Is(err, tt.want) {
				t.Fatalf("the error is %v, want %v", err, tt.want)
			}
			if tt.want != nil {
				if !exists(src) || exists(s.MessagePath("c1")) {
					t.Error("a message that cannot be kept must stay where it is")
				}
				return
			}
			if r.Path != s.MessagePath("c1") || r.Duration != time.Second || r.Bytes != 44+int64(len(samples)) || exists(src) {
				t.Errorf("the result is %+v, the source still exists: %v", r, exists(src))
			}
			if head, channels := readWAV(t, r.Path); head.Channels != 1 || len(channels[0]) != 8000 || channels[0][1] != 0x0403 {
				t.Errorf("the message has the header %+v and %d samples", head, len(channels[0]))
			}
			// A process that died after it had moved the file and before it could tell is followed by one that asks again.
			if again, err := s.KeepMessage(context.Background(), src, "c1"); err != nil || again.Path != r.Path || again.Duration != r.Duration {
				t.Errorf("kept a second time it is %+v, %v, want the same again", again, err)
			}
		})
	}
	t.Run("missing", func(t *testing.T) {
		if _, err := newStore(t).KeepMessage(context.Background(), "/nonexistent/c1.wav", "c1"); !errors.Is(err, ErrMissing) {
			t.Errorf("the error is %v, want ErrMissing", err)
		}
	})
}

// Whether Asterisk records is whether it has the file open.
func TestWhetherACallIsBeingRecorded(t *testing.T) {
	s := newStore(t)
	running := func() bool {
		t.Helper()
		is, err := s.Running("c1")
		if err != nil {
			t.Fatal(err)
		}
		return is
	}
	if running() {
		t.Error("a call without a raw file is said to be recorded")
	}
	writeFile(t, s.RawPath("c1"), rawStream(800))
	asterisk, err := os.OpenFile(s.RawPath("c1"), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	age(t, s.RawPath("c1"), time.Minute) // its disk is full, say
	if !running() {
		t.Error("a call whose file Asterisk has open is said not to be recorded")
	}
	if err := asterisk.Close(); err != nil {
		t.Fatal(err)
	}
	if running() {
		t.Error("a call whose file is closed is said to be recorded")
	}
}
