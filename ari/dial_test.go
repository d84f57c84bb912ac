package ari_test

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hotline/ari/aritest"
)

// Requests and the websocket use the dialer that was given: that is how a test,
// or a proxy, gets between us and Asterisk.
func TestEverythingGoesThroughTheDialer(t *testing.T) {
	server := aritest.Start(t)
	var dialed atomic.Int32
	o := options(server)
	o.URL = "http://asterisk.invalid:8088/ari" // found by the dialer alone
	o.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		if address != "asterisk.invalid:8088" {
			t.Errorf("%s is dialed", address)
		}
		dialed.Add(1)
		return new(net.Dialer).DialContext(ctx, network, server.URL()[len("http://"):len(server.URL())-len("/ari")])
	}
	link := run(t, o)
	server.Arrive(aritest.Caller{ID: "caller"})
	if a := arrived(t, link); a.ChannelID != "caller" {
		t.Errorf("arrival %+v", a)
	}
	if _, err := link.Channels(t.Context()); err != nil {
		t.Errorf("a request: %v", err)
	}
	if n := dialed.Load(); n < 2 {
		t.Errorf("the dialer was used %d times: want it for the websocket and for requests", n)
	}
}

// A crowd of requests to an Asterisk that is slow waits its turn: more connections than its sessionlimit would be refused.
func TestTheConnectionsToAsteriskAreBounded(t *testing.T) {
	const crowd, most = 600, 200 + 1 // and the websocket
	server := aritest.Start(t)
	o := options(server)
	var open, mostOpen atomic.Int32
	o.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		now := open.Add(1)
		for seen := mostOpen.Load(); now > seen && !mostOpen.CompareAndSwap(seen, now); seen = mostOpen.Load() {
		}
		return &countedConn{Conn: conn, closed: sync.OnceFunc(func() { open.Add(-1) })}, nil
	}
	link := run(t, o)
	server.Stall(200 * time.Millisecond)
	var asked sync.WaitGroup
	for range crowd {
		asked.Go(func() {
			if _, err := link.Channels(t.Context()); err != nil {
				t.Errorf("a request of the crowd: %v", err)
			}
		})
	}
	asked.Wait()
	server.Stall(0)
	if n := mostOpen.Load(); n > most {
		t.Errorf("%d connections were open at a time, want at most %d", n, most)
	}
}

type countedConn struct {
	net.Conn
	closed func()
}

func (c *countedConn) Close() error {
	c.closed()
	return c.Conn.Close()
}
