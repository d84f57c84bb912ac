package ear

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

const ms = time.Millisecond

var testIDs = func() []string {
	ids := []string{"greeting.festival.spring", "menu.main", "hold.apology", "hold.tone.1", "hold.tone.5", "pause.340", "beep"}
	for i := range 10 {
		ids = append(ids, fmt.Sprintf("digit.%d", i))
	}
	for i := range 200 {
		ids = append(ids, fmt.Sprintf("other.%03d", i))
	}
	return ids
}()

func testCode(t testing.TB) *Code {
	t.Helper()
	code, err := NewCode(testIDs)
	if err != nil {
		t.Fatal(err)
	}
	return code
}

var testVoices = map[string]int{"caller": 300, "agent": 450, "manager": 500}

// tape is audio under construction, 8 kHz.
type tape struct {
	t    testing.TB
	code *Code
	pcm  []int16
}

func newTape(t testing.TB) *tape { return &tape{t: t, code: testCode(t)} }

func (p *tape) now() time.Duration { return time.Duration(len(p.pcm)) * time.Second / 8000 }

func (p *tape) silence(d time.Duration) *tape {
	p.pcm = append(p.pcm, make([]int16, samplesIn(d, 8000))...)
	return p
}

// play appends a prompt of length d from cut-in to cut-out.
func (p *tape) play(id string, d, from, to time.Duration) *tape {
	pcm, err := p.code.Tone(id, d, 8000)
	if err != nil {
		p.t.Fatal(err)
	}
	p.pcm = append(p.pcm, pcm[samplesIn(from, 8000):samplesIn(to, 8000)]...)
	return p
}

func (p *tape) whole(id string, d time.Duration) *tape { return p.play(id, d, 0, d) }

func (p *tape) voice(hz int, from, to time.Duration) *tape {
	v, err := NewVoice(hz, 8000)
	if err != nil {
		p.t.Fatal(err)
	}
	if short := samplesIn(to, 8000) - len(p.pcm); short > 0 {
		p.pcm = append(p.pcm, make([]int16, short)...)
	}
	part := p.pcm[samplesIn(from, 8000):samplesIn(to, 8000)]
	said := make([]int16, len(part))
	v.Next(said)
	for i := range part {
		part[i] += said[i]
	}
	return p
}

