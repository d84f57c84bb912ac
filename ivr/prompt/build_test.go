package prompt

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// toneVoice renders every prompt as a tone and remembers what it was asked.
type toneVoice struct {
	mu         sync.Mutex
	rendered   []string
	running    int
	most       int
	setting    string
	fail       map[string]error
	pcm        func(p Prompt) []int16 // nil: a tone
	keyFailure error
	hold       chan struct{} // when set, renderings wait for it
}

func (v *toneVoice) Key(Prompt) (string, error) { return v.setting, v.keyFailure }

func (v *toneVoice) Render(ctx context.Context, p Prompt) ([]int16, string, error) {
	v.mu.Lock()
	v.rendered = append(v.rendered, p.ID)
	v.running++
	v.most = max(v.most, v.running)
	v.mu.Unlock()
	defer func() {
		v.mu.Lock()
		v.running--
		v.mu.Unlock()
	}()
	if v.hold != nil {
		select {
		case <-v.hold:
		case <-ctx.Done():
			return nil, "", context.Cause(ctx)
		}
	}
	if err := v.fail[p.ID]; err != nil {
		return nil, "", err
	}
	if v.pcm != nil {
		return v.pcm(p), Placeholder, nil
	}
	if p.Length > 0 {
		return toPCM(sine(440, workRate, p.Length.Seconds(), 0.1)), Composed, nil
	}
	return toPCM(sine(500+float64(len(p.Text)), workRate, 0.333, 0.7)), Placeholder, nil
}

// asked is what was rendered since the last look, without the generated prompts.
func (v *toneVoice) asked() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	ids := slices.DeleteFunc(v.rendered, isGenerated)
	v.rendered = nil
	slices.Sort(ids)
	return ids
}

func small(prompts ...Prompt) *Catalogue {
	c := &Catalogue{Language: "en", Voice: "en", Speed: 160, byID: map[string]int{}}
	for _, p := range prompts {
		c.byID[p.ID] = len(c.Prompts)
		c.Prompts = append(c.Prompts, p)
	}
	return c
}

// few generated prompts are enough where they are not what is tested.
var few = []Prompt{{ID: HoldTone(2), Length: 2 * time.Second}, {ID: Beep, Length: beepLength}, {ID: Pause(20), Length: Frame}}

func build(t *testing.T, o BuildOptions) Report {
	t.Helper()
	r, err := Build(t.Context(), o)
	if err != nil {
		t.Fatalf("Build: %v", err)
	}
	return r
}

func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files[e.Name()] = string(data)
	}
	return files
}

func TestBuildIsTheSameEveryTime(t *testing.T) {
	c := small(Prompt{ID: "a", Text: "Hello"}, Prompt{ID: "b.c", Text: "Goodbye"})
	one, two := t.TempDir(), t.TempDir()
	build(t, BuildOptions{Catalogue: c, OutDir: one, Voice: &toneVoice{}, generated: few})
	build(t, BuildOptions{Catalogue: c, OutDir: two, Voice: &toneVoice{}, generated: few})
	first, second := contents(t, one), contents(t, two)
	if want := 3*(len(few)+2) + 1; len(first) != want {
		t.Errorf("%d files, want %d: three formats of every prompt and the index", len(first), want)
	}
	for name := range first {
		if first[name] != second[name] {
			t.Errorf("%s differs between two builds of the same catalogue", name)
		}
	}
}

