package phone

import (
	"bytes"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/emiago/sipgo/sip"
)

// wire is the phone's SIP socket. It can go dead, keeps the last messages for
// the report of a failing test, and tells when the SIP stack has begun to read.
type wire struct {
	*net.UDPConn
	dead    atomic.Bool
	reading sync.Once
	ready   chan struct{} // closed at the first read

	// answered is told of every response to an INVITE, in the order they come: the
	// SIP stack handles each message in a goroutine of its own, where a 200 can
	// overtake the 180 before it.
	answered func(callID string, status int)

	mu    sync.Mutex
	began time.Time
	lines []string
	from  map[string]bool // who has written to us
}

const traceLines = 60

func listen(ip string, port int, answered func(callID string, status int)) (*wire, error) {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.ParseIP(ip), Port: port})
	if err != nil {
		return nil, fmt.Errorf("phone: SIP socket on %s: %w", ip, err)
	}
	return &wire{UDPConn: conn, ready: make(chan struct{}), began: time.Now(), answered: answered, from: map[string]bool{}}, nil
}

func (w *wire) ReadFrom(b []byte) (int, net.Addr, error) {
	w.reading.Do(func() { close(w.ready) })
	for {
		n, from, err := w.UDPConn.ReadFrom(b)
		if err == nil && w.dead.Load() {
			continue
		}
		if err == nil {
			w.note("<-", b[:n])
			w.met(from)
			if id, status, ok := inviteResponse(b[:n]); ok {
				w.answered(id, status)
			}
		}
		return n, from, err
	}
}

func (w *wire) WriteTo(b []byte, to net.Addr) (int, error) {
	if w.dead.Load() {
		return len(b), nil
	}
	w.note("->", b)
	return w.UDPConn.WriteTo(b, to)
}

// note keeps a message's first line and its CSeq.
func (w *wire) note(direction string, message []byte) {
	first, _, _ := bytes.Cut(message, []byte("\r\n"))
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lines = append(w.lines, fmt.Sprintf("%7.3f %s %.80s | %s", time.Since(w.began).Seconds(), direction, first, header(message, "CSeq")))
	if len(w.lines) > traceLines {
		w.lines = w.lines[len(w.lines)-traceLines:]
	}
}

func (w *wire) trace() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.lines...)
}

func (w *wire) met(peer net.Addr) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.from[peer.String()] = true
}

func (w *wire) peers() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Collect(maps.Keys(w.from))
}

// deadEnd is a SIP connection that takes everything and sends nothing.
type deadEnd struct{ local net.Addr }

func (d deadEnd) LocalAddr() net.Addr      { return d.local }
func (deadEnd) WriteMsg(sip.Message) error { return nil }
func (deadEnd) Ref(int) int                { return 1 }
func (deadEnd) TryClose() (int, error)     { return 1, nil }
func (deadEnd) Close() error               { return nil }

func inviteResponse(message []byte) (callID string, status int, ok bool) {
	rest, ok := bytes.CutPrefix(message, []byte("SIP/2.0 "))
	if !ok || len(rest) < 3 || !strings.HasSuffix(header(message, "CSeq"), " INVITE") {
		return "", 0, false
	}
	status, err := strconv.Atoi(string(rest[:3]))
	return header(message, "Call-ID"), status, err == nil
}

// header finds a header by its usual spelling.
func header(message []byte, name string) string {
	_, after, _ := bytes.Cut(message, []byte("\r\n"+name+":"))
	value, _, _ := bytes.Cut(after, []byte("\r\n"))
	return string(bytes.TrimSpace(value))
}
