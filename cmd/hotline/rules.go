package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"hotline/configs"
	"hotline/journal"
	"hotline/queue"
)

// Which queues and agents there are is said in two places: in hotline.yaml, and
// by whoever changes rules while the service runs. Whoever spoke last is right.
// So what was changed at run time stays in force over a restart, until what
// hotline.yaml says of the same queue or agent is another thing than before. To
// tell that, the journal has what hotline.yaml said, too.

// byFile is who hotline.yaml is in the journal.
const byFile = "hotline.yaml"

// ruled are queues and agents as they are to be at the start.
type ruled struct {
	queues []queue.Rules
	agents []queue.Profile
	news   []queue.Change // what hotline.yaml says anew
	anew   []string       // the queues among that of which something was said before
	seen   int64          // how far the journal has been read
	begun  sync.Once
}

// word is what has been said of a queue or an agent: by hotline.yaml, and last
// of all. nil is that there is none.
type word[T any] struct{ file, now *T }

func (w word[T]) heard(is *T, by string) word[T] {
	w.now = is
	if by == byFile {
		w.file = is
	}
	return w
}

// ruledKinds are the entries that say which queues and agents there are.
var ruledKinds = []string{queue.KindRules, queue.KindRemoved, queue.KindProfile, queue.KindLetGo}

// rulesInForce are those of hotline.yaml and of the journal. Where the two
// contradict each other, hotline.yaml's are.
func rulesInForce(ctx context.Context, r *journal.Reader, file queue.Options, log *slog.Logger) (*ruled, error) {
	said, err := plainly(file.Queues, file.Agents)
	if err != nil {
		return nil, err
	}
	queues, agents := map[string]word[queue.Rules]{}, map[string]word[queue.Profile]{}
	for e, err := range r.Read(ctx, journal.Query{Kinds: ruledKinds}) {
		var c queue.Change
		if err == nil {
			err = e.Decode(&c)
		}
		if err != nil {
			return nil, fmt.Errorf("which rules are in force: %w", err)
		}
		said.seen = e.Seq
		switch e.Kind {
		case queue.KindRules, queue.KindRemoved:
			queues[c.Queue] = queues[c.Queue].heard(c.Rules, c.By)
		case queue.KindProfile, queue.KindLetGo:
			agents[c.Agent] = agents[c.Agent].heard(c.Profile, c.By)
		}
	}
	all := &ruled{seen: said.seen}
	all.queues, all.news = settled(said.queues, queues, func(r queue.Rules) string { return r.ID }, queueSaid)
	var agentsNews []queue.Change
	all.agents, agentsNews = settled(said.agents, agents, func(p queue.Profile) string { return p.ID }, agentSaid)
	all.news = append(all.news, agentsNews...)
	for id, w := range queues {
		if w.now == nil && !slices.ContainsFunc(all.queues, func(r queue.Rules) bool { return r.ID == id }) { // removed while the service ran
			for i, p := range all.agents {
				all.agents[i] = p.Without(id)
			}
		}
	}
	if _, err := plainly(all.queues, all.agents); err != nil {
		log.Error("what was changed while the service ran contradicts hotline.yaml, which is in force now", "err", err)
		all = said
		all.news = append(insisted(said.queues, queues, func(r queue.Rules) string { return r.ID }, queueSaid),
			insisted(said.agents, agents, func(p queue.Profile) string { return p.ID }, agentSaid)...)
	}
	for _, c := range all.news {
		if _, before := queues[c.Queue]; before && c.Queue != "" {
			all.anew = append(all.anew, c.Queue)
		}
	}
	return all, nil
}

// plainly fills in what queues and agents leave to defaults, and says in what
// they contradict one another.
func plainly(queues []queue.Rules, agents []queue.Profile) (*ruled, error) {
	e, err := queue.New(queue.Options{Queues: queues, Agents: agents, Hold: true})
	if err != nil {
		return nil, err
	}
	defer e.Stop()
	byID := map[string]queue.Rules{}
	for _, r := range e.Rules() {
		byID[r.ID] = r
	}
	all := &ruled{agents: agents}
	for _, r := range queues {
		all.queues = append(all.queues, byID[r.ID])
	}
	return all, nil
}

// settled is what holds of all that was said, in the order of the file, and what
// the file says anew.
func settled[T any](file []T, words map[string]word[T], id func(T) string, say func(string, *T) queue.Change) (holds []T, news []queue.Change) {
	inFile := map[string]bool{}
	for _, one := range file {
		inFile[id(one)] = true
		w := words[id(one)]
		switch {
		case w.file == nil || !same(*w.file, one):
			holds, news = append(holds, one), append(news, say(id(one), &one))
		case w.now != nil:
			holds = append(holds, *w.now)
		}
	}
	for _, other := range slices.Sorted(maps.Keys(words)) {
		switch w := words[other]; {
		case inFile[other]:
		case w.file != nil: // and is not in the file any more
			news = append(news, say(other, nil))
		case w.now != nil:
			holds = append(holds, *w.now)
		}
	}
	return holds, news
}

