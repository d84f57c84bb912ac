package call_test

import (
	"strings"
	"testing"
	"time"

	"hotline/ari/aritest"
	"hotline/call"
)

// A second call of a number harms nobody: the line of the first may be alive.
func TestASecondCallOfANumberHarmsNobody(t *testing.T) {
	h, first := talkWith(t, aritest.Caller{Number: theirNumber}, mayBeDialled(theirNumber))
	second := h.waitsInLine(theirNumber)
	if ended := h.journal.ended(); len(ended) > 0 || len(first.Joined()) != 2 {
		t.Errorf("the first call was ended: %+v", ended)
	}
	if back := h.journal.streams(call.KindReturned); len(back) > 0 || played(second, "return.agent") {
		t.Errorf("the second call is taken for the first: %v", back)
	}
}

// Who calls again while the line of a talk is dead has the place and the agent of before once Asterisk has noticed, and
// is not dialled: not while in line, and not before. Whoever was there before the line can have gone dead is somebody
// else, with the same number.
func TestWhoHasCalledAgainWhenTheDeadLineIsNoticed(t *testing.T) {
	for name, tt := range map[string]struct {
		timeout time.Duration // Asterisk's
		inLine  bool
	}{
		"and is in line":              {time.Minute, true},
		"and is in the menu":          {time.Minute, false},
		"a colleague, in line before": {0, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			colleague := tt.timeout == 0
			h, first := talkWith(t, aritest.Caller{Number: theirNumber}, mayBeDialled(theirNumber), func(o *call.Options) { o.RTPTimeout = tt.timeout })
			h.asterisk.Phone(theirPhone, aritest.Phone{Does: aritest.Busy})
			other := h.waitsInLine("13900139000")
			second := h.arrives(theirNumber, "menu.main")
			if tt.inLine {
				second.Press("0")
				h.until("the tone plays", func() bool { return played(second, "hold.tone.30") })
			}
			first.LoseLine()
			h.until("the call has ended", func() bool { return len(h.journal.ended()) == 1 })
			begun, _ := h.journal.redials()
			if colleague {
				h.talks(other)
				if back := h.journal.streams(call.KindReturned); len(back) > 0 || played(second, "return.agent") {
					t.Errorf("a colleague is taken for the caller who was cut off: %v", back)
				}
				if len(begun) != 1 {
					t.Error("the caller who was cut off is not dialled: a colleague with the same number waits")
				}
				return
			}
			if !tt.inLine {
				second.Press("0")
			}
			h.until("the caller hears who takes the call", func() bool { return played(second, "return.agent") })
			if back := decoded[call.Returned](h.journal, call.KindReturned); len(back) != 1 || !back[0].Place.Head || back[0].Place.Prefer != "1001" {
				t.Errorf("the journal has %+v, want the head of the line and the agent of before", back)
			}
			for _, r := range h.asterisk.Requests() {
				if strings.Contains(r.Body, "@trunk") {
					t.Errorf("the number was dialled whose owner is on the line: %s", r.Body)
				}
			}
			if len(begun) > 0 {
				t.Errorf("the journal has a redial: %+v", begun)
			}
		})
	}
}
