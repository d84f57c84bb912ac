package main

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hotline/call"
	"hotline/journal"
	"hotline/queue"
	"hotline/web"
)

// archive is a journal that a test writes and looks at.
type archive struct {
	*past
	t    *testing.T
	book *journal.Journal
	at   time.Time
}

func newArchive(t *testing.T) *archive {
	t.Helper()
	book, err := journal.Open(t.Context(), journal.Options{Path: filepath.Join(t.TempDir(), "journal.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := book.Close(); err != nil {
			t.Error(err)
		}
	})
	a := &archive{t: t, book: book, at: time.Date(2026, 3, 10, 9, 30, 0, 0, time.UTC)}
	now := func() time.Time { return a.at }
	a.past = &past{book: book.Reader(), zone: time.UTC, now: now, log: slog.New(slog.DiscardHandler),
		callers: newCallers(book.Reader(), now), level: func(string) time.Duration { return 20 * time.Second }}
	return a
}

func (a *archive) write(kind string, data any, streams ...string) {
	a.t.Helper()
	e := journal.NewEntry(kind, data, streams...)
	e.At = a.at
	if _, err := a.book.Append(a.t.Context(), e); err != nil {
		a.t.Fatal(err)
	}
}

// change is one of the queue's, as the service writes it.
func (a *archive) change(kind string, c queue.Change) {
	a.t.Helper()
	c.Kind, c.At = kind, a.at
	if _, err := a.book.Append(a.t.Context(), entriesOf([]queue.Change{c})...); err != nil {
		a.t.Fatal(err)
	}
}

func (a *archive) today() web.Today {
	a.looked = time.Time{} // however soon
	return a.Today()
}

