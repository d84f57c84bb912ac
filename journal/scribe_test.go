package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"pgregory.net/rapid"
)

// disk is a journal that fails and hangs as told.
type disk struct {
	mu      sync.Mutex
	fault   error         // of every append
	hang    chan struct{} // every append waits until it is closed
	takes   time.Duration // every append takes so long
	entries []Entry
	flushed int // how many of the entries are on the disk for certain
	batches []int
}

func (d *disk) Append(_ context.Context, entries ...Entry) (int64, error) {
	return d.append(entries, false)
}

func (d *disk) AppendDurable(_ context.Context, entries ...Entry) (int64, error) {
	return d.append(entries, true)
}

func (d *disk) append(entries []Entry, durable bool) (int64, error) {
	d.mu.Lock()
	hang, takes := d.hang, d.takes
	d.mu.Unlock()
	time.Sleep(takes)
	if hang != nil {
		<-hang
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fault != nil {
		return 0, d.fault
	}
	d.batches = append(d.batches, len(entries))
	d.entries = append(d.entries, entries...)
	if durable {
		d.flushed = len(d.entries)
	}
	return int64(len(d.entries)), nil
}

func (d *disk) set(fault error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fault = fault
}

// stop makes the disk hang until goOn.
func (d *disk) stop() (goOn func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	hang := make(chan struct{})
	d.hang = hang
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.hang == hang {
			d.hang = nil
		}
		close(hang)
	}
}

func (d *disk) kinds() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var kinds []string
	for _, e := range d.entries {
		kinds = append(kinds, e.Kind)
	}
	return strings.Join(kinds, " ")
}

var errFull = errors.New("no space left on the device")

// scribeTest runs in virtual time, with a scribe that keeps 5 entries.
type scribeTest struct {
	*testing.T
	*disk
	*Scribe
	reg  *prometheus.Registry
	logs logBuffer
}

func testScribe(t *testing.T, f func(t *scribeTest)) {
	synctest.Test(t, func(t *testing.T) {
		st := &scribeTest{T: t, disk: &disk{}, reg: prometheus.NewPedanticRegistry()}
		var err error
		st.Scribe, err = NewScribe(st.disk, ScribeOptions{Keep: 5, Logger: slog.New(slog.NewTextHandler(&st.logs, nil)), Registerer: st.reg})
		if err != nil {
			t.Fatal(err)
		}
		f(st)
		if err := st.Scribe.Close(context.Background()); err != nil {
			t.Errorf("close: %v", err)
		}
	})
}

// write appends an entry and says what came of it and how long it took.
func (t *scribeTest) write(kind string) (last int64, took time.Duration, err error) {
	began := time.Now()
	last, err = t.Scribe.Append(context.Background(), NewEntry(kind, nil))
	return last, time.Since(began), err
}

// wantLate writes an entry that must be kept in memory after so long.
func (t *scribeTest) wantLate(kind string, after time.Duration, why error) {
	t.Helper()
	if _, took, err := t.write(kind); !errors.Is(err, ErrLate) || !errors.Is(err, why) || took != after {
		t.Errorf("append of %s gives %v after %v, want ErrLate with %q after %v", kind, err, took, why, after)
	}
}

func (t *scribeTest) wantWritten(kind string, want int64) {
	t.Helper()
	if last, took, err := t.write(kind); err != nil || last != want || took != 0 {
		t.Errorf("append of %s gives %d, %v after %v, want number %d at once", kind, last, err, took, want)
	}
}

func (t *scribeTest) wantJournal(kinds string) {
	t.Helper()
	synctest.Wait()
	if got := t.kinds(); got != kinds {
		t.Errorf("the journal holds %q, want %q", got, kinds)
	}
}

func (t *scribeTest) wantLogged(want ...string) {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(t.logs.String(), "\n"), "\n")
	for i, w := range want {
		if len(lines) != len(want) || !strings.Contains(lines[i], w) {
			t.Errorf("logged was\n%s\nwant %d lines with %q", t.logs.String(), len(want), want)
			return
		}
	}
}

