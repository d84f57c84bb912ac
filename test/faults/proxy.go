package faults

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// Proxy is a stretch of loopback wire between a service and Asterisk's ARI. Undisturbed it passes on every request, every
// answer and the websocket, connection by connection. Close it.
type Proxy struct {
	to       string
	listener net.Listener
	book     *book
	ctx      context.Context
	cancel   context.CancelFunc
	serving  sync.WaitGroup

	mu      sync.Mutex
	wires   map[*wire]struct{}
	hooks   []*hook
	passed  []Passed
	refuses int           // how many want new connections refused
	stall   chan struct{} // closed at the end of the black hole; nil without one
}

type hook struct{ see func(*Passing) }

// Passed is what the recorder keeps of a passing.
type Passed struct {
	Boundary
	At      time.Time
	Number  string // the caller's
	Channel string // the caller's
	Status  int    // of the answer; 0 before it, and of an event
}

// NewProxy listens on a free loopback port for what is to go on to that address.
func NewProxy(to netip.AddrPort) (*Proxy, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("a proxy before %s: %w", to, err)
	}
	p := &Proxy{to: to.String(), listener: listener, book: newBook(), wires: map[*wire]struct{}{}}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.serving.Go(p.accept)
	return p, nil
}

// Addr is where the service is to find Asterisk.
func (p *Proxy) Addr() netip.AddrPort { return netip.MustParseAddrPort(p.listener.Addr().String()) }

// Close cuts everything and waits until nothing passes any more. Hooks that hold something up are to look at
// Passing.Done.
func (p *Proxy) Close() {
	p.cancel()
	_ = p.listener.Close() // nobody is accepted any more, whatever it says
	p.Cut()
	p.serving.Wait()
}

// Cut breaks every connection that is open now; new ones are taken.
func (p *Proxy) Cut() { p.cut(func(*wire) bool { return true }) }

// CutEvents breaks the connections that events come on; requests go on.
func (p *Proxy) CutEvents() { p.cut(func(w *wire) bool { return w.events }) }

func (p *Proxy) cut(these func(*wire) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for w := range p.wires {
		if these(w) {
			w.close()
		}
	}
}

// Part breaks every connection and takes no new one until rejoin: Asterisk is there and out of reach.
func (p *Proxy) Part() (rejoin func()) {
	p.mu.Lock()
	p.refuses++
	p.mu.Unlock()
	p.Cut()
	return sync.OnceFunc(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.refuses--
	})
}

// BlackHole swallows everything until end: connections stay and stall without a word, new ones are taken and never
// answered. What was swallowed is lost: at the end all connections of before are broken.
func (p *Proxy) BlackHole() (end func()) {
	stall := make(chan struct{})
	p.mu.Lock()
	p.stall = stall
	p.mu.Unlock()
	return sync.OnceFunc(func() {
		p.Cut()
		p.mu.Lock()
		defer p.mu.Unlock()
		p.stall = nil
		close(stall)
	})
}

// Watch shows every passing to see, from several goroutines at once, until stop.
func (p *Proxy) Watch(see func(*Passing)) (stop func()) {
	h := &hook{see}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hooks = append(p.hooks, h)
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.hooks = slices.DeleteFunc(slices.Clone(p.hooks), func(other *hook) bool { return other == h })
	}
}

// At calls do once, when a call of the caller with this number ("" for anybody's) comes to a boundary, which is held up
// until do returns. Of anybody's calls Nth counts them all.
func (p *Proxy) At(number string, b Boundary, do func(*Passing)) (stop func()) {
	var once sync.Once
	return p.Watch(func(x *Passing) {
		here := x.Boundary
		if number == "" {
			here.Nth = x.Total
		}
		if here == b && (number == "" || number == x.Number) {
			once.Do(func() { do(x) })
		}
	})
}

// Refuse answers what matches with an HTTP status, as Asterisk does when something is wrong, and forwards none of it.
func (p *Proxy) Refuse(status int, message string, match Match) (stop func()) {
	return p.Watch(func(x *Passing) {
		if x.Side == Before && x.Request != nil && match(x) {
			x.Answer(status, message)
		}
	})
}

// Delay holds up what matches for d on that side: before, Asterisk is late to do it; after, the service late to hear so.
func (p *Proxy) Delay(d time.Duration, side Side, match Match) (stop func()) {
	return p.Watch(func(x *Passing) {
		if x.Side != side || !match(x) {
			return
		}
		late := time.NewTimer(d)
		defer late.Stop()
		select {
		case <-late.C:
		case <-x.Done():
		}
	})
}

// Passed lists what has passed so far, in order: of the calls of that caller, or everything for "".
func (p *Proxy) Passed(number string) []Passed {
	p.mu.Lock()
	defer p.mu.Unlock()
	var list []Passed
	for _, one := range p.passed {
		if number == "" || one.Number == number {
			list = append(list, one)
		}
	}
	return list
}

