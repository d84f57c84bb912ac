package call

import (
	"time"

	"hotline/journal"
)

// Summary is a call in one line: a fold of its entries.
type Summary struct {
	ID        string          `json:"id"`
	At        time.Time       `json:"at"`
	Number    string          `json:"number"` // masked
	Rings     int             `json:"rings,omitempty"`
	Greeting  []string        `json:"greeting,omitempty"`
	Path      string          `json:"path,omitempty"` // through the menus
	Agent     string          `json:"agent,omitempty"`
	Waited    float64         `json:"waited,omitempty"` // seconds until the first agent
	Apologies int             `json:"apologies,omitempty"`
	Rating    int             `json:"rating,omitempty"`
	Message   *LeftMessage    `json:"message,omitempty"`
	Seconds   float64         `json:"seconds,omitempty"`
	Outcome   Outcome         `json:"outcome"` // zero while the call goes on
	HungUp    string          `json:"hung_up,omitempty"`
	Recording *RecordingEnded `json:"recording,omitempty"`
}

// Fold adds one entry of a call to what is known of it. Entries it cannot
// read and kinds it does not know change nothing.
func (s Summary) Fold(e journal.Entry) Summary {
	switch e.Kind {
	case KindArrived:
		if d, ok := read[Arrived](e); ok {
			s.At, s.Number = d.At, mask(d.Number)
		}
	case KindAnswered:
		if d, ok := read[Answered](e); ok {
			s.Rings = d.Rings
		}
	case KindGreeted:
		if d, ok := read[Greeted](e); ok {
			s.Greeting = d.Prompts
		}
	case KindChose:
		if d, ok := read[Chose](e); ok {
			s.Path = d.Path
		}
	case KindTone:
		if d, ok := read[Tone](e); ok {
			s.Apologies += d.Apologies
		}
	case KindTalk:
		if d, ok := read[Talk](e); ok && s.Agent == "" {
			s.Agent, s.Waited = d.Agent, d.Waited
		}
	case KindRated:
		if d, ok := read[Rated](e); ok {
			s.Rating = d.Score
		}
	case KindMessage:
		if d, ok := read[LeftMessage](e); ok {
			d.Number = mask(d.Number) // whole in `hotline messages` alone, for who calls back
			s.Message = &d
		}
	case KindEnded:
		if d, ok := read[Ended](e); ok {
			s.Seconds, s.Outcome, s.HungUp, s.Recording = d.Seconds, d.Outcome, d.HungUp, d.Recording
		}
	}
	return s
}

func read[T any](e journal.Entry) (data T, ok bool) {
	return data, e.Decode(&data) == nil
}
