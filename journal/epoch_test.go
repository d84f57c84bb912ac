package journal

import (
	"bufio"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// standBy opens the journal of a folder in standby; the test closes it.
func standBy(t tester, dir string, logs *logBuffer) *Journal {
	t.Helper()
	o := optionsAt(dir, logs)
	o.Standby = true
	j, err := Open(context.Background(), o)
	if err != nil {
		t.Fatalf("open in standby: %v", err)
	}
	return j
}

func mustClaim(t tester, j *Journal) {
	t.Helper()
	if err := j.Claim(context.Background()); err != nil {
		t.Fatalf("claim: %v", err)
	}
}

func mustClose(t tester, j *Journal) {
	t.Helper()
	if err := j.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

func checkEpochs(t tester, r *Reader, want string) {
	t.Helper()
	var got []string
	for _, e := range readAll(t, r, Query{}) {
		got = append(got, fmt.Sprint(e.Epoch))
	}
	if s := strings.Join(got, " "); s != want {
		t.Errorf("the entries have the epochs %s, want %s", s, want)
	}
}

func TestTakeover(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	var logs logBuffer
	before := openAt(t, dir, &logs)
	mustAppend(t, before, NewEntry("before", nil, "call/1"))

	after := standBy(t, dir, nil)
	if _, err := after.Append(ctx, NewEntry("early", nil)); !errors.Is(err, ErrStandby) || after.Epoch() != 0 || after.Err() != nil {
		t.Errorf("in standby an append gives %v, Epoch %d and Err %v; want ErrStandby, 0 and nil", err, after.Epoch(), after.Err())
	}
	mustAppend(t, before, NewEntry("before", nil, "call/1"))
	if got := readAll(t, after.Reader(), Query{Stream: "call/1"}); len(got) != 2 {
		t.Errorf("in standby %d entries can be read, want the 2 that the owner has written", len(got))
	}

	mustClaim(t, after)
	if before.Epoch() != 1 || after.Epoch() != 2 {
		t.Errorf("the epochs are %d and then %d, want 1 and 2", before.Epoch(), after.Epoch())
	}
	for range 2 {
		if _, err := before.AppendDurable(ctx, NewEntry("late", nil)); !errors.Is(err, ErrFenced) || !errors.Is(before.Err(), ErrFenced) {
			t.Errorf("after the takeover the old process's append gives %v and Err %v, want ErrFenced", err, before.Err())
		}
	}
	if err := before.Claim(ctx); !errors.Is(err, ErrFenced) {
		t.Errorf("a fenced journal's Claim gives %v, want ErrFenced", err)
	}
	if last := mustAppend(t, after, NewEntry("after", nil, "call/1")); last != 3 {
		t.Errorf("the new process goes on with number %d, want 3", last)
	}
	mustClaim(t, after)
	if after.Epoch() != 2 {
		t.Errorf("a second Claim began epoch %d: what is ours already must stay as it is", after.Epoch())
	}
	checkEpochs(t, after.Reader(), "1 1 2")

	mustClose(t, before)
	<-after.locked
	if _, err := Open(ctx, optionsAt(dir, nil)); !errors.Is(err, ErrInUse) {
		t.Errorf("once the old process is gone a third one gets %v, want ErrInUse: the lock was not taken", err)
	}
	mustAppend(t, after, NewEntry("after", nil))
	checkWhole(t, after.Reader(), 4)
	mustClose(t, after)
	if n := strings.Count(logs.String(), "taken over"); n != 1 || strings.Count(logs.String(), "\n") != 1 {
		t.Errorf("being fenced was logged %d times, want one line and nothing else:\n%s", n, logs.String())
	}
	if !strings.Contains(logs.String(), fmt.Sprintf("process %d", os.Getpid())) {
		t.Errorf("the log does not say which process took over:\n%s", logs.String())
	}
}

// TestVacant waits for an owner that closes the journal, and no longer than it may for one that does not.
func TestVacant(t *testing.T) {
	dir := t.TempDir()
	before := openAt(t, dir, nil)
	if err := before.Vacant(context.Background()); err != nil {
		t.Errorf("the owner itself waits in vain: %v", err)
	}
	after := standBy(t, dir, nil)
	if err := after.Vacant(cancelled()); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that is over it gives %v", err)
	}
	mustAppend(t, before, NewEntry("last", nil))
	mustClose(t, before)
	if err := after.Vacant(context.Background()); err != nil {
		t.Errorf("the owner has closed the journal: %v", err)
	}
	if _, err := Open(context.Background(), optionsAt(dir, nil)); !errors.Is(err, ErrInUse) {
		t.Errorf("between the owner's end and the claim a third one gets %v, want ErrInUse", err)
	}
	mustClaim(t, after)
	mustClose(t, after)
	if err := after.Vacant(context.Background()); err != nil && !errors.Is(err, ErrClosed) {
		t.Errorf("after Close it gives %v", err)
	}
}

// TestStandbyThatNeverClaims must leave the owner as it was, whichever of the two goes first.
func TestStandbyThatNeverClaims(t *testing.T) {
	dir := t.TempDir()
	owner := openAt(t, dir, nil)
	mustAppend(t, owner, NewEntry("before", nil))
	mustClose(t, standBy(t, dir, nil))
	mustAppend(t, owner, NewEntry("between", nil))
	other := standBy(t, dir, nil)
	mustClose(t, owner)
	if err := other.Claim(cancelled()); !errors.Is(err, context.Canceled) {
		t.Errorf("a Claim with a context that is over gives %v", err)
	}
	mustClose(t, other)
	if err := other.Claim(context.Background()); !errors.Is(err, ErrClosed) {
		t.Errorf("a Claim after Close gives %v, want ErrClosed", err)
	}
	again := openAt(t, dir, nil)
	defer mustClose(t, again)
	if again.Epoch() != 2 {
		t.Errorf("the next epoch is %d, want 2: one that only stood by must not count", again.Epoch())
	}
	checkWhole(t, again.Reader(), 2)
}

func cancelled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// TestStandbyWithoutOwner is a takeover where nothing runs, and where nothing ever ran.
func TestStandbyWithoutOwner(t *testing.T) {
	dir := t.TempDir()
	j := standBy(t, dir, nil)
	checkWhole(t, j.Reader(), 0)
	mustClaim(t, j)
	<-j.locked
	if last := mustAppend(t, j, NewEntry("first", nil)); last != 1 || j.Epoch() != 1 {
		t.Errorf("the first entry has number %d in epoch %d, want 1 and 1", last, j.Epoch())
	}
	checkWhole(t, j.Reader(), 1)
	mustClose(t, j)
}

// TestFencedCloseKeepsTheSuccessorsEntries closes the fenced journal while the new one's entries are only in the WAL.
func TestFencedCloseKeepsTheSuccessorsEntries(t *testing.T) {
	dir := t.TempDir()
	before := openAt(t, dir, nil)
	mustAppend(t, before, NewEntry("before", nil))
	after := standBy(t, dir, nil)
	mustClaim(t, after)
	mustAppend(t, after, NewEntry("after", nil))
	if _, err := before.Append(context.Background(), NewEntry("late", nil)); !errors.Is(err, ErrFenced) {
		t.Errorf("the fenced journal's append gives %v", err)
	}
	mustClose(t, before)
	if _, err := os.Stat(filepath.Join(dir, "journal.db-wal")); err != nil {
		t.Errorf("the WAL went with the fenced journal: %v", err)
	}
	mustAppend(t, after, NewEntry("after", nil))
	checkWhole(t, after.Reader(), 3)
	mustClose(t, after)
	again := openAt(t, dir, nil)
	defer mustClose(t, again)
	checkWhole(t, again.Reader(), 3)
}

// TestClaimWaitsForWhoeverWrites: a process that holds the file delays a claim, but no longer than its caller allows.
func TestClaimWaitsForWhoeverWrites(t *testing.T) {
	dir := t.TempDir()
	owner := openAt(t, dir, nil)
	defer mustClose(t, owner)
	goOn := stall(t, owner)
	j := standBy(t, dir, nil)
	defer mustClose(t, j)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	if err := j.Claim(ctx); err == nil || j.Epoch() != 0 {
		t.Errorf("while another process is writing Claim gives %v and epoch %d, want an error and still standby", err, j.Epoch())
	}
	if _, err := j.Append(context.Background(), NewEntry("early", nil)); !errors.Is(err, ErrStandby) {
		t.Errorf("after a claim that failed an append gives %v, want ErrStandby", err)
	}
	claimed := make(chan error, 1)
	go func() { claimed <- j.Claim(context.Background()) }()
	goOn()
	if err := <-claimed; err != nil || j.Epoch() != 2 {
		t.Errorf("once the other has written Claim gives %v and epoch %d, want nil and 2", err, j.Epoch())
	}
}

// TestLateClaimFencesNobody: a process whose disk was full when it claimed must not claim after another one has.
func TestLateClaimFencesNobody(t *testing.T) {
	dir := t.TempDir()
	early := openAt(t, dir, nil)
	found := early.Epoch()
	mustClose(t, early)

	late := standBy(t, dir, nil)
	defer mustClose(t, late)
	late.newest = found // as if its claim had got that far, and no further
	late.standby.Store(false)
	other := standBy(t, dir, nil)
	defer mustClose(t, other)
	mustClaim(t, other)
	if _, err := late.Append(context.Background(), NewEntry("late", nil)); !errors.Is(err, ErrFenced) {
		t.Errorf("an append that claims too late gives %v, want ErrFenced", err)
	}
	mustAppend(t, other, NewEntry("other", nil))
	checkEpochs(t, other.Reader(), "2")
}

// TestClaimsAmidAppenders lets several journals take over from one another while all of them append: what was
// acknowledged is there once, nothing else is, and the chain runs through all epochs.
func TestClaimsAmidAppenders(t *testing.T) {
	dir := t.TempDir()
	const journals, appenders = 5, 3
	var (
		all          sync.WaitGroup
		mu           sync.Mutex
		acknowledged = map[int64]string{}
	)
	opened := make([]*Journal, journals)
	for n := range opened {
		opened[n] = standBy(t, dir, nil)
	}
	for n, j := range opened {
		mustClaim(t, j)
		begun := make(chan struct{}, appenders)
		for a := range appenders {
			all.Go(func() {
				for i := 0; n < journals-1 || i < 20; i++ {
					token := fmt.Sprintf("%d-%d-%d", n, a, i)
					seq, err := j.Append(context.Background(), NewEntry("wrote", token))
					if errors.Is(err, ErrFenced) {
						return
					}
					if err != nil {
						t.Errorf("journal %d: %v, want ErrFenced once it is over", n, err)
						return
					}
					mu.Lock()
					acknowledged[seq] = token
					mu.Unlock()
					if i == 10 {
						begun <- struct{}{}
					}
				}
			})
		}
		<-begun
	}
	all.Wait()
	checkAcknowledged(t, opened[0].Reader(), acknowledged)
	checkWhole(t, opened[0].Reader(), len(acknowledged))
	entries := readAll(t, opened[0].Reader(), Query{})
	if !slices.IsSortedFunc(entries, func(a, b Entry) int { return int(a.Epoch - b.Epoch) }) || entries[len(entries)-1].Epoch != journals {
		t.Errorf("the epochs do not rise to %d: a fenced journal has written", journals)
	}
	for _, j := range opened {
		mustClose(t, j)
	}
}

// TestTakeoverFromAnotherProcess fences a real process that is writing, and takes its lock when it is gone.
func TestTakeoverFromAnotherProcess(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	path := filepath.Join(dir, "journal.db")
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), crashChildPath+"="+path)
	child.Stderr = os.Stderr
	in, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	acknowledged := map[int64]string{}
	fenced := false
	read := func(atMost int) {
		for range atMost {
			if !lines.Scan() || lines.Text() == childFenced {
				fenced = lines.Text() == childFenced
				return
			}
			var seq int64
			var token string
			if _, err := fmt.Sscan(lines.Text(), &seq, &token); err != nil {
				t.Fatalf("the child wrote %q: %v", lines.Text(), err)
			}
			acknowledged[seq] = token
		}
	}
	read(100)
	j := standBy(t, dir, nil)
	defer mustClose(t, j)
	checkAcknowledged(t, j.Reader(), acknowledged)
	mustClaim(t, j)
	first := mustAppend(t, j, NewEntry("parent.wrote", nil))
	if read(1 << 30); !fenced {
		t.Fatal("the child went away without having been fenced")
	}
	if _, err := Open(ctx, Options{Path: path}); !errors.Is(err, ErrInUse) {
		t.Errorf("while the old process lives a third one gets %v, want ErrInUse", err)
	}
	if err := errors.Join(in.Close(), child.Wait()); err != nil {
		t.Errorf("the child: %v", err)
	}
	<-j.locked
	last := mustAppend(t, j, NewEntry("parent.wrote", nil))
	if last != first+1 || len(acknowledged) != int(first)-1 {
		t.Errorf("%d entries of the child were acknowledged, ours have the numbers %d and %d: the child wrote after the claim, or lost something", len(acknowledged), first, last)
	}
	for _, e := range readAll(t, j.Reader(), Query{Kinds: []string{"parent.wrote"}}) {
		acknowledged[e.Seq] = ""
	}
	checkWhole(t, j.Reader(), len(acknowledged))
}

