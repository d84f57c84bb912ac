package journal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestVerify(t *testing.T) {
	const middle = 300 // on the second page
	rehash := "UPDATE entry SET data_hash = x'" + strings.Repeat("00", 32) + "'"
	tests := []struct {
		name   string
		script string // what is done to the file
		want   int64  // the entry that Verify names; 0 when all is well
	}{
		{"untouched", "", 0},
		{"expired content", "UPDATE entry SET data = NULL WHERE seq <= 300", 0},
		{"data changed", `UPDATE entry SET data = '{"stars":5}' WHERE seq = 300`, middle},
		{"data changed by a space", `UPDATE entry SET data = data || ' ' WHERE seq = 300`, middle},
		{"data and its hash changed", rehash + ", data = NULL WHERE seq = 300", middle},
		{"data hash cut", "UPDATE entry SET data_hash = x'00' WHERE seq = 300", middle},
		{"time changed", "UPDATE entry SET at = at + 1 WHERE seq = 300", middle},
		{"epoch changed", "UPDATE entry SET epoch = 2 WHERE seq = 300", middle},
		{"epoch taken away", "UPDATE entry SET epoch = 0 WHERE seq = 300", middle},
		{"kind changed", "UPDATE entry SET kind = 'call.other' WHERE seq = 300", middle},
		{"streams changed", `UPDATE entry SET streams = '["call/1","agent/9"]' WHERE seq = 300`, middle},
		{"streams unreadable", `UPDATE entry SET streams = '["call/1"' WHERE seq = 300`, middle},
		{"hash changed", "UPDATE entry SET hash = (SELECT hash FROM entry WHERE seq = 1) WHERE seq = 300", middle},
		{"entry removed", "DELETE FROM entry WHERE seq = 300", middle},
		{"page of entries removed", "DELETE FROM entry WHERE seq BETWEEN 300 AND 390", middle},
		{"first entry removed", "DELETE FROM entry WHERE seq = 1", 1},
		{"entries exchanged", "UPDATE entry SET seq = 9999 WHERE seq = 300; UPDATE entry SET seq = 300 WHERE seq = 301; UPDATE entry SET seq = 301 WHERE seq = 9999", middle},
		{"taken out of its stream", "DELETE FROM membership WHERE seq = 300", middle},
		{"put into a stream", "INSERT INTO membership SELECT id, 300 FROM stream WHERE name = 'agent/1'", middle},
		{"stream renamed", "UPDATE stream SET name = 'agent/x' WHERE name = 'agent/1'", 1},
		{"only hashes left, one wrong", "UPDATE entry SET data = NULL; UPDATE entry SET kind = 'x' WHERE seq = 300", middle},
	}
	template := writtenJournal(t, 400)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "journal.db")
			if err := os.WriteFile(path, template, 0o600); err != nil {
				t.Fatal(err)
			}
			if tt.script != "" {
				execSQL(t, path, tt.script)
			}
			r, err := OpenReader(context.Background(), path)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			err = r.Verify(context.Background())
			var broken *BrokenChain
			switch {
			case tt.want == 0 && err != nil:
				t.Errorf("Verify: %v", err)
			case tt.want != 0 && !errors.As(err, &broken):
				t.Errorf("Verify gives %v, want entry %d named", err, tt.want)
			case tt.want != 0 && broken.Seq != tt.want:
				t.Errorf("Verify gives %v, want entry %d named", err, tt.want)
			}
		})
	}
}

// TestVerifyFindsWhoWroteAfterItsEpoch builds a chain as a fence that does not hold would leave it: all hashes fit.
func TestVerifyFindsWhoWroteAfterItsEpoch(t *testing.T) {
	dir := t.TempDir()
	j := openAt(t, dir, nil)
	defer mustClose(t, j)
	for _, epoch := range []int64{1, 2, 1} {
		j.writer.epoch = epoch // the writer goroutine is idle between two appends
		execSQL(t, j.path, "DELETE FROM epoch")
		mustAppend(t, j, NewEntry("wrote", nil))
	}
	var broken *BrokenChain
	if err := j.Reader().Verify(context.Background()); !errors.As(err, &broken) || broken.Seq != 3 {
		t.Errorf("Verify gives %v, want entry 3 named: its epoch was over", err)
	}
}

