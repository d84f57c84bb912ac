package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"golang.org/x/sync/errgroup"

	"hotline/ari"
	"hotline/call"
	"hotline/configs"
	"hotline/configs/asterisk"
	"hotline/ivr/prompt"
	"hotline/journal"
	"hotline/queue"
	"hotline/recordings"
	"hotline/web"
)

type serveCmd struct {
	Takeover bool `help:"Where a hotline runs on this state_dir, take its calls over, which nobody hears; where none does, just start."`

	Clock string `help:"Set the service's wall clock, for trying greetings: '2027-02-06 09:00'. It can then be changed while the service runs."`
}

// Run sets the service up in one straight line, each step with its teardown
// beside it, and runs it until ctx ends. It is long because a set-up that
// reads from top to bottom is easier to follow than one that is spread out.
func (s *serveCmd) Run(ctx context.Context, cfg *configs.Config, file configFile, log *slog.Logger) error {
	log.Info("the configuration is right", "file", file)
	for _, warning := range cfg.Warnings() {
		log.Warn(warning.Error())
	}
	asked := ctx
	ctx, leave := context.WithCancelCause(ctx)
	defer leave(nil)
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))

	clock := &clock{zone: cfg.Service.Timezone.Location, settable: s.Clock != ""}
	if clock.settable {
		moment, err := parseMoment(s.Clock, cfg.Service.Timezone.Location)
		if err != nil {
			return err
		}
		clock.set(moment)
	}

	days, err := newCalendar(cfg)
	if err != nil {
		return err
	}
	for _, warning := range days.Warnings(clock.now()) {
		log.Warn(warning)
	}
	queuesOfCalls, err := queuesOfCalls(cfg)
	if err != nil {
		return err
	}
	library, err := openLibrary(cfg)
	if err != nil {
		return err
	}
	speech, err := prompt.NewSpeech(string(cfg.Service.Language), prompt.SpeechOptions{Yao: true})
	if err != nil {
		return err
	}

	if err := os.MkdirAll(cfg.Service.StateDir, 0o750); err != nil {
		return fmt.Errorf("the state folder: %w", err)
	}
	book, beside, err := openJournal(ctx, journal.Options{Path: cfg.Journal(), Now: clock.now, Logger: log, Registerer: reg}, s.Takeover)
	if err != nil {
		return err
	}
	scribe, err := journal.NewScribe(book, journal.ScribeOptions{Now: clock.now, Logger: log, Registerer: reg})
	if err != nil {
		return errors.Join(err, book.Close())
	}
	tenure := newTenure(scribe, book, cfg.Journal(), leave, log)
	defer func() { tenure.release(time.Now().Add(goneWithin)) }()

	store, err := recordings.Open(recordings.Options{
		Dir: cfg.RecordingsDir(), MessagesDir: cfg.MessagesDir(), RawDir: cfg.Asterisk.Outside("raw"),
		Location: cfg.Service.Timezone.Location, Logger: log, Registerer: reg,
	})
	if err != nil {
		return err
	}

	record := &changes{journal: tenure, log: log}
	queues := queueOptions(cfg, clock.now, record, log, reg)
	ahead, err := share(cfg, &queues, log)
	if err != nil {
		return err
	}
	rules, err := rulesInForce(ctx, book.Reader(), queues, log)
	if err != nil {
		return err
	}
	queues.Queues, queues.Agents, queues.Anew = rules.queues, rules.agents, rules.anew
	lines, err := queue.New(queues)
	if err != nil {
		return err
	}
	defer lines.Stop()

	link, err := ari.New(ari.Options{
		URL: cfg.Asterisk.ARI.URL(), App: cfg.Asterisk.ARI.App,
		Username: cfg.Asterisk.ARI.User, Password: cfg.Asterisk.ARI.Password.Reveal(),
		Dial: tenure.dial, Logger: log, Registerer: reg,
	})
	if err != nil {
		return err
	}

	begin := func(ctx context.Context) error {
		if err := tenure.begin(ctx); err != nil {
			return err
		}
		rules.begin(ctx, book.Reader(), lines, record, clock.now())
		return nil
	}
	var claim func(context.Context) error
	if beside {
		claim = begin
	}
	desks := openDesks(cfg, link, lines, log)
	calls := call.New(call.Options{
		Link: link, Queue: lines, Journal: tenure, Reader: book.Reader(), Claim: claim, Calendar: days,
		Menus: menus(cfg), Messages: messageTaker(cfg, speech), Library: library, Speech: speech, Recordings: store,
		SoundsDir:   cfg.PromptsInside(),
		MessageFile: func(name string) string { return cfg.Asterisk.Outside("spool", "recording", name+".wav") },
		PIN:         pinOf(cfg),
		Browsers:    desks,
		Name:        queues.Owner, Phone: phoneOf(queues.Owner), Ways: waysOf(cfg), Who: whoOf(cfg),
		NetLog:     asterisk.NetLog(cfg),
		AfterRings: cfg.Answer.AfterRings, Record: cfg.Recording.Enabled, RecordingNotice: cfg.Recording.Notice,
		RatingWait: ratingWait(cfg), RatingTries: cfg.Rating.Tries,
		RTPTimeout: cfg.Asterisk.RTPTimeout.Duration, RTPTimeoutAgent: cfg.Asterisk.RTPTimeoutAgents.Duration, MixTalk: cfg.Recording.Enabled, Queues: queuesOfCalls,
		Redial:        redial(cfg),
		Duty:          duty(cfg),
		Directory:     directory(cfg),
		Announcements: announcements(cfg),
		Now:           clock.now, Logger: log, Registerer: reg,
	})

	group, running := errgroup.WithContext(ctx)
	look := lookAfter(cfg, link, lines, ahead, log, reg)
	drain := &drain{calls: calls, running: running, leave: leave, away: func() bool { return !link.Status().Connected }}
	sessions, closeSessions := openSessions(cfg.Sessions(), log)
	defer closeSessions()
	health := &health{link: link, journal: tenure, queue: lines, drain: drain, watch: look}
	gateway, err := openGateway(cfg, desks, beside, log, reg)
	if err != nil {
		return err
	}
	past := newPast(book.Reader(), lines, menus(cfg), cfg.Service.Timezone.Location, clock.now, log)
	api, err := newAPI(apiParts{
		cfg: cfg, lines: lines, book: book.Reader(), past: past, journal: tenure, sessions: sessions, relieved: tenure.over,
		health: func() web.Health { return health.codes(cfg) }, talks: calls, gateway: gateway, desks: desks, now: clock.now, log: log, reg: reg,
	})
	if err != nil {
		return err
	}
	desks.Attach(gateway, floor{calls, api})
	front := &front{
		address: cfg.Listen.Metrics.String(), socket: cfg.ControlSocket(), log: log.With("number", cfg.Service.Number),
		health:  health.handler(reg),
		control: (&controlServer{calls: calls, journal: tenure, api: api.Trusted(commandLine), drain: drain, clock: clock, zone: cfg.Service.Timezone.Location}).handler(),
	}
	if cfg.Web.On() {
		front.apiAddress, front.api, front.leave = cfg.Web.Listen.String(), api.Public(), api.Leave
	}
	if err := front.prepare(ctx, beside); err != nil {
		return err
	}
	if beside {
		tenure.asksBefore(ctx, cfg.ControlSocket())
		log.Info("a hotline is running; its calls are taken over as soon as Asterisk is reached")
		if err := tellManager(mainProcess()); err != nil {
			return err
		}
	} else if err := begin(ctx); err != nil {
		return err
	}

	// The link outlives the calls: those that are just ending hear Asterisk out.
	linked, unlink := context.WithCancel(context.WithoutCancel(running))
	defer unlink()
	group.Go(func() error {
		err := link.Run(linked)
		if running.Err() != nil {
			return context.Cause(running)
		}
		return err
	})
	group.Go(func() error { defer unlink(); return calls.Run(running) })
	group.Go(func() error { return front.serve(running, tenure.begun) })
	group.Go(func() error { sweep(running, tenure.begun, store, log); return nil })
	group.Go(func() error { look.run(running); return nil })
	group.Go(func() error { inheritMedia(running, tenure.begun, gateway, log); return nil })
	group.Go(func() error { keepHeadroom(running); return nil })
	group.Go(func() error { past.learn(running); return nil })

	<-running.Done()
	by := time.Now().Add(goneWithin)
	share := sharesOf(context.Cause(running))
	if err := within(share.run, group.Wait); errors.Is(err, errStuck) {
		log.Warn("not everything has come to its end; it ends with the process", "err", err)
	}
	closing(log, "browsers' lines", share.close, func() error { desks.Stop(); return gateway.Close() })
	closing(log, "the queues", share.close, func() error { lines.Stop(); return nil })
	if asked.Err() != nil {
		return tenure.leaves(errAsked, calls.Live(), by)
	}
	return tenure.leaves(context.Cause(running), calls.Live(), by)
}

