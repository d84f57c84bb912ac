package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hotline/call"
	"hotline/journal"
	"hotline/journal/audit"
	"hotline/queue"
)

// TestTheQueueKeepsWhatTheAuditAsks lets queues run at random, with restarts at any moment, into a journal that must
// then be found clean: what the audit takes for granted of pairs and order is what the engine guarantees.
func TestTheQueueKeepsWhatTheAuditAsks(t *testing.T) {
	for seed := range uint64(25) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			c := &course{random: rand.New(rand.NewPCG(seed, 7)), agents: map[string]queue.Restored{}}
			synctest.Test(t, func(t *testing.T) { c.run(t, 600) })
			path := filepath.Join(t.TempDir(), "journal.db")
			for _, process := range c.written {
				book, err := journal.Open(t.Context(), journal.Options{Path: path})
				if err != nil {
					t.Fatal(err)
				}
				process[0] = journal.NewEntry(call.KindServiceStarted, call.ServiceStarted{Epoch: book.Epoch()}, call.ServiceStream)
				if _, err := book.Append(t.Context(), process...); err != nil {
					t.Fatal(err)
				}
				if err := book.Close(); err != nil {
					t.Fatal(err)
				}
			}
			report := auditOf(t, path, audit.Options{})
			for _, f := range report.Findings() {
				t.Errorf("either the queue broke its word or the audit asks what nobody promised: %+v", f)
			}
			if looked := report.Checks[2].Looked; looked < 20 {
				t.Errorf("there were %d offers: too few to judge the order by", looked)
			}
		})
	}
}

