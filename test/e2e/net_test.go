package e2e

import (
	"testing"
	"time"

	"hotline/call"
	"hotline/configs"
	"hotline/queue"
	"hotline/test/ear"
	"hotline/test/phone"
	"hotline/test/stand"
)

// handOver is how long a caller in the net may wait for a service that is
// ready: one try of the dialplan's and a moment.
const handOver = 2500 * time.Millisecond

// launched starts the service and returns when it was ready.
func (w *world) launched() time.Time {
	w.t.Helper()
	if err := w.Serve(w.ctx, stand.StartClock); err != nil {
		w.t.Fatalf("%v\n%s", err, w.ServiceLog())
	}
	return time.Now()
}

// The service is away: the caller is answered, hears the tone and the apology
// on its clock, and is served as soon as the service is there (A3, C3, D1).
func TestCallerIsHandedToTheServiceWhenItComes(t *testing.T) {
	t.Parallel()
	w := idleWorld(t, 2*time.Minute, stand.Options{})
	v := w.visitor()
	tone := v.hears(ear.HoldTone)
	answer := v.call.Times().Answered.Sub(v.call.Start())
	t.Logf("answered after %.3f s, tone at %.3f s", answer.Seconds(), tone.At.Seconds())
	apology := v.hears("hold.apology")
	w.hears(v.call, ear.HoldTone, apology.End)
	v.onClock(tone.At, 1, nil)

	ready := v.call.Since(w.launched())
	desk := w.agent("1001", phone.AnswerAfter(0))
	spoken := v.hears("apology.late") // it is a late answer (B1)
	t.Logf("the service was ready at %.3f s and spoke at %.3f s", ready.Seconds(), spoken.At.Seconds())
	if late := spoken.At - ready; late > handOver {
		t.Errorf("the caller heard the service %v after it was ready, want at most %v", late, handOver)
	}
	v.key("menu.main", "0")
	agent := w.answered(desk)
	v.hears("voice.agent")
	w.hears(agent, "voice.caller", 0)
	v.steady(tone.At, v.now())
	t.Logf("heard: %s", v.call.Transcript())
	v.hangup()
	w.ended(agent)
	told := v.wantEnd(call.Served, "talked", callerPressed, "caller: "+callerPressed, "agent 1001: "+serviceDid)
	if answered := decoded[call.Answered](t, told.of(call.KindAnswered)[0]); !answered.ByNet || answered.After < 30 {
		t.Errorf("the journal says %+v, want an answer by the net", answered)
	}
}

// The service stays away: the agents' phones are rung without it, and in the
// end the caller is told.
func TestAgentsAreRungWithoutTheServiceThenSorry(t *testing.T) {
	t.Parallel()
	w := idleWorld(t, 2*time.Minute, stand.Options{Configure: func(cfg *configs.Config) {
		cfg.Asterisk.Net.FallbackAfter.Duration = 6 * time.Second
		cfg.Asterisk.Net.Round.Duration = 15 * time.Second
		cfg.Asterisk.Net.FallbackRounds = 2
	}})
	desk := w.desk("1001", phone.RingForEver())
	v := w.visitor()
	tone := v.hears(ear.HoldTone)
	rings := v.call.Since(w.incoming(desk).Start())
	t.Logf("the agent's phone rang after %.2f s", (rings - tone.At).Seconds())
	if off := rings - tone.At - 6*time.Second; off.Abs() > 1500*time.Millisecond {
		t.Errorf("the agent's phone rang after %v, want 6 s", rings-tone.At)
	}
	apology := v.hears("hold.apology")
	v.onClock(tone.At, 1, nil)
	sorry := v.hears("service.unavailable")
	if sorry.At < apology.At {
		t.Errorf("the caller was sent away at %v, before the first apology", sorry.At)
	}
	end := w.ended(v.call)
	t.Logf("sorry at %.2f s, the end at %.2f s: %v", (sorry.At - tone.At).Seconds(), end.At.Seconds(), end)
	v.steady(tone.At, sorry.At)
	heard := v.call.Transcript()
	if last := heard[len(heard)-1]; last.ID != "service.unavailable" || !last.Finished || end.By != phone.Them {
		t.Errorf("the call ended with %v after %s", end, heard)
	}
}

