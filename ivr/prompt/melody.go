package prompt

import (
	"math"
	"sync"
	"time"
)

// The hold tone is composed here: a slow pentatonic tune (C D E G A) of soft bell-like notes over a quiet bass. It
// lies between 130 and 590 Hz with its partials up to 1800, where a telephone line is kind, and is quieter than speech.
const (
	workRate      = 16000
	beat          = 0.75 // seconds
	toneLoudness  = -26  // dBFS RMS of the full melody
	fadeOut       = 1.5  // seconds at the end of every length
	beepFrequency = 880
)

// note pitches are half-tones from middle C; length and start are in beats.
type note struct {
	pitch         int
	start, length float64
	level         float64
}

// tune is forty beats in five phrases: two that answer one another, a rise, a return and a close.
var tune = phrase(1,
	7, 1, 9, 1, 12, 2, 9, 1, 7, 1, 4, 2,
	2, 1, 4, 1, 7, 2, 4, 1, 2, 1, 0, 2,
	7, 1, 9, 1, 14, 1.5, 12, .5, 9, 1, 12, 1, 7, 2,
	4, 1, 7, 1, 9, 1, 7, 1, 4, 1, 2, 1, 4, 2,
	7, 1, 4, 1, 2, 2, 4, 1, 2, 1, 0, 2)

// bass holds one low note every four beats.
var bass = phrase(0.5, -12, 4, -3, 4, -5, 4, -12, 4, -8, 4, -3, 4, -5, 4, -10, 4, -5, 4, -12, 4)

func phrase(level float64, pitchesAndLengths ...float64) []note {
	var notes []note
	at := 0.0
	for i := 0; i < len(pitchesAndLengths); i += 2 {
		length := pitchesAndLengths[i+1]
		notes = append(notes, note{pitch: int(pitchesAndLengths[i]), start: at, length: length, level: level})
		at += length
	}
	return notes
}

// compose renders a generated prompt at its exact length.
func compose(p Prompt) []int16 {
	n := int(p.Length * workRate / time.Second)
	if p.ID == Beep {
		return toPCM(beepSound(n))
	}
	return toPCM(fade(melody()[:n], fadeOut))
}

// melody is the full thirty seconds; shorter tones are its beginning. It is composed once and never written to.
var melody = sync.OnceValue(func() []float64 {
	out := make([]float64, longestTone*workRate)
	for _, n := range append(append([]note(nil), tune...), bass...) {
		strike(out, n)
	}
	gain := amplitude(toneLoudness) / math.Sqrt(mean(blockPowers(out, len(out))))
	for i := range out {
		out[i] *= gain
	}
	return out
})

// partials of the bell: few and soft, each fading faster than the one below.
var partials = []struct{ multiple, level, decay float64 }{{1, 1, 1.1}, {2, 0.28, 1.8}, {3, 0.09, 2.8}}

// strike adds one note: a soft attack of 30 ms, an exponential decay, and a release after its time.
func strike(out []float64, n note) {
	const attack, release = 0.03, 0.6
	frequency := 261.63 * math.Pow(2, float64(n.pitch)/12)
	first := int(n.start * beat * workRate)
	hold := n.length * beat
	for i := 0; float64(i) < (hold+release)*workRate && first+i < len(out); i++ {
		t := float64(i) / workRate
		envelope := n.level * min(1, t/attack) * min(1, (hold+release-t)/release)
		for _, p := range partials {
			out[first+i] += envelope * p.level * math.Exp(-p.decay*t) * math.Sin(2*math.Pi*frequency*p.multiple*t)
		}
	}
}

// fade ends in silence with a raised cosine over the last seconds, or the last half of what is shorter.
func fade(samples []float64, seconds float64) []float64 {
	out := append([]float64(nil), samples...)
	n := min(int(seconds*workRate), len(out)/2)
	for i := range n {
		out[len(out)-1-i] *= 0.5 - 0.5*math.Cos(math.Pi*float64(i)/float64(n))
	}
	return out
}

func beepSound(n int) []float64 {
	out := make([]float64, n)
	edge := workRate / 50
	for i := range out {
		envelope := min(1, float64(i)/float64(edge), float64(n-1-i)/float64(edge))
		out[i] = envelope * amplitude(targetLoudness) * math.Sqrt2 * math.Sin(2*math.Pi*beepFrequency*float64(i)/workRate)
	}
	return out
}
