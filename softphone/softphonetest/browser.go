// Package softphonetest is a browser for tests and measurements: it speaks the
// protocol of docs/softphone.md as the page does, and sends and receives audio
// over WebRTC. It shares no code with the gateway.
//
// The files: browser.go (signalling), connection.go (the RTCPeerConnection).
package softphonetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"

	"github.com/coder/websocket"
)

// Frame is a frame from the server, with the fields of all types.
type Frame struct {
	Type    string          `json:"type"`
	Seq     uint64          `json:"seq"`
	Session string          `json:"session"`
	Resumed bool            `json:"resumed"`
	Last    uint64          `json:"last"`
	ICE     json.RawMessage `json:"ice"`
	SDP     string          `json:"sdp"`
	Desk    json.RawMessage `json:"desk"`
	ID      string          `json:"id"`
	About   string          `json:"about"`
	Code    string          `json:"code"`
	Values  map[string]any  `json:"values"`
}

// Page is where a page signals: the gateway's URL (ws://…) and, if it is to
// send one, its origin.
type Page struct {
	URL    string
	Origin string
}

// Browser is a page with its socket. Its methods are for one goroutine, but for
// those of its connection.
type Browser struct {
	page Page

	Session string // as of the last welcome
	Welcome Frame

	mu     sync.Mutex
	conn   *websocket.Conn
	seq    uint64
	last   uint64         // received
	kept   []numbered     // not acknowledged
	mute   bool           // nothing is acknowledged
	frames chan Frame     // all but acks, pings and welcomes
	ended  chan struct{}  // closed when the socket's reader has ended
	end    error          // why
	conns  []*Connection  // to close
	reader sync.WaitGroup // of the present socket
}

type numbered struct {
	seq  uint64
	data []byte
}

// framesKept is how many frames may wait to be looked at.
const framesKept = 4096

// Open opens a socket and says hello with the token.
func Open(ctx context.Context, page Page, token string) (*Browser, error) {
	b := &Browser{page: page, frames: make(chan Frame, framesKept)}
	return b, b.hello(ctx, map[string]any{"type": "hello", "token": token})
}

// Resume opens another socket for the session, and sends again what was not
// acknowledged, if the server has kept the session.
func (b *Browser) Resume(ctx context.Context, token string) error {
	b.Cut()
	b.mu.Lock()
	last := b.last
	b.mu.Unlock()
	if err := b.hello(ctx, map[string]any{"type": "hello", "token": token, "session": b.Session, "last": last}); err != nil {
		return err
	}
	if !b.Welcome.Resumed {
		return nil
	}
	b.acknowledged(b.Welcome.Last)
	b.mu.Lock()
	again := append([]numbered(nil), b.kept...)
	b.mu.Unlock()
	for _, f := range again {
		if err := b.Raw(ctx, f.data); err != nil {
			return err
		}
	}
	return nil
}

func (b *Browser) hello(ctx context.Context, hello map[string]any) error {
	conn, err := b.Dial(ctx)
	if err != nil {
		return err
	}
	b.conn = conn
	b.ended = make(chan struct{})
	data, err := json.Marshal(hello)
	if err != nil {
		return err
	}
	if err := b.Raw(ctx, data); err != nil {
		return err
	}
	_, data, err = conn.Read(ctx)
	if err != nil {
		close(b.ended)
		return err
	}
	var welcome Frame
	if err := json.Unmarshal(data, &welcome); err != nil || welcome.Type != "welcome" {
		return fmt.Errorf("the server answered hello with %s", data)
	}
	b.Welcome, b.Session = welcome, welcome.Session
	if !welcome.Resumed {
		b.mu.Lock()
		b.seq, b.last, b.kept = 0, 0, nil
		b.mu.Unlock()
	}
	b.reader.Go(func() { b.read(conn, b.ended) })
	return nil
}

