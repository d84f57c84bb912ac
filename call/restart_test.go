package call_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hotline/ari"
	"hotline/ari/aritest"
	"hotline/call"
	"hotline/journal"
	"hotline/queue"
)

// house is one Asterisk and one journal, under which services follow one another.
type house struct {
	*hotline // of the service that runs
	options  call.Options
	link     *ari.Link
	file     string
	web      http.Handler  // in front of Asterisk
	slow     *slowBook     // in front of the journal, where there is one
	dies     atomic.Bool   // the queue hears of no hand-over any more
	opens    chan struct{} // the queue opens once it is closed; nil: at once
}

// startHouse has a first service run, with agents 1001 and 1002 in the queue.
func startHouse(t *testing.T, change ...func(*call.Options)) *house {
	t.Helper()
	h := &house{file: filepath.Join(t.TempDir(), "journal.db")}
	template := newHotline(t, 1, append(change, func(o *call.Options) { h.options = *o })...)
	template.stop()
	template.asterisk.ClearLog()
	h.hotline, h.web = template, template.asterisk
	h.serves()
	return h
}

// serves starts the next service, which knows nothing but the journal.
func (h *house) serves() {
	h.t.Helper()
	t, quiet := h.t, slog.New(slog.NewTextHandler(io.Discard, nil))
	book, err := journal.Open(t.Context(), journal.Options{Path: h.file, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	scribe, err := journal.NewScribe(book, journal.ScribeOptions{Patience: time.Minute, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	lines, err := queue.New(queue.Options{
		Queues: []queue.Rules{{ID: "service", WrapUp: time.Second}},
		Agents: []queue.Profile{
			{ID: "1001", Number: "789", Queues: []string{"service"}}, {ID: "1002", Number: "790", Queues: []string{"service"}},
		},
		Hold: true, Logger: quiet,
		Record: func(changes []queue.Change) {
			for _, c := range changes {
				streams := []string{call.Stream(c.Call), call.AgentStream(c.Agent)}
				if c.Left != nil {
					streams = append(streams, call.AgentStream(c.Left.Agent))
				}
				if _, err := scribe.Append(context.Background(), journal.NewEntry(c.Kind, c, streams...)); err != nil {
					t.Errorf("the journal misses what the queue did: %v", err)
				}
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.web.ServeHTTP(w, r) }))
	link, err := ari.New(ari.Options{URL: front.URL + "/ari", App: aritest.App, Username: aritest.User, Password: aritest.Password, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	o := h.options
	o.Link, o.Queue, o.Journal, o.Reader = link, dying{lines, h}, scribe, book.Reader()
	if h.slow != nil {
		h.slow.Journal, o.Journal = scribe, h.slow
	}
	service := call.New(o)
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = link.Run(ctx) })
	running.Go(func() { _ = service.Run(ctx) })
	h.queue, h.link, h.calls = lines, link, service
	h.stop = sync.OnceFunc(func() {
		stop()
		running.Wait()
		lines.Stop()
		front.Close()
		if err := errors.Join(scribe.Close(context.Background()), book.Close()); err != nil {
			t.Errorf("close the journal: %v", err)
		}
	})
	t.Cleanup(h.stop)
	h.until("the link is up", func() bool { return link.Status().Connected })
}

// read is what the journal has of a kind.
func journaled[T any](h *house, kind string) (list []T) {
	h.t.Helper()
	r, err := journal.OpenReader(h.t.Context(), h.file)
	if err != nil {
		h.t.Fatal(err)
	}
	defer r.Close()
	for e, err := range r.Read(h.t.Context(), journal.Query{Kinds: []string{kind}}) {
		var data T
		if err == nil {
			err = e.Decode(&data)
		}
		if err != nil {
			h.t.Fatal(err)
		}
		list = append(list, data)
	}
	return list
}

// A phone that rang for a caller who left while nobody was there rings on until somebody lets go of it. Its agent is
// offered nobody before: the phone would say busy, and the agent would rest for it.
func TestNobodyIsOfferedWhosePhoneStillRings(t *testing.T) {
	for name, leaves := range map[string]bool{"the caller has left": true, "the caller waits": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := startHouse(t)
			var dials atomic.Int32
			var free atomic.Bool
			h.asterisk.Phone("PJSIP/1001", aritest.Phone{Does: aritest.Answers, Draw: func() aritest.Phone { // it has one line
				switch {
				case dials.Add(1) == 1:
					return aritest.Phone{Does: aritest.NoAnswer}
				case free.Load():
					return answers
				}
				return aritest.Phone{Does: aritest.Busy}
			}})
			if err := h.queue.SignIn("1001"); err != nil {
				t.Fatal(err)
			}
			caller := h.waitsInLine(theirNumber)
			h.until("the phone rings", func() bool {
				legs := h.asterisk.At("PJSIP/1001")
				return len(legs) == 1 && legs[0].State() == "Ringing"
			})
			phone := h.asterisk.At("PJSIP/1001")[0]
			other := h.waitsInLine("13900139000")
			h.stop()
			next := caller
			if leaves {
				caller.Bye()
				next = other
			}
			h.web = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method == "DELETE" && r.URL.Path == "/ari/channels/"+phone.ID() {
					time.Sleep(200 * time.Millisecond) // Asterisk is busy
					defer free.Store(true)
				}
				h.asterisk.ServeHTTP(w, r)
			})
			h.serves()
			h.talks(next)
			for _, refused := range journaled[queue.Change](h, queue.KindRefused) {
				if refused.Cause != queue.CauseRestart {
					t.Errorf("the agent was offered a call while the phone still rang: %+v", refused)
				}
			}
		})
	}
}

// Callers who arrive while the queue comes to the other services are answered, choose, and take their places.
func TestCallersAreAnsweredWhileTheQueueOpens(t *testing.T) {
	h := startHouse(t)
	h.asterisk.Phone("PJSIP/1001", answers)
	if err := h.queue.SignIn("1001"); err != nil {
		t.Fatal(err)
	}
	h.stop()
	h.opens = make(chan struct{})
	h.serves()
	caller := h.waitsInLine(theirNumber)
	if played(caller, "agent.after") {
		t.Error("the caller was offered to somebody before the queue was open")
	}
	close(h.opens)
	h.talks(caller)
}

// recorder is MixMonitor: it has each part's file open, until it is stopped.
type recorder struct {
	dir   string
	mu    sync.Mutex
	files []*os.File
}

func (r *recorder) begin(c *aritest.Channel) {
	r.mu.Lock()
	defer r.mu.Unlock()
	file, err := os.Create(filepath.Join(r.dir, strings.TrimPrefix(c.Exten(), "rec-")+".raw"))
	if err == nil {
		_, err = file.Write(make([]byte, 3200)) // a tenth of a second of two channels
	}
	if err != nil {
		panic(err)
	}
	r.files = append(r.files, file)
}

func (r *recorder) stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, file := range r.files {
		_ = file.Close() // some are closed already
	}
}