// Boundaries lists those that the calls of that caller have passed, in order.
func (p *Proxy) Boundaries(number string) []Boundary {
	var list []Boundary
	for _, one := range p.Passed(number) {
		list = append(list, one.Boundary)
	}
	return list
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return // closed
		}
		w := &wire{proxy: p, client: client}
		if !p.take(w) {
			_ = client.Close() // refused: whoever called sees it broken
			continue
		}
		p.serving.Go(func() {
			defer p.drop(w)
			w.serve()
		})
	}
}

func (p *Proxy) take(w *wire) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.refuses > 0 || p.ctx.Err() != nil {
		return false
	}
	p.wires[w] = struct{}{}
	return true
}

func (p *Proxy) drop(w *wire) {
	w.close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.wires, w)
}

// clear waits for the end of a black hole.
func (p *Proxy) clear() {
	p.mu.Lock()
	stall := p.stall
	p.mu.Unlock()
	if stall == nil {
		return
	}
	select {
	case <-stall:
	case <-p.ctx.Done():
	}
}

// show puts a passing before every hook and gives their verdict.
func (p *Proxy) show(x *Passing) verdict {
	x.proxy = p
	p.mu.Lock()
	hooks := p.hooks
	p.passed = append(p.passed, Passed{Boundary: x.Boundary, At: time.Now(), Number: x.Number, Channel: x.Channel, Status: x.Status})
	p.mu.Unlock()
	for _, h := range hooks {
		h.see(x)
	}
	return x.verdict
}

// wire is one connection of the service's, with the one to Asterisk that goes with it.
type wire struct {
	proxy  *Proxy
	client net.Conn

	mu       sync.Mutex
	asterisk net.Conn
	closed   bool
	events   bool // a websocket; guarded by the proxy
}

func (w *wire) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	_ = w.client.Close() // whoever reads or writes sees it
	if w.asterisk != nil {
		_ = w.asterisk.Close()
	}
}

// connect opens Asterisk's end.
func (w *wire) connect() (*bufio.Reader, error) {
	conn, err := (&net.Dialer{}).DialContext(w.proxy.ctx, "tcp", w.proxy.to)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil, errors.Join(net.ErrClosed, conn.Close())
	}
	w.asterisk = conn
	return bufio.NewReader(conn), nil
}

// serve passes requests and answers on until either side ends or a fault does.
func (w *wire) serve() {
	asked := bufio.NewReader(w.client)
	answered, err := w.connect()
	if err != nil {
		return // Asterisk is away: so is this wire
	}
	for {
		request, body, err := readRequest(asked)
		if err != nil {
			return
		}
		w.proxy.clear()
		if request.Header.Get("Upgrade") != "" {
			w.subscribe(asked, answered, request)
			return
		}
		if !w.exchange(answered, request, body) {
			return
		}
	}
}

func readRequest(from *bufio.Reader) (*http.Request, []byte, error) {
	request, err := http.ReadRequest(from)
	if err != nil {
		return nil, nil, err
	}
	body, err := io.ReadAll(request.Body)
	request.Body = io.NopCloser(bytes.NewReader(body))
	return request, body, err
}

// exchange passes on one request and its answer; false when the wire is broken by it.
func (w *wire) exchange(answered *bufio.Reader, request *http.Request, body []byte) bool {
	at := w.proxy.book.request(request, body)
	before := w.proxy.book.stamped(at, Before, nil)
	before.Request, before.Body = request, body
	halve := false
	switch v := w.proxy.show(before); v.kind {
	case drop:
		return false
	case answer:
		return w.say(v.status, v.message)
	case truncate:
		halve = true
	}
	request.Body = io.NopCloser(bytes.NewReader(body)) // a hook may have read it
	if request.Write(w.asterisk) != nil {
		return false
	}
	response, err := http.ReadResponse(answered, request)
	if err != nil {
		return false
	}
	said, err := io.ReadAll(response.Body)
	if err != nil {
		return false
	}
	if at.what == "GET /channels" {
		w.proxy.book.listed(said)
	}
	after := w.proxy.book.stamped(at, After, before)
	after.Request, after.Body, after.Status = request, body, response.StatusCode
	v := w.proxy.show(after)
	w.proxy.clear()
	switch {
	case v.kind == drop:
		return false
	case v.kind == answer:
		return w.say(v.status, v.message)
	}
	response.Body = io.NopCloser(bytes.NewReader(said))
	var whole bytes.Buffer
	if response.Write(&whole) != nil {
		return false
	}
	if halve || v.kind == truncate {
		_, _ = w.client.Write(whole.Bytes()[:whole.Len()/2]) // broken either way
		return false
	}
	_, err = w.client.Write(whole.Bytes())
	return err == nil && !response.Close
}

// say answers in Asterisk's place.
func (w *wire) say(status int, message string) bool {
	body, err := json.Marshal(map[string]string{"message": message})
	if err != nil {
		return false
	}
	response := http.Response{
		StatusCode: status, ProtoMajor: 1, ProtoMinor: 1, ContentLength: int64(len(body)),
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(body)),
	}
	return response.Write(w.client) == nil
}