// The day's figures go on from look to look, count everybody once, and begin
// anew at midnight.
func TestToday(t *testing.T) {
	a := newArchive(t)
	joined := func(id string) { a.change(queue.KindJoined, queue.Change{Call: id, Queue: "service"}) }
	talks := func(id string, waited time.Duration) {
		a.change(queue.KindConnected, queue.Change{Call: id, Queue: "service", Agent: "1001", WaitedMs: waited.Milliseconds(), From: queue.StateRinging, To: queue.StateTalking})
	}
	joined("a")
	talks("a", 10*time.Second)
	a.at = a.at.Add(2 * time.Minute)
	a.change(queue.KindAgentState, queue.Change{Call: "a", Queue: "service", Agent: "1001", From: queue.StateTalking, To: queue.StateHold})
	a.at = a.at.Add(time.Minute)
	a.change(queue.KindAgentState, queue.Change{Call: "a", Queue: "service", Agent: "1001", From: queue.StateHold, To: queue.StateWrapUp})
	joined("b")
	a.change(queue.KindLeft, queue.Change{Call: "b", Queue: "service"})
	for range 2 { // who is found by another process counts once
		a.change(queue.KindLapsed, queue.Change{Call: "e", Queue: "service", Cause: queue.LapseUnattended, WaitedMs: 60_000})
	}
	want := web.Today{Queues: map[string]web.QueueDay{"service": {Arrived: 2, Answered: 1, Abandoned: 1, Within: 1, Unserved: 1}},
		Agents: map[string]web.AgentDay{"1001": {Calls: 1, Talk: 3 * time.Minute}}}
	want.Hours[9] = web.HourDay{Arrived: 2, Answered: 1, Abandoned: 1}
	if diff := cmp.Diff(want, a.today()); diff != "" {
		t.Fatalf("so far (-want +got):\n%s", diff)
	}

	joined("a") // returns to the line, and is served again
	talks("a", time.Minute)
	a.at = a.at.Add(time.Hour)
	joined("c")
	a.change(queue.KindAgentState, queue.Change{Agent: "1001", From: queue.StateTalking, To: queue.StateWrapUp})
	talks("c", 30*time.Second)
	a.change(queue.KindJoined, queue.Change{Call: "d", Queue: "service", Owner: "north"}) // another service's
	a.write(call.KindApology, call.Apology{Nth: 1, Due: a.at.Add(-80 * time.Millisecond)}, call.Stream("c"))
	a.write(call.KindApology, call.Apology{Nth: 2, Due: a.at.Add(20 * time.Millisecond)}, call.Stream("c"))
	a.write(call.KindApology, call.Apology{Nth: 2, Due: a.at.Add(-time.Hour)}, call.Stream("c")) // the clock was set
	want.Queues["service"] = web.QueueDay{Arrived: 3, Answered: 2, Abandoned: 1, Within: 1, Unserved: 1}
	want.Agents["1001"] = web.AgentDay{Calls: 3, Talk: 63 * time.Minute}
	want.Hours[10] = web.HourDay{Arrived: 1, Answered: 1}
	want.Apologies = web.ApologyDay{WorstMsToday: 80, CountToday: 2}
	if diff := cmp.Diff(want, a.today()); diff != "" {
		t.Errorf("later (-want +got):\n%s", diff)
	}

	a.write(call.KindArrived, call.Arrived{Number: "13812345678", At: a.at}, call.Stream("c"))
	a.write(web.KindWrapped, web.Wrapped{Call: "a", Code: "resolved"}, call.Stream("a"))
	a.looked = time.Time{}
	a.at = a.at.Add(5 * time.Second)
	served, err := a.Served(t.Context(), "1001")
	if err != nil || len(served) != 3 {
		t.Fatalf("1001 has served %+v, %v", served, err)
	}
	if c := served[0]; c.Call != "c" || c.Number != "138****5678" || c.TalkMs != 5000 || c.Queue != "service" {
		t.Errorf("the talk that goes on is %+v", c)
	}
	if c := served[2]; c.Call != "a" || c.TalkMs != 180_000 || c.Code != "resolved" {
		t.Errorf("the first talk is %+v", c)
	}

	a.at = a.at.Add(24 * time.Hour)
	joined("e")
	tomorrow := web.Today{Queues: map[string]web.QueueDay{"service": {Arrived: 1}}, Agents: map[string]web.AgentDay{}}
	tomorrow.Hours[10] = web.HourDay{Arrived: 1}
	if diff := cmp.Diff(tomorrow, a.today()); diff != "" {
		t.Errorf("the next day (-want +got):\n%s", diff)
	}
}

// An agent is credited with own seconds: until they hand over, and from then on the other.
func TestAWarmTransferIsCredited(t *testing.T) {
	a := newArchive(t)
	began := a.at
	a.change(queue.KindJoined, queue.Change{Call: "a", Queue: "service"})
	a.change(queue.KindConnected, queue.Change{Call: "a", Queue: "service", Agent: "1001", From: queue.StateRinging, To: queue.StateTalking})
	a.at = a.at.Add(time.Minute)
	a.change(queue.KindAgentState, queue.Change{Call: "a", Queue: "service", Agent: "1001", From: queue.StateTalking, To: queue.StateConsult})
	a.change(queue.KindCalled, queue.Change{Call: "a", Queue: "service", Agent: "1002", Offer: "a-to-1002-1", From: queue.StateReady, To: queue.StateReserved, With: "1001"})
	a.change(queue.KindConsulted, queue.Change{Call: "a", Queue: "service", Agent: "1002", Offer: "a-to-1002-1", From: queue.StateRinging, To: queue.StateConsult, With: "1001", Third: true})
	a.at = a.at.Add(time.Minute)
	a.change(queue.KindHandedOver, queue.Change{Call: "a", Queue: "service", Agent: "1002", With: "1001", From: queue.StateConsult, To: queue.StateTalking,
		Left: &queue.Leaving{Agent: "1001", From: queue.StateConsult, To: queue.StateWrapUp, Began: began}})
	a.at = a.at.Add(30 * time.Second) // 1001's wrap-up
	a.change(queue.KindAgentState, queue.Change{Call: "a", Queue: "service", Agent: "1001", From: queue.StateWrapUp, To: queue.StateReady})
	a.at = a.at.Add(150 * time.Second)
	a.change(queue.KindAgentState, queue.Change{Call: "a", Queue: "service", Agent: "1002", From: queue.StateTalking, To: queue.StateWrapUp})
	got := a.today().Agents
	if one := got["1001"]; one.Talk != 2*time.Minute {
		t.Errorf("1001, who had the caller for 2 minutes, is credited with %v in %d calls", one.Talk, one.Calls)
	}
	if one := got["1001"]; one.Calls != 1 {
		t.Errorf("1001 is credited with %d calls", one.Calls)
	}
	if two := got["1002"]; two.Calls != 1 || two.Talk != 3*time.Minute {
		t.Errorf("1002, who had the caller for 3 minutes, is credited with %v in %d calls", two.Talk, two.Calls)
	}
}

