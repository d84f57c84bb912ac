// Package ari is the only speaker of Asterisk's REST interface.
//
// It owns one websocket (the event pump) and the REST requests, and turns
// channels, playbacks, recordings and bridges into objects whose verbs block:
// a [Leg] is dialed, answered, played to and hung up, a [Bridge] joins legs.
// Every call has one [Session] with one mailbox, unbounded and in order, which
// the call's single script reads; the pump never waits for a call.
//
// It must not know what a call means: no queues, agents, prompts or policy.
//
// Arrivals, recordings and what a look at Asterisk finds are decoded into the
// types of github.com/CyCoreSystems/ari/v5, of the other events only what is
// used. That library's client and connection are not used: they panic on event kinds they
// do not know, drop events when a subscriber is slow, and have no timeouts.
//
// On every connect, what Asterisk has is compared with what is known here while
// events are held back: see [Link.OnConnect]. An earlier process's calls are
// taken up with [Link.Reopen] and the verbs that begin with Restore.
//
// A full call (answered, queued, connected, recorded, ended) costs 16 requests
// and 21 events, the connection itself three requests: TestCostOfAFullCall lists them.
package ari

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Causes with which verbs and contexts end.
var (
	// ErrReplaced says that another process connected under our application's
	// name and owns the calls now: this one must not act any more.
	ErrReplaced = errors.New("ari: another process took over the application")
	// ErrClosed is the cause of a leg's context once its session was closed.
	ErrClosed = errors.New("ari: session closed")
	// ErrNotConnected says that no websocket is up at the moment.
	ErrNotConnected = errors.New("ari: not connected to Asterisk")

	errNoAnswer = errors.New("no answer in time")
	errSilent   = errors.New("the websocket is silent: no answer to ping")
)

// Backoff bounds the wait between two attempts to connect; it doubles from Min
// to Max, with a random quarter taken off so that several services spread out.
type Backoff struct {
	Min, Max time.Duration
}

// Options configure a Link. URL, App, Username and Password are required, the
// rest has defaults.
//
// In Asterisk's ari.conf, websocket_write_timeout = 5000 is needed, or a
// moment's delay of ours costs the connection, and channelvars = RTPAUDIOQOS
// adds packet counts to Evidence. Never put a function there: channelvars =
// CHANNEL(rtcp,rxcount) deadlocks 22.10.1 within a few calls, as it is evaluated
// with the channel locked.
type Options struct {
	// URL is the root of Asterisk's REST interface, http://127.0.0.1:8088/ari.
	URL string
	// App is the name that the dialplan gives to Stasis().
	App string
	// Username and Password are those of ari.conf.
	Username, Password string
	// RequestTimeout bounds one REST request: 4 s by default. A verb whose command
	// may be repeated takes up to twice as long.
	RequestTimeout time.Duration
	// PingEvery and DeadAfter keep watch over the websocket, which Asterisk
	// itself never pings: a ping every 5 s, and a connection that swallows them
	// is given up within 12 s, by default.
	PingEvery, DeadAfter time.Duration
	// Backoff defaults to 100 ms … 1 s: while the link is down callers hear the
	// dialplan's net, so a long wait saves nothing worth it.
	Backoff Backoff
	// Dial opens connections, for requests and the websocket alike; nil means
	// the system's.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Logger defaults to slog.Default.
	Logger *slog.Logger
	// Registerer receives the metrics hotline_ari_…; nil means none.
	Registerer prometheus.Registerer
}

// mostConns bounds the connections to Asterisk that are open at a time, well
// below the sessionlimit of 1000 in http.conf: two services share it in a
// takeover.
const mostConns = 200

func (o *Options) fill() {
	def(&o.RequestTimeout, 4*time.Second)
	def(&o.PingEvery, 5*time.Second)
	def(&o.DeadAfter, 12*time.Second)
	def(&o.Backoff.Min, 100*time.Millisecond)
	def(&o.Backoff.Max, time.Second)
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
}

func def(d *time.Duration, value time.Duration) {
	if *d <= 0 {
		*d = value
	}
}

// Status says how the link stands, for a readiness check.
type Status struct {
	// Connected is true while events arrive and the event filter is in force.
	Connected bool
	// Since is when Connected last changed.
	Since time.Time
	// Err says why the link is not connected.
	Err error
	// Replaced is true once another process took the application over: this
	// one does not reconnect and its verbs refuse to act.
	Replaced bool
}

// Link is the connection to one Asterisk: one websocket for events and REST for
// commands. Commands do not need the websocket: legs in Stasis outlive it.
type Link struct {
	o             Options
	base          *url.URL
	http          *http.Client
	log           *slog.Logger
	met           *metrics
	repeats       *repeats
	arrivals      *arrivals
	gate          gate
	subscriptions *subscriptions
	hook          func(context.Context, *Snapshot) error

	mu     sync.Mutex
	routes map[string]route // by channel, playback, bridge and recording ID
	status Status
	runCtx context.Context // of Run; nil before it
	checks sync.WaitGroup  // background checks, ended before Run returns
}

// New prepares a link; nothing is connected before Run. It fails when the URL
// or a required option cannot be right.
func New(o Options) (*Link, error) {
	o.fill()
	base, err := url.Parse(strings.TrimSuffix(o.URL, "/"))
	switch {
	case err != nil:
		return nil, &Error{Op: "configure", Target: o.URL, Message: "the URL cannot be parsed", Err: err}
	case base.Scheme != "http" && base.Scheme != "https", base.Host == "":
		return nil, &Error{Op: "configure", Target: o.URL, Message: "want something like http://127.0.0.1:8088/ari"}
	case o.App == "" || o.Username == "":
		return nil, &Error{Op: "configure", Target: o.URL, Message: "application and user name are required"}
	}
	l := &Link{
		o: o, base: base, log: o.Logger,
		met:           newMetrics(o.Registerer),
		repeats:       newRepeats(),
		arrivals:      newArrivals(),
		subscriptions: newSubscriptions(),
		routes:        make(map[string]route),
	}
	l.status = Status{Since: time.Now(), Err: ErrNotConnected}
	// Asterisk closes idle connections after 15 s: give them up before it does. It
	// refuses more than its sessionlimit, the websocket included, and the requests
	// of a crowd wait their turn rather than be refused.
	l.http = &http.Client{Transport: &http.Transport{
		DialContext:         o.Dial,
		IdleConnTimeout:     10 * time.Second,
		MaxIdleConns:        64,
		MaxIdleConnsPerHost: 64,
		MaxConnsPerHost:     mostConns,
	}}
	return l, nil
}

// Status says how the link stands.
func (l *Link) Status() Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.status
}

// OnConnect has f called on every connect, before Run is. By then what Asterisk
// has was compared with what this process knows: legs that are gone are told as
// lost, and what rang, answered, left or ended unheard is told. Events are held
// back until f returns: it can claim what an earlier process left behind
// ([Link.Reopen]) and miss nothing of what happens to it meanwhile. Channels of
// the application that f leaves unclaimed, and that are in no bridge, then
// arrive. f must not wait for an event, must end with its context, and when it
// returns an error the connection is given up and tried again.
func (l *Link) OnConnect(f func(ctx context.Context, now *Snapshot) error) { l.hook = f }

// App is the application's name.
func (l *Link) App() string { return l.o.App }

// Knows says whether something of this ID belongs to a call of this process.
func (l *Link) Knows(id string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.routes[id] != nil
}

// Arrivals yields each channel that entered Stasis and that no session claims,
// in order and without limit. It is closed when Run ends.
func (l *Link) Arrivals() <-chan Arrival { return l.arrivals.out }
