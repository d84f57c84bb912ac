package journal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// chosen is what Read must yield, written as plainly as possible.
func chosen(all []Entry, q Query) []Entry {
	var out []Entry
	for _, e := range all {
		switch {
		case q.Stream != "" && !slices.Contains(e.Streams, q.Stream),
			q.StreamPrefix != "" && !slices.ContainsFunc(e.Streams, func(s string) bool { return strings.HasPrefix(s, q.StreamPrefix) }),
			len(q.Kinds) > 0 && !slices.Contains(q.Kinds, e.Kind),
			e.Seq <= q.After,
			!q.Since.IsZero() && e.At.Before(q.Since),
			!q.Until.IsZero() && !e.At.Before(q.Until):
			continue
		}
		out = append(out, e)
	}
	if q.Newest {
		slices.Reverse(out)
	}
	if q.Limit > 0 && len(out) > q.Limit {
		out = out[:q.Limit]
	}
	return out
}

// TestQueries compares Read with a plain filter over drawn entries and drawn queries; pages are crossed by there being
// more entries than one holds.
func TestQueries(t *testing.T) {
	begin := time.Date(2026, 2, 6, 0, 0, 0, 0, time.UTC)
	streams := []string{"call/1", "call/2", "call/10", "agent/1001", "queue/报修", "call", "call/", "ca\U0010ffff", `<"&\`}
	kinds := []string{"call.arrived", "call.ended", "queue.offered"}
	j := open(t)
	drawEntry := rapid.Custom(func(t *rapid.T) Entry {
		e := NewEntry(rapid.SampledFrom(kinds).Draw(t, "kind"), nil, rapid.SliceOfN(rapid.SampledFrom(streams), 0, 3).Draw(t, "streams")...)
		e.At = begin.Add(time.Duration(rapid.IntRange(0, 1000).Draw(t, "at")) * time.Microsecond)
		return e
	})
	all := make([]Entry, 0, 3*pageSize)
	for i := range cap(all) {
		all = append(all, drawEntry.Example(i))
	}
	mustAppend(t, j, all...)
	all = readAll(t, j.Reader(), Query{})
	if len(all) != 3*pageSize {
		t.Fatalf("read %d entries of %d", len(all), 3*pageSize)
	}

	maybe := func(t *rapid.T, name string) bool { return rapid.Bool().Draw(t, name) }
	drawTime := func(t *rapid.T, name string) time.Time {
		return begin.Add(time.Duration(rapid.IntRange(-1000, 1001000).Draw(t, name))) // nanoseconds, finer than the entries' times
	}
	rapid.Check(t, func(t *rapid.T) {
		var q Query
		if maybe(t, "by stream") {
			q.Stream = rapid.SampledFrom(append(streams, "absent")).Draw(t, "stream")
		}
		if maybe(t, "by prefix") {
			q.StreamPrefix = rapid.SampledFrom([]string{"call/", "call/1", "c", "ca\U0010ffff", "<", "zzz"}).Draw(t, "prefix")
		}
		if maybe(t, "by kind") {
			q.Kinds = rapid.SliceOfN(rapid.SampledFrom(kinds), 1, 4).Draw(t, "kinds")
		}
		if maybe(t, "after") {
			q.After = int64(rapid.IntRange(0, len(all)+1).Draw(t, "after seq"))
		}
		if maybe(t, "since") {
			q.Since = drawTime(t, "since time")
		}
		if maybe(t, "until") {
			q.Until = drawTime(t, "until time")
		}
		if maybe(t, "limited") {
			q.Limit = rapid.IntRange(1, len(all)+1).Draw(t, "limit")
		}
		q.Newest = maybe(t, "newest")
		got, want := readAll(t, j.Reader(), q), chosen(all, q)
		if seqs(got) != seqs(want) {
			t.Errorf("%+v\n got %s\nwant %s", q, seqs(got), seqs(want))
		}
	})
}

func TestStreamsNewestFirst(t *testing.T) {
	j := open(t)
	mustAppend(t, j, NewEntry("a", nil, "call/1", "agent/1001"), NewEntry("a", nil, "call/2"), NewEntry("a", nil, "call/3", "call/1"), NewEntry("a", nil, "callback/9"))
	tests := []struct {
		prefix string
		limit  int
		want   string
	}{
		{"call/", 0, "call/3 call/2 call/1"},
		{"call/", 2, "call/3 call/2"},
		{"agent/", 5, "agent/1001"},
		{"", 0, "callback/9 call/3 call/2 agent/1001 call/1"},
		{"web/", 0, ""},
	}
	for _, tt := range tests {
		got, err := j.Reader().Streams(context.Background(), tt.prefix, tt.limit)
		if err != nil || strings.Join(got, " ") != tt.want {
			t.Errorf("Streams(%q, %d) = %v (%v), want %s", tt.prefix, tt.limit, got, err, tt.want)
		}
	}
}

func TestReadEndsWhereItBegan(t *testing.T) {
	j := open(t)
	for range 2 * pageSize {
		mustAppend(t, j, NewEntry("echo", nil, "call/1"))
	}
	read := 0
	for _, err := range j.Reader().Read(context.Background(), Query{Stream: "call/1"}) {
		if err != nil {
			t.Fatal(err)
		}
		mustAppend(t, j, NewEntry("echo", nil, "call/1")) // a reading that saw these would never end
		read++
	}
	if read != 2*pageSize {
		t.Errorf("read %d entries, there were %d when the reading began", read, 2*pageSize)
	}
}

func TestReadReportsItsError(t *testing.T) {
	j := open(t)
	mustAppend(t, j, NewEntry("a", nil))
	why := errors.New("enough")
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(why)
	state, err := Fold(j.Reader().Read(ctx, Query{}), 41, func(n int, _ Entry) int { return n + 1 })
	if state != 41 || !errors.Is(err, context.Canceled) {
		t.Errorf("a fold over a failed reading gives %d, %v; want the initial state and the context's error", state, err)
	}
}

func TestFoldStepsInOrderAndStopsAtAnError(t *testing.T) {
	broken := errors.New("broken")
	seq := func(yield func(Entry, error) bool) {
		for i := range int64(5) {
			if i == 3 {
				yield(Entry{}, broken)
				return
			}
			if !yield(Entry{Seq: i + 1}, nil) {
				return
			}
		}
	}
	got, err := Fold(seq, "0", func(s string, e Entry) string { return fmt.Sprint(s, e.Seq) })
	if got != "0123" || !errors.Is(err, broken) {
		t.Errorf("Fold gives %q, %v; want 0123 and the error", got, err)
	}
}

func TestReaderOfNothing(t *testing.T) {
	dir := t.TempDir()
	if _, err := OpenReader(context.Background(), filepath.Join(dir, "absent.db")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a reader of an absent file gives %v, want one that wraps fs.ErrNotExist", err)
	}
	empty := filepath.Join(dir, "empty.db")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenReader(context.Background(), empty); err == nil || !strings.Contains(err.Error(), "start the service once") {
		t.Errorf("a reader of an empty file gives %v, want advice", err)
	}
}

// TestReadersBesideTheWriter reads from several connections while entries are appended: what is seen is always a gapless
// beginning, and an acknowledged entry is in it at once.
func TestReadersBesideTheWriter(t *testing.T) {
	dir := t.TempDir()
	j := openAt(t, dir, nil)
	const entries = 500
	var readers sync.WaitGroup
	written := make(chan struct{})
	for range 2 {
		r, err := OpenReader(context.Background(), filepath.Join(dir, "journal.db"))
		if err != nil {
			t.Fatal(err)
		}
		readers.Go(func() {
			defer r.Close()
			seen := 0
			for last := false; !last; {
				select {
				case <-written:
					last = true
				default:
				}
				for _, e := range readAll(t, r, Query{After: int64(seen)}) {
					if seen++; e.Seq != int64(seen) {
						t.Errorf("a reader saw number %d as entry %d: a gap", e.Seq, seen)
						return
					}
				}
			}
			if seen != entries {
				t.Errorf("a reader saw %d entries of %d when all were written", seen, entries)
			}
		})
	}
	for range entries {
		last := mustAppend(t, j, NewEntry("written", nil, "call/1"))
		if got := readAll(t, j.Reader(), Query{After: last - 1}); len(got) != 1 {
			t.Fatalf("entry %d is acknowledged and cannot be read", last)
		}
	}
	close(written)
	readers.Wait()
	if err := j.Reader().Close(); err != nil {
		t.Error(err)
	}
	if got := readAll(t, j.Reader(), Query{After: entries - 1}); len(got) != 1 {
		t.Error("the journal's own reader was closed by its user")
	}
	if err := j.Close(); err != nil {
		t.Error(err)
	}
}

// TestQueriesUseAnIndex keeps the timeline of one call from growing slow with the journal.
func TestQueriesUseAnIndex(t *testing.T) {
	j := open(t)
	tests := []struct {
		name string
		q    Query
		want string
	}{
		{"a call's timeline", Query{Stream: "call/1"}, "SEARCH membership USING PRIMARY KEY (stream=? AND seq>? AND seq<?)"},
		{"an agent's newest entry", Query{Stream: "agent/1", Newest: true, Limit: 1}, "SEARCH membership USING PRIMARY KEY (stream=? AND seq>? AND seq<?)"},
		{"all of a kind", Query{Kinds: []string{"call.ended"}, Newest: true}, "SEARCH entry USING INDEX entry_kind (kind=? AND rowid>? AND rowid<?)"},
		{"what is new of several kinds", Query{Kinds: []string{"call.arrived", "call.ended", "call.said"}, After: 1000}, "SEARCH entry USING INDEX entry_kind (kind=? AND rowid>? AND rowid<?)"},
		{"a stream's entries of some kinds", Query{Stream: "call/1", Kinds: []string{"call.arrived", "call.ended"}}, "SEARCH membership USING PRIMARY KEY (stream=? AND seq>? AND seq<?)"},
		{"a kind since yesterday", Query{Kinds: []string{"call.ended"}, Since: time.Unix(1, 0)}, "SEARCH entry USING INDEX entry_kind (kind=? AND rowid>? AND rowid<?)"},
		{"what is new", Query{After: 1000}, "SEARCH entry USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"},
	}
	for _, tt := range tests {
		text, args := tt.q.sql("entry.epoch", 0, 1000, 10)
		rows, err := j.Reader().db.Query("EXPLAIN QUERY PLAN "+text, args...)
		if err != nil {
			t.Fatal(err)
		}
		var plan []string
		for rows.Next() {
			var id, parent, unused int
			var detail string
			if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
				t.Fatal(err)
			}
			plan = append(plan, detail)
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			t.Fatal(err)
		}
		all := strings.Join(plan, "; ")
		if !strings.Contains(all, tt.want) || strings.Contains(all, "TEMP B-TREE") {
			t.Errorf("%s: the plan is %q, want %q and no sorting", tt.name, all, tt.want)
		}
	}
}