// insisted is what the file has to say so that nothing else holds.
func insisted[T any](file []T, words map[string]word[T], id func(T) string, say func(string, *T) queue.Change) (news []queue.Change) {
	inFile := map[string]bool{}
	for _, one := range file {
		inFile[id(one)] = true
		news = append(news, say(id(one), &one))
	}
	for _, other := range slices.Sorted(maps.Keys(words)) {
		if !inFile[other] {
			news = append(news, say(other, nil))
		}
	}
	return news
}

func queueSaid(id string, r *queue.Rules) queue.Change {
	if r == nil {
		return queue.Change{Kind: queue.KindRemoved, Queue: id, By: byFile}
	}
	return queue.Change{Kind: queue.KindRules, Queue: id, By: byFile, Rules: r}
}

func agentSaid(id string, p *queue.Profile) queue.Change {
	if p == nil {
		return queue.Change{Kind: queue.KindLetGo, Agent: id, By: byFile}
	}
	return queue.Change{Kind: queue.KindProfile, Agent: id, By: byFile, Profile: p}
}

// same compares as the journal keeps it.
func same(a, b any) bool {
	one, err := json.Marshal(a)
	other, err2 := json.Marshal(b)
	return err == nil && err2 == nil && string(one) == string(other)
}

// begin writes down what hotline.yaml says anew, once this process acts.
func (r *ruled) begin(ctx context.Context, book *journal.Reader, lines *queue.Engine, w *changes, now time.Time) {
	r.begun.Do(func() {
		if err := r.catchUp(ctx, book, lines); err != nil {
			w.log.Error("rules that were changed in the last moment are not in force", "err", err)
		}
		for i := range r.news {
			r.news[i].At = now
		}
		w.record(r.news)
	})
}

// catchUp carries out what another process changed after the journal was read,
// before that process was relieved.
func (r *ruled) catchUp(ctx context.Context, book *journal.Reader, lines *queue.Engine) error {
	var errs []error
	for e, err := range book.Read(ctx, journal.Query{Kinds: ruledKinds, After: r.seen}) {
		var c queue.Change
		if err == nil {
			err = e.Decode(&c)
		}
		switch {
		case err != nil:
		case e.Kind == queue.KindRules && c.Rules != nil:
			err = lines.SetRules(*c.Rules, c.By)
		case e.Kind == queue.KindRemoved:
			err = lines.RemoveQueue(c.Queue, c.By)
		case e.Kind == queue.KindProfile && c.Profile != nil:
			err = lines.SetProfile(*c.Profile, c.By)
		case e.Kind == queue.KindLetGo:
			err = lines.RemoveAgent(c.Agent, c.By)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// queueOf are rules in the words of hotline.yaml; what the engine does not know of
// is as in named.
func queueOf(r queue.Rules, named configs.Queue) configs.Queue {
	lasts := func(d time.Duration) configs.Duration { return configs.Duration{Duration: d} }
	q := named
	q.ID, q.MaxWaiting, q.MaxWait, q.OverflowTo, q.OverflowAfter = r.ID, r.MaxWaiting, lasts(r.MaxWait), r.OverflowTo, lasts(r.OverflowAfter)
	q.Aging, q.Skills, q.Strategy = lasts(r.Aging), r.Needs, configs.Strategy(r.Strategy)
	q.WrapUp, q.WrapUpAtMost, q.RingTimeout = lasts(r.WrapUp), lasts(r.WrapUpAtMost), lasts(r.RingTimeout)
	q.ServiceLevel, q.ServiceTarget = lasts(r.ServiceLevel), r.ServiceTarget
	q.DeclinePause, q.MissesBeforeOut = lasts(max(0, r.DeclinePause)), r.MissesBeforeOut
	q.JoinEmpty, q.StayEmpty, q.Unattended, q.OnBreak = r.JoinEmpty, r.StayEmpty, lasts(r.Unattended), lasts(r.OnBreak)
	q.Sticky, q.Relax = lasts(r.Sticky), nil
	for _, step := range r.Relax {
		q.Relax = append(q.Relax, configs.Relaxation{After: lasts(step.After), Skill: step.Skill, By: step.By})
	}
	if r.MaxWaitTo != "" {
		q.MaxWaitTo = configs.WaitEnd(r.MaxWaitTo)
	}
	if r.Strategy == queue.RingAll {
		q.RingAtMost = r.RingAtMost
	} else {
		q.PreferFor = lasts(r.PreferFor)
	}
	return q
}

// namedQueue is what hotline.yaml says of a queue that the engine does not know
// of: the shipped values for one that it does not have.
func namedQueue(cfg *configs.Config, id string) configs.Queue {
	if q, known := cfg.Queue(id); known {
		return q
	}
	q := configs.Default().Queues[0]
	q.ID, q.Name = id, id
	return q
}
