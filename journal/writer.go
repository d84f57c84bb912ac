package journal

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"
)

// writer owns the connection that writes and the end of the hash chain. Only one goroutine uses it.
type writer struct {
	conn       *sql.Conn
	epoch      int64
	start      *sql.Stmt // of a transaction that writes
	end        *sql.Stmt
	insert     *sql.Stmt
	nameStream *sql.Stmt
	joinStream *sql.Stmt

	streams   map[string]int64 // by name, those written to of late: most entries are of streams that have just had one
	unfolded  int              // entries since the last checkpoint was asked for
	tailSeq   int64
	tailHash  link
	flushing  bool // a commit flushes to the disk (synchronous=FULL)
	tailStale bool // after a failure the end of the chain is read anew: what a failed commit left is SQLite's to say
}

// newWriter is a writer that has no epoch yet: nothing can be committed before begin.
func newWriter(ctx context.Context, db *sql.DB) (*writer, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	return &writer{conn: conn, streams: map[string]int64{}}, nil
}

// close ends the statements too: SQLite keeps a connection open, and the WAL with it, while one of them is.
func (w *writer) close() error {
	var errs []error
	for _, s := range []*sql.Stmt{w.start, w.end, w.insert, w.nameStream, w.joinStream} {
		if s != nil {
			errs = append(errs, s.Close())
		}
	}
	return errors.Join(append(errs, w.conn.Close())...)
}

// begin brings the file to the newest schema and begins the epoch after the newest one, in one transaction. newest is
// the newest epoch that an earlier try of this process found, or unknownEpoch: had another one been begun since, this
// process would be fenced already, and must not fence whoever came after it.
func (w *writer) begin(ctx context.Context, newest *int64, at time.Time) error {
	err := w.transact(ctx, func() error {
		if err := migrate(ctx, w.conn); err != nil {
			return err
		}
		if err := w.prepare(ctx); err != nil {
			return err
		}
		found, err := w.newestEpoch(ctx)
		if err != nil {
			return err
		}
		if *newest != unknownEpoch && found.number > *newest {
			return found.fences()
		}
		*newest, w.epoch = found.number, found.number+1
		return w.insertEpoch(ctx, at)
	})
	if err != nil {
		return err
	}
	return w.readTail(ctx)
}

// What begins and ends a transaction that other processes' writing waits for.
const (
	beginText  = "BEGIN IMMEDIATE"
	commitText = "COMMIT"
)

// run runs a statement, which is not prepared yet in the writer's first transaction.
func (w *writer) run(ctx context.Context, s *sql.Stmt, text string) (err error) {
	if s == nil {
		_, err = w.conn.ExecContext(ctx, text)
	} else {
		_, err = s.ExecContext(ctx)
	}
	return err
}

// transact runs do in a transaction.
func (w *writer) transact(ctx context.Context, do func() error) error {
	if err := w.run(ctx, w.start, beginText); err != nil {
		return err
	}
	err := do()
	ctx = context.WithoutCancel(ctx) // from here on it comes to its end, so that what is said of it is true
	if err == nil {
		err = w.run(ctx, w.end, commitText)
	}
	if err != nil {
		// SQLite may have rolled back by itself (disk full); then this finds no transaction, which is as well.
		_, _ = w.conn.ExecContext(ctx, "ROLLBACK")
	}
	return err
}

// epoch is a claim of the journal.
type epoch struct {
	number  int64
	at      time.Time
	host    string
	process int
}

// fences says who ended our epoch by beginning this one.
func (e epoch) fences() error {
	return fmt.Errorf("%w: process %d on %s began epoch %d at %s", ErrFenced, e.process, e.host, e.number, e.at.Format(time.RFC3339))
}

// newestEpoch is the last claim, the zero epoch when there was none.
func (w *writer) newestEpoch(ctx context.Context) (epoch, error) {
	var e epoch
	var micro int64
	err := w.conn.QueryRowContext(ctx, "SELECT number, at, host, process FROM epoch ORDER BY number DESC LIMIT 1").Scan(&e.number, &micro, &e.host, &e.process)
	if errors.Is(err, sql.ErrNoRows) {
		return epoch{}, nil
	}
	if err != nil {
		return epoch{}, fmt.Errorf("read the newest epoch: %w", err)
	}
	e.at = time.UnixMicro(micro).UTC()
	return e, nil
}

func (w *writer) insertEpoch(ctx context.Context, at time.Time) error {
	host, err := os.Hostname()
	if err != nil {
		host = "" // only for whoever looks later who it was
	}
	_, err = w.conn.ExecContext(ctx, "INSERT INTO epoch (number, at, host, process) VALUES (?, ?, ?, ?)", w.epoch, at.UnixMicro(), host, os.Getpid())
	if err != nil {
		return fmt.Errorf("begin epoch %d: %w", w.epoch, err)
	}
	return nil
}

