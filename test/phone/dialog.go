package phone

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"
)

const (
	allow     = "INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE, INFO, NOTIFY, MESSAGE"
	t1        = 500 * time.Millisecond // RFC 3261 §17.1.1.1
	giveUpAck = 64 * t1
)

// Dial calls a number at the server, or a whole "sip:…" address. It returns once
// the INVITE has been sent.
func (p *Phone) Dial(ctx context.Context, to string) (*Call, error) {
	target, peer, err := p.address(to)
	if err != nil {
		return nil, err
	}
	c, err := p.newCall(sip.GenerateTagN(20)+"@"+p.o.IP, true)
	if err != nil {
		return nil, fmt.Errorf("phone %s: dial %s: %w", p.o.Name, to, err)
	}
	c.target, c.peer, c.cseq = target, peer, 1
	c.local = p.from(target.Host)
	c.remote = sip.ToHeader{Address: sip.Uri{Scheme: "sip", User: target.User, Host: target.Host}, Params: sip.NewParams()}
	c.number = target.User

	req := c.newRequest(sip.INVITE, c.describe())
	if p.o.Anonymous {
		req.AppendHeader(sip.NewHeader("Privacy", "id"))
	}
	c.invite = req
	tx, err := p.client.TransactionRequest(ctx, req, asBuilt)
	if err != nil {
		c.end(End{By: Lost, Reason: err.Error()})
		return nil, fmt.Errorf("phone %s: dial %s: %w", p.o.Name, to, err)
	}
	p.wg.Go(func() { c.followInvite(tx) })
	return c, nil
}

// Call dials and waits for the answer.
func (p *Phone) Call(ctx context.Context, to string) (*Call, error) {
	c, err := p.Dial(ctx, to)
	if err != nil {
		return nil, err
	}
	return c, c.WaitAnswered(ctx)
}

func (p *Phone) address(to string) (sip.Uri, sip.Addr, error) {
	if !strings.HasPrefix(to, "sip:") {
		return sip.Uri{Scheme: "sip", User: to, Host: p.server.IP.String(), Port: p.server.Port}, p.server, nil
	}
	var uri sip.Uri
	if err := sip.ParseUri(to, &uri); err != nil {
		return uri, sip.Addr{}, fmt.Errorf("phone %s: address %q: %w", p.o.Name, to, err)
	}
	peer, err := addressOf(uri)
	if err != nil {
		return uri, peer, fmt.Errorf("phone %s: %w", p.o.Name, err)
	}
	return uri, peer, nil
}

func addressOf(uri sip.Uri) (sip.Addr, error) {
	ip := net.ParseIP(uri.Host)
	if ip == nil {
		return sip.Addr{}, fmt.Errorf("address %s: want an IP address for a host", uri.String())
	}
	if uri.Port == 0 {
		uri.Port = 5060
	}
	return sip.Addr{IP: ip, Port: uri.Port}, nil
}

func (p *Phone) from(host string) sip.FromHeader {
	f := sip.FromHeader{
		DisplayName: fitForHeader(p.o.DisplayName),
		Address:     sip.Uri{Scheme: "sip", User: p.o.Number, Host: host},
		Params:      sip.NewParams(),
	}
	if p.o.Anonymous {
		f.DisplayName, f.Address = "Anonymous", sip.Uri{Scheme: "sip", User: "anonymous", Host: "anonymous.invalid"}
	}
	f.Params.Add("tag", sip.GenerateTagN(10))
	return f
}

// describe is our side of the audio as it is now.
func (c *Call) describe() []byte {
	c.sdpVersion++
	return session{addr: c.media.addr(), laws: c.phone.laws(), keys: defaultKeys, direction: c.own}.marshal(c.sdpVersion)
}

// newRequest makes a request of the dialog with the current CSeq. ACK and the
// first INVITE use it as it is, others raise it first.
func (c *Call) newRequest(method sip.RequestMethod, sdp []byte) *sip.Request {
	req := sip.NewRequest(method, c.target)
	local, remote := c.local, c.remote
	local.Params, remote.Params = c.local.Params.Clone(), c.remote.Params.Clone()
	callID := sip.CallIDHeader(c.id)
	c.phone.finish(req, c.peer)
	req.AppendHeader(&local)
	req.AppendHeader(&remote)
	req.AppendHeader(&callID)
	req.AppendHeader(&sip.CSeqHeader{SeqNo: c.cseq, MethodName: method})
	req.AppendHeader(c.phone.contact())
	req.AppendHeader(sip.NewHeader("Allow", allow))
	if sdp != nil {
		req.AppendHeader(sip.NewHeader("Content-Type", "application/sdp"))
	}
	req.SetBody(sdp)
	return req
}

