package virtual

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
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
	w      *world
	n      int
	dir    string // of links to the folders; gone with the process
	wire   *aritest.Wire
	book   *journal.Journal
	scribe *journal.Scribe
	lines  *queue.Engine
	link   *ari.Link
	calls  *call.Service

	asking sync.Mutex
	asked  time.Time // when it was last asked whose the journal is
	fenced bool

	boundaries atomic.Int64
	fate       end // what happens to it, and where
	met        atomic.Bool
	dead       atomic.Bool
	cutOnce    sync.Once
	beginOnce  sync.Once
	stop       context.CancelCauseFunc
	fated      chan struct{} // closed when it has come to its boundary
	left       chan struct{} // closed when it is no more: it left, or was killed
}

// Why a process ends.
var (
	errKilled = fmt.Errorf("this process has been killed: %w", journal.ErrClosed)
	errAsked  = errors.New("asked to stop")
)

// start sets a process going; with beside, while another one is at work.
func (w *world) start(n int, fate end, beside bool) (*process, error) {
	p := &process{w: w, n: n, dir: w.home(n), fate: fate, fated: make(chan struct{}), left: make(chan struct{})}
	var ctx context.Context
	ctx, p.stop = context.WithCancelCause(w.ctx)
	if err := p.prepare(ctx, beside); err != nil {
		return nil, err
	}
	if !beside {
		if err := p.begin(ctx); err != nil && !p.dead.Load() {
			return nil, err
		}
	}
	p.run(ctx)
	return p, nil
}

// prepare wires the parts.
func (p *process) prepare(ctx context.Context, beside bool) (err error) {
	w, log := p.w, p.w.logger(p.n)
	if err := w.link(p.n); err != nil {
		return err
	}
	p.wire = w.asterisk.Wire()
	p.wire.Boundary(func(r aritest.Request, after bool) {
		if w.verbose && after {
			w.logf("    request of process %d: %s %s %.200s", p.n, r.Method, r.Path, r.Query+r.Body)
		}
		if r.Route == "/channels/create" && !after {
			w.checkDial(r)
		}
		p.at("request", after, r.Method+" "+r.Path)
	})
	if p.book, err = journal.Open(ctx, journal.Options{Path: w.file, Standby: beside, Now: w.now, Logger: log}); err != nil {
		return err
	}
	if p.scribe, err = journal.NewScribe(gate{p}, journal.ScribeOptions{Now: w.now, Logger: log}); err != nil {
		return err
	}
	store, err := recordings.Open(recordings.Options{
		Dir: p.folder("recordings"), MessagesDir: p.folder("messages"), RawDir: p.folder("raw"), Location: time.UTC, Logger: log,
	})
	if err != nil {
		return err
	}
	p.lines, err = queue.New(queue.Options{Queues: w.rules, Agents: w.agents, Hold: true, Now: w.now, Record: p.record, Note: p.noteChanges, Logger: log})
	if err != nil {
		return err
	}
	p.link, err = ari.New(ari.Options{
		URL: w.asterisk.URL(), App: aritest.App, Username: aritest.User, Password: aritest.Password, Dial: p.dial, Logger: log,
	})
	if err != nil {
		return err
	}
	var claim func(context.Context) error
	if beside {
		claim = p.begin
	}
	p.calls = call.New(call.Options{
		Link: p.link, Queue: p.lines, Journal: tenure{p}, Reader: p.book.Reader(), Claim: claim, Calendar: parts.days, Menus: menus,
		Messages: ivr.MessageTaker{Digits: parts.speech.Phone, MaxLength: 20 * time.Second, MaxSilence: 5 * time.Second, MinLength: 2 * time.Second, Wait: 3 * time.Second},
		Library:  parts.library, Speech: parts.speech, Recordings: store, SoundsDir: soundsDir,
		MessageFile: messages(p.folder("spool")), PIN: func(_, pin string) bool { return pin == ourPIN },
		AfterRings: 1, Record: true, RecordingNotice: "notice.recording", RTPTimeout: 30 * time.Second, RTPTimeoutAgent: 10 * time.Second,
		RatingWait: 5 * time.Second, RatingTries: 2, MixTalk: true, Queues: w.queues, Announcements: announcements, Redial: redial,
		Now: w.now, Logger: log,
	})
	return nil
}

