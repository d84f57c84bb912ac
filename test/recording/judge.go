package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"hotline/test/ear"
	"hotline/test/phone"
)

// verdict is how well a recording agrees with the phone.
type verdict struct {
	left, right   string        // "complete", or what is missing and what is too much
	drift         time.Duration // between the first and the last sound, or wherever it is largest
	durationError time.Duration // of the file against the wall clock
	stalls        []phone.Gap   // in what the caller was sent, where nothing should be missing
}

// stalled is how long a gap in the caller's RTP shows that the machine was held up.
const stalled = 60 * time.Millisecond

// near is how far a sound's ends may lie from where the phone had them, beside a
// constant shift: more than the 40 ms to which both are decoded.
const near = 100 * time.Millisecond

func (t *trial) judge(recorded ear.Recording, lasted time.Duration) verdict {
	heard := shifted(t.call.Transcript(), -t.began)
	heard = slices.DeleteFunc(heard, func(h ear.Heard) bool { return h.End < near })
	said := shifted(t.said, -t.began)
	shift := commonShift(recorded.Right, heard)
	left, d1 := compare(shifted(recorded.Left, -shift), said)
	right, d2 := compare(shifted(recorded.Right, -shift), heard)
	if t.verbose {
		fmt.Printf("\n%s\n said      %v\n left      %v\n heard     %v\n right     %v\n file %.3f s, wall clock %.3f s, shift %v\n", t.candidate.name,
			spans(said), spans(recorded.Left), spans(heard), spans(recorded.Right), recorded.Duration.Seconds(), lasted.Seconds(), shift)
	}
	v := verdict{left: left, right: right, drift: max(d1, d2), durationError: recorded.Duration - lasted}
	if t.candidate.quiet != nothing {
		v.stalls = t.call.Gaps(stalled)
	}
	if t.verbose {
		fmt.Printf(" stalls %v\n", v.stalls)
	}
	return v
}

func shifted(t ear.Transcript, by time.Duration) ear.Transcript {
	out := slices.Clone(t)
	for i := range out {
		out[i].At += by
		out[i].End += by
	}
	return out
}

// commonShift is how much later the recording has the first sound that both have.
func commonShift(recorded, heard ear.Transcript) time.Duration {
	for _, h := range heard {
		if same := recorded.Of(h.ID); len(same) > 0 {
			return same[0].At - h.At
		}
	}
	return 0
}

// compare says what of wanted is not in got, or not within half a second of
// where it should be, and what got has beside it.
func compare(got, wanted ear.Transcript) (string, time.Duration) {
	rest := slices.Clone(got)
	var missing []string
	var drift time.Duration
	for _, w := range wanted {
		i := slices.IndexFunc(rest, func(g ear.Heard) bool {
			return g.ID == w.ID && (g.At-w.At).Abs() < 5*near && (g.End-w.End).Abs() < 5*near
		})
		if i < 0 {
			missing = append(missing, w.ID)
			continue
		}
		drift = max(drift, (rest[i].At - w.At).Abs())
		rest = slices.Delete(rest, i, i+1)
	}
	if len(missing) == 0 && len(rest) == 0 {
		return complete, drift
	}
	return fmt.Sprintf("%d of %d lost or displaced (%s), %d too many", len(missing), len(wanted), brief(missing), len(rest)), drift
}

const complete = "complete"

func brief(ids []string) string {
	slices.Sort(ids)
	ids = slices.Compact(ids)
	if len(ids) > 3 {
		ids = append(slices.Clone(ids[:3]), "…")
	}
	return strings.Join(ids, " ")
}

func spans(t ear.Transcript) string {
	var parts []string
	for _, h := range t {
		parts = append(parts, fmt.Sprintf("%.2f–%.2f %s", h.At.Seconds(), h.End.Seconds(), h.ID))
	}
	return strings.Join(parts, "  ")
}