func TestBuildRendersOnlyWhatChanged(t *testing.T) {
	v, dir := &toneVoice{}, t.TempDir()
	c := small(Prompt{ID: "a", Text: "Hello"}, Prompt{ID: "b", Text: "Goodbye"}, Prompt{ID: "c", Text: "Thanks"})
	again := func(what string, want ...string) Report {
		t.Helper()
		r := build(t, BuildOptions{Catalogue: c, OutDir: dir, Voice: v, generated: few})
		if got := v.asked(); !slices.Equal(got, want) {
			t.Errorf("%s: rendered %v, want %v", what, got, want)
		}
		l, err := OpenLibrary(dir)
		if err != nil {
			t.Fatal(err)
		}
		if missing := l.Missing(c.IDs()...); missing != nil {
			t.Errorf("%s: %v is missing after a build", what, missing)
		}
		return r
	}
	again("first build", "a", "b", "c")
	again("nothing changed")
	c.Prompts[1].Text = "See you"
	again("text changed", "b")
	c.Prompts[0].Say = "Hullo"
	again("spelling changed", "a")
	if err := os.Truncate(filepath.Join(dir, "c.ulaw"), 100); err != nil {
		t.Fatal(err)
	}
	again("a file was cut off", "c")
	if err := os.Remove(filepath.Join(dir, "a.sln16")); err != nil {
		t.Fatal(err)
	}
	again("a file was deleted", "a")
	v.setting = "another voice"
	again("the voice changed", "a", "b", "c")
	if err := os.WriteFile(filepath.Join(dir, indexName), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	again("the index was damaged", "a", "b", "c")
	*c = *small(c.Prompts[:2]...)
	if r := again("a prompt is gone"); !slices.Equal(r.Removed, []string{"c"}) {
		t.Errorf("removed %v, want c", r.Removed)
	}
	for name := range contents(t, dir) {
		if strings.HasPrefix(name, "c.") || strings.HasPrefix(name, ".new") {
			t.Errorf("%s is still there", name)
		}
	}
	c.Language = "zh-CN"
	again("another language", "a", "b")
}

func TestBuildFaults(t *testing.T) {
	fault := errors.New("no voice today")
	c := small(Prompt{ID: "a", Text: "Hello"}, Prompt{ID: "b", Text: "Goodbye"})
	cases := map[string]struct {
		voice *toneVoice
		want  string
	}{
		"rendering fails":  {&toneVoice{fail: map[string]error{"b": fault}}, "no voice today"},
		"silent":           {&toneVoice{pcm: func(p Prompt) []int16 { return make([]int16, 16000) }}, "prompt b: its placeholder audio is silent"},
		"empty":            {&toneVoice{pcm: func(p Prompt) []int16 { return nil }}, "prompt b: its placeholder audio is silent"},
		"wrong length":     {&toneVoice{pcm: func(p Prompt) []int16 { return toPCM(sine(440, workRate, 1, 0.1)) }}, "prompt hold.tone.2: rendered 16000 samples, want exactly 2s"},
		"everyone's fault": {&toneVoice{keyFailure: fault}, "no voice today"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			r, err := Build(t.Context(), BuildOptions{Catalogue: c, OutDir: dir, Voice: tc.voice, generated: few})
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("Build: %v, want an error with %q", err, tc.want)
			}
			if n := strings.Count(err.Error(), fault.Error()); n > 1 {
				t.Errorf("the same reason is reported %d times:\n%v", n, err)
			}
			if len(r.Problems()) == 0 {
				t.Error("the report has no problem")
			}
		})
	}
	t.Run("others are built all the same, and kept", func(t *testing.T) {
		v, dir := &toneVoice{fail: map[string]error{"b": fault}}, t.TempDir()
		_, err := Build(t.Context(), BuildOptions{Catalogue: c, OutDir: dir, Voice: v, generated: few})
		if !errors.Is(err, fault) {
			t.Errorf("Build: %v, want the renderer's error in it", err)
		}
		l, err := OpenLibrary(dir)
		if err != nil {
			t.Fatal(err)
		}
		if missing := l.Missing("a", "b", "x", "b"); !slices.Equal(missing, []string{"b", "x"}) {
			t.Errorf("missing %v, want b and x, once each", missing)
		}
		v.asked()
		v.fail = nil
		build(t, BuildOptions{Catalogue: c, OutDir: dir, Voice: v, generated: few})
		if got := v.asked(); !slices.Equal(got, []string{"b"}) {
			t.Errorf("the next build rendered %v, want b alone", got)
		}
	})
	t.Run("no place for the audio", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Build(t.Context(), BuildOptions{Catalogue: c, OutDir: filepath.Join(file, "x"), Voice: &toneVoice{}}); err == nil {
			t.Error("Build wrote into a file")
		}
		if _, err := Build(t.Context(), BuildOptions{}); err == nil {
			t.Error("Build accepts no options")
		}
	})
}