// Whoever stops the service waits for two seconds at most. What does not come
// to its end within its share of them ends with the process: it is in the
// journal already, and is found again by whoever comes next. The shares add up
// to no more than goneWithin, of which the journal has what the others leave.
const (
	goneWithin  = 1800 * time.Millisecond
	closeWithin = 200 * time.Millisecond // what is closed last
)

// shares are those that come before the journal is let go of.
type shares struct {
	run   time.Duration // everything that runs
	close time.Duration // then the queues, and then the entry that the service stops, each
}

// sharesOf are those of a service that leaves for this reason. Where it is
// relieved its successor holds events back, and waits no longer than
// vacateWithin for the journal.
func sharesOf(why error) shares {
	if wasRelieved(why) {
		return shares{run: 150 * time.Millisecond, close: 50 * time.Millisecond}
	}
	return shares{run: 700 * time.Millisecond, close: closeWithin}
}

// errAsked is why a service leaves that was told to by a signal.
var errAsked = errors.New("asked to stop")

// errStuck says that something did not end in its time.
var errStuck = errors.New("still not done")

// within waits for stop, and no longer than limit.
func within(limit time.Duration, stop func() error) error {
	done := make(chan error, 1)
	go func() { done <- stop() }()
	select {
	case err := <-done:
		return err
	case <-time.After(limit):
		return fmt.Errorf("%w after %v", errStuck, limit)
	}
}

