package journal

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// crashChildPath is the environment variable that makes this test binary a process which writes the journal at that
// path until it is killed.
const crashChildPath = "HOTLINE_TEST_JOURNAL_CHILD"

// childFenced is what the child writes when none of its appends is taken any more.
const childFenced = "fenced"

// appendUntilKilled appends from several goroutines and reports every entry on standard output after it was
// acknowledged. Fenced, it says so and stays until its standard input ends.
func appendUntilKilled(path string) {
	j, err := Open(context.Background(), Options{Path: path})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	var all sync.WaitGroup
	for a := range 8 {
		all.Go(func() {
			for i := 0; ; i++ {
				write := j.Append
				if i%10 == 0 {
					write = j.AppendDurable
				}
				token := fmt.Sprintf("%d-%d-%d", os.Getpid(), a, i)
				seq, err := write(context.Background(), NewEntry("child.wrote", token, fmt.Sprintf("appender/%d", a)))
				if errors.Is(err, ErrFenced) {
					return
				}
				if err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
				if _, err := os.Stdout.WriteString(fmt.Sprintln(seq, token)); err != nil {
					os.Exit(1) // the test is gone
				}
			}
		})
	}
	all.Wait()
	fmt.Println(childFenced)
	_, _ = io.Copy(io.Discard, os.Stdin) // stay, with the lock, until the test closes it
}

// TestKilledProcessLosesNothingAcknowledged kills a writing process with SIGKILL, again and again, while another
// process (this one) reads beside it.
func TestKilledProcessLosesNothingAcknowledged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	acknowledged := map[int64]string{}
	for round := range 3 {
		runAndKill(t, path, 150*(round+1), acknowledged)

		r, err := OpenReader(context.Background(), path) // `hotline calls` after a crash, before the service is up again
		if err != nil {
			t.Fatalf("round %d: a reader cannot open what the killed process left: %v", round, err)
		}
		checkAcknowledged(t, r, acknowledged)
		if err := r.Close(); err != nil {
			t.Error(err)
		}

		j, err := Open(context.Background(), Options{Path: path})
		if err != nil {
			t.Fatalf("round %d: the journal of the killed process cannot be opened: %v", round, err)
		}
		checkAcknowledged(t, j.Reader(), acknowledged)
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	}
}

func runAndKill(t *testing.T, path string, lines int, acknowledged map[int64]string) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), crashChildPath+"="+path)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	seen := 0
	for s := bufio.NewScanner(out); s.Scan(); seen++ {
		var seq int64
		var token string
		if _, err := fmt.Sscan(s.Text(), &seq, &token); err != nil {
			t.Fatalf("the child wrote %q: %v", s.Text(), err)
		}
		acknowledged[seq] = token
		if seen == lines/2 {
			readBeside(t, path, acknowledged)
		}
		if seen == lines {
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := child.Wait(); err == nil || seen < lines {
		t.Fatalf("the child ended by itself after %d lines (%v)", seen, err)
	}
}

// readBeside reads the journal while the child is writing it.
func readBeside(t *testing.T, path string, acknowledged map[int64]string) {
	t.Helper()
	r, err := OpenReader(context.Background(), path)
	if err != nil {
		t.Fatalf("a reader cannot open the journal beside its writer: %v", err)
	}
	checkAcknowledged(t, r, acknowledged)
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

func checkAcknowledged(t *testing.T, r *Reader, acknowledged map[int64]string) {
	t.Helper()
	all := readAll(t, r, Query{})
	for i, e := range all {
		if e.Seq != int64(i)+1 {
			t.Fatalf("entry %d has the number %d: a gap", i+1, e.Seq)
		}
	}
	for seq, token := range acknowledged {
		if seq > int64(len(all)) {
			t.Fatalf("entry %d was acknowledged and is lost; the journal ends at %d", seq, len(all))
		}
		var got string
		if err := all[seq-1].Decode(&got); err != nil || got != token {
			t.Fatalf("entry %d holds %q (%v), acknowledged was %q", seq, got, err, token)
		}
	}
	if err := r.Verify(context.Background()); err != nil {
		t.Errorf("verify: %v", err)
	}
}
