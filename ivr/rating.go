package ivr

import (
	"context"
	"time"
)

// Rating is the caller's answer to the question after the call (A11).
type Rating struct {
	Score   int    // 1 to 5; 0 when none was given
	Outcome string // "given", "wrong" (only other keys), "absent"
}

// Rate asks for a score from 1 to 5, at least once. A wrong key is said to be
// wrong and the question asked again, tries times in all; a caller who presses
// nothing is not pestered. The thanks are the farewell's.
func Rate(ctx context.Context, p Phone, wait time.Duration, tries int) (Rating, error) {
	outcome := "absent"
	prompt := "rating.ask"
	for range max(tries, 1) {
		key, err := p.Ask(ctx, wait, prompt)
		switch {
		case err != nil:
			return Rating{Outcome: outcome}, err
		case key >= '1' && key <= '5':
			return Rating{Score: int(key - '0'), Outcome: "given"}, nil
		case key == Silence:
			return Rating{Outcome: outcome}, nil
		}
		outcome, prompt = "wrong", "rating.wrong"
	}
	return Rating{Outcome: outcome}, nil
}
