package e2e

import (
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

const (
	clockTolerance = 500 * time.Millisecond // of an apology (C3)
	joinTolerance  = 200 * time.Millisecond // from an answer to hearing each other (C9)
	wrapTolerance  = 500 * time.Millisecond // of an agent's time after a call
)

// The clock of the apology belongs to the caller: agents ring, refuse, are
// away or cannot be reached, and it goes on, as the caller's place does
// (A3, B1, C3, D1). Then one answers (C9).
func TestWaitGoesFromAgentToAgentOnTheClock(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 4*time.Minute, func(cfg *configs.Config) {
		cfg.Queues[0].DeclinePause.Duration = 4 * time.Second
		cfg.Queues[0].PositionEvery = 2
	})
	w.must("agent", "sign-in", "1003") // without a phone
	declines := w.agent("1001", phone.DeclineAfter(time.Second, 486))
	away := w.agent("1002", phone.RingForEver())

	first := w.visitor()
	first.key("menu.main", "0")
	joined := first.hears("queue.joined")
	second := w.visitor()
	second.key("menu.main", "0")
	secondJoined := second.hears("queue.joined")

	w.hears(first.call, "hold.apology", joined.At+seconds(115))
	declines.SetIncoming(phone.AnswerAfter(time.Second))
	agent := w.answered(declines)
	first.onClock(joined.At, 4, map[int][]string{1: {"queue.next"}, 3: {"queue.next"}})
	first.joinedWith(agent)
	first.hears("agent.after")
	first.introduced("789", agent)
	first.steady(joined.At, first.now())
	hangUp(w, agent)
	first.hears("closing.day")

	w.hears(second.call, "hold.apology", secondJoined.At+seconds(115))
	second.onClock(secondJoined.At, 4, map[int][]string{1: {"queue.position.one"}, 3: {"queue.position.one"}})
	second.steady(secondJoined.At, second.now())
	second.hangup()

	told := first.wantEnd(call.Served, "talked", agentPressed, "caller: "+serviceDid, "agent 1001: "+agentPressed)
	first.keptPlace(told)
	refusals := refusals(t, told)
	t.Logf("refusals: %v", refusals)
	for _, cause := range []string{"1001 declined", "1002 no-answer", "1003 unreachable"} {
		if refusals[cause] == 0 {
			t.Errorf("no offer ended with %q: %v", cause, refusals)
		}
	}
	awayTooOften(t, w, away, "1002")
	w.nothingLeft()
}

// onClock says that apologies began at 30, 60, 90 … s of a wait, and what
// followed each.
func (v *visit) onClock(began time.Duration, count int, spoken map[int][]string) {
	v.t.Helper()
	var heard []ear.Heard
	for _, h := range v.call.Transcript().Prompts() {
		if h.At >= began && h.ID != ear.HoldTone {
			heard = append(heard, h)
		}
	}
	nth := 0
	for i, h := range heard {
		if h.ID != "hold.apology" || nth == count {
			continue
		}
		nth++
		due := began + time.Duration(nth)*30*time.Second
		v.t.Logf("apology %d began at %.3f s of the wait", nth, (h.At - began).Seconds())
		if off := h.At - due; off.Abs() > clockTolerance {
			v.t.Errorf("apology %d began %v off its time", nth, off)
		}
		want := spoken[nth]
		var got []string
		for _, next := range heard[i+1:] {
			if next.ID == "hold.apology" || next.At > h.End+5*time.Second {
				break
			}
			got = append(got, next.ID)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			v.t.Errorf("with apology %d the caller heard %q, want %q", nth, got, want)
		}
	}
	if nth != count {
		v.t.Errorf("%d apologies, want %d: %s", nth, count, v.call.Transcript())
	}
	if v.t.Failed() {
		v.t.Logf("gaps between packets, which a machine that stands still leaves: %v", v.call.Gaps(200*time.Millisecond))
	}
}

// answered waits for a phone's first call that is answered.
func (w *world) answered(desk *phone.Phone) *phone.Call {
	w.t.Helper()
	for {
		c := w.incoming(desk)
		if c.WaitAnswered(w.ctx) == nil {
			return c
		}
	}
}

