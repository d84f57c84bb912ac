package call

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hotline/journal"
	"hotline/queue"
)

// opening is when the agents of these tests begin.
var opening = time.Date(2026, 2, 6, 9, 0, 0, 0, time.UTC)

// second is that many seconds after opening.
func second(n int) time.Time { return opening.Add(time.Duration(n) * time.Second) }

// diary writes what agents did into a journal, a second apart unless told otherwise.
type diary struct {
	t  testing.TB
	j  *journal.Journal
	at time.Time
}

func newDiary(t testing.TB) *diary {
	t.Helper()
	j, err := journal.Open(t.Context(), journal.Options{Path: filepath.Join(t.TempDir(), "journal.db"), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
	return &diary{t: t, j: j, at: opening}
}

// write appends changes as the service does: a change's call, agent and queue are its streams.
func (d *diary) write(changes ...queue.Change) {
	d.t.Helper()
	entries := make([]journal.Entry, 0, len(changes))
	for _, c := range changes {
		var streams []string
		if c.Call != "" {
			streams = append(streams, Stream(c.Call))
		}
		if c.Left != nil {
			streams = append(streams, AgentStream(c.Left.Agent))
		}
		e := journal.NewEntry(c.Kind, c, append(streams, AgentStream(c.Agent))...)
		e.At = d.at
		d.at = d.at.Add(time.Second)
		entries = append(entries, e)
	}
	if _, err := d.j.Append(d.t.Context(), entries...); err != nil {
		d.t.Fatal(err)
	}
}

func (d *diary) last(now time.Time, agents ...string) ([]queue.Restored, error) {
	wrapUp := func(id string) time.Duration { return map[string]time.Duration{"bills": 20 * time.Second}[id] }
	return lastAgents(d.t.Context(), d.j.Reader(), agents, now, wrapUp)
}

// Changes of agent 1001 as the queue records them.
var (
	agentSignsIn    = queue.Change{Kind: queue.KindAgentState, Agent: "1001", From: queue.StateOffline, To: queue.StateReady, Cause: "signed in"}
	agentIsOffered  = queue.Change{Kind: queue.KindOffered, Agent: "1001", Call: "a", Queue: "bills", Offer: "a-offer-1", From: queue.StateReady, To: queue.StateReserved}
	agentRings      = queue.Change{Kind: queue.KindAgentState, Agent: "1001", Call: "a", Queue: "bills", Offer: "a-offer-1", From: queue.StateReserved, To: queue.StateRinging, Cause: "ringing"}
	agentAnswers    = queue.Change{Kind: queue.KindConnected, Agent: "1001", Call: "a", Queue: "bills", Offer: "a-offer-1", From: queue.StateRinging, To: queue.StateTalking}
	agentMisses     = queue.Change{Kind: queue.KindRefused, Agent: "1001", Call: "a", Queue: "bills", Offer: "a-offer-1", From: queue.StateRinging, To: queue.StatePaused, Cause: "no-answer"}
	agentIsTakenOut = queue.Change{Kind: queue.KindRefused, Agent: "1001", Call: "a", Queue: "bills", Offer: "a-offer-1", From: queue.StateRinging, To: queue.StatePaused, Cause: "no-answer", Out: true}
	agentHasRested  = queue.Change{Kind: queue.KindAgentState, Agent: "1001", From: queue.StatePaused, To: queue.StateReady, Cause: "rested"}
	agentIsReleased = queue.Change{Kind: queue.KindLeft, Agent: "1001", Call: "a", Queue: "bills", Offer: "a-offer-1", From: queue.StateRinging, To: queue.StateReady, Cause: "hang-up"}
	agentHolds      = queue.Change{Kind: queue.KindAgentState, Agent: "1001", Call: "a", Queue: "bills", From: queue.StateTalking, To: queue.StateHold, Cause: "hold"}
	agentWishes     = queue.Change{Kind: queue.KindAgentState, Agent: "1001", Call: "a", From: queue.StateTalking, To: queue.StateTalking, Then: queue.StatePaused, Cause: "lunch"}
	agentEnds       = queue.Change{Kind: queue.KindAgentState, Agent: "1001", Call: "a", Queue: "bills", From: queue.StateTalking, To: queue.StateWrapUp, Cause: "end the talk"}
	agentComesIn    = queue.Change{Kind: queue.KindConsulted, Agent: "1001", Call: "b", Queue: "bills", Offer: "b-to-1001-1", With: "1002", Third: true, From: queue.StateRinging, To: queue.StateConsult}
	agentIsLet      = queue.Change{Kind: queue.KindAgentState, Agent: "1001", Call: "b", Queue: "bills", With: "1002", Third: true, From: queue.StateConsult, To: queue.StateReady, Cause: "end the consult"}
	agentTakesOver  = queue.Change{Kind: queue.KindHandedOver, Agent: "1001", Call: "b", Queue: "bills", With: "1002", From: queue.StateConsult, To: queue.StateTalking}
	agentHandsOver  = queue.Change{Kind: queue.KindHandedOver, Agent: "1002", Call: "a", Queue: "bills", With: "1001", From: queue.StateConsult, To: queue.StateTalking, Left: &queue.Leaving{Agent: "1001", From: queue.StateTalking, To: queue.StateWrapUp}}
	agentBreaks     = queue.Change{Kind: queue.KindAgentState, Agent: "1001", From: queue.StateReady, To: queue.StatePaused, Cause: "lunch"}
	agentIsBack     = queue.Change{Kind: queue.KindAgentState, Agent: "1001", From: queue.StatePaused, To: queue.StateReady, Cause: "ready"}
	agentGoesHome   = queue.Change{Kind: queue.KindAgentState, Agent: "1001", From: queue.StateReady, To: queue.StateOffline, Cause: "signed out"}
)

func TestLastAgents(t *testing.T) {
	now := second(60)
	for name, row := range map[string]struct {
		did  []queue.Change
		want queue.Restored
	}{
		"signed in":         {[]queue.Change{agentSignsIn}, queue.Restored{State: queue.StateReady, Since: second(0)}},
		"signed out":        {[]queue.Change{agentSignsIn, agentGoesHome}, queue.Restored{State: queue.StateOffline, Since: second(1)}},
		"reserved":          {[]queue.Change{agentSignsIn, agentIsOffered}, queue.Restored{State: queue.StateReserved, Since: second(0), Call: "a", Queue: "bills", Offer: "a-offer-1"}},
		"ringing":           {[]queue.Change{agentSignsIn, agentIsOffered, agentRings}, queue.Restored{State: queue.StateRinging, Since: second(0), Call: "a", Queue: "bills", Offer: "a-offer-1"}},
		"the caller left":   {[]queue.Change{agentSignsIn, agentIsOffered, agentRings, agentIsReleased}, queue.Restored{State: queue.StateReady, Since: second(0)}},
		"talking":           {[]queue.Change{agentSignsIn, agentIsOffered, agentRings, agentAnswers}, queue.Restored{State: queue.StateTalking, Since: second(3), Began: second(3), Part: second(3), Call: "a", Queue: "bills"}},
		"on hold, a wish":   {[]queue.Change{agentSignsIn, agentIsOffered, agentRings, agentAnswers, agentWishes, agentHolds}, queue.Restored{State: queue.StateHold, Since: second(5), Began: second(3), Part: second(3), Call: "a", Queue: "bills", Then: queue.StatePaused, ThenReason: "lunch"}},
		"wrapping up":       {[]queue.Change{agentAnswers, agentEnds}, queue.Restored{State: queue.StateWrapUp, Since: second(1), Began: second(0), Call: "a", Queue: "bills", WrapUpLeft: -39 * time.Second}},
		"a third":           {[]queue.Change{agentSignsIn, agentComesIn}, queue.Restored{State: queue.StateConsult, Since: second(1), Began: second(1), Part: second(1), Call: "b", Queue: "bills", Third: true}},
		"a third no more":   {[]queue.Change{agentSignsIn, agentComesIn, agentIsLet}, queue.Restored{State: queue.StateReady, Since: second(2)}},
		"taken over":        {[]queue.Change{agentSignsIn, agentComesIn, agentTakesOver}, queue.Restored{State: queue.StateTalking, Since: second(2), Began: second(2), Part: second(2), Call: "b", Queue: "bills"}},
		"handed over":       {[]queue.Change{agentAnswers, agentHandsOver}, queue.Restored{State: queue.StateWrapUp, Since: second(1), Began: second(0), Call: "a", Queue: "bills", WrapUpLeft: -39 * time.Second}},
		"on a break":        {[]queue.Change{agentSignsIn, agentBreaks}, queue.Restored{State: queue.StatePaused, Since: second(1), Reason: "lunch"}},
		"missed once":       {[]queue.Change{agentSignsIn, agentIsOffered, agentRings, agentMisses}, queue.Restored{State: queue.StatePaused, Since: second(3), Reason: "no-answer", Rest: true, Misses: 1, Queue: "bills"}},
		"missed and rested": {[]queue.Change{agentSignsIn, agentIsOffered, agentRings, agentMisses, agentHasRested}, queue.Restored{State: queue.StateReady, Since: second(4), Misses: 1, Queue: "bills"}},
		"taken out":         {[]queue.Change{agentSignsIn, agentIsOffered, agentRings, agentMisses, agentHasRested, agentIsOffered, agentRings, agentIsTakenOut}, queue.Restored{State: queue.StatePaused, Since: second(7), Reason: "no-answer", Out: true, Misses: 2, Queue: "bills"}},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDiary(t)
			d.write(row.did...)
			row.want.Agent = "1001"
			got, err := d.last(now, "1001")
			if err != nil || len(got) != 1 || got[0] != row.want {
				t.Errorf("told: %+v, %v\nwant: [%+v]", got, err, row.want)
			}
		})
	}
}