// begin claims the journal, once the process before this one has let go of it: from now on this one acts, and no other.
func (p *process) begin(ctx context.Context) error {
	patience, cancel := context.WithTimeout(ctx, vacateWithin)
	defer cancel()
	if err := p.book.Vacant(patience); err != nil {
		p.w.logf("process %d claims a journal that is not let go of: %v", p.n, err)
	}
	if err := p.book.Claim(ctx); err != nil {
		return err
	}
	var err error
	p.beginOnce.Do(func() {
		p.w.acts(p)
		err = p.note(ctx, call.KindServiceStarted, call.ServiceStarted{Epoch: p.book.Epoch(), Version: "virtual", LastSeen: p.last(ctx).At})
	})
	return err
}

// note journals what concerns the process.
func (p *process) note(ctx context.Context, kind string, data any) error {
	entry := journal.NewEntry(kind, data, call.ServiceStream)
	entry.At = p.w.now().UTC()
	_, err := p.scribe.Append(ctx, entry)
	return err
}

// last is the journal's newest entry.
func (p *process) last(ctx context.Context) (last journal.Entry) {
	for entry, err := range p.book.Reader().Read(ctx, journal.Query{Newest: true, Limit: 1}) {
		if err == nil {
			last = entry
		}
	}
	return last
}

// dial does not come back to Asterisk once the journal is another process's.
func (p *process) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if p.over(ctx) {
		p.stop(journal.ErrFenced)
		return nil, journal.ErrFenced
	}
	return p.wire.Dial(ctx, network, address)
}

// over says whether a later process has written to the journal. A burst of connections asks once.
func (p *process) over(ctx context.Context) bool {
	own := p.book.Epoch()
	p.asking.Lock()
	defer p.asking.Unlock()
	if own > 0 && time.Since(p.asked) > 10*time.Millisecond {
		p.fenced, p.asked = p.fenced || p.last(ctx).Epoch > own, time.Now()
	}
	return p.fenced
}

// How long a process takes at most to come to its end, to write what it has in memory, and to wait for the one before.
const (
	leaveWithin  = 800 * time.Millisecond
	flushWithin  = 700 * time.Millisecond
	vacateWithin = 1500 * time.Millisecond
)

// run works until ctx ends or another process takes over.
func (p *process) run(ctx context.Context) {
	// The link outlives the calls: those that are just ending hear Asterisk out.
	linked, unlink := context.WithCancel(context.WithoutCancel(ctx))
	running := make(chan struct{})
	p.w.work.Go(func() {
		defer close(running)
		var parts sync.WaitGroup
		parts.Go(func() {
			if err := p.link.Run(linked); ctx.Err() == nil { // also where the calls saw it first
				p.stop(err)
			}
		})
		parts.Go(func() {
			defer unlink()
			_ = p.calls.Run(ctx)
		})
		parts.Wait()
	})
	p.w.work.Go(func() {
		<-ctx.Done()
		select {
		case <-running:
		case <-time.After(leaveWithin):
		}
		p.lines.Stop()
		p.leave(context.Cause(ctx))
		p.cut() // whatever has not come to its end ends with the process
		close(p.left)
	})
}

