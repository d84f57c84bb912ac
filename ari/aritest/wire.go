package aritest

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"testing"
)

// Wire is one process's way to a server without sockets: connections in
// memory, which block as a bubble of testing/synctest wants it, and which can
// all be cut at once.
type Wire struct {
	s *Server

	mu       sync.Mutex
	cut      bool
	conns    map[net.Conn]struct{}
	boundary func(r Request, after bool)
}

// StartPipe runs a server without a socket until the test ends; clients reach
// it by a Wire. Inside a bubble all of it belongs to the bubble.
func StartPipe(t testing.TB) *Server {
	s := newServer()
	l := &pipe{dialed: make(chan net.Conn), closed: make(chan struct{})}
	web := &http.Server{Handler: s, ConnContext: wireContext}
	var serving sync.WaitGroup
	serving.Go(func() { web.Serve(l) })
	s.url, s.pipe = "http://asterisk", l
	s.shut = func() {
		web.Close()
		serving.Wait()
	}
	t.Cleanup(s.close)
	return s
}

// Wire is a new process's way to a server of StartPipe.
func (s *Server) Wire() *Wire { return &Wire{s: s, conns: make(map[net.Conn]struct{})} }

// Dial opens a connection, whatever the address: it is for ari.Options.Dial.
func (w *Wire) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	c := &wired{Conn: near, wire: w}
	if !w.add(c) {
		return nil, errCut
	}
	select {
	case w.s.pipe.dialed <- &wired{Conn: far, wire: w}:
		return c, nil
	case <-w.s.pipe.closed:
		return nil, errors.Join(errCut, c.Close())
	case <-ctx.Done():
		return nil, errors.Join(context.Cause(ctx), c.Close())
	}
}

var errCut = errors.New("aritest: the wire is cut")

// Cut is what the death of the process at this end does: its connections are
// gone, nothing more of it is carried out, and it cannot dial again. What was
// waiting its turn in the server goes on waiting.
func (w *Wire) Cut() {
	w.mu.Lock()
	w.cut = true
	conns := w.conns
	w.conns = nil
	w.mu.Unlock()
	w.s.mu.Lock() // nothing is being carried out when Cut returns, and the application is without a client
	if w.s.client != nil && w.s.client.wire == w {
		w.s.drop()
	}
	w.s.mu.Unlock()
	for c := range conns {
		c.Close()
	}
}

// Boundary has f told of every request on this wire, before it is carried out
// and again after, when it is not answered yet. f may Cut.
func (w *Wire) Boundary(f func(r Request, after bool)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.boundary = f
}

// pass tells the boundary, and says whether the process is still there. A nil
// wire is a socket.
func (w *Wire) pass(r *Request, after bool) bool {
	if w == nil {
		return true
	}
	w.mu.Lock()
	told := w.boundary
	w.mu.Unlock()
	if told != nil && !w.isCut() {
		told(*r, after)
	}
	return !w.isCut()
}

func (w *Wire) isCut() bool {
	if w == nil {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.cut
}

func (w *Wire) add(c net.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.cut {
		w.conns[c] = struct{}{}
	}
	return !w.cut
}

// wired is one end of a connection of a wire.
type wired struct {
	net.Conn
	wire *Wire
}

func (c *wired) Close() error {
	c.wire.mu.Lock()
	delete(c.wire.conns, c)
	c.wire.mu.Unlock()
	return c.Conn.Close()
}

type wireKey struct{}

func wireContext(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, wireKey{}, c.(*wired).wire)
}

// wireOf is the wire on which a request came; nil: a socket.
func wireOf(r *http.Request) *Wire {
	w, _ := r.Context().Value(wireKey{}).(*Wire)
	return w
}

// pipe is a listener in memory.
type pipe struct {
	dialed chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (p *pipe) Accept() (net.Conn, error) {
	select {
	case c := <-p.dialed:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipe) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipe) Addr() net.Addr { return &net.UnixAddr{Name: "asterisk", Net: "pipe"} }
