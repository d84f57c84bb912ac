package virtual

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"hotline/ari"
	"hotline/ari/aritest"
	"hotline/call"
	"hotline/ivr"
	"hotline/journal"
	"hotline/queue"
	"hotline/recordings"
)

// process is one life of the service, wired as cmd/hotline wires it, that can be killed as a process is: from one
// moment on nothing of it reaches Asterisk, the journal or the folders of recordings any more.
type process struct {
	w     *world
	n     int
	dir   string // of links to the folders; gone with the process
	wire  *aritest.Wire
	book  *journal.Journal
	lines *queue.Engine
	link  *ari.Link
	calls *call.Service

	boundaries atomic.Int64
	fatal      boundary // where it is killed; zero: nowhere
	dead       atomic.Bool
	cutOnce    sync.Once
	stop       context.CancelCauseFunc
	killed     chan struct{} // closed by cut
	ended      chan struct{} // closed when all its goroutines have ended
}

var errKilled = errors.New("this process has been killed")

// start sets a process going. Nothing of one that cannot start is left.
func (w *world) start(n int, fatal boundary) (p *process, err error) {
	p = &process{w: w, n: n, dir: w.home(n), fatal: fatal,
		killed: make(chan struct{}), ended: make(chan struct{})}
	log := w.logger(n)
	if err := w.link(n); err != nil {
		return nil, err
	}
	p.wire = w.asterisk.Wire()
	p.wire.Boundary(func(r aritest.Request, after bool) {
		if w.verbose && after {
			w.logf("    request of process %d: %s %s %.200s", n, r.Method, r.Path, r.Query+r.Body)
		}
		p.at(requestBoundary, after, r.Method+" "+r.Path)
	})

	if p.book, err = journal.Open(w.ctx, journal.Options{Path: w.journal, Now: w.now, Logger: log}); err != nil {
		return nil, err
	}
	store, err := recordings.Open(recordings.Options{
		Dir: p.folder("recordings"), MessagesDir: p.folder("messages"), RawDir: p.folder("raw"), Location: time.UTC, Logger: log,
	})
	if err != nil {
		return nil, err
	}
	p.lines, err = queue.New(queue.Options{Queues: rules, Agents: w.agents, Hold: true, Now: w.now, Record: p.record, Logger: log})
	if err != nil {
		return nil, err
	}
	p.link, err = ari.New(ari.Options{
		URL: w.asterisk.URL(), App: aritest.App, Username: aritest.User, Password: aritest.Password, Dial: p.wire.Dial, Logger: log,
	})
	if err != nil {
		return nil, err
	}
	p.calls = call.New(call.Options{
		Link: p.link, Queue: p.lines, Journal: gate{p}, Reader: p.book.Reader(), Calendar: parts.days, Menus: menus,
		Messages: ivr.MessageTaker{Digits: parts.speech.Phone, MaxLength: 20 * time.Second, MaxSilence: 5 * time.Second, MinLength: 2 * time.Second, Wait: 3 * time.Second},
		Library:  parts.library, Speech: parts.speech, Recordings: store, SoundsDir: soundsDir,
		MessageFile: messages(p.folder("spool")), PIN: func(_, pin string) bool { return pin == ourPIN },
		AfterRings: 1, Record: true, RecordingNotice: "notice.recording", RTPTimeout: 30 * time.Second, RTPTimeoutAgent: 10 * time.Second,
		RatingWait: 5 * time.Second, RatingTries: 2, MixTalk: true, Queues: queueOptions, Announcements: announcements,
		Now: w.now, Logger: log,
	})
	switch err := p.note(call.KindServiceStarted, call.ServiceStarted{Epoch: p.book.Epoch(), Version: "virtual"}); {
	case errors.Is(err, errKilled):
		p.lines.Stop()
		close(p.ended)
		return p, nil
	case err != nil:
		return nil, err
	}
	p.run()
	return p, nil
}

// note journals what concerns the process.
func (p *process) note(kind string, data any) error {
	entry := journal.NewEntry(kind, data, call.ServiceStream)
	entry.At = p.w.now().UTC()
	_, err := gate{p}.Append(p.w.ctx, entry)
	return err
}

// run begins the process's work.
func (p *process) run() {
	ctx, stop := context.WithCancelCause(p.w.ctx)
	p.stop = stop
	// The link outlives the calls: those that are just ending hear Asterisk out.
	linked, unlink := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	running.Go(func() {
		if err := p.link.Run(linked); linked.Err() == nil {
			stop(err)
		}
	})
	running.Go(func() {
		defer unlink()
		_ = p.calls.Run(ctx)
	})
	p.w.work.Go(func() {
		running.Wait()
		p.lines.Stop()
		if !p.dead.Load() {
			if err := p.note(call.KindServiceStopping, call.ServiceStopping{Why: "shutdown", Live: p.calls.Live()}); err != nil {
				p.w.fail("process %d: leaving: %v", p.n, err)
			}
		}
		if err := p.book.Close(); err != nil && !p.dead.Load() {
			p.w.fail("process %d: closing the journal: %v", p.n, err)
		}
		close(p.ended)
	})
}