// closing runs a teardown, no longer than limit, and logs what it could not do.
func closing(log *slog.Logger, what string, limit time.Duration, stop func() error) {
	if err := within(limit, stop); err != nil {
		log.Error("closing "+what, "err", err)
	}
}

// sweep keeps recordings that a crash left behind, once this process acts and
// then every ten minutes.
func sweep(ctx context.Context, acts <-chan struct{}, store *recordings.Store, log *slog.Logger) {
	select {
	case <-acts:
	case <-ctx.Done():
		return
	}
	ticker := time.NewTicker(10 * time.Minute)
	defer ticker.Stop()
	for {
		swept, err := store.Sweep(ctx)
		if err != nil && ctx.Err() == nil {
			log.Error("recordings left behind were not looked for", "err", err)
		}
		for _, one := range swept {
			if one.Err != nil {
				log.Error("a recording left behind is not kept", "call_id", one.CallID, "err", one.Err)
			} else {
				log.Info("a recording left behind is kept", "call_id", one.CallID, "note", one.Result.Note)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// changes writes what the queue does into the journal.
type changes struct {
	journal call.Journal
	log     *slog.Logger
}

// record and note are called from one goroutine. What concerns another service's
// call or agent is not in their streams: the whole of that is in the other's
// journal.
func (w *changes) record(list []queue.Change) {
	_, err := w.journal.Append(context.Background(), entriesOf(list)...) // which waits for a quarter of a second at most
	w.missed(len(list), err)
}

func (w *changes) note(list []queue.Change) { w.missed(len(list), w.journal.Note(entriesOf(list)...)) }

func (w *changes) missed(changes int, err error) {
	if untold(err) {
		w.log.Error("the journal misses what the queue did; calls go on", "changes", changes, "err", err)
	}
}

func entriesOf(list []queue.Change) []journal.Entry {
	entries := make([]journal.Entry, 0, len(list))
	for _, change := range list {
		var streams []string
		if change.Call != "" && change.Owner == "" {
			streams = append(streams, call.Stream(change.Call))
		}
		if change.Agent != "" && change.Home == "" {
			streams = append(streams, call.AgentStream(change.Agent))
		}
		if change.Left != nil && change.Left.Home == "" {
			streams = append(streams, call.AgentStream(change.Left.Agent))
		}
		if change.Queue != "" {
			streams = append(streams, "queue/"+change.Queue)
		}
		entry := journal.NewEntry(change.Kind, change, streams...)
		entry.At = change.At.UTC()
		entries = append(entries, entry)
	}
	return entries
}

// openLibrary opens the prompts and refuses to start without any of those
// that callers or agents may hear: a missing prompt would be silence.
func openLibrary(cfg *configs.Config) (*prompt.Library, error) {
	dir := cfg.PromptsOutside()
	library, err := prompt.OpenLibrary(dir)
	if err != nil {
		return nil, err
	}
	needed, err := neededPrompts(cfg)
	if err != nil {
		return nil, err
	}
	if missing := library.Missing(needed...); len(missing) > 0 {
		return nil, fmt.Errorf("prompts are missing in %s: %v; build them with: hotline prompts build", dir, missing)
	}
	return library, nil
}

// neededPrompts are those that callers or agents may hear.
func neededPrompts(cfg *configs.Config) ([]string, error) {
	catalogue, err := loadCatalogue(cfg)
	if err != nil {
		return nil, err
	}
	needed := append(catalogue.IDs(), cfg.PromptIDs()...)
	for _, generated := range prompt.Generated() {
		needed = append(needed, generated.ID)
	}
	return needed, nil
}
