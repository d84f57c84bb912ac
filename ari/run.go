package ari

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"hash/maphash"
	"iter"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// maxMessage bounds one event: Asterisk repeats names and variables of callers.
const maxMessage = 1 << 20

// Run connects, pumps events and reconnects until ctx ends, whose cause it
// returns. An Asterisk that is absent or refuses the password is tried again for
// ever; Status and one log line per change say so. When another process takes
// the application over, Run stops and returns ErrReplaced. Run may be called
// once.
func (l *Link) Run(ctx context.Context) error {
	var delivery sync.WaitGroup
	stop := make(chan struct{})
	delivery.Go(func() { l.arrivals.run(stop) })
	running, cancel := context.WithCancel(ctx)
	l.checksUntil(running)
	defer func() {
		l.mu.Lock()
		cancel() // from here on no check begins
		l.mu.Unlock()
		l.checks.Wait()
		close(stop)
		delivery.Wait()
		l.http.CloseIdleConnections()
	}()

	wait := l.o.Backoff.Min
	for {
		lived, err := l.live(running)
		switch {
		case ctx.Err() != nil:
			l.disconnected(context.Cause(ctx), false)
			return context.Cause(ctx)
		case errors.Is(err, ErrReplaced):
			l.down(err, true)
			return err
		}
		l.down(err, false)
		if lived {
			wait = l.o.Backoff.Min
			l.met.reconnects.Inc()
		}
		select {
		case <-time.After(wait - rand.N(wait/4+1)):
		case <-ctx.Done():
		}
		wait = min(2*wait, l.o.Backoff.Max)
	}
}

// live connects once and pumps until the connection ends. lived says whether
// the connection had been usable.
func (l *Link) live(ctx context.Context) (lived bool, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	l.met.attempts.Inc()
	l.gate.close()
	conn, err := l.connect(ctx)
	if err != nil {
		return false, err
	}
	defer conn.CloseNow()

	var beside sync.WaitGroup
	defer beside.Wait()
	defer cancel(nil)
	beside.Go(func() { l.watch(ctx, conn, cancel) })
	ready := make(chan struct{})
	beside.Go(func() {
		if err := l.prepare(ctx); err != nil {
			cancel(err)
			return
		}
		close(ready)
	})

	err = l.pump(ctx, conn)
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	if errors.Is(err, ErrReplaced) {
		l.down(err, true) // at once: whoever prepares may still be at work
	}
	cancel(err)
	select {
	case <-ready:
		return true, err
	default:
		return false, err
	}
}

func (l *Link) connect(ctx context.Context) (*websocket.Conn, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, l.o.RequestTimeout, errNoAnswer)
	defer cancel()
	u := l.base.JoinPath("events")
	u.RawQuery = url.Values{"app": {l.o.App}}.Encode()
	login := base64.StdEncoding.EncodeToString([]byte(l.o.Username + ":" + l.o.Password))
	conn, res, err := websocket.Dial(ctx, u.String(), &websocket.DialOptions{
		HTTPClient: l.http,
		HTTPHeader: http.Header{"Authorization": {"Basic " + login}},
	})
	switch {
	case res != nil && res.StatusCode == http.StatusUnauthorized:
		return nil, &Error{Op: "connect", Target: l.base.Host, Status: res.StatusCode, Message: "Asterisk refuses the user name or password: compare with ari.conf"}
	case res != nil && res.StatusCode >= 300:
		return nil, &Error{Op: "connect", Target: l.base.Host, Status: res.StatusCode, Message: "no websocket for events there: are http.conf and res_ari in force?"}
	case err != nil:
		return nil, &Error{Op: "connect", Target: l.base.Host, Message: "Asterisk does not answer", Err: err}
	}
	conn.SetReadLimit(maxMessage)
	return conn, nil
}