// joinedWith measures, from packets, how soon after the answer the tone has
// stopped and both hear each other.
func (v *visit) joinedWith(agent *phone.Call) {
	v.t.Helper()
	answer := agent.Times().Answered
	at := v.call.Since(answer)
	voice := v.world.hears(v.call, "voice.agent", at-joinTolerance)
	caller := v.world.hears(agent, "voice.caller", 0)
	delays := map[string]time.Duration{
		"the caller hears the agent": voice.At - at,
		"the agent hears the caller": caller.At - agent.Since(answer),
	}
	for _, h := range v.call.Transcript().Of(ear.HoldTone) {
		if h.At < at && h.End > at-time.Second {
			delays["the tone stops"] = h.End - at
		}
	}
	for what, d := range delays {
		v.t.Logf("%s %d ms after the answer", what, d.Milliseconds())
		if d > joinTolerance {
			v.t.Errorf("%s %v after the answer, want at most %v", what, d, joinTolerance)
		}
	}
}

// introduced says that the caller heard the agent's number, whole and at once.
func (v *visit) introduced(number string, agent *phone.Call) {
	v.t.Helper()
	at := v.call.Since(agent.Times().Answered)
	want := []string{"agent.before"}
	for _, d := range number {
		want = append(want, "digit."+string(d))
	}
	want = append(want, "agent.after")
	said := v.call.Transcript().Prompts().Between(at+1, v.now())
	if len(said) < len(want) || fmt.Sprint(said[:len(want)].IDs()) != fmt.Sprint(want) {
		v.t.Fatalf("the caller heard %v after the answer, want %v", said, want)
	}
	if late := said[0].At - at; late > joinTolerance {
		v.t.Errorf("the agent's number began %v after the answer, want at most %v", late, joinTolerance)
	} else {
		v.t.Logf("the agent's number began %d ms after the answer", late.Milliseconds())
	}
	for _, h := range said[:len(want)] {
		if !h.Began || (!h.Finished && h.ID != "agent.after") {
			v.t.Errorf("%s was not heard whole: %+v", h.ID, h)
		}
	}
}

// keptPlace says that the caller joined the line once and left it only for an
// agent.
func (v *visit) keptPlace(told story) {
	v.t.Helper()
	if joins, left := len(told.of(queue.KindJoined)), len(told.of(queue.KindLeft))+len(told.of(queue.KindLapsed)); joins != 1 || left != 0 {
		v.t.Errorf("the caller joined the line %d times and left it %d times:\n%s", joins, left, told)
	}
}

// refusals counts the offers that failed: "1001 declined".
func refusals(t *testing.T, told story) map[string]int {
	count := map[string]int{}
	for _, e := range told.of(queue.KindRefused) {
		c := decoded[queue.Change](t, e)
		count[c.Agent+" "+c.Cause]++
	}
	return count
}

// awayTooOften says that an agent who missed two offers in a row was rung no
// more, each time for three rings.
func awayTooOften(t *testing.T, w *world, desk *phone.Phone, id string) {
	t.Helper()
	for n := 1; n <= 2; n++ {
		c := w.incoming(desk)
		rang := w.ended(c).At
		t.Logf("offer %d to the agent who is away rang for %.2f s", n, rang.Seconds())
		if (rang - 15*time.Second).Abs() > time.Second {
			t.Errorf("the phone rang for %v, want three rings of 5 s", rang)
		}
	}
	status := w.must("agent", "list")
	if !strings.Contains(status, "no-answer") {
		t.Errorf("agent %s is not shown as out for missed offers:\n%s", id, status)
	}
}