// What nobody saw of a talk is not counted: one that was over when the service
// and Asterisk came back lasted as far as it was seen, and one that goes on goes on.
func TestATalkLastsAsFarAsItWasSeen(t *testing.T) {
	lost := call.Ending{How: call.Vanished, Facts: call.Facts{Lost: true}}
	pressed := call.Ending{How: call.Pressed}
	of := func(e call.Ending, leg string) call.Ending {
		e.Leg = leg
		return e
	}
	talks := func(a *archive) {
		a.change(queue.KindConnected, queue.Change{Call: "a", Queue: "service", Agent: "1001", From: queue.StateRinging, To: queue.StateTalking})
		a.at = a.at.Add(2 * time.Minute)
	}
	over := func(a *archive) {
		a.change(queue.KindAgentState, queue.Change{Call: "a", Queue: "service", Agent: "1001", From: queue.StateTalking, To: queue.StateWrapUp})
	}
	ended := func(a *archive, caller, agent call.Ending) {
		a.write(call.KindEnded, call.Ended{Legs: []call.Ending{of(caller, "caller"), of(agent, "agent 1001")}}, call.Stream("a"))
	}
	away := func(a *archive, lasting time.Duration) {
		a.at = a.at.Add(lasting)
		a.write(call.KindServiceConnected, call.ServiceConnected{Away: lasting.Seconds()}, call.ServiceStream)
	}
	restart := func(a *archive) {
		seen := a.at
		a.at = a.at.Add(4 * time.Minute)
		a.write(call.KindServiceStarted, call.ServiceStarted{LastSeen: seen}, call.ServiceStream)
		a.at = a.at.Add(30 * time.Second)
		a.write(call.KindServiceConnected, call.ServiceConnected{Away: 270}, call.ServiceStream)
	}
	for name, tt := range map[string]struct {
		then func(*archive)
		want time.Duration
	}{
		"everything was away":                             {func(a *archive) { restart(a); over(a); ended(a, lost, lost) }, 2 * time.Minute},
		"… and the call's end is told before the agent's": {func(a *archive) { restart(a); ended(a, lost, lost); over(a) }, 2 * time.Minute},
		"… and the outage is told last": {func(a *archive) {
			a.at = a.at.Add(30 * time.Second)
			over(a)
			ended(a, lost, lost)
			a.write(call.KindServiceConnected, call.ServiceConnected{Away: 30}, call.ServiceStream)
		}, 2 * time.Minute},
		"Asterisk was away": {func(a *archive) { away(a, 30*time.Second); over(a); ended(a, lost, lost) }, 2 * time.Minute},
		"the agent's line was found gone, and the caller waits again": {func(a *archive) {
			restart(a)
			a.write(call.KindAgentLeft, call.AgentLeft{Agent: "1001", Ending: lost}, call.Stream("a"))
			over(a)
		}, 2 * time.Minute},
		"the caller was found gone, and the agent is hung up on": {func(a *archive) { restart(a); over(a); ended(a, lost, pressed) }, 2 * time.Minute},
		"the talk goes on, and the caller hangs up at once":      {func(a *archive) { restart(a); over(a); ended(a, pressed, pressed) }, 6*time.Minute + 30*time.Second},
		"the talk goes on for long, and is lost later": {func(a *archive) {
			restart(a)
			a.at = a.at.Add(time.Minute)
			over(a)
			ended(a, lost, lost)
		}, 7*time.Minute + 30*time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			a := newArchive(t)
			talks(a)
			a.today()
			tt.then(a)
			if got := a.today().Agents["1001"]; got.Talk != tt.want || got.Calls != 1 {
				t.Errorf("1001 is credited with %d calls and %v, want %v", got.Calls, got.Talk, tt.want)
			}
			served, err := a.Served(t.Context(), "1001")
			if err != nil || len(served) != 1 || served[0].TalkMs != tt.want.Milliseconds() {
				t.Errorf("the day's calls of 1001 are %+v, %v, want one of %v", served, err, tt.want)
			}
		})
	}
}

