package softphone

import (
	"context"
	"net/netip"
	"slices"
)

// maxStrangers is how many sockets may be open that have not said hello.
const maxStrangers = 256

// stranger is a socket that has not said hello. Where there are too many, one
// goes for the next that comes: whoever opens many and says nothing keeps nobody
// out who says hello at once.
type stranger struct {
	from netip.Prefix
	end  context.CancelCauseFunc // with a closing
}

// admit counts a socket among the strangers, until dismiss. end ends it where
// there are too many. It is false when the gateway was closed.
func (g *Gateway) admit(from netip.Prefix, end context.CancelCauseFunc) (*stranger, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return nil, false
	}
	if len(g.strangers) >= maxStrangers {
		at := tooMany(g.strangers)
		g.strangers[at].end(closeNoHello)
		g.strangers = slices.Delete(g.strangers, at, at+1)
	}
	s := &stranger{from, end}
	g.strangers = append(g.strangers, s)
	return s, true
}

// dismiss takes out one who has said hello, or will not.
func (g *Gateway) dismiss(s *stranger) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if at := slices.Index(g.strangers, s); at >= 0 {
		g.strangers = slices.Delete(g.strangers, at, at+1)
	}
}

// tooMany is which of the strangers goes: the oldest from where most are. They
// are in the order in which they came.
func tooMany(all []*stranger) (at int) {
	count := map[netip.Prefix]int{}
	for _, s := range all {
		count[s.from]++
	}
	for n, s := range all {
		if count[s.from] > count[all[at].from] {
			at = n
		}
	}
	return at
}

// networkOf is where a request comes from: an address, or what one customer has
// of IPv6. Whoever comes through a proxy comes from there.
func networkOf(remote string) netip.Prefix {
	at, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Prefix{}
	}
	address, bits := at.Addr().Unmap().WithZone(""), 32
	if address.Is6() {
		bits = 64
	}
	network, _ := address.Prefix(bits) // which fits
	return network
}
