// Package journal owns the record of what the service was about to do and what happened: append-only entries in
// one sequence, read back by stream, kept in SQLite and chained by hashes. A call's stage, an agent's state, the order of
// a queue are folds of it. One process writes at a time: whoever claims a Journal begins an epoch, and the process before
// it can write no more. A Scribe writes for callers who cannot wait for the disk.
// It must not know any kind of entry: what a kind means is its writer's affair.
package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"modernc.org/sqlite" // also the "sqlite" driver
	sqlite3 "modernc.org/sqlite/lib"
)

var (
	// ErrClosed says that the journal was closed before it took the entries: none was written.
	ErrClosed = errors.New("journal: closed, nothing was written")
	// ErrInUse says that another process, or another Journal of this one, writes the same file.
	ErrInUse = errors.New("journal: another writer has this file open")
)

const (
	// maxBatch bounds the entries of one transaction, and with them the time the first of them waits for the last.
	maxBatch = 1024
	// checkpointEvery is after how many entries the WAL is copied into the file, beside the writer.
	checkpointEvery = 2000
)

// Options say where the journal is and with whom it speaks.
type Options struct {
	Path       string                // the SQLite file; it is created, in a directory that exists, readable by its owner alone
	Standby    bool                  // read beside the process that writes, until Claim
	Now        func() time.Time      // the wall clock for entries without a time; nil means time.Now
	Logger     *slog.Logger          // nil means slog.Default
	Registerer prometheus.Registerer // nil means no metrics
}

// Journal is the single writer of one file, or stands by to become it. All its methods may be called from any goroutine.
type Journal struct {
	path    string
	now     func() time.Time
	logger  *slog.Logger
	metrics *metrics
	lock    *os.File
	db      *sql.DB
	writer  *writer // nil in standby, and while the disk has not let it be opened; the writer goroutine's own
	reader  *Reader

	standby atomic.Bool
	epoch   atomic.Int64
	newest  int64         // the newest epoch found at the last try to claim; the writer goroutine's own
	locked  chan struct{} // closed when the lock file is ours

	requests   chan *request // unbuffered: handing over a request is its acceptance
	claims     chan *claim   // unbuffered likewise
	grown      chan struct{} // capacity 1: the WAL has grown by checkpointEvery entries
	closing    chan struct{}
	goroutines sync.WaitGroup // the writer, the checkpointer and who waits for the lock file
	fault      atomic.Pointer[error]
	close      func() error
}

// request is the entries of one Append, all written in one transaction or none.
type request struct {
	entries []Entry
	durable bool
	done    chan outcome // capacity 1, so the writer never waits for an appender
}

type outcome struct {
	last int64
	err  error
}

// Open opens or creates the journal, claims it and starts its writer; Close ends it. ctx bounds opening alone.
// With Standby it neither claims nor changes anything: the journal can be read, beside the process that writes it, and
// refuses appends with ErrStandby until Claim.
//
// Without Standby it returns ErrInUse when the file has a writer already, and an error when the file is not a journal, has a newer
// schema, or cannot be created. A disk that is full or broken is no such error: the service must be able to start and
// take calls, so the journal opens, Err says why it cannot be written, and every Append tries anew.
func Open(ctx context.Context, o Options) (*Journal, error) {
	j := &Journal{
		path: o.Path, now: o.Now, logger: o.Logger,
		newest: unknownEpoch, locked: make(chan struct{}),
		requests: make(chan *request), claims: make(chan *claim), grown: make(chan struct{}, 1), closing: make(chan struct{}),
	}
	j.standby.Store(o.Standby)
	if j.now == nil {
		j.now = time.Now
	}
	if j.logger == nil {
		j.logger = slog.Default()
	}
	if err := j.open(ctx, o.Registerer); err != nil {
		return nil, errors.Join(fmt.Errorf("open the journal %s: %w", o.Path, err), j.release())
	}
	j.close = sync.OnceValue(j.shut)
	j.goroutines.Go(j.write)
	j.goroutines.Go(j.checkpoint)
	if o.Standby {
		j.goroutines.Go(j.awaitLock)
	}
	return j, nil
}

// busyTimeout is how long a statement waits for another process that is writing, in milliseconds: two processes have the
// file open during a takeover, and none of them writes for long.
const busyTimeout = "busy_timeout(1000)"

