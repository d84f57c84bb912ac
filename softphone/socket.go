package softphone

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"time"
)

// The codes that a socket is closed with; docs/softphone.md says what each
// means to the page.
var (
	closeResumed   = closing{1000, "resumed"}
	closeStuck     = closing{1008, "stuck"}
	closeLost      = closing{1001, "lost"}
	closeBadFrame  = closing{4400, "bad-frame"}
	closeBadToken  = closing{4401, "bad-token"}
	closeNoHello   = closing{4408, "no-hello"}
	closeTakenOver = closing{4409, "taken-over"}
	closeTooLarge  = closing{4413, "too-large"}
	closeGap       = closing{4422, "gap"}
	closeTooMany   = closing{4429, "too-many"}
	closeClosing   = closing{4503, "closing"}
)

const codeGone = 4410

// closing is why a socket ends.
type closing struct {
	code   int
	reason string
}

func (c closing) Error() string { return "softphone: the socket ends: " + c.reason }

// kind is the closing for a metric: reasons of gone are the application's.
func (c closing) kind() string {
	if c.code == codeGone {
		return typeGone
	}
	return c.reason
}

// gone is the closing of a session that is over.
func gone(why string) closing { return closing{codeGone, clip(why, 64)} }

// The limits of one socket, at once and a second.
const (
	frameBurst, frameRate = 200, 50
	byteBurst, byteRate   = 512 << 10, 64 << 10
)

// socket is one transport of a session's, from its hello to its end.
type socket struct {
	t     Transport
	hello inbound
	whose ticket

	seated  chan struct{} // closed when the session has filled in the next four
	refused error         // the closing, where it has no place there
	out     *outbox
	holder  chan struct{}
	first   []byte

	ctx    context.Context
	cancel context.CancelCauseFunc // with a closing
	flush  sync.Once
	last   chan closing // what is waiting is written, then the socket ends
}

func newSocket(ctx context.Context, t Transport, hello inbound, whose ticket) *socket {
	s := &socket{t: t, hello: hello, whose: whose, seated: make(chan struct{}), last: make(chan closing, 1)}
	s.ctx, s.cancel = context.WithCancelCause(ctx)
	return s
}

// end closes the socket at once.
func (s *socket) end(why closing) { s.cancel(why) }

// finish closes it when what waits for it has been written.
func (s *socket) finish(why closing) { s.flush.Do(func() { s.last <- why }) }

// closingOf is the closing that an error is; other errors are the network's.
func closingOf(err error) closing {
	var c closing
	if errors.As(err, &c) {
		return c
	}
	return closeLost
}

// Serve serves a signalling socket until it ends. ctx ends it, too.
func (g *Gateway) Serve(ctx context.Context, t Transport) { g.serve(ctx, t, netip.Prefix{}) }

// serve serves a socket from somewhere.
func (g *Gateway) serve(ctx context.Context, t Transport, from netip.Prefix) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(g.over, func() { cancel(closeClosing) })()

	why := closeClosing
	if who, in := g.admit(from, cancel); in {
		why = g.converse(ctx, t, who)
	}
	g.figures.sockets.WithLabelValues(why.kind()).Inc()
	_ = t.Close(why.code, why.reason)
}

// converse is a socket's life: hello, a session, frames until it ends.
func (g *Gateway) converse(ctx context.Context, t Transport, who *stranger) closing {
	hello, whose, err := g.greet(ctx, t)
	g.dismiss(who)
	if err != nil {
		return g.turnAway(err)
	}
	sock := newSocket(ctx, t, hello, whose)
	defer sock.cancel(nil)
	session, err := g.seat(sock)
	if err != nil {
		return g.turnAway(err)
	}
	var both sync.WaitGroup
	both.Go(sock.write)
	both.Go(func() { sock.read(session, g.complaints) })

	<-sock.ctx.Done()
	session.leave(sock)
	why := closingOf(context.Cause(sock.ctx))
	_ = t.Close(why.code, why.reason) // reading and writing end by it
	both.Wait()
	return why
}

