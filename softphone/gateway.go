// Package softphone is an agent's line in the browser, and a caller's on a web
// page: it takes browsers' audio over WebRTC and passes it, G.711 as it is, to
// Asterisk's ExternalMedia and back; and it carries on a WebSocket the
// signalling for it, the desk's contents and the agent's acts. docs/softphone.md
// is its protocol.
//
// It owns lines, sessions and ports: who has the desk, what was acknowledged,
// one numbering of packets for each direction, and the figures of the network.
// It must not know queues, calls, ARI or how HTTP is routed: what a desk shows
// and what an act does is the [App]'s. It is the only package that knows pion's
// WebRTC, so that moving to another version is a change of one package.
//
// A [Gateway] has all sockets. A [Session] is one owner's desk, and outlives
// pages, sockets and connections; a [Port] is one leg of Asterisk's. Packets
// pass from one to the other in the goroutine that received them.
//
// The files: gateway.go (set-up, who has a session, who is plugged in where);
// transport.go, stranger.go, socket.go, outbox.go, frame.go, ticket.go and
// limit.go (signalling); session.go (the desk); offer.go and peer.go (connections);
// mux.go, guard.go, turn.go (the network); line.go, port.go, packet.go,
// stream.go, meter.go, report.go, level.go, keys.go, codec.go (audio); metrics.go.
package softphone

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pion/webrtc/v3"
	"github.com/prometheus/client_golang/prometheus"
)

// Options of a gateway. App is required; the rest has usable zero values.
type Options struct {
	App App

	// Listen is where browsers' media arrive (UDP). An address that is
	// unspecified stands for each of this machine's; port 0 for any. The zero
	// value: any address, any port.
	Listen netip.AddrPort
	// Heir says that another process may have Listen's address still, which lets
	// go of it when it leaves: it is waited for. See [Gateway.Listening].
	Heir bool
	// ListenTCP is for browsers that cannot use UDP; the zero value: there is none.
	ListenTCP netip.AddrPort
	// NAT are the addresses that browsers see this machine under, where those are
	// not its own: one for all, IPv4 or IPv6.
	NAT []netip.Addr
	// TURN is a relay; without URLs there is none.
	TURN TURN

	// Codec is that of Asterisk's legs; "": PCMU.
	Codec Codec
	// Origins are pages besides our own host's that may open a signalling socket:
	// "https://host[:port]", in lower case.
	Origins []string

	Logger     *slog.Logger          // nil: nothing is logged
	Registerer prometheus.Registerer // nil: no metrics
}

// times are the gateway's clocks; docs/softphone.md gives the reasons.
type times struct {
	hello, resume                   time.Duration
	watch, lost, silent             time.Duration
	report                          time.Duration // between RTCP reports
	disconnected, failed, keepAlive time.Duration // ICE
}

var usualTimes = times{
	hello: 5 * time.Second, resume: 20 * time.Second,
	watch: 200 * time.Millisecond, lost: time.Second, silent: 10 * time.Second,
	report:       5 * time.Second,
	disconnected: 3 * time.Second, failed: 15 * time.Second, keepAlive: 2 * time.Second,
}

// Gateway has all lines. Its methods may be used from any goroutine.
type Gateway struct {
	o          Options
	times      times
	log        *slog.Logger
	common     *common
	muxes      *muxes
	tickets    *tickets
	complaints *complaints
	figures    *figures

	over   context.Context
	cancel context.CancelFunc

	mu        sync.Mutex
	sessions  map[string]*Session // by owner
	ports     map[*Port]struct{}
	plugged   map[*Port]*Session
	strangers []*stranger // oldest first
	closed    bool
	running   sync.WaitGroup // sessions

	certified struct {
		sync.Mutex
		certificate webrtc.Certificate
		made        time.Time
	}
}

// New opens the gateway's sockets.
func New(o Options) (*Gateway, error) { return newGateway(o, usualTimes) }