// Who handed a caller over soon after an outage is credited until then, though
// the call is lost in another outage long after.
func TestWhoHandedOverHadTheWholeTalk(t *testing.T) {
	a := newArchive(t)
	a.change(queue.KindConnected, queue.Change{Call: "a", Queue: "service", Agent: "1001", From: queue.StateRinging, To: queue.StateTalking})
	began := a.at
	a.at = a.at.Add(2 * time.Minute)
	a.write(call.KindServiceConnected, call.ServiceConnected{Away: 60}, call.ServiceStream)
	a.at = a.at.Add(10 * time.Second)
	left := call.Ending{Leg: "agent 1001", Who: call.AgentParty, How: call.Pressed, Facts: call.Facts{PhoneAsked: a.at, Gone: a.at}}
	a.change(queue.KindHandedOver, queue.Change{Call: "a", Queue: "service", Agent: "1002", With: "1001", From: queue.StateConsult, To: queue.StateTalking,
		Left: &queue.Leaving{Agent: "1001", From: queue.StateConsult, To: queue.StateWrapUp, Began: began}})
	a.at = a.at.Add(20 * time.Minute)
	a.at = a.at.Add(5 * time.Minute)
	a.write(call.KindServiceConnected, call.ServiceConnected{Away: 300}, call.ServiceStream)
	lost := func(leg string) call.Ending {
		return call.Ending{Leg: leg, How: call.Vanished, Facts: call.Facts{Gone: a.at, Lost: true}}
	}
	a.change(queue.KindAgentState, queue.Change{Call: "a", Queue: "service", Agent: "1002", From: queue.StateTalking, To: queue.StateWrapUp})
	a.write(call.KindEnded, call.Ended{Legs: []call.Ending{lost("caller"), left, lost("agent 1002")}}, call.Stream("a"))
	for agent, want := range map[string]time.Duration{"1001": 130 * time.Second, "1002": 20 * time.Minute} {
		if got := a.today().Agents[agent].Talk; got != want {
			t.Errorf("%s is credited with %v, want %v", agent, got, want)
		}
	}
}

// Who takes the caller back whom they hung up on by mistake has had one call, of both parts.
func TestACallerTakenBackIsOneCall(t *testing.T) {
	a := newArchive(t)
	turn := func(from, to queue.State) {
		a.change(queue.KindAgentState, queue.Change{Call: "a", Queue: "service", Agent: "1001", From: from, To: to})
		a.at = a.at.Add(time.Minute)
	}
	a.change(queue.KindConnected, queue.Change{Call: "a", Queue: "service", Agent: "1001", From: queue.StateRinging, To: queue.StateTalking})
	a.at = a.at.Add(time.Minute)
	turn(queue.StateTalking, queue.StateWrapUp)
	turn(queue.StateWrapUp, queue.StateTalking)
	turn(queue.StateTalking, queue.StateWrapUp)
	if got := a.today().Agents["1001"]; got.Calls != 1 || got.Talk != 2*time.Minute {
		t.Errorf("1001 is credited with %d calls and %v, want one of 2m", got.Calls, got.Talk)
	}
	if served, err := a.Served(t.Context(), "1001"); err != nil || len(served) != 1 || served[0].TalkMs != 120_000 {
		t.Errorf("the day's calls of 1001 are %+v, %v", served, err)
	}
}

