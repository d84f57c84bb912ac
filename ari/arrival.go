package ari

import (
	"strings"
	"sync"
	"time"
)

// Arrival is a channel that entered Stasis and belongs to no call yet.
type Arrival struct {
	ChannelID    string
	Name         string // PJSIP/trunk-0000002a
	Endpoint     string // PJSIP/trunk
	CallerNumber string // as the network gave it: may be empty or anything else
	CallerName   string
	Exten        string // where the dialplan was: the dialed number
	Context      string
	Language     string
	Args         []string          // of Stasis(), without the application
	Created      time.Time         // the channel's, on Asterisk's clock
	Answered     bool              // the channel was up already
	Vars         map[string]string // channelvars of ari.conf
	At           time.Time         // of the StasisStart, on Asterisk's clock
	Found        bool              // not announced, but found after a connect: in Stasis, in no bridge, in no session

	leg *Leg
}

// endpointOf cuts the serial number off a channel's name.
func endpointOf(name string) string {
	if i := strings.LastIndexByte(name, '-'); i > 0 {
		return name[:i]
	}
	return name
}

// arrivals is an unbounded queue behind a channel.
type arrivals struct {
	out  chan Arrival
	wake chan struct{}

	mu    sync.Mutex
	queue []Arrival
}

func newArrivals() *arrivals {
	return &arrivals{out: make(chan Arrival), wake: make(chan struct{}, 1)}
}

func (a *arrivals) add(x Arrival) {
	a.mu.Lock()
	a.queue = append(a.queue, x)
	a.mu.Unlock()
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

func (a *arrivals) take() (Arrival, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.queue) == 0 {
		return Arrival{}, false
	}
	x := a.queue[0]
	a.queue[0] = Arrival{}
	a.queue = a.queue[1:]
	return x, true
}

// run hands the queue over until stop is closed, then closes the channel.
func (a *arrivals) run(stop <-chan struct{}) {
	defer close(a.out)
	for {
		x, ok := a.take()
		if !ok {
			select {
			case <-a.wake:
			case <-stop:
				return
			}
			continue
		}
		select {
		case a.out <- x:
		case <-stop:
			return
		}
	}
}