func (r *recorder) parts() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.files)
}

// A recording that goes on is left alone after a restart; one that has stopped meanwhile begins again, in a part of its
// own, and what is missing in between is named.
func TestARecordingAfterARestart(t *testing.T) {
	for name, stopped := range map[string]bool{"goes on": false, "had stopped": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := startHouse(t)
			tape := &recorder{dir: h.rawDir}
			t.Cleanup(tape.stop)
			h.asterisk.Dialplan("hotline-record", "", tape.begin)
			h.asterisk.Phone("PJSIP/1001", answers)
			if err := h.queue.SignIn("1001"); err != nil {
				t.Fatal(err)
			}
			caller := h.arrives(theirNumber, "menu.main")
			began := time.Now()
			caller.Press("0")
			h.talks(caller)
			h.stop()
			if stopped {
				tape.stop()
			}
			h.until("the recording is old enough to be looked at", func() bool { return time.Since(began) > 3*time.Second })
			h.serves()
			agent := h.asterisk.At("PJSIP/1001")[0]
			if stopped {
				h.until("the recording begins again", func() bool { return tape.parts() == 2 })
			} else {
				agent.Hold() // which the service follows once it has taken the call up
				h.until("the caller is on hold", func() bool { return h.agentState() == queue.StateHold && len(caller.Joined()) == 0 })
				agent.Unhold()
			}
			h.until("the two talk", func() bool {
				return h.agentState() == queue.StateTalking && slices.Contains(caller.Joined(), agent.ID())
			})
			tape.stop()
			caller.Bye()
			h.until("the call has ended", func() bool { return len(journaled[call.Ended](h, call.KindEnded)) == 1 })
			parts, r := journaled[call.RecordingStarted](h, call.KindRecording), journaled[call.Ended](h, call.KindEnded)[0].Recording
			if !stopped {
				if len(parts) != 1 || tape.parts() != 1 || r == nil || r.Then != nil {
					t.Errorf("a recording that went on was begun again: %+v, %+v", parts, r)
				}
				return
			}
			if len(parts) != 2 || parts[1].Part != 2 || parts[1].Why == "" {
				t.Fatalf("the journal has the parts %+v", parts)
			}
			if r == nil || r.Then == nil || r.File == "" || r.Then.File == "" || r.File == r.Then.File || !strings.Contains(r.Gap, "gap of") {
				t.Fatalf("the recording is %+v, want two files and the gap", r)
			}
			if between := parts[1].Began.Sub(parts[0].Began).Seconds(); r.Expected < between-0.01 || r.Expected > between+0.01 {
				t.Errorf("the first part is to last %.2f s, and the second began %.2f s after it", r.Expected, between)
			}
		})
	}
}