func (t *scribeTest) metric(name string) float64 {
	t.Helper()
	families, err := t.reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			m := f.GetMetric()[0]
			return m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	t.Errorf("there is no metric %s", name)
	return 0
}

func TestScribeOnAHangingDisk(t *testing.T) {
	testScribe(t, func(t *scribeTest) {
		t.wantWritten("a", 1)
		goOn := t.stop()
		began := time.Now()
		t.wantLate("b", defaultPatience, errSlow)
		t.wantLate("c", 0, errSlow) // who comes later does not wait at all
		time.Sleep(time.Minute)
		t.wantLate("d", 0, errSlow)
		if count, since := t.Late(); count != 3 || !since.Equal(began.Add(defaultPatience)) || !errors.Is(t.Err(), errSlow) {
			t.Errorf("Late is %d since %v and Err %v, want 3 since the first had waited long enough", count, since, t.Err())
		}
		if n, s := t.metric("hotline_journal_late_entries"), t.metric("hotline_journal_late_seconds"); n != 3 || s != 60 {
			t.Errorf("the metrics say %v entries and %v s, want 3 and 60", n, s)
		}
		goOn()
		t.wantJournal("a b c d")
		if count, since := t.Late(); count != 0 || !since.IsZero() || t.Err() != nil {
			t.Errorf("having caught up, Late is %d since %v and Err %v", count, since, t.Err())
		}
		if n, s := t.metric("hotline_journal_late_entries"), t.metric("hotline_journal_late_seconds"); n != 0 || s != 0 {
			t.Errorf("having caught up, the metrics say %v entries and %v s", n, s)
		}
		t.wantWritten("e", 5)
		t.wantLogged("journal is late", "journal has caught up")
		for i, after := range []time.Duration{0, 0, defaultPatience, defaultPatience + time.Minute} {
			if at := t.entries[i].At; !at.Equal(began.Add(after)) {
				t.Errorf("entry %d has the time %v, want that of its append, %v", i, at, began.Add(after))
			}
		}
	})
}

func TestScribeOnAFullDisk(t *testing.T) {
	testScribe(t, func(t *scribeTest) {
		t.set(errFull)
		t.wantLate("a", 0, errFull) // nobody waits for what has failed already
		t.wantLate("b", 0, errFull)
		time.Sleep(time.Minute)
		t.set(nil)
		t.wantLate("c", 0, errFull)
		time.Sleep(lastRetry)
		t.wantJournal("a b c")
		t.wantWritten("d", 4)
		t.wantLogged("no space left", "journal has caught up")
	})
}

// TestScribeIsLateUntilItHasCaughtUp gives it more than one transaction takes.
func TestScribeIsLateUntilItHasCaughtUp(t *testing.T) {
	testScribe(t, func(t *scribeTest) {
		t.keep = 5 * maxBatch // read by appenders alone
		t.disk.mu.Lock()
		t.takes = time.Second
		t.disk.mu.Unlock()
		for range 3 * maxBatch {
			if _, _, err := t.write("x"); !errors.Is(err, ErrLate) {
				t.Fatalf("append gives %v", err)
			}
		}
		time.Sleep(1500 * time.Millisecond)
		t.wantLate("y", 0, errSlow)
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if n := fmt.Sprint(t.batches); n != "[1 1024 1024 1024]" {
			t.Errorf("the transactions had the sizes %s, want at most %d entries in each", n, maxBatch)
		}
		if count, _ := t.Late(); count != 0 {
			t.Errorf("%d entries are late", count)
		}
	})
}

