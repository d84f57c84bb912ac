package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// smallDisk is a place without room for many entries.
type smallDisk struct {
	dir      string
	fill     func(t *testing.T, j *Journal) // leaves no room
	makeRoom func(t *testing.T, j *Journal)
}

// limitedPages imitates a full disk by SQLite's own limit, which every user may set.
func limitedPages(t *testing.T) smallDisk {
	limit := func(pages int) func(*testing.T, *Journal) {
		return func(t *testing.T, j *Journal) {
			if _, err := j.writer.conn.ExecContext(context.Background(), fmt.Sprintf("PRAGMA max_page_count=%d", pages)); err != nil {
				t.Fatal(err)
			}
		}
	}
	return smallDisk{t.TempDir(), limit(1), limit(1 << 30)}
}

// realDisk is a file system of 512 KiB that is filled up; it needs root, and a system that lets root mount.
func realDisk(t *testing.T) (smallDisk, error) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=512k"); err != nil {
		return smallDisk{}, err
	}
	t.Cleanup(func() {
		// Detached, so that a failed test which still has files open leaves no mount behind.
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount %s: %v", dir, err)
		}
	})
	ballast := filepath.Join(dir, "ballast")
	fill := func(t *testing.T, _ *Journal) {
		f, err := os.Create(ballast)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for err == nil {
			_, err = f.Write(make([]byte, 4096))
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("filling the disk ended with %v", err)
		}
	}
	makeRoom := func(t *testing.T, _ *Journal) {
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
	}
	return smallDisk{dir, fill, makeRoom}, nil
}

