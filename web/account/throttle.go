package account

import (
	"container/list"
	"net/netip"
	"sync"
	"time"
)

// Throttle says how often somebody may try to sign in. Whoever fails a few
// times has to wait, each time twice as long. It knows names and addresses only
// as long as they matter, and of them no more than a few thousand: the rest of
// an attack shares what the newest of them have. All its methods may be called
// from any goroutine.
type Throttle struct {
	now func() time.Time

	mu    sync.Mutex
	tries map[key]*list.Element // of *tried
	order *list.List            // the one that failed last is at the front
	homes map[key]time.Time     // where a name was signed in, and when last
}

// limit is how many failures somebody has before they have to wait.
type limit struct {
	what string
	free int
	by   func(name string, from netip.Addr) key
}

// limits count failures in three ways: of a name from one address, which is
// somebody who has forgotten, or guesses; of an address, which tries names; of a
// name from everywhere, which is many who guess. The last is no matter where the
// name was signed in of late: an account is so not locked out at its own desk by
// who knows its name alone.
var limits = []limit{
	{"account at address", 5, func(name string, from netip.Addr) key { return key{name, network(from)} }},
	{"address", 20, func(_ string, from netip.Addr) key { return key{"", network(from)} }},
	{"account", 50, func(name string, _ netip.Addr) key { return key{name, netip.Prefix{}} }},
}

type key struct {
	name string
	from netip.Prefix
}

// network is who an address belongs to: in IPv6 everybody has a /64.
func network(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits) // an address that is none has one network
	return p
}

type tried struct {
	key    key
	failed int
	last   time.Time
	until  time.Time // no further tries before
}

// How long somebody has to wait.
const (
	firstWait  = 15 * time.Second
	mostWait   = 15 * time.Minute
	forgetting = time.Hour // after the last failure
	mostTried  = 4096
	homeFor    = 30 * 24 * time.Hour // since somebody was signed in there
)

// NewThrottle begins with nobody known; now is the wall clock, nil for the
// machine's.
func NewThrottle(now func() time.Time) *Throttle {
	if now == nil {
		now = time.Now
	}
	return &Throttle{now: now, tries: map[key]*list.Element{}, order: list.New(), homes: map[key]time.Time{}}
}

// Wait is how long to wait before the next try, zero for none. It is the same
// for names that there are and for those that there are not.
func (t *Throttle) Wait(name string, from netip.Addr) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	longest := time.Duration(0)
	last, known := t.homes[key{name, network(from)}]
	home := known && t.now().Sub(last) < homeFor
	for _, l := range limits {
		k := l.by(name, from)
		if home && !k.from.IsValid() {
			continue
		}
		if e, there := t.tries[k]; there {
			longest = max(longest, e.Value.(*tried).until.Sub(t.now()))
		}
	}
	return longest
}

// Failed counts a failure, and says by which limit somebody is locked out with
// it for the first time; "" for none. Tries that were under way together when a
// wait began do not make it longer: whoever tries many at once would keep the
// owner out for as long as they like.
func (t *Throttle) Failed(name string, from netip.Addr) (lockedOut string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, l := range limits {
		one := t.known(l.by(name, from))
		if one.until.After(t.now()) {
			continue
		}
		one.failed++
		one.last = t.now()
		over := one.failed - l.free
		if over < 0 {
			continue
		}
		one.until = one.last.Add(min(mostWait, firstWait<<min(over, 10)))
		if over == 0 && lockedOut == "" {
			lockedOut = l.what
		}
	}
	return lockedOut
}

// Succeeded forgets the failures of a name, and those at this address of that
// name; others who try at the address go on being counted.
func (t *Throttle) Succeeded(name string, from netip.Addr) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, l := range limits {
		if k := l.by(name, from); k.name != "" {
			t.forget(t.tries[k])
		}
	}
	t.home(name, from)
}

// SignedIn says that somebody is signed in at an address, and so at home there.
func (t *Throttle) SignedIn(name string, from netip.Addr) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.home(name, from)
}

func (t *Throttle) home(name string, from netip.Addr) {
	at := key{name, network(from)}
	if _, known := t.homes[at]; !known && len(t.homes) >= mostTried {
		oldest := at
		for k, last := range t.homes {
			if oldest == at || last.Before(t.homes[oldest]) {
				oldest = k
			}
		}
		delete(t.homes, oldest)
	}
	t.homes[at] = t.now()
}

func (t *Throttle) known(k key) *tried {
	if e, there := t.tries[k]; there {
		t.order.MoveToFront(e)
		if one := e.Value.(*tried); t.now().Sub(one.last) < forgetting {
			return one
		}
		e.Value = &tried{key: k}
		return e.Value.(*tried)
	}
	if t.order.Len() >= mostTried {
		t.forget(t.order.Back())
	}
	one := &tried{key: k}
	t.tries[k] = t.order.PushFront(one)
	return one
}

func (t *Throttle) forget(e *list.Element) {
	if e == nil {
		return
	}
	delete(t.tries, e.Value.(*tried).key)
	t.order.Remove(e)
}