// An agent's talks with callers of another service are their own, and that service's figures stay its own.
func TestAnotherServicesCallerIsTheAgentsWork(t *testing.T) {
	a := newArchive(t)
	a.change(queue.KindConnected, queue.Change{Call: "a", Queue: "service", Agent: "1001", Owner: "north", From: queue.StateRinging, To: queue.StateTalking})
	a.at = a.at.Add(time.Minute)
	a.change(queue.KindAgentState, queue.Change{Call: "a", Queue: "service", Agent: "1001", Owner: "north", From: queue.StateTalking, To: queue.StateWrapUp})
	got := a.today()
	if one := got.Agents["1001"]; one.Calls != 1 || one.Talk != time.Minute {
		t.Errorf("1001 is credited with %d calls and %v", one.Calls, one.Talk)
	}
	if len(got.Queues) != 0 {
		t.Errorf("the queues' figures have another service's: %+v", got.Queues)
	}
}

// A number's calls are found again, newest first, with what was noted of them,
// and the number is masked.
func TestHistory(t *testing.T) {
	a := newArchive(t)
	arrives := func(id, number string) {
		a.at = a.at.Add(time.Minute)
		a.write(call.KindArrived, call.Arrived{Number: number, At: a.at}, call.Stream(id))
	}
	for _, id := range []string{"a", "b"} {
		arrives(id, "13812345678")
	}
	arrives("other", "13900000000")
	a.write(web.KindNotes, web.NotesKept{Call: "a", Notes: web.Notes{Topic: "bill", Text: "early"}}, call.Stream("a"))
	a.write(web.KindNotes, web.NotesKept{Call: "a", By: "li", Notes: web.Notes{Topic: "bill", Text: "too high"}}, call.Stream("a"))
	a.write(web.KindWrapped, web.Wrapped{Call: "a", Code: "complaint"}, call.Stream("a"))
	a.write(call.KindEnded, call.Ended{Outcome: call.Outcome{Result: call.Served, Reason: "talked"}}, call.Stream("a"))
	arrives("c", "13812345678")

	h, there, err := a.History(t.Context(), "c")
	if err != nil || !there || h.Number != "138****5678" || len(h.Calls) != 2 || h.More != 0 {
		t.Fatalf("the history is %+v, %v, %v", h, there, err)
	}
	if h.Calls[0].Call != "b" || h.Calls[0].Result != "" {
		t.Errorf("the newest is %+v", h.Calls[0])
	}
	if got := h.Calls[1]; got.Call != "a" || got.Result != "served" || got.Code != "complaint" || got.Notes != "too high" || got.Topic != "bill" {
		t.Errorf("the one before is %+v", got)
	}
	for n := range mostOfOne + 10 {
		arrives("d"+string(rune('A'+n)), "13812345678")
	}
	if h, _, err = a.History(t.Context(), "c"); err != nil || len(h.Calls) != mostHistory || h.More != mostOfOne+10+2-mostHistory {
		t.Errorf("of many %d are shown and %d more are told, %v", len(h.Calls), h.More, err)
	}
	if _, there, err := a.History(t.Context(), "nobody"); there || err != nil {
		t.Errorf("a call there is not gives %v, %v", there, err)
	}
	arrives("withheld", "")
	if h, there, err := a.History(t.Context(), "withheld"); !there || err != nil || len(h.Calls) != 0 {
		t.Errorf("a withheld number has the history %+v, %v, %v", h, there, err)
	}

	kept, there, err := a.Notes(t.Context(), "a")
	if err != nil || !there || kept.By != "li" || kept.Text != "too high" {
		t.Errorf("the notes are %+v, %v, %v", kept, there, err)
	}
	if _, there, err := a.Notes(t.Context(), "nobody"); there || err != nil {
		t.Errorf("notes of a call there is not: %v, %v", there, err)
	}
}

