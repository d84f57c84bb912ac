package softphone

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// relearnAfter is how long Asterisk must have been silent on a port before
// packets from another address are believed to be its.
const relearnAfter = 2 * time.Second

// ErrPortClosed is what plugging in a port returns that was closed.
var ErrPortClosed = errors.New("softphone: the port is closed")

// Port is one RTP socket towards one ExternalMedia leg of Asterisk. It lives as
// long as the leg, whatever browser's line is plugged into it: to Asterisk it
// is one source, at the address that was named as external_host, as its strict
// RTP wants it.
//
// It sends nothing of its own while no browser speaks. Asterisk needs none to
// keep the leg (chan_rtp has no time-out), and silence made up here would stand
// in recordings as silence kept by somebody.
type Port struct {
	gateway *Gateway
	codec   Codec
	conn    *net.UDPConn
	at      netip.AddrPort
	done    chan struct{}

	line  atomic.Pointer[line]
	told  atomic.Bool // the far side was told, and is not learned
	far   atomic.Pointer[netip.AddrPort]
	heard atomic.Int64 // when the last packet came, in Unix ns

	out struct {
		sync.Mutex
		stream *stream
	}
	meter meter
	sent  atomic.Uint64
}

// Port opens a port at an address of this machine that Asterisk can reach; its
// port 0: any that is free. After a restart the same address is asked for
// again, so that the leg goes on.
func (g *Gateway) Port(at netip.AddrPort) (*Port, error) {
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(at))
	if err != nil {
		return nil, fmt.Errorf("softphone: opening a port for Asterisk's audio at %s: %w", at, err)
	}
	bound := conn.LocalAddr().(*net.UDPAddr).AddrPort()
	p := &Port{gateway: g, codec: g.o.Codec, conn: conn, done: make(chan struct{}),
		at: netip.AddrPortFrom(bound.Addr().Unmap(), bound.Port())}
	p.out.stream = newStreamOf(p.at.String(), time.Now())
	if !g.keepPort(p) {
		_ = conn.Close()
		return nil, ErrClosed
	}
	go p.receive()
	return p, nil
}

// Addr is where the port is: what Asterisk is given as external_host.
func (p *Port) Addr() netip.AddrPort { return p.at }

// Far tells the port Asterisk's address (UNICASTRTP_LOCAL_ADDRESS and _PORT),
// so that the browser is heard before Asterisk has sent anything. Without it
// the address is learned from the first packet.
func (p *Port) Far(address netip.AddrPort) {
	address = netip.AddrPortFrom(address.Addr().Unmap(), address.Port())
	p.told.Store(true)
	p.far.Store(&address)
}

// Close ends the port and lets go of its address. It may be called twice.
func (p *Port) Close() error {
	p.gateway.unplugPort(p)
	err := p.conn.Close()
	<-p.done
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// receive sends what comes from Asterisk on to the line.
func (p *Port) receive() {
	defer close(p.done)
	buffer := make([]byte, 1500)
	for {
		n, from, err := p.conn.ReadFromUDPAddrPort(buffer)
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			p.gateway.figures.errors.Inc()
			time.Sleep(firstPause) // it is not closed, so it goes on
		default:
			p.fromAsterisk(buffer[:n], netip.AddrPortFrom(from.Addr().Unmap(), from.Port()))
		}
	}
}

func (p *Port) fromAsterisk(data []byte, from netip.AddrPort) {
	figures := p.gateway.figures
	packet, err := parsePacket(data)
	if err != nil {
		figures.dropped.malformed.Add(1)
		return
	}
	if packet.pt != p.codec.payloadType() || len(packet.payload) == 0 {
		figures.dropped.unknown.Add(1)
		if far := p.far.Load(); far != nil && *far == from {
			p.meter.other(packet)
		}
		return
	}
	now := time.Now()
	if !p.believes(from, now) {
		figures.dropped.stranger.Add(1)
		return
	}
	p.heard.Store(now.UnixNano())
	p.meter.arrived(packet, now)
	if line := p.line.Load(); line != nil {
		line.toBrowser(packet, now)
	}
}

// believes says whether a packet is Asterisk's, and learns where it is.
func (p *Port) believes(from netip.AddrPort, now time.Time) bool {
	far := p.far.Load()
	if far != nil && *far == from {
		return true
	}
	if p.told.Load() || far != nil && now.Sub(time.Unix(0, p.heard.Load())) < relearnAfter {
		return false
	}
	p.far.Store(&from)
	return true
}

// pass takes note of a packet of the browser's that is not sent on.
func (p *Port) pass(packet packet) {
	p.out.Lock()
	defer p.out.Unlock()
	p.out.stream.pass(packet)
}

// toAsterisk sends a packet of the browser's on; it may write over it.
func (p *Port) toAsterisk(packet packet, now time.Time) {
	figures := p.gateway.figures
	far := p.far.Load()
	if far == nil {
		figures.dropped.unconnected.Add(1)
		return
	}
	p.out.Lock()
	defer p.out.Unlock()
	n, fresh := p.out.stream.next(packet, now)
	if !fresh {
		figures.dropped.again.Add(1)
		return
	}
	n.ssrc = p.out.stream.ssrc
	if _, err := p.conn.WriteToUDPAddrPort(packet.renumbered(n), *far); err != nil {
		figures.dropped.unsent.Add(1)
		return
	}
	p.sent.Add(1)
	figures.up.Add(1)
}
