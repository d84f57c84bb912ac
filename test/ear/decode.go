package ear

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"sync"
	"time"
)

const (
	hop       = 5 * time.Millisecond
	hops      = 4 // in the analysis window of 20 ms
	window    = hops * hop
	windowsHz = int(time.Second / window)

	toneHeard  = 800  // amplitude from which a code tone counts as present
	markHeard  = 1150 // half of what a mark is sent with
	voiceHeard = 1200
	quietBelow = 64 // a block whose samples all are below this is silence

	// A tone is recognised once it fills about 0.6 of the window.
	toneSettles = window * 6 / 10

	debounce      = 3 * hop                // a chord must last this long to be one
	unknownAfter  = 60 * time.Millisecond  // a transition between two prompts is shorter
	gapWithin     = 100 * time.Millisecond // lost packets do not end a sound, this does
	holdToneJoins = time.Second            // hold tones closer than this are one

	late      = 40 * time.Millisecond // audio later than this was preceded by silence
	tooLate   = time.Second           // even if it continues what came before
	clockStep = 10 * time.Millisecond // how far one write may pull the clock
	fillAtGap = 3 * gapWithin         // silence that is enough to end every sound
)

// DecoderOptions says what a Decoder listens for.
type DecoderOptions struct {
	Code   *Code          // nil: voices only
	Voices map[string]int // name to frequency: 200, 250 … 600 Hz, each once
	Rate   int            // 8000 (0) or 16000 Hz
}

// Decoder turns audio into a transcript while it comes in. It may be used by
// several goroutines.
type Decoder struct {
	code  *Code
	names []string // of the voices, by bin

	mu      sync.Mutex
	bank    *bank
	started bool
	clock   time.Duration // of the next sample
	pending []int16       // less than one block
	done    Transcript
	prompt  promptTrack
	voices  []voiceTrack
}

// NewDecoder makes a decoder. It fails when a voice is outside the voice band
// or two have one frequency.
func NewDecoder(o DecoderOptions) (*Decoder, error) {
	rate := o.Rate
	if rate == 0 {
		rate = 8000
	}
	if rate != 8000 && rate != 16000 {
		return nil, fmt.Errorf("ear: a decoder at %d Hz: want 8000 or 16000", rate)
	}
	d := &Decoder{code: o.Code}
	if d.code == nil {
		d.code = &Code{}
	}
	for name := range o.Voices {
		d.names = append(d.names, name)
	}
	sort.Slice(d.names, func(i, j int) bool { return o.Voices[d.names[i]] < o.Voices[d.names[j]] })
	freqs := codeBins()
	for i, name := range d.names {
		hz := o.Voices[name]
		if err := checkVoice(hz); err != nil {
			return nil, fmt.Errorf("voice %q: %w", name, err)
		}
		if i > 0 && hz == o.Voices[d.names[i-1]] {
			return nil, fmt.Errorf("ear: voices %q and %q have the same frequency %d Hz", d.names[i-1], name, hz)
		}
		freqs = append(freqs, hz)
	}
	d.bank = newBank(rate, freqs)
	d.voices = make([]voiceTrack, len(d.names))
	return d, nil
}

// Write takes samples whose first one came in at the given time since the
// reference. Samples that come late by more than 40 ms count as preceded by
// silence; a burst that comes early is laid end to end, and the clock finds back
// to the times given. It tells whether the transcript gained or lost an entry or
// one of its sounds ended.
func (d *Decoder) Write(at time.Duration, pcm []int16) (changed bool) {
	return d.write(at, pcm, late)
}

// Continue is Write for samples that by the sender's own clock follow the last
// ones without a pause: coming up to a second late they are not preceded by
// silence, the sender or this machine was merely held up.
func (d *Decoder) Continue(at time.Duration, pcm []int16) (changed bool) {
	return d.write(at, pcm, tooLate)
}

func (d *Decoder) write(at time.Duration, pcm []int16, late time.Duration) (changed bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	before := d.marks()
	d.align(at, late)
	d.feed(pcm)
	return d.marks() != before
}

// Transcript is what has been heard until now, sounds that have not ended yet
// included, ordered by beginning.
func (d *Decoder) Transcript() Transcript {
	d.mu.Lock()
	defer d.mu.Unlock()
	t := slices.Clone(d.done)
	if d.prompt.sounding {
		t = append(t, d.prompt.now)
	}
	for _, v := range d.voices {
		if v.sounding {
			t = append(t, v.now)
		}
	}
	slices.SortStableFunc(t, func(a, b Heard) int { return int(a.At - b.At) })
	return t
}

// marks counts beginnings and endings, to notice a change.
func (d *Decoder) marks() (n int) {
	n = 2*len(d.done) + d.prompt.rejoined
	if d.prompt.sounding {
		n++
	}
	for _, v := range d.voices {
		if v.sounding {
			n++
		}
	}
	return n
}

