package call_test

import (
	"testing"
	"time"

	"hotline/ari/aritest"
	"hotline/call"
)

// Who calls again while the line of a talk is dead goes back to the same agent, and is not dialled: the first call is
// ended as a failed line before Asterisk notices.
func TestWhoCallsAgainBeforeTheDeadLineIsNoticed(t *testing.T) {
	h, caller := talkWith(t, aritest.Caller{Number: theirNumber}, mayBeDialled(theirNumber))
	h.asterisk.Phone(theirPhone, answers)
	caller.GoSilent()
	again := h.arrives(theirNumber, "return.agent")
	h.wantLegs(h.outcome(), "caller: caller line-failed (inferred)", "agent 1001: service command (proven)")
	h.talks(again)
	if back := decoded[call.Returned](h.journal, call.KindReturned); len(back) != 1 || !back[0].Place.Head || back[0].Place.Prefer != "1001" {
		t.Errorf("the journal has %+v, want the head of the line and the agent of before", back)
	}
	if begun, _ := h.journal.redials(); len(begun) > 0 || len(h.asterisk.At(theirPhone)) > 0 {
		t.Errorf("the caller was dialled, too: %+v", begun)
	}
	if played(again, "menu.main") {
		t.Errorf("the caller who came back heard %v", again.Played())
	}
}

// A second call of a number harms nobody whose line may be alive.
func TestASecondCallOfANumberHarmsNobody(t *testing.T) {
	for name, is := range map[string]func(first *aritest.Channel){
		"whose sound arrives":                  func(*aritest.Channel) {},
		"who has us on hold, for the second":   func(first *aritest.Channel) { first.Hold(); first.GoSilent() },
		"whose phone sends nothing when quiet": func(first *aritest.Channel) { first.Sends(0.5); first.GoSilent() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, first := talkWith(t, aritest.Caller{Number: theirNumber}, mayBeDialled(theirNumber))
			is(first)
			second := h.arrives(theirNumber, "menu.main")
			if ended := h.journal.ended(); len(ended) > 0 || len(first.Joined()) != 2 {
				t.Errorf("the first call was ended: %+v", ended)
			}
			if back := h.journal.streams(call.KindReturned); len(back) > 0 {
				t.Errorf("the second call is taken for the first: %v", back)
			}
			second.Bye()
		})
	}
}

// Where it cannot be known whether the line is dead, the second call waits as any other, until Asterisk has noticed:
// then it has the place and the agent of before. One that was there before the line can have gone dead is somebody
// else's, with the same number.
func TestWhoWaitsHasThePlaceOnceTheDeadLineIsNoticed(t *testing.T) {
	for name, timeout := range map[string]time.Duration{"who came then": time.Minute, "a colleague": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, first := talkWith(t, aritest.Caller{Number: theirNumber}, mayBeDialled(), func(o *call.Options) { o.RTPTimeout = timeout })
			first.Sends(0.5)
			first.GoSilent()
			other := h.waitsInLine("13900139000")
			second := h.waitsInLine(theirNumber)
			first.LoseLine()
			if timeout == 0 {
				h.talks(other)
				if back := h.journal.streams(call.KindReturned); len(back) > 0 || played(second, "return.agent") {
					t.Errorf("a colleague is taken for the caller who was cut off: %v", back)
				}
				return
			}
			h.until("the caller hears who takes the call", func() bool { return played(second, "return.agent") })
			if back := decoded[call.Returned](h.journal, call.KindReturned); len(back) != 1 || !back[0].Place.Head || back[0].Place.Prefer != "1001" {
				t.Errorf("the journal has %+v", back)
			}
		})
	}
}
