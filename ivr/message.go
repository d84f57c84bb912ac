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

// Take confirms or asks for the number, records, and lets the caller listen,
// record again or keep it. A caller who just hangs up has left the message:
// what was recorded is returned together with the cause.
func (t MessageTaker) Take(ctx context.Context, p Phone, callerNumber, recording string) (Message, error) {
	number, confirmed, err := t.number(ctx, p, callerNumber)
	m := Message{Number: number, Confirmed: confirmed}
	if err != nil {
		return m, err
	}
	for take := 1; take <= recordTries; take++ {
		if err := p.Say(ctx, "message.record", "beep"); err != nil {
			return m, err
		}
		name := fmt.Sprintf("%s-%d", recording, take)
		rec, err := p.Record(ctx, RecordOptions{Name: name, MaxLength: t.MaxLength, MaxSilence: t.MaxSilence})
		enough := rec.Unknown || rec.Duration >= t.MinLength
		if enough {
			m.Recording, m.Duration = rec.Name, rec.Duration
		}
		if err != nil {
			return m, err
		}
		if !enough {
			if err := p.Say(ctx, "message.too_short"); err != nil {
				return m, err
			}
			continue
		}
		again, err := t.review(ctx, p, rec.Name)
		if err != nil || !again {
			return m, err
		}
	}
	return m, nil
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