func (d *Decoder) align(at, late time.Duration) {
	if !d.started {
		d.started, d.clock = true, at
		return
	}
	next := d.clock + d.bank.duration(len(d.pending))
	switch ahead := at - next; {
	case ahead > late:
		d.feed(make([]int16, d.bank.samples(min(ahead, fillAtGap))))
		d.clock = at - d.bank.duration(len(d.pending))
	default:
		d.clock += min(max(ahead/8, -clockStep), clockStep)
	}
}

func (d *Decoder) feed(pcm []int16) {
	if len(d.pending) > 0 {
		n := min(d.bank.block-len(d.pending), len(pcm))
		d.pending = append(d.pending, pcm[:n]...)
		pcm = pcm[n:]
		if len(d.pending) < d.bank.block {
			return
		}
		d.listen(d.pending)
		d.pending = d.pending[:0]
	}
	for ; len(pcm) >= d.bank.block; pcm = pcm[d.bank.block:] {
		d.listen(pcm[:d.bank.block])
	}
	d.pending = append(d.pending, pcm...)
}

// listen takes one block and updates every track.
func (d *Decoder) listen(block []int16) {
	d.bank.push(block)
	d.clock += hop
	d.trackPrompt(d.bank.chord(d.code))
	for i := range d.voices {
		if h, ended := d.voices[i].hear(d.clock, VoicePrefix+d.names[i], d.bank.amplitude(firstVoiceBin+i)); ended {
			d.done = append(d.done, h)
		}
	}
}

// chord is what one window says about the code band.
type chord struct {
	id         string // "" is nothing
	begin, end bool   // marks
}

// promptTrack follows the one prompt that sounds.
type promptTrack struct {
	sounding bool
	now      Heard
	rejoined int // hold tones joined to the one before

	next      string // what the last windows say, when it is not now.ID
	nextSince time.Duration
	nextBegan bool
	mark      bool // the begin mark sounded in the last window
	ending    bool // the end mark did
}

func (d *Decoder) trackPrompt(c chord) {
	p := &d.prompt
	from, until := d.clock-toneSettles, d.clock-(window-toneSettles)
	markRises := c.begin && !p.mark
	ends := c.end || p.ending // a quiet mark leaves the window a little before the prompt's other tones
	p.mark, p.ending = c.begin, c.end

	if p.sounding && c.id == p.now.ID {
		p.next = ""
		switch {
		case from-p.now.At < beginMark/2:
			p.now.Began = p.now.Began || c.begin
		case markRises && p.now.ID != Unknown && p.now.ID != HoldTone:
			d.endPrompt(from)
			d.beginPrompt(c.id, from, true)
		}
		p.now.End = until
		p.now.Finished = ends && c.id != Unknown
		return
	}
	if c.id == "" {
		p.next = ""
		if p.sounding && until-p.now.End > gapWithin {
			d.endPrompt(p.now.End)
		}
		return
	}
	if c.id != p.next {
		p.next, p.nextSince, p.nextBegan = c.id, from, false
	}
	p.nextBegan = p.nextBegan || c.begin
	enough := debounce
	if c.id == Unknown {
		enough = unknownAfter
	}
	if from-p.nextSince < enough-hop {
		return
	}
	if p.sounding {
		d.endPrompt(min(p.now.End, p.nextSince))
	}
	d.beginPrompt(c.id, p.nextSince, p.nextBegan && c.id != Unknown)
	p.now.End = until
}

func (d *Decoder) beginPrompt(id string, at time.Duration, began bool) {
	p := &d.prompt
	p.sounding, p.next = true, ""
	if i, ok := d.holdToneBefore(id, at); ok {
		p.now = d.done[i]
		p.rejoined += 2
		d.done = slices.Delete(d.done, i, i+1)
		return
	}
	p.now = Heard{At: at, End: at, ID: id, Began: began}
}

// holdToneBefore finds the hold tone that the one beginning now goes on from.
func (d *Decoder) holdToneBefore(id string, at time.Duration) (index int, ok bool) {
	if id != HoldTone {
		return 0, false
	}
	for i, h := range slices.Backward(d.done) {
		if !h.Voice() {
			return i, h.ID == HoldTone && at-h.End <= holdToneJoins
		}
	}
	return 0, false
}

func (d *Decoder) endPrompt(at time.Duration) {
	d.prompt.now.End = at
	d.prompt.sounding = false
	d.done = append(d.done, d.prompt.now)
}

// voiceTrack follows one voice.
type voiceTrack struct {
	sounding bool
	now      Heard
	pending  time.Duration // how long it has been there without yet counting
}

const voiceSettles = window * 4 / 10