// turnAway is the closing of a socket that was given no desk.
func (g *Gateway) turnAway(err error) closing {
	why := closingOf(err)
	if why.code >= closeBadFrame.code && why != closeClosing && why != closeTakenOver {
		g.complaints.about(why.reason)
	}
	return why
}

// greet reads the first frame and learns from it whose the socket is.
func (g *Gateway) greet(ctx context.Context, t Transport) (hello inbound, whose ticket, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, g.times.hello, closeNoHello)
	defer cancel()
	stop := context.AfterFunc(ctx, func() {
		why := closingOf(context.Cause(ctx))
		_ = t.Close(why.code, why.reason)
	})
	data, err := t.ReadFrame()
	if !stop() {
		return inbound{}, ticket{}, context.Cause(ctx)
	}
	if err != nil {
		return inbound{}, ticket{}, readError(err)
	}
	if hello, err = parseFrame(data); err != nil || hello.Type != typeHello {
		return inbound{}, ticket{}, closeBadFrame
	}
	if whose, err = g.knows(hello); err != nil {
		return inbound{}, ticket{}, err
	}
	hello.Token = ""
	return hello, whose, nil
}

// knows says whose a hello is: its ticket tells, or, without one, the session
// that it goes on with. A page whose network has gone would ask for a ticket on
// connections that are as dead as its socket; nor does it need one to be told
// that another page has the desk.
func (g *Gateway) knows(hello inbound) (ticket, error) {
	if hello.Token != "" {
		if whose, good := g.tickets.redeem(hello.Token); good {
			return whose, nil
		}
		return ticket{}, closeBadToken
	}
	for _, s := range g.all() {
		if still, is := s.named(hello.Session); is {
			return ticket{owner: s.owner, still: still, named: true}, nil
		}
		if s.takenFrom(hello.Session) {
			return ticket{}, closeTakenOver
		}
	}
	return ticket{}, closeBadToken
}

func readError(err error) error {
	switch {
	case errors.Is(err, ErrTooLarge):
		return closeTooLarge
	case errors.Is(err, ErrNotText):
		return closeBadFrame
	}
	return err
}

// write writes what there is for the browser until the socket ends.
func (s *socket) write() {
	err := s.writeFrame(s.first)
	for err == nil {
		if err = s.writeWaiting(); err != nil {
			break
		}
		select {
		case <-s.holder:
		case c := <-s.last:
			if err = s.writeWaiting(); err == nil {
				err = c
			}
		case <-s.ctx.Done():
			return
		}
	}
	s.cancel(err)
}

func (s *socket) writeWaiting() error {
	for {
		data, any := s.out.take(s.holder)
		if !any {
			return nil
		}
		if err := s.writeFrame(data); err != nil {
			return err
		}
	}
}

const writeWithin = 5 * time.Second

func (s *socket) writeFrame(data []byte) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), writeWithin) // not s.ctx: a frame cut short would end the transport without its code
	defer cancel()
	err := s.t.WriteFrame(ctx, data)
	if err != nil && ctx.Err() != nil {
		return closeStuck
	}
	return err
}

// read hands the browser's frames to the session until the socket ends.
func (s *socket) read(session *Session, complaints *complaints) {
	frames, bytes := newBucket(frameBurst, frameRate), newBucket(byteBurst, byteRate)
	for {
		err := s.readFrame(session, frames, bytes)
		if err == nil {
			continue
		}
		if s.ctx.Err() == nil && closingOf(err) != closeLost {
			complaints.about(closingOf(err).reason, "owner", session.owner)
		}
		s.cancel(err)
		return
	}
}

func (s *socket) readFrame(session *Session, frames, bytes *bucket) error {
	data, err := s.t.ReadFrame()
	if err != nil {
		return readError(err)
	}
	if !frames.take(1) || !bytes.take(float64(len(data))) {
		return closeTooMany
	}
	f, err := parseFrame(data)
	switch {
	case err != nil || f.Type == typeHello:
		return closeBadFrame
	case f.Type == typeAck:
		s.out.acknowledged(f.Seq)
		return nil
	}
	return session.deliver(s, f)
}
