// Package faults owns what goes wrong on purpose in tests: a wire between the service and Asterisk's ARI that can be
// cut, stalled, slowed and falsified at a chosen request or event of a chosen call, and the seed that chance comes from.
// It knows the shape of ARI's requests and events and of the names the service gives to things, and nothing of what a
// call means: what has to hold after a fault, the tests say.
package faults

import (
	"fmt"
	"net/http"
	"strings"
)

// Side is where, seen from a request, a fault strikes.
type Side string

// The sides of a request. An event has only the first: it is on its way to the service.
const (
	Before Side = "before" // the request is known and has not been forwarded: it was meant, and is not done
	After  Side = "after"  // Asterisk has carried it out and the answer has not been passed on: it is done, and nobody knows
)

// Boundary is a place in a call at which a fault can strike. Two calls that take the same way pass the same ones.
type Boundary struct {
	Side Side
	// What passes: "POST /channels/{caller}/play menu.main", "DELETE /playbacks/{hold.tone}", "event ChannelHold {agent}".
	What string
	// Since is what an agent's phone last did in this call: "" (none was offered the call yet), "offered", "answered",
	// "held", "resumed" or "left". It tells apart what is done more than once in a call.
	Since string
	// Nth time that this call passes it, from 1.
	Nth int
}

// String is "before POST /bridges/{bridge}/addChannel, resumed", with the count where it is not the first time.
func (b Boundary) String() string {
	s := string(b.Side) + " " + b.What
	if b.Since != "" {
		s += ", " + b.Since
	}
	if b.Nth > 1 {
		s += fmt.Sprintf(", %d", b.Nth)
	}
	return s
}

// Event tells whether it is an event of Asterisk's rather than a request of the service's.
func (b Boundary) Event() bool { return strings.HasPrefix(b.What, eventPrefix) }

const eventPrefix = "event "

// Passing is a request or an event on its way through a Proxy, shown to every hook. For as long as a hook does not return
// it is held up, and with it the connection it is on.
type Passing struct {
	Boundary
	Total   int           // times that this was passed by anybody's call, from 1
	Number  string        // the caller's number; "" where it belongs to no call or the caller is not known
	Channel string        // the caller's channel; "" where it belongs to no call
	Request *http.Request // nil for an event; its body is read already
	Body    []byte        // of the request or the event
	Status  int           // of the answer, After; 0 before

	proxy   *Proxy
	verdict verdict
}

// verdict is what a hook wants to become of a passing.
type verdict struct {
	kind    verdictKind
	status  int
	message string
}

type verdictKind int

const (
	pass verdictKind = iota
	drop
	answer
	truncate
)

// Drop cuts the connection instead of going on: before, Asterisk never gets the request; after, the service never gets
// the answer. An event is lost and its connection stays.
func (x *Passing) Drop() { x.verdict = verdict{kind: drop} }

// Answer answers in Asterisk's place, as it says what is wrong. Before, Asterisk never gets the request.
func (x *Passing) Answer(status int, message string) {
	x.verdict = verdict{kind: answer, status: status, message: message}
}

// Truncate passes on half of the answer and cuts the connection. Before, it counts for the answer to come.
func (x *Passing) Truncate() { x.verdict = verdict{kind: truncate} }

// Done ends with the proxy: a hook that holds something up gives up then.
func (x *Passing) Done() <-chan struct{} { return x.proxy.ctx.Done() }

// Match chooses what a fault is for.
type Match func(*Passing) bool

// All is what every one of them chooses.
func All(matches ...Match) Match {
	return func(x *Passing) bool {
		for _, m := range matches {
			if !m(x) {
				return false
			}
		}
		return true
	}
}

// Of is the call of the caller with this number.
func Of(number string) Match { return func(x *Passing) bool { return x.Number == number } }

// Doing is what begins with one of these: "POST /channels/{caller}/play".
func Doing(what ...string) Match {
	return func(x *Passing) bool {
		for _, w := range what {
			if strings.HasPrefix(x.What, w) {
				return true
			}
		}
		return false
	}
}

// Commands are requests that ask Asterisk to do something.
func Commands(x *Passing) bool { return x.Request != nil && x.Request.Method != http.MethodGet }
