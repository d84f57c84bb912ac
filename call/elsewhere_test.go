package call_test

import (
	"errors"
	"testing"
	"time"

	"hotline/call"
	"hotline/queue"
)

// lostCalls is a queue that hears nothing of the service with the calls that agents are in.
type lostCalls struct{ *queue.Engine }

func (q lostCalls) Agents() []queue.AgentView {
	all := q.Engine.Agents()
	for i := range all {
		all[i].CallAway = all[i].State.InTalk()
	}
	return all
}

// Agents who count as talking with calls of a service that is not heard of are free again once their phones have no line:
// one has talked and wraps up, the phones of others had only rung, or not even that.
func TestTalksWithCallsOfAServiceThatIsNotHeardOf(t *testing.T) {
	h := newHotline(t, 1, func(o *call.Options) { o.Queue = lostCalls{o.Queue.(*queue.Engine)} })
	rules := h.queue.Rules()[0]
	rules.WrapUp, rules.WrapUpAtMost = time.Hour, time.Hour
	err := errors.Join(h.queue.SetRules(rules, "test"), h.queue.SetProfile(queue.Profile{ID: "1003", Number: "791", Queues: []string{"service"}}, "test"))
	if err != nil {
		t.Fatal(err)
	}
	talks, rings := h.asterisk.Elsewhere("PJSIP/1001", true), h.asterisk.Elsewhere("PJSIP/1002", false)
	for _, agent := range []string{"1001", "1002", "1003"} {
		h.asterisk.Phone("PJSIP/"+agent, answers)
		if err := errors.Join(h.queue.SignIn(agent), h.queue.Found(agent, "of theirs with "+agent, "service")); err != nil {
			t.Fatal(err)
		}
	}
	is := func(agent string, want queue.State) func() bool {
		return func() bool { v, _ := h.queue.Agent(agent); return v.State == want }
	}
	h.until("the agent without a line is ready", is("1003", queue.StateReady))
	for _, agent := range []string{"1001", "1002"} {
		if !is(agent, queue.StateTalking)() {
			t.Errorf("agent %s, whose phone has a line, does not count as talking any more", agent)
		}
	}
	rings.Bye()
	h.until("the agent whose phone has stopped ringing is ready", is("1002", queue.StateReady))
	if !is("1001", queue.StateTalking)() {
		t.Error("the agent who talks does not count as talking any more")
	}
	talks.Bye()
	h.until("the agent who has talked wraps up", is("1001", queue.StateWrapUp))
}
