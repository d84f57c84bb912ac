package recordings

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestFinishSeparatesSaidAndHeard(t *testing.T) {
	dir := t.TempDir()
	raw := writeFile(t, filepath.Join(dir, "c1.raw"), rawStream(20000))
	dst := filepath.Join(dir, "2026", "02", "17", "c1.wav")
	began := time.Now()
	r, err := Finish(context.Background(), raw, dst, Meta{CallID: "c1", Began: began, Ended: began.Add(2500 * time.Millisecond)})
	if err != nil {
		t.Fatal(err)
	}
	want := Result{Path: dst, Duration: 2500 * time.Millisecond, Bytes: 44 + 80000, Expected: 2500 * time.Millisecond, Note: "complete"}
	if r != want || !r.Complete() {
		t.Errorf("the result is %+v, want %+v", r, want)
	}
	head, channels := readWAV(t, dst)
	if head.Channels != 2 || head.Rate != 8000 {
		t.Fatalf("the file has %d channels at %d samples a second", head.Channels, head.Rate)
	}
	for k := range 20000 {
		if said, heard := channels[0][k], channels[1][k]; said != int16(k) || heard != int16(-k-1) {
			t.Fatalf("sample %d: left is %d, right is %d; want what the caller said, %d, and heard, %d", k, said, heard, k, -k-1)
		}
	}
	if !exists(raw) {
		t.Error("Finish removed the raw file, which is its caller's to remove")
	}
}

func TestCompleteness(t *testing.T) {
	tests := []struct {
		expected, recorded time.Duration
		gap                time.Duration
		note               string
	}{
		{10 * time.Second, 10 * time.Second, 0, "complete"},
		{10 * time.Second, 9900 * time.Millisecond, 0, "complete"},
		{10 * time.Second, 10100 * time.Millisecond, 0, "complete"},
		{10 * time.Second, 9899 * time.Millisecond, 101 * time.Millisecond, "gap of 101 ms"},
		{17300 * time.Millisecond, 14300 * time.Millisecond, 3 * time.Second, "gap of 3000 ms"},
		{10 * time.Second, 10340 * time.Millisecond, -340 * time.Millisecond, "340 ms longer than the clock"},
		{0, 10 * time.Second, 0, "completeness unknown"},
		{-time.Second, 10 * time.Second, 0, "completeness unknown"},
	}
	for _, tt := range tests {
		if gap, note := completeness(tt.expected, tt.recorded); gap != tt.gap || note != tt.note {
			t.Errorf("expected %v, recorded %v: gap %v, %q; want %v, %q", tt.expected, tt.recorded, gap, note, tt.gap, tt.note)
		}
	}
}

func TestFinishNamesWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	tests := []struct {
		name string
		raw  string
		want error
	}{
		{"missing", filepath.Join(dir, "absent.raw"), ErrMissing},
		{"empty", writeFile(t, filepath.Join(dir, "empty.raw"), nil), ErrEmpty},
		{"one byte", writeFile(t, filepath.Join(dir, "byte.raw"), []byte{1}), ErrTorn},
		{"half a pair", writeFile(t, filepath.Join(dir, "half.raw"), rawStream(9)[:34]), ErrTorn},
		{"odd length", writeFile(t, filepath.Join(dir, "odd.raw"), rawStream(9)[:33]), ErrTorn},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dst := filepath.Join(dir, tt.name, "c.wav")
			_, err := Finish(context.Background(), tt.raw, dst, Meta{CallID: "c-7"})
			if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), "c-7") {
				t.Errorf("the error is %v, want %v with the call's ID", err, tt.want)
			}
			if exists(dst) {
				t.Error("there is a file nevertheless")
			}
		})
	}
}

