// Package aritest is an Asterisk for tests: enough of ARI over HTTP and a
// websocket for whole calls, in the order of events that Asterisk 22.10.1 was seen
// to send, and with faults that can be switched on.
//
// It owns channels, bridges, playbacks and recordings in memory, and a log of
// every request. It must not know package ari, nor what a call means.
package aritest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// What a client logs in with.
const (
	App      = "hotline"
	User     = "hotline"
	Password = "secret"
)

// Request is one REST request that was received, in order.
type Request struct {
	Method string
	Path   string // below /ari: /channels/123/play
	Route  string // with {id} for IDs: /channels/{id}/play
	Query  string
	Body   string
	Status int // 0 while it is not answered
}

// Server is the fake Asterisk.
type Server struct {
	url  string
	shut func() // ends what serves, and waits for it
	pipe *pipe  // nil: a socket
	stop context.CancelFunc
	ctx  context.Context
	work sync.WaitGroup // timers, and who listens

	mu         sync.Mutex
	serial     int
	latest     time.Time // of the latest event
	channels   map[string]*Channel
	bridges    map[string]*bridge
	playbacks  map[string][]*playback // several of one ID, as Asterisk has it
	recordings map[string]*recording
	phones     map[string]Phone
	dialplan   map[string]func(*Channel)
	subscribed map[string]bool // channel IDs
	allowed    map[string]bool // event filter; nil: everything
	lasts      func(media string) time.Duration
	recorder   func(name, format string) // nil: nothing is written
	log        []*Request
	sent       []string // kinds of events written to a websocket
	client     *client  // nil: nobody listens

	refusing bool
	stall    time.Duration
	delay    time.Duration
	reorder  int
	repeat   int
	held     [][]byte
	jumble   *jumble
	failures []*failure
	net      time.Duration // 0: the dialplan has none
	untold   bool          // external legs are answered without a word
	deaf     bool          // external legs are not answered, though dialled
}

type failure struct {
	method, route string
	status        int
	times         int
}

// Start runs a server until the test ends.
func Start(t testing.TB) *Server {
	s := newServer()
	web := httptest.NewServer(s)
	s.url, s.shut = web.URL, web.Close
	t.Cleanup(s.close)
	return s
}

func newServer() *Server {
	ctx, stop := context.WithCancel(context.Background())
	return &Server{
		ctx: ctx, stop: stop,
		channels:   make(map[string]*Channel),
		bridges:    make(map[string]*bridge),
		playbacks:  make(map[string][]*playback),
		recordings: make(map[string]*recording),
		phones:     make(map[string]Phone),
		dialplan:   make(map[string]func(*Channel)),
		subscribed: make(map[string]bool),
		lasts:      func(string) time.Duration { return 0 },
	}
}

func (s *Server) close() {
	s.mu.Lock()
	s.drop()
	s.stop() // whoever comes to listen from now on is too late
	s.mu.Unlock()
	s.shut()
	s.work.Wait()
}

// URL is the root of the REST interface.
func (s *Server) URL() string { return s.url + "/ari" }

// MediaLasts sets how long a medium plays; the default is no time at all.
func (s *Server) MediaLasts(lasts func(media string) time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lasts = lasts
}

// Recorder has f write the file of each recording that begins. f must not call
// the server.
func (s *Server) Recorder(f func(name, format string)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.recorder = f
}

// Dialplan says what an extension does with a channel that is continued to it;
// unless it hangs up, the channel returns to Stasis. Extensions that are not set
// just return; exten "" is all those of the context that are not set.
func (s *Server) Dialplan(context, exten string, run func(*Channel)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dialplan[context+"/"+exten] = run
}

// Requests is the log so far.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Request, len(s.log))
	for i, r := range s.log {
		out[i] = *r
	}
	return out
}

// Sent lists the kinds of the events written to a websocket so far.
func (s *Server) Sent() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.sent)
}

