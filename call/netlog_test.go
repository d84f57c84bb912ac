package call

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hotline/journal"
)

// durableBook is a journal that keeps what it is given durably, unless it is told to fail.
type durableBook struct {
	Journal
	fails   error
	entries []journal.Entry
}

func (b *durableBook) AppendDurable(_ context.Context, entries ...journal.Entry) (int64, error) {
	if b.fails != nil {
		return 0, b.fails
	}
	b.entries = append(b.entries, entries...)
	return int64(len(b.entries)), nil
}

// netWorld is a service that reads the net's file, and the net.
type netWorld struct {
	t    *testing.T
	file string
	book durableBook
	log  bytes.Buffer
	*Service
}

func newNetWorld(t *testing.T) *netWorld {
	w := &netWorld{t: t, file: filepath.Join(t.TempDir(), "net-callers")}
	w.restart()
	return w
}

// restart is another process that knows nothing of what the one before had read.
func (w *netWorld) restart() {
	w.Service = &Service{o: Options{NetLog: w.file}, journal: &w.book, now: time.Now, log: slog.New(slog.NewTextHandler(&w.log, nil))}
}

// append writes as Asterisk does, to the file of that name.
func (w *netWorld) append(name, text string) {
	w.t.Helper()
	f, err := os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		w.t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		w.t.Fatal(err)
	}
}