func newGateway(o Options, t times) (*Gateway, error) {
	if o.App == nil {
		return nil, errors.New("softphone: Options.App is missing")
	}
	if o.Codec == "" {
		o.Codec = PCMU
	}
	if err := o.Codec.check(); err != nil {
		return nil, err
	}
	if !o.Listen.IsValid() {
		o.Listen = netip.AddrPortFrom(netip.IPv4Unspecified(), o.Listen.Port())
	}
	for _, origin := range o.Origins {
		if origin != strings.ToLower(origin) || !strings.Contains(origin, "://") {
			return nil, fmt.Errorf("softphone: origin %q must be like https://host, in lower case", origin)
		}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	g := &Gateway{o: o, times: t, log: o.Logger, tickets: newTickets(), complaints: newComplaints(o.Logger),
		sessions: map[string]*Session{}, ports: map[*Port]struct{}{}, plugged: map[*Port]*Session{}}
	var err error
	if g.figures, err = newFigures(o.Registerer, g.states); err != nil {
		return nil, err
	}
	if g.muxes, err = openMuxes(o.Listen, o.ListenTCP, o.Heir, g.log, g.figures.errors.Inc); err != nil {
		return nil, err
	}
	if g.common, err = newCommon(o, t, g.muxes); err != nil {
		return nil, errors.Join(err, g.muxes.close())
	}
	g.over, g.cancel = context.WithCancel(context.Background())
	return g, nil
}

// Addr is where media arrive; with several addresses, the first.
func (g *Gateway) Addr() netip.AddrPort { return g.muxes.addr }

// Listening waits until media can arrive: at once, but for an heir's. What it
// returns is ctx's cause, or ErrClosed.
func (g *Gateway) Listening(ctx context.Context) error {
	for _, socket := range g.muxes.sockets {
		select {
		case <-socket.bound:
		case <-g.over.Done():
			return ErrClosed
		case <-ctx.Done():
			return fmt.Errorf("softphone: another process has %s still: %w", socket.local, context.Cause(ctx))
		}
	}
	return nil
}

// Ticket returns a token with which owner's page may open a signalling socket,
// once, within TicketFor.
func (g *Gateway) Ticket(owner string) string { return g.tickets.issue(owner, nil) }

// TicketWhile is a Ticket for a page that may have the desk only while still
// says so: see [Session.Allowed]. still may be called from any goroutine.
func (g *Gateway) TicketWhile(owner string, still func() bool) string {
	return g.tickets.issue(owner, still)
}

// Session returns the session of an owner that has one.
func (g *Gateway) Session(owner string) (*Session, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	s, found := g.sessions[owner]
	return s, found
}

// Close ends all sessions (WhyClosing) and ports, and returns when nothing of
// the gateway is left. It must not be called by the App's methods.
func (g *Gateway) Close() error {
	g.mu.Lock()
	g.closed = true
	var ports []*Port
	for p := range g.ports {
		ports = append(ports, p)
	}
	g.mu.Unlock()
	g.cancel()
	g.running.Wait()
	var errs []error
	for _, p := range ports {
		errs = append(errs, p.Close())
	}
	return errors.Join(append(errs, g.muxes.close())...)
}

// seat gives the socket the desk of its owner, or the closing with which it is
// refused.
func (g *Gateway) seat(sock *socket) (*Session, error) {
	for {
		s, err := g.sessionFor(sock.whose)
		if err != nil {
			return nil, err
		}
		select {
		case s.seats <- sock:
			<-sock.seated
			return s, sock.refused
		case <-s.done: // it ended just now: another begins, for who has a ticket
		}
	}
}

// sessionFor returns the owner's session. Where there is none a ticket begins one.
func (g *Gateway) sessionFor(whose ticket) (*Session, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	s, found := g.sessions[whose.owner]
	switch {
	case g.closed:
		return nil, closeClosing
	case found:
		return s, nil
	case whose.named:
		return nil, closeBadToken
	}
	s = newSession(g, whose.owner)
	g.sessions[whose.owner] = s
	g.running.Go(s.run)
	return s, nil
}

// forget lets go of a session that has ended.
func (g *Gateway) forget(s *Session) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.sessions[s.owner] == s {
		delete(g.sessions, s.owner)
	}
}

// plug connects a session's line and a port, each with nothing else.
func (g *Gateway) plug(s *Session, p *Port) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, open := g.ports[p]; !open {
		return fmt.Errorf("softphone: plugging in: %w", ErrPortClosed)
	}
	if g.sessions[s.owner] != s {
		return ErrGone
	}
	if before := g.plugged[p]; before != nil && before != s {
		before.line.port.Store(nil)
	}
	if before := s.line.port.Load(); before != nil && before != p {
		before.line.Store(nil)
		delete(g.plugged, before)
	}
	g.plugged[p] = s
	s.line.soundAt.Store(time.Now().UnixNano())
	p.line.Store(s.line)
	s.line.port.Store(p)
	return nil
}

// unplug parts a session's line from a port; from whichever it has, where p is
// nil.
func (g *Gateway) unplug(s *Session, p *Port) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.part(s, p)
}

func (g *Gateway) part(s *Session, p *Port) {
	has := s.line.port.Load()
	if has == nil || p != nil && p != has {
		return
	}
	s.line.port.Store(nil)
	has.line.Store(nil)
	delete(g.plugged, has)
}

// unplugPort parts a port from whatever line it has.
func (g *Gateway) unplugPort(p *Port) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if s := g.plugged[p]; s != nil {
		g.part(s, p)
	}
	delete(g.ports, p)
}

func (g *Gateway) keepPort(p *Port) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return false
	}
	g.ports[p] = struct{}{}
	return true
}

// states counts the sessions by their audio.
func (g *Gateway) states() map[Audio]int {
	count := map[Audio]int{AudioNone: 0, AudioConnecting: 0, AudioOK: 0, AudioLost: 0}
	for _, s := range g.all() {
		count[s.Audio()]++
	}
	return count
}

// all are the sessions at the moment.
func (g *Gateway) all() []*Session {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Collect(maps.Values(g.sessions))
}

// certificate is what all connections show: pages are told its fingerprint in
// each answer, so it may change; a day is far within what it is good for.
func (g *Gateway) certificate() (webrtc.Certificate, error) {
	g.certified.Lock()
	defer g.certified.Unlock()
	if time.Since(g.certified.made) < 24*time.Hour {
		return g.certified.certificate, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return webrtc.Certificate{}, fmt.Errorf("softphone: making a key: %w", err)
	}
	made, err := webrtc.GenerateCertificate(key)
	if err != nil {
		return webrtc.Certificate{}, fmt.Errorf("softphone: making a certificate: %w", err)
	}
	g.certified.certificate, g.certified.made = *made, time.Now()
	return *made, nil
}
