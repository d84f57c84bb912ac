package web

import (
	"cmp"
	"crypto/rand"
	"net/http"
	"net/netip"
	"slices"
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

// Nor may they keep callers of the trunk from the line: there are so many
// visitors at once. Those of one address may be many customers of one provider.
const (
	usualVisits = 20
	atOnceFrom  = 5
	fullFor     = 30 * time.Second // until it is worth while to try again
)

// visits counts tickets since the window began.
type visits struct {
	mu    sync.Mutex
	since time.Time
	from  map[netip.Addr]int
	all   int
	here  []visit
}

// visit is a visitor who has been given a ticket. Who has left is forgotten when
// another one comes.
type visit struct {
	visitor string
	from    netip.Addr
	given   time.Time
}

// room says whether one more from an address may come now, of so many in all.
func (v *visits) room(from netip.Addr, now time.Time, most int, visiting func(visitor string) bool) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.here = slices.DeleteFunc(v.here, func(one visit) bool { return now.Sub(one.given) > ticketLasts && !visiting(one.visitor) })
	near := 0
	for _, one := range v.here {
		if one.from == from {
			near++
		}
	}
	return len(v.here) < most && near < atOnceFrom
}

// stay counts a visitor among those who are here, wherever they are by now.
func (v *visits) stay(visitor string, from netip.Addr, now time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.here = slices.DeleteFunc(v.here, func(one visit) bool { return one.visitor == visitor })
	v.here = append(v.here, visit{visitor, from, now})
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

// Visits are calls from pages without an account; package desk has them. A
// visitor is known by the secret that their page keeps.
type Visits interface {
	// Ticket lets the visitor's page open its line, once and soon.
	Ticket(secret string) string

	// Visiting says whether the visitor is at their page or in a call. Just after a
	// start it is not known.
	Visiting(secret string) (is, known bool)
}

// Visit is who calls, as it is read.
type Visit struct {
	Visitor string `json:"visitor"` // as the first ticket came with it; "": nobody yet
}

// VisitTicket is a ticket, and what further ones are given for.
type VisitTicket struct {
	Ticket  string    `json:"ticket"`
	Until   time.Time `json:"until"` // on the machine's clock
	Visitor string    `json:"visitor"`
}

// visitors says whether there may be any.
func (a *API) visitors() bool { return a.o.Visit != nil && a.signing != nil }

// giveVisit is a ticket for somebody who calls from a page, or comes back to the
// call that they have: that is no other visit.
func (a *API) giveVisit(r request) (reply, error) {
	if !a.visitors() {
		return reply{}, problem(http.StatusNotFound, "no-visitors", "nobody calls from a page here")
	}
	var asked Visit
	if r.ContentLength != 0 {
		if err := read(r, &asked); err != nil {
			return reply{}, err
		}
	}
	visitor, now := asked.Visitor, time.Now()
	if visitor == "" {
		visitor = rand.Text()
		if err := a.receive(visitor, a.signing.address(r.Request), now); err != nil {
			return reply{}, err
		}
	} else if is, known := a.o.Visit.Visiting(visitor); !known {
		return reply{}, problem(http.StatusServiceUnavailable, "stopping", "the service has just started, and looks for the calls there are; ask again")
	} else if !is {
		return reply{}, problem(http.StatusNotFound, "no-visit", "the call is over")
	}
	a.visits.stay(visitor, neighbourhood(a.signing.address(r.Request)), now)
	return reply{body: VisitTicket{a.o.Visit.Ticket(visitor), now.Add(ticketLasts).UTC(), visitor}}, nil
}

// receive lets one more visitor in, where there is room.
func (a *API) receive(visitor string, from netip.Addr, now time.Time) error {
	visiting := func(secret string) bool { is, _ := a.o.Visit.Visiting(secret); return is }
	if !a.visits.room(neighbourhood(from), now, cmp.Or(a.o.VisitsAtOnce, usualVisits), visiting) {
		return later("visits-full", fullFor)
	}
	if wait := a.visits.wait(from, now); wait > 0 {
		return later("visits", wait)
	}
	return nil
}