func (w *netWorld) reads() {
	w.t.Helper()
	if err := w.readNet(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

// channels are those of the callers in the journal, in order.
func (w *netWorld) channels() (ids []string) {
	w.t.Helper()
	for _, e := range w.book.entries {
		data, ok := read[NetCaller](e)
		if !ok || e.Kind != KindNetCaller || !cmp.Equal(e.Streams, []string{NetStream}) {
			w.t.Errorf("the journal has %+v, want callers of the net alone", e)
		}
		ids = append(ids, data.Channel)
	}
	return ids
}

func (w *netWorld) wantChannels(want ...string) {
	w.t.Helper()
	if diff := cmp.Diff(want, w.channels()); diff != "" {
		w.t.Errorf("callers in the journal (-want +got):\n%s", diff)
	}
}

// files are the names of what is left of the net's file.
func (w *netWorld) files() (names []string) {
	w.t.Helper()
	list, err := os.ReadDir(filepath.Dir(w.file))
	if err != nil {
		w.t.Fatal(err)
	}
	for _, f := range list {
		names = append(names, f.Name())
	}
	return names
}

func (w *netWorld) takenFile() string {
	w.t.Helper()
	names, err := filepath.Glob(w.file + ".taken-*")
	if err != nil || len(names) != 1 {
		w.t.Fatalf("taken files are %v, %v; want one", names, err)
	}
	return names[0]
}

const (
	netFirst  = "1741570200123 1741570260456 13800138000 hotline-1741570200.1 hung-up\n"
	netSecond = "1741570200123 1741570260456 - hotline-1741570200.2 turned-away\n"
	netThird  = "1741570200123 1741570260456 +8613800138000 hotline-1741570200.3 served\n"
)

func TestWhomTheNetHadIsJournaledOnce(t *testing.T) {
	w := newNetWorld(t)
	w.reads() // before there is anything
	w.append(w.file, netFirst+netSecond)
	w.reads()
	w.wantChannels("hotline-1741570200.1", "hotline-1741570200.2")
	w.append(w.takenFile(), netThird) // Asterisk had the file open when it was renamed
	w.append(w.file, strings.ReplaceAll(netFirst, ".1 ", ".4 "))
	w.reads()
	w.reads()
	w.wantChannels("hotline-1741570200.1", "hotline-1741570200.2", "hotline-1741570200.3", "hotline-1741570200.4")
	if left := w.files(); len(left) != 0 {
		t.Errorf("%v is left over", left)
	}
}

func TestACallerOfTheNetIsToldOnTheServicesClock(t *testing.T) {
	w := newNetWorld(t)
	w.append(w.file, netThird)
	w.Service.now = func() time.Time { return time.Now().Add(240 * time.Hour) }
	w.reads()
	got, _ := read[NetCaller](w.book.entries[0])
	entered := time.UnixMilli(1741570200123).UTC().Add(240 * time.Hour)
	want := NetCaller{
		Number: "8613800138000", Channel: "hotline-1741570200.3", End: NetServed,
		Entered: entered, Left: entered.Add(60333 * time.Millisecond),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}

// Whatever breaks between the file and the journal, no caller is lost.
func TestCallersOfTheNetOutliveWhatFails(t *testing.T) {
	w := newNetWorld(t)
	w.append(w.file, netFirst)
	w.book.fails = errors.New("the disk is full")
	for range 2 {
		if err := w.readNet(t.Context()); !errors.Is(err, w.book.fails) {
			t.Fatalf("got %v, want that the disk is full", err)
		}
	}
	w.append(w.file, netSecond)
	w.restart()
	w.book.fails = nil
	w.reads()
	w.wantChannels("hotline-1741570200.1", "hotline-1741570200.2")

	w.restart() // killed after the entries and before the file was removed
	w.reads()
	w.wantChannels("hotline-1741570200.1", "hotline-1741570200.2", "hotline-1741570200.2")
	if left := w.files(); len(left) != 0 {
		t.Errorf("%v is left over", left)
	}
}

// What cannot be read may be a caller all the same: it is kept aside and said so, without the number.
func TestLinesOfTheNetThatCannotBeReadAreKept(t *testing.T) {
	w := newNetWorld(t)
	torn := "1741570200123 1741570260456 138001" // the disk was full
	w.append(w.file, torn+netFirst+netSecond+torn)
	w.reads()
	w.wantChannels("hotline-1741570200.2")
	w.reads() // nobody writes to the file any more: the half line is all there is
	w.wantChannels("hotline-1741570200.2")
	files := w.files()
	if len(files) != 1 || !strings.Contains(files[0], ".unread-") {
		t.Fatalf("left is %v, want the file with its lines", files)
	}
	kept, err := os.ReadFile(filepath.Join(filepath.Dir(w.file), files[0]))
	if err != nil {
		t.Fatal(err)
	}
	if want := torn + netFirst + netSecond + torn; string(kept) != want {
		t.Errorf("kept aside is %q, want %q", kept, want)
	}
	if log := w.log.String(); strings.Count(log, "cannot be read") != 1 || strings.Contains(log, "138001") {
		t.Errorf("the log says %q, want that lines cannot be read and nothing of their content", log)
	}
}

func TestLinesThatTheNetDoesNotWrite(t *testing.T) {
	for name, line := range map[string]string{
		"empty":           "\n",
		"no end":          strings.TrimSuffix(netFirst, "\n"),
		"no number":       strings.Replace(netFirst, "13800138000", "", 1),
		"a word":          strings.Replace(netFirst, "13800138000", "anna", 1),
		"seconds":         strings.Replace(netFirst, "1741570200123 ", "1741570200 ", 1),
		"an unknown end":  strings.Replace(netFirst, "hung-up", "flew", 1),
		"two lines":       strings.Replace(netFirst, "\n", " ", 1) + netSecond,
		"never entered":   " " + netFirst[14:],
		"a windows line":  strings.Replace(netFirst, "\n", "\r\n", 1),
		"a long number":   strings.Replace(netFirst, "13800138000", strings.Repeat("1", 30), 1),
		"a negative time": "-" + netFirst[1:],
	} {
		if caller, ok := parseNetLine(line); ok {
			t.Errorf("%s: %q is read as %+v", name, line, caller)
		}
	}
	if caller, ok := parseNetLine("1741570260456 1741570200123 - a.1 hung-up\n"); !ok || caller.told(0).Left != caller.told(0).Entered {
		t.Errorf("a caller who left before the machine's clock was set back is read as %+v, %v", caller, ok)
	}
}

// Every line of the net's file is a caller or counts as unread, and a caller is no more than a line says.
func FuzzNetLines(f *testing.F) {
	f.Add(netFirst + netSecond + netThird)
	f.Add("1741570200123 1741570260456 138001" + netFirst)
	f.Add("\n\n" + netThird + "x")
	f.Fuzz(func(t *testing.T, text string) {
		callers, unread := parseNet(text)
		lines := strings.Count(text, "\n")
		if text != "" && !strings.HasSuffix(text, "\n") {
			lines++
		}
		if len(callers)+unread != lines {
			t.Errorf("%d callers and %d unread lines of %q", len(callers), unread, text)
		}
		for _, c := range callers {
			told := c.told(0)
			if told.Number != callerNumber(told.Number) || told.Left.Before(told.Entered) || !strings.Contains(text, c.channel+" "+told.End+"\n") {
				t.Errorf("%q is read as %+v", text, told)
			}
		}
	})
}

// stuckBook is a journal on a disk that does not answer.
type stuckBook struct {
	Journal
	asked chan struct{} // an append began
}

func (b *stuckBook) AppendDurable(ctx context.Context, _ ...journal.Entry) (int64, error) {
	b.asked <- struct{}{}
	<-ctx.Done()
	return 0, context.Cause(ctx)
}

// A disk that does not answer holds up the reading of the net's file, and nobody else; one reading at a time waits for
// it, and not for ever.
func TestADiskThatHangsHoldsUpTheReadingAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newNetWorld(t)
		w.append(w.file, netFirst)
		book := &stuckBook{asked: make(chan struct{}, 3)}
		w.Service.ctx, w.Service.journal = t.Context(), book
		wantAsked := func(want int) {
			t.Helper()
			synctest.Wait()
			if n := len(book.asked); n != want {
				t.Errorf("%d readings have met the disk, want %d", n, want)
			}
		}
		w.learnFromNet()
		wantAsked(1)
		w.learnFromNet()
		wantAsked(1)
		time.Sleep(netLimit)
		wantAsked(1)
		w.learnFromNet()
		wantAsked(2)
		w.scripts.Wait()
		if n := strings.Count(w.log.String(), "the next look tries again"); n != 2 {
			t.Errorf("the log tells of %d readings that failed, want 2:\n%s", n, w.log.String())
		}
	})
}
