package desk_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/rtp"
	"go.uber.org/goleak"

	"hotline/ari"
	"hotline/ari/aritest"
	"hotline/call/scene"
	"hotline/desk"
	"hotline/softphone"
	"hotline/softphone/softphonetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	patience = 15 * time.Second
	agent    = "1001"
)

var loopback = netip.MustParseAddr("127.0.0.1")

// world is a link to the fake Asterisk, a gateway, and the desks between them.
type world struct {
	*desk.Desks
	t       *testing.T
	ctx     context.Context
	server  *aritest.Server
	link    *ari.Link
	gateway *softphone.Gateway
	page    softphonetest.Page
	told    chan string // what talks and the queue are told
	calls   int         // made so far: each has names of its own
	partial atomic.Bool // what desks show is not whole yet
}

func (w *world) Do(_ context.Context, agentID string, o scene.Order) error {
	if o.Act == scene.DoMute {
		return &scene.Refused{Code: scene.Impossible, Values: map[string]string{"act": "mute"}}
	}
	w.told <- fmt.Sprintf("%s does %s", agentID, o.Act)
	return nil
}
func (w *world) View(id string) (any, string, bool) {
	whole := !w.partial.Load()
	return map[string]any{"agent": id, "whole": whole}, fmt.Sprint(id, whole), whole
}
func (w *world) Watch(string) (<-chan struct{}, func()) { return nil, func() {} }
func (w *world) Reachable(id string) error              { w.told <- id + " reachable"; return nil }
func (w *world) Pause(id, reason string) error          { w.told <- id + " paused: " + reason; return nil }

func newWorld(t *testing.T, change ...func(*ari.Options)) *world {
	t.Helper()
	w := &world{t: t, server: aritest.Start(t), told: make(chan string, 100)}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	w.ctx = ctx
	var err error
	link := ari.Options{URL: w.server.URL(), App: aritest.App, Username: aritest.User, Password: aritest.Password, Logger: slog.New(slog.DiscardHandler)}
	for _, c := range change {
		c(&link)
	}
	if w.link, err = ari.New(link); err != nil {
		t.Fatal(err)
	}
	linked := make(chan error, 1)
	go func() { linked <- w.link.Run(ctx) }()
	w.Desks = desk.New(desk.Options{
		Link: w.link, Agents: w, Media: loopback, Codec: "alaw",
		Visitors: &desk.Visitors{Context: "in", Exten: "96196"},
	})
	if w.gateway, err = softphone.New(softphone.Options{App: w.Desks, Listen: netip.AddrPortFrom(loopback, 0), Codec: softphone.PCMA}); err != nil {
		t.Fatal(err)
	}
	w.Attach(w.gateway, w)
	page := httptest.NewServer(w.gateway)
	w.page = softphonetest.Page{URL: "ws" + strings.TrimPrefix(page.URL, "http"), Origin: page.URL}
	t.Cleanup(func() {
		if err := w.gateway.Close(); err != nil {
			t.Error(err)
		}
		w.Stop()
		page.Close()
		cancel()
		if err := <-linked; err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		for range w.link.Arrivals() { // closed by the end of Run
		}
	})
	w.until("the link is connected", func() bool { return w.link.Status().Connected })
	return w
}

func (w *world) until(what string, met func() bool) {
	w.t.Helper()
	for deadline := time.Now().Add(patience); !met(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			w.t.Fatalf("waited %v until %s", patience, what)
		}
	}
}

func (w *world) hears(want string) {
	w.t.Helper()
	for timeout := time.After(patience); ; {
		select {
		case got := <-w.told:
			if got == want {
				return
			}
		case <-timeout:
			w.t.Fatalf("nobody was told %q within %v", want, patience)
		}
	}
}

// person is somebody at a browser, who speaks without pause.
type person struct {
	*softphonetest.Browser
	w     *world
	line  *softphonetest.Connection
	heard chan []byte
	quiet context.CancelFunc
}

// sits has somebody open a page, whose line is up.
func (w *world) sits(owner string) *person {
	w.t.Helper()
	b, err := softphonetest.Open(w.ctx, w.page, w.gateway.Ticket(owner))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(b.Close)
	p := &person{Browser: b, w: w}
	p.connect()
	return p
}

func (p *person) connect() {
	p.w.t.Helper()
	line, err := p.NewConnection()
	if err != nil {
		p.w.t.Fatal(err)
	}
	heard := make(chan []byte, 1000)
	line.Heard = func(packet *rtp.Packet) {
		select {
		case heard <- append([]byte(nil), packet.Payload...):
		default:
		}
	}
	if err := line.Connect(p.w.ctx); err != nil {
		p.w.t.Fatal(err)
	}
	p.line, p.heard = line, heard
	p.speak()
}

