package main

import (
	"fmt"
	"math"
	"slices"
	"time"

	"hotline/call"
	"hotline/test/ear"
)

// evidence is what the verdicts are drawn from.
type evidence struct {
	*scene
	summary     call.Summary
	heard       ear.Transcript
	recording   ear.Recording
	noRecording error
}

// standard is one rule and how it is judged: from what was heard, and not
// from what the service says of itself, wherever it can be heard.
type standard struct {
	id, rule string
	judge    func(*evidence) (got string, ok bool)
}

var standards = []standard{
	{"B1", "answered within three rings (15 s)", func(e *evidence) (string, bool) {
		times := e.caller.Times()
		after := times.Answered.Sub(times.Invite)
		return fmt.Sprintf("after %.2f s", after.Seconds()), after < 15*time.Second
	}},
	{"A3", "the first sound follows the answer at once", func(e *evidence) (string, bool) {
		after := e.heard[0].At - e.caller.Since(e.caller.Times().Answered)
		return fmt.Sprintf("%d ms", after.Milliseconds()), after < 300*time.Millisecond
	}},
	{"B2 C1", "greeted for the hour or the festival", func(e *evidence) (string, bool) {
		return e.heard[0].ID, len(e.summary.Greeting) > 0 && slices.Contains(e.summary.Greeting, e.heard[0].ID)
	}},
	{"C3", "waiting: the apology begins at 30 s", func(e *evidence) (string, bool) {
		joined := e.heard.Of("queue.joined")
		apologies := e.heard.Of("hold.apology").Between(0, e.held)
		return clocks(joined, apologies)
	}},
	{"C9", "the agent's number is said, 789", func(e *evidence) (string, bool) {
		want := []string{"agent.before", "digit.7", "digit.8", "digit.9", "agent.after"}
		prompts := e.heard.Prompts().IDs()
		at := slices.Index(prompts, want[0])
		return fmt.Sprint(want), at >= 0 && len(prompts) >= at+len(want) && slices.Equal(prompts[at:at+len(want)], want)
	}},
	{"C3", "on hold: the apology begins at 30 s of the hold", func(e *evidence) (string, bool) {
		tone := e.heard.Of("hold.tone").Between(e.held-time.Second, e.resumed)
		return clocks(tone[:min(1, len(tone))], e.heard.Of("hold.apology").Between(e.held, e.resumed))
	}},
	{"A3", "no silent second while the caller waits or holds", func(e *evidence) (string, bool) {
		begin := e.heard[0].At
		silences := e.heard.Silences(begin, e.heard[len(e.heard)-1].End, time.Second)
		return fmt.Sprintf("%d silences", len(silences)), len(silences) == 0
	}},
	{"A11", "a rating was invited, and kept", func(e *evidence) (string, bool) {
		return fmt.Sprintf("%d", e.summary.Rating), e.summary.Rating == 5 && len(e.heard.Of("rating.thanks")) == 1
	}},
	{"C7", "our side ends with the closing phrase", func(e *evidence) (string, bool) {
		last := e.heard[len(e.heard)-1]
		return last.ID, last.Finished && (last.ID == "closing.day" || last.ID == "closing.night")
	}},
	{"B4 E1", "who hung up first is proven", func(e *evidence) (string, bool) {
		return e.summary.HungUp, e.summary.HungUp == "agent pressed (proven)"
	}},
	{"recorded", "as long as the clock says, within 0.1 s", func(e *evidence) (string, bool) {
		r := e.summary.Recording
		if r == nil || e.noRecording != nil {
			return fmt.Sprint("no recording: ", e.noRecording), false
		}
		return fmt.Sprintf("%.2f s of %.2f s", r.Seconds, r.Expected), math.Abs(r.Seconds-r.Expected) <= 0.1 && r.Gap == ""
	}},
	{"recorded", "both sides, prompts included", func(e *evidence) (string, bool) {
		said, heard := e.recording.Left.Of("voice.caller"), e.recording.Right
		ok := len(said) > 0
		for _, id := range []string{"menu.main", "hold.apology", "voice.agent", "agent.after", "rating.ask"} {
			ok = ok && len(heard.Of(id)) > 0
		}
		return fmt.Sprintf("%d sounds", len(said)+len(heard)), ok
	}},
}

// clocks says how long after the start of a wait its first apology began.
func clocks(start, apologies ear.Transcript) (string, bool) {
	if len(start) == 0 || len(apologies) == 0 {
		return "not heard", false
	}
	after := apologies[0].At - start[0].At
	return fmt.Sprintf("at %.2f s", after.Seconds()), (after - 30*time.Second).Abs() <= 500*time.Millisecond
}