// watch pings, since Asterisk does not, and ends the connection when nothing
// answers.
func (l *Link) watch(ctx context.Context, conn *websocket.Conn, end context.CancelCauseFunc) {
	ticker := time.NewTicker(l.o.PingEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		ping, cancel := context.WithTimeout(ctx, max(l.o.DeadAfter-l.o.PingEvery, l.o.PingEvery))
		err := conn.Ping(ping)
		cancel()
		if err != nil {
			end(fmt.Errorf("%w: %w", errSilent, err))
			return
		}
	}
}

// pump reads events until the connection ends. It never waits for a call.
func (l *Link) pump(ctx context.Context, conn *websocket.Conn) error {
	for {
		_, data, err := conn.Read(ctx)
		if err != nil {
			return &Error{Op: "read events", Target: l.base.Host, Message: "the websocket broke off", Err: err}
		}
		if err := l.take(data); err != nil {
			return err
		}
	}
}

// take decodes one message and delivers it, unless events are held back. Its
// only error is ErrReplaced, which waits for nothing.
func (l *Link) take(data []byte) error {
	if l.repeats.seen(data) {
		l.met.repeated.Inc()
		return nil
	}
	kind, name, ev, err := decode(data)
	switch {
	case err != nil:
		l.met.malformed.Inc()
		l.log.Warn("an event could not be read and is ignored", "err", err)
		return nil
	case kind == nil:
		l.met.unknown.Inc()
		l.log.Debug("an event of an unknown kind is ignored", "kind", name)
		return nil
	}
	l.met.count(name)
	if name == "ApplicationReplaced" {
		return ErrReplaced
	}
	if id := kind.target(ev); !l.gate.keep(id, ev) {
		l.deliver(id, ev)
	}
	return nil
}

func (l *Link) deliver(id string, ev any) {
	l.mu.Lock()
	r, ok := l.routes[id]
	l.mu.Unlock()
	if ok {
		r.handle(ev)
		l.forgetUnclaimed(id, r, ev)
		return
	}
	if start, ok := ev.(*stasisStart); ok && id != "" {
		l.arrive(start)
		return
	}
	l.met.unrouted.Inc()
}

// arrive announces a channel that no session claims. From now on its events are
// kept for whoever adopts it.
func (l *Link) arrive(ev *stasisStart) {
	if len(ev.Args) > 0 && ev.Args[0] == legMark {
		l.met.unrouted.Inc()
		l.log.Warn("a leg of ours entered Stasis but its call is over; it is hung up", "channel_id", ev.Channel.ID)
		l.HangUpStray(ev.Channel.ID)
		return
	}
	whole, err := ev.whole()
	if err != nil {
		l.met.malformed.Inc()
		l.log.Warn("an arrival could not be read whole", "channel_id", ev.Channel.ID, "err", err)
	}
	a := Arrival{
		ChannelID: ev.Channel.ID, Name: ev.Channel.Name, Endpoint: endpointOf(ev.Channel.Name),
		Language: whole.language, Args: ev.Args, Answered: ev.Channel.State == "Up",
		Vars: whole.Channel.ChannelVars, At: at(ev.Timestamp),
	}
	if c := whole.Channel.Caller; c != nil {
		a.CallerNumber, a.CallerName = c.Number, c.Name
	}
	if d := whole.Channel.Dialplan; d != nil {
		a.Exten, a.Context = d.Exten, d.Context
	}
	if t := whole.Channel.Creationtime; t != nil {
		a.Created = time.Unix(t.Seconds, int64(t.Nanos))
	}
	l.announce(a)
}

func (l *Link) announce(a Arrival) {
	leg := newLeg(l, a.ChannelID)
	leg.name, leg.answered, leg.inStasis, leg.entries = a.Name, a.Answered, true, 1
	a.leg = leg
	if l.routeNew(a.ChannelID, leg) {
		l.arrivals.add(a)
	}
}

// forgetUnclaimed gives up the route of a channel that ended before anybody adopted
// it.
func (l *Link) forgetUnclaimed(id string, r route, ev any) {
	switch ev.(type) {
	case *destroyed:
		if leg, ok := r.(*Leg); ok && leg.unclaimed() {
			l.unroute(routed{id, r})
		}
	}
}

