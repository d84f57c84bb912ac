package call

import (
	"slices"
	"strings"
	"testing"
	"time"

	"hotline/journal"
	"hotline/queue"
)

func TestTheTimelineIsInTheOrderOfWhatHappened(t *testing.T) {
	start := time.Date(2026, 2, 6, 9, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		name  string
		after []time.Duration // of the entries a, b, c … as written
		want  string
	}{
		{"as written", []time.Duration{0, 1, 2}, "abc"},
		{"the queue's entry is written late", []time.Duration{0, 20 * time.Millisecond, 10 * time.Millisecond, time.Minute}, "acbd"},
		{"at the same time", []time.Duration{0, 5, 5, 5}, "abcd"},
		{"the clock is put back an hour", []time.Duration{0, time.Minute, -time.Hour, time.Minute - time.Hour}, "abcd"},
	} {
		var entries []journal.Entry
		for i, after := range test.after {
			e := journal.NewEntry(string(rune('a'+i)), struct{}{}, Stream("c1"))
			e.At = start.Add(after)
			entries = append(entries, e)
		}
		var out strings.Builder
		if err := Timeline(&out, entries); err != nil {
			t.Fatal(err)
		}
		got := ""
		for line := range strings.Lines(out.String()) {
			got += strings.Fields(line)[1]
		}
		if got != test.want {
			t.Errorf("%s: told as %s, want %s", test.name, got, test.want)
		}
	}
}

func TestTheTimelineTellsOfEveryApology(t *testing.T) {
	for want, entry := range map[string]journal.Entry{
		"hold tone begins":                      journal.NewEntry(KindToneBegan, ToneBegan{List: 1}),
		"hold tone goes on, after 12 apologies": journal.NewEntry(KindToneBegan, ToneBegan{List: 3, Apologies: 12}),
		"apology 1 queue.next":                  journal.NewEntry(KindApology, Apology{Nth: 1, List: 2, Said: []string{"queue.next"}}),
		"apologies 2 to 11, every 30 s":         journal.NewEntry(KindApology, Apology{Nth: 11, Plain: 9, List: 3}),
	} {
		if got := Sentence(entry); got != want {
			t.Errorf("an entry %s %s is told as %q, want %q", entry.Kind, entry.Data, got, want)
		}
	}
}

// Who takes a call over is told so: the caller has not waited for them.
func TestTheTimelineTellsWhoHandedOver(t *testing.T) {
	for want, talk := range map[string]Talk{
		"talks with agent 1001 (789) after 3.44 s of waiting":               {Agent: "1001", Number: "789", Waited: 3.44},
		"talks with agent 1002 (790), given the call by agent 1001":         {Agent: "1002", Number: "790", From: "agent 1001"},
		"talks with repairs of the directory, given the call by agent 1001": {Directory: "repairs", From: "agent 1001"},
	} {
		if got := Sentence(journal.NewEntry(KindTalk, talk)); got != want {
			t.Errorf("%+v is told as %q, want %q", talk, got, want)
		}
	}
}

// A call's line names everybody who had it, and how long the caller waited, also for nobody.
func TestTheSummaryOfACall(t *testing.T) {
	fold := func(entries ...journal.Entry) (s Summary) {
		for _, e := range entries {
			s = s.Fold(e)
		}
		return s
	}
	left := journal.NewEntry(queue.KindLeft, queue.Change{Call: "a", Cause: "abandoned", WaitedMs: 29_465})
	if s := fold(left); s.Waited != 29.465 || len(s.Agents) != 0 {
		t.Errorf("who hung up after 29.465 s in line has waited %v, with %q", s.Waited, s.Agents)
	}
	talks := func(t Talk) journal.Entry { return journal.NewEntry(KindTalk, t) }
	s := fold(talks(Talk{Agent: "1001", Waited: 3.5}), talks(Talk{Agent: "1002", From: "agent 1001"}), talks(Talk{Directory: "repairs", From: "agent 1002"}),
		talks(Talk{Agent: "1001", Waited: 20}), left)
	if want := []string{"1001", "1002", "repairs"}; s.Agent != "1001" || s.Waited != 3.5 || !slices.Equal(s.Agents, want) {
		t.Errorf("a call that was handed over is told of %q and %q after %v, want %q after 3.5", s.Agent, s.Agents, s.Waited, want)
	}
}

// What is not told in a sentence is told in words, not as it stands in the journal.
func TestTheTimelineHasNoRawEntries(t *testing.T) {
	for want, e := range map[string]journal.Entry{
		"goes on to: wait in queue service":             journal.NewEntry(KindStage, Reached{Stage: stageWait, Place: &Place{Queue: "service"}}),
		"goes on to: talk with agent 1001":              journal.NewEntry(KindStage, Reached{Stage: stageTalk, Agent: "1001", Leg: "channel"}),
		"goes on to: turned-away because: queue.nobody": journal.NewEntry(KindStage, Reached{Stage: stageTurnedAway, Reason: "queue.nobody", Prompts: []string{"a"}}),
		"goes on to: end":                               journal.NewEntry(KindStage, Reached{Stage: stageEnd, Outcome: &Outcome{Result: Served}, Ending: &Ending{}}),
		"desk.looked by: 1001, what: history":           journal.NewEntry("desk.looked", map[string]any{"what": "history", "by": "1001", "more": []int{1}}),
	} {
		if got := Sentence(e); got != want {
			t.Errorf("it says %q, want %q", got, want)
		}
	}
}