func TestScribeRefusesWhatNoJournalTakes(t *testing.T) {
	testScribe(t, func(t *scribeTest) {
		goOn := t.stop()
		t.wantLate("a", defaultPatience, errSlow)
		if _, err := t.Scribe.Append(context.Background(), NewEntry("good", 1), NewEntry("bad", math.NaN())); err == nil || errors.Is(err, ErrLate) {
			t.Errorf("an entry without a JSON form gives %v: nobody may learn of it only when it is written", err)
		}
		t.wantLate("b", 0, errSlow)
		goOn()
		t.wantJournal("a b")
		if last, err := t.Scribe.Append(context.Background()); last != 0 || err != nil {
			t.Errorf("appending nothing gives %d, %v", last, err)
		}
		if _, err := t.Scribe.Append(cancelled(), NewEntry("c", nil)); !errors.Is(err, context.Canceled) || errors.Is(err, ErrLate) {
			t.Errorf("an append with a context that is over gives %v", err)
		}
		t.wantJournal("a b")
	})
}

func TestScribeKeepsWhatItsCallerDidNotWaitFor(t *testing.T) {
	testScribe(t, func(t *scribeTest) {
		goOn := t.stop()
		why := errors.New("the caller hung up")
		ctx, cancel := context.WithTimeoutCause(context.Background(), defaultPatience/2, why)
		defer cancel()
		if _, err := t.Scribe.Append(ctx, NewEntry("a", nil)); !errors.Is(err, ErrLate) || !errors.Is(err, why) {
			t.Errorf("an append cancelled while it waits gives %v, want ErrLate with the cause", err)
		}
		if count, _ := t.Late(); count != 0 {
			t.Error("who does not wait makes nobody late")
		}
		goOn()
		t.wantJournal("a")
	})
}

func TestScribeDropsTheNewest(t *testing.T) {
	testScribe(t, func(t *scribeTest) {
		t.set(errFull)
		for _, kind := range []string{"a", "b", "c", "d"} {
			t.wantLate(kind, 0, errFull)
		}
		_, err := t.Scribe.Append(context.Background(), NewEntry("x", nil), NewEntry("x", nil))
		if !errors.Is(err, ErrNoRoom) || !strings.Contains(err.Error(), "2 dropped so far") {
			t.Errorf("more than there is room for gives %v", err)
		}
		t.wantLate("e", 0, errFull) // a single one finds the last place
		if _, err := t.Scribe.AppendDurable(context.Background(), NewEntry("x", nil)); !errors.Is(err, ErrNoRoom) || !strings.Contains(err.Error(), "3 dropped so far") {
			t.Errorf("a promise without room gives %v", err)
		}
		if n := t.metric("hotline_journal_dropped_entries_total"); n != 3 {
			t.Errorf("the metric counts %v dropped entries, want 3", n)
		}
		t.set(nil)
		time.Sleep(lastRetry)
		t.wantJournal("a b c d e")
		t.wantWritten("f", 6)
		t.wantLogged("journal is late", "no room in memory", "dropped=3")
	})
}