func TestBuildIsBoundedAndStops(t *testing.T) {
	v := &toneVoice{hold: make(chan struct{})}
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("the operator pressed Ctrl-C")
	done := make(chan error, 1)
	go func() {
		_, err := Build(ctx, BuildOptions{Catalogue: small(Prompt{ID: "a", Text: "Hello"}), OutDir: t.TempDir(), Voice: v})
		done <- err
	}()
	for {
		v.mu.Lock()
		running := v.running
		v.mu.Unlock()
		if running == runtime.NumCPU() {
			break
		}
		runtime.Gosched()
	}
	cancel(stop)
	if err := <-done; !errors.Is(err, stop) {
		t.Errorf("a cancelled Build returns %v, want the cause", err)
	}
	if v.most > runtime.NumCPU() {
		t.Errorf("%d renderings at once on %d processors", v.most, runtime.NumCPU())
	}
}

func TestCheck(t *testing.T) {
	dir := t.TempDir()
	c := small(Prompt{ID: "a", Text: "Hello"}, Prompt{ID: "b", Text: "Goodbye"}, Prompt{ID: "gone", Text: "Old"})
	build(t, BuildOptions{Catalogue: c, OutDir: dir, Voice: &toneVoice{}, generated: few})
	l, err := OpenLibrary(dir)
	if err != nil {
		t.Fatal(err)
	}
	now := small(Prompt{ID: "a", Text: "Hello"}, Prompt{ID: "b", Text: "See you"}, Prompt{ID: "new", Text: "New"})
	loud := l.index.Prompts["a"]
	loud.Loudness = -17
	l.index.Prompts["a"] = loud
	r := Check(l, now)
	got := map[string]Status{}
	for _, line := range r.Lines {
		got[line.ID] = line.Status
	}
	for id, want := range map[string]Status{"a": Loudness, "b": Stale, "new": Missing, "gone": Unknown, "number.7": Missing, Beep: OK, HoldTone(2): OK, HoldTone(30): Missing} {
		if got[id] != want {
			t.Errorf("%s is %q, want %q", id, got[id], want)
		}
	}
	if !slices.Equal(r.Placeholders(), []string{"a", "b", "gone"}) {
		t.Errorf("placeholders are %v", r.Placeholders())
	}
	text := r.String()
	for _, want := range []string{"a ", "placeholder", "0.34", "-17.0", "loudness  want -20 ± 1 dBFS", "missing  build the prompts", "1 stale", "1 unknown", "hold.tone.30 "} {
		if !strings.Contains(text, want) {
			t.Errorf("the printed report lacks %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "hold.tone.2 ") {
		t.Error("the printed report lists generated prompts that are right")
	}
	now.Language = "zh-CN"
	if r := Check(l, now); !slices.ContainsFunc(r.Problems(), func(p Line) bool { return p.ID == "a" && p.Status == Stale }) {
		t.Error("audio of another language is not called stale")
	}
}

func TestOpenLibraryFaults(t *testing.T) {
	dir := t.TempDir()
	if _, err := OpenLibrary(dir); err == nil || !strings.Contains(err.Error(), "hotline prompts build") || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an empty folder: %v, want an error that says how to build", err)
	}
	for text, want := range map[string]string{"{": "is damaged", `{"format":999}`: "has format 999"} {
		if err := os.WriteFile(filepath.Join(dir, indexName), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenLibrary(dir); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("index %s: %v, want %q", text, err, want)
		}
	}
}

func TestRecordings(t *testing.T) {
	wavs, dir := t.TempDir(), t.TempDir()
	stereo := make([][]float64, 0, 44100)
	for i, s := range sine(700, 44100, 1, 0.01) { // 34 dB too quiet
		stereo = append(stereo, []float64{s, s * float64(i%2)})
	}
	put := func(name string, data []byte) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(filepath.Join(wavs, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(wavs, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("main/a.wav", wav(wavPCM, 2, 24, 44100, stereo))
	c := small(Prompt{ID: "a", Text: "Hello", Wav: "main/a.wav"})
	o := BuildOptions{Catalogue: c, WavDir: wavs, OutDir: dir, generated: few}
	line := func(r Report) Line {
		i := slices.IndexFunc(r.Lines, func(l Line) bool { return l.ID == "a" })
		return r.Lines[i]
	}
	if l := line(build(t, o)); l.Source != Recorded || l.Duration != time.Second || math.Abs(l.Loudness-targetLoudness) > loudnessSlack || l.Status != Built {
		t.Errorf("the recording became %+v, want one second at -20 dBFS", l)
	}
	if l := line(build(t, o)); l.Status != Kept {
		t.Errorf("an unchanged recording is %s", l.Status)
	}
	put("main/a.wav", wav(wavPCM, 1, 16, 8000, [][]float64{{0.5}, {-0.5}, {0.5}, {-0.5}}))
	if l := line(build(t, o)); l.Status != Built || l.Duration != Frame {
		t.Errorf("a recording made anew became %+v, want it built and padded to 20 ms", l)
	}
	put("main/a.wav", []byte("ID3"))
	if _, err := Build(t.Context(), o); err == nil || !strings.Contains(err.Error(), "prompt a: its recording "+filepath.Join(wavs, "main/a.wav")+": not a RIFF WAVE file") {
		t.Errorf("an MP3: %v", err)
	}
	put("main/a.wav", wav(wavPCM, 1, 16, 8000, make8(800)))
	if _, err := Build(t.Context(), o); err == nil || !strings.Contains(err.Error(), "prompt a: its recorded audio is silent") {
		t.Errorf("a silent recording: %v", err)
	}
	c.Prompts[0].Wav = "main/absent.wav"
	_, err := Build(t.Context(), o)
	if err == nil || !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "prompt a: its recording "+filepath.Join(wavs, "main/absent.wav")+" does not exist") {
		t.Errorf("an absent recording: %v, want an error that names prompt and file", err)
	}
}

func make8(n int) [][]float64 {
	frames := make([][]float64, n)
	for i := range frames {
		frames[i] = []float64{0}
	}
	return frames
}

// A placeholder needs espeak-ng; without it every prompt fails for one reason, said once.
func TestMissingEspeakIsSaidOnce(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := Build(t.Context(), BuildOptions{Catalogue: small(Prompt{ID: "a", Text: "x"}, Prompt{ID: "b", Text: "y"}), OutDir: t.TempDir(), generated: few})
	if err == nil || strings.Count(err.Error(), "apt-get install espeak-ng") != 1 {
		t.Errorf("Build without espeak-ng: %v, want one line that says what to install", err)
	}
}

// measured reads a file back and measures it independently of the index.
func measured(t *testing.T, dir, id, format string) (samples []float64, rate int) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, id+"."+format))
	if err != nil {
		t.Fatal(err)
	}
	if format == "sln16" {
		pcm := make([]int16, len(data)/2)
		for i := range pcm {
			pcm[i] = int16(binary.LittleEndian.Uint16(data[2*i:]))
		}
		return fromPCM(pcm), workRate
	}
	decode := map[string]func(byte) int16{"alaw": decodeALaw, "ulaw": decodeULaw}[format]
	pcm := make([]int16, len(data))
	for i, b := range data {
		pcm[i] = decode(b)
	}
	return fromPCM(pcm), 8000
}