// FuzzDamagedFile reads a journal whose file has been damaged at some place: an error is fine, a panic, a reading
// without an end, or damage that Verify does not see is not.
func FuzzDamagedFile(f *testing.F) {
	dir := f.TempDir()
	j := openAt(f, dir, nil)
	entries := make([]Entry, 40)
	for i := range entries {
		entries[i] = NewEntry("call.rated", map[string]int{"stars": i % 5}, fmt.Sprintf("call/%d", i/4), "agent/1")
	}
	mustAppend(f, j, entries...)
	want := readAll(f, j.Reader(), Query{})
	mustClose(f, j)
	file, err := os.ReadFile(filepath.Join(dir, "journal.db"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(uint32(0), []byte(nil))
	f.Add(uint32(18), []byte{1})
	f.Add(uint32(100), []byte{0xff})
	f.Add(uint32(strings.Index(string(file), "stars")), []byte("x"))
	for page := 4096; page < len(file); page += 4096 {
		f.Add(uint32(page), []byte{2, 0, 0, 0, 9}) // another kind of page, with other cells
		f.Add(uint32(page+8), []byte{0x0f, 0xff})  // its first cell elsewhere
	}
	f.Fuzz(func(t *testing.T, at uint32, damage []byte) {
		damaged := slices.Clone(file)
		if int(at) >= len(damaged) || len(damage) > 64 {
			return
		}
		copy(damaged[at:], damage)
		path := filepath.Join(t.TempDir(), "journal.db")
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		ctx := context.Background()
		r, err := OpenReader(ctx, path)
		if err != nil {
			return
		}
		defer r.Close()
		for _, q := range []Query{{Newest: true}, {Stream: "agent/1"}, {Kinds: []string{"call.rated", "call.ended"}}, {StreamPrefix: "call/2"}} {
			read := 0
			for range r.Read(ctx, q) {
				if read++; read > 10*len(want) {
					t.Fatalf("%+v does not end", q)
				}
			}
		}
		verified := r.Verify(ctx)
		got, err := Fold(r.Read(ctx, Query{}), nil, func(s []Entry, e Entry) []Entry { return append(s, e) })
		if verified != nil || err != nil {
			return
		}
		for i, e := range got {
			if e.Data == nil {
				e.Data = want[i].Data // as after its retention
			}
			if diff := cmp.Diff(want[i], e); diff != "" {
				t.Errorf("damage at %d was not seen (-written +read):\n%s", at, diff)
			}
		}
	})
}

// writtenJournal is the file of a journal with so many entries.
func writtenJournal(t *testing.T, count int) []byte {
	t.Helper()
	dir := t.TempDir()
	j := openAt(t, dir, nil)
	entries := make([]Entry, count)
	for i := range entries {
		entries[i] = NewEntry("call.rated", map[string]int{"stars": 1}, fmt.Sprintf("call/%d", i), fmt.Sprintf("agent/%d", 1+i%2))
	}
	mustAppend(t, j, entries...)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(filepath.Join(dir, "journal.db"))
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func TestExpiredContentIsToldApart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	j, err := Open(context.Background(), Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	mustAppend(t, j, NewEntry("call.noted", "the caller's address", "call/1"), NewEntry("call.ended", nil, "call/1"))
	execSQL(t, path, "UPDATE entry SET data = NULL WHERE seq = 1")
	all := readAll(t, j.Reader(), Query{Stream: "call/1"})
	var note any
	if err := all[0].Decode(&note); !errors.Is(err, ErrExpired) {
		t.Errorf("decoding expired content gives %v, want ErrExpired", err)
	}
	if err := all[1].Decode(&note); err != nil {
		t.Errorf("an entry that never had content gives %v: it has not expired", err)
	}
}
