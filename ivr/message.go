package ivr

import (
	"context"
	"fmt"
	"time"
)

// MessageTaker takes a caller's message: a number to call back, then what
// the caller has to say (A4).
type MessageTaker struct {
	Digits     func(number string) []string // a number as prompts, digit by digit
	MaxLength  time.Duration
	MaxSilence time.Duration // silence that ends the message
	MinLength  time.Duration // shorter is asked again
	Wait       time.Duration // for a key
}

// Message is what the caller left.
type Message struct {
	Number    string        // to call back; "" when unknown
	Confirmed bool          // the caller heard the number and agreed
	Recording string        // name of the recording; "" when nothing was said
	Duration  time.Duration // of the recording; 0 when unknown: its file says
}

const (
	minDigits   = 3 // 110 is the shortest number there is
	maxDigits   = 20
	numberTries = 3
	recordTries = 5
)

// Progress is how far a message is taken: all that it takes to go on with it
// after an interruption. Its zero value is the beginning.
type Progress struct {
	Number    string `json:"number,omitempty"` // to call back, once Take is not 0
	Confirmed bool   `json:"confirmed,omitempty"`
	Take      int    `json:"take,omitempty"`  // that is being recorded or reviewed, from 1; 0: the number comes first; beyond the last: none is left
	Begun     bool   `json:"begun,omitempty"` // the caller has heard the beep of this take
	Taken     bool   `json:"taken,omitempty"` // this take is over, and long enough
	Kept      int    `json:"kept,omitempty"`  // an earlier take that was long enough; 0: none
}

// Take confirms or asks for the number, records, and lets the caller listen,
// record again or keep it. A caller who just hangs up has left the message:
// what was recorded is returned together with the cause. It begins where from
// says, and tells note each further step before it is taken.
func (t MessageTaker) Take(ctx context.Context, p Phone, callerNumber, recording string, from Progress, note func(Progress)) (Message, error) {
	at := from
	if at.Take == 0 {
		number, confirmed, err := t.number(ctx, p, callerNumber)
		if err != nil {
			return Message{Number: number, Confirmed: confirmed}, err
		}
		at = Progress{Number: number, Confirmed: confirmed, Take: 1}
		note(at)
	}
	m := Message{Number: at.Number, Confirmed: at.Confirmed}
	if at.Kept > 0 {
		m.Recording = TakeName(recording, at.Kept)
	}
	for ; at.Take <= recordTries; at = at.next() {
		name := TakeName(recording, at.Take)
		if at.Taken {
			m.Recording = name
		} else {
			enough, err := t.record(ctx, p, name, &at, &m, note)
			if err != nil {
				return m, err
			}
			if !enough {
				continue
			}
		}
		again, err := t.review(ctx, p, name)
		if err != nil || !again {
			return m, err
		}
	}
	return m, nil
}

// next is the take after this one.
func (p Progress) next() Progress {
	kept := p.Kept
	if p.Taken {
		kept = p.Take
	}
	return Progress{Number: p.Number, Confirmed: p.Confirmed, Take: p.Take + 1, Kept: kept}
}

// TakeName is what a take of a message is called.
func TakeName(recording string, take int) string { return fmt.Sprintf("%s-%d", recording, take) }

// record takes one take down and says whether it is long enough.
func (t MessageTaker) record(ctx context.Context, p Phone, name string, at *Progress, m *Message, note func(Progress)) (enough bool, err error) {
	if !at.Begun {
		if err := p.Say(ctx, "message.record", "beep"); err != nil {
			return false, err
		}
		at.Begun = true
		note(*at)
	}
	rec, err := p.Record(ctx, RecordOptions{Name: name, MaxLength: t.MaxLength, MaxSilence: t.MaxSilence})
	enough = rec.Unknown || rec.Duration >= t.MinLength
	if enough {
		m.Recording, m.Duration = rec.Name, rec.Duration
	}
	if err != nil {
		return enough, err
	}
	if !enough {
		note(at.next()) // whoever goes on from here has another take recorded, if one is left, and not this one kept
		return false, p.Say(ctx, "message.too_short")
	}
	at.Taken = true
	note(*at)
	return true, nil
}

// number reads the caller's own number back and takes another if wanted. An
// unanswered question keeps the caller's own number; a caller without one who
// keys nothing usable can still speak.
func (t MessageTaker) number(ctx context.Context, p Phone, own string) (string, bool, error) {
	candidate := own
	for try := 0; try < numberTries; try++ {
		if !plausible(candidate) {
			keyed, err := t.collect(ctx, p)
			if err != nil {
				return "", false, err
			}
			if candidate = keyed; !plausible(candidate) {
				if err := p.Say(ctx, "message.number.wrong"); err != nil {
					return "", false, err
				}
				continue
			}
		}
		prompts := append([]string{"message.number.readback"}, t.Digits(candidate)...)
		key, err := p.Ask(ctx, t.Wait, append(prompts, "message.number.confirm")...)
		if err != nil {
			return candidate, false, err
		}
		switch key {
		case '1', '#':
			return candidate, true, nil
		case '2':
			candidate = ""
		case Silence:
			if try > 0 {
				return candidate, false, nil
			}
		}
	}
	if !plausible(candidate) {
		candidate = ""
	}
	return candidate, false, nil
}

// collect takes keys up to # or a pause.
func (t MessageTaker) collect(ctx context.Context, p Phone) (string, error) {
	prompts := []string{"message.number.ask"}
	digits := ""
	for len(digits) < maxDigits {
		key, err := p.Ask(ctx, t.Wait, prompts...)
		if err != nil {
			return digits, err
		}
		if key == Silence || key == '#' {
			return digits, nil
		}
		if key == '*' { // start again
			digits = ""
			continue
		}
		digits += string(key)
		prompts = nil
	}
	return digits, nil
}

// review plays the message back on 1, says again on 2, and keeps it on
// anything else.
func (t MessageTaker) review(ctx context.Context, p Phone, name string) (again bool, err error) {
	key, err := p.Ask(ctx, t.Wait, "message.review")
	for listens := 0; err == nil && key == '1' && listens < recordTries; listens++ {
		key, err = p.Replay(ctx, name, t.Wait, "message.review")
	}
	return key == '2', err
}

func plausible(number string) bool {
	if len(number) < minDigits || len(number) > maxDigits {
		return false
	}
	for _, r := range number {
		if r < '0' || r > '9' {
			return false
		}
	}
	return true
}