func TestFullDisk(t *testing.T) {
	t.Run("page limit", func(t *testing.T) { testFullDisk(t, limitedPages(t)) })
	disk, err := realDisk(t)
	if errors.Is(err, syscall.EPERM) {
		t.Log("this user cannot mount a small file system; SQLite's page limit has stood in for it")
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Run("small file system", func(t *testing.T) { testFullDisk(t, disk) })
	t.Run("full at the start", func(t *testing.T) { testOpenOnFullDisk(t, disk) })
	t.Run("full at a takeover", func(t *testing.T) { testClaimOnFullDisk(t, disk) })
	t.Run("full under a scribe", func(t *testing.T) { testScribeOnFullDisk(t, disk) })
}

// empty leaves nothing of the test before on the disk.
func (d smallDisk) empty(t *testing.T) {
	t.Helper()
	for _, suffix := range []string{"", "-wal", "-shm", ".lock"} {
		if err := os.Remove(filepath.Join(d.dir, "journal.db"+suffix)); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
}

// testClaimOnFullDisk: a takeover succeeds on a full disk. The epoch begins when there is room, unless somebody else's
// has begun meanwhile.
func testClaimOnFullDisk(t *testing.T, disk smallDisk) {
	disk.empty(t)
	ctx := context.Background()
	before := openAt(t, disk.dir, nil)
	mustAppend(t, before, NewEntry("before", nil, "call/1"))
	mustClose(t, before)
	first, second := standBy(t, disk.dir, nil), standBy(t, disk.dir, nil)
	disk.fill(t, nil)
	for _, j := range []*Journal{first, second} {
		if err := j.Claim(ctx); err != nil || j.Err() == nil || j.Epoch() != 0 {
			t.Errorf("on a full disk Claim gives %v, Err %v and epoch %d; want nil, the reason and 0", err, j.Err(), j.Epoch())
		}
		if _, err := j.Append(ctx, NewEntry("full", nil)); err == nil || errors.Is(err, ErrStandby) || errors.Is(err, ErrFenced) {
			t.Errorf("an append on a full disk gives %v", err)
		}
	}
	disk.makeRoom(t, nil)
	mustAppend(t, second, NewEntry("after", nil, "call/1"))
	if _, err := first.Append(ctx, NewEntry("after", nil)); !errors.Is(err, ErrFenced) {
		t.Errorf("who claims after somebody else gives %v, want ErrFenced", err)
	}
	checkEpochs(t, second.Reader(), "1 2")
	checkWhole(t, second.Reader(), 2)
	mustClose(t, first)
	mustClose(t, second)
}

// testScribeOnFullDisk: what is appended while the disk is full is in the journal once there is room, in order.
func testScribeOnFullDisk(t *testing.T, disk smallDisk) {
	disk.empty(t)
	ctx := context.Background()
	j := openAt(t, disk.dir, nil)
	s, err := NewScribe(j, ScribeOptions{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	disk.fill(t, nil)
	appended, late := 0, 0
	for late < 100 {
		appended++
		switch _, err := s.Append(ctx, NewEntry("big", strings.Repeat("x", 1000), fmt.Sprintf("call/%d", appended))); {
		case errors.Is(err, ErrLate):
			late++
		case err != nil:
			t.Fatalf("append: %v", err)
		case late > 0:
			t.Fatal("an append was written while others are late")
		}
	}
	if _, err := s.AppendDurable(ctx, NewEntry("promise", strings.Repeat("x", 10000))); err == nil {
		t.Error("a promise was taken on a full disk")
	}
	if count, since := s.Late(); count != late || since.IsZero() || !diskFails(s.Err()) {
		t.Errorf("Late is %d since %v and Err %v, want %d and that the disk is full", count, since, s.Err(), late)
	}
	disk.makeRoom(t, nil)
	appended++
	if last, err := s.AppendDurable(ctx, NewEntry("promise", nil)); err != nil || last != int64(appended) {
		t.Errorf("with room again a promise gives %d, %v, want number %d", last, err, appended)
	}
	checkWhole(t, j.Reader(), appended)
	for i, e := range readAll(t, j.Reader(), Query{Kinds: []string{"big"}}) {
		if want := fmt.Sprintf("call/%d", i+1); e.Streams[0] != want {
			t.Fatalf("entry %d is of %s, want %s: the order of the appends is lost", e.Seq, e.Streams[0], want)
		}
	}
	closing, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := s.Close(closing); err != nil {
		t.Errorf("close the scribe: %v", err)
	}
	mustClose(t, j)
}

// testOpenOnFullDisk: a service that starts on a full disk takes calls, and its journal goes on when there is room.
func testOpenOnFullDisk(t *testing.T, disk smallDisk) {
	var logs logBuffer
	first := openAt(t, disk.dir, nil)
	last := mustAppend(t, first, NewEntry("before", nil, "call/1"))
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	disk.fill(t, nil)
	j := openAt(t, disk.dir, &logs)
	if j.Err() == nil {
		t.Error("Err is nil although the journal could not be opened for writing")
	}
	if _, err := j.Append(context.Background(), NewEntry("full", nil)); err == nil {
		t.Error("an append on a full disk succeeded")
	}
	disk.makeRoom(t, nil)
	if got := mustAppend(t, j, NewEntry("after", nil, "call/1")); got != last+1 || j.Err() != nil {
		t.Errorf("with room again the append has number %d and Err is %v, want %d and nil", got, j.Err(), last+1)
	}
	checkWhole(t, j.Reader(), int(last)+1)
	if err := j.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	if n := strings.Count(logs.String(), "\n"); n != 2 {
		t.Errorf("%d lines were logged, want one for the failure and one for the recovery:\n%s", n, logs.String())
	}
}

func testFullDisk(t *testing.T, disk smallDisk) {
	ctx := context.Background()
	var logs logBuffer
	j := openAt(t, disk.dir, &logs)
	mustAppend(t, j, NewEntry("before", nil, "call/1"))
	big := NewEntry("big", strings.Repeat("x", 20000), "call/1")
	written := 1

	disk.fill(t, j)
	var full error
	for range 100 { // the WAL's last page and its own room take some
		if _, full = j.Append(ctx, NewEntry("small", nil, "call/1"), big); full != nil {
			break
		}
		written += 2
	}
	if full == nil {
		t.Fatalf("%d entries fit on a full disk", written)
	}
	if err := j.Err(); err == nil || !errors.Is(full, err) {
		t.Errorf("Err is %v, the append failed with %v", err, full)
	}
	if _, err := j.AppendDurable(ctx, big); err == nil {
		t.Error("a promise was taken on a full disk")
	}
	checkWhole(t, j.Reader(), written) // readers go on, and nothing of the failed append is there

	disk.makeRoom(t, j)
	if last, err := j.AppendDurable(ctx, NewEntry("after", nil, "call/1"), big); err != nil || last != int64(written)+2 {
		t.Fatalf("with room again the append gives %d, %v; want number %d", last, err, written+2)
	}
	written += 2
	if err := j.Err(); err != nil {
		t.Errorf("Err is %v after a successful append", err)
	}
	checkWhole(t, j.Reader(), written)
	if err := j.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	if n := strings.Count(logs.String(), "journal cannot be written"); n != 1 {
		t.Errorf("the failure was logged %d times, want once:\n%s", n, logs.String())
	}
	if n := strings.Count(logs.String(), "journal can be written again"); n != 1 {
		t.Errorf("the recovery was logged %d times, want once:\n%s", n, logs.String())
	}
	again := openAt(t, disk.dir, nil)
	defer again.Close()
	checkWhole(t, again.Reader(), written)
}
