package faults_test

import (
	"slices"
	"testing"
	"time"

	"hotline/test/ear"
	"hotline/test/faults"
	"hotline/test/phone"
)

// An undisturbed call through the proxy is as without it, and the proxy knows every boundary that it passes.
func TestTheProxyKnowsTheBoundariesOfACall(t *testing.T) {
	t.Parallel()
	w := newWorld(t, time.Minute, nil)
	number := "13800000001"
	w.wholeCall(number)
	s := w.summary(number)
	if s.Outcome.Result != "served" || s.Rating != 5 {
		t.Errorf("the call ended as %+v rated %d, want served, 5", s.Outcome, s.Rating)
	}
	passed := w.wire.Boundaries(number)
	for _, b := range passed {
		t.Log(b)
	}
	for _, want := range []faults.Boundary{
		{Side: faults.Before, What: "event StasisStart {caller}", Nth: 1},
		{Side: faults.After, What: "POST /channels/{caller}/answer", Nth: 1},
		{Side: faults.Before, What: "POST /channels/{caller}/play greeting.morning", Nth: 1},
		{Side: faults.After, What: "POST /channels/{caller}/continue", Nth: 1},
		{Side: faults.Before, What: "event PlaybackFinished {menu.main}", Nth: 1},
		{Side: faults.After, What: "POST /channels/{agent}/dial", Since: "offered", Nth: 1},
		{Side: faults.Before, What: "POST /bridges/{bridge}/addChannel", Since: "answered", Nth: 1},
		{Side: faults.Before, What: "event ChannelHold {agent}", Since: "held", Nth: 1},
		{Side: faults.After, What: "POST /bridges/{bridge}/addChannel", Since: "resumed", Nth: 1},
		{Side: faults.After, What: "DELETE /bridges/{bridge}", Since: "left", Nth: 1},
		{Side: faults.Before, What: "POST /channels/{caller}/play rating.ask", Since: "left", Nth: 1},
		{Side: faults.After, What: "DELETE /channels/{caller}", Since: "left", Nth: 1},
	} {
		if !slices.Contains(passed, want) {
			t.Errorf("the boundary %q was not passed, or not recognised", want)
		}
	}
}

// wholeCall is a call from greeting to farewell, with a hold in its middle.
func (w *world) wholeCall(number string) *phone.Call {
	w.t.Helper()
	desk := w.desk("1001", phone.AnswerAfter(300*time.Millisecond))
	c, agent := w.talks(number, desk)
	told := w.hears(c, "agent.after", 0)
	if err := agent.Hold(w.ctx); err != nil {
		w.t.Fatal(err)
	}
	tone := w.hears(c, ear.HoldTone, told.At)
	w.await("the tone has sounded for half a second", func() bool {
		heard := c.Transcript().Of(ear.HoldTone)
		return heard[len(heard)-1].Duration() >= 500*time.Millisecond
	})
	if err := agent.Unhold(w.ctx); err != nil {
		w.t.Fatal(err)
	}
	w.hears(c, "voice.agent", tone.At)
	w.hangup(agent)
	w.hears(c, "rating.ask", 0)
	w.keys(c, "5")
	w.hears(c, "closing.day", 0)
	w.ended(c)
	return c
}
