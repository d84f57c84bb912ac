package softphone

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// Subprotocol is the signalling socket's, with its version.
const Subprotocol = "hotline.1"

// Transport carries frames between a page and the gateway: a WebSocket, or what
// a test puts in its place. ReadFrame is called by one goroutine, WriteFrame by
// another; Close by any, more than once, and makes both return.
type Transport interface {
	// ReadFrame returns the next frame; ErrTooLarge or ErrNotText where it is not
	// one that may be.
	ReadFrame() ([]byte, error)
	// WriteFrame sends a frame. The transport is of no use after an error, the end
	// of ctx included.
	WriteFrame(ctx context.Context, frame []byte) error
	// Close ends it, with a code and a reason of docs/softphone.md.
	Close(code int, reason string) error
}

// What ReadFrame reports besides the transport's own errors.
var (
	ErrTooLarge = errors.New("softphone: a frame is too large")
	ErrNotText  = errors.New("softphone: a frame is not text")
)

const (
	pingEvery   = 5 * time.Second // and a socket that does not answer within as long is lost
	closeWithin = time.Second     // a page that is there agrees to a close at once
)

// ServeHTTP upgrades a request to a signalling socket and serves it until it
// ends. Who is at the other end the first frame says, not the request.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !g.allowed(r) {
		g.refuse(w, http.StatusForbidden, "foreign-origin")
		return
	}
	if !offersSubprotocol(r) {
		g.refuse(w, http.StatusBadRequest, "no-subprotocol")
		return
	}
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{Subprotocol}, InsecureSkipVerify: true}) // the origin has been checked
	if err != nil {
		return // Accept has answered
	}
	conn.SetReadLimit(-1) // ReadFrame has a limit of its own, with a code of ours
	t := &webSocket{conn: conn}
	t.ctx, t.cancel = context.WithCancel(context.WithoutCancel(r.Context()))
	var pinging sync.WaitGroup
	pinging.Go(t.ping)
	defer pinging.Wait()
	defer t.cancel()
	g.serve(r.Context(), t, networkOf(r.RemoteAddr))
}

// refuse answers a request that does not become a socket.
func (g *Gateway) refuse(w http.ResponseWriter, status int, code string) {
	g.figures.sockets.WithLabelValues(code).Inc()
	g.complaints.about(code)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `{"code":%q}`+"\n", code)
}

// allowed says whether a page of the request's origin may open a socket: one of
// this host, or one that the configuration names. Programs send no origin; they
// need a ticket as everybody does.
func (g *Gateway) allowed(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && (strings.EqualFold(u.Host, r.Host) || slices.Contains(g.o.Origins, strings.ToLower(origin)))
}

func offersSubprotocol(r *http.Request) bool {
	for _, line := range r.Header.Values("Sec-WebSocket-Protocol") {
		for offered := range strings.SplitSeq(line, ",") {
			if strings.TrimSpace(offered) == Subprotocol {
				return true
			}
		}
	}
	return false
}

// webSocket is a Transport.
type webSocket struct {
	conn   *websocket.Conn
	ctx    context.Context // of its reading, whose end ends the connection
	cancel context.CancelFunc
}

func (t *webSocket) ReadFrame() ([]byte, error) {
	kind, reader, err := t.conn.Reader(t.ctx)
	if err != nil {
		return nil, err
	}
	if kind != websocket.MessageText {
		return nil, ErrNotText
	}
	data, err := io.ReadAll(io.LimitReader(reader, MaxFrame+1))
	if err == nil && len(data) > MaxFrame {
		err = ErrTooLarge
	}
	return data, err
}

func (t *webSocket) WriteFrame(ctx context.Context, frame []byte) error {
	return t.conn.Write(ctx, websocket.MessageText, frame)
}

// Close says why, and does not wait long for a page that may be gone to agree.
func (t *webSocket) Close(code int, reason string) error {
	defer time.AfterFunc(closeWithin, t.cancel).Stop()
	return t.conn.Close(websocket.StatusCode(code), reason)
}

// ping ends the socket when the page does not answer: a lid was closed, a
// network is gone.
func (t *webSocket) ping() {
	ticker := time.NewTicker(pingEvery)
	defer ticker.Stop()
	for {
		select {
		case <-t.ctx.Done():
			return
		case <-ticker.C:
		}
		answered, cancel := context.WithTimeout(t.ctx, pingEvery)
		err := t.conn.Ping(answered)
		cancel()
		if err != nil {
			t.cancel()
			return
		}
	}
}
