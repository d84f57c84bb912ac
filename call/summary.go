package call

import (
	"cmp"
	"slices"
	"time"

	"hotline/journal"
	"hotline/queue"
)

// Summary is a call in one line: a fold of its entries.
type Summary struct {
	ID        string          `json:"id"`
	At        time.Time       `json:"at"`
	Number    string          `json:"number"` // masked
	Rings     int             `json:"rings,omitempty"`
	Greeting  []string        `json:"greeting,omitempty"`
	Path      string          `json:"path,omitempty"`   // through the menus
	Agent     string          `json:"agent,omitempty"`  // who took it
	Agents    []string        `json:"agents,omitempty"` // everybody who had it, one after the other
	Waited    float64         `json:"waited,omitempty"` // seconds in line, until the first agent or until the caller left
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
		if d, ok := read[Talk](e); ok {
			s = s.talks(d)
		}
	case queue.KindLeft, queue.KindLapsed:
		if d, ok := read[queue.Change](e); ok && len(s.Agents) == 0 {
			s.Waited = float64(d.WaitedMs) / 1000
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

// talks is a call that somebody has from now on.
func (s Summary) talks(d Talk) Summary {
	if len(s.Agents) == 0 {
		s.Waited = d.Waited
	}
	if s.Agent == "" {
		s.Agent = d.Agent
	}
	if who := cmp.Or(d.Agent, d.Directory); !slices.Contains(s.Agents, who) {
		s.Agents = append(slices.Clip(s.Agents), who)
	}
	return s
}

func read[T any](e journal.Entry) (data T, ok bool) {
	return data, e.Decode(&data) == nil
}
