// Package live owns views that are watched while they change: what is told
// first is the whole, then what changed row by row, as server-sent events. Who
// comes back says what they saw last and is told what they missed. It must not
// know what is in a view, nor who may see it.
package live

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// View is what there is to see at a moment.
type View struct {
	Tables map[string][]Row // by their names
	Facts  map[string]any   // what has no rows; each is told whole when it changed
	Now    time.Time        // the service's clock, told with everything
}

// Row is a line of a table. Values have a JSON form, with the id as "id" or
// whatever the table's rows are known by.
type Row struct {
	ID    string
	Value any

	// Steady is what has to change for the row to be told again; nil: Value. A row
	// whose wait grows by itself is not told every second.
	Steady any
}

// Patch is what changed in a table.
type Patch struct {
	Put  []any    `json:"put"`  // rows that are new or have changed, whole
	Gone []string `json:"gone"` // ids of rows that are there no more
}

// Options of a feed.
type Options struct {
	Look  func(context.Context) View
	Every time.Duration // how often it looks while somebody watches; 0: 1 s
	Beat  time.Duration // a sign of life, for whoever hears nothing else; 0: 15 s

	// Wake says when to look before that; stop lets go of it. nil: never.
	Wake func() (changed <-chan struct{}, stop func())

	// Done ends all watching; nil: never.
	Done <-chan struct{}
}

// Limits of what is kept for those who watch.
const (
	mostWatching = 200
	mostRecent   = 256              // patches that who comes back can be told
	mostBehind   = 32               // events that wait for one who reads slowly
	writeWithin  = 5 * time.Second  // … and how long
	comeBack     = 1 * time.Second  // when a browser tries again
	usualEvery   = 1 * time.Second  //
	usualBeat    = 15 * time.Second //
)

// Feed tells all who watch one view. It looks only while somebody does. Its
// methods may be called from any goroutine.
type Feed struct {
	o     Options
	epoch string // of this process: whoever saw another's begins anew

	mu       sync.Mutex
	view     View
	told     told
	seq      int64
	recent   []event // the newest last, without gaps, up to seq
	watching map[*watcher]struct{}
	stop     context.CancelFunc // of the goroutine that looks; nil: there is none
	run      int                // which one of them it is
	ended    sync.WaitGroup
}

// told is what everybody knows, as JSON.
type told struct {
	rows  map[string]map[string]string // by table and id
	facts map[string]string
}

// event is something to tell.
type event struct {
	seq  int64
	name string
	data []byte
}

// watcher is somebody who watches.
type watcher struct {
	events chan event
	slow   chan struct{} // closed when they are too far behind
}

// ErrFull says that more watch already than are told.
var ErrFull = errors.New("live: too many watch already")

// New makes a feed that nobody watches yet.
func New(o Options) *Feed {
	if o.Every == 0 {
		o.Every = usualEvery
	}
	if o.Beat == 0 {
		o.Beat = usualBeat
	}
	return &Feed{o: o, epoch: rand.Text()[:8], watching: map[*watcher]struct{}{}, told: told{map[string]map[string]string{}, map[string]string{}}}
}

// Serve tells one who watches until they leave, or may watch no longer: still
// is asked at every sign of life. It returns ErrFull before it has told
// anything.
func (f *Feed) Serve(w http.ResponseWriter, r *http.Request, still func() bool) error {
	one, begin, err := f.watch(r.Context(), r.Header.Get("Last-Event-ID"))
	if err != nil {
		return err
	}
	defer f.leave(one)
	out := newWriter(w)
	for _, e := range begin {
		out.tell(f.epoch, e)
	}
	beat := time.NewTicker(f.o.Beat)
	defer beat.Stop()
	for out.err == nil {
		select {
		case e := <-one.events:
			out.tell(f.epoch, e)
		case <-beat.C:
			if !still() {
				out.tell(f.epoch, event{name: "gone", data: []byte("{}")})
				return nil
			}
			out.write("event: beat\ndata: {}\n\n") // an event without an id: pages see no comments
		case <-one.slow:
			return nil
		case <-f.o.Done:
			return nil
		case <-r.Context().Done():
			return nil
		}
	}
	return nil // they have gone
}

