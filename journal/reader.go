package journal

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"os"
	"strings"
	"sync/atomic"
	"time"
)

// pageSize is how many entries a Read takes from the file at once. Between pages no transaction is open, so a slow
// consumer neither holds up the writer nor lets the WAL grow.
const pageSize = 256

// Reader reads a journal, beside its writer or without one. All its methods may be called from any goroutine.
type Reader struct {
	db     *sql.DB
	shared bool        // belongs to a Journal, which closes it
	newest atomic.Bool // the file has the newest schema, so its version need not be looked up any more
}

// OpenReader opens the journal at path for reading only, whether or not a service is writing it.
// It returns an error that wraps fs.ErrNotExist when there is no file.
func OpenReader(ctx context.Context, path string) (*Reader, error) {
	r, err := openReader(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("open the journal %s for reading: %w", path, err)
	}
	return r, nil
}

// Query says which entries to read. Every field narrows the choice; the zero Query is the whole journal in order.
type Query struct {
	Stream       string    // entries of this stream
	StreamPrefix string    // entries of any stream whose name begins so ("call/")
	Kinds        []string  // entries of one of these kinds
	After        int64     // entries whose Seq is greater
	Since, Until time.Time // entries with Since <= At < Until
	Limit        int       // at most so many; 0 means all
	Newest       bool      // newest first; with Limit the newest ones
}

// Read yields the entries that q asks for, in the order of their Seq (or against it, with Newest), up to the last one
// there is when the reading begins. The first error ends it. The loop's body may take its time and may append.
func (r *Reader) Read(ctx context.Context, q Query) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		err := r.read(ctx, q, func(e Entry) bool { return yield(e, nil) })
		if err != nil {
			yield(Entry{}, fmt.Errorf("read the journal: %w", err))
		}
	}
}

func (r *Reader) read(ctx context.Context, q Query, yield func(Entry) bool) error {
	head, err := r.head(ctx)
	if err != nil || head == 0 {
		return err
	}
	low, high, left := q.After, head+1, q.Limit // exclusive bounds of what is still to be read
	for {
		size := pageSize
		if q.Limit > 0 {
			size = min(size, left)
		}
		page, err := r.page(ctx, q, low, high, size)
		if err != nil {
			return err
		}
		for _, e := range page {
			if !yield(e) {
				return nil
			}
		}
		left -= len(page)
		if len(page) < size || (q.Limit > 0 && left == 0) {
			return nil
		}
		last := page[len(page)-1].Seq
		if last <= low || last >= high {
			return fmt.Errorf("the file is damaged: entry %d is out of its place", last) // and the reading would never end
		}
		if q.Newest {
			high = last
		} else {
			low = last
		}
	}
}

// head is the sequence number of the last entry, 0 when there is none.
func (r *Reader) head(ctx context.Context) (int64, error) {
	version, err := r.version(ctx)
	if err != nil || version == 0 { // a journal in standby whose file nobody has claimed yet
		return 0, err
	}
	var head int64
	err = r.db.QueryRowContext(ctx, "SELECT coalesce(max(seq), 0) FROM entry").Scan(&head)
	return head, err
}

// version is that of the file's schema. An older one is read as it is: a reader changes nothing, and whoever claims the
// journal may bring it to the newest at any moment.
func (r *Reader) version(ctx context.Context) (int, error) {
	if r.newest.Load() {
		return len(migrations), nil
	}
	version, err := schemaVersion(ctx, r.db)
	r.newest.Store(err == nil && version == len(migrations))
	return version, err
}

// epochColumn is how a query names the epoch of an entry.
func (r *Reader) epochColumn(ctx context.Context) (string, error) {
	version, err := r.version(ctx)
	if version < epochsSince {
		return "0", err
	}
	return "entry.epoch", err
}

func (r *Reader) page(ctx context.Context, q Query, low, high int64, size int) ([]Entry, error) {
	epoch, err := r.epochColumn(ctx)
	if err != nil {
		return nil, err
	}
	text, args := q.sql(epoch, low, high, size)
	rows, err := r.db.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, err
	}
	page := make([]Entry, 0, size)
	for rows.Next() {
		e, err := scanEntry(rows)
		if err != nil {
			return nil, errors.Join(err, rows.Close())
		}
		page = append(page, e)
	}
	return page, errors.Join(rows.Err(), rows.Close())
}

// sql is the query for the entries between low and high, both exclusive.
func (q Query) sql(epoch string, low, high int64, size int) (text string, args []any) {
	from, seq := "entry", "entry.seq"
	var where []string
	and := func(condition string, values ...any) {
		where = append(where, condition)
		args = append(args, values...)
	}
	if q.Stream != "" {
		from, seq = "membership JOIN entry ON entry.seq = membership.seq", "membership.seq"
		and("membership.stream = (SELECT id FROM stream WHERE name = ?)", q.Stream)
	}
	and(seq+" > ? AND "+seq+" < ?", low, high)
	if q.StreamPrefix != "" {
		and("EXISTS (SELECT 1 FROM json_each(entry.streams) WHERE value >= ? AND value < ?)", q.StreamPrefix, afterPrefix(q.StreamPrefix))
	}
	if !q.Since.IsZero() {
		and("at >= ?", ceilMicro(q.Since))
	}
	if !q.Until.IsZero() {
		and("at < ?", ceilMicro(q.Until))
	}
	direction := "ASC"
	if q.Newest {
		direction = "DESC"
	}
	text = fmt.Sprintf("SELECT %s AS seq, %s, at, kind, streams, data FROM %s WHERE %s", seq, epoch, from, strings.Join(where, " AND "))
	text, args = q.ofKinds(text, args)
	return fmt.Sprintf("%s ORDER BY seq %s LIMIT ?", text, direction), append(args, size)
}