// A desk is told at once where a number is from, and which call of it this is.
func TestWhoCallsIsKnown(t *testing.T) {
	a := newArchive(t)
	arrives := func(id, number string) {
		a.at = a.at.Add(time.Minute)
		a.write(call.KindArrived, call.Arrived{Number: number, At: a.at}, call.Stream(id))
	}
	is := func(id string, times int, from string) {
		t.Helper()
		if got := a.Known(id); got.Times != times || got.Region["zh-CN"] != from {
			t.Errorf("of call %s is known %+v, want the call number %d, from %q", id, got, times, from)
		}
	}
	const lianyungang = "江苏省连云港市"
	arrives("a", "13812345678")
	is("a", 1, lianyungang)
	arrives("other", "01062345678")
	arrives("b", "13812345678")
	is("b", 2, lianyungang)
	is("other", 1, "北京市")
	is("a", 1, lianyungang) // which goes on meanwhile
	arrives("within", "1001")
	is("within", 1, "")
	arrives("withheld", "")
	is("withheld", 0, "")
	is("nobody", 0, "")
	for n := range mostOfOne {
		arrives(fmt.Sprint("c", n), "13812345678")
	}
	is(fmt.Sprint("c", mostOfOne-1), mostOfOne+2, lianyungang)

	arrives("d", "13812345678")
	a.callers.reading.Lock() // somebody reads
	is("d", 0, lianyungang)
	a.callers.reading.Unlock()
	is("d", mostOfOne+3, lianyungang)
}

// A look at who has called before, which takes long where there were many, holds up no desk: each asks for the day's figures.
func TestAHistoryHoldsUpNoDesk(t *testing.T) {
	a := newArchive(t)
	a.write(call.KindArrived, call.Arrived{Number: "13812345678", At: a.at}, call.Stream("a"))
	a.callers.reading.Lock() // somebody reads
	shown := make(chan error, 1)
	go func() {
		_, _, err := a.History(t.Context(), "a")
		shown <- err
	}()
	figures := make(chan web.Today, 1)
	go func() { figures <- a.today() }()
	select {
	case <-figures:
	case <-time.After(5 * time.Second):
		t.Error("the figures of the day wait for a history that is being read")
	}
	a.callers.reading.Unlock()
	if err := <-shown; err != nil {
		t.Error(err)
	}
}

// However many have called, they are read in steps, once, and from then on only who came since.
func TestThePastIsLearnedInSteps(t *testing.T) {
	a := newArchive(t)
	const many = 2*readAtOnce + 7
	var list []journal.Entry
	for n := range many {
		e := journal.NewEntry(call.KindArrived, call.Arrived{Number: "13812345678", At: a.at}, call.Stream(fmt.Sprint("c", n)))
		e.At = a.at
		list = append(list, e)
	}
	if _, err := a.book.Append(t.Context(), list...); err != nil {
		t.Fatal(err)
	}
	a.learn(t.Context())
	if ids, all := a.callers.of("13812345678"); len(ids) != mostOfOne || all != many || ids[mostOfOne-1] != fmt.Sprint("c", many-1) {
		t.Errorf("of %d calls %d are known, and %d are counted", many, len(ids), all)
	}
	seq := a.callers.seq
	a.write(call.KindArrived, call.Arrived{Number: "13812345678", At: a.at}, call.Stream("last"))
	if h, _, err := a.History(t.Context(), "c0"); err != nil || h.Calls[0].Call != "last" || a.callers.seq <= seq {
		t.Errorf("after another call the history begins with %+v, %v", h.Calls, err)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	a.learn(ended) // a service that stops
}