func TestScribePromises(t *testing.T) {
	promise := func(t *scribeTest, kind string, patience time.Duration) (int64, error) {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		return t.Scribe.AppendDurable(ctx, NewEntry(kind, nil))
	}
	t.Run("kept", func(t *testing.T) {
		testScribe(t, func(t *scribeTest) {
			t.wantWritten("a", 1)
			if last, err := promise(t, "b", time.Second); last != 2 || err != nil || t.flushed != 2 {
				t.Errorf("a promise gives %d, %v with %d entries flushed, want 2 and nil", last, err, t.flushed)
			}
		})
	})
	t.Run("after what is late", func(t *testing.T) {
		testScribe(t, func(t *scribeTest) {
			goOn := t.stop()
			t.wantLate("a", defaultPatience, errSlow)
			t.wantLate("b", 0, errSlow)
			time.AfterFunc(10*time.Second, goOn)
			if last, err := promise(t, "c", time.Minute); last != 3 || err != nil || t.flushed != 3 {
				t.Errorf("a promise behind late entries gives %d, %v with %d entries flushed, want 3 and nil", last, err, t.flushed)
			}
			t.wantJournal("a b c")
		})
	})
	t.Run("not for longer than its context", func(t *testing.T) {
		testScribe(t, func(t *scribeTest) {
			goOn := t.stop()
			t.wantLate("a", defaultPatience, errSlow)
			began := time.Now()
			if _, err := promise(t, "x", time.Second); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrInDoubt) || time.Since(began) != time.Second {
				t.Errorf("a promise behind a hanging disk gives %v after %v, want no doubt that it was not written", err, time.Since(began))
			}
			t.wantLate("b", 0, errSlow)
			goOn()
			t.wantJournal("a b")
		})
	})
	t.Run("in doubt", func(t *testing.T) {
		testScribe(t, func(t *scribeTest) {
			goOn := t.stop()
			if _, err := promise(t, "a", time.Second); !errors.Is(err, ErrInDoubt) || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("a promise whose flush hangs gives %v, want ErrInDoubt", err)
			}
			goOn()
			t.wantJournal("a")
			t.wantLogged("had given them up")

			goOn = t.stop()
			if _, err := promise(t, "b", time.Second); !errors.Is(err, ErrInDoubt) {
				t.Errorf("a promise whose flush hangs gives %v, want ErrInDoubt", err)
			}
			t.set(errFull)
			goOn()
			synctest.Wait()
			t.set(nil)
			time.Sleep(lastRetry)
			t.wantJournal("a") // b failed, and nobody waits for it any more
		})
	})
	t.Run("on a full disk", func(t *testing.T) {
		testScribe(t, func(t *scribeTest) {
			t.set(errFull)
			if _, err := promise(t, "x", time.Minute); !errors.Is(err, errFull) || errors.Is(err, ErrLate) {
				t.Errorf("a promise on a full disk gives %v, want the reason", err)
			}
			if count, since := t.Late(); count != 0 || !since.IsZero() || !errors.Is(t.Err(), errFull) {
				t.Errorf("with nothing kept Late is %d since %v, and Err %v", count, since, t.Err())
			}
			t.wantLate("a", 0, errFull)
			time.Sleep(time.Minute)
			began := time.Now()
			if _, err := promise(t, "x", time.Minute); !errors.Is(err, errFull) || time.Since(began) != 0 {
				t.Errorf("a promise behind late entries gives %v after %v, want the disk to be tried at once", err, time.Since(began))
			}
			t.set(nil)
			if last, err := promise(t, "b", time.Minute); err != nil || last != 2 {
				t.Errorf("a promise once there is room gives %d, %v, want 2", last, err)
			}
			t.wantJournal("a b")
		})
	})
	t.Run("apart from what needs no flush", func(t *testing.T) {
		testScribe(t, func(t *scribeTest) {
			goOn := t.stop()
			t.wantLate("a", defaultPatience, errSlow)
			t.wantLate("b", 0, errSlow)
			go promise(t, "c", time.Minute)
			synctest.Wait()
			t.wantLate("d", 0, errSlow)
			goOn()
			t.wantJournal("a b c d")
			if n := fmt.Sprint(t.batches); n != "[1 1 1 1]" || t.flushed != 3 {
				t.Errorf("the transactions had %s entries and %d were flushed, want four and 3", n, t.flushed)
			}
		})
	})
}

func TestScribeOfAFencedJournal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var logs logBuffer
		d := &disk{}
		s, err := NewScribe(d, ScribeOptions{Logger: slog.New(slog.NewTextHandler(&logs, nil))})
		if err != nil {
			t.Fatal(err)
		}
		d.set(fmt.Errorf("nothing was written: %w", ErrStandby))
		for range 2 {
			if _, err := s.Append(context.Background(), NewEntry("early", nil)); !errors.Is(err, ErrStandby) || errors.Is(err, ErrLate) {
				t.Errorf("in standby an append gives %v, want ErrStandby: nothing of it may be kept", err)
			}
		}
		goOn := d.stop()
		if _, err := s.Append(context.Background(), NewEntry("late", nil)); !errors.Is(err, ErrLate) {
			t.Errorf("append gives %v", err)
		}
		promised := make(chan error, 1)
		go func() {
			_, err := s.AppendDurable(context.Background(), NewEntry("promise", nil))
			promised <- err
		}()
		synctest.Wait()
		d.set(fmt.Errorf("nothing was written: %w", ErrFenced))
		goOn()
		if err := <-promised; !errors.Is(err, ErrFenced) {
			t.Errorf("a promise gives %v, want ErrFenced", err)
		}
		for range 2 {
			if _, err := s.Append(context.Background(), NewEntry("after", nil)); !errors.Is(err, ErrFenced) || errors.Is(err, ErrLate) || !errors.Is(s.Err(), ErrFenced) {
				t.Errorf("once fenced an append gives %v and Err %v, want ErrFenced", err, s.Err())
			}
		}
		if err := s.Close(context.Background()); !errors.Is(err, ErrFenced) || !strings.Contains(err.Error(), "2 entries") {
			t.Errorf("close gives %v, want the 2 entries that are lost named", err)
		}
		if n := strings.Count(logs.String(), "entries are lost"); n != 1 {
			t.Errorf("the loss was logged %d times:\n%s", n, logs.String())
		}
	})
}