// speak says A-law sixes, 50 packets a second, until quiet is called.
func (p *person) speak() {
	ctx, quiet := context.WithCancel(p.w.ctx)
	line := p.line
	go func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for n := uint32(0); ; n++ {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				_ = line.Send(rtp.Packet{Header: rtp.Header{Version: 2, PayloadType: 8, SequenceNumber: uint16(n), Timestamp: n * 160}, Payload: said('6')})
			}
		}
	}()
	p.quiet = quiet
	p.w.t.Cleanup(quiet)
}

func said(what byte) []byte { return []byte(strings.Repeat(string(what), 160)) }

// does asks for an act, and returns the code with which it is refused, "" if it is done.
func (p *person) does(order string) (code string) {
	p.w.t.Helper()
	if _, err := p.Send(p.w.ctx, map[string]any{"type": "do", "id": "1", "order": json.RawMessage(order)}); err != nil {
		p.w.t.Fatal(err)
	}
	f, err := p.Next(p.w.ctx, "done", "refused")
	if err != nil {
		p.w.t.Fatal(err)
	}
	return f.Code
}

// hear waits until the person hears something.
func (p *person) hear(what byte) {
	p.w.t.Helper()
	for timeout := time.After(patience); ; {
		select {
		case payload := <-p.heard:
			if len(payload) > 0 && payload[0] == what {
				return
			}
		case <-timeout:
			p.w.t.Fatalf("%c was not heard: is the port plugged in, does it know Asterisk?", what)
		}
	}
}

// media is Asterisk's end of a leg's sound.
type media struct {
	*net.UDPConn
	t   *testing.T
	to  net.Addr
	now *atomic.Int32 // what is said at present; 0: nothing
}

// asterisk stands in for Asterisk's sound: the fake one has none.
func (w *world) asterisk(leg *ari.Leg) media {
	w.t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { conn.Close() })
	channel := ari.Channel{Name: leg.Name()}
	at, external := channel.External()
	if !external {
		w.t.Fatalf("the leg %s is no browser's", leg.Name())
	}
	m := media{conn, w.t, net.UDPAddrFromAddrPort(at), new(atomic.Int32)}
	ctx, quiet := context.WithCancel(w.ctx)
	spoken := make(chan struct{})
	go func() { defer close(spoken); m.speak(ctx) }()
	w.t.Cleanup(func() { quiet(); <-spoken })
	return m
}

// says has the call say something to the browser from now on, 50 packets a second.
func (m media) says(what byte) { m.now.Store(int32(what)) }

func (m media) speak(ctx context.Context) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for n := uint32(0); ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if what := byte(m.now.Load()); what != 0 {
			packet, err := (&rtp.Packet{Header: rtp.Header{Version: 2, PayloadType: 8, SequenceNumber: uint16(n), Timestamp: n * 160, SSRC: 7}, Payload: said(what)}).Marshal()
			if err != nil {
				panic(err) // it is the test's own
			}
			_, _ = m.WriteTo(packet, m.to) // who listens is what the test looks at
		}
	}
}

// hears waits until the browser's person is heard.
func (m media) hears(what byte) {
	m.t.Helper()
	buffer := make([]byte, 1500)
	for deadline := time.Now().Add(patience); ; {
		if err := m.SetReadDeadline(deadline); err != nil {
			m.t.Fatal(err)
		}
		n, err := m.Read(buffer)
		if err != nil {
			m.t.Fatalf("the person at the browser is not heard: %v", err)
		}
		if n == 172 && buffer[12] == what {
			return
		}
	}
}

// call is a call's side of an offer to an agent's browser.
type call struct {
	*world
	session *ari.Session
	leg     *ari.Leg
}

// offers makes a leg for an agent and rings it.
func (w *world) offers(limit time.Duration) *call {
	w.t.Helper()
	c := w.made()
	w.Ring(c.leg, limit)
	return c
}