// heard sends the tape through a law in packets of 20 ms, with noise.
func (p *tape) heard(law Law, noise float64) Transcript {
	d, err := NewDecoder(DecoderOptions{Code: p.code, Voices: testVoices})
	if err != nil {
		p.t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	for i := 0; i < len(p.pcm); i += 160 {
		packet := slices.Clone(p.pcm[i:min(i+160, len(p.pcm))])
		for j := range packet {
			packet[j] += int16(random.NormFloat64() * noise)
		}
		d.Write(time.Duration(i)*time.Second/8000, law.Decode(nil, law.Encode(packet)))
	}
	return d.Transcript()
}

// near compares transcripts with 15 ms of tolerance.
var near = cmp.Comparer(func(a, b time.Duration) bool { return (a - b).Abs() <= 15*ms })

func check(t *testing.T, got, want Transcript) {
	t.Helper()
	if diff := cmp.Diff(want, got, near); diff != "" {
		t.Errorf("transcript (-want +got):\n%s", diff)
	}
}

func bothLaws(t *testing.T, f func(t *testing.T, law Law)) {
	for _, law := range []Law{ALaw, MuLaw} {
		t.Run(law.String(), func(t *testing.T) { f(t, law) })
	}
}

func TestPromptsInARow(t *testing.T) {
	bothLaws(t, func(t *testing.T, law Law) {
		got := newTape(t).silence(500*ms).
			whole("greeting.festival.spring", 800*ms).
			whole("menu.main", 2000*ms).silence(1000*ms).
			whole("digit.7", 240*ms).whole("digit.7", 240*ms).whole("digit.8", 240*ms).
			silence(300*ms).heard(law, 30)
		check(t, got, Transcript{
			{500 * ms, 1300 * ms, "greeting.festival.spring", true, true},
			{1300 * ms, 3300 * ms, "menu.main", true, true},
			{4300 * ms, 4540 * ms, "digit.7", true, true},
			{4540 * ms, 4780 * ms, "digit.7", true, true},
			{4780 * ms, 5020 * ms, "digit.8", true, true},
		})
	})
}

func TestCutPrompts(t *testing.T) {
	bothLaws(t, func(t *testing.T, law Law) {
		got := newTape(t).
			play("menu.main", 2000*ms, 0, 300*ms).             // barge-in
			play("hold.apology", 800*ms, 500*ms, 800*ms).      // joined in the middle
			silence(200*ms).play("beep", 800*ms, 0, 333*ms).   // not at a packet's edge
			play("menu.main", 2000*ms, 700*ms, 1000*ms).       // neither end
			play("menu.main", 2000*ms, 0, 400*ms).silence(ms). // again, at once
			heard(law, 30)
		check(t, got, Transcript{
			{0, 300 * ms, "menu.main", true, false},
			{300 * ms, 600 * ms, "hold.apology", false, true},
			{800 * ms, 1133 * ms, "beep", true, false},
			{1133 * ms, 1433 * ms, "menu.main", false, false},
			{1433 * ms, 1833 * ms, "menu.main", true, false},
		})
	})
}

func TestVoicesBesidePrompts(t *testing.T) {
	bothLaws(t, func(t *testing.T, law Law) {
		got := newTape(t).silence(1000*ms).whole("menu.main", 2000*ms).silence(1000*ms).
			voice(300, 200*ms, 3500*ms).voice(450, 1500*ms, 2500*ms).voice(500, 2000*ms, 3000*ms).
			heard(law, 30)
		check(t, got, Transcript{
			{200 * ms, 3500 * ms, "voice.caller", false, false},
			{1000 * ms, 3000 * ms, "menu.main", true, true},
			{1500 * ms, 2500 * ms, "voice.agent", false, false},
			{2000 * ms, 3000 * ms, "voice.manager", false, false},
		})
	})
}

func TestHoldTonesAreOne(t *testing.T) {
	got := newTape(t).
		whole("hold.tone.5", 5000*ms).whole("hold.tone.1", 1000*ms).
		whole("hold.apology", 800*ms).whole("pause.340", 340*ms).
		whole("hold.tone.1", 1000*ms).silence(980*ms).whole("hold.tone.1", 1000*ms).
		silence(1100*ms).whole("hold.tone.1", 1000*ms).silence(ms).heard(ALaw, 0)
	check(t, got, Transcript{
		{0, 6000 * ms, "hold.tone", true, true},
		{6000 * ms, 6800 * ms, "hold.apology", true, true},
		{7140 * ms, 10120 * ms, "hold.tone", true, true},
		{11220 * ms, 12220 * ms, "hold.tone", true, true},
	})
}

func TestTwoPromptsAtOnceAreUnknown(t *testing.T) {
	p := newTape(t).whole("menu.main", 2000*ms).silence(200 * ms)
	over, err := p.code.Tone("hold.apology", 800*ms, 8000)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range over {
		p.pcm[4000+i] += s
	}
	check(t, p.heard(ALaw, 0), Transcript{
		{0, 500 * ms, "menu.main", true, false},
		{500 * ms, 1300 * ms, Unknown, false, false},
		{1300 * ms, 2000 * ms, "menu.main", false, true},
	})
}

func TestLostPacketsDoNotSplitAPrompt(t *testing.T) {
	p := newTape(t).whole("menu.main", 2000*ms).silence(200 * ms)
	clear(p.pcm[8000 : 8000+3*160])
	check(t, p.heard(MuLaw, 0), Transcript{{0, 2000 * ms, "menu.main", true, true}})
}

func TestArrivalTimes(t *testing.T) {
	code := testCode(t)
	d, err := NewDecoder(DecoderOptions{Code: code})
	if err != nil {
		t.Fatal(err)
	}
	send := func(id string, length, at time.Duration, jitter func(packet int) time.Duration) {
		pcm, err := code.Tone(id, length, 8000)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i*160 < len(pcm); i++ {
			d.Write(at+time.Duration(i)*20*ms+jitter(i), pcm[i*160:(i+1)*160])
		}
	}
	steady := func(int) time.Duration { return 0 }
	send("menu.main", 2000*ms, 1000*ms, func(i int) time.Duration { return time.Duration(i%3) * 8 * ms })
	send("hold.apology", 800*ms, 30000*ms, func(i int) time.Duration { // 100 ms stall, then a burst
		return max(0, 100*ms-time.Duration(max(i-10, 0))*20*ms) * time.Duration(min(i/10, 1))
	})
	send("hold.tone.5", 5000*ms, 30800*ms, steady)
	send("beep", 240*ms, 36000*ms, steady)
	got := d.Transcript()
	want := []struct {
		id string
		at time.Duration
	}{{"menu.main", 1000 * ms}, {"hold.apology", 30000 * ms}, {"hold.tone", 30800 * ms}, {"beep", 36000 * ms}}
	if len(got) != len(want) {
		t.Fatalf("heard %v, want %v", got, want)
	}
	for i, w := range want {
		if got[i].ID != w.id || (got[i].At-w.at).Abs() > 40*ms {
			t.Errorf("heard %v, want %s at %v ± 40 ms", got[i], w.id, w.at)
		}
	}
}

func TestHeldUpAudioIsNotSplit(t *testing.T) {
	p := newTape(t).whole("menu.main", 2000*ms).whole("digit.1", 240*ms).silence(200 * ms)
	d, err := NewDecoder(DecoderOptions{Code: p.code})
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i*160 < len(p.pcm); i++ {
		at := time.Duration(i) * 20 * ms
		if i >= 50 && i < 65 { // the sender stalls for 0.3 s and then catches up
			at = 65 * 20 * ms
		}
		d.Continue(at, p.pcm[i*160:(i+1)*160])
	}
	got := d.Transcript()
	if len(got) != 2 || (got[0].At).Abs() > 10*ms || (got[1].At-2000*ms).Abs() > 40*ms {
		t.Errorf("heard %+v, want one menu.main at 0 and digit.1 at 2 s ± 40 ms", got)
	}
	d.Continue(10*time.Second, p.pcm[:8000])
	if got := d.Transcript(); len(got) != 3 || (got[2].At-10*time.Second).Abs() > 10*ms {
		t.Errorf("after seven seconds without audio heard %+v, want menu.main again at 10 s", got)
	}
}

func TestAnyCutOfAnyPromptIsHeard(t *testing.T) {
	code := testCode(t)
	rapid.Check(t, func(r *rapid.T) {
		id := rapid.SampledFrom(code.IDs()).Draw(r, "id")
		other := rapid.SampledFrom(code.IDs()).Draw(r, "other")
		from := time.Duration(rapid.IntRange(0, 5600).Draw(r, "from/samples")) * 125 * time.Microsecond
		lead := time.Duration(rapid.IntRange(0, 800).Draw(r, "lead/samples")) * 125 * time.Microsecond
		law := rapid.SampledFrom([]Law{ALaw, MuLaw}).Draw(r, "law")
		loud := rapid.Float64Range(0.85, 1.15).Draw(r, "gain")

		p := (&tape{t: t, code: code}).silence(500*ms+lead).play(id, 1000*ms, from, from+300*ms).silence(200*ms).whole(other, 240*ms).silence(100 * ms)
		p.voice(300, 0, p.now())
		for i := range p.pcm {
			p.pcm[i] = int16(float64(p.pcm[i]) * loud)
		}
		got := p.heard(law, 40).Prompts()
		if cmp.Equal(got.IDs(), []string{id, other}) &&
			(got[0].At-500*ms-lead).Abs() <= 20*ms && (got[1].At-1000*ms-lead).Abs() <= 20*ms &&
			got[0].Began == (from < 30*ms) && got[1].Began && got[1].Finished {
			return
		}
		if id == HoldTone && other == HoldTone && len(got) == 1 {
			return
		}
		if from >= 20*ms && from <= 60*ms && len(got) == 2 { // inside the mark either is right
			return
		}
		r.Fatalf("heard %#v, want %s at %v and %s at %v", got, id, 500*ms+lead, other, 1000*ms+lead)
	})
}

func TestNoiseAndSpeechlikeSoundNameNoPrompt(t *testing.T) {
	p := newTape(t).silence(5000 * ms)
	for _, h := range p.heard(ALaw, 1000) {
		t.Errorf("heard %v in noise of −30 dBFS", h)
	}
}

// Asterisk looks for a row (697–941 Hz) and a column (1209–1633 Hz), each well
// above everything else, within 1.5 to 3.5 per cent.
func TestNothingLooksLikeDTMF(t *testing.T) {
	dtmf := []float64{697, 770, 852, 941, 1209, 1336, 1477, 1633}
	ours := codeBins()
	for hz := lowestVoiceHz; hz <= highestVoiceHz; hz += stepHz {
		ours = append(ours, hz)
	}
	for _, hz := range ours {
		for _, tone := range dtmf {
			if math.Abs(float64(hz)-tone) < 0.05*tone {
				t.Errorf("%d Hz is within 5 %% of DTMF's %v Hz", hz, tone)
			}
		}
	}
}

func TestCodeWords(t *testing.T) {
	seen := map[word]int{}
	for n := range maxIDs {
		w := wordOf(n)
		if back, ok := w.number(); !ok || back != n {
			t.Fatalf("number %d becomes %v becomes %d, %v", n, w, back, ok)
		}
		if m, ok := seen[w]; ok {
			t.Fatalf("numbers %d and %d share the chord %v", n, m, w)
		}
		seen[w] = n
		for g := range groups {
			for tone := range tonesPerGroup {
				wrong := w
				wrong[g] = tone
				if _, ok := wrong.number(); ok && wrong != w {
					t.Fatalf("one wrong tone makes %v of %v and is not noticed", wrong, w)
				}
			}
		}
	}
	if _, err := NewCode(make([]string, 600)); err != nil {
		t.Errorf("600 times the same ID: %v", err)
	}
	var many []string
	for i := range maxIDs + 1 {
		many = append(many, fmt.Sprint(i))
	}
	if _, err := NewCode(many); err == nil {
		t.Error("513 IDs were accepted")
	}
}

func TestLengths(t *testing.T) {
	for id, want := range map[string]time.Duration{
		"greeting.morning": 800 * ms, "digit.7": 240 * ms, "number.10": 240 * ms, "unit.minute": 240 * ms, "beep": 240 * ms,
		"menu.main": 2000 * ms, "menu.wrong": 800 * ms, "hold.tone.12": 12 * time.Second, "pause.020": 20 * ms, "silence.3": 3 * time.Second,
	} {
		if got := Length(id, 0); got != want {
			t.Errorf("Length(%q) = %v, want %v", id, got, want)
		}
	}
	if got := Length("hold.tone.12", time.Second); got != 12*time.Second {
		t.Errorf("a wanted length changed hold.tone.12 to %v", got)
	}
	if got := Length("greeting.morning", 1200*ms); got != 1200*ms {
		t.Errorf("a wanted length of 1.2 s gave %v", got)
	}
}

func TestRenderedAt16kHzIsHeardAt16kHz(t *testing.T) {
	code := testCode(t)
	pcm, err := code.Render("menu.main", 0)
	if err != nil {
		t.Fatal(err)
	}
	d, err := NewDecoder(DecoderOptions{Code: code, Rate: RenderRate})
	if err != nil {
		t.Fatal(err)
	}
	d.Write(0, append(pcm, make([]int16, 3200)...))
	check(t, d.Transcript(), Transcript{{0, 2000 * ms, "menu.main", true, true}})

	sum := 0.0
	for _, s := range pcm {
		sum += float64(s) * float64(s)
	}
	if db := 10 * math.Log10(sum/float64(len(pcm))/(32768*32768)); math.Abs(db+20) > 0.5 {
		t.Errorf("loudness %.2f dBFS RMS, want −20 ± 0.5", db)
	}
	if _, err := code.Render("no.such.prompt", 0); err == nil {
		t.Error("a prompt without a chord was rendered")
	}
}

func TestG711(t *testing.T) {
	bothLaws(t, func(t *testing.T, law Law) {
		for s := -32768; s <= 32767; s++ {
			got := int(law.Decode(nil, law.Encode([]int16{int16(s)}))[0])
			if off := math.Abs(float64(got - s)); off > 16+math.Abs(float64(s))/28 {
				t.Fatalf("%d becomes %d", s, got)
			}
		}
		for b := range 256 {
			pcm := law.Decode(nil, []byte{byte(b)})
			if again := law.Decode(nil, law.Encode(pcm)); again[0] != pcm[0] {
				t.Fatalf("code %#x is %d, which encodes to another value, %d", b, pcm[0], again[0])
			}
		}
	})
	for law, want := range map[Law]byte{ALaw: 0xd5, MuLaw: 0xff} { // G.711, tables 1a and 2a
		if got := law.Silence(); got != want {
			t.Errorf("%s silence is %#x, want %#x", law, got, want)
		}
	}
}

func TestDecodeFile(t *testing.T) {
	left := newTape(t).silence(3000*ms).voice(300, 500*ms, 2500*ms)
	right := newTape(t).whole("menu.main", 2000*ms).silence(1000 * ms)
	var data []byte
	for i := range left.pcm {
		data = append(data, byte(left.pcm[i]), byte(left.pcm[i]>>8), byte(right.pcm[i]), byte(right.pcm[i]>>8))
	}
	header := slices.Concat([]byte("RIFF\x00\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x02\x00"),
		[]byte{0x40, 0x1f, 0, 0, 0, 0x7d, 0, 0, 4, 0, 16, 0}, []byte("LIST\x03\x00\x00\x00abc\x00data\xff\xff\xff\x7f"))
	for name, content := range map[string][]byte{"call.wav": append(header, data...), "call.raw": data} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := DecodeFile(path, DecoderOptions{Code: left.code, Voices: testVoices})
		if err != nil {
			t.Fatal(err)
		}
		check(t, r.Left, Transcript{{500 * ms, 2500 * ms, "voice.caller", false, false}})
		check(t, r.Right, Transcript{{0, 2000 * ms, "menu.main", true, true}})
		if r.Duration != 3000*ms {
			t.Errorf("%s lasts %v, want 3 s", name, r.Duration)
		}
	}
	for _, bad := range []string{"RIFF", "RIFF....WAVE", "RIFF....WAVEdata\x01\x00\x00\x00x", "RIFF....WAVEfmt \x02\x00\x00\x00xx"} {
		path := filepath.Join(t.TempDir(), "bad.wav")
		if err := os.WriteFile(path, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := DecodeFile(path, DecoderOptions{}); err == nil {
			t.Errorf("%q was taken for a recording", bad)
		}
	}
}

func TestDecoderRefusesBadVoices(t *testing.T) {
	for _, voices := range []map[string]int{{"a": 100}, {"a": 310}, {"a": 1000}, {"a": 300, "b": 300}} {
		if _, err := NewDecoder(DecoderOptions{Voices: voices}); err == nil {
			t.Errorf("voices %v were accepted", voices)
		}
	}
}

func TestTranscript(t *testing.T) {
	tr := Transcript{
		{At: 980 * ms, End: 1800 * ms, ID: "greeting.festival.spring"}, {At: 5400 * ms, End: 7400 * ms, ID: "menu.main"},
		{At: 7 * time.Second, End: 9 * time.Second, ID: "voice.agent"}, {At: 35020 * ms, End: 36 * time.Second, ID: "hold.apology"},
	}
	if got, want := tr.String(), "0.98 greeting.festival.spring  5.40 menu.main  7.00 voice.agent  35.02 hold.apology"; got != want {
		t.Errorf("printed as %q, want %q", got, want)
	}
	if got := tr.Prompts().IDs(); !slices.Equal(got, []string{"greeting.festival.spring", "menu.main", "hold.apology"}) {
		t.Errorf("prompts %v", got)
	}
	if got := tr.Voices().Between(0, 8*time.Second).Of("voice.agent"); len(got) != 1 || got[0].Duration() != 2*time.Second {
		t.Errorf("the agent's voice: %v", got)
	}
	want := Transcript{{At: 1800 * ms, End: 5400 * ms, ID: "silence"}, {At: 9 * time.Second, End: 35020 * ms, ID: "silence"}, {At: 36 * time.Second, End: 40 * time.Second, ID: "silence"}}
	if diff := cmp.Diff(want, tr.Silences(0, 40*time.Second, time.Second)); diff != "" {
		t.Errorf("silences (-want +got):\n%s", diff)
	}
}

func FuzzDecoder(f *testing.F) {
	code := testCode(f)
	pcm, err := code.Tone("menu.main", 300*ms, 8000)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(ALaw.Encode(pcm[:640]), int64(0), int64(80e6))
	f.Add([]byte{1, 2, 3}, int64(-1<<62), int64(1<<62))
	f.Add([]byte{}, int64(1<<63-1), int64(-1<<63))
	f.Fuzz(func(t *testing.T, data []byte, at, then int64) {
		d, err := NewDecoder(DecoderOptions{Code: code, Voices: testVoices})
		if err != nil {
			t.Fatal(err)
		}
		d.Write(time.Duration(at), ALaw.Decode(nil, data))
		d.Write(time.Duration(then), MuLaw.Decode(nil, data))
		d.Write(time.Duration(then), nil)
		for _, h := range d.Transcript() {
			if h.ID == "" {
				t.Errorf("heard something without a name: %+v", h)
			}
		}
	})
}

func FuzzParseWAV(f *testing.F) {
	f.Add([]byte("RIFF\x00\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x02\x00\x40\x1f\x00\x00\x00\x7d\x00\x00\x04\x00\x10\x00data\x04\x00\x00\x00abcd"))
	f.Fuzz(func(t *testing.T, data []byte) {
		format, pcm, err := parseWAV(data)
		if err != nil {
			return
		}
		if _, err := decodeChannels(format, pcm, DecoderOptions{}); err != nil {
			t.Errorf("parsed, but does not decode: %v", err)
		}
	})
}

func BenchmarkDecoder(b *testing.B) {
	code := testCode(b)
	pcm, err := code.Tone("menu.main", time.Second, 8000)
	if err != nil {
		b.Fatal(err)
	}
	d, err := NewDecoder(DecoderOptions{Code: code, Voices: testVoices})
	if err != nil {
		b.Fatal(err)
	}
	at := time.Duration(0)
	for b.Loop() {
		d.Write(at, pcm)
		at += time.Second
	}
}
