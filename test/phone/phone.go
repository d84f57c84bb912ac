package phone

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"hotline/test/ear"
)

func init() {
	// Loopback carries datagrams of any size, and a display name of 3,000
	// characters must be sendable.
	sip.UDPMTUSize = 65000
}

// Options describe a phone. Name and IP are required, the rest as needed.
type Options struct {
	Name   string // in errors and traces: "caller 3"
	IP     string // to bind to: "127.0.0.2" for callers through the trunk, "127.0.0.1" for agents
	Port   int    // of its SIP socket, for phones that are called without having registered; 0: any
	Server string // "127.0.0.1:5060": where Register and Dial send to

	Number      string // user part of the phone's address: "13800138000", "1001"
	DisplayName string // sent as it is, quotes escaped; anything but CR, LF and NUL
	Anonymous   bool   // withholds both: From is anonymous@anonymous.invalid

	Username string // for digest authentication; empty: Number
	Password string

	Laws  []ear.Law // codecs in order of preference; empty: A-law, mu-law
	Voice int       // the note its user says, 200, 250 … 600 Hz; 0: says nothing
	DTX   bool      // sends no RTP while its user says nothing

	Incoming Behaviour // what it does when called; nil: RingForEver

	Code   *ear.Code      // of the prompts it may hear
	Voices map[string]int // names and notes of the people it may hear
}

// Phone is one SIP phone on one address. It may be used by several goroutines.
type Phone struct {
	o      Options
	wire   *wire
	ua     *sipgo.UserAgent
	client *sipgo.Client
	server sip.Addr

	ctx    context.Context // ends with Close
	cancel context.CancelCauseFunc
	wg     sync.WaitGroup

	mu         sync.Mutex
	closed     bool
	registered bool
	incoming   Behaviour
	calls      map[string]*Call // by Call-ID
	arrived    []*Call          // incoming ones, for NextCall
	arrival    chan struct{}    // closed and replaced with every incoming call
}

// ErrClosed is the cause of everything that fails because the phone was closed.
var ErrClosed = errors.New("phone: closed")

// New makes a phone and opens its SIP socket. Close it.
func New(o Options) (*Phone, error) {
	if o.Username == "" {
		o.Username = o.Number
	}
	if len(o.Laws) == 0 {
		o.Laws = []ear.Law{ear.ALaw, ear.MuLaw}
	}
	if o.Incoming == nil {
		o.Incoming = RingForEver()
	}
	if o.Voice != 0 {
		if _, err := ear.NewVoice(o.Voice, 8000); err != nil {
			return nil, fmt.Errorf("phone %s: %w", o.Name, err)
		}
	}
	if _, err := ear.NewDecoder(ear.DecoderOptions{Code: o.Code, Voices: o.Voices}); err != nil {
		return nil, fmt.Errorf("phone %s: %w", o.Name, err)
	}
	p := &Phone{o: o, incoming: o.Incoming, calls: map[string]*Call{}, arrival: make(chan struct{})}
	if o.Server != "" {
		addr, err := net.ResolveUDPAddr("udp4", o.Server)
		if err != nil {
			return nil, fmt.Errorf("phone %s: server %s: %w", o.Name, o.Server, err)
		}
		p.server = sip.Addr{IP: addr.IP, Port: addr.Port}
	}
	p.ctx, p.cancel = context.WithCancelCause(context.Background())
	if err := p.open(); err != nil {
		p.cancel(err)
		return nil, err
	}
	return p, nil
}

