package faults_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"hotline/call"
	"hotline/configs"
	"hotline/queue"
	"hotline/test/ear"
	"hotline/test/phone"
)

// Asterisk crashes under callers who talk, hold, wait, choose and leave a message. The service never exits; five seconds
// after Asterisk's return no agent is held by a talk that is none; every call has one end that blames nobody; what was
// recorded until the crash is kept, and what is missing is named.
func TestAsteriskCrashesUnderLiveCalls(t *testing.T) {
	t.Parallel()
	const talks = 4
	w := newWorld(t, 2*time.Minute, func(cfg *configs.Config) { cfg.Queues[0].WrapUp.Duration = 0 })
	pid := w.PID()
	desks := make([]*desk, talks)
	talking := make([]*phone.Call, talks)
	for i := range desks {
		desks[i] = w.desk(fmt.Sprint(1001+i), phone.AnswerAfter(0))
	}
	talkers := w.inMenu("13800000031", "13800000032", "13800000033", "13800000034")
	for i, c := range talkers {
		w.keys(c, "0")
		talking[i] = c
	}
	for _, c := range talking {
		w.hears(c, "agent.after", 0)
	}
	held := w.incoming(desks[0])
	w.try(held.Hold(w.ctx))
	others := w.inMenu("13800000035", "13800000036", "13800000037")
	waiting, speaking := others[0], others[2] // the one between them is in the menu
	w.keys(waiting, "0")
	w.hears(waiting, ear.HoldTone, 0)
	w.keys(speaking, "8")
	w.hears(speaking, "message.number.readback", 0)
	w.keys(speaking, "1")
	w.hears(speaking, "beep", 0)
	w.pass(3 * time.Second)

	w.try(w.Crash())
	crashed := time.Now()
	noticed := w.unready()
	w.try(w.Start(w.ctx))
	returned := time.Now()
	free := make([]time.Duration, talks)
	w.each(talks, func(i int) {
		w.becomes(desks[i].id, queue.StateReady)
		free[i] = time.Since(returned)
	})
	t.Logf("the crash was noticed after %v; Asterisk was back after %v; agents were free so long after its return: %v",
		noticed.Round(time.Millisecond), returned.Sub(crashed).Round(time.Millisecond), free)
	for i, after := range free {
		if after > 5*time.Second {
			t.Errorf("agent %s was free %v after Asterisk's return, want within 5 s", desks[i].id, after)
		}
	}
	if !w.Runs() || w.PID() != pid {
		t.Error("the service has ended")
	}

	lost := w.outage()
	for i, stage := range []string{"hold", "talk", "talk", "talk", "wait", "menu", ""} { // the last has left a message
		number := fmt.Sprintf("138000000%d", 31+i)
		s := w.summary(number)
		if got := lost[number]; got.Stage != stage || stage != "" && (got.How != call.Lost || got.At.IsZero()) {
			t.Errorf("`hotline outage` says of the call from %s %+v, want it lost in the stage %q, with the time", number, got, stage)
		}
		t.Logf("%s: %+v, hung up by %q, recording %+v", number, s.Outcome, s.HungUp, s.Recording)
		if strings.Contains(s.HungUp, string(call.Proven)) {
			t.Errorf("the call from %s is said to be hung up by %s: nobody did", number, s.HungUp)
		}
		if s.Recording == nil || s.Recording.File == "" || s.Recording.Gap == "" || s.Recording.Seconds < 2 {
			t.Errorf("the recording of the call from %s is %+v, want what there was until the crash, and a gap that is named", number, s.Recording)
		}
	}
}

// outage lists the callers whom `hotline outage` has called back, by number.
func (w *world) outage() map[string]call.OutageCall {
	w.t.Helper()
	list := map[string]call.OutageCall{}
	text := w.must("outage", "--json", "--since", "100000h") // the service's clock is set to long ago
	for decoder := json.NewDecoder(strings.NewReader(text)); decoder.More(); {
		var one call.OutageCall
		w.try(decoder.Decode(&one))
		list[one.Number] = one
	}
	return list
}
