package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/rtp"

	"hotline/softphone/softphonetest"
)

const (
	every     = 20 * time.Millisecond
	frameSize = 160
)

// load is all calls, and what became of their packets.
type load struct {
	gateway  *gateway
	calls    []*call
	up, down tally
	epoch    time.Time
}

func newLoad(g *gateway) *load { return &load{gateway: g, epoch: time.Now()} }

// call is a browser, and Asterisk's end of its leg.
type call struct {
	load       *load
	browser    *softphonetest.Browser
	connection *softphonetest.Connection
	leg        *net.UDPConn
	port       netip.AddrPort
	reading    sync.WaitGroup
	up, down   uint16 // numbers sent
}

// add connects a call.
func (l *load) add(ctx context.Context, n int) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	owner := url.Values{"owner": {fmt.Sprint("agent-", n)}}
	token, err := l.gateway.ask(ctx, "/ticket", owner)
	if err != nil {
		return err
	}
	c := &call{load: l}
	if c.browser, err = softphonetest.Open(ctx, softphonetest.Page{URL: "ws://" + l.gateway.address + "/signal"}, token); err != nil {
		return err
	}
	l.calls = append(l.calls, c)
	if c.connection, err = c.browser.NewConnection(); err != nil {
		return err
	}
	c.connection.Heard = func(p *rtp.Packet) { l.down.received(p.Payload, l.epoch) }
	if err := c.connection.Connect(ctx); err != nil {
		return err
	}
	if c.leg, err = net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}); err != nil {
		return err
	}
	c.reading.Go(c.read)
	c.fromBrowser() // the gateway plugs in when it hears something
	owner.Set("far", c.leg.LocalAddr().String())
	at, err := l.gateway.ask(ctx, "/plug", owner)
	if err != nil {
		return err
	}
	c.port, err = netip.ParseAddrPort(at)
	return err
}

// speak has all calls send for so long, and waits for the last packets.
func (l *load) speak(ctx context.Context, length time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, length)
	defer cancel()
	var speaking sync.WaitGroup
	for n, c := range l.calls {
		speaking.Go(func() {
			offset := every * time.Duration(n) / time.Duration(len(l.calls)) // not all at once
			time.Sleep(offset)
			ticker := time.NewTicker(every)
			defer ticker.Stop()
			for ctx.Err() == nil {
				c.fromBrowser()
				c.fromAsterisk()
				select {
				case <-ticker.C:
				case <-ctx.Done():
				}
			}
		})
	}
	speaking.Wait()
	for end := time.Now().Add(2 * time.Second); time.Now().Before(end) && l.up.lost()+l.down.lost() > 0; {
		time.Sleep(10 * time.Millisecond)
	}
}

func (l *load) forget() {
	l.up.forget()
	l.down.forget()
}

func (l *load) close() {
	for _, c := range l.calls {
		if c.leg != nil {
			c.leg.Close()
		}
		c.browser.Close()
		c.reading.Wait()
	}
}

// payload is 20 ms that tell when they were sent.
func (c *call) payload() []byte {
	p := make([]byte, frameSize)
	for i := range p {
		p[i] = 0xff
	}
	binary.BigEndian.PutUint64(p, uint64(time.Since(c.load.epoch)))
	return p
}

func header(seq *uint16) rtp.Header {
	*seq++
	return rtp.Header{Version: 2, SSRC: 1, SequenceNumber: *seq, Timestamp: uint32(*seq) * frameSize}
}

func (c *call) fromBrowser() {
	if err := c.connection.Send(rtp.Packet{Header: header(&c.up), Payload: c.payload()}); err == nil {
		c.load.up.sent.Add(1)
	}
}

func (c *call) fromAsterisk() {
	data, err := (&rtp.Packet{Header: header(&c.down), Payload: c.payload()}).Marshal()
	if err != nil {
		return
	}
	if _, err := c.leg.WriteToUDPAddrPort(data, c.port); err == nil {
		c.load.down.sent.Add(1)
	}
}

func (c *call) read() {
	buffer := make([]byte, 1500)
	for {
		n, _, err := c.leg.ReadFromUDPAddrPort(buffer)
		if err != nil {
			return
		}
		if n == 12+frameSize {
			c.load.up.received(buffer[12:n], c.load.epoch)
		}
	}
}

// tally is one direction.
type tally struct {
	sent atomic.Int64

	mu     sync.Mutex
	delays []time.Duration
	sorted bool
}

func (t *tally) received(payload []byte, epoch time.Time) {
	delay := time.Since(epoch) - time.Duration(binary.BigEndian.Uint64(payload))
	t.mu.Lock()
	defer t.mu.Unlock()
	t.delays, t.sorted = append(t.delays, delay), false
}

func (t *tally) lost() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.sent.Load() - int64(len(t.delays))
}

// delay is a quantile in ms.
func (t *tally) delay(share float64) float64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.delays) == 0 {
		return 0
	}
	if !t.sorted {
		slices.Sort(t.delays)
		t.sorted = true
	}
	return float64(t.delays[min(len(t.delays)-1, int(share*float64(len(t.delays))))].Microseconds()) / 1000
}

func (t *tally) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sent.Store(0)
	t.delays = nil
}