func (p *Phone) open() (err error) {
	if p.wire, err = listen(p.o.IP, p.o.Port, p.onInviteResponse); err != nil {
		return err
	}
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	p.ua, err = sipgo.NewUA(
		sipgo.WithUserAgent("test-phone"),
		sipgo.WithUserAgentTransportLayerOptions(sip.WithTransportLayerLogger(quiet)),
		sipgo.WithUserAgentTransactionLayerOptions(
			sip.WithTransactionLayerLogger(quiet),
			sip.WithTransactionLayerUnhandledResponseHandler(func(*sip.Response) {}),
		),
	)
	if err != nil {
		return fmt.Errorf("phone %s: SIP stack: %w", p.o.Name, err)
	}
	server, err := sipgo.NewServer(p.ua, sipgo.WithServerLogger(quiet))
	if err != nil {
		return fmt.Errorf("phone %s: SIP server: %w", p.o.Name, err)
	}
	if p.client, err = sipgo.NewClient(p.ua, sipgo.WithClientLogger(quiet)); err != nil {
		return fmt.Errorf("phone %s: SIP client: %w", p.o.Name, err)
	}
	server.OnInvite(p.onInvite)
	server.OnAck(p.inCall((*Call).onAck))
	server.OnBye(p.inCall((*Call).onBye))
	server.OnUpdate(p.inCall((*Call).onUpdate))
	server.OnCancel(answerWith(481, "Call/Transaction Does Not Exist"))
	for _, m := range []sip.RequestMethod{sip.OPTIONS, sip.INFO, sip.NOTIFY, sip.MESSAGE} {
		server.OnRequest(m, answerWith(200, "OK"))
	}
	p.wg.Go(func() {
		// Ends when the socket is closed; its error says nothing else.
		_ = server.ServeUDP(p.wire)
	})
	<-p.wire.ready
	return nil
}

func answerWith(code int, reason string) sipgo.RequestHandler {
	return func(req *sip.Request, tx sip.ServerTransaction) {
		respond(tx, sip.NewResponseFromRequest(req, code, reason, nil))
	}
}

// respond sends a response. When that fails the other side repeats its request
// or gives up, and the test that depends on it says so.
func respond(tx sip.ServerTransaction, res *sip.Response) { _ = tx.Respond(res) }

// Addr is the phone's SIP address, "127.0.0.2:40123".
func (p *Phone) Addr() string { return p.wire.LocalAddr().String() }

// Name is the name given in Options.
func (p *Phone) Name() string { return p.o.Name }

// Trace lists the last SIP messages' first lines with the seconds since New.
func (p *Phone) Trace() string { return strings.Join(p.wire.trace(), "\n") }

// SetIncoming changes what the phone does with the next call.
func (p *Phone) SetIncoming(b Behaviour) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.incoming = b
}

// Die cuts the line: no RTP and no SIP leaves or comes in any more, and nobody
// is told. There is no way back; make another phone.
func (p *Phone) Die() {
	p.wire.dead.Store(true)
	for _, c := range p.live() {
		c.StopRTP()
		c.end(End{By: Died, Reason: "the line died"})
	}
}

// StopSIP cuts the signalling and leaves the media: whatever is asked of the
// phone stays without an answer. There is no way back.
func (p *Phone) StopSIP() { p.wire.dead.Store(true) }

func (p *Phone) live() []*Call {
	p.mu.Lock()
	defer p.mu.Unlock()
	var calls []*Call
	for _, c := range p.calls {
		calls = append(calls, c)
	}
	return calls
}

// Close ends the phone's calls as a user who hangs up, takes its registration
// back, and frees everything. It waits at most two seconds for answers.
func (p *Phone) Close() {
	p.mu.Lock()
	closed := p.closed
	p.closed = true
	registered := p.registered
	p.mu.Unlock()
	if closed {
		return
	}
	if !p.wire.dead.Load() {
		p.sayGoodbye(registered)
	}
	p.wire.dead.Store(true)
	p.cancel(ErrClosed)
	for _, c := range p.live() {
		c.end(End{By: Us, Reason: "phone closed"})
	}
	p.closeStack()
}

