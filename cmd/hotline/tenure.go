package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"hotline/ari"
	"hotline/call"
	"hotline/journal"
)

// One process at a time acts on the calls: the one that owns the journal. A
// process that takes over prepares everything first, connects to Asterisk,
// which makes the one before it stop acting, and then claims the journal, so
// that the one before it writes no more.

// openJournal opens the journal as its owner or, where another process owns it
// and this one is to take over, beside it.
func openJournal(ctx context.Context, o journal.Options, takeover bool) (book *journal.Journal, beside bool, err error) {
	book, err = journal.Open(ctx, o)
	switch {
	case !errors.Is(err, journal.ErrInUse):
		return book, false, err
	case !takeover:
		return nil, false, fmt.Errorf("another hotline is running with this state_dir; let this one take its calls over with: hotline serve --takeover; or stop it first, or give this one its own: %w", err)
	}
	o.Standby = true
	book, err = journal.Open(ctx, o)
	return book, true, err
}

// tenure is this process's time as the one that acts: from the claim of the
// journal until another process claims it. It is the journal that calls and
// queues write to.
type tenure struct {
	*journal.Scribe
	book  *journal.Journal
	path  string                  // of its file
	leave context.CancelCauseFunc // ends the service
	log   *slog.Logger

	patience time.Duration // with the process before, which lets go of the journal

	once     sync.Once
	begun    chan struct{} // closed when it has begun
	since    time.Time     // when that was; settled once begun
	released sync.Once
}

func newTenure(scribe *journal.Scribe, book *journal.Journal, path string, leave context.CancelCauseFunc, log *slog.Logger) *tenure {
	return &tenure{Scribe: scribe, book: book, path: path, leave: leave, log: log, patience: vacateWithin, begun: make(chan struct{})}
}

// release writes what is still in memory and lets go of the journal, once, and
// is over by then.
func (t *tenure) release(by time.Time) {
	t.released.Do(func() {
		flush := min(flushWithin, time.Until(by)-closeWithin)
		ctx, cancel := context.WithTimeout(context.Background(), flush)
		defer cancel()
		if err := t.Scribe.Close(ctx); err != nil {
			t.log.Error("closing what is on its way to the journal", "err", err)
		}
		closing(t.log, "the journal", time.Until(by), t.book.Close)
	})
}

// asksBefore asks the process before this one whether it has much to write: one
// that the disk keeps waiting is given the time for it.
func (t *tenure) asksBefore(ctx context.Context, socket string) {
	ctx, cancel := context.WithTimeout(ctx, vacateWithin)
	defer cancel()
	before, err := ask(ctx, socket, "GET", "/status")
	switch {
	case err != nil:
		t.log.Warn("the hotline before this one does not answer, and is not waited for", "err", err)
	case before.Late > 0:
		t.log.Warn("the hotline before this one has entries that its disk has not taken, and is waited for", "entries", before.Late)
		t.patience = vacateLate
	}
}

// begin claims the journal, unless it is ours already, and writes down that
// this process acts from now on. The process before it, which leaves at this
// moment, may write what it still has in memory; one that hangs is not waited
// for: until the journal is claimed, callers' keys wait.
func (t *tenure) begin(ctx context.Context) error {
	patience, cancel := context.WithTimeout(ctx, t.patience)
	defer cancel()
	if err := t.book.Vacant(patience); err != nil && ctx.Err() == nil {
		t.log.Warn("the hotline before this one does not let go of the journal, which is taken from it", "err", err)
	}
	if err := t.book.Claim(ctx); err != nil {
		return t.fenced(err)
	}
	t.once.Do(func() {
		before := last(ctx, t.book.Reader())
		t.note(ctx, call.KindServiceStarted, call.ServiceStarted{Epoch: t.book.Epoch(), Version: version(), LastSeen: before.At})
		t.since = time.Now()
		close(t.begun)
	})
	return nil
}

// How long the handing over of the journal may take: writing what is in memory,
// and waiting for that.
const (
	flushWithin  = 700 * time.Millisecond
	vacateWithin = 300 * time.Millisecond
	vacateLate   = 1500 * time.Millisecond // … where it is known to take time
)

// wasRelieved says whether a service leaves since another one has its calls.
func wasRelieved(why error) bool {
	return errors.Is(why, ari.ErrReplaced) || errors.Is(why, journal.ErrFenced)
}