// ClearLog forgets requests and events so far.
func (s *Server) ClearLog() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log, s.sent = nil, nil
}

// Channels, Bridges count what is there: leftovers.
func (s *Server) Channels() int { return count(s, s.channels) }

// Bridges counts the bridges.
func (s *Server) Bridges() int { return count(s, s.bridges) }

func count[T any](s *Server, things map[string]T) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(things)
}

// Connected says whether a websocket is open that passes anything.
func (s *Server) Connected() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.client != nil && !s.client.muted()
}

// Filtered lists the event kinds the client asked for; nil: it did not.
func (s *Server) Filtered() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for kind := range s.allowed {
		out = append(out, kind)
	}
	slices.Sort(out)
	return out
}

// Drop cuts the websocket. Events are lost until the client is back.
func (s *Server) Drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop()
}

func (s *Server) drop() {
	if s.client != nil {
		s.client.cut()
		s.client = nil
	}
	s.jumble = nil
}

// Refuse makes new websockets fail with 503 until it is called with false.
func (s *Server) Refuse(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refusing = on
}

// BlackHole makes the open websocket swallow everything, pings included,
// without closing it, until the client gives it up. For Asterisk the
// application is there all the while: who arrives enters Stasis, unheard.
func (s *Server) BlackHole() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.client != nil {
		s.client.swallow()
	}
}

// Swallowing says whether a websocket is open that passes nothing.
func (s *Server) Swallowing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.client != nil && s.client.muted()
}

// Heal ends the faults that were switched on: refusals, stalls, delays, and
// failures, repeats and reordering that are left. A websocket that is a black
// hole stays one.
func (s *Server) Heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refusing, s.stall, s.delay, s.failures, s.repeat = false, 0, 0, nil, 0
	if s.jumble != nil {
		s.jumble.release()
	}
}

// Delay has every REST request carried out only after d, whether or not the
// client still waits for the answer.
func (s *Server) Delay(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.delay = d
}

// Net gives the dialplan a net: callers whom Stasis() did not take, or who were
// let go of, are answered, hear music, and try Stasis() again every so often. 0,
// the default, is a dialplan without one: they hear nothing and are not tried.
func (s *Server) Net(every time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.net = every
}

// Stall delays the answer of every REST request by d; the command itself is
// carried out first, as Asterisk does when only the answer is late.
func (s *Server) Stall(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stall = d
}

// Reorder holds back the next n events and sends them in reverse order.
func (s *Server) Reorder(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reorder = n
}

// Repeat sends each of the next n events twice.
func (s *Server) Repeat(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.repeat = n
}

// Fail answers the next requests to a route with a status instead of carrying
// them out: Fail("POST", "/channels/{id}/play", 500, 1).
func (s *Server) Fail(method, route string, status, times int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failures = append(s.failures, &failure{method, route, status, times})
}

// AnswersUntold has no event tell that an external leg was answered, as Asterisk
// now and then does.
func (s *Server) AnswersUntold() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.untold = true
}

// AnswersNever has legs of external media go on ringing when they are dialled.
func (s *Server) AnswersNever() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deaf = true
}

// Replace tells the client that another process took the application over.
func (s *Server) Replace() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.emit(event{Type: "ApplicationReplaced"})
}

// Send writes a message as it is, whatever it is.
func (s *Server) Send(message string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.write("", "", []byte(message))
}

// client is one open websocket: an unbounded queue and the goroutine writing it.
type client struct {
	wire  *Wire // nil: a socket
	mu    sync.Mutex
	queue [][]byte
	mute  bool
	wake  chan struct{}
	over  context.CancelFunc
	ctx   context.Context
}

func (c *client) push(message []byte) {
	c.mu.Lock()
	c.queue = append(c.queue, message)
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

func (c *client) take() [][]byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	queue := c.queue
	c.queue = nil
	return queue
}

func (c *client) cut() { c.over() }

func (c *client) swallow() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mute = true
}

