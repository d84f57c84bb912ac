package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"pgregory.net/rapid"
)

func TestAppendStoresTheWholeEntry(t *testing.T) {
	now := time.Date(2026, 2, 6, 9, 0, 0, 123456789, time.FixedZone("CST", 8*3600))
	j, err := Open(context.Background(), Options{Path: filepath.Join(t.TempDir(), "a b%?#&.db"), Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	own := NewEntry("queue.offered", map[string]int{"wait": 3}, "call/1", "agent/1001", "call/1")
	own.At = now.Add(-time.Hour)
	if last := mustAppend(t, j, NewEntry("call.arrived", nil, "call/1"), own); last != 2 {
		t.Errorf("the last of two entries has number %d", last)
	}
	want := []Entry{
		{Seq: 1, Epoch: 1, At: time.Date(2026, 2, 6, 1, 0, 0, 123456000, time.UTC), Streams: []string{"call/1"}, Kind: "call.arrived", Data: []byte("null")},
		{Seq: 2, Epoch: 1, At: time.Date(2026, 2, 6, 0, 0, 0, 123456000, time.UTC), Streams: []string{"call/1", "agent/1001"}, Kind: "queue.offered", Data: []byte(`{"wait":3}`)},
	}
	if diff := cmp.Diff(want, readAll(t, j.Reader(), Query{})); diff != "" {
		t.Errorf("read back (-want +got):\n%s", diff)
	}
	if last, err := j.Append(context.Background()); last != 0 || err != nil {
		t.Errorf("appending nothing gives %d, %v", last, err)
	}
}

func TestOneBadEntryRefusesTheWholeAppend(t *testing.T) {
	j := open(t)
	if _, err := j.Append(context.Background(), NewEntry("good", 1), NewEntry("bad", make(chan int))); err == nil {
		t.Error("an entry without a JSON form was taken")
	}
	checkWhole(t, j.Reader(), 0)
	if err := j.Err(); err != nil {
		t.Errorf("Err is %v: a refused entry says nothing about the journal", err)
	}
}

func TestJournalGoesOnAfterReopening(t *testing.T) {
	dir := t.TempDir()
	for opening := range 3 {
		j := openAt(t, dir, nil)
		if last := mustAppend(t, j, NewEntry("service.started", opening, "service")); last != int64(opening)+1 {
			t.Errorf("opening %d: the sequence goes on with %d", opening, last)
		}
		checkWhole(t, j.Reader(), opening+1)
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(filepath.Join(dir, "journal.db"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file's mode is %v (%v): callers' numbers are for its owner alone", info.Mode(), err)
	}
	if _, err := os.Stat(filepath.Join(dir, "journal.db-wal")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after Close the WAL is still there (%v): the last connection to be closed could not write", err)
	}
}

func TestOneWriterAtATime(t *testing.T) {
	dir := t.TempDir()
	j := openAt(t, dir, nil)
	if _, err := Open(context.Background(), Options{Path: filepath.Join(dir, "journal.db")}); !errors.Is(err, ErrInUse) {
		t.Errorf("a second writer gets %v, want ErrInUse", err)
	}
	mustAppend(t, j, NewEntry("still.writing", 1))
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if err := openAt(t, dir, nil).Close(); err != nil {
		t.Errorf("after Close the next writer gets %v", err)
	}
}

// fillWith makes the journal at path have that many more entries; nothing but the last of them is in the chain.
func fillWith(t testing.TB, path string, entries int) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=synchronous(off)")
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.Exec(fmt.Sprintf(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
		INSERT INTO entry (seq, epoch, at, kind, streams, data, data_hash, hash)
		SELECT i, 1, 1770000000000000 + i, CASE WHEN i %% 1000 = 0 THEN 'call.message' ELSE 'call.kind' || (i %% 20) END,
			'["call/20260206-' || (i / 20) || '"]', '{"prompts":["greeting.festival.spring","greeting.company"]}', zeroblob(32), zeroblob(32) FROM n`, entries))
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}

// bytesRead is how much this process has read from files and whatever else.
func bytesRead(t *testing.T) (n int) {
	t.Helper()
	text, err := os.ReadFile("/proc/self/io")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Sscanf(string(text), "rchar: %d", &n); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestOpeningReadsOnlyTheEnd keeps a restart from growing slow with the journal.
func TestOpeningReadsOnlyTheEnd(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "journal.db")
	mustClose(t, openAt(t, dir, nil))
	const entries = 20_000
	fillWith(t, path, entries)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	steps := []struct {
		name string
		do   func(*Journal) *Journal
	}{
		{"open", func(*Journal) *Journal { return openAt(t, dir, nil) }},
		{"append", func(j *Journal) *Journal { mustAppend(t, j, NewEntry("a", nil)); return j }},
		{"stand by", func(*Journal) *Journal { return standBy(t, dir, nil) }},
		{"claim", func(j *Journal) *Journal { mustClaim(t, j); return j }},
		{"read what is new", func(j *Journal) *Journal { readAll(t, j.Reader(), Query{After: entries}); return j }},
		{"read the newest messages", func(j *Journal) *Journal {
			readAll(t, j.Reader(), Query{Kinds: []string{"call.message"}, Newest: true, Limit: 10})
			return j
		}},
	}
	var j *Journal
	for _, step := range steps {
		before := bytesRead(t)
		was := j
		j = step.do(j)
		if read := bytesRead(t) - before; read > 100_000 {
			t.Errorf("%s: %d bytes were read, the journal has %d: all of it is looked through", step.name, read, info.Size())
		}
		if was != nil && was != j {
			defer mustClose(t, was)
		}
	}
	mustClose(t, j)
}

func TestOpenRefusesWhatItCannotUse(t *testing.T) {
	ctx := context.Background()
	tests := []struct {
		name, script, want string
	}{
		{"newer schema", fmt.Sprintf("CREATE TABLE x (y); PRAGMA application_id=%d; PRAGMA user_version=%d", applicationID, len(migrations)+1), "use the newer program"},
		{"another program's file", "CREATE TABLE x (y); PRAGMA user_version=1", "not a journal"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "journal.db")
			execSQL(t, path, tt.script)
			if _, err := Open(ctx, Options{Path: path}); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Open gives %v, want an error with %q", err, tt.want)
			}
			if _, err := OpenReader(ctx, path); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("OpenReader gives %v, want an error with %q", err, tt.want)
			}
		})
	}
	t.Run("text", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "journal.db")
		if err := os.WriteFile(path, []byte(strings.Repeat("not a database\n", 100)), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(ctx, Options{Path: path}); err == nil {
			t.Error("a text file was opened as a journal")
		}
	})
	t.Run("no folder", func(t *testing.T) {
		if _, err := Open(ctx, Options{Path: filepath.Join(t.TempDir(), "absent", "journal.db")}); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("Open gives %v, want one that wraps fs.ErrNotExist", err)
		}
	})
}

// TestFailedAppendLeavesNothing makes the second statement of an append fail, so that half of it is undone.
func TestFailedAppendLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	j := openAt(t, dir, nil)
	defer j.Close()
	path := filepath.Join(dir, "journal.db")
	mustAppend(t, j, NewEntry("first", nil, "call/1"))
	execSQL(t, path, "INSERT INTO membership SELECT id, 2 FROM stream") // stands where the next entry's has to go
	for range 2 {
		if _, err := j.Append(context.Background(), NewEntry("second", nil, "call/1")); err == nil || j.Err() == nil {
			t.Errorf("Append gives %v and Err %v, want an error in both", err, j.Err())
		}
	}
	execSQL(t, path, "DELETE FROM membership WHERE seq = 2")
	checkWhole(t, j.Reader(), 1)
	if last := mustAppend(t, j, NewEntry("second", nil, "call/1")); last != 2 || j.Err() != nil {
		t.Errorf("the append after the failure has number %d and Err is %v, want 2 and nil", last, j.Err())
	}
	checkWhole(t, j.Reader(), 2)
}

// execSQL changes a journal's file behind its back.
func execSQL(t *testing.T, path, script string, args ...any) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.Exec(script, args...)
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatalf("%s: %v", script, err)
	}
}

// TestConcurrentAppenders draws who appends what, lets them all loose, and checks the order that came out.
func TestConcurrentAppenders(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "journal")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		j := openAt(t, dir, nil)
		defer j.Close()

		type append struct {
			size    int
			durable bool
			last    int64
		}
		plans := make([][]append, rapid.IntRange(1, 8).Draw(t, "appenders"))
		total := 0
		for a := range plans {
			for range rapid.IntRange(1, 5).Draw(t, "appends") {
				p := append{size: rapid.IntRange(1, 3).Draw(t, "size"), durable: rapid.IntRange(0, 9).Draw(t, "durable") == 0}
				plans[a] = slices.Concat(plans[a], []append{p})
				total += p.size
			}
		}

		var all sync.WaitGroup
		for a, plan := range plans {
			all.Go(func() {
				for i := range plan {
					entries := make([]Entry, plan[i].size)
					for k := range entries {
						entries[k] = NewEntry("drawn", [3]int{a, i, k}, fmt.Sprintf("appender/%d", a))
					}
					write := j.Append
					if plan[i].durable {
						write = j.AppendDurable
					}
					last, err := write(context.Background(), entries...)
					if err != nil {
						t.Errorf("appender %d: %v", a, err)
					}
					plan[i].last = last
				}
			})
		}
		all.Wait()

		checkWhole(t, j.Reader(), total)
		for a, plan := range plans {
			own := readAll(t, j.Reader(), Query{Stream: fmt.Sprintf("appender/%d", a)})
			for i, p := range plan {
				for k := range p.size {
					e := own[0]
					own = own[1:]
					var got [3]int
					if err := e.Decode(&got); err != nil || got != [3]int{a, i, k} {
						t.Fatalf("appender %d reads %v (%v) where it wrote its append %d, entry %d: its own order is lost", a, got, err, i, k)
					}
					if want := p.last - int64(p.size) + 1 + int64(k); e.Seq != want {
						t.Fatalf("appender %d, append %d, entry %d has number %d, want %d: entries of one Append must be neighbours", a, i, k, e.Seq, want)
					}
				}
			}
		}
	})
}

// stall keeps the writer from committing until the returned function is called.
func stall(t *testing.T, j *Journal) (goOn func()) {
	t.Helper()
	ctx := context.Background()
	conn, err := j.db.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	return func() {
		if _, err := conn.ExecContext(ctx, "ROLLBACK"); err != nil {
			t.Error(err)
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	}
}

// take hands a request over as Append does and returns when the writer has taken it.
func take(t *testing.T, ctx context.Context, j *Journal, e Entry) *request {
	t.Helper()
	e, err := e.accepted(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	r := &request{entries: []Entry{e}, done: make(chan outcome, 1)}
	if err := j.handOver(ctx, r); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestCancellationLeavesNoDoubt(t *testing.T) {
	j := open(t)
	goOn := stall(t, j)
	takenCtx, cancelTaken := context.WithCancel(context.Background())
	taken := take(t, takenCtx, j, NewEntry("taken", nil))

	why := errors.New("the caller hung up")
	waitingCtx, cancelWaiting := context.WithCancelCause(context.Background())
	waiting := make(chan error, 1)
	go func() {
		_, err := j.Append(waitingCtx, NewEntry("waiting", nil))
		waiting <- err
	}()
	cancelTaken()
	cancelWaiting(why)
	if err := <-waiting; !errors.Is(err, why) {
		t.Errorf("an append cancelled before it was taken gives %v, want the cause", err)
	}
	if _, err := j.Append(waitingCtx, NewEntry("late", nil)); !errors.Is(err, why) {
		t.Errorf("an append with a context that is over gives %v, want the cause", err)
	}
	select {
	case o := <-taken.done:
		t.Errorf("the taken entry has the outcome %+v while the writer cannot commit", o)
	default:
	}
	goOn()
	if o := <-taken.done; o.err != nil || o.last != 1 {
		t.Errorf("the taken entry has the outcome %+v, want number 1: once taken, cancelling must not matter", o)
	}
	if all := readAll(t, j.Reader(), Query{}); len(all) != 1 || all[0].Kind != "taken" {
		t.Errorf("the journal holds %v, want the taken entry alone", all)
	}
}

func TestCloseCommitsWhatWasTaken(t *testing.T) {
	dir := t.TempDir()
	j := openAt(t, dir, nil)
	goOn := stall(t, j)
	taken := take(t, context.Background(), j, NewEntry("taken", nil))
	closed := make(chan error, 1)
	go func() { closed <- j.Close() }()
	<-j.closing
	if _, err := j.Append(context.Background(), NewEntry("late", nil)); !errors.Is(err, ErrClosed) {
		t.Errorf("an append after Close began gives %v, want ErrClosed", err)
	}
	goOn()
	if o := <-taken.done; o.err != nil {
		t.Errorf("the entry taken before Close was lost: %v", o.err)
	}
	if err := <-closed; err != nil {
		t.Errorf("close: %v", err)
	}
	if err := j.Close(); err != nil {
		t.Errorf("the second Close gives %v", err)
	}
	again := openAt(t, dir, nil)
	defer again.Close()
	checkWhole(t, again.Reader(), 1)
}

func TestCloseAmidAppendersLosesNothing(t *testing.T) {
	for round := range 20 {
		dir := t.TempDir()
		j := openAt(t, dir, nil)
		var (
			all     sync.WaitGroup
			started = make(chan struct{}, 8)
			written [8]int
		)
		for a := range written {
			all.Go(func() {
				for {
					_, err := j.Append(context.Background(), NewEntry("busy", a))
					if err != nil {
						if !errors.Is(err, ErrClosed) {
							t.Errorf("round %d: %v, want ErrClosed", round, err)
						}
						return
					}
					if written[a]++; written[a] == 1 {
						started <- struct{}{}
					}
				}
			})
		}
		for range cap(started) {
			<-started
		}
		if err := j.Close(); err != nil {
			t.Errorf("round %d: close: %v", round, err)
		}
		all.Wait()
		sum := 0
		for _, n := range written {
			sum += n
		}
		again := openAt(t, dir, nil)
		checkWhole(t, again.Reader(), sum)
		if err := again.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestGroupCommit shows that what arrives during a commit is committed together, durable appends apart.
func TestGroupCommit(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	j, err := Open(context.Background(), Options{Path: filepath.Join(t.TempDir(), "journal.db"), Registerer: reg})
	if err != nil {
		t.Fatal(err)
	}
	plain := make([]*request, 0, 10)
	for range 9 {
		plain = append(plain, &request{entries: []Entry{mustAccept(t)}, done: make(chan outcome, 1)})
	}
	durable := &request{entries: []Entry{mustAccept(t)}, durable: true, done: make(chan outcome, 1)}
	j.commitGroup(append([]*request{durable}, plain...)) // the writer goroutine is idle, so this one may stand in for it
	for i, r := range plain {
		if o := <-r.done; o.err != nil || o.last != int64(i)+1 {
			t.Errorf("request %d has the outcome %+v", i, o)
		}
	}
	if o := <-durable.done; o.err != nil || o.last != 10 {
		t.Errorf("the durable request has the outcome %+v, want number 10 after those that need no flush", o)
	}
	mustAppend(t, j, NewEntry("alone", nil))
	if got := histogramCount(t, reg, "hotline_journal_batch_entries"); got != 3 {
		t.Errorf("%d transactions were counted, want 3: one for nine appends, one for the durable one, one alone", got)
	}
	if got := histogramCount(t, reg, "hotline_journal_append_seconds"); got != 1 {
		t.Errorf("%d appends were timed, want 1", got)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if families, err := reg.Gather(); err != nil || len(families) != 0 {
		t.Errorf("after Close %d metrics are still registered (%v)", len(families), err)
	}
}

func mustAccept(t *testing.T) Entry {
	t.Helper()
	e, err := NewEntry("grouped", nil, "call/1").accepted(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func histogramCount(t *testing.T, reg *prometheus.Registry, name string) (count uint64) {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			for _, m := range f.GetMetric() {
				count += m.GetHistogram().GetSampleCount()
			}
		}
	}
	return count
}
