package desk_test

import (
	"sync/atomic"
	"testing"

	"hotline/ari"
	"hotline/softphone/softphonetest"
)

// Who has been signed out has no desk any more: nothing that they ask for is done, and their page is told. A talk goes on to
// its end.
func TestADeskOutlivesNoRight(t *testing.T) {
	w := newWorld(t)
	var out atomic.Bool
	b, err := softphonetest.Open(w.ctx, w.page, w.gateway.TicketWhile(agent, func() bool { return !out.Load() }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	p := &person{Browser: b, w: w}
	p.connect()
	c, m := w.talks(p)
	out.Store(true)
	if code := p.does(`{"act":"hold"}`); code != "" {
		t.Errorf("in a talk that was there before an act is refused with %q", code)
	}
	m.says('4')
	p.hear('4')
	if err := c.leg.Leave(w.ctx); err != nil {
		t.Fatal(err)
	}
	c.sees(ari.Gone)
	if code := p.does(`{"act":"echo"}`); code != "session" {
		t.Errorf("after the talk an act is refused with %q, want session", code)
	}
	if f, err := p.Next(w.ctx, "gone"); err != nil || f.Code != "closed" {
		t.Errorf("the page is told %+v, %v", f, err)
	}
}

// … and neither does a page that asks for nothing.
func TestAnIdleDeskOutlivesNoRight(t *testing.T) {
	w := newWorld(t)
	b, err := softphonetest.Open(w.ctx, w.page, w.gateway.TicketWhile(agent, func() bool { return false }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	if f, err := b.Next(w.ctx, "gone"); err != nil || f.Code != "closed" {
		t.Errorf("the page is told %+v, %v", f, err)
	}
}