// leave says goodbye and writes what is still in memory, as far as it may.
func (p *process) leave(why error) {
	if p.dead.Load() {
		return
	}
	p.w.logf("process %d leaves: %v", p.n, why)
	ctx, cancel := context.WithTimeout(context.Background(), flushWithin)
	defer cancel()
	said := "replaced"
	if errors.Is(why, errAsked) {
		said = "shutdown"
	}
	err := p.note(ctx, call.KindServiceStopping, call.ServiceStopping{Why: said, Live: p.calls.Live()})
	if err = errors.Join(err, p.scribe.Close(ctx)); err != nil && !p.dead.Load() && !errors.Is(err, journal.ErrFenced) && !errors.Is(err, journal.ErrStandby) {
		p.w.fail("process %d: what is on its way to the journal: %v", p.n, err)
	}
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

// cut is what kill -9 does: what the process has begun and nobody has heard of never happens.
func (p *process) cut() {
	p.cutOnce.Do(func() {
		p.dead.Store(true)
		p.wire.Cut()
		_ = os.RemoveAll(p.dir)
		_ = os.WriteFile(p.dir, nil, 0o600) // so that no folder can be made there again
		gone, cancel := context.WithCancel(context.Background())
		cancel()
		_ = p.scribe.Close(gone)
		_ = p.book.Close() // a commit that has begun is the kernel's and SQLite's, and comes to its end
		p.stop(errKilled)
	})
}

// at is told of every boundary that the process comes to: before and after each request is carried out, before and
// after each transaction of the journal.
func (p *process) at(what string, after bool, which string) {
	if n := p.boundaries.Add(1); n != p.fate.nth || p.dead.Load() || !p.met.CompareAndSwap(false, true) {
		return
	}
	side := "before"
	if after {
		side = "after"
	}
	p.w.logf("END of process %d: %s at its boundary %d, %s the %s %s", p.n, p.fate.kind, p.fate.nth, side, what, which)
	if p.fate.kind == killed {
		p.cut()
	}
	close(p.fated)
}

// spare lets a process live that has not come to its boundary; false if it has.
func (p *process) spare() bool { return p.met.CompareAndSwap(false, true) }

// tenure is the journal that calls and queues write to: once it is another process's, this one leaves.
type tenure struct{ p *process }

func (t tenure) Append(ctx context.Context, entries ...journal.Entry) (int64, error) {
	last, err := t.p.scribe.Append(ctx, entries...)
	return last, t.fenced(err)
}

func (t tenure) Note(entries ...journal.Entry) error { return t.fenced(t.p.scribe.Note(entries...)) }

func (t tenure) AppendDurable(ctx context.Context, entries ...journal.Entry) (int64, error) {
	last, err := t.p.scribe.AppendDurable(ctx, entries...)
	return last, t.fenced(err)
}

func (t tenure) fenced(err error) error {
	if errors.Is(err, journal.ErrFenced) {
		t.p.stop(journal.ErrFenced)
	}
	return err
}

// gate is the disk as a process sees it, until it is dead.
type gate struct{ p *process }

func (g gate) Append(ctx context.Context, entries ...journal.Entry) (int64, error) {
	return g.append(entries, func() (int64, error) { return g.p.book.Append(ctx, entries...) })
}

func (g gate) AppendDurable(ctx context.Context, entries ...journal.Entry) (int64, error) {
	return g.append(entries, func() (int64, error) { return g.p.book.AppendDurable(ctx, entries...) })
}

func (g gate) append(entries []journal.Entry, write func() (int64, error)) (int64, error) {
	what := entries[0].Kind
	g.p.at("append", false, what)
	if g.p.dead.Load() {
		return 0, errKilled
	}
	last, err := write()
	g.p.at("append", true, what)
	if g.p.dead.Load() {
		return 0, errKilled
	}
	if err == nil && g.p.w.written != nil {
		for _, e := range entries {
			g.p.w.written(e)
		}
	}
	return last, err
}

// record and noteChanges write what the queue does into the journal.
func (p *process) record(list []queue.Change) {
	_, err := tenure{p}.Append(context.Background(), entriesOf(list)...)
	p.missed(err)
}

func (p *process) noteChanges(list []queue.Change) { p.missed(tenure{p}.Note(entriesOf(list)...)) }

func (p *process) missed(err error) {
	if err != nil && !p.dead.Load() && !errors.Is(err, journal.ErrLate) && !errors.Is(err, journal.ErrFenced) {
		p.w.fail("process %d: the journal misses what the queue did: %v", p.n, err)
	}
}

func entriesOf(list []queue.Change) []journal.Entry {
	entries := make([]journal.Entry, 0, len(list))
	for _, change := range list {
		var streams []string
		if change.Call != "" {
			streams = append(streams, call.Stream(change.Call))
		}
		if change.Agent != "" {
			streams = append(streams, call.AgentStream(change.Agent))
		}
		if change.Left != nil {
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