// Dial opens a socket and says nothing.
func (b *Browser) Dial(ctx context.Context) (*websocket.Conn, error) {
	header := http.Header{}
	if b.page.Origin != "" {
		header.Set("Origin", b.page.Origin)
	}
	conn, response, err := websocket.Dial(ctx, b.page.URL, &websocket.DialOptions{Subprotocols: []string{"hotline.1"}, HTTPHeader: header})
	if err != nil {
		if response != nil {
			return nil, fmt.Errorf("status %d: %w", response.StatusCode, err)
		}
		return nil, err
	}
	conn.SetReadLimit(1 << 20)
	return conn, nil
}

// read takes frames until the socket ends, and acknowledges them.
func (b *Browser) read(conn *websocket.Conn, ended chan struct{}) {
	defer close(ended)
	for {
		_, data, err := conn.Read(context.Background())
		if err != nil {
			b.mu.Lock()
			b.end = err
			b.mu.Unlock()
			return
		}
		var f Frame
		if err := json.Unmarshal(data, &f); err != nil {
			panic(fmt.Sprintf("the server sent %q: %v", data, err))
		}
		if f.Type == "ack" {
			b.acknowledged(f.Seq)
			continue
		}
		if b.take(f) {
			b.frames <- f
		}
		if !b.mute {
			_ = conn.Write(context.Background(), websocket.MessageText, fmt.Appendf(nil, `{"type":"ack","seq":%d}`, f.Seq))
		}
	}
}

// take says whether a frame is the next.
func (b *Browser) take(f Frame) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if f.Seq != b.last+1 {
		return false
	}
	b.last = f.Seq
	return true
}

func (b *Browser) acknowledged(seq uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.kept) > 0 && b.kept[0].seq <= seq {
		b.kept = b.kept[1:]
	}
}

// Mute stops acknowledging, before the first frame that is not to be.
func (b *Browser) Mute() { b.mute = true }

// Send sends a frame with the next number, and returns the number.
func (b *Browser) Send(ctx context.Context, frame map[string]any) (uint64, error) {
	b.mu.Lock()
	b.seq++
	seq := b.seq
	frame["seq"] = seq
	data, err := json.Marshal(frame)
	if err == nil {
		b.kept = append(b.kept, numbered{seq, data})
	}
	b.mu.Unlock()
	if err != nil {
		return seq, err
	}
	return seq, b.Raw(ctx, data)
}

// Raw sends bytes as a text frame.
func (b *Browser) Raw(ctx context.Context, data []byte) error {
	return b.conn.Write(ctx, websocket.MessageText, data)
}

// Unacknowledged is how many frames the server has not acknowledged.
func (b *Browser) Unacknowledged() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.kept)
}

// Next waits for the next frame that is of one of the types; others are passed
// over. No types: any.
func (b *Browser) Next(ctx context.Context, types ...string) (Frame, error) {
	for {
		select {
		case f := <-b.frames:
			if len(types) == 0 {
				return f, nil
			}
			for _, t := range types {
				if f.Type == t {
					return f, nil
				}
			}
		case <-ctx.Done():
			return Frame{}, fmt.Errorf("waiting for %v: %w", types, context.Cause(ctx))
		}
	}
}

// Ended waits until the server has closed the socket, and returns with which
// code and reason.
func (b *Browser) Ended(ctx context.Context) (code int, reason string, err error) {
	select {
	case <-b.ended:
	case <-ctx.Done():
		return 0, "", fmt.Errorf("waiting for the socket's end: %w", context.Cause(ctx))
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	var closed websocket.CloseError
	if errors.As(b.end, &closed) {
		return int(closed.Code), closed.Reason, nil
	}
	return 0, "", b.end
}

// Cut ends the socket without a word.
func (b *Browser) Cut() {
	if b.conn != nil {
		_ = b.conn.CloseNow()
	}
	b.reader.Wait()
}

// Close ends socket and connections.
func (b *Browser) Close() {
	b.Cut()
	for _, c := range b.conns {
		c.Close()
	}
}