func TestSalvageCutsTheTornEnd(t *testing.T) {
	dir := t.TempDir()
	raw := writeFile(t, filepath.Join(dir, "c1.raw"), rawStream(101)[:403])
	r, err := Finish(context.Background(), raw, filepath.Join(dir, "c1.wav"), Meta{CallID: "c1", Salvage: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, channels := readWAV(t, r.Path); len(channels[0]) != 100 || len(channels[1]) != 100 {
		t.Errorf("%d and %d samples were salvaged, want 100 each", len(channels[0]), len(channels[1]))
	}
	if r.Complete() || !strings.Contains(r.Note, "torn sample of 3 bytes") {
		t.Errorf("the note is %q, want the torn end named", r.Note)
	}
}

func TestFinishTwiceIsHarmlessAndNeverOverwrites(t *testing.T) {
	dir := t.TempDir()
	dst := filepath.Join(dir, "c1.wav")
	raw := writeFile(t, filepath.Join(dir, "c1.raw"), rawStream(50000))
	for range 2 {
		if _, err := Finish(context.Background(), raw, dst, Meta{CallID: "c1"}); err != nil {
			t.Fatal(err)
		}
	}
	before, err := os.ReadFile(dst)
	if err != nil {
		t.Fatal(err)
	}
	for _, other := range [][]byte{rawStream(49999), rawStream(50001), append(rawStream(49999), 0, 0, 0, 0)} {
		writeFile(t, raw, other)
		if _, err := Finish(context.Background(), raw, dst, Meta{CallID: "c1"}); !errors.Is(err, ErrExists) {
			t.Errorf("another recording of the same name gives %v, want ErrExists", err)
		}
	}
	if after, err := os.ReadFile(dst); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the first recording was changed (%v)", err)
	}
	if exists(dst + ".part") {
		t.Error("the part file was left behind")
	}
}

func TestFinishAfterACrashInItsMiddle(t *testing.T) {
	dir := t.TempDir()
	dst := filepath.Join(dir, "c1.wav")
	writeFile(t, dst+".part", bytes.Repeat([]byte("left by a process that was killed"), 10000))
	raw := writeFile(t, filepath.Join(dir, "c1.raw"), rawStream(500))
	if _, err := Finish(context.Background(), raw, dst, Meta{CallID: "c1"}); err != nil {
		t.Fatal(err)
	}
	if _, channels := readWAV(t, dst); len(channels[0]) != 500 {
		t.Errorf("%d samples, want 500", len(channels[0]))
	}
}

func TestFinishEndsWithItsContext(t *testing.T) {
	dir := t.TempDir()
	why := errors.New("shutting down")
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(why)
	raw := writeFile(t, filepath.Join(dir, "c1.raw"), rawStream(500))
	if _, err := Finish(ctx, raw, filepath.Join(dir, "c1.wav"), Meta{CallID: "c1"}); !errors.Is(err, why) {
		t.Errorf("the error is %v, want the context's cause", err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "c1.wav*")); err != nil || len(left) != 0 {
		t.Errorf("%v was left behind (%v)", left, err)
	}
}

func TestGrowingRawIsNotFinished(t *testing.T) {
	dir := t.TempDir()
	path := writeFile(t, filepath.Join(dir, "c1.raw"), rawStream(500))
	in, err := openSource(path)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	writeFile(t, path, rawStream(660))
	dst := filepath.Join(dir, "c1.wav")
	if err := keep(context.Background(), dst, callShape, in, in.size); !errors.Is(err, ErrStillWritten) {
		t.Errorf("a file that grew while it was copied gives %v, want ErrStillWritten", err)
	}
	if left, err := filepath.Glob(dst + "*"); err != nil || len(left) != 0 {
		t.Errorf("%v was left behind (%v)", left, err)
	}
}

// TestFinishOfAnySize draws lengths, also torn ones, and compares every figure with the bytes.
func TestFinishOfAnySize(t *testing.T) {
	dir := t.TempDir()
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		size := rapid.OneOf(rapid.IntRange(0, 50), rapid.IntRange(0, 200000)).Draw(t, "bytes")
		content := slices.Repeat([]byte{byte(n), byte(n >> 8), 3, 4, 5, 6, 7}, size/7+1)[:size]
		raw := filepath.Join(dir, fmt.Sprint(n, ".raw"))
		if err := os.WriteFile(raw, content, 0o640); err != nil {
			t.Fatal(err)
		}
		r, err := Finish(context.Background(), raw, filepath.Join(dir, fmt.Sprint(n, ".wav")), Meta{CallID: "c", Salvage: true})
		whole := size - size%4
		if whole == 0 {
			if !errors.Is(err, ErrEmpty) {
				t.Fatalf("%d bytes give %v, want ErrEmpty", size, err)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		file, err := os.ReadFile(r.Path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(file[44:], content[:whole]) || r.Bytes != int64(len(file)) || r.Duration != time.Duration(whole/4)*125*time.Microsecond {
			t.Fatalf("%d bytes became a file of %d; the result says %+v", size, len(file), r)
		}
		if head, _ := readWAV(t, r.Path); int(head.DataSize) != whole {
			t.Fatalf("the header says %d bytes of samples, there are %d", head.DataSize, whole)
		}
	})
}

func TestFullDiskIsTypedAndHarmless(t *testing.T) {
	dir := t.TempDir()
	raw := writeFile(t, filepath.Join(dir, "c1.raw"), rawStream(500))
	dst := filepath.Join(dir, "c1.wav")
	if err := os.Symlink("/dev/full", dst+".part"); err != nil { // every write to it finds the disk full
		t.Fatal(err)
	}
	if _, err := Finish(context.Background(), raw, dst, Meta{CallID: "c1"}); !errors.Is(err, ErrDiskFull) {
		t.Errorf("a full disk gives %v, want ErrDiskFull", err)
	}
	if exists(dst) || exists(dst+".part") || !exists(raw) {
		t.Error("after a full disk there must be the raw file alone")
	}
	if _, err := Finish(context.Background(), raw, dst, Meta{CallID: "c1"}); err != nil {
		t.Errorf("with room again: %v", err)
	}
}

func TestRealFullDisk(t *testing.T) {
	full, makeRoom, ok := smallDisk(t)
	if !ok {
		t.Log("this user cannot mount a small file system; /dev/full has stood in for it in TestFullDiskIsTypedAndHarmless")
		return
	}
	dir := t.TempDir()
	s, err := Open(Options{Dir: filepath.Join(dir, "kept"), RawDir: filepath.Join(dir, "raw"), Location: shanghai})
	if err != nil {
		t.Fatal(err)
	}
	s.dir = full
	if _, err := s.Start("c1", arrived); err != nil {
		t.Fatal(err)
	}
	writeFile(t, s.RawPath("c1"), rawStream(8000))
	if _, err := s.Finish(context.Background(), Meta{CallID: "c1"}); !errors.Is(err, ErrDiskFull) {
		t.Errorf("a full disk gives %v, want ErrDiskFull", err)
	}
	if wavs, err := filepath.Glob(filepath.Join(full, "2026", "02", "17", "*")); err != nil || len(wavs) != 0 {
		t.Errorf("on the full disk there is %v (%v)", wavs, err)
	}
	s.rawDir, s.dir = full, filepath.Join(dir, "kept")
	if _, err := s.Start("c2", arrived); !errors.Is(err, ErrDiskFull) {
		t.Errorf("starting on a full disk gives %v, want ErrDiskFull", err)
	}
	s.rawDir, s.dir = filepath.Join(dir, "raw"), full
	makeRoom()
	r, err := s.Finish(context.Background(), Meta{CallID: "c1"})
	if err != nil || r.Duration != time.Second {
		t.Errorf("with room again: %+v, %v", r, err)
	}
}

// FuzzReadHeader reads WAV files as they may come from anywhere: an error is fine, a panic or an endless loop is not,
// and a header of ours must be read as it was made.
func FuzzReadHeader(f *testing.F) {
	f.Add(callShape.header(8000))
	f.Add(shape{1, 16000}.header(0))
	f.Add([]byte("RIFF\x00\x00\x00\x00WAVELIST\xff\xff\xff\xff"))
	f.Add(append(callShape.header(4)[:36], "LIST\x03\x00\x00\x00abc\x00data\x04\x00\x00\x00"...))
	f.Fuzz(func(t *testing.T, content []byte) {
		s, promised, err := readHeader(bytes.NewReader(content))
		if err != nil {
			return
		}
		if s.channels < 1 || s.channels > 2 || s.rate < 1 || promised < 0 {
			t.Fatalf("accepted %+v with %d bytes", s, promised)
		}
		again, size, err := readHeader(io.MultiReader(bytes.NewReader(s.header(promised))))
		if err != nil || again != s || size != promised {
			t.Errorf("our own header of %+v with %d bytes is read as %+v with %d (%v)", s, promised, again, size, err)
		}
	})
}

func BenchmarkFinishTenMinutes(b *testing.B) {
	dir := b.TempDir()
	raw := filepath.Join(dir, "c.raw")
	if err := os.WriteFile(raw, rawStream(10*60*8000), 0o640); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(10 * 60 * 8000 * 4)
	for b.Loop() {
		dst := filepath.Join(dir, "c.wav")
		if _, err := Finish(context.Background(), raw, dst, Meta{CallID: "c"}); err != nil {
			b.Fatal(err)
		}
		if err := os.Remove(dst); err != nil {
			b.Fatal(err)
		}
	}
}