// Who is served first, what callers hear of it, and an agent's time of their
// own after each call.
func TestOrderOfCallersAndWrapUp(t *testing.T) {
	t.Parallel()
	const wrapUp = 3 * time.Second
	w := newWorld(t, 3*time.Minute, func(cfg *configs.Config) {
		cfg.Queues[0].WrapUp.Duration = wrapUp
		main := cfg.Menus.Menus["main"]
		main.Keys["7"] = configs.Action{Queue: "service", Priority: 5}
		cfg.Menus.Menus["main"] = main
	})
	w.talkThrice()
	desk := w.agent("1001", phone.AnswerAfter(300*time.Millisecond))
	enter := func(key string) *visit {
		v := w.visitor()
		v.key("menu.main", key)
		return v
	}
	busy := enter("0")
	talk := w.answered(desk)
	busy.hears("voice.agent")

	first := enter("0")
	firstJoined := first.hears("queue.joined")
	second := enter("0")
	secondJoined := second.hears("queue.joined")
	gone := enter("0")
	gone.hears("queue.joined")
	w.hears(second.call, "queue.estimate.short", 0)
	gone.hangup()

	urgent := enter("9")
	urgent.hears("emergency.connecting")
	preferred := enter("7")
	preferred.hears("queue.joined")
	w.hears(second.call, "queue.estimate.*", secondJoined.At+seconds(60))
	first.onClock(firstJoined.At, 2, map[int][]string{
		1: {"queue.next", "queue.estimate.short"},
		2: {"queue.position.before", "number.liang", "queue.position.after", "queue.estimate.short"},
	})
	second.onClock(secondJoined.At, 2, map[int][]string{
		1: {"queue.position.one", "queue.estimate.short"},
		2: {"queue.position.before", "number.3", "queue.position.after", "queue.estimate.short"},
	})
	busy.hangup()
	w.ended(talk)

	free := talk.Times().Ended
	for n, v := range []*visit{urgent, preferred, first, second} {
		offer := w.answered(desk)
		if got, want := offer.RemoteNumber(), masked(v.number); got != want {
			t.Fatalf("caller %d to be served has the number %s, want %s", n+1, got, want)
		}
		rested := offer.Start().Sub(free)
		t.Logf("caller %d: the phone rings %.3f s after the call before; it shows %q %q", n+1, rested.Seconds(), offer.RemoteName(), offer.RemoteNumber())
		if rested < wrapUp || rested > wrapUp+wrapTolerance {
			t.Errorf("the agent's phone rang %v after the call before, want the wrap-up time %v", rested, wrapUp)
		}
		v.shownTo(offer)
		v.hears("voice.agent")
		v.steady(v.hears("menu.main").At, v.now())
		v.hangup()
		w.ended(offer)
		free = offer.Times().Ended
	}
	gone.wantEnd(call.Abandoned, "wait", callerPressed, "caller: "+callerPressed)
	first.keptPlace(first.wantEnd(call.Served, "talked", callerPressed, "caller: "+callerPressed, "agent 1001: "+serviceDid))
}

// talkThrice lets three agents have a short talk each and go home: from then
// on a wait can be estimated.
func (w *world) talkThrice() {
	w.t.Helper()
	var visits []*visit
	var desks []*phone.Phone
	for _, id := range []string{"1002", "1003", "1004"} {
		desks = append(desks, w.agent(id, phone.AnswerAfter(0)))
	}
	for range desks {
		v := w.visitor()
		v.key("menu.main", "0")
		visits = append(visits, v)
	}
	for _, v := range visits {
		v.hears("voice.agent")
		v.hangup()
	}
	for _, id := range []string{"1002", "1003", "1004"} {
		w.agentState(id, queue.StateReady)
		w.must("agent", "sign-out", id)
	}
}

// shownTo compares what an agent's phone shows with how long this caller has
// waited in line: "人工服务 1:05".
func (v *visit) shownTo(offer *phone.Call) {
	v.t.Helper()
	began := append(v.call.Transcript().Of("queue.joined"), v.call.Transcript().Of("emergency.connecting")...)
	waited := offer.Start().Sub(v.call.Start()) - began[0].At
	name, shown, _ := strings.Cut(offer.RemoteName(), " ")
	var m, s int
	if _, err := fmt.Sscanf(shown, "%d:%d", &m, &s); err != nil || name != v.Config.Queues[0].Name {
		v.t.Errorf("the agent's phone shows %q, want the queue and the wait", offer.RemoteName())
	}
	if off := time.Duration(60*m+s)*time.Second - waited; off.Abs() > time.Second {
		v.t.Errorf("the agent's phone shows %q after %.1f s", offer.RemoteName(), waited.Seconds())
	}
}

// masked is a number as agents see it.
func masked(number string) string { return number[:3] + "****" + number[7:] }