// oldJournal writes a file as it was before there were epochs.
func oldJournal(t *testing.T, path string, entries ...Entry) {
	t.Helper()
	execSQL(t, path, "PRAGMA journal_mode=wal;"+migrations[0]+fmt.Sprintf("PRAGMA application_id=%d; PRAGMA user_version=1", applicationID))
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	prev := link{}
	for i, e := range entries {
		if e, err = e.accepted(time.Unix(1770000000, 0)); err != nil {
			t.Fatal(err)
		}
		e.Seq = int64(i) + 1
		dataHash := link(sha256.Sum256(e.Data))
		prev = prev.next(e, dataHash)
		streams, err := json.Marshal(e.Streams)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.Exec("INSERT INTO entry (seq, at, kind, streams, data, data_hash, hash) VALUES (?, ?, ?, ?, ?, ?, ?)",
			e.Seq, e.At.UnixMicro(), e.Kind, string(streams), string(e.Data), dataHash[:], prev[:]); err != nil {
			t.Fatal(err)
		}
		for _, s := range e.Streams {
			_, named := db.Exec("INSERT INTO stream (name) VALUES (?) ON CONFLICT (name) DO NOTHING", s)
			_, joined := db.Exec("INSERT INTO membership (stream, seq) SELECT id, ? FROM stream WHERE name = ?", e.Seq, s)
			if err := errors.Join(named, joined); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestJournalFromBeforeEpochs can be read as it is, is migrated by whoever claims it, and its chain goes on.
func TestJournalFromBeforeEpochs(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	path := filepath.Join(dir, "journal.db")
	oldJournal(t, path, NewEntry("old", 1, "call/1"), NewEntry("old", 2, "call/1"))

	r, err := OpenReader(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	checkEpochs(t, r, "0 0")
	checkWhole(t, r, 2)
	j := standBy(t, dir, nil)
	defer mustClose(t, j)
	checkEpochs(t, j.Reader(), "0 0")

	mustClaim(t, j)
	mustAppend(t, j, NewEntry("new", 3, "call/1"))
	for _, r := range []*Reader{r, j.Reader()} { // both were opened before the file was migrated
		checkEpochs(t, r, "0 0 1")
		checkWhole(t, r, 3)
		if got := readAll(t, r, Query{Stream: "call/1", Kinds: []string{"old", "new"}}); len(got) != 3 {
			t.Errorf("a stream across the migration has %d entries, want 3", len(got))
		}
	}
}
