package web

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// So many visits are one address's in ten minutes, and so many everybody's; then the window is over.
func TestVisitsAreBounded(t *testing.T) {
	var v visits
	now := time.Date(2026, 3, 10, 9, 30, 0, 0, time.UTC)
	home, neighbour := netip.MustParseAddr("2001:db8:0:1::7"), netip.MustParseAddr("2001:db8:0:1::8")
	for n := range visitsFrom {
		if wait := v.wait(home, now.Add(time.Duration(n)*time.Second)); wait != 0 {
			t.Fatalf("visit %d has to wait for %v", n+1, wait)
		}
	}
	if wait := v.wait(neighbour, now.Add(time.Minute)); wait != visitWindow-time.Minute {
		t.Errorf("one visit too many of a network waits %v, want until the window is over", wait)
	}
	for n := range visitsOfAll - visitsFrom {
		if wait := v.wait(netip.AddrFrom4([4]byte{10, 1, byte(n >> 8), byte(n)}), now); wait != 0 {
			t.Fatalf("the %dth visit of all waits %v", n+visitsFrom+1, wait)
		}
	}
	if v.wait(netip.MustParseAddr("192.0.2.1"), now) == 0 {
		t.Error("there is no end to the visits of all")
	}
	if wait := v.wait(home, now.Add(visitWindow)); wait != 0 || len(v.from) != 1 {
		t.Errorf("after the window a visit waits %v, and %d addresses are kept", wait, len(v.from))
	}
}

// fakeVisits are calls of which some go on: "over" does not, and of "found later" nothing is known yet.
type fakeVisits struct{}

func (fakeVisits) Ticket(visitor string) string { return "for " + visitor }
func (fakeVisits) Visiting(visitor string) (is, known bool) {
	return visitor != "over" && visitor != "found later", visitor != "found later"
}

// A visitor needs no account, where calls from pages are taken, and comes back to the call that goes on as often as need be.
func TestVisitors(t *testing.T) {
	d := newDesk(t)
	nobody := &person{desk: d}
	nobody.gets(404, nil, "POST", "/call/ticket", "{}")
	var ways Ways
	if nobody.gets(200, &ways, "GET", "/session/ways", ""); ways.Visitors {
		t.Error("a page is told that customers may call from it, where they may not")
	}
	d.api.o.Visit = fakeVisits{}
	if nobody.gets(200, &ways, "GET", "/session/ways", ""); !ways.Visitors {
		t.Error("no page is told that customers may call from it")
	}
	var one, again VisitTicket
	nobody.gets(200, &one, "POST", "/call/ticket", "{}")
	if len(one.Visitor) < 26 || one.Ticket != "for "+one.Visitor {
		t.Errorf("the ticket is %+v", one)
	}
	for range 2 * visitsFrom {
		nobody.gets(200, &again, "POST", "/call/ticket", string(encode(Visit{one.Visitor})))
	}
	if again.Visitor != one.Visitor || again.Ticket != one.Ticket {
		t.Errorf("who comes back is given %+v", again)
	}
	nobody.gets(404, nil, "POST", "/call/ticket", `{"visitor":"over"}`)
	nobody.gets(503, nil, "POST", "/call/ticket", `{"visitor":"found later"}`)
	nobody.gets(400, nil, "POST", "/call/ticket", `{"visit":"x"}`)
	for range atOnceFrom - 1 {
		nobody.gets(200, nil, "POST", "/call/ticket", "")
	}
	if full := nobody.gets(429, nil, "POST", "/call/ticket", "{}").Body.String(); !strings.Contains(full, "urn:hotline:visits-full") {
		t.Errorf("one more at the same time than may be is answered: %s", full)
	}
}

// Visitors at the same time are so many of an address, and so many of all, whether they are on their way or here.
func TestVisitorsAtOnceAreBounded(t *testing.T) {
	var v visits
	now := time.Date(2026, 3, 10, 9, 30, 0, 0, time.UTC)
	here := map[string]bool{}
	comes := func(name string, from byte) bool {
		at := netip.AddrFrom4([4]byte{192, 0, 2, from})
		if !v.room(at, now, 8, func(visitor string) bool { return here[visitor] }) {
			return false
		}
		here[name] = true
		v.stay(name, at, now)
		v.stay(name, at, now) // and again, as the socket breaks
		return true
	}
	for n := range atOnceFrom {
		if !comes(fmt.Sprint("a", n), 1) {
			t.Fatalf("visitor %d of an address is refused", n+1)
		}
	}
	if comes("a more", 1) {
		t.Error("there is no end to the visitors of one address")
	}
	for n := range 8 - atOnceFrom {
		if !comes(fmt.Sprint("b", n), 2) {
			t.Fatalf("visitor %d of another address is refused", n+1)
		}
	}
	if comes("c", 3) {
		t.Error("there is no end to the visitors of all")
	}
	delete(here, "a0")
	if comes("c", 3) {
		t.Error("a visitor with a ticket that is good does not count")
	}
	now = now.Add(ticketLasts + time.Second)
	if !comes("c", 3) || comes("d", 3) {
		t.Error("one has left, and one may come")
	}
}
