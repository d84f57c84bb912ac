package journal

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// commits is a journal that remembers how its entries were grouped.
type commits struct {
	mu   sync.Mutex
	list []group
	seq  int64
}

type group struct {
	kinds   []string
	durable bool
	at      time.Time
}

func (c *commits) Append(_ context.Context, entries ...Entry) (int64, error) {
	return c.add(false, entries)
}

func (c *commits) AppendDurable(_ context.Context, entries ...Entry) (int64, error) {
	return c.add(true, entries)
}

func (c *commits) add(durable bool, entries []Entry) (int64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	g := group{durable: durable, at: time.Now()}
	for _, e := range entries {
		g.kinds = append(g.kinds, e.Kind)
	}
	c.list = append(c.list, g)
	c.seq += int64(len(entries))
	return c.seq, nil
}

func (c *commits) groups() []group {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.list)
}

// noted runs steps with a scribe in virtual time and returns the commits that were made of them.
func noted(t *testing.T, steps func(s *Scribe)) (groups []group) {
	synctest.Test(t, func(t *testing.T) {
		c := &commits{}
		s, err := NewScribe(c, ScribeOptions{Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		steps(s)
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
		groups = c.groups()
	})
	return groups
}

func note(t *testing.T, s *Scribe, kind string) {
	t.Helper()
	if err := s.Note(NewEntry(kind, nil, "call/1")); err != nil {
		t.Errorf("note %s: %v", kind, err)
	}
}

// What nobody waits for is written with what comes next, in order, and waits for it no longer than 20 ms.
func TestNotesShareACommit(t *testing.T) {
	append1 := func(s *Scribe, kind string) {
		if last, err := s.Append(context.Background(), NewEntry(kind, nil, "call/1")); err != nil || last == 0 {
			t.Errorf("append %s: %d, %v", kind, last, err)
		}
	}
	for name, tt := range map[string]struct {
		steps func(s *Scribe)
		want  [][]string
	}{
		"with what is waited for": {func(s *Scribe) {
			note(t, s, "a")
			note(t, s, "b")
			append1(s, "c")
		}, [][]string{{"a", "b", "c"}}},
		"with what is promised": {func(s *Scribe) {
			note(t, s, "a")
			if last, err := s.AppendDurable(context.Background(), NewEntry("b", nil, "call/1")); err != nil || last != 2 {
				t.Errorf("the promise is entry %d (%v), want 2", last, err)
			}
		}, [][]string{{"a", "b"}}},
		"within 20 ms with each other": {func(s *Scribe) {
			note(t, s, "a")
			time.Sleep(15 * time.Millisecond)
			note(t, s, "b")
			time.Sleep(15 * time.Millisecond)
			note(t, s, "c")
			time.Sleep(time.Second)
		}, [][]string{{"a", "b"}, {"c"}}},
		"with whoever waits for them alone": {func(s *Scribe) {
			began := time.Now()
			note(t, s, "a")
			if _, err := s.Append(context.Background()); err != nil || time.Since(began) > 0 {
				t.Errorf("waiting for the notes took %v (%v)", time.Since(began), err)
			}
			note(t, s, "b")
			time.Sleep(time.Second)
			if _, err := s.Append(context.Background()); err != nil {
				t.Errorf("waiting for nothing: %v", err)
			}
		}, [][]string{{"a"}, {"b"}}},
		"with the scribe's end": {func(s *Scribe) { note(t, s, "a") }, [][]string{{"a"}}},
	} {
		t.Run(name, func(t *testing.T) {
			groups := noted(t, tt.steps)
			var got [][]string
			for _, g := range groups {
				got = append(got, g.kinds)
			}
			if !slices.EqualFunc(got, tt.want, slices.Equal) {
				t.Errorf("the commits are %q, want %q", got, tt.want)
			}
		})
	}
}

// A note is in the journal 20 ms after it was written down, whatever happens.
func TestANoteIsNotKeptBack(t *testing.T) {
	var began time.Time
	groups := noted(t, func(s *Scribe) {
		began = time.Now()
		note(t, s, "a")
		for range 10 { // others do not put it off
			time.Sleep(10 * time.Millisecond)
			note(t, s, "b")
		}
		time.Sleep(time.Second)
	})
	if late := groups[0].at.Sub(began); late > gather {
		t.Errorf("the first note was written after %v, want %v", late, gather)
	}
}

// Whoever notes something hears of what no journal takes, and of a scribe that has ended.
func TestANoteThatIsNotTaken(t *testing.T) {
	noted(t, func(s *Scribe) {
		if err := s.Note(NewEntry("bad\nkind", nil)); err == nil {
			t.Error("a kind with a line break was noted")
		}
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
		if err := s.Note(NewEntry("a", nil)); !errors.Is(err, ErrClosed) {
			t.Errorf("a scribe that is closed says %v to a note, want %v", err, ErrClosed)
		}
	})
}