// made is a leg that has been made for the agent's browser.
func (w *world) made() *call {
	w.t.Helper()
	w.calls++
	c := &call{world: w, session: w.link.Session(fmt.Sprintf("20260206-090000-%04d", w.calls))}
	w.t.Cleanup(c.session.Close)
	w.until("the agent is at a browser", func() bool { return w.Online(agent) })
	id := c.session.NewID("agent")
	endpoint, ok := w.Line(agent, id)
	if !ok {
		w.t.Fatal("the agent's browser has no line")
	}
	leg, err := c.session.Create(w.ctx, ari.Dial{ID: id, Role: "agent", Endpoint: endpoint})
	if err != nil {
		w.t.Fatal(err)
	}
	c.leg = leg
	return c
}

// sees waits for an event of the leg.
func (c *call) sees(kind ari.EventKind) ari.Event {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.ctx, patience)
	defer cancel()
	for {
		e, err := c.session.Next(ctx)
		if err != nil {
			c.t.Fatalf("the call never saw %s: %v", kind, err)
		}
		if e.Kind == kind {
			return e
		}
	}
}

// talks is an offer that was answered.
func (w *world) talks(p *person) (*call, media) {
	w.t.Helper()
	c := w.offers(time.Minute)
	c.sees(ari.Ringing)
	m := w.asterisk(c.leg)
	if code := p.does(`{"act":"answer"}`); code != "" {
		w.t.Fatalf("the answer is refused: %s", code)
	}
	c.sees(ari.Answered)
	m.says('1') // from which the port learns where Asterisk is
	m.hears('6')
	p.hear('1')
	return c, m
}

// A page that comes back to a service that has just begun is shown its desk once
// the calls are there, and without them if that lasts.
func TestADeskThatIsNotWholeYet(t *testing.T) {
	for name, comes := range map[string]bool{"and soon is": true, "for long": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.partial.Store(true)
			b, err := softphonetest.Open(w.ctx, w.page, w.gateway.Ticket(agent))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(b.Close)
			if comes {
				w.partial.Store(false)
			}
			f, err := b.Next(w.ctx, "desk")
			if err != nil {
				t.Fatal(err)
			}
			if got := string(f.Desk); got != fmt.Sprintf(`{"agent":"1001","whole":%t}`, comes) {
				t.Errorf("the first that the page is shown is %s", got)
			}
		})
	}
}

func TestAnAgentAnswersAndHangsUp(t *testing.T) {
	w := newWorld(t)
	p := w.sits(agent)
	c, _ := w.talks(p)
	if code := p.does(`{"act":"hold"}`); code != "" {
		t.Errorf("hold is refused: %s", code)
	}
	w.hears("1001 does hold")
	if code := p.does(`{"act":"mute"}`); code != scene.Impossible {
		t.Errorf("what a talk refuses is told as %q", code)
	}
	if code := p.does(`{"act":"answer"}`); code != scene.NoCall {
		t.Errorf("answering what is answered is told as %q", code)
	}
	if err := c.leg.Leave(w.ctx); err != nil {
		t.Fatal(err)
	}
	c.sees(ari.Gone)
	w.offers(time.Minute).sees(ari.Ringing) // and the line is free for the next
}

// A page that means a call which is over does nothing to the one that rings now.
func TestAnAgentMeansAnotherCall(t *testing.T) {
	w := newWorld(t)
	p := w.sits(agent)
	c := w.offers(time.Minute)
	c.sees(ari.Ringing)
	for _, order := range []string{`{"act":"answer","call":"20260206-090000-000"}`, `{"act":"decline","call":"20260206-085959-0001"}`} {
		if code := p.does(order); code != scene.NoCall {
			t.Errorf("%s is told as %q", order, code)
		}
	}
	if code := p.does(`{"act":"answer","call":"20260206-090000-0001"}`); code != "" {
		t.Fatalf("the call that rings is not answered: %s", code)
	}
	c.sees(ari.Answered)
}

// Who has asked for a call is put through, without answering.
func TestAnAgentTakesWhatTheyAskedFor(t *testing.T) {
	w := newWorld(t)
	p := w.sits(agent)
	c := w.made()
	w.Take(c.leg, time.Minute)
	c.sees(ari.Answered)
	m := w.asterisk(c.leg)
	m.says('1')
	m.hears('6')
	p.hear('1')
}

