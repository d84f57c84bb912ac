package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hotline/ari"
	"hotline/call"
	"hotline/journal"
)

// process is one process with the journal of a state folder.
type process struct {
	*tenure
	ctx    context.Context // ends when it leaves
	beside bool
}

func newProcess(t *testing.T, path string, takeover bool) *process {
	t.Helper()
	book, beside, err := openJournal(t.Context(), journal.Options{Path: path, Logger: slog.New(slog.DiscardHandler)}, takeover)
	if err != nil {
		t.Fatal(err)
	}
	scribe, err := journal.NewScribe(book, journal.ScribeOptions{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, leave := context.WithCancelCause(t.Context())
	p := &process{newTenure(scribe, book, path, leave, slog.New(slog.DiscardHandler)), ctx, beside}
	t.Cleanup(func() { p.release(soon()) })
	return p
}

func (p *process) begins(t *testing.T) *process {
	t.Helper()
	if err := p.begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *process) writes() error {
	_, err := p.Append(p.ctx, journal.NewEntry("test.fact", nil, "test"))
	return err
}

// soon is when a process is to be gone.
func soon() time.Time { return time.Now().Add(goneWithin) }

// read is what is written of the processes.
func (p *process) read(t *testing.T) (told []journal.Entry) {
	t.Helper()
	r, err := journal.OpenReader(t.Context(), p.path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for e, err := range r.Read(t.Context(), journal.Query{Stream: call.ServiceStream}) {
		if err != nil {
			t.Fatal(err)
		}
		told = append(told, e)
	}
	return told
}

// story is its kinds.
func (p *process) story(t *testing.T) (kinds []string) {
	t.Helper()
	for _, e := range p.read(t) {
		kinds = append(kinds, e.Kind)
	}
	return kinds
}

func TestASecondServiceIsRefusedUnlessItTakesOver(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	newProcess(t, path, false).begins(t)
	_, _, err := openJournal(t.Context(), journal.Options{Path: path}, false)
	if !errors.Is(err, journal.ErrInUse) || !strings.Contains(err.Error(), "hotline serve --takeover") {
		t.Errorf("a second service is told %v, want that there is one already and that --takeover is the way", err)
	}
	if second := newProcess(t, path, true); !second.beside {
		t.Error("a successor takes itself for the only one")
	}
}

func TestTakingOverFromNobodyIsAnOrdinaryStart(t *testing.T) {
	p := newProcess(t, filepath.Join(t.TempDir(), "journal.db"), true)
	if p.beside {
		t.Fatal("it stands beside somebody, and nobody is there")
	}
	if err := p.begins(t).writes(); err != nil {
		t.Error(err)
	}
}

// A successor writes nothing before it has claimed the journal, the one before
// it nothing after, and each tenure is in the journal once.
func TestOneAfterTheOther(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	first := newProcess(t, path, true).begins(t)
	second := newProcess(t, path, true)
	if err := second.writes(); !errors.Is(err, journal.ErrStandby) || second.ctx.Err() != nil {
		t.Errorf("in standby it writes, or leaves: %v, %v", err, context.Cause(second.ctx))
	}
	if err := first.writes(); err != nil {
		t.Errorf("a successor in standby disturbs: %v", err)
	}
	if first.over(t.Context()) {
		t.Error("it takes itself for relieved, and nobody has claimed the journal")
	}
	second.begins(t).begins(t)
	if err := first.writes(); !errors.Is(err, journal.ErrFenced) {
		t.Errorf("the one before goes on writing: %v", err)
	}
	if cause := context.Cause(first.ctx); !errors.Is(cause, journal.ErrFenced) {
		t.Errorf("the one before does not leave: %v", cause)
	}
	if err := first.leaves(context.Cause(first.ctx), 3, soon()); err != nil {
		t.Errorf("being relieved is taken for a mistake: %v", err)
	}
	if err := second.leaves(errAsked, 3, soon()); err != nil {
		t.Errorf("being told to stop is taken for a mistake: %v", err)
	}
	want := []string{call.KindServiceStarted, call.KindServiceStarted, call.KindServiceStopping}
	if got := second.story(t); strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("the journal tells of %v, want %v", got, want)
	}
	var started call.ServiceStarted
	if err := second.read(t)[1].Decode(&started); err != nil {
		t.Fatal(err)
	}
	if started.Epoch != 2 || time.Since(started.LastSeen) > time.Minute || started.Version == "" {
		t.Errorf("the second start is told as %+v, want epoch 2, the time of the last entry before it, and its version", started)
	}
}

// A successor waits for what the one before it has in memory: nothing of it is
// lost, and the one before it finds itself relieved.
func TestAHandoverLosesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	first := newProcess(t, path, false).begins(t)
	second := newProcess(t, path, true)
	left := make(chan error, 1)
	began := make(chan error, 1)
	go func() { began <- second.begin(t.Context()) }()
	go func() {
		for range 100 {
			if err := first.writes(); err != nil {
				left <- err
				return
			}
		}
		left <- first.leaves(ari.ErrReplaced, 1, soon())
	}()
	if err := <-left; err != nil {
		t.Errorf("the one before does not leave in good order: %v", err)
	}
	if err := <-began; err != nil {
		t.Fatal(err)
	}
	told := second.read(t)
	want := []string{call.KindServiceStarted, call.KindServiceStopping, call.KindServiceStarted}
	if got := second.story(t); strings.Join(got, " ") != strings.Join(want, " ") {
		t.Fatalf("the journal tells of %v, want %v", got, want)
	}
	if told[2].Seq != 103 || told[1].Epoch != 1 || told[2].Epoch != 2 {
		t.Errorf("the second start is entry %d of epoch %d after one of epoch %d, want 103, 2 and 1", told[2].Seq, told[2].Epoch, told[1].Epoch)
	}
}

// Callers' keys wait for the claim: who does not let go of the journal is not
// waited for, unless it has said that it has much to write. That is not lost.
func TestASuccessorWaitsForWhoSaysWhy(t *testing.T) {
	for name, test := range map[string]struct {
		status string // of the one before; "": none answers
		waits  bool
	}{
		"nothing is late":   {`{}`, false},
		"nobody answers":    {"", false},
		"entries are late":  {`{"late": 7}`, true},
		"it says something": {`?`, false},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "journal.db")
			first := newProcess(t, path, false).begins(t)
			second := newProcess(t, path, true)
			socket := filepath.Join(t.TempDir(), "s")
			if test.status != "" {
				l, err := net.Listen("unix", socket)
				if err != nil {
					t.Fatal(err)
				}
				before := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, test.status) })}
				go before.Serve(l)
				defer before.Close()
			}
			second.asksBefore(t.Context(), socket)
			left := time.AfterFunc(2*vacateWithin, func() { first.release(soon()) })
			defer left.Stop()
			began := time.Now()
			second.begins(t)
			if took := time.Since(began); (took > 2*vacateWithin) != test.waits {
				t.Errorf("it claims the journal after %v, want it to wait for the one before: %v", took, test.waits)
			}
		})
	}
}