// An agent who took a call without the service keeps it when the service
// comes, and the other caller does not get that agent's ear.
func TestATalkOfTheNetGoesOnWhenTheServiceComes(t *testing.T) {
	t.Parallel()
	w := idleWorld(t, 2*time.Minute, stand.Options{Configure: func(cfg *configs.Config) {
		cfg.Asterisk.Net.FallbackAfter.Duration = 4 * time.Second
	}})
	desk := w.desk("1001", phone.AnswerAfter(time.Second))
	v := w.visitor()
	agent := w.answered(desk)
	v.hears("voice.agent")
	w.hears(agent, "voice.caller", 0)
	w.launched()
	came := v.now()
	w.passes(4 * time.Second) // two tries of the dialplan's
	if heard := v.call.Transcript().Prompts().Between(came, v.now()); len(heard) > 0 {
		t.Errorf("the service spoke into the talk: %v", heard)
	}
	hangUp(w, agent)
	closing := "closing.day"
	if hour := time.Now().In(configs.Default().Service.Timezone.Location).Hour(); hour >= 20 || hour < 5 {
		closing = "closing.night" // Asterisk goes by the machine's clock
	}
	v.hears(closing)
	if end := w.ended(v.call); end.By != phone.Them {
		t.Errorf("the call ended with %v", end)
	}
}

// The service is killed while callers wait and talk, and started again: nobody
// hears it (C3). The one who waits keeps the place and the clock of the
// apologies; the talk is watched again, so that its end is noticed.
func TestServiceKilled(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 4*time.Minute, nil)
	desk := w.agent("1001", phone.AnswerAfter(0))
	talking := w.visitor()
	talking.key("menu.main", "0")
	agent := w.answered(desk)
	waiting := w.visitor()
	waiting.key("menu.main", "0")
	joined := waiting.hears("queue.joined")
	w.hears(talking.call, "agent.after", 0)
	w.passes(5 * time.Second)

	killed := waiting.now()
	if err := w.Kill(); err != nil {
		t.Fatal(err)
	}
	w.hears(waiting.call, "hold.apology", joined.At+seconds(55))
	silences := talking.call.Transcript().Silences(talking.hears("voice.agent").At, talking.now(), time.Second)
	if len(silences) > 0 || !agent.Up() {
		t.Errorf("the talk did not outlive the service: %v", silences)
	}
	ready := waiting.call.Since(w.launched())
	t.Logf("killed at %.2f s, ready again at %.2f s", killed.Seconds(), ready.Seconds())
	w.await("the agent is known to talk", func() bool { return w.stateOf("1001") == queue.StateTalking })
	w.hears(waiting.call, "hold.apology", joined.At+seconds(85))
	waiting.onClock(joined.At, 3, nil)
	waiting.steady(joined.At, waiting.now())
	if heard := talking.call.Transcript().Prompts().Between(talking.call.Since(waiting.call.Start().Add(ready)), talking.now()); len(heard) > 0 {
		t.Errorf("the service spoke into a talk when it came back: %v", heard)
	}

	desk.SetIncoming(phone.AnswerAfter(0))
	hangUp(w, agent)
	w.hears(talking.call, "rating.ask", talking.call.Since(waiting.call.Start().Add(ready)))
	talking.hangup()
	next := w.answered(desk)
	w.hears(waiting.call, "voice.agent", ready)
	w.hears(next, "voice.caller", 0)
	waiting.hangup()
	for _, v := range []*visit{talking, waiting} {
		if s := v.summary(mask(v.number)); s.Outcome.Result != call.Served {
			t.Errorf("%s ended as %+v: both were served, a restart in between or not", v.number, s.Outcome)
		}
	}
}