func TestOffersThatComeToNothing(t *testing.T) {
	for name, row := range map[string]struct {
		does func(*person, *call)
		want string
	}{
		"declined":           {func(p *person, _ *call) { p.does(`{"act":"decline"}`) }, ari.DialRejected},
		"not answered":       {func(*person, *call) {}, ari.DialNoAnswer},
		"the page is closed": {func(p *person, _ *call) { _, _ = p.Send(p.w.ctx, map[string]any{"type": "bye"}) }, ari.DialNoAnswer},
		"withdrawn":          {func(_ *person, c *call) { _ = c.leg.Hangup(c.ctx, 0, "the caller left") }, ari.DialCancelled},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			p := w.sits(agent)
			limit := time.Minute
			if name == "not answered" {
				limit = 300 * time.Millisecond
			}
			c := w.offers(limit)
			c.sees(ari.Ringing)
			row.does(p, c)
			if e := c.sees(ari.DialFailed); e.DialStatus != row.want {
				t.Errorf("the offer ends as %s, want %s", e.DialStatus, row.want)
			}
			c.sees(ari.Gone)
		})
	}
}

// A line that falls silent has the talk held; the talk goes on as soon as the line is back, also on another connection.
func TestALineThatIsLostForAMoment(t *testing.T) {
	w := newWorld(t)
	p := w.sits(agent)
	c, m := w.talks(p)
	p.quiet()
	c.sees(ari.Held)
	p.speak()
	c.sees(ari.Resumed)
	m.hears('6')

	p.quiet()
	p.line.Close()
	c.sees(ari.Held)
	p.connect()
	c.sees(ari.Resumed)
	m.hears('6')
	m.says('2')
	p.hear('2')
}

// A line that is lost again while it is being found has the talk held: what undoes a hold never comes after a newer one.
func TestALineThatIsLostAgainAtOnce(t *testing.T) {
	w := newWorld(t)
	p := w.sits(agent)
	c, _ := w.talks(p)
	s, _ := w.gateway.Session(agent)
	for range 1000 {
		w.Audio(s, softphone.AudioOK)
		w.Audio(s, softphone.AudioLost)
	}
	w.Stop() // returns when everything under way has been done
	if !c.leg.Held() {
		t.Error("the talk is not held, though the browser's line is lost: a hold that was undone is told after a newer one")
	}
}

// An answer that Asterisk refuses is none: the call rings on for as long as it would have, its sound does not come to the
// browser, and it can be answered again.
func TestAnAnswerThatAsteriskRefuses(t *testing.T) {
	const limit = 3 * time.Second
	for name, again := range map[string]bool{"and nobody answers again": false, "and is answered again": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			p := w.sits(agent)
			rung, limit := time.Now(), limit
			if again {
				limit = time.Minute
			}
			c := w.offers(limit)
			c.sees(ari.Ringing)
			m := w.asterisk(c.leg)
			m.says('1')
			w.server.Fail(http.MethodPost, "/channels/{id}/dial", http.StatusInternalServerError, 1)
			if code := p.does(`{"act":"answer"}`); code != "failed" {
				t.Fatalf("an answer that Asterisk refuses is told as %q", code)
			}
			p.does(`{"act":"echo"}`)
			p.hear('6') // themselves, as nothing else is in their line
			if again {
				if code := p.does(`{"act":"answer"}`); code != "" {
					t.Fatalf("the second answer is refused: %s", code)
				}
				c.sees(ari.Answered)
				m.hears('6')
				p.hear('1')
				return
			}
			if e := c.sees(ari.DialFailed); e.DialStatus != ari.DialNoAnswer {
				t.Errorf("the offer ends as %s, want %s", e.DialStatus, ari.DialNoAnswer)
			}
			if rang := time.Since(rung); rang < limit {
				t.Errorf("the offer ended after %v, want after %v", rang, limit)
			}
		})
	}
}

// An answer that Asterisk gives too late for the request counts: the two hear each other, and the call is not missed when
// it would have been.
func TestAnAnswerThatIsLate(t *testing.T) {
	w := newWorld(t, func(o *ari.Options) { o.RequestTimeout = time.Second })
	p := w.sits(agent)
	const limit = 5 * time.Second
	c := w.offers(limit)
	c.sees(ari.Ringing)
	missed := time.After(limit + 500*time.Millisecond)
	m := w.asterisk(c.leg)
	m.says('1')
	w.server.Delay(2 * time.Second)
	if code := p.does(`{"act":"answer"}`); code != "failed" {
		t.Fatalf("an answer of which Asterisk says nothing is told as %q", code)
	}
	c.sees(ari.Answered)
	w.server.Delay(0)
	m.says('2') // what was said before may have been heard while it was tried
	p.hear('2')
	m.hears('6')
	<-missed
	if err := c.leg.Context().Err(); err != nil {
		t.Errorf("the talk was ended as an offer that is missed: %v", context.Cause(c.leg.Context()))
	}
}