// ofKinds narrows a selection to the kinds asked for. In the whole journal each kind is a selection of its own, which
// SQLite merges: in each the index on the kind is in order, while over all of them it would have to sort. A stream is
// short enough to be looked through.
func (q Query) ofKinds(selection string, args []any) (text string, all []any) {
	kinds := withoutRepeats(q.Kinds)
	if len(kinds) == 0 {
		return selection, args
	}
	if q.Stream != "" {
		for _, k := range kinds {
			args = append(args, k)
		}
		return selection + " AND +kind IN (?" + strings.Repeat(", ?", len(kinds)-1) + ")", args
	}
	arms := make([]string, len(kinds))
	for i, k := range kinds {
		arms[i] = selection + " AND kind = ?"
		all = append(append(all, args...), k)
	}
	return strings.Join(arms, " UNION ALL "), all
}

// ceilMicro is the first stored time that is not before t: entries have whole microseconds.
func ceilMicro(t time.Time) int64 {
	micro := t.UnixMicro()
	if time.UnixMicro(micro).Before(t) {
		micro++
	}
	return micro
}

// afterPrefix is greater than every name that begins with prefix and less than any other greater name:
// the byte 0xff occurs in no UTF-8.
func afterPrefix(prefix string) string { return prefix + "\xff" }

type scanner interface{ Scan(into ...any) error }

func scanEntry(row scanner) (Entry, error) {
	var (
		e       Entry
		micro   int64
		streams string
		data    sql.NullString
	)
	if err := row.Scan(&e.Seq, &e.Epoch, &micro, &e.Kind, &streams, &data); err != nil {
		return Entry{}, err
	}
	return storedEntry(e.Seq, e.Epoch, micro, e.Kind, streams, data)
}

// storedEntry makes an entry of a row's columns.
func storedEntry(seq, epoch, micro int64, kind, streams string, data sql.NullString) (Entry, error) {
	e := Entry{Seq: seq, Epoch: epoch, At: time.UnixMicro(micro).UTC(), Kind: kind}
	if err := json.Unmarshal([]byte(streams), &e.Streams); err != nil {
		return Entry{}, fmt.Errorf("entry %d has unreadable streams: %w", seq, err)
	}
	if data.Valid {
		e.Data = json.RawMessage(data.String)
	}
	return e, nil
}

// Streams returns the names of the streams that begin with prefix, the one whose first entry is the newest first;
// at most limit of them, 0 meaning all.
func (r *Reader) Streams(ctx context.Context, prefix string, limit int) ([]string, error) {
	if limit <= 0 {
		limit = -1 // SQLite's word for all
	}
	rows, err := r.db.QueryContext(ctx, "SELECT name FROM stream WHERE name >= ? AND name < ? ORDER BY id DESC LIMIT ?",
		prefix, afterPrefix(prefix), limit)
	if err != nil {
		return nil, fmt.Errorf("list the journal's streams: %w", err)
	}
	var names []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, errors.Join(err, rows.Close())
		}
		names = append(names, name)
	}
	return names, errors.Join(rows.Err(), rows.Close())
}

// Close closes a Reader of OpenReader. The Reader of a Journal ends with it, so closing that one does nothing.
func (r *Reader) Close() error {
	if r.shared {
		return nil
	}
	return r.db.Close()
}

// Fold steps through the entries, from initial on, and returns the state after the last. At an error it returns the
// state so far and the error.
func Fold[S any](seq iter.Seq2[Entry, error], initial S, step func(S, Entry) S) (S, error) {
	state := initial
	for e, err := range seq {
		if err != nil {
			return state, err
		}
		state = step(state, e)
	}
	return state, nil
}

func openReader(ctx context.Context, path string) (*Reader, error) {
	if _, err := os.Stat(path); err != nil { // SQLite would not say that the file does not exist
		return nil, err
	}
	r, err := newReader(path)
	if err != nil {
		return nil, err
	}
	version, err := r.version(ctx)
	if err == nil && version == 0 {
		err = errors.New("the journal has not been set up yet: start the service once")
	}
	if err != nil {
		return nil, errors.Join(err, r.db.Close())
	}
	return r, nil
}

// newReader is a reader of a file that nobody has looked into yet.
func newReader(path string) (*Reader, error) {
	source, err := dataSource(path, "ro", "busy_timeout(5000)", "query_only(1)")
	if err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", source)
	return &Reader{db: db}, err
}
