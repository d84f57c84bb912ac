package call_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hotline/ari"
	"hotline/ari/aritest"
	"hotline/call"
	"hotline/ivr"
	"hotline/ivr/calendar"
	"hotline/ivr/prompt"
	"hotline/journal"
	"hotline/queue"
	"hotline/recordings"
)

// What a whole call may cost: answered, queued, connected, recorded, ended, with a menu key and a rating.
const (
	mostRequests = 20
	mostEvents   = 24
	mostCommits  = 13 // that the call waits for, the queue's not counted
)

// The lists that this prints with -v are those in docs/benchmarks.md.
func TestWhatACallCosts(t *testing.T) {
	t.Run("ended by the caller in the talk", func(t *testing.T) {
		h, caller := talk(t)
		caller.Bye()
		h.wantCheap()
	})
	t.Run("ended by the agent, rated and closed", func(t *testing.T) {
		h, caller := talk(t)
		h.asterisk.At("PJSIP/1001")[0].Bye()
		h.until("the rating is asked", func() bool { return played(caller, "rating.ask") })
		caller.Press("5")
		h.wantCheap()
	})
}

// talk is a caller who has pressed a key in the menu, waited, and talks with an agent; everything is recorded.
func talk(t *testing.T, change ...func(*call.Options)) (*hotline, *aritest.Channel) {
	h := newHotline(t, 1, change...)
	h.asterisk.Phone("PJSIP/1001", aritest.Phone{Does: aritest.Answers, After: 20 * time.Millisecond})
	if err := h.queue.SignIn("1001"); err != nil {
		t.Fatal(err)
	}
	h.asterisk.ClearLog()
	caller := h.asterisk.Arrive(aritest.Caller{Number: "13800138000", Args: []string{"in", "96196"}})
	h.until("the menu plays", func() bool { return played(caller, "menu.main") })
	h.leaveRawRecording()
	caller.Press("0")
	h.until("the agent's number has been said", func() bool {
		return played(caller, "agent.after") && count(h.asterisk.Sent(), "PlaybackFinished") == 4 // greeting, menu, tone, number
	})
	return h, caller
}

// wantCheap waits for the end of the call and counts what it has cost.
func (h *hotline) wantCheap() {
	h.t.Helper()
	h.until("the call has ended", func() bool { return h.asterisk.Channels() == 0 && len(h.journal.ended()) == 1 })
	ended := h.journal.ended()[0]
	if ended.Result != call.Served || ended.Recording == nil || ended.Recording.File == "" {
		h.t.Fatalf("the call ended as %+v with the recording %+v: the figures are not those of a whole call", ended.Outcome, ended.Recording)
	}
	requests, events := h.asterisk.Requests(), h.asterisk.Sent()
	h.t.Logf("%d requests:\n%s", len(requests), requestList(requests))
	h.t.Logf("%d events: %s", len(events), strings.Join(events, ", "))
	if len(requests) > mostRequests {
		h.t.Errorf("the call cost %d requests, want at most %d; somebody has added a command that every call pays for", len(requests), mostRequests)
	}
	if len(events) > mostEvents {
		h.t.Errorf("the call cost %d events, want at most %d; is the event filter in force?", len(events), mostEvents)
	}
	entries, commits := h.journal.size()
	h.t.Logf("%d entries in %d commits", entries, commits)
	if commits > mostCommits {
		h.t.Errorf("the call waited for the journal %d times, want at most %d; is something told with write that need only be noted?", commits, mostCommits)
	}
	if n := h.asterisk.Bridges(); n != 0 {
		h.t.Errorf("%d bridges are left", n)
	}
}

// An answer is sent within 20 ms of its due moment, a ring after the arrival, at 50 calls a second. Half of the
// answers must be, so that a busy machine does not fail the test; the benchmark gives all the figures.
func TestAnswersAreOnTime(t *testing.T) {
	late := answersLate(t, 50, 100)
	t.Log(figures(late))
	if half := percentile(late, 50); half > 20*time.Millisecond {
		t.Errorf("half of the answers came more than %v after their due moment, want 20 ms; on a machine with nothing else to do, something in the ring stage waits", half)
	}
}

func BenchmarkAnswersAt50CallsASecond(b *testing.B) {
	late := answersLate(b, 50, max(b.N, 2))
	b.ReportMetric(0, "ns/op") // paced: says nothing
	for name, p := range map[string]int{"p50-ms-late": 50, "p99-ms-late": 99, "max-ms-late": 100} {
		b.ReportMetric(float64(percentile(late, p))/float64(time.Millisecond), name)
	}
}