// closeStack frees the SIP stack. A message that is under way would have it open
// a socket of its own to answer on, which nobody closes; so whoever has written
// to us is given a dead end instead.
func (p *Phone) closeStack() {
	wall := func() {
		pool := p.ua.TransportLayer().Pool("udp")
		for _, addr := range append(p.wire.peers(), p.Addr()) {
			pool.Add(addr, deadEnd{p.wire.LocalAddr()})
		}
	}
	wall()
	p.ua.TransactionLayer().Close()
	_ = p.wire.Close()
	p.wg.Wait()
	wall() // over what the reader may have put back
}

func (p *Phone) sayGoodbye(registered bool) {
	ctx, cancel := context.WithTimeout(p.ctx, 2*time.Second)
	defer cancel()
	var wg sync.WaitGroup
	for _, c := range p.live() {
		wg.Go(func() { _ = c.Hangup(ctx) }) // whoever does not answer is left behind
	}
	if registered {
		wg.Go(func() { _ = p.register(ctx, 0) })
	}
	wg.Wait()
}

// Register registers the phone with its server for an hour.
func (p *Phone) Register(ctx context.Context) error {
	if err := p.register(ctx, 3600); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.registered = true
	return nil
}

// Unregister takes the registration back.
func (p *Phone) Unregister(ctx context.Context) error {
	p.mu.Lock()
	p.registered = false
	p.mu.Unlock()
	return p.register(ctx, 0)
}

func (p *Phone) register(ctx context.Context, seconds int) error {
	req := sip.NewRequest(sip.REGISTER, sip.Uri{Scheme: "sip", Host: p.server.IP.String(), Port: p.server.Port})
	self := sip.Uri{Scheme: "sip", User: p.o.Number, Host: p.server.IP.String()}
	from := &sip.FromHeader{Address: self, Params: sip.NewParams()}
	from.Params.Add("tag", sip.GenerateTagN(10))
	callID := sip.CallIDHeader(sip.GenerateTagN(20))
	p.finish(req, p.server)
	req.AppendHeader(from)
	req.AppendHeader(&sip.ToHeader{Address: self, Params: sip.NewParams()})
	req.AppendHeader(&callID)
	req.AppendHeader(&sip.CSeqHeader{SeqNo: 1, MethodName: sip.REGISTER})
	req.AppendHeader(p.contact())
	req.AppendHeader(sip.NewHeader("Expires", strconv.Itoa(seconds)))
	req.SetBody(nil)

	res, err := p.roundTrip(ctx, req)
	if err != nil {
		return fmt.Errorf("phone %s: register at %s: %w", p.o.Name, p.o.Server, err)
	}
	if res.StatusCode != 200 {
		return fmt.Errorf("phone %s: register at %s: answered %d %s", p.o.Name, p.o.Server, res.StatusCode, res.Reason)
	}
	return nil
}