// insertText inserts an entry unless a later epoch than its own has begun, and nothing then. This is the fence: within
// the transaction no other process can claim, and one that has claimed is seen.
const insertText = `INSERT INTO entry (seq, epoch, at, kind, streams, data, data_hash, hash)
	SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8 WHERE NOT EXISTS (SELECT 1 FROM epoch WHERE number > ?2)`

func (w *writer) prepare(ctx context.Context) (err error) {
	statements := []struct {
		into **sql.Stmt
		text string
	}{
		{&w.start, beginText},
		{&w.end, commitText},
		{&w.insert, insertText},
		{&w.nameStream, "INSERT INTO stream (name) VALUES (?) ON CONFLICT (name) DO UPDATE SET name = name RETURNING id"},
		{&w.joinStream, "INSERT INTO membership (stream, seq) VALUES (?, ?)"},
	}
	for _, s := range statements {
		if *s.into, err = w.conn.PrepareContext(ctx, s.text); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) readTail(ctx context.Context) error {
	var hash []byte
	err := w.conn.QueryRowContext(ctx, "SELECT seq, hash FROM entry ORDER BY seq DESC LIMIT 1").Scan(&w.tailSeq, &hash)
	if errors.Is(err, sql.ErrNoRows) {
		w.tailSeq, w.tailHash, w.tailStale = 0, link{}, false
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the last entry: %w", err)
	}
	if len(hash) != len(w.tailHash) {
		return fmt.Errorf("the last entry (%d) has a hash of %d bytes instead of %d", w.tailSeq, len(hash), len(w.tailHash))
	}
	w.tailHash, w.tailStale = link(hash), false
	return nil
}

// commit writes the entries as one transaction and returns the sequence number of the first.
// It heeds no context: a commit that has begun comes to its end.
func (w *writer) commit(entries []Entry, durable bool) (first int64, err error) {
	ctx := context.Background()
	if w.tailStale {
		if err := w.readTail(ctx); err != nil {
			return 0, err
		}
	}
	defer func() {
		if w.tailStale = err != nil; err != nil {
			clear(w.streams)
		}
	}()
	if err := w.flushOnCommit(ctx, durable); err != nil {
		return 0, err
	}
	var seq int64
	var hash link
	err = w.transact(ctx, func() error {
		seq, hash, err = w.insertAll(ctx, entries)
		return err
	})
	if err != nil {
		return 0, err
	}
	w.tailSeq, w.tailHash = seq, hash
	return seq - int64(len(entries)) + 1, nil
}

// fenced says who has begun a later epoch than ours.
func (w *writer) fenced(ctx context.Context) error {
	newest, err := w.newestEpoch(ctx)
	if err != nil {
		return err
	}
	return newest.fences()
}

// flushOnCommit chooses, outside of a transaction as SQLite wants it, whether a commit flushes the WAL to the disk.
func (w *writer) flushOnCommit(ctx context.Context, durable bool) error {
	if w.flushing == durable {
		return nil
	}
	mode := "NORMAL"
	if durable {
		mode = "FULL"
	}
	if _, err := w.conn.ExecContext(ctx, "PRAGMA synchronous="+mode); err != nil {
		return err
	}
	w.flushing = durable
	return nil
}

func (w *writer) insertAll(ctx context.Context, entries []Entry) (seq int64, hash link, err error) {
	seq, hash = w.tailSeq, w.tailHash
	for _, e := range entries {
		seq++
		e.Seq, e.Epoch = seq, w.epoch
		dataHash := link(sha256.Sum256(e.Data))
		hash = hash.next(e, dataHash)
		if err := w.insertOne(ctx, e, dataHash, hash); err != nil {
			return 0, link{}, err
		}
	}
	return seq, hash, nil
}

func (w *writer) insertOne(ctx context.Context, e Entry, dataHash, hash link) error {
	streams, err := json.Marshal(e.Streams)
	if err != nil {
		return err
	}
	done, err := w.insert.ExecContext(ctx, e.Seq, e.Epoch, e.At.UnixMicro(), e.Kind, string(streams), string(e.Data), dataHash[:], hash[:])
	if err != nil {
		return err
	}
	if inserted, err := done.RowsAffected(); err != nil || inserted == 0 {
		return errors.Join(err, w.fenced(ctx))
	}
	for _, s := range e.Streams {
		id, err := w.stream(ctx, s)
		if err != nil {
			return err
		}
		if _, err := w.joinStream.ExecContext(ctx, id, e.Seq); err != nil {
			return err
		}
	}
	return nil
}

// knownStreams bounds how many streams' IDs are remembered: those of some thousand calls under way.
const knownStreams = 20_000

// stream is the ID of the stream with this name, which is made if it is not there. No stream is ever taken out of the
// file; only what a failed commit has made is gone again, which commit sees to.
func (w *writer) stream(ctx context.Context, name string) (id int64, err error) {
	if id, known := w.streams[name]; known {
		return id, nil
	}
	if err := w.nameStream.QueryRowContext(ctx, name).Scan(&id); err != nil {
		return 0, err
	}
	if len(w.streams) >= knownStreams {
		clear(w.streams)
	}
	w.streams[name] = id
	return id, nil
}
