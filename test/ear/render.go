package ear

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

const (
	// RenderRate is the sample rate of what Render and Tone return, in Hz.
	RenderRate = 16000

	toneAmplitude  = 2317 // four of these together are −20 dBFS RMS
	voiceAmplitude = 3000

	beginMark = 60 * time.Millisecond
	endMark   = 40 * time.Millisecond
)

// Length is how long a prompt of this ID lasts in tests: hold tones, pauses and
// silences exactly what their name says, digits and number words 0.24 s, menus
// 2 s, everything else 0.8 s. A want above zero takes precedence except where
// the name says the length.
func Length(id string, want time.Duration) time.Duration {
	if d, ok := namedLength(id); ok {
		return d
	}
	switch {
	case want > 0:
		return want.Round(20 * time.Millisecond)
	case hasAnyPrefix(id, "digit.", "number.", "unit.", "percent.", "point", "beep"):
		return 240 * time.Millisecond
	case hasAnyPrefix(id, "menu.main", "menu.bill"):
		return 2 * time.Second
	default:
		return 800 * time.Millisecond
	}
}

func namedLength(id string) (time.Duration, bool) {
	for prefix, unit := range map[string]time.Duration{
		"hold.tone.": time.Second, "silence.": time.Second, "pause.": time.Millisecond,
	} {
		if rest, ok := strings.CutPrefix(id, prefix); ok {
			n, err := strconv.Atoi(rest)
			return time.Duration(n) * unit, err == nil && n > 0
		}
	}
	return 0, false
}

func hasAnyPrefix(s string, prefixes ...string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(s, p) {
			return true
		}
	}
	return false
}

// Render is the audio of a prompt, mono at 16 kHz, −20 dBFS RMS, as long as
// Length(id, want) says. An ID the code does not have is an error.
func (c *Code) Render(id string, want time.Duration) ([]int16, error) {
	return c.Tone(id, Length(id, want), RenderRate)
}

// Tone is the chord of id for d, mono, at rate (8000 or 16000 Hz). Of a silent
// ID it is zeros.
func (c *Code) Tone(id string, d time.Duration, rate int) ([]int16, error) {
	pcm := make([]int16, samplesIn(d, rate))
	if Silent(id) {
		return pcm, nil
	}
	w, ok := c.word(id)
	if !ok {
		return nil, fmt.Errorf("ear: no chord for prompt %q: it was not in the list given to NewCode", id)
	}
	mix := make([]float64, len(pcm))
	for g, t := range w {
		// Phases a quarter turn apart keep the four from peaking together.
		addTone(mix, toneHz(g, t), rate, float64(g)*math.Pi/2)
	}
	addTone(mix[:min(len(mix), samplesIn(beginMark, rate))], beginHz, rate, 0)
	addTone(mix[max(0, len(mix)-samplesIn(endMark, rate)):], endHz, rate, 0)
	for i, v := range mix {
		pcm[i] = int16(math.Round(v))
	}
	return pcm, nil
}

func samplesIn(d time.Duration, rate int) int { return int(d * time.Duration(rate) / time.Second) }

func addTone(mix []float64, hz, rate int, phase float64) {
	for i := range mix {
		mix[i] += toneAmplitude * math.Sin(phase+2*math.Pi*float64(hz*i%rate)/float64(rate))
	}
}

// Voice is a person who says one note without pause. It is not safe for use by
// several goroutines.
type Voice struct {
	period []int16 // 20 ms, a whole number of periods
	at     int
}

// NewVoice makes a voice of 200, 250 … 600 Hz at rate 8000 or 16000.
func NewVoice(hz, rate int) (*Voice, error) {
	if err := checkVoice(hz); err != nil {
		return nil, err
	}
	v := &Voice{period: make([]int16, samplesIn(20*time.Millisecond, rate))}
	for i := range v.period {
		v.period[i] = int16(math.Round(voiceAmplitude * math.Sin(2*math.Pi*float64(hz*i%rate)/float64(rate))))
	}
	return v, nil
}

// Next fills pcm with what the voice says next.
func (v *Voice) Next(pcm []int16) {
	for i := range pcm {
		pcm[i] = v.period[v.at]
		v.at = (v.at + 1) % len(v.period)
	}
}

func checkVoice(hz int) error {
	if hz < lowestVoiceHz || hz > highestVoiceHz || hz%stepHz != 0 {
		return fmt.Errorf("ear: a voice of %d Hz: want a multiple of %d from %d to %d", hz, stepHz, lowestVoiceHz, highestVoiceHz)
	}
	return nil
}
