package web

import (
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// Visitors call from a page without an account. Nobody may keep the line busy
// with that: so many tickets are given in so long, to one address and in all.
const (
	visitWindow  = 10 * time.Minute
	visitsFrom   = 10  // one address, or one network of IPv6
	visitsOfAll  = 600 // which also bounds what is kept
	networkOfOne = 64  // bits of IPv6 that one customer has
)

// visits counts tickets since the window began.
type visits struct {
	mu    sync.Mutex
	since time.Time
	from  map[netip.Addr]int
	all   int
}

// wait is how long an address has to wait for a ticket; 0: it is given one.
func (v *visits) wait(address netip.Addr, now time.Time) time.Duration {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.from == nil || now.Sub(v.since) >= visitWindow || now.Before(v.since) {
		v.since, v.from, v.all = now, map[netip.Addr]int{}, 0
	}
	one := neighbourhood(address)
	if v.from[one] >= visitsFrom || v.all >= visitsOfAll {
		return v.since.Add(visitWindow).Sub(now)
	}
	v.from[one]++
	v.all++
	return 0
}

// neighbourhood is the address itself, or the network that one customer has.
func neighbourhood(address netip.Addr) netip.Addr {
	if address = address.Unmap(); address.Is6() {
		if network, err := address.Prefix(networkOfOne); err == nil {
			return network.Addr()
		}
	}
	return address
}

// visitors says whether there may be any.
func (a *API) visitors() bool { return a.o.Visit != nil && a.signing != nil }

// giveVisit is a ticket for somebody who calls from a page.
func (a *API) giveVisit(r request) (reply, error) {
	if !a.visitors() {
		return reply{}, problem(http.StatusNotFound, "no-visitors", "nobody calls from a page here")
	}
	if wait := a.visits.wait(a.signing.address(r.Request), time.Now()); wait > 0 {
		return reply{}, later("visits", wait)
	}
	return reply{body: Ticket{a.o.Visit(), time.Now().Add(ticketLasts).UTC()}}, nil
}
