package e2e

import (
	"testing"
	"time"

	"hotline/call"
	"hotline/configs"
	"hotline/journal"
	"hotline/test/ear"
	"hotline/test/phone"
)

// callsAgain is a second call of a number, from a phone of its own.
func (w *world) callsAgain(number string) *visit {
	w.t.Helper()
	p := w.caller(phone.Options{Voice: voices["caller"], Number: number})
	return &visit{w, number, p, w.dial(p)}
}

// Who is cut off and calls again before Asterisk takes the line for dead is with the same agent once it does; a second
// call of a number whose first caller just says nothing harms nobody.
func TestWhoCallsAgainAtOnceIsKnown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3*time.Minute, func(cfg *configs.Config) {
		cfg.Asterisk.RTPTimeout.Duration = 30 * time.Second
		cfg.Queues[0].WrapUp.Duration = time.Second
	})
	desk := w.agent("1001", phone.AnswerAfter(0))

	number := newNumber()
	v, a := w.talk(w.caller(phone.Options{Voice: voices["caller"], Number: number}), number, desk)
	w.passes(2 * time.Second)
	v.call.StopRTP()
	back := w.callsAgain(number)
	back.key("menu.main", "0")
	back.hears(ear.HoldTone)
	if !a.Up() {
		t.Error("the talk was ended before Asterisk had noticed that the line is dead")
	}
	w.ended(a)
	w.ended(v.call)
	back.hears("return.agent")
	a = w.incoming(desk)
	back.hears("voice.agent")
	var first call.Ended
	for _, e := range w.read(journal.Query{Kinds: []string{call.KindEnded}}) {
		if err := e.Decode(&first); err != nil {
			t.Fatal(err)
		}
	}
	if first.HungUp != "caller line-failed (proven)" {
		t.Errorf("the first call ended by %s: %+v", first.HungUp, first.Legs)
	}
	back.hangup()
	w.ended(a)

	number = newNumber()
	v, a = w.talk(w.caller(phone.Options{Voice: voices["caller"], Number: number}), number, desk)
	v.call.SetDTX(true)
	v.call.Quiet()
	w.passes(3 * time.Second)
	other := w.callsAgain(number)
	other.hears("menu.main")
	if !v.call.Up() || !a.Up() {
		t.Error("a caller who said nothing was cut off by a second call of the number")
	}
	other.hangup()
	v.call.Speak()
	w.hears(a, "voice.caller", since(a)-time.Second)
	v.hangup()
	w.ended(a)
	w.nothingLeft()
	w.must("audit")
}
