package faults

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
)

// Network is the way between somebody's browser and a service: pages and signalling by TCP, sound by UDP. It has an
// address of its own and the service's ports, so that a page sees another machine. Close it.
type Network struct {
	web, media netip.AddrPort // the service's
	listener   net.Listener
	sound      *net.UDPConn
	ctx        context.Context
	cancel     context.CancelFunc
	serving    sync.WaitGroup

	mu    sync.Mutex
	cut   chan struct{}                   // closed when the cut is mended; nil: nothing is cut
	mute  bool                            // sound is cut as well
	ways  map[netip.AddrPort]*net.UDPConn // to the service, by where the browser sends from; nil for what it had open in a network that it has left
	wires map[net.Conn]struct{}
	left  chan struct{} // closed when the browser leaves for another network: whatever is open goes nowhere from then on
}

// NewNetwork stands at an address of loopback before a service that is at another one.
func NewNetwork(at netip.Addr, web, media netip.AddrPort) (*Network, error) {
	n := &Network{web: web, media: media, ways: map[netip.AddrPort]*net.UDPConn{}, wires: map[net.Conn]struct{}{}, left: make(chan struct{})}
	n.ctx, n.cancel = context.WithCancel(context.Background())
	var err error
	if n.listener, err = net.Listen("tcp", netip.AddrPortFrom(at, web.Port()).String()); err != nil {
		return nil, fmt.Errorf("a network before %s: %w", web, err)
	}
	if n.sound, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(at, media.Port()))); err != nil {
		return nil, errors.Join(fmt.Errorf("a network before %s: %w", media, err), n.listener.Close())
	}
	n.serving.Go(n.accept)
	n.serving.Go(n.hear)
	return n, nil
}

// Web is where a browser finds the service's pages.
func (n *Network) Web() netip.AddrPort { return netip.MustParseAddrPort(n.listener.Addr().String()) }

// Close ends everything that is under way.
func (n *Network) Close() {
	n.cancel()
	_ = n.listener.Close()
	_ = n.sound.Close()
	n.mu.Lock()
	for wire := range n.wires {
		_ = wire.Close()
	}
	for _, way := range n.ways {
		if way != nil {
			_ = way.Close()
		}
	}
	n.mu.Unlock()
	n.serving.Wait()
}

// Cut lets nothing pass any more, in either direction, and tells nobody: sound is lost, what goes by TCP waits. mend lets
// it pass again.
func (n *Network) Cut() (mend func()) { return n.stop(true) }

// CutPages is a Cut of what goes by TCP alone, for a network that others' sound goes through as well.
func (n *Network) CutPages() (mend func()) { return n.stop(false) }

func (n *Network) stop(mute bool) (mend func()) {
	cut := make(chan struct{})
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cut, n.mute = cut, mute
	return sync.OnceFunc(func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.cut, n.mute = nil, false
		close(cut)
	})
}

// Leave is a browser that comes to another network, from Wi-Fi to a cable: whatever it had open goes nowhere, its sockets
// for sound as well, of which neither side is told. What it opens from then on comes from another address.
func (n *Network) Leave() {
	n.mu.Lock()
	defer n.mu.Unlock()
	close(n.left)
	n.left = make(chan struct{})
	for from, way := range n.ways {
		if way != nil {
			_ = way.Close()
			n.ways[from] = nil
		}
	}
}

// whole waits until nothing is cut; false when the network is left or closed meanwhile.
func (n *Network) whole(left <-chan struct{}) bool {
	for {
		n.mu.Lock()
		cut := n.cut
		n.mu.Unlock()
		select { // what was left before is not passed on, though nothing is cut
		case <-left:
			return false
		default:
		}
		if cut == nil {
			return n.ctx.Err() == nil
		}
		select {
		case <-cut:
		case <-left:
			return false
		case <-n.ctx.Done():
			return false
		}
	}
}

func (n *Network) isMute() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.mute
}

func (n *Network) accept() {
	for {
		browser, err := n.listener.Accept()
		if err != nil {
			return // closed
		}
		n.serving.Go(func() { n.serve(browser) })
	}
}

// serve passes one connection on, both ways, until either side ends it.
func (n *Network) serve(browser net.Conn) {
	n.mu.Lock()
	left := n.left
	n.mu.Unlock()
	if !n.keep(browser) {
		return
	}
	defer n.drop(browser)
	if !n.whole(left) {
		return
	}
	service, err := (&net.Dialer{}).DialContext(n.ctx, "tcp", n.web.String())
	if err != nil {
		return // the service is away: so is this wire
	}
	if !n.keep(service) {
		return
	}
	defer n.drop(service)
	var both sync.WaitGroup
	pass := func(to, from net.Conn) {
		buffer := make([]byte, 16<<10)
		for {
			size, err := from.Read(buffer)
			if !n.whole(left) {
				<-n.ctx.Done() // nobody is told
				return
			}
			if err != nil {
				_ = to.Close()
				return
			}
			if _, err := to.Write(buffer[:size]); err != nil {
				_ = from.Close()
				return
			}
		}
	}
	both.Go(func() { pass(service, browser) })
	both.Go(func() { pass(browser, service) })
	both.Wait()
}

// keep has a connection be closed with the network; false if that has happened.
func (n *Network) keep(wire net.Conn) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ctx.Err() != nil {
		_ = wire.Close()
		return false
	}
	n.wires[wire] = struct{}{}
	return true
}

func (n *Network) drop(wire net.Conn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	_ = wire.Close()
	delete(n.wires, wire)
}

// hear passes the browser's sound on.
func (n *Network) hear() {
	buffer := make([]byte, 1<<16)
	for {
		size, from, err := n.sound.ReadFromUDPAddrPort(buffer)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil || n.isMute() {
			continue // an error tells of a browser that is gone
		}
		if way := n.way(from); way != nil {
			_, _ = way.Write(buffer[:size]) // a service that is away loses it
		}
	}
}

// way is how a browser's sound goes to the service, and the service's to it.
func (n *Network) way(from netip.AddrPort) *net.UDPConn {
	n.mu.Lock()
	defer n.mu.Unlock()
	if way, there := n.ways[from]; there || n.ctx.Err() != nil {
		return way
	}
	way, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(n.media))
	if err != nil {
		return nil
	}
	n.ways[from] = way
	n.serving.Go(func() {
		buffer := make([]byte, 1<<16)
		for {
			size, err := way.Read(buffer)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err == nil && !n.isMute() {
				_, _ = n.sound.WriteToUDPAddrPort(buffer[:size], from)
			}
		}
	})
	return way
}