// What matters may lie far back: the talk that began before a long list of agentWishes, the misses before many breaks.
func TestLastAgentsReadsAsFarAsNeeded(t *testing.T) {
	for _, many := range []int{0, 3, 30, 300} {
		d := newDiary(t)
		d.write(agentSignsIn, agentIsOffered, agentRings, agentMisses, agentHasRested)
		for range many {
			// A phone that comes and goes leaves the count of missed offers as it is.
			d.write(queue.Change{Kind: queue.KindAgentState, Agent: "1001", From: queue.StateReady, To: queue.StateUnreachable, Cause: "unreachable"},
				queue.Change{Kind: queue.KindAgentState, Agent: "1001", From: queue.StateUnreachable, To: queue.StateReady, Cause: "phone registered"})
		}
		got, err := d.last(d.at, "1001")
		if err != nil || len(got) != 1 || got[0].Misses != 1 || !got[0].Since.Equal(d.at.Add(-time.Second)) {
			t.Errorf("after %d changes: %+v, %v; want one missed offer, ready since %v", many, got, err, d.at.Add(-time.Second))
		}
	}
}

// The order is that in which they began to be idle, also within one moment; an offer that came to nothing does not
// interrupt it.
func TestLastAgentsStandInTheOrderOfTheJournal(t *testing.T) {
	of := func(agent string, c queue.Change) queue.Change { c.Agent = agent; return c }
	d := newDiary(t)
	for _, c := range []queue.Change{of("1003", agentSignsIn), of("1001", agentSignsIn), of("1002", agentSignsIn), of("1003", agentBreaks), of("1003", agentIsBack), of("1001", agentIsOffered), of("1001", agentRings)} {
		d.at = opening
		d.write(c)
	}
	got, err := d.last(opening, "1001", "1002", "1003", "1004")
	var order []string
	for _, r := range got {
		order = append(order, r.Agent)
	}
	if want := "1001 1002 1003"; err != nil || strings.Join(order, " ") != want {
		t.Errorf("the agents come as %q, %v, want %s: 1004 has never signed in", order, err, want)
	}
}