func TestScribeClose(t *testing.T) {
	t.Run("writes what is kept", func(t *testing.T) {
		testScribe(t, func(t *scribeTest) {
			t.set(errFull)
			t.wantLate("a", 0, errFull)
			time.AfterFunc(time.Second, func() { t.set(nil) })
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			if err := t.Scribe.Close(ctx); err != nil {
				t.Errorf("close: %v", err)
			}
			t.wantJournal("a")
			if _, _, err := t.write("b"); !errors.Is(err, ErrClosed) {
				t.Errorf("an append after Close gives %v, want ErrClosed", err)
			}
		})
	})
	for name, stop := range map[string]func(*disk) (goOn func()){
		"on a full disk":    func(d *disk) func() { d.set(errFull); return func() {} },
		"on a hanging disk": (*disk).stop,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				reg := prometheus.NewPedanticRegistry()
				d := &disk{}
				s, err := NewScribe(d, ScribeOptions{Registerer: reg, Logger: slog.New(slog.DiscardHandler)})
				if err != nil {
					t.Fatal(err)
				}
				goOn := stop(d)
				for range 2 {
					if _, err := s.Append(context.Background(), NewEntry("a", nil)); !errors.Is(err, ErrLate) {
						t.Errorf("append gives %v", err)
					}
				}
				for range 2 {
					began := time.Now()
					ctx, cancel := context.WithTimeout(context.Background(), time.Second)
					defer cancel()
					if err := s.Close(ctx); err == nil || !strings.Contains(err.Error(), "2 entries") || time.Since(began) > time.Second {
						t.Errorf("close gives %v after %v, want the 2 entries named within its second", err, time.Since(began))
					}
				}
				goOn()
				<-s.ended
				if families, err := reg.Gather(); err != nil || len(families) != 0 {
					t.Errorf("after Close %d metrics are still registered (%v)", len(families), err)
				}
			})
		})
	}
}

func TestScribesMetricsAreRegisteredOnce(t *testing.T) {
	testScribe(t, func(t *scribeTest) {
		if _, err := NewScribe(t.disk, ScribeOptions{Registerer: t.reg}); err == nil {
			t.Error("a second scribe has registered the same metrics")
		}
	})
}

// TestScribeLosesNothing draws what several callers append while the disk fails, hangs and recovers, and compares what
// each was told with what is in the journal.
func TestScribeLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { rapid.Check(noDeadline{t}, scribeLosesNothing) })
}

// noDeadline hides testing.T's Deadline, which may not be asked in a bubble.
type noDeadline struct{ testing.TB }

