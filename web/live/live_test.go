package live

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type row struct {
	ID    string `json:"id"`
	State string `json:"state"`
	Age   int    `json:"age"`
}

// stage is what is watched.
type stage struct {
	mu   sync.Mutex
	rows []row
	fact string
	age  int
}

func (s *stage) set(fact string, rows ...row) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rows, s.fact = rows, fact
}

func (s *stage) look(context.Context) View {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.age++
	v := View{Tables: map[string][]Row{"rows": {}}, Facts: map[string]any{"fact": s.fact}, Now: time.Date(2026, 3, 10, 9, 0, 0, 0, time.UTC)}
	for _, r := range s.rows {
		steady := r
		r.Age = s.age
		v.Tables["rows"] = append(v.Tables["rows"], Row{ID: r.ID, Value: r, Steady: steady})
	}
	return v
}

// reader is one who watches through a real connection's writer and reader.
type reader struct {
	t      *testing.T
	cancel context.CancelFunc
	done   chan error
	lines  *bufio.Reader
	pipe   *io.PipeReader
	beats  int // signs of life so far
}

type pipeWriter struct {
	header http.Header
	*io.PipeWriter
}

func (p pipeWriter) Header() http.Header { return p.header }
func (p pipeWriter) WriteHeader(int)     {}
func (p pipeWriter) Flush()              {}

func watch(t *testing.T, f *Feed, last string, still func() bool) *reader {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	in, out := io.Pipe()
	r := &reader{t: t, cancel: cancel, done: make(chan error, 1), lines: bufio.NewReader(in), pipe: in}
	request := httptest.NewRequestWithContext(ctx, "GET", "/", nil)
	if last != "" {
		request.Header.Set("Last-Event-ID", last)
	}
	go func() {
		r.done <- f.Serve(pipeWriter{http.Header{}, out}, request, still)
		_ = out.Close()
	}()
	return r
}

func (r *reader) leave() {
	r.cancel()
	_ = r.pipe.Close()
	if err := <-r.done; err != nil {
		r.t.Error(err)
	}
}

// next is the next event: its name, id and data.
func (r *reader) next() (name, id string, data map[string]any) {
	r.t.Helper()
	for {
		line, err := r.lines.ReadString('\n')
		if err != nil {
			r.t.Fatalf("no event comes any more: %v", err)
		}
		field, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch field {
		case "event":
			name = value
		case "id":
			id = value
		case "data":
			if name == "beat" { // which has no id: whoever comes back has seen what they saw before it
				r.beats++
				if id != "" {
					r.t.Errorf("a sign of life has the id %q", id)
				}
				continue
			}
			if err := json.Unmarshal([]byte(value), &data); err != nil {
				r.t.Fatal(err)
			}
			return name, id, data
		}
	}
}

func always() bool { return true }

func ids(table any) (list []string) {
	rows, _ := table.([]any)
	for _, r := range rows {
		list = append(list, r.(map[string]any)["id"].(string))
	}
	return list
}

// First comes the whole, then only what changed.
func TestWholeThenPatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stage{}
		s.set("quiet", row{ID: "a", State: "ready"}, row{ID: "b", State: "talking"})
		f := New(Options{Look: s.look})
		r := watch(t, f, "", always)
		name, _, data := r.next()
		if name != "whole" || data["fact"] != "quiet" || cmp.Diff([]string{"a", "b"}, ids(data["rows"])) != "" || data["now"] == nil {
			t.Fatalf("first comes %s %v", name, data)
		}
		time.Sleep(5 * time.Second) // nothing changes but ages
		s.set("quiet", row{ID: "b", State: "wrap-up"}, row{ID: "c", State: "ready"})
		name, _, data = r.next()
		patch := data["rows"].(map[string]any)
		if name != "patch" || data["fact"] != nil || cmp.Diff([]string{"b", "c"}, ids(patch["put"])) != "" || fmt.Sprint(patch["gone"]) != "[a]" {
			t.Errorf("then comes %s %v", name, data)
		}
		s.set("busy", row{ID: "b", State: "wrap-up"}, row{ID: "c", State: "ready"})
		if _, _, data = r.next(); data["fact"] != "busy" || data["rows"] != nil {
			t.Errorf("a changed fact is told as %v", data)
		}
		r.leave()
		f.ended.Wait()
	})
}