// watch lets one in, and says what to tell them first.
func (f *Feed) watch(ctx context.Context, last string) (*watcher, []event, error) {
	f.mu.Lock()
	idle := f.stop == nil
	full := len(f.watching) >= mostWatching
	f.mu.Unlock()
	if full {
		return nil, nil, ErrFull
	}
	var fresh View
	if idle {
		fresh = f.o.Look(ctx) // what nobody watched has changed unseen
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stop == nil {
		if !idle {
			fresh = f.view // the last one left at this moment; the next look is soon
		}
		f.take(fresh)
		f.begin()
	}
	one := &watcher{make(chan event, mostBehind), make(chan struct{})}
	f.watching[one] = struct{}{}
	return one, f.since(last), nil
}

// since is what somebody is to be told who saw the event of this id last.
func (f *Feed) since(last string) []event {
	epoch, number, _ := strings.Cut(last, "-")
	seq, err := strconv.ParseInt(number, 10, 64)
	missed := f.seq - seq
	if err != nil || epoch != f.epoch || missed < 0 || missed > int64(len(f.recent)) {
		return []event{{f.seq, "whole", f.whole()}}
	}
	return append([]event(nil), f.recent[int64(len(f.recent))-missed:]...)
}

// whole is the view as it is now.
func (f *Feed) whole() []byte {
	all := map[string]any{"now": f.view.Now}
	for name, rows := range f.view.Tables {
		values := make([]any, 0, len(rows))
		for _, r := range rows {
			values = append(values, r.Value)
		}
		all[name] = values
	}
	for name, fact := range f.view.Facts {
		all[name] = fact
	}
	return encode(all)
}

func (f *Feed) leave(one *watcher) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.watching, one)
	if len(f.watching) == 0 && f.stop != nil {
		f.stop()
		f.stop = nil
	}
}

// begin looks from now on, until the last one leaves.
func (f *Feed) begin() {
	ctx, cancel := context.WithCancel(context.Background())
	f.stop = cancel
	f.run++
	run := f.run
	f.ended.Go(func() { f.keepLooking(ctx, run) })
}

func (f *Feed) keepLooking(ctx context.Context, run int) {
	tick := time.NewTicker(f.o.Every)
	defer tick.Stop()
	var changed <-chan struct{}
	if f.o.Wake != nil {
		var stop func()
		changed, stop = f.o.Wake()
		defer stop()
	}
	for {
		select {
		case <-tick.C:
		case <-changed:
		case <-ctx.Done():
			return
		}
		now := f.o.Look(ctx)
		f.mu.Lock()
		if f.run == run && ctx.Err() == nil {
			f.take(now)
		}
		f.mu.Unlock()
	}
}

// take has a view be the one that everybody knows, and tells what changed.
func (f *Feed) take(now View) {
	changed := f.told.update(now)
	f.view = now
	if len(changed) == 0 {
		return
	}
	changed["now"] = now.Now
	f.seq++
	e := event{f.seq, "patch", encode(changed)}
	if f.recent = append(f.recent, e); len(f.recent) > mostRecent {
		f.recent = append([]event(nil), f.recent[1:]...)
	}
	for one := range f.watching {
		select {
		case one.events <- e:
		default: // they come back, and say how far they got
			close(one.slow)
			delete(f.watching, one)
		}
	}
}

// update is what changed, by table and fact; it is known from then on.
func (t *told) update(now View) map[string]any {
	changed := map[string]any{}
	for name, rows := range now.Tables {
		known, next := t.rows[name], make(map[string]string, len(rows))
		patch := Patch{Put: []any{}, Gone: []string{}}
		for _, r := range rows {
			steady := r.Steady
			if steady == nil {
				steady = r.Value
			}
			next[r.ID] = string(encode(steady))
			if was, there := known[r.ID]; !there || was != next[r.ID] {
				patch.Put = append(patch.Put, r.Value)
			}
		}
		for id := range known {
			if _, there := next[id]; !there {
				patch.Gone = append(patch.Gone, id)
			}
		}
		t.rows[name] = next
		if len(patch.Put)+len(patch.Gone) > 0 {
			changed[name] = patch
		}
	}
	for name, fact := range now.Facts {
		text := string(encode(fact))
		if was, there := t.facts[name]; !there || was != text {
			t.facts[name], changed[name] = text, fact
		}
	}
	return changed
}

func encode(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("live: %T has no JSON form: %v", v, err)) // its maker's tests tell every view
	}
	return text
}

// writer writes events, and gives one who does not read them a few seconds.
type writer struct {
	http.ResponseWriter
	control *http.ResponseController
	err     error
}

// newWriter begins the answer. The server's own limits are for answers that end.
func newWriter(w http.ResponseWriter) *writer {
	out := &writer{ResponseWriter: w, control: http.NewResponseController(w)}
	_ = out.control.SetReadDeadline(time.Time{}) // a recorder in a test has none
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // proxies pass events on as they come
	out.write(fmt.Sprintf("retry: %d\n\n", comeBack.Milliseconds()))
	return out
}

func (w *writer) tell(epoch string, e event) {
	w.write(fmt.Sprintf("event: %s\nid: %s-%d\ndata: %s\n\n", e.name, epoch, e.seq, e.data))
}

func (w *writer) write(text string) {
	if w.err != nil {
		return
	}
	_ = w.control.SetWriteDeadline(time.Now().Add(writeWithin)) // likewise
	if _, w.err = w.Write([]byte(text)); w.err == nil {
		w.err = w.control.Flush()
	}
}
