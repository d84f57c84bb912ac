package journal

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(crashChildPath); path != "" {
		appendUntilKilled(path) // this process is the child of a test about crashes
		return
	}
	goleak.VerifyTestMain(m)
}

// logBuffer collects what the journal logs.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// tester is what *testing.T and *rapid.T share.
type tester interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// openAt opens a journal of a test in a folder; the test closes it, or end does.
func openAt(t tester, dir string, logs *logBuffer) *Journal {
	t.Helper()
	j, err := Open(context.Background(), optionsAt(dir, logs))
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return j
}

func optionsAt(dir string, logs *logBuffer) Options {
	o := Options{Path: filepath.Join(dir, "journal.db")}
	if logs != nil {
		o.Logger = slog.New(slog.NewTextHandler(logs, nil))
	}
	return o
}

func open(t *testing.T) *Journal {
	t.Helper()
	j := openAt(t, t.TempDir(), nil)
	t.Cleanup(func() {
		if err := j.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return j
}

func mustAppend(t tester, j *Journal, entries ...Entry) int64 {
	t.Helper()
	last, err := j.Append(context.Background(), entries...)
	if err != nil {
		t.Fatalf("append: %v", err)
	}
	return last
}

func readAll(t tester, r *Reader, q Query) []Entry {
	t.Helper()
	all, err := Fold(r.Read(context.Background(), q), nil, func(s []Entry, e Entry) []Entry { return append(s, e) })
	if err != nil {
		t.Fatalf("read %+v: %v", q, err)
	}
	return all
}

// checkWhole says what is wrong with the journal as a whole: gaps, a broken chain.
func checkWhole(t tester, r *Reader, entries int) {
	t.Helper()
	all := readAll(t, r, Query{})
	if len(all) != entries {
		t.Errorf("the journal has %d entries instead of %d: an acknowledged entry is lost or a refused one was written", len(all), entries)
	}
	for i, e := range all {
		if e.Seq != int64(i)+1 {
			t.Fatalf("entry %d has the sequence number %d: the sequence has a gap or is out of order", i+1, e.Seq)
		}
	}
	if err := r.Verify(context.Background()); err != nil {
		t.Errorf("verify: %v", err)
	}
}

func seqs(entries []Entry) string {
	var b bytes.Buffer
	for _, e := range entries {
		fmt.Fprintf(&b, "%d ", e.Seq)
	}
	return b.String()
}
