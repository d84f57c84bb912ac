package ari

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"syscall"
	"time"
)

const (
	// mostConns bounds the connections to Asterisk that are open at a time, well
	// below the sessionlimit of 1000 in http.conf: two services share it in a
	// takeover. The requests of a crowd wait their turn rather than be refused.
	mostConns = 200
	// keptConns bounds those that are kept for the next request, and idleConns is
	// for how long: Asterisk closes idle connections after 15 s, and we give them up
	// before it does.
	keptConns = 64
	idleConns = 10 * time.Second
	// mostAnswer bounds an answer, and keptBuffer the room for one that a connection keeps.
	mostAnswer = 64 << 20
	keptBuffer = 64 << 10
)

// conns are the connections on which requests are sent. A request is written and
// its answer read by whoever sends it: net/http's client has two goroutines for
// each connection, and waking them costs more than the request itself.
type conns struct {
	dial    func(ctx context.Context, network, address string) (net.Conn, error)
	address string // host and port
	tls     *tls.Config
	fixed   string // the header's lines that all requests have
	slots   chan struct{}

	mu   sync.Mutex
	idle []*conn // the one used last is at the end
}

type conn struct {
	net.Conn
	answers *bufio.Reader
	buffer  bytes.Buffer
	used    time.Time // zero: never
}

func newConns(base *url.URL, o Options) *conns {
	c := &conns{
		dial: o.Dial, address: base.Host, slots: make(chan struct{}, mostConns),
		fixed: " HTTP/1.1\r\nHost: " + base.Host + "\r\nAuthorization: " + o.login() + "\r\n",
	}
	port := "80"
	if base.Scheme == "https" {
		port, c.tls = "443", &tls.Config{ServerName: base.Hostname()}
	}
	if base.Port() == "" {
		c.address = net.JoinHostPort(base.Hostname(), port)
	}
	if c.dial == nil {
		c.dial = new(net.Dialer).DialContext
	}
	return c
}

// exchange sends one request and hands its answer to read, which must not keep
// the data. target is the escaped path with the query; body may be nil.
func (c *conns) exchange(ctx context.Context, method, target string, body []byte, read func(status int, data []byte) error) error {
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	on, err := c.take(ctx)
	if err != nil {
		return err
	}
	uninterrupted := context.AfterFunc(ctx, func() { _ = on.SetDeadline(time.Unix(1, 0)) })
	status, keep, err := on.ask(c.header(method, target, body), body)
	if !uninterrupted() || err != nil {
		keep = false // or ctx would end the next one's request
	}
	if !keep {
		on.Close()
	}
	if err == nil {
		err = read(status, on.buffer.Bytes())
	}
	if keep {
		c.put(on)
	}
	return err
}

func (c *conns) header(method, target string, body []byte) string {
	head := method + " " + target + c.fixed
	if body != nil {
		head += "Content-Type: application/json\r\n"
	}
	if body != nil || method == http.MethodPost || method == http.MethodPut {
		head += "Content-Length: " + strconv.Itoa(len(body)) + "\r\n"
	}
	return head + "\r\n"
}

// ask leaves the answer's body in the buffer. keep says whether the connection can be used again.
func (c *conn) ask(head string, body []byte) (status int, keep bool, err error) {
	c.buffer.Reset()
	c.buffer.WriteString(head)
	c.buffer.Write(body)
	if _, err := c.Write(c.buffer.Bytes()); err != nil {
		return 0, false, err
	}
	res, err := http.ReadResponse(c.answers, nil)
	if err != nil {
		return 0, false, err
	}
	defer res.Body.Close()
	c.buffer.Reset()
	size, err := c.buffer.ReadFrom(io.LimitReader(res.Body, mostAnswer))
	if err == nil && size == mostAnswer {
		err = errors.New("the answer is too long")
	}
	return res.StatusCode, !res.Close, err
}

// take is a connection that is still up, or a new one.
func (c *conns) take(ctx context.Context) (*conn, error) {
	for {
		c.mu.Lock()
		last := len(c.idle) - 1
		if last < 0 {
			c.mu.Unlock()
			return c.open(ctx)
		}
		on := c.idle[last]
		c.idle = c.idle[:last]
		c.mu.Unlock()
		if time.Since(on.used) < idleConns && on.up() {
			return on, nil
		}
		on.Close()
	}
}

func (c *conns) open(ctx context.Context) (*conn, error) {
	raw, err := c.dial(ctx, "tcp", c.address)
	if err != nil {
		return nil, err
	}
	if c.tls != nil {
		secure := tls.Client(raw, c.tls)
		if err := secure.HandshakeContext(ctx); err != nil {
			return nil, errors.Join(err, raw.Close())
		}
		raw = secure
	}
	return &conn{Conn: raw, answers: bufio.NewReader(raw)}, nil
}

// put keeps a connection for the next request, and closes those that have been
// idle for too long: they are the first.
func (c *conns) put(on *conn) {
	on.used = time.Now()
	if on.buffer.Cap() > keptBuffer {
		on.buffer = bytes.Buffer{}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.idle = append(c.idle, on)
	old := max(len(c.idle)-keptConns, 0)
	for old < len(c.idle) && on.used.Sub(c.idle[old].used) >= idleConns {
		old++
	}
	c.drop(old)
}

// close closes the connections that nobody uses.
func (c *conns) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drop(len(c.idle))
}

func (c *conns) drop(first int) {
	for _, on := range c.idle[:first] {
		on.Close()
	}
	kept := copy(c.idle, c.idle[first:])
	clear(c.idle[kept:])
	c.idle = c.idle[:kept]
}

// up says whether the other end has not closed an idle connection: a command
// that is written into one that is closed fails, and it cannot be told whether
// it was carried out.
func (c *conn) up() bool {
	inner := c.Conn
	if secure, ok := inner.(*tls.Conn); ok {
		inner = secure.NetConn()
	}
	raw, ok := inner.(syscall.Conn)
	if !ok {
		return true
	}
	socket, err := raw.SyscallConn()
	if err != nil {
		return false
	}
	quiet := false
	err = socket.Read(func(fd uintptr) bool {
		_, err := syscall.Read(int(fd), make([]byte, 1))
		quiet = errors.Is(err, syscall.EAGAIN)
		return true // whatever it is, it is not waited for
	})
	return err == nil && quiet
}
