package phone

import (
	"context"
	"time"
)

// Behaviour is what a phone does with an incoming call. It runs in its own
// goroutine until the call ends, when ctx is cancelled.
type Behaviour func(ctx context.Context, c *Call)

// RingForEver rings and never answers.
func RingForEver() Behaviour {
	return func(_ context.Context, c *Call) { _ = c.Ring() } // the call may have ended meanwhile
}

// AnswerAfter rings for d and answers.
func AnswerAfter(d time.Duration) Behaviour {
	return after(d, func(ctx context.Context, c *Call) error { return c.Answer(ctx) })
}

// DeclineAfter rings for d and refuses with a SIP status, 486 or 480.
func DeclineAfter(d time.Duration, code int) Behaviour {
	return after(d, func(_ context.Context, c *Call) error { return c.Decline(code) })
}

// after rings for d. Errors mean that the call ended first, which the call tells.
func after(d time.Duration, then func(context.Context, *Call) error) Behaviour {
	return func(ctx context.Context, c *Call) {
		if d > 0 {
			_ = c.Ring()
			timer := time.NewTimer(d)
			defer timer.Stop()
			select {
			case <-timer.C:
			case <-ctx.Done():
				return
			}
		}
		_ = then(ctx, c)
	}
}