// The shipped catalogues with the real placeholder voice: complete, at one loudness in every format, never clipped, whole
// packets, hold tones of exact length that end in silence, and quick to build again.
func TestShippedCatalogues(t *testing.T) {
	for _, language := range []string{"zh-CN", "en"} {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			c, dir := catalogue(t, language), t.TempDir()
			if r, err := Build(t.Context(), BuildOptions{Catalogue: c, OutDir: dir}); err != nil {
				t.Fatalf("Build (is espeak-ng installed?): %v", err)
			} else if len(r.Placeholders()) != len(c.Prompts) {
				t.Errorf("%d placeholders, want all %d", len(r.Placeholders()), len(c.Prompts))
			}
			l, err := OpenLibrary(dir)
			if err != nil {
				t.Fatal(err)
			}
			if problems := Check(l, c).Problems(); len(problems) > 0 {
				t.Errorf("Check finds %+v", problems)
			}
			checkShipped(t, l, c)
			voice := NewVoice(c, "")
			began := time.Now()
			r := build(t, BuildOptions{Catalogue: c, OutDir: dir, Voice: voice})
			if took := time.Since(began); took > time.Second {
				t.Errorf("building again with nothing changed took %v, want under 1 s", took)
			}
			if kept := len(slices.DeleteFunc(r.Lines, func(l Line) bool { return l.Status != Kept })); kept != len(c.Prompts)+len(Generated()) {
				t.Errorf("%d prompts kept, want all", kept)
			}
		})
	}
}