// Why a service leaves decides what it writes, and whether that is a mistake.
func TestWhyAServiceLeaves(t *testing.T) {
	broken := errors.New("listen.metrics: broken")
	for _, test := range []struct {
		why     error
		mistake bool
		written string
	}{
		{errAsked, false, "shutdown"},
		{errDrained, false, "drained"},
		{errDrainTime, false, "drained"},
		{ari.ErrReplaced, true, "replaced"}, // by somebody who has not claimed the journal
		{broken, true, "failed"},
	} {
		t.Run(test.why.Error(), func(t *testing.T) {
			p := newProcess(t, filepath.Join(t.TempDir(), "journal.db"), false).begins(t)
			if err := p.leaves(test.why, 2, soon()); (err != nil) != test.mistake || err != nil && !errors.Is(err, test.why) {
				t.Errorf("it ends with %v, want a mistake: %v", err, test.mistake)
			}
			told := p.read(t)
			var said call.ServiceStopping
			if err := told[len(told)-1].Decode(&said); err != nil || said != (call.ServiceStopping{Why: test.written, Live: 2}) {
				t.Errorf("the journal says %+v (%v), want %s with 2 calls", said, err, test.written)
			}
		})
	}
}

// A stranger is told from the process before, which may connect to Asterisk
// once more as it is relieved: then a new start puts it right.
func TestWhoPushedAServiceOut(t *testing.T) {
	p := newProcess(t, filepath.Join(t.TempDir(), "journal.db"), false).begins(t)
	if err := p.leaves(ari.ErrReplaced, 0, soon()); exitStatus(err) != 1 {
		t.Errorf("pushed out at once it ends with %d (%v), want 1: to be started again", exitStatus(err), err)
	}
	p.since = p.since.Add(-time.Minute)
	if err := p.leaves(ari.ErrReplaced, 0, soon()); exitStatus(err) != 3 || !strings.Contains(err.Error(), "another state_dir") {
		t.Errorf("pushed out after a minute it ends with %d (%v), want 3: not to be started again", exitStatus(err), err)
	}
}