// An answer of which nothing comes, though Asterisk took the request: the offer is missed when it would have been, and is not
// left without an end.
func TestAnAnswerThatNeverComes(t *testing.T) {
	w := newWorld(t)
	p := w.sits(agent)
	c := w.offers(5 * time.Second)
	c.sees(ari.Ringing)
	w.server.AnswersNever()
	if code := p.does(`{"act":"answer"}`); code != "failed" {
		t.Fatalf("an answer of which nothing comes is told as %q", code)
	}
	if e := c.sees(ari.DialFailed); e.DialStatus != ari.DialNoAnswer {
		t.Errorf("the offer ends as %q, want %q", e.DialStatus, ari.DialNoAnswer)
	}
}

// A page that says goodbye in a talk does not come back: the agent's line is dead, and nobody has hung up.
func TestAPageIsClosedInATalk(t *testing.T) {
	w := newWorld(t)
	p := w.sits(agent)
	c, _ := w.talks(p)
	if _, err := p.Send(w.ctx, map[string]any{"type": "bye"}); err != nil {
		t.Fatal(err)
	}
	if e := c.sees(ari.Gone); e.Cause != 44 {
		t.Errorf("the leg ends with cause %d, want 44, as a line that is dead", e.Cause)
	}
}

// A new process takes a talk up: the same port, and the browser that comes to it.
func TestATalkGoesOnInAnotherProcess(t *testing.T) {
	w := newWorld(t)
	p := w.sits(agent)
	c, m := w.talks(p)
	at, _ := (&ari.Channel{Name: c.leg.Name()}).External()
	c.session.Close()
	if err := w.gateway.Close(); err != nil { // as the process ends, so do its sockets
		t.Fatal(err)
	}
	p.quiet()

	next := desk.New(desk.Options{Link: w.link, Agents: w, Media: loopback, Codec: "alaw"})
	gateway, err := softphone.New(softphone.Options{App: next, Listen: netip.AddrPortFrom(loopback, 0), Codec: softphone.PCMA})
	if err != nil {
		t.Fatal(err)
	}
	next.Attach(gateway, w)
	page := httptest.NewServer(gateway)
	t.Cleanup(func() { gateway.Close(); next.Stop(); page.Close() })

	session := w.link.Reopen("20260206-090000-0001", 1)
	t.Cleanup(session.Close)
	channels, err := w.link.Channels(w.ctx)
	if err != nil {
		t.Fatal(err)
	}
	leg := session.Restore(channels[0])
	next.Found(agent, leg, at)
	found := &call{world: w, session: session, leg: leg}
	found.sees(ari.Held) // until the browser is back the caller hears the tone
	again := &world{Desks: next, t: t, ctx: w.ctx, gateway: gateway, link: w.link, told: w.told,
		page: softphonetest.Page{URL: "ws" + strings.TrimPrefix(page.URL, "http"), Origin: page.URL}}
	p = again.sits(agent)
	found.sees(ari.Resumed)
	m.says('3')
	p.hear('3')
	m.hears('6')
}

// A visitor calls in as soon as the page is heard, presses keys as tones in the line, and hangs up by closing the page.
func TestAVisitorCallsIn(t *testing.T) {
	w := newWorld(t)
	arrived := make(chan ari.Arrival, 1)
	go func() { arrived <- <-w.link.Arrivals() }()
	p := w.sits(desk.VisitorOf("a secret"))
	a := <-arrived
	if a.Exten != "96196" || len(a.Args) == 0 || a.Args[0] != "in" || !a.External() {
		t.Errorf("the visitor arrives as %+v", a)
	}
	c := &call{world: w, session: w.link.Session("20260206-090000-0001")}
	t.Cleanup(c.session.Close)
	c.leg = c.session.Adopt(a)
	m := w.asterisk(c.leg)
	m.says('4')
	p.hear('4')
	m.hears('6')
	for n := range 5 { // the key 5 (RFC 4733), its end told three times
		event := []byte{5, 10, 0, byte(n+1) * 160}
		if n >= 2 {
			event = []byte{5, 0x80 | 10, 1, 0x40}
		}
		if err := p.line.Send(rtp.Packet{Header: rtp.Header{Version: 2, PayloadType: softphonetest.EventType, SequenceNumber: uint16(60000 + n), Timestamp: 1 << 30}, Payload: event}); err != nil {
			t.Fatal(err)
		}
	}
	if e := c.sees(ari.Key); e.Digit != '5' {
		t.Errorf("the key is %c", e.Digit)
	}
	if code := p.does(`{"act":"hold"}`); code != scene.Impossible {
		t.Errorf("a visitor's hold is told as %q", code)
	}
	if _, err := p.Send(w.ctx, map[string]any{"type": "bye"}); err != nil {
		t.Fatal(err)
	}
	if e := c.sees(ari.Gone); e.Cause != 16 {
		t.Errorf("who closes the page ends with cause %d, want 16, as one who hangs up", e.Cause)
	}
}

