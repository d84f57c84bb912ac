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
	call.Journal
	book  *journal.Journal
	leave context.CancelCauseFunc // ends the service
	log   *slog.Logger

	once  sync.Once
	begun chan struct{} // closed when it has begun
	since time.Time     // when that was; settled once begun
}

func newTenure(entries call.Journal, book *journal.Journal, leave context.CancelCauseFunc, log *slog.Logger) *tenure {
	return &tenure{Journal: entries, book: book, leave: leave, log: log, begun: make(chan struct{})}
}

// begin claims the journal, unless it is ours already, and writes down that
// this process acts from now on.
func (t *tenure) begin(ctx context.Context) error {
	if err := t.book.Claim(ctx); err != nil {
		return t.fenced(err)
	}
	t.once.Do(func() {
		last := t.last(ctx)
		t.note(ctx, call.KindServiceStarted, call.ServiceStarted{Epoch: t.book.Epoch(), Version: version(), LastSeen: last.At})
		t.since = time.Now()
		close(t.begun)
	})
	return nil
}

// leaves writes down why this process acts no more, leaving this many calls to
// Asterisk, and says whether that is a mistake. A process that was relieved
// writes nothing: what it knows is its successor's.
func (t *tenure) leaves(why error, live int) error {
	switch {
	case errors.Is(why, journal.ErrFenced), errors.Is(why, ari.ErrReplaced) && t.relieved(relieveWithin):
		t.log.Info("another hotline has taken the calls over; this one leaves")
		return nil
	case errors.Is(why, ari.ErrReplaced):
		t.stopping("replaced", live)
		if t.acts() && time.Since(t.since) > unsettled {
			return fmt.Errorf("%w: %w", errStranger, why)
		}
		return fmt.Errorf("the hotline that ran before has connected to Asterisk once more; start this one again: %w", why)
	case errors.Is(why, errDrained), errors.Is(why, errDrainTime):
		t.stopping("drained", live)
		t.log.Info("the hotline has drained and leaves", "why", why, "calls", live)
		return nil
	case errors.Is(why, errAsked):
		t.stopping("shutdown", live)
		t.log.Info("the hotline is down; Asterisk keeps its calls", "calls", live)
		return nil
	default:
		t.stopping("failed", live)
		return why
	}
}

// errStranger says that another process has connected to Asterisk under our
// name without claiming our journal. To start again would push it out in turn.
var errStranger = errors.New("the calls were not taken over by a hotline with this state_dir; does one with another state_dir run on this Asterisk?")

// relieveWithin is how long whoever connects to Asterisk in our place takes to
// claim the journal.
const relieveWithin = time.Second

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

func (t *tenure) stopping(why string, live int) {
	if !t.acts() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeWithin)
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
func (t *tenure) last(ctx context.Context) (last journal.Entry) {
	for entry, err := range t.book.Reader().Read(ctx, journal.Query{Newest: true, Limit: 1}) {
		if err == nil {
			last = entry
		}
	}
	return last
}

// Append also ends the service when the journal has gone to another process.
func (t *tenure) Append(ctx context.Context, entries ...journal.Entry) (int64, error) {
	last, err := t.Journal.Append(ctx, entries...)
	return last, t.fenced(err)
}

// AppendDurable likewise.
func (t *tenure) AppendDurable(ctx context.Context, entries ...journal.Entry) (int64, error) {
	last, err := t.Journal.AppendDurable(ctx, entries...)
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
func (t *tenure) over(ctx context.Context) bool {
	own := t.book.Epoch()
	return own > 0 && t.last(ctx).Epoch > own
}

// relieved waits for whoever connected to Asterisk in our place to claim the
// journal; false when nobody does, so that it was somebody else.
func (t *tenure) relieved(patience time.Duration) bool {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !t.over(ctx) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return false
		}
	}
	return true
}