// One that never acted has nothing to write.
func TestASuccessorThatGivesUpWritesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	first := newProcess(t, path, false).begins(t)
	second := newProcess(t, path, true)
	if err := second.leaves(errAsked, 0, soon()); err != nil {
		t.Error(err)
	}
	if got := first.story(t); len(got) != 1 {
		t.Errorf("the journal tells of %v, want the first one's start alone", got)
	}
}

// A process that was away from Asterisk while it was relieved does not connect
// again: it would push its successor out.
func TestWhoIsRelievedConnectsNoMore(t *testing.T) {
	asterisk, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer asterisk.Close()
	path := filepath.Join(t.TempDir(), "journal.db")
	first := newProcess(t, path, false).begins(t)
	second := newProcess(t, path, true)
	for _, p := range []*process{first, second} {
		conn, err := p.dial(t.Context(), "tcp", asterisk.Addr().String())
		if err != nil {
			t.Fatalf("nobody is relieved yet: %v", err)
		}
		conn.Close()
	}
	second.begins(t)
	if _, err := first.dial(t.Context(), "tcp", asterisk.Addr().String()); !errors.Is(err, journal.ErrFenced) {
		t.Errorf("the one who is relieved connects: %v", err)
	}
	if cause := context.Cause(first.ctx); !errors.Is(cause, journal.ErrFenced) {
		t.Errorf("the one who is relieved does not leave: %v", cause)
	}
}

// stuckDisk takes nothing until it is let go.
type stuckDisk struct {
	*journal.Journal
	goes chan struct{}
}

func (d *stuckDisk) Append(ctx context.Context, entries ...journal.Entry) (int64, error) {
	<-d.goes
	return d.Journal.Append(ctx, entries...)
}

// Whoever stops a service is promised a time, and a disk that takes nothing has
// no more than what the rest has left of it.
func TestADiskThatIsStuckHoldsNobodyUp(t *testing.T) {
	p := newProcess(t, filepath.Join(t.TempDir(), "journal.db"), false).begins(t)
	if err := p.Scribe.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	disk := &stuckDisk{p.book, make(chan struct{})}
	scribe, err := journal.NewScribe(disk, journal.ScribeOptions{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	p.Scribe = scribe
	defer close(disk.goes)
	_ = p.writes() // it is late
	by := time.Now().Add(500 * time.Millisecond)
	if err := p.leaves(errAsked, 1, by); err != nil {
		t.Error(err)
	}
	if late := time.Since(by); late > 100*time.Millisecond {
		t.Errorf("it leaves %v after it was to be gone: a share of the time is not bound by what is left", late)
	}
}

// What comes before a service lets go of the journal is over before its successor has lost patience.
func TestASuccessorIsAsPatientAsItHasToBe(t *testing.T) {
	for _, why := range []error{ari.ErrReplaced, journal.ErrFenced} {
		if s := sharesOf(why); s.run+2*s.close >= vacateWithin {
			t.Errorf("relieved by %v it may keep the journal for %v, and its successor waits for %v", why, s.run+2*s.close, vacateWithin)
		}
	}
	if s := sharesOf(errAsked); s.run+2*s.close+closeWithin >= goneWithin {
		t.Errorf("asked to stop it takes %v before it lets go of the journal, of %v", s.run+2*s.close, goneWithin)
	}
}
