package main

import (
	"context"
	"crypto/subtle"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"hotline/ari"
	"hotline/call"
	"hotline/configs"
	"hotline/configs/asterisk"
	"hotline/ivr"
	"hotline/ivr/prompt"
	"hotline/queue"
	"hotline/queue/redisq"
)

// What the configuration says, in each part's own words.

func menus(cfg *configs.Config) ivr.Menus {
	tree := ivr.Menus{Start: cfg.Menus.Start, ByID: map[string]ivr.Menu{}}
	for id, menu := range cfg.Menus.Menus {
		keys := map[rune]ivr.Action{}
		for key, action := range menu.Keys {
			keys[rune(key[0])] = menuAction(action)
		}
		var prompts []string
		if menu.Prompt != "" {
			prompts = []string{menu.Prompt}
		}
		tree.ByID[id] = ivr.Menu{
			Prompts: prompts, Again: "menu.again", Keys: keys,
			Wait: menu.Timeout.Duration, Tries: menu.Tries, Otherwise: menuAction(menu.Otherwise),
		}
	}
	return tree
}

func menuAction(a configs.Action) ivr.Action {
	kind := a.Kind()
	target := map[string]string{"menu": a.Menu, "queue": a.Queue, "info": a.Info, "emergency": a.Emergency}[kind]
	return ivr.Action{Do: ivr.Do(kind), Target: target, Priority: a.Priority, Topic: a.Topic, Name: a.Name}
}

func messageTaker(cfg *configs.Config, speech *prompt.Speech) ivr.MessageTaker {
	return ivr.MessageTaker{
		Digits:    speech.Phone,
		MaxLength: cfg.Messages.Max.Duration, MaxSilence: cfg.Messages.Silence.Duration,
		MinLength: cfg.Messages.Min.Duration, Wait: 5 * time.Second,
	}
}

func ratingWait(cfg *configs.Config) time.Duration {
	if !cfg.Rating.Enabled {
		return 0
	}
	return cfg.Rating.Timeout.Duration
}

// redial has no trunk where the configuration names no way out.
func redial(cfg *configs.Config) call.RedialOptions {
	o := call.RedialOptions{
		Allowed: cfg.Redial.Allows, From: cfg.Service.Number,
		Ring: cfg.Redial.Ring.Duration, Remember: cfg.Redial.Remember.Duration,
	}
	if cfg.Asterisk.Trunk.Dials() {
		o.Trunk = asterisk.TrunkEndpoint
	}
	return o
}

// duty are the agents who are the duty manager.
func duty(cfg *configs.Config) (ids []string) {
	for _, a := range cfg.Agents {
		if a.Role == configs.RoleDutyManager {
			ids = append(ids, a.ID)
		}
	}
	return ids
}

// directory is whom agents may call outside.
func directory(cfg *configs.Config) (list []call.Entry) {
	for _, e := range cfg.Directory {
		list = append(list, call.Entry{ID: e.ID, Name: e.Name, Number: e.Number})
	}
	return list
}

func announcements(cfg *configs.Config) []call.Announcement {
	var list []call.Announcement
	for name, a := range cfg.Announcements {
		list = append(list, call.Announcement{Name: name, Prompt: a.Prompt, Closes: a.Closes})
	}
	return list
}

func queuesOfCalls(cfg *configs.Config) (map[string]call.QueueOptions, error) {
	byID := map[string]call.QueueOptions{}
	for _, q := range cfg.Queues {
		o := call.QueueOptions{Name: q.Name, PositionEvery: q.PositionEvery}
		if !q.Hours.Always() {
			var err error
			if o.Hours, err = calendarOf(cfg, q.Hours.Workday, q.Hours.Weekend, q.Hours.Holiday); err != nil {
				return nil, fmt.Errorf("the hours of queue %s: %w", q.ID, err)
			}
		}
		byID[q.ID] = o
	}
	return byID, nil
}

func queueOptions(cfg *configs.Config, now func() time.Time, w *changes, log *slog.Logger, reg prometheus.Registerer) queue.Options {
	o := queue.Options{Hold: true, Now: now, Record: w.record, Note: w.note, Logger: log, Registerer: reg}
	for _, q := range cfg.Queues {
		o.Queues = append(o.Queues, queueRules(q))
	}
	for _, a := range cfg.Agents {
		o.Agents = append(o.Agents, queue.Profile{ID: a.ID, Number: a.Number, Name: a.Name, Queues: a.Queues, Weights: a.Weights, Skills: a.Skills})
	}
	return o
}

// share has callers and agents be one with those of other services, where
// hotline.yaml says so. It returns by how much this machine's clock is ahead of
// the one that they share.
func share(cfg *configs.Config, o *queue.Options, log *slog.Logger) (ahead func() time.Duration, err error) {
	if !cfg.Redis.On() {
		return func() time.Duration { return 0 }, nil
	}
	shared, err := redisq.New(redisq.Options{
		Redis: redis.UniversalOptions{
			Addrs: cfg.Redis.Addresses, MasterName: cfg.Redis.Master, IsClusterMode: len(cfg.Redis.Addresses) > 1 && cfg.Redis.Master == "",
			Username: cfg.Redis.Username, Password: cfg.Redis.Password.Reveal(),
		},
		Space: cfg.Redis.Space, Logger: log,
	})
	if err != nil {
		return nil, err
	}
	log.Info("the queue is shared with other services as soon as Asterisk is there; until then it is this service's alone", "service", cfg.Redis.Name)
	o.Log, o.Owner = shared, cfg.Redis.Name
	o.Ways = slices.AppendSeq([]string{}, maps.Keys(cfg.Redis.Peers)) // none is none, and not everybody's
	return shared.ClockAhead, nil
}

