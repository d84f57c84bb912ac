package softphone

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"
)

// guarded is the UDP socket that all browsers' media pass through. pion's mux
// gives up for good, with every line on it, at the first error of a read; so it
// sees none: an error is counted and read over, and a socket that does not
// recover is replaced by another on the same address. Where another process has
// that address still, it is waited for.
type guarded struct {
	listen func() (datagrams, error) // on the address of before
	failed func()                    // counts
	log    *slog.Logger
	local  net.Addr
	from   addresses // of the reader alone

	mu     sync.RWMutex
	conn   datagrams     // nil: another process has the address
	bound  chan struct{} // closed when we have it
	closed chan struct{}
}

// datagrams is what is needed of a *net.UDPConn.
type datagrams interface {
	net.PacketConn
	ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error)
}

// addresses are those that packets came from, as the mux wants them: one for
// each browser, instead of one for each packet.
type addresses map[netip.AddrPort]*net.UDPAddr

// maxAddresses bounds them, as anybody may send.
const maxAddresses = 4096

func (a addresses) of(from netip.AddrPort) *net.UDPAddr {
	address, known := a[from]
	if !known {
		if len(a) >= maxAddresses {
			clear(a)
		}
		address = net.UDPAddrFromAddrPort(from)
		a[from] = address
	}
	return address
}

// The pace of recovering: so many errors in a row are read over before the
// socket is replaced, with pauses that double up to the longest.
const (
	errorsBeforeReplaced = 3
	firstPause           = 5 * time.Millisecond
	longestPause         = time.Second
	freeAgain            = 10 * time.Millisecond // how often it is looked whether an address is free
)

// listenGuarded opens the socket. receive is how large its buffer should be.
// With heir an address that is in use is waited for: a process that is being
// relieved lets go of it when it leaves. The port of both is then one that was
// named, and not any.
func listenGuarded(addr *net.UDPAddr, receive int, heir bool, log *slog.Logger, failed func()) (*guarded, error) {
	g := &guarded{failed: failed, log: log, from: addresses{}, bound: make(chan struct{}), closed: make(chan struct{}), local: addr}
	g.listen = func() (datagrams, error) { return listenUDP(g.local.(*net.UDPAddr), receive) }
	conn, err := listenUDP(addr, receive)
	switch {
	case heir && errors.Is(err, syscall.EADDRINUSE):
		return g, nil
	case err != nil:
		return nil, err
	}
	g.conn, g.local = conn, conn.LocalAddr()
	close(g.bound)
	return g, nil
}

// inherit waits until the address is ours; false: until it is closed instead.
func (g *guarded) inherit() bool {
	select {
	case <-g.bound:
		return true
	default:
	}
	tick := time.NewTicker(freeAgain)
	defer tick.Stop()
	for g.current() == nil {
		select {
		case <-g.closed:
			return false
		case <-tick.C:
			g.take()
		}
	}
	return true
}

// take opens the socket if its address is free by now.
func (g *guarded) take() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.isClosed() {
		return
	}
	if conn, err := g.listen(); err == nil {
		g.conn = conn
		close(g.bound)
	}
}

func listenUDP(addr *net.UDPAddr, receive int) (*net.UDPConn, error) {
	conn, err := net.ListenUDP("udp", addr)
	if err != nil {
		return nil, fmt.Errorf("softphone: listening on %s: %w", addr, err)
	}
	enlarge(conn, receive)
	return conn, nil
}

// enlarge asks for a larger buffer: beyond the kernel's limit
// (net.core.rmem_max) where the process may, up to it where it may not.
func enlarge(conn *net.UDPConn, receive int) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		if syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUFFORCE, receive) != nil {
			_ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, receive)
		}
	})
}

func (g *guarded) current() datagrams {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.conn
}

// ReadFrom returns a packet, or net.ErrClosed after Close. It is for one
// goroutine, the mux's, which must not change the address.
func (g *guarded) ReadFrom(b []byte) (int, net.Addr, error) {
	if !g.inherit() {
		return 0, nil, net.ErrClosed
	}
	for pause, failures := firstPause, 1; ; failures++ {
		conn := g.current()
		n, from, err := conn.ReadFromUDPAddrPort(b)
		if err == nil {
			if failures > 1 {
				g.log.Info("softphone: the media socket receives again", "errors", failures-1)
			}
			return n, g.from.of(from), nil
		}
		if g.isClosed() {
			return 0, nil, net.ErrClosed
		}
		g.failed()
		if failures == 1 {
			g.log.Warn("softphone: the media socket failed; it is tried again, then replaced", "address", g.local, "err", err)
		}
		if failures >= errorsBeforeReplaced || errors.Is(err, net.ErrClosed) {
			g.replace(conn)
		}
		select {
		case <-g.closed:
			return 0, nil, net.ErrClosed
		case <-time.After(pause):
			pause = min(2*pause, longestPause)
		}
	}
}

// replace puts a new socket in the place of old. Where that fails it is tried
// again after the next error.
func (g *guarded) replace(old datagrams) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.isClosed() {
		return
	}
	_ = old.Close() // the address must be free
	if conn, err := g.listen(); err == nil {
		g.conn = conn
	}
}

// WriteTo sends a packet; one that cannot be sent is as good as lost.
func (g *guarded) WriteTo(b []byte, to net.Addr) (int, error) {
	conn := g.current()
	if conn == nil {
		return len(b), nil
	}
	n, err := conn.WriteTo(b, to)
	if err != nil && !g.isClosed() {
		g.failed()
		return len(b), nil
	}
	return n, err
}

func (g *guarded) isClosed() bool {
	select {
	case <-g.closed:
		return true
	default:
		return false
	}
}

// Close ends it; reads return.
func (g *guarded) Close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.isClosed() {
		return nil
	}
	close(g.closed)
	if g.conn == nil {
		return nil
	}
	return g.conn.Close()
}

// LocalAddr is the address it had from the beginning.
func (g *guarded) LocalAddr() net.Addr { return g.local }

// SetDeadline and its kin are not used by the mux.
func (g *guarded) SetDeadline(time.Time) error      { return errors.ErrUnsupported }
func (g *guarded) SetReadDeadline(time.Time) error  { return errors.ErrUnsupported }
func (g *guarded) SetWriteDeadline(time.Time) error { return errors.ErrUnsupported }