func scribeLosesNothing(t *rapid.T) {
	const patience = 100 * time.Millisecond
	ms := func(most int, name string) time.Duration {
		return time.Duration(rapid.IntRange(0, most).Draw(t, name)) * time.Millisecond
	}
	d := &disk{}
	s, err := NewScribe(d, ScribeOptions{
		Patience: patience, Keep: rapid.IntRange(3, 30).Draw(t, "keep"), Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}

	type step struct {
		wait, limit time.Duration
		size        int
		durable     bool
		last        int64
		err         error
	}
	plans := make([][]*step, rapid.IntRange(1, 4).Draw(t, "callers"))
	for c := range plans {
		for range rapid.IntRange(1, 12).Draw(t, "appends") {
			plans[c] = append(plans[c], &step{
				wait: ms(300, "wait"), limit: ms(1000, "limit") + time.Millisecond,
				size: rapid.IntRange(1, 3).Draw(t, "size"), durable: rapid.IntRange(0, 3).Draw(t, "durable") == 0,
			})
		}
	}
	type mood struct {
		lasts, takes time.Duration
		fails, hangs bool
	}
	moods := make([]mood, rapid.IntRange(0, 6).Draw(t, "moods"))
	for i := range moods {
		moods[i] = mood{ms(1500, "lasts"), ms(150, "takes"), rapid.Bool().Draw(t, "fails"), rapid.Bool().Draw(t, "hangs")}
	}

	var all sync.WaitGroup
	all.Go(func() {
		for _, m := range moods {
			d.mu.Lock()
			d.fault, d.takes = nil, m.takes
			if m.fails {
				d.fault = errFull
			}
			d.mu.Unlock()
			goOn := func() {}
			if m.hangs {
				goOn = d.stop()
			}
			time.Sleep(m.lasts)
			goOn()
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		d.fault, d.takes = nil, 0
	})
	for c, plan := range plans {
		all.Go(func() {
			for i, p := range plan {
				time.Sleep(p.wait)
				entries := make([]Entry, p.size)
				for k := range entries {
					entries[k] = NewEntry("drawn", nil, fmt.Sprintf("%d-%d-%d", c, i, k))
				}
				ctx, cancel := context.WithTimeout(context.Background(), p.limit)
				write, most := s.Append, patience
				if p.durable {
					write, most = s.AppendDurable, p.limit
				}
				began := time.Now()
				if p.last, p.err = write(ctx, entries...); time.Since(began) > most {
					t.Errorf("caller %d waited %v for append %d, allowed are %v", c, time.Since(began), i, most)
				}
				cancel()
			}
		})
	}
	all.Wait()
	time.Sleep(2 * lastRetry)
	if _, err := s.Append(context.Background(), NewEntry("drawn", nil, "last")); err != nil {
		t.Errorf("the disk has recovered and an append gives %v", err)
	}
	if count, since := s.Late(); count != 0 || !since.IsZero() || s.Err() != nil {
		t.Errorf("the disk has recovered and still %d entries are late (%v)", count, s.Err())
	}
	if err := s.Close(context.Background()); err != nil {
		t.Errorf("close: %v", err)
	}

	var found []string
	for _, e := range d.entries {
		found = append(found, e.Streams[0])
	}
	for c, plan := range plans {
		before := -1
		for i, p := range plan {
			at := slices.Index(found, fmt.Sprintf("%d-%d-0", c, i))
			switch {
			case p.err == nil && at != int(p.last)-p.size:
				t.Errorf("append %d of caller %d was acknowledged as number %d, the journal has it at %d", i, c, p.last, at+p.size)
			case !p.durable && errors.Is(p.err, ErrLate) && at < 0:
				t.Errorf("append %d of caller %d was late and is lost", i, c)
			case p.err != nil && !errors.Is(p.err, ErrLate) && !errors.Is(p.err, ErrInDoubt) && at >= 0:
				t.Errorf("append %d of caller %d was refused (%v) and is in the journal", i, c, p.err)
			}
			if at < 0 {
				continue
			}
			if at < before {
				t.Errorf("append %d of caller %d stands before the one before it", i, c)
			}
			before = at
			for k := range p.size {
				if want := fmt.Sprintf("%d-%d-%d", c, i, k); found[at+k] != want {
					t.Fatalf("in the journal %s stands where %s must be: an append's entries are neighbours", found[at+k], want)
				}
			}
		}
	}
	slices.Sort(found)
	if n := len(found); len(slices.Compact(found)) != n {
		t.Error("an entry is in the journal twice")
	}
}
