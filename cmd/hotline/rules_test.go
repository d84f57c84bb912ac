package main

import (
	"context"
	"log/slog"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"hotline/configs"
	"hotline/journal"
	"hotline/queue"
)

// ruling is a service that is started over and over on one journal.
type ruling struct {
	*testing.T
	book *journal.Journal
	cfg  *configs.Config

	*queue.Engine
	said int      // entries of hotline.yaml at the last start
	anew []string // the queues that hold for all services, by the last start
}

func newRuling(t *testing.T) *ruling {
	book, err := journal.Open(t.Context(), journal.Options{Path: filepath.Join(t.TempDir(), "journal.db")})
	if err != nil {
		t.Fatal(err)
	}
	r := &ruling{T: t, book: book, cfg: configs.Default()}
	t.Cleanup(func() {
		r.Engine.Stop()
		if err := book.Close(); err != nil {
			t.Error(err)
		}
	})
	r.start()
	return r
}

// atOnce is a journal that waits for what is noted, too.
type atOnce struct{ *journal.Journal }

func (b atOnce) Note(entries ...journal.Entry) error {
	_, err := b.Append(context.Background(), entries...)
	return err
}

// start starts the service, anew where one runs.
func (r *ruling) start() {
	r.Helper()
	if r.Engine != nil {
		r.Engine.Stop()
	}
	quiet := slog.New(slog.DiscardHandler)
	record := &changes{journal: atOnce{r.book}, log: quiet}
	o := queueOptions(r.cfg, time.Now, record, quiet, nil)
	rules, err := rulesInForce(r.Context(), r.book.Reader(), o, quiet)
	if err != nil {
		r.Fatal(err)
	}
	o.Queues, o.Agents = rules.queues, rules.agents
	if r.Engine, err = queue.New(o); err != nil {
		r.Fatal(err)
	}
	r.said, r.anew = len(rules.news), rules.anew
	rules.begin(r.Context(), r.book.Reader(), r.Engine, record, time.Now())
}