// When the call is over, so is the visitor's session: another call is another visit.
func TestAVisitorsSessionEndsWithTheCall(t *testing.T) {
	w := newWorld(t)
	arrived := make(chan ari.Arrival, 1)
	go func() { arrived <- <-w.link.Arrivals() }()
	p := w.sits(desk.VisitorOf("a secret"))
	c := &call{world: w, session: w.link.Session("20260206-090000-0001")}
	t.Cleanup(c.session.Close)
	c.leg = c.session.Adopt(<-arrived)
	if err := c.leg.Hangup(w.ctx, 0, "the call is over"); err != nil {
		t.Fatal(err)
	}
	if f, err := p.Next(w.ctx, "gone"); err != nil || f.Code != "closed" {
		t.Errorf("the page is told %+v, %v", f, err)
	}
}

// Nobody could hear an agent without a microphone: they are taken out, with the reason.
func TestAnAgentWithoutAMicrophone(t *testing.T) {
	w := newWorld(t)
	p := w.sits(agent)
	w.hears("1001 reachable")
	if _, err := p.Send(w.ctx, map[string]any{"type": "mic", "state": "denied"}); err != nil {
		t.Fatal(err)
	}
	w.hears("1001 paused: microphone denied")
}

// In the device check an agent hears what they say, for a few seconds and no longer.
func TestTheDeviceCheckEchoes(t *testing.T) {
	w := newWorld(t)
	p := w.sits(agent)
	w.hears("1001 reachable")
	if code := p.does(`{"act":"echo"}`); code != "" {
		t.Fatalf("the echo is refused with %q", code)
	}
	began := time.Now()
	p.hear('6')
	for timeout, quiet := time.After(patience), false; !quiet; {
		select {
		case <-p.heard:
		case <-time.After(500 * time.Millisecond): // of 20 ms each
			quiet = true
		case <-timeout:
			t.Fatalf("they hear themselves for %v already", patience)
		}
	}
	if lasted := time.Since(began); lasted < 3500*time.Millisecond {
		t.Errorf("they heard themselves for %v at most, want as long as a page records", lasted)
	}
}

// What only supervisors may, a socket may not: nothing there asks who somebody
// is, nor writes it down.
func TestNobodyListensInThroughTheSocket(t *testing.T) {
	w := newWorld(t)
	p := w.sits(agent)
	for _, act := range []string{"listen", "whisper", "barge", "leave", "agent-left", "fly"} {
		if code := p.does(`{"call":"20260206-090000-0002","act":"` + act + `"}`); code != scene.Impossible {
			t.Errorf("%s is refused with %q", act, code)
		}
	}
}

// A line has one talk: whoever is rung a second time, to listen in perhaps, cannot
// leave the first caller alone by answering.
func TestALineHasOneTalk(t *testing.T) {
	w := newWorld(t)
	p := w.sits(agent)
	c, m := w.talks(p)
	id := c.session.NewID("monitor")
	endpoint, _ := w.Line(agent, id)
	second, err := c.session.Create(w.ctx, ari.Dial{ID: id, Role: "monitor", Endpoint: endpoint})
	if err != nil {
		t.Fatal(err)
	}
	w.Ring(second, time.Minute)
	c.sees(ari.Ringing)
	if code := p.does(`{"act":"answer"}`); code != scene.Impossible {
		t.Errorf("answering a second call in a talk is told as %q", code)
	}
	m.hears('6')
	m.says('3')
	p.hear('3')
}

// Who answers while their line is down, as right after a reload, has the caller
// hear the tone until it is back.
func TestAnAnswerWithoutSound(t *testing.T) {
	w := newWorld(t)
	p := w.sits(agent)
	c := w.offers(time.Minute)
	c.sees(ari.Ringing)
	m := w.asterisk(c.leg)
	m.says('1')
	p.quiet()
	p.line.Close()
	w.until("the line is known to be lost", func() bool { return !w.Online(agent) })
	p.does(`{"act":"answer"}`)
	w.until("the leg is held", c.leg.Held)
	p.connect()
	p.speak()
	c.sees(ari.Resumed)
	m.hears('6')
}