// A clock that was set back lengthens no wrap-up.
func TestLastAgentsWrapUpIsNeverLonger(t *testing.T) {
	d := newDiary(t)
	d.write(agentAnswers, agentEnds)
	for now, want := range map[time.Time]time.Duration{
		second(1): 20 * time.Second, second(11): 10 * time.Second, second(1 - 3600): 20 * time.Second,
	} {
		if got, err := d.last(now, "1001"); err != nil || len(got) != 1 || got[0].WrapUpLeft != want {
			t.Errorf("at %v: %+v, %v; want %v left", now, got, err, want)
		}
	}
}

// One agent's unreadable entry signs nobody else out.
func TestLastAgentsNamesWhoCannotBeRead(t *testing.T) {
	d := newDiary(t)
	d.write(agentSignsIn)
	bad := journal.NewEntry(queue.KindAgentState, map[string]string{"to": "asleep"}, AgentStream("1002"))
	if _, err := d.j.Append(t.Context(), bad); err != nil {
		t.Fatal(err)
	}
	got, err := d.last(opening, "1002", "1001")
	if err == nil || !strings.Contains(err.Error(), "agent 1002") || len(got) != 1 || got[0].Agent != "1001" {
		t.Errorf("got %+v, %v; want agent 1001 and an error that names 1002", got, err)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := lastAgents(over, d.j.Reader(), []string{"1001"}, opening, nil); err == nil {
		t.Error("a journal that cannot be read is no error")
	}
}

// A start reads every agent: five hundred of them with a long day behind them.
func BenchmarkLastAgents(b *testing.B) {
	d := newDiary(b)
	var agents []string
	for i := range 500 {
		agents = append(agents, fmt.Sprint(1001+i))
		day := []queue.Change{agentSignsIn}
		for range 20 {
			day = append(day, agentIsOffered, agentRings, agentAnswers, agentHolds, agentEnds, agentIsBack)
		}
		for j := range day {
			day[j].Agent = agents[i]
		}
		d.write(day...)
	}
	for b.Loop() {
		if got, err := d.last(d.at, agents...); err != nil || len(got) != len(agents) {
			b.Fatal(len(got), err)
		}
	}
}