// autoCheckpoint is when SQLite checkpoints within a commit: only if the checkpointer could not keep up, at 64 MiB of WAL.
const autoCheckpoint = "wal_autocheckpoint(16384)"

func (j *Journal) open(ctx context.Context, reg prometheus.Registerer) (err error) {
	if !j.standby.Load() {
		if err = j.takeLock(); err != nil {
			return err
		}
	}
	if err = createPrivate(j.path); err != nil {
		return err
	}
	source, err := dataSource(j.path, "rw", busyTimeout, "journal_mode(wal)", "synchronous(normal)", autoCheckpoint)
	if err != nil {
		return err
	}
	if j.db, err = sql.Open("sqlite", source); err != nil {
		return err
	}
	if j.reader, err = newReader(j.path); err != nil {
		return err
	}
	j.reader.shared = true
	if j.metrics, err = newMetrics(reg); err != nil {
		return err
	}
	if j.standby.Load() {
		_, err = j.reader.version(ctx)
	} else {
		err = j.begin(ctx)
	}
	if diskFails(err) {
		j.note(err) // calls go on without the journal, and every append tries anew
		return nil
	}
	return err
}

// diskFails reports whether SQLite could not do its work because of the disk, full or broken, and not because of
// what is in the file.
func diskFails(err error) bool {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return false
	}
	primary := e.Code() & 0xff
	return primary == sqlite3.SQLITE_FULL || primary == sqlite3.SQLITE_IOERR
}

// createPrivate makes the file, readable by its owner alone, if there is none: it will hold callers' numbers.
func createPrivate(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return f.Close()
}

// Append writes the entries in one transaction, in their order, and returns the sequence number of the last; the
// others precede it without gaps. It returns once they are committed: they then survive the death of this process,
// but not a power cut (see AppendDurable). With no entries it does nothing and returns 0.
//
// An error means that none of the entries was written. ctx counts only until the writer takes the entries: whoever is
// cancelled before gets an error and nothing was written; whoever is cancelled later still waits for the outcome, so
// it is never unknown. While the disk is full or broken, Append returns the reason and every Append tries anew.
// ErrFenced is the last word: another process has claimed the journal.
func (j *Journal) Append(ctx context.Context, entries ...Entry) (last int64, err error) {
	return j.append(ctx, false, entries)
}

// AppendDurable is Append that returns once the entries, and all before them, are flushed to the disk: for promises.
func (j *Journal) AppendDurable(ctx context.Context, entries ...Entry) (last int64, err error) {
	return j.append(ctx, true, entries)
}

func (j *Journal) append(ctx context.Context, durable bool, entries []Entry) (int64, error) {
	if len(entries) == 0 {
		return 0, nil
	}
	if err := j.Err(); errors.Is(err, ErrFenced) {
		return 0, err
	}
	if j.standby.Load() {
		return 0, ErrStandby
	}
	began := time.Now()
	r := &request{entries: make([]Entry, len(entries)), durable: durable, done: make(chan outcome, 1)}
	for i, e := range entries {
		accepted, err := e.accepted(j.now())
		if err != nil {
			return 0, err
		}
		r.entries[i] = accepted
	}
	if err := j.handOver(ctx, r); err != nil {
		return 0, err
	}
	o := <-r.done
	j.metrics.appendSeconds.WithLabelValues(strconv.FormatBool(durable)).Observe(time.Since(began).Seconds())
	return o.last, o.err
}

func (j *Journal) handOver(ctx context.Context, r *request) error {
	if ctx.Err() != nil {
		return notTaken(ctx)
	}
	select {
	case j.requests <- r:
		return nil
	case <-ctx.Done():
		return notTaken(ctx)
	case <-j.closing:
		return ErrClosed
	}
}

func notTaken(ctx context.Context) error {
	return fmt.Errorf("journal: cancelled before the entries were taken, nothing was written: %w", context.Cause(ctx))
}

// Err says why the journal could not be written at the last try; nil when it could.
func (j *Journal) Err() error {
	if p := j.fault.Load(); p != nil {
		return *p
	}
	return nil
}

// Reader reads this journal while it is being written. It ends with the journal; closing it does nothing.
func (j *Journal) Reader() *Reader { return j.reader }

// Close commits what was taken, ends the writer and closes the file. Appends that were not taken yet return ErrClosed.
// A second Close returns what the first did. It takes nothing from another process that has the file open: neither a
// fenced journal nor one that stood by touches what the owner has written.
func (j *Journal) Close() error { return j.close() }