// What a process has seen of a caller's end it leaves to the next one, which finds nobody: the caller who hung up is on
// no list, and has no place to come back to.
func TestAHangUpThatWasSeenIsToldByTheNextProcess(t *testing.T) {
	h := startHouse(t, mayBeDialled())
	h.stop()
	h.slow = newSlowBook(call.KindToneBegan) // the script is in the stage wait
	h.serves()
	if err := h.queue.SignIn("1001"); err != nil {
		t.Fatal(err)
	}
	if err := h.queue.Pause("1001", "break"); err != nil {
		t.Fatal(err)
	}
	caller := h.arrives(theirNumber, "menu.main")
	caller.Press("0")
	<-h.slow.asked
	caller.Bye()
	<-caller.Over()
	h.asterisk.Replace()
	h.until("the service is relieved", func() bool { return h.link.Status().Replaced })
	close(h.slow.taken)
	h.stop()
	if ended := journaled[call.Ended](h, call.KindEnded); len(ended) > 0 {
		t.Fatalf("the relieved service has ended the call: %+v", ended)
	}
	h.slow = nil
	h.serves()
	h.until("the call has ended", func() bool { return len(journaled[call.Ended](h, call.KindEnded)) == 1 })
	got := journaled[call.Ended](h, call.KindEnded)[0]
	h.wantLegs(got, "caller: caller pressed (proven)")
	if got.Outcome != (call.Outcome{Result: call.Abandoned, Reason: "wait"}) {
		t.Errorf("the call ended as %+v", got.Outcome)
	}
	if list := h.listed(); len(list) > 0 {
		t.Errorf("who hung up is to be called back: %+v", list)
	}
	h.stop()
	h.serves()
	h.arrives(theirNumber, "menu.main")
	if back := journaled[call.Returned](h, call.KindReturned); len(back) > 0 {
		t.Errorf("who hung up has the old place: %+v", back)
	}
}

// Who hangs up while the next process looks what was being said to them is gone, and not a failure of ours.
func TestWhoLeavesWhileItIsLookedWhatWasSaidIsGone(t *testing.T) {
	for range 5 { // what the caller's end stops first is chance
		h := startHouse(t)
		caller := h.arrives(theirNumber, "menu.main")
		h.stop()
		asked := make(chan struct{})
		h.web = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == "GET" && strings.HasPrefix(r.URL.Path, "/ari/playbacks/") {
				close(asked)
				<-r.Context().Done() // Asterisk is busy
				return
			}
			h.asterisk.ServeHTTP(w, r)
		})
		h.serves()
		<-asked
		caller.Bye()
		h.until("the call has ended", func() bool { return len(journaled[call.Ended](h, call.KindEnded)) == 1 })
		if got := journaled[call.Ended](h, call.KindEnded)[0].Outcome; got != (call.Outcome{Result: call.Abandoned, Reason: "menu"}) {
			t.Fatalf("the call ended as %+v", got)
		}
		h.stop()
	}
}

// listed are those to be called back, as the journal has them.
func (h *house) listed() []call.OutageCall {
	h.t.Helper()
	r, err := journal.OpenReader(h.t.Context(), h.file)
	if err != nil {
		h.t.Fatal(err)
	}
	defer r.Close()
	o, err := journal.Fold(r.Read(h.t.Context(), journal.Query{}), call.Outages{}, call.Outages.Fold)
	if err != nil {
		h.t.Fatal(err)
	}
	return o.Calls(time.Time{})
}

// The same where it was just ending the call, and the agent's leg was still there.
func TestAHangUpThatWasBeingAnsweredIsToldByTheNextProcess(t *testing.T) {
	h := startHouse(t)
	h.asterisk.Phone("PJSIP/1001", answers)
	if err := h.queue.SignIn("1001"); err != nil {
		t.Fatal(err)
	}
	caller := h.waitsInLine(theirNumber)
	h.talks(caller)
	var asked atomic.Bool
	h.web = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "DELETE" && strings.HasPrefix(r.URL.Path, "/ari/channels/") {
			asked.Store(true)
			http.Error(w, "{}", http.StatusInternalServerError)
			return
		}
		h.asterisk.ServeHTTP(w, r)
	})
	caller.Bye()
	h.until("the agent is hung up, in vain", asked.Load)
	h.asterisk.Replace()
	h.until("the service is relieved", func() bool { return h.link.Status().Replaced })
	h.stop()
	h.web = h.asterisk
	h.serves()
	h.until("the call has ended", func() bool { return len(journaled[call.Ended](h, call.KindEnded)) == 1 })
	got := journaled[call.Ended](h, call.KindEnded)[0]
	if got.HungUp != "caller pressed (proven)" || got.Result != call.Served || len(h.listed()) > 0 {
		t.Errorf("the call ended as %+v by %s: %+v", got.Outcome, got.HungUp, got.Legs)
	}
}