func (c *client) muted() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mute
}

// listen serves GET /ari/events.
func (s *Server) listen(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	refusing := s.refusing
	s.mu.Unlock()
	if refusing {
		http.Error(w, `{"message":"Service Unavailable"}`, http.StatusServiceUnavailable)
		return
	}
	c := &client{wire: wireOf(r), wake: make(chan struct{}, 1)}
	c.ctx, c.over = context.WithCancel(s.ctx)
	defer c.over()
	s.mu.Lock() // the application is registered before the client learns that it is connected
	if c.wire.isCut() || s.ctx.Err() != nil {
		s.mu.Unlock()
		return
	}
	s.work.Add(1)
	defer s.work.Done()
	if s.client != nil {
		s.emit(event{Type: "ApplicationReplaced"}) // to the one before
	}
	s.client = c
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		if s.client == c {
			s.client = nil
		}
		s.mu.Unlock()
	}()
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{OnPingReceived: func(context.Context, []byte) bool {
		return !c.muted()
	}})
	if err != nil {
		return
	}
	var reading sync.WaitGroup
	defer reading.Wait()
	defer conn.CloseNow()

	reading.Go(func() { // the client sends nothing but pings and closes
		defer c.over()
		conn.Read(c.ctx)
	})
	for {
		for _, message := range c.take() {
			if c.muted() {
				continue
			}
			if err := conn.Write(c.ctx, websocket.MessageText, message); err != nil {
				return
			}
		}
		select {
		case <-c.wake:
		case <-c.ctx.Done():
			return
		}
	}
}

// emit sends an event to whoever listens, if the filter lets it pass. s.mu is
// held.
func (s *Server) emit(e event) {
	if s.allowed != nil && !s.allowed[e.Type] {
		return
	}
	e.fill(s.now())
	data, err := json.Marshal(e)
	if err != nil {
		panic(err)
	}
	s.write(e.Type, e.about(), data)
}

func (s *Server) write(kind, about string, data []byte) {
	if s.client == nil {
		return
	}
	if kind != "" {
		s.sent = append(s.sent, kind)
	}
	if s.jumble != nil && about != "" {
		s.jumble.take(about, data)
		return
	}
	if s.reorder > 0 {
		s.held = append(s.held, data)
		if s.reorder--; s.reorder > 0 {
			return
		}
		slices.Reverse(s.held)
		for _, data := range s.held {
			s.client.push(data)
		}
		s.held = nil
		return
	}
	s.client.push(data)
	if s.repeat > 0 {
		s.repeat--
		s.client.push(data)
	}
}

// now is the time of the next event. No two are in the same millisecond, as if
// keys were pressed by a finger: equal messages are repeats then.
func (s *Server) now() time.Time {
	now := time.Now().Truncate(time.Millisecond)
	if !now.After(s.latest) {
		now = s.latest.Add(time.Millisecond)
	}
	s.latest = now
	return now
}

// after runs f under s.mu, unless the server is closed before. The returned
// function prevents it.
func (s *Server) after(d time.Duration, f func()) (cancel func()) {
	ctx, cancel := context.WithCancel(s.ctx)
	s.work.Go(func() {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if ctx.Err() == nil {
			f()
		}
	})
	return cancel
}

func (s *Server) newID() string {
	s.serial++
	return fmt.Sprintf("1795294177.%d", s.serial)
}

func (s *Server) failing(method, route string) int {
	for _, f := range s.failures {
		if f.method == method && f.route == route && f.times > 0 {
			f.times--
			return f.status
		}
	}
	return 0
}

// routeOf replaces IDs in a path.
func routeOf(path string) string {
	parts := strings.Split(path, "/")
	for i := 2; i < len(parts); i++ {
		switch {
		case i == 2 && parts[i] != "create" && parts[i] != "live",
			i == 3 && parts[2] == "live":
			parts[i] = "{id}"
		}
	}
	return strings.Join(parts, "/")
}