// answersLate lets so many callers arrive, evenly, and measures how long after its due moment each answer reached
// Asterisk.
func answersLate(t testing.TB, perSecond, callers int) []time.Duration {
	h := newHotline(t, 1)
	h.asterisk.MediaLasts(func(string) time.Duration { return time.Minute }) // the greeting, until they hang up
	arrived := map[string]time.Time{}
	var waiting []*aritest.Channel
	began := time.Now()
	for n := range callers {
		time.Sleep(time.Until(began.Add(time.Duration(n) * time.Second / time.Duration(perSecond))))
		caller := h.asterisk.Arrive(aritest.Caller{Number: "13800138000", Args: []string{"in", "96196"}})
		arrived[caller.ID()] = time.Now()
		waiting = append(waiting, caller)
		for len(waiting) > 2*perSecond { // two seconds later
			waiting[0].Bye()
			waiting = waiting[1:]
		}
	}
	h.until("everybody is answered", func() bool { return len(h.answers()) == callers })
	for _, caller := range waiting {
		caller.Bye()
	}
	h.until("everybody has left", func() bool { return len(h.journal.ended()) == callers })
	var late []time.Duration
	for id, at := range h.answers() {
		late = append(late, at.Sub(arrived[id].Add(oneRing)))
	}
	slices.Sort(late)
	return late
}

// oneRing is what a caller hears before the answer in these tests: the tone of the first ring.
const oneRing = time.Second

func figures(late []time.Duration) string {
	return fmt.Sprintf("%d answers, late by p50 %v, p99 %v, at most %v, at least %v", len(late),
		percentile(late, 50), percentile(late, 99), percentile(late, 100), late[0])
}

// percentile is of a sorted list.
func percentile(sorted []time.Duration, p int) time.Duration {
	return sorted[(len(sorted)-1)*p/100]
}

// hotline is the service of calls on a fake Asterisk, with agents 1001 and 1002 for its queue.
type hotline struct {
	t        testing.TB
	asterisk *aritest.Server
	queue    *queue.Engine
	calls    *call.Service
	journal  *book
	rawDir   string
	stop     func() // as SIGTERM does; waits until the service has left

	mu       sync.Mutex
	answered map[string]time.Time // by channel: when the command reached Asterisk
}