// hear takes the voice's amplitude in the window that ends at clock; it returns
// the voice's stretch once it has ended.
func (v *voiceTrack) hear(clock time.Duration, id string, amplitude float64) (h Heard, ended bool) {
	from, until := clock-voiceSettles, clock-(window-voiceSettles)
	present := amplitude >= voiceHeard
	switch {
	case v.sounding && present:
		v.now.End = until
	case v.sounding && until-v.now.End > gapWithin:
		v.sounding = false
		return v.now, true
	case v.sounding:
	case !present:
		v.pending = 0
	default:
		v.pending += hop
		if v.pending > debounce {
			v.sounding, v.now = true, Heard{At: from - v.pending + hop, End: until, ID: id}
			v.pending = 0
		}
	}
	return Heard{}, false
}

// The bins of the filter bank: the code's tones group by group, the two marks,
// then the voices.
const (
	beginBin      = groups * tonesPerGroup
	endBin        = beginBin + 1
	firstVoiceBin = endBin + 1
)

func codeBins() []int {
	var hz []int
	for g := range groups {
		for t := range tonesPerGroup {
			hz = append(hz, toneHz(g, t))
		}
	}
	return append(hz, beginHz, endHz)
}

// bank measures the amplitude at every bin over the last 20 ms, every 5 ms.
type bank struct {
	block   int         // samples in one hop
	cos     [][]float32 // by bin and sample of the window
	sin     [][]float32
	re, im  [hops][]float32 // by block and bin
	at      int             // the block to be replaced next
	nothing int             // how many of the last blocks were silence
}

func newBank(rate int, freqs []int) *bank {
	n := rate / windowsHz
	b := &bank{block: n / hops}
	for _, hz := range freqs {
		c, s := make([]float32, n), make([]float32, n)
		for i := range n {
			sin, cos := math.Sincos(2 * math.Pi * float64(hz*i%rate) / float64(rate))
			// Scaled so that a sum over the window is the amplitude.
			c[i], s[i] = float32(2*cos/float64(n)), float32(2*sin/float64(n))
		}
		b.cos, b.sin = append(b.cos, c), append(b.sin, s)
	}
	for i := range hops {
		b.re[i], b.im[i] = make([]float32, len(freqs)), make([]float32, len(freqs))
	}
	return b
}

func (b *bank) duration(samples int) time.Duration {
	return time.Duration(samples) * hop / time.Duration(b.block)
}

func (b *bank) samples(d time.Duration) int {
	return int(d * time.Duration(b.block) / hop)
}

func (b *bank) push(block []int16) {
	re, im := b.re[b.at], b.im[b.at]
	if quiet(block) {
		b.nothing++
		clear(re)
		clear(im)
	} else {
		b.nothing = 0
		offset := b.at * b.block
		for bin := range re {
			re[bin], im[bin] = correlate(block, b.cos[bin][offset:], b.sin[bin][offset:])
		}
	}
	b.at = (b.at + 1) % hops
}

//go:norace
func quiet(block []int16) bool {
	for _, s := range block {
		if s >= quietBelow || s <= -quietBelow {
			return false
		}
	}
	return true
}

//go:norace
func correlate(block []int16, cos, sin []float32) (re, im float32) {
	cos, sin = cos[:len(block)], sin[:len(block)]
	for i, s := range block {
		re += float32(s) * cos[i]
		im += float32(s) * sin[i]
	}
	return re, im
}

func (b *bank) silent() bool { return b.nothing >= hops }

// amplitude, like all of the innermost arithmetic, is left out of the race
// detector, which would make it eleven times as slow and a hundred phones deaf:
// it only reads and writes what belongs to a decoder, under the decoder's lock.
//
//go:norace
func (b *bank) amplitude(bin int) float64 {
	if b.silent() {
		return 0
	}
	var re, im float32
	for i := range hops {
		re += b.re[i][bin]
		im += b.im[i][bin]
	}
	return math.Hypot(float64(re), float64(im))
}

// chord reads the code band: one clear tone in every group, all about equally
// loud, is a chord; nothing in any group is nothing; the rest is Unknown.
func (b *bank) chord(code *Code) chord {
	if b.silent() {
		return chord{}
	}
	c := chord{begin: b.amplitude(beginBin) >= markHeard, end: b.amplitude(endBin) >= markHeard}
	var w word
	loudest, softest, clear := 0.0, math.MaxFloat64, true
	for g := range groups {
		first, second := 0.0, 0.0
		for t := range tonesPerGroup {
			switch a := b.amplitude(g*tonesPerGroup + t); {
			case a > first:
				first, second, w[g] = a, first, t
			case a > second:
				second = a
			}
		}
		clear = clear && second < first/2
		loudest, softest = max(loudest, first), min(softest, first)
	}
	switch {
	case loudest < toneHeard:
	case softest < toneHeard || softest < loudest/2 || !clear:
		c.id = Unknown
	default:
		c.id = code.id(w)
	}
	return c
}