func (j *Journal) shut() error {
	close(j.closing)
	j.goroutines.Wait()
	return j.release()
}

// release closes whatever is open; the writer's connection last, so that SQLite folds the WAL into the file.
func (j *Journal) release() error {
	var errs []error
	if j.metrics != nil {
		j.metrics.unregister()
	}
	if j.reader != nil {
		errs = append(errs, j.reader.db.Close())
	}
	if j.writer != nil {
		errs = append(errs, j.writer.close())
	}
	if j.db != nil {
		errs = append(errs, j.db.Close())
	}
	if j.lock != nil {
		errs = append(errs, j.lock.Close())
	}
	return errors.Join(errs...)
}

// write is the writer goroutine. It commits at once when it is idle; what arrives during a commit forms the next group.
func (j *Journal) write() {
	for {
		select {
		case r := <-j.requests:
			j.commitGroup(j.collect(r))
		case c := <-j.claims:
			c.done <- j.takeOver(c.ctx)
		case <-j.closing:
			return // whoever still waits to hand over hears of closing too
		}
	}
}

// collect is the request and those that are waiting this very moment.
func (j *Journal) collect(first *request) []*request {
	group, entries := []*request{first}, len(first.entries)
	for entries < maxBatch {
		select {
		case r := <-j.requests:
			group = append(group, r)
			entries += len(r.entries)
		default:
			return group
		}
	}
	return group
}

// commitGroup writes a group as at most two transactions, so that nobody waits for the flush another one asked for.
func (j *Journal) commitGroup(group []*request) {
	var plain, durable []*request
	for _, r := range group {
		if r.durable {
			durable = append(durable, r)
		} else {
			plain = append(plain, r)
		}
	}
	j.commit(plain, false)
	j.commit(durable, true)
}

func (j *Journal) commit(group []*request, durable bool) {
	if len(group) == 0 {
		return
	}
	var entries []Entry
	for _, r := range group {
		entries = append(entries, r.entries...)
	}
	j.metrics.batchEntries.Observe(float64(len(entries)))
	first, err := j.commitEntries(entries, durable)
	j.note(err)
	if err == nil {
		j.countGrowth(len(entries))
	}
	for _, r := range group {
		if err != nil {
			r.done <- outcome{err: fmt.Errorf("journal: nothing was written: %w", err)}
			continue
		}
		first += int64(len(r.entries))
		r.done <- outcome{last: first - 1}
	}
}

func (j *Journal) commitEntries(entries []Entry, durable bool) (first int64, err error) {
	if err := j.Err(); errors.Is(err, ErrFenced) { // since these were handed over
		return 0, err
	}
	if j.writer == nil { // the disk was full or broken when the journal was claimed
		if err := j.begin(context.Background()); err != nil {
			return 0, err
		}
	}
	return j.writer.commit(entries, durable)
}

func (j *Journal) countGrowth(entries int) {
	if j.writer.unfolded += entries; j.writer.unfolded < checkpointEvery {
		return
	}
	j.writer.unfolded = 0
	select {
	case j.grown <- struct{}{}:
	default: // the checkpointer has not taken up the last one yet
	}
}

// checkpoint is the checkpointer goroutine. It copies the WAL into the file on a connection of its own, so that the
// flushes this needs keep no appender waiting.
func (j *Journal) checkpoint() {
	for {
		select {
		case <-j.grown:
			if _, err := j.db.ExecContext(context.Background(), "PRAGMA wal_checkpoint(PASSIVE)"); err != nil {
				j.logger.Warn("journal checkpoint failed, the WAL grows until one succeeds", "path", j.path, "err", err)
			}
		case <-j.closing:
			return
		}
	}
}

// note keeps the writer's state for Err and logs its changes, once each.
func (j *Journal) note(err error) {
	before := j.Err()
	if err == nil {
		j.fault.Store(nil)
		if before != nil {
			j.logger.Info("journal can be written again", "path", j.path)
		}
		return
	}
	j.metrics.failures.Inc()
	j.fault.Store(&err)
	switch {
	case errors.Is(before, ErrFenced): // nothing follows it
	case errors.Is(err, ErrFenced):
		j.logger.Warn("journal was taken over, this process writes no more", "path", j.path, "err", err)
	case before == nil:
		j.logger.Error("journal cannot be written, every append tries anew", "path", j.path, "err", err)
	}
}
