package ari_test

import (
	"context"
	"net"
	"sync/atomic"
	"testing"

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