func newHotline(t testing.TB, rings int, change ...func(*call.Options)) *hotline {
	h := &hotline{t: t, asterisk: aritest.Start(t), journal: &book{}, rawDir: t.TempDir(), answered: map[string]time.Time{}}
	front := httptest.NewServer(http.HandlerFunc(h.watch))
	t.Cleanup(front.Close)
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))

	link, err := ari.New(ari.Options{URL: front.URL + "/ari", App: aritest.App, Username: aritest.User, Password: aritest.Password, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	h.queue, err = queue.New(queue.Options{
		Queues: []queue.Rules{{ID: "service", WrapUp: time.Second}},
		Agents: []queue.Profile{
			{ID: "1001", Number: "789", Queues: []string{"service"}}, {ID: "1002", Number: "790", Queues: []string{"service"}},
		},
		Logger: quiet,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.queue.Stop)
	days, err := calendar.New(calendar.Options{Hours: calendar.Hours{Workday: always(t), Weekend: always(t), Holiday: always(t)}})
	if err != nil {
		t.Fatal(err)
	}
	speech, err := prompt.NewSpeech("zh-CN", prompt.SpeechOptions{})
	if err != nil {
		t.Fatal(err)
	}
	store, err := recordings.Open(recordings.Options{Dir: t.TempDir(), RawDir: h.rawDir, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	options := call.Options{
		Link: link, Queue: h.queue, Journal: h.journal, Calendar: days,
		Menus: ivr.Menus{Start: "main", ByID: map[string]ivr.Menu{"main": {
			Prompts: []string{"menu.main"}, Wait: 5 * time.Second, Tries: 3,
			Keys:      map[rune]ivr.Action{'0': {Do: ivr.DoQueue, Target: "service"}},
			Otherwise: ivr.Action{Do: ivr.DoQueue, Target: "service"},
		}}},
		Library: libraryOfNames(t), Speech: speech, Recordings: store, SoundsDir: "/sounds",
		PIN:        func(string, string) bool { return false },
		AfterRings: rings, Record: true, RecordingNotice: "notice.recording", RatingWait: 5 * time.Second,
		Queues: map[string]call.QueueOptions{"service": {Name: "service"}}, Logger: quiet,
	}
	for _, c := range change {
		c(&options)
	}
	service := call.New(options)
	h.calls = service

	h.asterisk.MediaLasts(func(medium string) time.Duration {
		if strings.Contains(medium, "silence.") || strings.Contains(medium, "hold.tone.") {
			return time.Minute // until a key, or until somebody answers
		}
		return time.Millisecond
	})
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = link.Run(ctx) })
	running.Go(func() { _ = service.Run(ctx) })
	h.stop = func() { stop(); running.Wait() }
	t.Cleanup(h.stop)
	h.until("the link is up", func() bool { return link.Status().Connected })
	return h
}

// watch stamps answers on their way to Asterisk.
func (h *hotline) watch(w http.ResponseWriter, r *http.Request) {
	if parts := strings.Split(r.URL.Path, "/"); len(parts) == 5 && parts[4] == "answer" {
		h.mu.Lock()
		h.answered[parts[3]] = time.Now()
		h.mu.Unlock()
	}
	h.asterisk.ServeHTTP(w, r)
}

func (h *hotline) answers() map[string]time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := map[string]time.Time{}
	for id, at := range h.answered {
		all[id] = at
	}
	return all
}

func (h *hotline) until(what string, holds func() bool) {
	h.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !holds() {
		if time.Now().After(deadline) {
			h.t.Fatalf("never came true: %s\n%s", what, requestList(h.asterisk.Requests()))
		}
		time.Sleep(time.Millisecond)
	}
}

// leaveRawRecording is what Asterisk's recorder would write: a tenth of a second of two channels.
func (h *hotline) leaveRawRecording() {
	h.t.Helper()
	id := strings.TrimPrefix(h.journal.streams(call.KindArrived)[0], "call/")
	if err := os.WriteFile(filepath.Join(h.rawDir, id+".raw"), make([]byte, 3200), 0o600); err != nil {
		h.t.Fatal(err)
	}
}

func always(t testing.TB) []calendar.Span {
	var day calendar.Span
	if err := day.UnmarshalText([]byte("00:00-24:00")); err != nil {
		t.Fatal(err)
	}
	return []calendar.Span{day}
}

// libraryOfNames is a library that only knows how long each prompt is: a call names prompts and never reads them.
func libraryOfNames(t testing.TB) *prompt.Library {
	type entry struct {
		Ms int64 `json:"ms"`
	}
	prompts := map[string]entry{"hold.apology": {2000}, "transfer.please_wait": {2000}, "transfer.not_reached": {2000}}
	for _, p := range prompt.Generated() {
		prompts[p.ID] = entry{p.Length.Milliseconds()}
	}
	dir := t.TempDir()
	for id, e := range prompts {
		for format, bytesPerMs := range map[string]int64{"alaw": 8, "ulaw": 8, "sln16": 32} {
			file, err := os.Create(filepath.Join(dir, id+"."+format))
			if err == nil {
				err = file.Truncate(e.Ms * bytesPerMs)
			}
			if err == nil {
				err = file.Close()
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	index, err := json.Marshal(map[string]any{"format": 1, "language": "zh-CN", "prompts": prompts})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "index.json"), index, 0o600); err != nil {
		t.Fatal(err)
	}
	library, err := prompt.OpenLibrary(dir)
	if err != nil {
		t.Fatal(err)
	}
	if missing := library.Missing("hold.apology", prompt.HoldTone(30)); len(missing) > 0 {
		t.Fatalf("the library of names lacks %v: has the shape of index.json changed?", missing)
	}
	return library
}

// book is a journal in memory.
type book struct {
	mu      sync.Mutex
	entries []journal.Entry
	commits int // that somebody waited for
	noRoom  bool
}

func (b *book) Append(_ context.Context, entries ...journal.Entry) (int64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.commits++
	return b.add(entries)
}

func (b *book) add(entries []journal.Entry) (int64, error) {
	if b.noRoom {
		return 0, errNoRoom
	}
	b.entries = append(b.entries, entries...)
	return int64(len(b.entries)), nil
}

func (b *book) Note(entries ...journal.Entry) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, err := b.add(entries)
	return err
}

func (b *book) size() (entries, commits int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.entries), b.commits
}

func (b *book) AppendDurable(ctx context.Context, entries ...journal.Entry) (int64, error) {
	return b.Append(ctx, entries...)
}

var errNoRoom = errors.New("no room for another entry")

// full has the journal take nothing any more.
func (b *book) full(is bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.noRoom = is
}

// ended are the calls' last entries.
func (b *book) ended() (list []call.Ended) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.entries {
		var ended call.Ended
		if e.Kind == call.KindEnded && e.Decode(&ended) == nil {
			list = append(list, ended)
		}
	}
	return list
}

// streams are those of the entries of these kinds, or of all.
func (b *book) streams(kind ...string) (list []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.entries {
		if len(kind) == 0 || slices.Contains(kind, e.Kind) {
			list = append(list, e.Streams[0])
		}
	}
	return list
}

// played says whether a channel has been played a prompt.
func played(c *aritest.Channel, prompt string) bool {
	return slices.ContainsFunc(c.Played(), func(medium string) bool { return strings.HasSuffix(medium, "/"+prompt) })
}

func count(list []string, one string) (n int) {
	for _, other := range list {
		if other == one {
			n++
		}
	}
	return n
}

func requestList(requests []aritest.Request) string {
	var text strings.Builder
	for i, r := range requests {
		fmt.Fprintf(&text, "%2d  %-6s %s\n", i+1, r.Method, r.Route)
	}
	return text.String()
}