func auditOf(t *testing.T, path string, o audit.Options) *audit.Report {
	t.Helper()
	r, err := journal.OpenReader(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	report, err := audit.Run(t.Context(), r, o)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// course is queues at work, driven at random.
type course struct {
	random  *rand.Rand
	options queue.Options
	engine  *queue.Engine
	written [][]journal.Entry         // by process; the first of each is left out for service.started
	agents  map[string]queue.Restored // by the changes
	callers []*caller
	called  []*queue.Offer // of agents who are called in
	calls   int
}

type caller struct {
	queue.Caller
	ticket *queue.Ticket
	offer  *queue.Offer
}

func (c *course) run(t *testing.T, steps int) {
	c.options.Record = func(list []queue.Change) {
		(&changes{journal: c, log: slog.New(slog.DiscardHandler)}).record(list)
		for _, change := range list {
			c.follow(change.Agent, change)
			if change.Left != nil {
				c.follow(change.Left.Agent, change)
			}
		}
	}
	for i, id := range []string{"bills", "repairs", "moving"} {
		c.options.Queues = append(c.options.Queues, queue.Rules{ID: id, WrapUp: 5 * time.Second, DeclinePause: 8 * time.Second, PreferFor: time.Duration(i) * 10 * time.Second})
	}
	for i, serves := range [][]string{{"bills"}, {"bills", "repairs"}, {"repairs", "moving"}, {"moving", "bills", "repairs"}, {"moving"}} {
		c.options.Agents = append(c.options.Agents, queue.Profile{ID: fmt.Sprint(1001 + i), Queues: serves})
	}
	c.start(t)
	for range steps {
		c.act(t)
		synctest.Wait()
		for _, one := range c.callers {
			select {
			case o := <-one.ticket.Offers():
				one.offer, one.Offers = o, o.Number
			default:
			}
		}
	}
	c.engine.Stop()
}

// follow takes in what a change says of an agent.
func (c *course) follow(agent string, change queue.Change) {
	if agent != "" {
		last := c.agents[agent]
		last.Agent = agent
		c.agents[agent] = last.After(change)
	}
}

// callIn has an agent called in by the call that another one has or had.
func (c *course) callIn(agent string, by queue.AgentView) {
	if o, err := c.engine.Call(agent, by.Call); err == nil {
		c.called = append(c.called, o)
	}
}

// comes is what becomes of agents who were called in.
func (c *course) comes(n int) {
	if len(c.called) == 0 {
		return
	}
	switch o := c.called[c.random.IntN(len(c.called))]; {
	case n%4 == 0:
		_ = o.Ringing()
	case n%4 == 1:
		o.Failed([]queue.Refusal{queue.NoAnswer, queue.Declined, queue.Unreachable, queue.Cancelled}[c.random.IntN(4)])
	default:
		_ = o.Connected()
	}
}

// Append is the journal that the engine's changes are written to.
func (c *course) Append(_ context.Context, entries ...journal.Entry) (int64, error) {
	process := &c.written[len(c.written)-1]
	*process = append(*process, entries...)
	return 0, nil
}

func (c *course) Note(entries ...journal.Entry) error {
	_, err := c.Append(context.Background(), entries...)
	return err
}

func (c *course) AppendDurable(ctx context.Context, entries ...journal.Entry) (int64, error) {
	return c.Append(ctx, entries...)
}

func (c *course) start(t *testing.T) {
	c.written = append(c.written, make([]journal.Entry, 1))
	var err error
	if c.engine, err = queue.New(c.options); err != nil {
		t.Fatal(err)
	}
}

// restart is a process that dies and another one that goes on, with the callers back in any order.
func (c *course) restart(t *testing.T) {
	waiting := map[string]bool{}
	for _, rules := range c.options.Queues {
		for _, v := range c.engine.Waiting(rules.ID) {
			waiting[v.ID] = true
		}
	}
	c.engine.Stop()
	synctest.Wait()
	c.options.Hold = true
	last := make([]queue.Restored, 0, len(c.agents))
	for _, a := range c.options.Agents {
		if r := c.agents[a.ID]; r.State != 0 {
			r.WrapUpLeft = 5*time.Second - time.Since(r.Since)
			last = append(last, r)
		}
	}
	c.start(t)
	if err := c.engine.Restore(last); err != nil {
		t.Fatal(err)
	}
	c.callers = slices.DeleteFunc(c.callers, func(one *caller) bool { return !waiting[one.ID] })
	c.random.Shuffle(len(c.callers), func(i, j int) { c.callers[i], c.callers[j] = c.callers[j], c.callers[i] })
	for _, one := range c.callers {
		one.Again, one.offer = true, nil
		var err error
		if one.ticket, err = c.engine.Join(one.Caller); err != nil {
			t.Fatal(err)
		}
	}
	if len(c.callers) > 0 && c.random.IntN(3) == 0 { // who was in line found an agent while nobody looked
		_ = c.engine.Found(c.agent(), c.callers[0].ID, c.callers[0].Queue)
	}
	c.engine.Open()
}

func (c *course) agent() string { return c.options.Agents[c.random.IntN(len(c.options.Agents))].ID }

func (c *course) join() {
	c.calls++
	one := &caller{Caller: queue.Caller{
		ID: fmt.Sprintf("%04d", (c.calls*7919)%10000), Queue: c.options.Queues[c.random.IntN(3)].ID, Priority: c.random.IntN(2),
		Head: c.random.IntN(8) == 0, Arrived: time.Now().Add(-time.Duration(c.random.IntN(4)) * time.Second),
	}}
	if c.random.IntN(4) == 0 {
		one.Prefer = c.agent()
	}
	_, _ = c.Append(context.Background(), journal.NewEntry(call.KindArrived, call.Arrived{At: one.Arrived}, call.Stream(one.ID)))
	var err error
	if one.ticket, err = c.engine.Join(one.Caller); err == nil {
		c.callers = append(c.callers, one)
	}
}

// act is what somebody does, sensible or not; what is not is refused.
func (c *course) act(t *testing.T) {
	agent := c.agent()
	view, _ := c.engine.Agent(agent)
	var one *caller
	if len(c.callers) > 0 {
		one = c.callers[c.random.IntN(len(c.callers))]
	}
	switch n := c.random.IntN(120); {
	case n >= 112:
		c.comes(n)
	case n >= 106:
		other, _ := c.engine.Agent(c.agent())
		c.callIn(other.ID, view)
	case n >= 103:
		_ = c.engine.HandOver(view.Call, agent, view.With)
	case n >= 100:
		_ = c.engine.EndConsult(agent, view.Call)
	case n < 18:
		c.join()
	case n < 50 && one != nil && one.offer != nil:
		switch {
		case n < 25:
			_ = one.offer.Ringing()
		case n < 42:
			_ = one.offer.Connected()
		default:
			one.offer.Failed([]queue.Refusal{queue.NoAnswer, queue.Declined, queue.Unreachable, queue.Cancelled}[c.random.IntN(4)])
		}
	case n < 55 && one != nil:
		one.ticket.Leave("hang-up")
	case n < 70:
		_ = c.engine.EndTalk(agent, view.Call)
	case n < 73:
		_ = c.engine.Hold(agent, view.Call)
	case n < 76:
		_ = c.engine.Resume(agent, view.Call)
	case n < 78 && c.agents[agent].Call != "":
		_ = c.engine.Rejoin(agent, c.agents[agent].Call)
	case n < 81:
		_ = c.engine.Pause(agent, "lunch")
	case n < 82:
		_ = c.engine.SignOut(agent)
	case n < 90:
		_ = c.engine.SignIn(agent)
	case n < 92:
		c.restart(t)
	default:
		time.Sleep(time.Duration(c.random.IntN(6)) * time.Second)
	}
}

// auditBook is a journal of four calls: one on Friday, and on Monday one that was served, one that was lost, and one
// that goes on.
func auditBook(t *testing.T) *journal.Reader {
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
	tell := func(at time.Time, id, kind string, data any) {
		t.Helper()
		entry := journal.NewEntry(kind, data, call.Stream(id))
		entry.At = at
		if _, err := book.Append(t.Context(), entry); err != nil {
			t.Fatal(err)
		}
	}
	ended := func(result, reason string) call.Ended {
		return call.Ended{Outcome: call.Outcome{Result: result, Reason: reason}}
	}
	friday := monday.Add(-63 * time.Hour)
	tell(friday, "friday", call.KindArrived, call.Arrived{At: friday})
	tell(friday.Add(time.Second), "friday", call.KindMessage, call.LeftMessage{Number: "13800000001", Confirmed: true, Reason: "closed"})
	tell(friday.Add(2*time.Second), "friday", call.KindEnded, ended(call.Messaged, "closed"))
	tell(monday, "served", call.KindArrived, call.Arrived{At: monday})
	tell(monday, "lost", call.KindArrived, call.Arrived{At: monday})
	tell(monday, "served", call.KindTalk, call.Talk{Agent: "1001"})
	tell(monday, "served", call.KindRated, call.Rated{Score: 5})
	tell(monday, "lost", call.KindEnded, ended(call.Lost, "menu"))
	tell(monday, "open", call.KindArrived, call.Arrived{At: monday})
	tell(monday, "served", call.KindEnded, ended(call.Served, "talked"))
	return book.Reader()
}

func TestAuditComparesWhatCallsShows(t *testing.T) {
	r := auditBook(t)
	totals := func(since time.Time, last int64) map[string]int {
		totals, err := reported(t.Context(), r, since, last)
		if err != nil {
			t.Fatal(err)
		}
		return totals
	}
	for _, since := range []time.Time{{}, monday.Add(-70 * time.Hour), monday, monday.Add(24 * time.Hour)} {
		report, err := audit.Run(t.Context(), r, audit.Options{Since: since, Reported: func(_ context.Context, last int64) (map[string]int, error) {
			return totals(since, last), nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range report.Findings() {
			t.Errorf("since %v: hotline calls and the audit count otherwise: %+v", since, f)
		}
	}
	for last, want := range map[int64]map[string]int{
		1 << 62: {"calls": 4, "unfinished": 1, "messages": 1, "talks": 1, "ratings": 1, "result message": 1, "result served": 1, "result lost": 1},
		5:       {"calls": 3, "unfinished": 2, "messages": 1, "result message": 1}, // the rest was written while the audit read
	} {
		if got := totals(time.Time{}, last); !maps.Equal(got, want) {
			t.Errorf("the totals up to entry %d are %v, want %v", last, got, want)
		}
	}
}

func TestAuditPrints(t *testing.T) {
	report := &audit.Report{Calls: 2, Entries: 9, Checks: []*audit.Check{{ID: "I1", Means: "every call ended once", Looked: 2}}}
	print := func(write func(*bytes.Buffer) error) string {
		t.Helper()
		var b bytes.Buffer
		if err := write(&b); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	table := func(b *bytes.Buffer) error { return printAudit(b, report) }
	if got := print(table); got != "audited 2 calls, 9 entries, 1 checks: clean\n" {
		t.Errorf("a clean audit prints %q", got)
	}
	report.Checks[0].Count = 3
	report.Checks[0].Findings = []audit.Finding{{Check: "I1", Call: "20260309-090100-CCCCCC", Entries: []int64{4, 7}, What: "it ended twice"}}
	got := print(table)
	for _, want := range []string{"every call ended once", "20260309-090100-CCCCCC  -      4 7      it ended twice", "and 2 more"} {
		if !strings.Contains(got, want) {
			t.Errorf("the table has no %q:\n%s", want, got)
		}
	}
	lines := strings.Split(print(func(b *bytes.Buffer) error { return printAuditJSON(b, report) }), "\n")
	if len(lines) != 3 || !strings.Contains(lines[0], `"entries":[4,7]`) || !strings.Contains(lines[1], `"calls":2`) {
		t.Errorf("the JSON is %q, want the finding and then the summary", lines)
	}
}

func TestAuditSince(t *testing.T) {
	for text, want := range map[string]time.Time{
		"": {}, "24h": monday.Add(-24 * time.Hour), "2026-03-08 09:00": monday.Add(-24 * time.Hour),
	} {
		got, err := auditCmd{Since: text}.since(monday, monday.Location())
		if err != nil || !got.Equal(want) {
			t.Errorf("--since %q is %v (%v), want %v", text, got, err, want)
		}
	}
	if _, err := (auditCmd{Since: "yesterday"}).since(monday, monday.Location()); err == nil {
		t.Error("--since yesterday was taken")
	}
}