// folders are Asterisk's and ours.
var folders = []string{"recordings", "messages", "raw", "spool"}

// home is where a process finds them.
func (w *world) home(n int) string { return filepath.Join(w.dir, fmt.Sprintf("process-%d", n)) }

// link gives a process its way to them.
func (w *world) link(n int) error {
	err := errors.Join(os.RemoveAll(w.home(n)), os.Mkdir(w.home(n), 0o700))
	for _, folder := range folders {
		err = errors.Join(err, os.Symlink(filepath.Join("..", folder), filepath.Join(w.home(n), folder)))
	}
	return err
}

func (p *process) folder(name string) string { return filepath.Join(p.dir, name) }

// terminate is what SIGTERM does.
func (p *process) terminate() { p.stop(errors.New("asked to stop")) }

// cut is what kill -9 does: what the process has begun and nobody has heard of never happens.
func (p *process) cut() {
	p.cutOnce.Do(func() {
		p.dead.Store(true)
		p.wire.Cut()
		_ = os.RemoveAll(p.dir)
		_ = os.WriteFile(p.dir, nil, 0o600) // so that no folder can be made there again
		_ = p.book.Close()                  // a commit that has begun is the kernel's and SQLite's, and comes to its end
		if p.stop != nil {
			p.stop(errKilled)
		}
		close(p.killed)
	})
}

// boundary is a moment at which a process can be killed: before or after its n-th request is carried out, or its n-th
// append is written.
type boundary struct {
	kind  boundaryKind
	nth   int64 // of all kinds together, both sides counted; 0: never
	after time.Duration
}

type boundaryKind string

const (
	requestBoundary boundaryKind = "request"
	appendBoundary  boundaryKind = "append"
)

// at is told of every boundary that the process comes to.
func (p *process) at(kind boundaryKind, after bool, what string) {
	if n := p.boundaries.Add(1); n != p.fatal.nth || p.dead.Load() {
		return
	}
	side := "before"
	if after {
		side = "after"
	}
	p.w.logf("KILL of process %d at its boundary %d, %s the %s %s", p.n, p.fatal.nth, side, kind, what)
	p.cut()
}

// gate is the journal as a process sees it, until it is dead.
type gate struct{ p *process }

func (g gate) Append(ctx context.Context, entries ...journal.Entry) (int64, error) {
	return g.append(entries, func() (int64, error) { return g.p.book.Append(ctx, entries...) })
}

func (g gate) AppendDurable(ctx context.Context, entries ...journal.Entry) (int64, error) {
	return g.append(entries, func() (int64, error) { return g.p.book.AppendDurable(ctx, entries...) })
}

func (g gate) append(entries []journal.Entry, write func() (int64, error)) (int64, error) {
	what := ""
	if len(entries) > 0 {
		what = entries[0].Kind
	}
	g.p.at(appendBoundary, false, what)
	if g.p.dead.Load() {
		return 0, errKilled
	}
	last, err := write()
	g.p.at(appendBoundary, true, what)
	if g.p.dead.Load() {
		return 0, errKilled
	}
	return last, err
}

// record writes what the queue does into the journal.
func (p *process) record(list []queue.Change) {
	entries := make([]journal.Entry, 0, len(list))
	for _, change := range list {
		var streams []string
		if change.Call != "" {
			streams = append(streams, call.Stream(change.Call))
		}
		if change.Agent != "" {
			streams = append(streams, call.AgentStream(change.Agent))
		}
		if change.Queue != "" {
			streams = append(streams, "queue/"+change.Queue)
		}
		entry := journal.NewEntry(change.Kind, change, streams...)
		entry.At = change.At.UTC()
		entries = append(entries, entry)
	}
	if _, err := (gate{p}).Append(context.Background(), entries...); err != nil && !p.dead.Load() {
		p.w.fail("process %d: the journal misses what the queue did: %v", p.n, err)
	}
}

// logger writes into the world's log.
func (w *world) logger(n int) *slog.Logger {
	level := slog.LevelInfo
	if w.verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(logWriter{w, n}, &slog.HandlerOptions{Level: level, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
}

type logWriter struct {
	w *world
	n int
}

func (l logWriter) Write(line []byte) (int, error) {
	l.w.logf("  process %d: %s", l.n, line[:len(line)-1])
	return len(line), nil
}