func (l *Leg) unclaimed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.session == nil
}

// background runs a check that Run waits for; false when Run is not running.
func (l *Link) background(check func(context.Context)) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.runCtx == nil || l.runCtx.Err() != nil {
		return false
	}
	ctx := l.runCtx
	l.checks.Go(func() { check(ctx) })
	return true
}

// checksUntil lets background checks begin until ctx ends.
func (l *Link) checksUntil(ctx context.Context) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.runCtx = ctx
}

func (l *Link) up() {
	l.mu.Lock()
	was := l.status
	l.status = Status{Connected: true, Since: time.Now()}
	l.mu.Unlock()
	l.met.connected.Set(1)
	l.log.Info("connected to Asterisk", "url", l.base.Host, "away", time.Since(was.Since).Round(time.Millisecond))
}

// down records why the link is not connected, and logs it when that is news.
func (l *Link) down(err error, replaced bool) {
	was := l.disconnected(err, replaced)
	if was.Connected || !sameTrouble(was.Err, err) {
		l.log.Warn("not connected to Asterisk", "url", l.base.Host, "err", err)
	}
}

// sameTrouble compares without what differs from one attempt to the next, such
// as port numbers.
func sameTrouble(a, b error) bool {
	var one, other *Error
	if errors.As(a, &one) && errors.As(b, &other) {
		return one.Op == other.Op && one.Status == other.Status && one.Message == other.Message
	}
	return errors.Is(a, b)
}

// disconnected changes the status and returns what it was.
func (l *Link) disconnected(err error, replaced bool) (was Status) {
	l.mu.Lock()
	defer l.mu.Unlock()
	was = l.status
	// Who was relieved stays so, also where it is told to stop in that moment.
	l.status = Status{Since: was.Since, Err: err, Replaced: replaced || was.Replaced}
	if was.Connected {
		l.status.Since = time.Now()
	}
	l.met.connected.Set(0)
	return was
}

func (l *Link) route(id string, r route) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.routes[id] = r
}

// routeNew is false when events about id have somewhere to go already.
func (l *Link) routeNew(id string, r route) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.routes[id] != nil {
		return false
	}
	l.routes[id] = r
	return true
}

// unroute removes routes that still lead where they did.
func (l *Link) unroute(routes ...routed) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range routes {
		if l.routes[r.id] == r.to {
			delete(l.routes, r.id)
		}
	}
}

// known is what events are routed to, by ID, without the legs that Asterisk has
// not made yet: their absence means nothing.
func (l *Link) known() map[string]route {
	l.mu.Lock()
	out := maps.Clone(l.routes)
	l.mu.Unlock()
	maps.DeleteFunc(out, func(_ string, r route) bool {
		leg, ok := r.(*Leg)
		return ok && !leg.exists()
	})
	return out
}

func legs(known map[string]route) iter.Seq2[string, *Leg] {
	return func(yield func(string, *Leg) bool) {
		for id, r := range known {
			if leg, ok := r.(*Leg); ok && !yield(id, leg) {
				return
			}
		}
	}
}

// repeats recognises messages received a second time, byte for byte (each
// carries a time in milliseconds), among the latest few thousand: half a minute
// of the busiest hour.
type repeats struct {
	seed  maphash.Seed
	ring  [16384]uint64
	next  int
	known map[uint64]struct{}
}

func newRepeats() *repeats {
	return &repeats{seed: maphash.MakeSeed(), known: make(map[uint64]struct{})}
}

func (r *repeats) seen(data []byte) bool {
	h := maphash.Bytes(r.seed, data)
	if _, ok := r.known[h]; ok {
		return true
	}
	delete(r.known, r.ring[r.next])
	r.ring[r.next] = h
	r.known[h] = struct{}{}
	r.next = (r.next + 1) % len(r.ring)
	return false
}
