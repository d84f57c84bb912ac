package softphone

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtp"
	"go.uber.org/goleak"

	"hotline/softphone/softphonetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must happen: long, as the machine
// may be busy; nothing that goes right takes it.
const patience = 10 * time.Second

// patient are times at which nothing lapses on a machine that is busy; a test of
// what lapses sets its own.
func patient() times {
	t := usualTimes
	t.watch, t.report = 20*time.Millisecond, 200*time.Millisecond
	t.lost, t.disconnected = time.Minute, time.Minute
	return t
}

// world is a gateway on loopback with its page's server, an application that
// writes down what it is told, and a log.
type world struct {
	*Gateway
	t    *testing.T
	ctx  context.Context
	page softphonetest.Page
	told chan string
	log  *lines

	do func(ctx context.Context, s *Session, id string, order json.RawMessage) error
}

func newWorld(t *testing.T, change func(*Options, *times)) *world {
	t.Helper()
	w := &world{t: t, told: make(chan string, 10000), log: &lines{}}
	o := Options{App: w, Listen: netip.MustParseAddrPort("127.0.0.1:0"), Logger: slog.New(slog.NewTextHandler(w.log, nil))}
	clocks := patient()
	if change != nil {
		change(&o, &clocks)
	}
	var err error
	if w.Gateway, err = newGateway(o, clocks); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(w.Gateway)
	w.page = softphonetest.Page{URL: "ws" + strings.TrimPrefix(server.URL, "http"), Origin: server.URL}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	w.ctx = ctx
	t.Cleanup(func() {
		cancel()
		if err := w.Gateway.Close(); err != nil {
			t.Error(err)
		}
		server.Close()
	})
	return w
}

func (w *world) tell(format string, a ...any) { w.told <- fmt.Sprintf(format, a...) }

func (w *world) Opened(s *Session)             { w.tell("%s opened", s.Owner()) }
func (w *world) Closed(s *Session, why string) { w.tell("%s closed %s", s.Owner(), why) }
func (w *world) Mic(s *Session, m Mic)         { w.tell("%s mic %s", s.Owner(), m) }
func (w *world) Digit(s *Session, digit rune)  { w.tell("%s digit %c", s.Owner(), digit) }
func (w *world) Audio(s *Session, a Audio)     { w.tell("%s audio %s", s.Owner(), a) }
func (w *world) Do(ctx context.Context, s *Session, id string, order json.RawMessage) error {
	if w.do != nil {
		return w.do(ctx, s, id, order)
	}
	w.tell("%s do %s %s", s.Owner(), id, order)
	return nil
}

// hears waits until the application was told something, and returns what it was
// told before.
func (w *world) hears(want string) (before []string) {
	w.t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case got := <-w.told:
			if got == want {
				return before
			}
			before = append(before, got)
		case <-timeout:
			w.t.Fatalf("the application was not told %q within %v, but %q: did the frame arrive, is the session the owner's, does audio flow?", want, patience, before)
		}
	}
}

// quiet asserts that the application is told nothing that begins so for a while.
func (w *world) quiet(prefix string, d time.Duration) {
	w.t.Helper()
	for timeout := time.After(d); ; {
		select {
		case got := <-w.told:
			if strings.HasPrefix(got, prefix) {
				w.t.Fatalf("the application was told %q, want nothing of the kind for %v", got, d)
			}
		case <-timeout:
			return
		}
	}
}

func (w *world) within(d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(w.ctx, d)
	w.t.Cleanup(cancel)
	return ctx
}

// open is a page of the owner's that has said hello.
func (w *world) open(owner string) *softphonetest.Browser {
	w.t.Helper()
	b, err := softphonetest.Open(w.within(patience), w.page, w.Ticket(owner))
	if err != nil {
		w.t.Fatalf("opening a page: %v", err)
	}
	w.t.Cleanup(b.Close)
	return b
}

func (w *world) resume(b *softphonetest.Browser, owner string) {
	w.t.Helper()
	if err := b.Resume(w.within(patience), w.Ticket(owner)); err != nil {
		w.t.Fatalf("resuming: %v", err)
	}
}

// connect is a page's connection that is up.
func (w *world) connect(b *softphonetest.Browser) *talker {
	w.t.Helper()
	c, err := b.NewConnection()
	if err != nil {
		w.t.Fatal(err)
	}
	return w.talker(c)
}

// talker connects a connection that is made.
func (w *world) talker(c *softphonetest.Connection) *talker {
	w.t.Helper()
	got := newTape()
	c.Heard = got.add
	if err := c.Connect(w.within(patience)); err != nil {
		w.t.Fatalf("connecting: %v (are UDP sockets on loopback allowed, does the answer hold a candidate?)", err)
	}
	return &talker{t: w.t, c: c, tape: got, seq: 1000, ts: 50000}
}

func (w *world) send(b *softphonetest.Browser, frame map[string]any) {
	w.t.Helper()
	if _, err := b.Send(w.within(patience), frame); err != nil {
		w.t.Fatalf("sending %v: %v", frame["type"], err)
	}
}

func (w *world) next(b *softphonetest.Browser, types ...string) softphonetest.Frame {
	w.t.Helper()
	f, err := b.Next(w.within(patience), types...)
	if err != nil {
		w.t.Fatal(err)
	}
	return f
}

func (w *world) ended(b *softphonetest.Browser, code int, reason string) {
	w.t.Helper()
	gotCode, gotReason, err := b.Ended(w.within(patience))
	if err != nil || gotCode != code || gotReason != reason {
		w.t.Fatalf("the socket ended with %d %q (%v), want %d %q", gotCode, gotReason, err, code, reason)
	}
}

