package web

import (
	"net/netip"
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

// A visitor needs no account, where calls from pages are taken.
func TestVisitors(t *testing.T) {
	d := newDesk(t)
	nobody := &person{desk: d}
	nobody.gets(404, nil, "POST", "/call/ticket", "{}")
	var ways Ways
	if nobody.gets(200, &ways, "GET", "/session/ways", ""); ways.Visitors {
		t.Error("a page is told that customers may call from it, where they may not")
	}
	d.api.o.Visit = func() string { return "for a visitor" }
	if nobody.gets(200, &ways, "GET", "/session/ways", ""); !ways.Visitors {
		t.Error("no page is told that customers may call from it")
	}
	var one Ticket
	nobody.gets(200, &one, "POST", "/call/ticket", "{}")
	if one.Ticket != "for a visitor" {
		t.Errorf("the ticket is %+v", one)
	}
	for range visitsFrom - 1 {
		nobody.gets(200, nil, "POST", "/call/ticket", "{}")
	}
	nobody.gets(429, nil, "POST", "/call/ticket", "{}")
}