func checkShipped(t *testing.T, l *Library, c *Catalogue) {
	t.Helper()
	for _, p := range append(Generated(), c.Prompts...) {
		d := l.Duration(p.ID)
		if d == 0 || d%Frame != 0 || p.Length > 0 && d != p.Length {
			t.Errorf("%s lasts %v, want whole packets of 20 ms and exactly %v if that is not 0", p.ID, d, p.Length)
		}
		for _, format := range Formats {
			samples, rate := measured(t, l.Dir(), p.ID, format)
			where := fmt.Sprintf("%s.%s", p.ID, format)
			if got := time.Duration(len(samples)) * time.Second / time.Duration(rate); got != d {
				t.Errorf("%s holds %v of audio, the index says %v", where, got, d)
			}
			if top := peak(samples); top > 0.95 {
				t.Errorf("%s peaks at %.3f: it clips", where, top)
			}
			switch {
			case p.Length == 0:
				if level := loudness(samples, rate); math.Abs(level-targetLoudness) > loudnessSlack {
					t.Errorf("%s is at %.2f dBFS, want -20 ± 1", where, level)
				}
			case silent(p.ID) && peak(samples) > 0.001:
				t.Errorf("%s is not silent", where)
			case strings.HasPrefix(p.ID, "hold.tone."):
				checkTone(t, where, samples, rate)
			}
		}
	}
}

func checkTone(t *testing.T, where string, samples []float64, rate int) {
	t.Helper()
	if got := rms(samples); got < -33 || got > -23 {
		t.Errorf("%s is at %.1f dBFS, want about -26", where, got)
	}
	if got := peak(samples[len(samples)-rate/100:]); got > 0.003 {
		t.Errorf("%s ends with a click: its last 10 ms peak at %.4f", where, got)
	}
	if got := peak(samples[:rate/1000]); got > 0.01 {
		t.Errorf("%s begins with a click: its first millisecond peaks at %.4f", where, got)
	}
}

func TestTheMelodyLastsThirtySeconds(t *testing.T) {
	for name, notes := range map[string][]note{"tune": tune, "bass": bass} {
		last := notes[len(notes)-1]
		if got := (last.start + last.length) * beat; got != longestTone {
			t.Errorf("the %s lasts %v s, want %d", name, got, longestTone)
		}
		for _, n := range notes {
			if !slices.Contains([]int{0, 2, 4, 7, 9}, ((n.pitch%12)+12)%12) {
				t.Errorf("the %s has pitch %d, which is not of the pentatonic scale", name, n.pitch)
			}
		}
	}
	if got := rms(melody()); math.Abs(got-toneLoudness) > 0.1 {
		t.Errorf("the melody is at %.2f dBFS, want %d", got, toneLoudness)
	}
}