// followInvite sees an outgoing INVITE to its end.
func (c *Call) followInvite(tx sip.ClientTransaction) {
	proven := false
	for {
		res, err := nextResponse(c.ctx, tx)
		if err != nil {
			c.end(End{By: Lost, Reason: err.Error()})
			return
		}
		c.invited.happen()
		switch {
		case res.IsProvisional():
			c.onProvisional(res)
		case res.IsSuccess():
			c.onAnswer(tx, res)
			return
		case (res.StatusCode == 401 || res.StatusCode == 407) && !proven && c.phone.o.Password != "":
			proven = true
			if tx, err = c.proveInvite(res); err != nil {
				c.end(End{By: Lost, Reason: err.Error()})
				return
			}
		default:
			by := Them
			if c.isHangingUp() {
				by = Us
			}
			c.end(End{By: by, Status: res.StatusCode, Reason: res.Reason, Cause: headerValue(res, "Reason")})
			return
		}
	}
}

// nextResponse waits for the next response of a transaction.
func nextResponse(ctx context.Context, tx sip.ClientTransaction) (*sip.Response, error) {
	select {
	case res := <-tx.Responses():
		return res, nil
	case <-tx.Done():
		select { // a response that came just before the transaction's end
		case res := <-tx.Responses():
			return res, nil
		default:
		}
		return nil, fmt.Errorf("no answer: %w", tx.Err())
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (c *Call) proveInvite(challenge *sip.Response) (sip.ClientTransaction, error) {
	c.mu.Lock()
	req := c.phone.renewed(c.invite)
	c.invite = req
	c.mu.Unlock()
	tx, err := c.phone.client.TransactionDigestAuth(c.ctx, req, challenge, c.phone.credentials())
	c.mu.Lock()
	c.cseq = req.CSeq().SeqNo
	c.mu.Unlock()
	return tx, err
}

// stamp notes when the INVITE was first answered so.
func (c *Call) stamp(status int) {
	c.mu.Lock()
	moment := &c.times.Progress
	switch {
	case status == 100:
		moment = &c.times.Trying
	case status == 180:
		moment = &c.times.Ringing
	case status >= 200 && status < 300:
		moment = &c.times.Answered
	case status >= 300:
		moment = nil
	}
	if moment != nil && moment.IsZero() {
		*moment = time.Now()
	}
	c.mu.Unlock()
	if status == 180 {
		c.ringing.happen()
	}
}

func (c *Call) onProvisional(res *sip.Response) {
	if len(res.Body()) > 0 { // early media
		c.stream(res.Body())
	}
}

func (c *Call) onAnswer(tx sip.ClientTransaction, res *sip.Response) {
	c.mu.Lock()
	if to := res.To(); to != nil {
		c.remote = *to
	}
	c.retarget(res.Contact())
	ack := c.newRequest(sip.ACK, nil)
	c.mu.Unlock()
	c.writeAck(ack)
	tx.OnRetransmission(func(*sip.Response) { c.writeAck(ack) })
	c.stream(res.Body())
	c.noteIdentity(res)
	c.answered.happen()
	if c.isHangingUp() { // our CANCEL came too late
		_ = c.bye(c.ctx)
	}
}

// writeAck sends an ACK; one that is lost is asked for again.
func (c *Call) writeAck(ack *sip.Request) { _ = c.phone.client.WriteRequest(ack, asBuilt) }

// retarget follows the other side's Contact. The caller holds c.mu.
func (c *Call) retarget(contact *sip.ContactHeader) {
	if contact == nil {
		return
	}
	if peer, err := addressOf(contact.Address); err == nil {
		c.target, c.peer = contact.Address, peer
	}
}

// stream takes their description and sends and hears accordingly. Their offer or
// answer that we cannot use leaves the call without audio, which tests notice.
func (c *Call) stream(sdp []byte) {
	theirs, err := parseSDP(sdp)
	if err != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.theirs = theirs
	law, ok := chosen(theirs.laws, c.phone.o.Laws)
	if !ok {
		return
	}
	c.media.connect(theirs, law, theirs.direction.answer(c.own))
	if !c.streaming {
		c.streaming = true
		c.phone.wg.Go(func() { c.media.send(c.ctx) })
	}
}

// onInvite takes a new call, or a new description of one that is up.
func (p *Phone) onInvite(req *sip.Request, tx sip.ServerTransaction) {
	if c := p.find(req); c != nil {
		c.onReinvite(req, tx)
		return
	}
	from, to, id := req.From(), req.To(), req.CallID()
	if from == nil || to == nil || id == nil {
		respond(tx, sip.NewResponseFromRequest(req, 400, "Bad Request", nil))
		return
	}
	c, err := p.newCall(id.Value(), false)
	if err != nil {
		respond(tx, sip.NewResponseFromRequest(req, 503, "Service Unavailable", nil))
		return
	}
	c.mu.Lock()
	c.invite, c.serverTx = req, tx
	local, remote := to.AsFrom(), from.AsTo()
	local.Params.Add("tag", sip.GenerateTagN(10))
	c.local, c.remote = local, remote
	c.name, c.number = unquoted(from.DisplayName), from.Address.User
	c.cseq = 1 + rand.Uint32N(1000)
	c.retarget(req.Contact())
	c.mu.Unlock()
	c.noteIdentity(req)

	cancelled := tx.OnCancel(func(cancel *sip.Request) {
		c.end(End{By: Them, Status: 487, Reason: "CANCEL", Cause: headerValue(cancel, "Reason")})
	})
	if !cancelled {
		c.end(End{By: Them, Status: 487, Reason: "CANCEL"})
		return
	}
	p.mu.Lock()
	behave := p.incoming
	p.mu.Unlock()
	p.wg.Go(func() { behave(c.ctx, c) })
	select { // the transaction lives as long as this handler, until it is answered
	case <-c.answered.done:
	case <-c.ended.done:
	}
}

// reply makes a response of an incoming call's INVITE.
func (c *Call) reply(code int, reason string, sdp []byte) *sip.Response {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.respondTo(c.invite, code, reason, sdp)
}

// respondTo makes a response with our tag. The caller holds c.mu.
func (c *Call) respondTo(req *sip.Request, code int, reason string, sdp []byte) *sip.Response {
	res := sip.NewResponseFromRequest(req, code, reason, sdp)
	if to := res.To(); to != nil {
		if tag, ok := c.local.Params.Get("tag"); ok {
			to.Params.Add("tag", tag)
		}
	}
	res.AppendHeader(c.phone.contact())
	res.AppendHeader(sip.NewHeader("Allow", allow))
	if sdp != nil {
		res.AppendHeader(sip.NewHeader("Content-Type", "application/sdp"))
	}
	if expires := sessionTimer(req); expires != "" && code == 200 {
		res.AppendHeader(sip.NewHeader("Require", "timer"))
		res.AppendHeader(sip.NewHeader("Session-Expires", expires))
	}
	return res
}

// sessionTimer leaves refreshing the session to the other side (RFC 4028 §9).
func sessionTimer(req *sip.Request) string {
	value := headerValue(req, "Session-Expires")
	if value == "" {
		value = headerValue(req, "x")
	}
	seconds, _, _ := strings.Cut(value, ";")
	if seconds = strings.TrimSpace(seconds); seconds == "" {
		return ""
	}
	return seconds + ";refresher=uac"
}

// Ring sends 180 for an incoming call.
func (c *Call) Ring() error {
	if err := c.serverTx.Respond(c.reply(180, "Ringing", nil)); err != nil {
		return c.fail("could not ring: %w", err)
	}
	c.mu.Lock()
	if c.times.Ringing.IsZero() {
		c.times.Ringing = time.Now()
	}
	c.mu.Unlock()
	c.ringing.happen()
	return nil
}

// EarlyMedia sends 183 with our description and begins to send and hear.
func (c *Call) EarlyMedia() error {
	c.mu.Lock()
	sdp := c.describe()
	c.times.Progress = time.Now()
	c.mu.Unlock()
	if err := c.serverTx.Respond(c.reply(183, "Session Progress", sdp)); err != nil {
		return c.fail("could not send early media: %w", err)
	}
	c.stream(c.invite.Body())
	return nil
}

// Answer answers an incoming call and waits for the ACK.
func (c *Call) Answer(ctx context.Context) error {
	if c.outgoing || c.answered.happened() || c.ended.happened() {
		return c.fail("could not be answered: it does not ring here")
	}
	c.mu.Lock()
	sdp := c.describe()
	c.mu.Unlock()
	ok := c.reply(200, "OK", sdp)
	c.stream(c.invite.Body())
	c.mu.Lock()
	c.times.Answered = time.Now()
	c.mu.Unlock()
	if err := c.serverTx.Respond(ok); err != nil {
		return c.fail("could not be answered: %w", err)
	}
	c.answered.happen()
	return c.awaitAck(ctx, ok)
}

// awaitAck repeats the answer until it is acknowledged (RFC 3261 §13.3.1.4).
func (c *Call) awaitAck(ctx context.Context, ok *sip.Response) error {
	ctx, cancel := context.WithTimeoutCause(ctx, giveUpAck, errors.New("no ACK"))
	defer cancel()
	for wait := t1; ; wait = min(2*wait, 8*t1) {
		again := time.NewTimer(wait)
		select {
		case <-c.acked.done:
			again.Stop()
			return nil
		case <-c.ended.done:
			again.Stop()
			return nil
		case <-again.C:
			respond(c.serverTx, ok)
		case <-ctx.Done():
			again.Stop()
			return c.fail("was answered without an acknowledgement: %w", context.Cause(ctx))
		}
	}
}

// Decline refuses an incoming call: 486 busy, 480 unavailable, 603 declined …
func (c *Call) Decline(code int) error {
	if c.outgoing || c.answered.happened() || c.ended.happened() {
		return c.fail("could not be declined: it does not ring here")
	}
	reason := map[int]string{480: "Temporarily Unavailable", 486: "Busy Here", 603: "Decline"}[code]
	if err := c.serverTx.Respond(c.reply(code, reason, nil)); err != nil {
		return c.fail("could not be declined: %w", err)
	}
	c.end(End{By: Us, Status: code, Reason: reason})
	return nil
}

// Hangup ends the call as its state asks: BYE when it is up, CANCEL before the
// other side has answered, 603 before we have. On a call that has ended it does nothing.
func (c *Call) Hangup(ctx context.Context) error {
	c.mu.Lock()
	c.hangingUp = true
	c.mu.Unlock()
	switch {
	case c.ended.happened():
		return nil
	case c.answered.happened():
		return c.bye(ctx)
	case c.outgoing:
		return c.cancelInvite(ctx)
	default:
		return c.Decline(603)
	}
}

func (c *Call) isHangingUp() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.hangingUp
}

func (c *Call) bye(ctx context.Context) error {
	_, err := c.do(ctx, sip.BYE, false)
	c.end(End{By: Us, Reason: "BYE"})
	if err != nil {
		return c.fail("ended, but its BYE was not answered: %w", err)
	}
	return nil
}

// cancelInvite cancels once something has answered the INVITE (RFC 3261 §9.1)
// and waits for the call's end.
func (c *Call) cancelInvite(ctx context.Context) error {
	if err := c.wait(ctx, c.invited.done, nil, "could not be cancelled"); err != nil {
		return err
	}
	c.mu.Lock()
	invite := c.invite
	req := sip.NewRequest(sip.CANCEL, invite.Recipient)
	for _, name := range []string{"Via", "From", "To", "Call-ID", "Max-Forwards"} {
		req.AppendHeader(sip.HeaderClone(invite.GetHeader(name)))
	}
	req.AppendHeader(&sip.CSeqHeader{SeqNo: invite.CSeq().SeqNo, MethodName: sip.CANCEL})
	req.SetTransport("UDP")
	req.SetDestination(invite.Destination())
	req.Laddr = invite.Laddr
	req.SetBody(nil)
	c.mu.Unlock()
	if _, err := c.phone.client.Do(ctx, req, asBuilt); err != nil && !c.ended.happened() {
		return c.fail("was not cancelled: %w", err)
	}
	_, err := c.WaitEnded(ctx)
	return err
}

// Hold puts the other side on hold by re-INVITE (sendonly).
func (c *Call) Hold(ctx context.Context) error { return c.redescribe(ctx, sendOnly) }

// Unhold takes the other side back (sendrecv).
func (c *Call) Unhold(ctx context.Context) error { return c.redescribe(ctx, sendRecv) }

func (c *Call) redescribe(ctx context.Context, own direction) error {
	if !c.Up() {
		return c.fail("could not be set to %s: %w", own, errNotUp)
	}
	c.mu.Lock()
	before := c.own
	c.own = own
	c.mu.Unlock()
	res, err := c.do(ctx, sip.INVITE, true)
	if err != nil {
		c.mu.Lock()
		c.own = before
		c.mu.Unlock()
		return c.fail("could not be set to %s: %w", own, err)
	}
	c.stream(res.Body())
	return nil
}

// do sends a request within the dialog and waits for success. A re-INVITE that
// collides with one of theirs is tried again after a moment (RFC 3261 §14.1).
func (c *Call) do(ctx context.Context, method sip.RequestMethod, describe bool) (*sip.Response, error) {
	c.request.Lock()
	defer c.request.Unlock()
	for {
		c.mu.Lock()
		c.cseq++
		var sdp []byte
		if describe {
			sdp = c.describe()
		}
		req := c.newRequest(method, sdp)
		ack := c.newRequest(sip.ACK, nil)
		c.mu.Unlock()

		res, err := c.transact(ctx, req, ack)
		switch {
		case err != nil:
			return nil, err
		case res.IsSuccess():
			return res, nil
		case res.StatusCode != 491:
			return nil, fmt.Errorf("%s answered %d %s", method, res.StatusCode, res.Reason)
		}
		glare := time.NewTimer(100*time.Millisecond + rand.N(400*time.Millisecond))
		select {
		case <-glare.C:
		case <-ctx.Done():
			glare.Stop()
			return nil, context.Cause(ctx)
		}
	}
}

func (c *Call) transact(ctx context.Context, req, ack *sip.Request) (*sip.Response, error) {
	if req.IsInvite() {
		return c.transactInvite(ctx, req, ack)
	}
	return c.phone.roundTrip(ctx, req)
}

func (c *Call) transactInvite(ctx context.Context, req, ack *sip.Request) (*sip.Response, error) {
	tx, err := c.phone.client.TransactionRequest(ctx, req, sipgo.ClientRequestOption(asBuilt))
	if err != nil {
		return nil, err
	}
	for {
		res, err := nextResponse(ctx, tx)
		switch {
		case err != nil:
			tx.Terminate()
			return nil, err
		case res.IsSuccess():
			c.writeAck(ack)
			tx.OnRetransmission(func(*sip.Response) { c.writeAck(ack) })
			return res, nil
		case !res.IsProvisional():
			return res, nil
		}
	}
}

func (c *Call) onAck(req *sip.Request, _ sip.ServerTransaction) {
	if len(req.Body()) > 0 { // the answer to an offer of ours
		c.stream(req.Body())
	}
	c.acked.happen()
}

func (c *Call) onBye(req *sip.Request, tx sip.ServerTransaction) {
	respond(tx, sip.NewResponseFromRequest(req, 200, "OK", nil))
	c.end(End{By: Them, Reason: "BYE", Cause: headerValue(req, "Reason")})
}

func (c *Call) onReinvite(req *sip.Request, tx sip.ServerTransaction) { c.renegotiate(req, tx) }

func (c *Call) onUpdate(req *sip.Request, tx sip.ServerTransaction) { c.renegotiate(req, tx) }

// renegotiate answers their new offer, or their refreshing without one.
func (c *Call) renegotiate(req *sip.Request, tx sip.ServerTransaction) {
	c.noteIdentity(req)
	if len(req.Body()) > 0 {
		c.stream(req.Body())
	}
	c.mu.Lock()
	c.retarget(req.Contact())
	var sdp []byte
	if len(req.Body()) > 0 || req.IsInvite() {
		sdp = c.describeAnswer(len(req.Body()) > 0)
	}
	res := c.respondTo(req, 200, "OK", sdp)
	c.mu.Unlock()
	respond(tx, res)
}

// describeAnswer is our description as an answer to theirs, or as an offer when
// they made none. The caller holds c.mu.
func (c *Call) describeAnswer(offered bool) []byte {
	if !offered {
		return c.describe()
	}
	c.sdpVersion++
	s := session{addr: c.media.addr(), laws: c.phone.laws(), keys: c.theirs.keys, direction: c.theirs.direction.answer(c.own)}
	return s.marshal(c.sdpVersion)
}

// noteIdentity follows who the other side says it is (RFC 3325, or Asterisk's
// older Remote-Party-ID).
func (c *Call) noteIdentity(msg interface{ GetHeader(string) sip.Header }) {
	for _, name := range []string{"P-Asserted-Identity", "Remote-Party-ID"} {
		h := msg.GetHeader(name)
		if h == nil {
			continue
		}
		var uri sip.Uri
		display, err := sip.ParseAddressValue(h.Value(), &uri, nil)
		if err != nil {
			continue
		}
		c.mu.Lock()
		c.name, c.number = unquoted(display), uri.User
		c.mu.Unlock()
		return
	}
}

func unquoted(s string) string {
	return strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(strings.Trim(s, `"`))
}

func headerValue(msg interface{ GetHeader(string) sip.Header }, name string) string {
	if h := msg.GetHeader(name); h != nil {
		return h.Value()
	}
	return ""
}