func (w *world) session(owner string) *Session {
	w.t.Helper()
	s, found := w.Session(owner)
	if !found {
		w.t.Fatalf("%s has no session", owner)
	}
	return s
}

// talker speaks 20 ms at a time on a connection.
type talker struct {
	t    *testing.T
	c    *softphonetest.Connection
	tape *tape
	seq  uint16
	ts   uint32
}

// say sends packets with these payloads, one after another.
func (k *talker) say(payloads ...[]byte) {
	k.t.Helper()
	for _, p := range payloads {
		k.send(0, k.seq, k.ts, p)
		k.seq++
		k.ts += uint32(len(p))
	}
}

func (k *talker) send(pt uint8, seq uint16, ts uint32, payload []byte) {
	k.t.Helper()
	if err := k.c.Send(rtp.Packet{Header: rtp.Header{PayloadType: pt, SequenceNumber: seq, Timestamp: ts}, Payload: payload}); err != nil {
		k.t.Fatal(err)
	}
}

// speak sends 50 packets a second until the test, or stop, ends it.
func (k *talker) speak(payload func(n int) []byte) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var speaking sync.WaitGroup
	speaking.Go(func() {
		ticker := time.NewTicker(20 * time.Millisecond)
		defer ticker.Stop()
		for n := 0; ; n++ {
			p := payload(n)
			// An error is a connection that is down; the test sees it by what is not heard.
			_ = k.c.Send(rtp.Packet{Header: rtp.Header{SequenceNumber: k.seq, Timestamp: k.ts}, Payload: p})
			k.seq++
			k.ts += uint32(len(p))
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
		}
	})
	stop = sync.OnceFunc(func() { cancel(); speaking.Wait() })
	k.t.Cleanup(stop)
	return stop
}

// tape keeps packets.
type tape struct{ packets chan rtp.Packet }

func newTape() *tape { return &tape{packets: make(chan rtp.Packet, 100000)} }

func (r *tape) add(p *rtp.Packet) {
	copied := *p
	copied.Payload = append([]byte(nil), p.Payload...)
	r.packets <- copied
}

// next waits for a packet.
func (r *tape) next(t *testing.T) rtp.Packet {
	t.Helper()
	select {
	case p := <-r.packets:
		return p
	case <-time.After(patience):
		t.Fatalf("no packet came within %v: is the port plugged in, is Asterisk's address known, is the connection up?", patience)
		return rtp.Packet{}
	}
}

// empty asserts that nothing comes.
func (r *tape) empty(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case p := <-r.packets:
		t.Fatalf("a packet came that should not have: type %d, number %d, payload % x…", p.PayloadType, p.SequenceNumber, p.Payload[:min(4, len(p.Payload))])
	case <-time.After(d):
	}
}

// drain throws away what came so far.
func (r *tape) drain() {
	for {
		select {
		case <-r.packets:
		default:
			return
		}
	}
}

// asterisk is the far end of a port.
type asterisk struct {
	t    *testing.T
	conn *net.UDPConn
	port *Port
	tape *tape
	seq  uint16
	ts   uint32
	ssrc uint32
}

// leg opens a port with an Asterisk at the other end, which it is told of.
func (w *world) leg() *asterisk {
	w.t.Helper()
	port, err := w.Port(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		w.t.Fatal(err)
	}
	a := newAsterisk(w.t, port)
	port.Far(a.addr())
	return a
}

func newAsterisk(t *testing.T, port *Port) *asterisk {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	a := &asterisk{t: t, conn: conn, port: port, tape: newTape(), seq: 65530, ts: 1<<32 - 400, ssrc: 77}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buffer := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(buffer)
			if err != nil {
				return
			}
			var p rtp.Packet
			if err := p.Unmarshal(buffer[:n]); err != nil {
				t.Errorf("Asterisk was sent what is not RTP: %v", err)
				return
			}
			if from != port.Addr() {
				t.Errorf("Asterisk was sent a packet from %v, not from the port's address %v: strict RTP drops it", from, port.Addr())
				return
			}
			a.tape.add(&p)
		}
	}()
	t.Cleanup(func() { conn.Close(); <-done })
	return a
}

func (a *asterisk) addr() netip.AddrPort { return a.conn.LocalAddr().(*net.UDPAddr).AddrPort() }

func (a *asterisk) say(payloads ...[]byte) {
	a.t.Helper()
	for _, p := range payloads {
		a.send(0, a.seq, a.ts, p)
		a.seq++
		a.ts += uint32(len(p))
	}
}

func (a *asterisk) send(pt uint8, seq uint16, ts uint32, payload []byte) {
	a.t.Helper()
	p := rtp.Packet{Header: rtp.Header{Version: 2, PayloadType: pt, SequenceNumber: seq, Timestamp: ts, SSRC: a.ssrc}, Payload: payload}
	data, err := p.Marshal()
	if err == nil {
		_, err = a.conn.WriteToUDPAddrPort(data, a.port.Addr())
	}
	if err != nil {
		a.t.Fatal(err)
	}
}

// speech is 20 ms of sound, different for each n.
func speech(n int) []byte {
	payload := make([]byte, frameSize)
	for i := range payload {
		payload[i] = byte(n*7 + i*13)
	}
	return payload
}

func hush(int) []byte {
	payload := make([]byte, frameSize)
	for i := range payload {
		payload[i] = 0xff
	}
	return payload
}

// lines is a log that can be read while it is written.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) count(substring string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), substring)
}

// eventually waits for what becomes true without anybody telling.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		if is() {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("not so within %v: %s", patience, what)
		}
	}
}

var errNo = errors.New("no")