// leaves writes down why this process acts no more, leaving this many calls to
// Asterisk, lets go of the journal, and says whether that is a mistake. It is to
// be gone by then.
func (t *tenure) leaves(why error, live int, by time.Time) error {
	said, mistake := "failed", true
	switch {
	case errors.Is(why, errAsked):
		said, mistake = "shutdown", false
	case errors.Is(why, errDrained), errors.Is(why, errDrainTime):
		said, mistake = "drained", false
	case wasRelieved(why):
		said = "replaced"
	}
	if t.acts() {
		t.stopping(said, live, sharesOf(why).close)
	}
	t.release(by)
	switch {
	case said == "replaced":
		return t.replaced(why, by)
	case mistake:
		return why
	}
	t.log.Info("the hotline is down; Asterisk keeps its calls", "why", why, "calls", live)
	return nil
}

// replaced says whether it was a successor who connected to Asterisk in our
// place.
func (t *tenure) replaced(why error, by time.Time) error {
	switch {
	case errors.Is(why, journal.ErrFenced), t.relieved(by):
		t.log.Info("another hotline has taken the calls over; this one leaves")
		return nil
	case t.acts() && time.Since(t.since) > unsettled:
		return fmt.Errorf("%w: %w", errStranger, why)
	default:
		return fmt.Errorf("%w and has not taken the calls over in time; start the hotline again", why)
	}
}

// errStranger says that another process has connected to Asterisk under our
// name without claiming our journal. To start again would push it out in turn.
var errStranger = errors.New("the calls were not taken over by a hotline with this state_dir; does one with another state_dir run on this Asterisk?")

// unsettled is how long the process before this one may still be in the midst
// of connecting to Asterisk when it is relieved.
const unsettled = 5 * time.Second

// acts says whether this process has ever acted.
func (t *tenure) acts() bool {
	select {
	case <-t.begun:
		return true
	default:
		return false
	}
}

func (t *tenure) stopping(why string, live int, limit time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	t.note(ctx, call.KindServiceStopping, call.ServiceStopping{Why: why, Live: live})
}

func (t *tenure) note(ctx context.Context, kind string, data any) {
	_, err := t.Append(ctx, journal.NewEntry(kind, data, call.ServiceStream))
	if untold(err) {
		t.log.Error("the journal misses an entry of the service", "kind", kind, "err", err)
	}
}

// untold says whether entries are missing for a reason that the journal does
// not tell by itself, once.
func untold(err error) bool {
	return err != nil && !errors.Is(err, journal.ErrLate) && !errors.Is(err, journal.ErrNoRoom) && !errors.Is(err, journal.ErrFenced)
}

// last is the journal's newest entry; zero when there is none to be read.
func last(ctx context.Context, r *journal.Reader) (newest journal.Entry) {
	for entry, err := range r.Read(ctx, journal.Query{Newest: true, Limit: 1}) {
		if err == nil {
			newest = entry
		}
	}
	return newest
}

// Append also ends the service when the journal has gone to another process.
func (t *tenure) Append(ctx context.Context, entries ...journal.Entry) (int64, error) {
	last, err := t.Scribe.Append(ctx, entries...)
	return last, t.fenced(err)
}

// Note likewise.
func (t *tenure) Note(entries ...journal.Entry) error { return t.fenced(t.Scribe.Note(entries...)) }

// AppendDurable likewise.
func (t *tenure) AppendDurable(ctx context.Context, entries ...journal.Entry) (int64, error) {
	last, err := t.Scribe.AppendDurable(ctx, entries...)
	return last, t.fenced(err)
}

func (t *tenure) fenced(err error) error {
	if errors.Is(err, journal.ErrFenced) {
		t.leave(journal.ErrFenced)
	}
	return err
}

// dial connects to Asterisk, unless the journal has gone to another process:
// one that was away from Asterisk while it was relieved must not come back and
// push its successor out.
func (t *tenure) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if t.over(ctx) {
		return nil, t.fenced(journal.ErrFenced)
	}
	return new(net.Dialer).DialContext(ctx, network, address)
}

// over says whether a later process has written to the journal.
func (t *tenure) over(ctx context.Context) bool { return t.later(ctx, t.book.Reader()) }

func (t *tenure) later(ctx context.Context, r *journal.Reader) bool {
	own := t.book.Epoch()
	return own > 0 && last(ctx, r).Epoch > own
}

// relieved waits for whoever connected to Asterisk in our place to claim the
// journal, which we have closed; false when nobody has by then.
func (t *tenure) relieved(by time.Time) bool {
	ctx, cancel := context.WithDeadline(context.Background(), by)
	defer cancel()
	r, err := journal.OpenReader(ctx, t.path)
	if err != nil {
		t.log.Error("whether another hotline has taken the calls over cannot be read", "err", err)
		return false
	}
	defer r.Close()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !t.later(ctx, r) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return false
		}
	}
	return true
}