// Who is woken does not wait for the next look.
func TestWoken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, changed, stopped := &stage{}, make(chan struct{}, 1), false
		f := New(Options{Look: s.look, Every: time.Hour, Wake: func() (<-chan struct{}, func()) { return changed, func() { stopped = true } }})
		r := watch(t, f, "", always)
		r.next()
		began := time.Now()
		s.set("busy")
		changed <- struct{}{}
		if _, _, data := r.next(); data["fact"] != "busy" || time.Since(began) > 0 {
			t.Errorf("a change is told after %v as %v", time.Since(began), data)
		}
		r.leave()
		f.ended.Wait()
		if !stopped {
			t.Error("what wakes is not let go of")
		}
	})
}

// Who comes back with what they saw last is told the rest; who cannot be, is
// told the whole.
func TestResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stage{}
		f := New(Options{Look: s.look})
		r := watch(t, f, "", always)
		_, first, _ := r.next()
		for i := range 3 {
			s.set(fmt.Sprint(i))
			r.next()
		}
		r.leave()
		f.ended.Wait()
		s.set("while nobody watched")

		r = watch(t, f, first, always)
		for _, want := range []string{"0", "1", "2", "while nobody watched"} {
			if name, _, data := r.next(); name != "patch" || data["fact"] != want {
				t.Errorf("who comes back is told %s %v, want the patch %q", name, data, want)
			}
		}
		for i := range mostRecent + 1 {
			s.set(fmt.Sprint("more", i))
			r.next()
		}
		if r.beats < mostRecent/int(usualBeat/usualEvery) {
			t.Errorf("in %d s there were %d signs of life", mostRecent, r.beats)
		}
		r.leave()
		for _, last := range []string{first, f.epoch + "-999999", "other-1", f.epoch + "-", "nonsense", f.epoch + "--5"} {
			r = watch(t, f, last, always)
			if name, _, data := r.next(); name != "whole" || data["fact"] != fmt.Sprint("more", mostRecent) {
				t.Errorf("who saw %q last is told %s %v, want the whole", last, name, data)
			}
			r.leave()
		}
		f.ended.Wait()
	})
}

// Who may watch no longer is told so at the next sign of life.
func TestNoLongerAllowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stage{}
		f := New(Options{Look: s.look})
		r := watch(t, f, "", func() bool { return false })
		r.next()
		began := time.Now()
		if name, _, _ := r.next(); name != "gone" || time.Since(began) > usualBeat {
			t.Errorf("%s comes after %v", name, time.Since(began))
		}
		if err := <-r.done; err != nil {
			t.Error(err)
		}
		f.ended.Wait()
	})
}

// Who does not read is let go of, and nobody else waits for them.
func TestSlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stage{}
		f := New(Options{Look: s.look})
		slow, quick := watch(t, f, "", always), watch(t, f, "", always)
		quick.next()
		for i := range 2 * mostBehind {
			s.set(fmt.Sprint(i))
			quick.next()
		}
		synctest.Wait()
		f.mu.Lock()
		if n := len(f.watching); n != 1 {
			t.Errorf("%d are told still, want the one who reads", n)
		}
		f.mu.Unlock()
		slow.leave()
		quick.leave()
		f.ended.Wait()
	})
}

// A connection that takes nothing is ended by the deadline of a write.
func TestStuckConnection(t *testing.T) {
	s := &stage{}
	s.set(strings.Repeat("x", 4<<20)) // more than the machine keeps for the reader
	f := New(Options{Look: s.look})
	ended := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(ended)
		_ = f.Serve(w, r, always)
	}))
	defer server.Close()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.(*net.TCPConn).SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	select {
	case <-ended:
	case <-time.After(2 * writeWithin):
		t.Error("a connection that takes nothing is waited for: is the write's deadline set?")
	}
	f.ended.Wait()
}

func TestNoMoreThanSome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := New(Options{Look: (&stage{}).look})
		var all []*reader
		for range mostWatching {
			r := watch(t, f, "", always)
			r.next()
			all = append(all, r)
		}
		if err := f.Serve(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil), always); !errors.Is(err, ErrFull) {
			t.Errorf("one more gets %v", err)
		}
		for _, r := range all {
			r.leave()
		}
		f.ended.Wait()
	})
}

func FuzzLastEventID(f *testing.F) {
	f.Add("AAAA-1")
	f.Add("-")
	f.Fuzz(func(t *testing.T, last string) {
		feed := New(Options{Look: (&stage{}).look})
		feed.epoch = "AAAA"
		feed.take(feed.o.Look(t.Context()))
		if got := feed.since(last); len(got) > 1 {
			t.Errorf("%q is answered with %d events", last, len(got))
		}
	})
}
