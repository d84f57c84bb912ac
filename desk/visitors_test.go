package desk_test

import (
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"hotline/ari"
	"hotline/desk"
	"hotline/softphone"
	"hotline/softphone/softphonetest"
)

// next is the process after this one, whose sockets end.
func (w *world) next() *world {
	w.t.Helper()
	if err := w.gateway.Close(); err != nil {
		w.t.Fatal(err)
	}
	again := &world{t: w.t, ctx: w.ctx, link: w.link, told: w.told}
	again.Desks = desk.New(desk.Options{Link: w.link, Agents: w, Media: loopback, Codec: "alaw", Visitors: &desk.Visitors{Context: "in", Exten: "96196"}})
	var err error
	if again.gateway, err = softphone.New(softphone.Options{App: again.Desks, Listen: netip.AddrPortFrom(loopback, 0), Codec: softphone.PCMA}); err != nil {
		w.t.Fatal(err)
	}
	again.Attach(again.gateway, w)
	page := httptest.NewServer(again.gateway)
	again.page = softphonetest.Page{URL: "ws" + strings.TrimPrefix(page.URL, "http"), Origin: page.URL}
	w.t.Cleanup(func() {
		if err := again.gateway.Close(); err != nil {
			w.t.Error(err)
		}
		again.Stop()
		page.Close()
	})
	return again
}

// A visitor whose socket breaks comes back to the call with what their page kept, and so do those of a process that is
// gone; one whose call is over does not call again.
func TestAVisitorComesBack(t *testing.T) {
	w := newWorld(t)
	arrived := make(chan ari.Arrival, 1)
	go func() { arrived <- <-w.link.Arrivals() }()
	visitor := desk.VisitorOf("a secret")
	if is, known := w.Visiting(visitor); is || known {
		t.Errorf("before anybody can have come back a visitor is here: %v, and that is known: %v", is, known)
	}
	p := w.sits(visitor)
	c := &call{world: w, session: w.link.Session("20260206-090000-0001")}
	t.Cleanup(c.session.Close)
	c.leg = c.session.Adopt(<-arrived)
	m := w.asterisk(c.leg)
	m.says('3')
	p.hear('3')
	p.Cut()
	if is, known := w.Visiting(visitor); !is || !known {
		t.Errorf("a visitor whose socket broke is here: %v, and that is known: %v", is, known)
	}
	if err := p.Resume(w.ctx, w.gateway.Ticket(visitor)); err != nil || !p.Welcome.Resumed {
		t.Fatalf("the page comes back to %+v, %v", p.Welcome, err)
	}
	m.says('4')
	p.hear('4')
	if strings.Contains(c.leg.ID(), "secret") {
		t.Errorf("the channel %s is named after the secret", c.leg.ID())
	}

	// The service is started anew: the leg is found, and then the page comes, whose session is gone.
	channels, err := w.link.Channels(w.ctx)
	if err != nil || len(channels) != 1 {
		t.Fatalf("the channels are %v, %v", channels, err)
	}
	c.session.Close()
	p.quiet()
	again := w.next()
	session := w.link.Reopen("20260206-090000-0001", 1)
	t.Cleanup(session.Close)
	at, _ := channels[0].External()
	leg := session.Restore(channels[0])
	again.Found("", leg, at)
	again.until("the call is found", func() bool { is, _ := again.Visiting(visitor); return is })
	p = again.sits(visitor)
	m.says('5')
	p.hear('5')
	m.hears('6')
	if err := leg.Hangup(w.ctx, 0, "the call is over"); err != nil {
		t.Fatal(err)
	}
	again.until("nobody visits any more", func() bool { is, _ := again.Visiting(visitor); return !is })
}
