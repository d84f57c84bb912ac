// Package ear owns what is heard in tests: the tone code that stands for each
// prompt, constant-tone voices for people, and the decoder that turns received
// audio back into a transcript with times. It knows nothing of SIP, RTP sockets,
// Asterisk or the service; it works on samples and the times they came in.
//
// A prompt is a chord: one tone out of each of four groups of eight, at multiples
// of 50 Hz between 1750 and 3300 Hz, for as long as the prompt lasts. Over any
// 20 ms these tones are orthogonal, so 60 ms from anywhere in a prompt names it.
// A fifth tone marks its first 60 ms and a sixth its last 40 ms: the first tells
// the same prompt played twice from one played once, the second tells a prompt
// played to its end from one cut short. Voices lie below 650 Hz. No DTMF
// frequency is used or approached.
package ear

import (
	"fmt"
	"strings"
	"time"
)

// Unknown is the ID reported for sound in the code band that is no known prompt:
// two prompts at once, a prompt of another code, or damage.
const Unknown = "unknown"

// HoldTone is the ID under which every hold.tone.N is reported.
const HoldTone = "hold.tone"

// VoicePrefix begins the ID of every voice: "voice.caller".
const VoicePrefix = "voice."

// Heard is one stretch of sound.
type Heard struct {
	At  time.Duration // when it began, since the decoder's reference
	End time.Duration // when it ended; of one that still sounds, how far it has been heard
	ID  string        // the prompt's ID, "hold.tone", "voice.<name>" or "unknown"

	Began    bool // its first sample was heard: it was not joined in the middle (prompts only)
	Finished bool // its last sample was heard: it was not cut short (prompts only)
}

// Voice tells whether h is a voice and not a prompt.
func (h Heard) Voice() bool { return strings.HasPrefix(h.ID, VoicePrefix) }

// Duration is how long it sounded.
func (h Heard) Duration() time.Duration { return h.End - h.At }

func (h Heard) String() string { return fmt.Sprintf("%.2f %s", h.At.Seconds(), h.ID) }

// Transcript is what was heard, ordered by beginning.
type Transcript []Heard

// String prints "0.98 greeting.festival.spring  5.40 menu.main".
func (t Transcript) String() string {
	parts := make([]string, len(t))
	for i, h := range t {
		parts[i] = h.String()
	}
	return strings.Join(parts, "  ")
}

// IDs lists the IDs in order.
func (t Transcript) IDs() []string {
	ids := make([]string, len(t))
	for i, h := range t {
		ids[i] = h.ID
	}
	return ids
}

// Prompts is the transcript without the voices.
func (t Transcript) Prompts() Transcript {
	return t.where(func(h Heard) bool { return !h.Voice() })
}

// Voices is the transcript of the voices alone.
func (t Transcript) Voices() Transcript {
	return t.where(Heard.Voice)
}

// Of lists every time id was heard.
func (t Transcript) Of(id string) Transcript {
	return t.where(func(h Heard) bool { return h.ID == id })
}

// Between is what began in [from, to).
func (t Transcript) Between(from, to time.Duration) Transcript {
	return t.where(func(h Heard) bool { return h.At >= from && h.At < to })
}

// Silences lists the stretches of at least min, between from and to, in which
// nothing sounded at all, each as a Heard with ID "silence".
func (t Transcript) Silences(from, to, min time.Duration) Transcript {
	var out Transcript
	heardUntil := from
	note := func(until time.Duration) {
		if until-heardUntil >= min {
			out = append(out, Heard{At: heardUntil, End: until, ID: "silence"})
		}
	}
	for _, h := range t {
		if h.At >= to {
			break
		}
		note(h.At)
		heardUntil = max(heardUntil, h.End)
	}
	note(to)
	return out
}

func (t Transcript) where(keep func(Heard) bool) Transcript {
	var out Transcript
	for _, h := range t {
		if keep(h) {
			out = append(out, h)
		}
	}
	return out
}