// roundTrip sends a request other than INVITE and waits for its final response,
// proving who we are if asked.
func (p *Phone) roundTrip(ctx context.Context, req *sip.Request) (*sip.Response, error) {
	res, err := p.client.Do(ctx, req, asBuilt)
	if err != nil || (res.StatusCode != 401 && res.StatusCode != 407) {
		return res, err
	}
	again, err := p.client.TransactionDigestAuth(ctx, p.renewed(req), res, p.credentials())
	if err != nil {
		return nil, err
	}
	defer again.Terminate()
	for {
		select {
		case res := <-again.Responses():
			if !res.IsProvisional() {
				return res, nil
			}
		case <-again.Done():
			return nil, again.Err()
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func (p *Phone) credentials() sipgo.DigestAuth {
	return sipgo.DigestAuth{Username: p.o.Username, Password: p.o.Password}
}

// renewed is a copy of a request that was sent, for another try: the stack may
// still hold the original.
func (p *Phone) renewed(req *sip.Request) *sip.Request {
	again := req.Clone()
	again.Laddr = req.Laddr
	return again
}

// asBuilt keeps the SIP stack from adding headers of its own.
func asBuilt(*sipgo.Client, *sip.Request) error { return nil }

// finish gives a request what every request of ours has.
func (p *Phone) finish(req *sip.Request, to sip.Addr) {
	local := p.wire.LocalAddr().(*net.UDPAddr)
	via := &sip.ViaHeader{
		ProtocolName: "SIP", ProtocolVersion: "2.0", Transport: "UDP",
		Host: local.IP.String(), Port: local.Port, Params: sip.NewParams(),
	}
	via.Params.Add("branch", sip.GenerateBranchN(16))
	maxForwards := sip.MaxForwardsHeader(70)
	req.AppendHeader(via)
	req.AppendHeader(&maxForwards)
	req.AppendHeader(sip.NewHeader("User-Agent", "test-phone"))
	req.SetTransport("UDP")
	req.SetDestination(net.JoinHostPort(to.IP.String(), strconv.Itoa(to.Port)))
	req.Laddr = sip.Addr{IP: local.IP, Port: local.Port}
}

func (p *Phone) contact() *sip.ContactHeader {
	local := p.wire.LocalAddr().(*net.UDPAddr)
	return &sip.ContactHeader{Address: sip.Uri{Scheme: "sip", User: p.o.Number, Host: local.IP.String(), Port: local.Port}}
}

// NextCall waits for the next incoming call that no NextCall has returned yet.
// What Incoming does with the call it does all the same.
func (p *Phone) NextCall(ctx context.Context) (*Call, error) {
	for {
		p.mu.Lock()
		arrival := p.arrival
		if len(p.arrived) > 0 {
			c := p.arrived[0]
			p.arrived = p.arrived[1:]
			p.mu.Unlock()
			return c, nil
		}
		p.mu.Unlock()
		select {
		case <-arrival:
		case <-ctx.Done():
			return nil, fmt.Errorf("phone %s: no call came: %w\n%s", p.o.Name, context.Cause(ctx), p.Trace())
		case <-p.ctx.Done():
			return nil, fmt.Errorf("phone %s: no call came: %w", p.o.Name, context.Cause(p.ctx))
		}
	}
}

// adopt takes a new call into the phone's books; false when the phone is closed.
func (p *Phone) adopt(c *Call) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.calls[c.id] = c
	if !c.outgoing {
		p.arrived = append(p.arrived, c)
		close(p.arrival)
		p.arrival = make(chan struct{})
	}
	return true
}

func (p *Phone) forget(c *Call) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.calls, c.id)
}

func (p *Phone) find(req *sip.Request) *Call {
	id := req.CallID()
	if id == nil {
		return nil
	}
	return p.call(id.Value())
}

func (p *Phone) call(id string) *Call {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calls[id]
}

func (p *Phone) onInviteResponse(callID string, status int) {
	if c := p.call(callID); c != nil && c.outgoing {
		c.stamp(status)
	}
}

// inCall hands a request to the call it belongs to.
func (p *Phone) inCall(handle func(*Call, *sip.Request, sip.ServerTransaction)) sipgo.RequestHandler {
	return func(req *sip.Request, tx sip.ServerTransaction) {
		c := p.find(req)
		switch {
		case c != nil:
			handle(c, req, tx)
		case !req.IsAck():
			respond(tx, sip.NewResponseFromRequest(req, 481, "Call/Transaction Does Not Exist", nil))
		}
	}
}

// fitForHeader keeps what would break the message out of a display name.
func fitForHeader(name string) string {
	return strings.NewReplacer("\r", "", "\n", "", "\x00", "", `\`, `\\`, `"`, `\"`).Replace(name)
}

func (p *Phone) decoder() *ear.Decoder {
	d, err := ear.NewDecoder(ear.DecoderOptions{Code: p.o.Code, Voices: p.o.Voices})
	if err != nil {
		panic(err) // New has made one from the same options
	}
	return d
}

func (p *Phone) laws() []ear.Law { return slices.Clone(p.o.Laws) }