func (r *ruling) ok(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

func (r *ruling) rules(id string) (queue.Rules, bool) {
	list := r.Rules()
	at := slices.IndexFunc(list, func(q queue.Rules) bool { return q.ID == id })
	if at < 0 {
		return queue.Rules{}, false
	}
	return list[at], true
}

// set changes rules as whoever asks for it at run time.
func (r *ruling) set(id string, change func(*queue.Rules)) {
	r.Helper()
	rules, there := r.rules(id)
	if !there {
		r.Fatalf("there is no queue %s", id)
	}
	change(&rules)
	r.ok(r.SetRules(rules, "test"))
}

func (r *ruling) assign(id string, change func(*queue.Profile)) {
	r.Helper()
	agent, there := r.Agent(id)
	if !there {
		r.Fatalf("there is no agent %s", id)
	}
	change(&agent.Profile)
	r.ok(r.SetProfile(agent.Profile, "test"))
}

// wantMaxWaiting is how a test's rules are told apart.
func (r *ruling) wantMaxWaiting(want int) {
	r.Helper()
	if got, there := r.rules("service"); !there || got.MaxWaiting != want {
		r.Errorf("max_waiting is %d (%v), want %d", got.MaxWaiting, there, want)
	}
}

func (r *ruling) wantSaid(want int) {
	r.Helper()
	if r.said != want {
		r.Errorf("hotline.yaml said %d things anew, want %d", r.said, want)
	}
}

func (r *ruling) wantAnew(want ...string) {
	r.Helper()
	if !slices.Equal(r.anew, want) {
		r.Errorf("hotline.yaml speaks to all services of the queues %v, want %v", r.anew, want)
	}
}

// What was changed at run time holds over restarts, until hotline.yaml says another thing than before.
func TestRulesOfRunTimeHoldUntilTheFileSpeaks(t *testing.T) {
	r := newRuling(t)
	r.wantSaid(len(r.cfg.Queues) + len(r.cfg.Agents))
	r.set("service", func(q *queue.Rules) { q.MaxWaiting = 7 })
	r.assign("1001", func(p *queue.Profile) { p.Skills = map[string]int{"english": 3} })
	r.ok(r.RemoveAgent("1002", "test"))
	r.start()
	r.wantSaid(0)
	r.wantMaxWaiting(7)
	if a, _ := r.Agent("1001"); a.Skills["english"] != 3 {
		t.Errorf("agent 1001 has the skills %v after the restart", a.Skills)
	}
	if _, there := r.Agent("1002"); there {
		t.Error("an agent who was removed is there again after the restart")
	}

	r.cfg.Queues[0].MaxWaiting = 9
	r.start()
	r.wantSaid(1)
	r.wantAnew("service")
	r.wantMaxWaiting(9)
	r.start()
	r.wantSaid(0)
	r.wantAnew()
	r.wantMaxWaiting(9)
	if _, there := r.Agent("1002"); there {
		t.Error("hotline.yaml said nothing new of the agent who was removed")
	}
}

// A queue of run time goes when it is removed, and one of the file when the file has it no more.
func TestQueuesComeAndGo(t *testing.T) {
	r := newRuling(t)
	r.ok(r.SetRules(queue.Rules{ID: "gas", MaxWaiting: 7}, "test"))
	r.assign("1001", func(p *queue.Profile) { p.Queues = []string{"service", "gas"} })
	r.start()
	if _, there := r.rules("gas"); !there {
		t.Fatal("the queue that was opened at run time is gone after the restart")
	}
	r.ok(r.RemoveQueue("gas", "test"))
	r.start()
	if _, there := r.rules("gas"); there {
		t.Error("the queue that was removed is there again")
	}
	second := r.cfg.Queues[0]
	second.ID = "heat"
	r.cfg.Queues = append(r.cfg.Queues, second)
	r.start()
	r.wantAnew() // the others may have it already, with rules of their own
	r.cfg.Queues = r.cfg.Queues[:1]
	r.start()
	r.wantAnew("heat")
	if _, there := r.rules("heat"); there {
		t.Error("the queue is not in hotline.yaml any more, and is there")
	}
}

// Where the two contradict each other, hotline.yaml is in force, and stays so.
// A queue that was opened and removed again takes nothing else along that was changed meanwhile.
func TestARemovedQueueLeavesOtherChangesInForce(t *testing.T) {
	r := newRuling(t)
	gas, _ := r.rules("service")
	gas.ID = "gas"
	r.ok(r.SetRules(gas, "test"))
	r.assign("1001", func(p *queue.Profile) { p.Queues = append(p.Queues, "gas") })
	r.set("service", func(q *queue.Rules) { q.MaxWaiting = 7 })
	r.ok(r.RemoveQueue("gas", "test"))
	r.start()
	r.wantMaxWaiting(7)
	if _, there := r.rules("gas"); there {
		t.Error("a queue that was removed is back")
	}
	if a, _ := r.Agent("1001"); !slices.Equal(a.Queues, []string{"service"}) {
		t.Errorf("1001 serves %v, want service alone", a.Queues)
	}
}

func TestTheFileWinsWhereTheTwoContradictEachOther(t *testing.T) {
	r := newRuling(t)
	for _, id := range []string{"1001", "1002", "1003", "1004"} {
		r.assign(id, func(p *queue.Profile) { p.Skills = map[string]int{"english": 1} })
	}
	r.set("service", func(q *queue.Rules) { q.Needs, q.MaxWaiting = map[string]int{"english": 1}, 7 })
	for i := range r.cfg.Agents {
		r.cfg.Agents[i].Name += "!" // so that hotline.yaml is right about the agents, who know no English
	}
	r.start()
	r.wantMaxWaiting(r.cfg.Queues[0].MaxWaiting)
	r.start()
	r.wantSaid(0)
	r.wantMaxWaiting(r.cfg.Queues[0].MaxWaiting)
}

// Rules survive the way into the words of hotline.yaml and back.
func TestRulesInTheWordsOfTheFile(t *testing.T) {
	cfg := configs.Default()
	lasts := func(d time.Duration) configs.Duration { return configs.Duration{Duration: d} }
	q := cfg.Queues[0]
	q.MaxWait, q.Skills, q.Relax = lasts(2*time.Minute), map[string]int{"english": 3}, []configs.Relaxation{{After: lasts(30 * time.Second), By: 1}}
	q.DeclinePause, q.Sticky, q.OverflowTo, q.OverflowAfter, q.StayEmpty = lasts(0), lasts(time.Hour), "gas", lasts(time.Minute), true
	for _, strategy := range []configs.Strategy{"longest-idle", configs.RingAll} {
		q.Strategy = strategy
		if strategy == configs.RingAll {
			q.Sticky = configs.Duration{}
		}
		if got, want := queueRules(queueOf(queueRules(q), q)), queueRules(q); !same(got, want) {
			t.Errorf("the rules became %+v, were %+v", got, want)
		}
	}
}
