package e2e

import (
	"testing"
	"time"

	"hotline/test/phone"
)

func TestTheWholeLifeOfACall(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3*time.Minute, nil)
	desk := w.agent("1001", phone.AnswerAfter(3*time.Second))
	caller := w.dial(w.caller(phone.Options{Voice: voices["caller"]}))
	menu := w.hears(caller, "menu.main", 0)
	w.keys(caller, "0")
	w.hears(caller, "queue.joined", menu.At)
	agent := w.incoming(desk)
	if err := agent.WaitAnswered(w.ctx); err != nil {
		t.Fatal(err)
	}
	w.hears(caller, "voice.agent", 0)
	t.Logf("agent's phone shows %q %q", agent.RemoteName(), agent.RemoteNumber())
	w.hears(agent, "voice.caller", 0)
	if err := agent.Hangup(w.ctx); err != nil {
		t.Fatal(err)
	}
	w.hears(caller, "rating.ask", 0)
	w.keys(caller, "5")
	w.hears(caller, "closing.day", 0)
	end := w.ended(caller)
	t.Logf("%v", end)
	t.Logf("caller heard: %s", caller.Transcript())
	t.Logf("agent heard: %s", agent.Transcript())
	s := w.summary("138****8000")
	t.Logf("%+v", s)
	t.Log(w.must("call", s.ID))
}