// phoneOf dials agents' phones, those of other services through their Asterisks.
func phoneOf(service string) func(queue.Profile) string {
	return func(agent queue.Profile) string {
		if agent.Home == service {
			return asterisk.AgentEndpoint(agent.ID, "")
		}
		return asterisk.AgentEndpoint(agent.ID, agent.Home)
	}
}

// whoOf knows a caller of another service again by a secret that all of them have.
// Without one, whoever reads Redis could find the numbers out by trying: then
// each service knows its own callers alone.
func whoOf(cfg *configs.Config) func(number string) string {
	if !cfg.Redis.On() || cfg.Redis.Password == "" {
		return nil
	}
	return call.NewWho([]byte(cfg.Redis.Space + " " + cfg.Redis.Password.Reveal()))
}

// queueRules are a queue's in the engine's words.
func queueRules(q configs.Queue) queue.Rules {
	r := queue.Rules{
		ID: q.ID, MaxWaiting: q.MaxWaiting, MaxWait: q.MaxWait.Duration, OverflowTo: q.OverflowTo, OverflowAfter: q.OverflowAfter.Duration,
		Aging: q.Aging.Duration, Needs: q.Skills, Strategy: queue.Strategy(q.Strategy),
		WrapUp: q.WrapUp.Duration, WrapUpAtMost: q.WrapUpAtMost.Duration, RingTimeout: q.RingTimeout.Duration,
		ServiceLevel: q.ServiceLevel.Duration, ServiceTarget: q.ServiceTarget,
		DeclinePause: declinePause(q), MissesBeforeOut: q.MissesBeforeOut,
		JoinEmpty: q.JoinEmpty, StayEmpty: q.StayEmpty, Unattended: q.Unattended.Duration, OnBreak: q.OnBreak.Duration,
		Sticky: q.Sticky.Duration, PreferFor: preferFor(q),
	}
	for _, step := range q.Relax {
		r.Relax = append(r.Relax, queue.Relaxation{After: step.After.Duration, Skill: step.Skill, By: step.By})
	}
	if q.Strategy == configs.RingAll {
		r.RingAtMost = q.RingAtMost
	}
	if r.MaxWait > 0 {
		r.MaxWaitTo = string(q.MaxWaitTo)
	}
	return r
}

// preferFor is how long who calls again after a lost line waits for the agent
// of before, who is about to be ready; where every phone rings, nobody is
// waited for.
func preferFor(q configs.Queue) time.Duration {
	if q.Strategy == configs.RingAll {
		return 0
	}
	return q.PreferFor.Duration
}

// declinePause is the queue's in the engine's words, where zero is the usual
// pause and negative is none.
func declinePause(q configs.Queue) time.Duration {
	if q.DeclinePause.Duration == 0 {
		return -1
	}
	return q.DeclinePause.Duration
}

// waysOf are the services whose agents can be rung from here, by their endpoints in
// Asterisk.
func waysOf(cfg *configs.Config) map[string]string {
	ways := map[string]string{}
	for service := range cfg.Redis.Peers {
		ways[service] = asterisk.PeerEndpoint(service)
	}
	return ways
}

// lookAfter watches what the service stands on.
func lookAfter(cfg *configs.Config, link *ari.Link, lines *queue.Engine, ahead func() time.Duration, log *slog.Logger, reg prometheus.Registerer) *watch {
	return newWatch(&watch{
		log: log,
		dirs: map[string]string{
			"state": cfg.Service.StateDir, "recordings": cfg.RecordingsDir(), "raw": cfg.Asterisk.Outside("raw"),
		},
		noWay:   lines.Unreached,
		rivals:  lines.Rivals,
		company: func() string { return sharedWith(lines) },
		ahead:   ahead,
		prompts: func() ([]string, error) {
			library, err := prompt.OpenLibrary(cfg.PromptsOutside())
			if err != nil {
				return nil, err
			}
			needed, err := neededPrompts(cfg)
			return library.Missing(needed...), err
		},
		asterisk: func(ctx context.Context) error {
			if !link.Status().Connected {
				return nil
			}
			_, err := link.Bridges(ctx)
			if !link.Status().Connected {
				return nil // it went meanwhile, which the link has told
			}
			return err
		},
	}, reg)
}

// pinOf compares in constant time, and never finds an empty PIN right.
func pinOf(cfg *configs.Config) func(agent, pin string) bool {
	return func(agent, pin string) bool {
		a, known := cfg.Agent(agent)
		want := a.PIN.Reveal()
		return known && want != "" && subtle.ConstantTimeCompare([]byte(pin), []byte(want)) == 1
	}
}
