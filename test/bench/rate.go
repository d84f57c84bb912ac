package main

import (
	"context"
	"fmt"
)

// highest looks for the highest rate, in calls a second, at which at most one call in a thousand is not served: upwards
// in steps of a quarter until one fails, then once in between. Each step has a turn of its own, so that what a step
// leaves behind does not spoil the next.
func (f *field) highest(ctx context.Context, c contestant, l load, from, seconds int) (clean int, err error) {
	const most = 400
	holds := func(rate int) (bool, error) {
		l.crowd = crowd{perSecond: rate, calls: rate * seconds}
		o, err := f.calls(ctx, c, bare, l)
		if err != nil {
			return false, fmt.Errorf("at %d calls/s: %w", rate, err)
		}
		say("    %d calls/s: %d of %d not served, %d messages repeated", rate, o.failed(), o.made, o.repeated)
		return o.failed()*1000 <= o.made, nil
	}
	rate := from
	for ; rate <= most; rate += rate / 4 {
		held, err := holds(rate)
		if err != nil {
			return clean, err
		}
		if !held {
			break
		}
		clean = rate
	}
	if between := (clean + rate) / 2; clean > 0 && rate <= most {
		held, err := holds(between)
		if err != nil {
			return clean, err
		}
		if held {
			clean = between
		}
	}
	return clean, nil
}
