package phone

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/pion/rtp"

	"hotline/test/ear"
)

const (
	frame        = 20 * time.Millisecond
	frameSamples = 160

	keyPress = 100 * time.Millisecond // how long Keys holds a key, and how long it rests
	keyEnds  = 3                      // how often the end of a key is sent (RFC 4733 §2.5.1.4)
)

// Packet is one RTP packet that came in.
type Packet struct {
	At      time.Duration // by the kernel's clock, since Call.Start
	SSRC    uint32
	TS      uint32
	Seq     uint16
	Bytes   uint16 // of payload
	Payload uint8  // type: 0 PCMU, 8 PCMA, 101 keys, 13 comfort noise
	Marker  bool
}

// Gap is a stretch in which no RTP came in, or in which numbers are missing.
type Gap struct {
	After time.Duration // when the last packet before it came
	Lasts time.Duration
	Lost  int // packets missing by their sequence numbers
}

// Key is a key pressed by the other side.
type Key struct {
	At    time.Duration // since Call.Start
	Digit rune
	Held  time.Duration
}

// media is a call's RTP. Its two goroutines end with its context.
type media struct {
	conn  *net.UDPConn
	start time.Time
	ear   *ear.Decoder

	mu        sync.Mutex
	remote    netip.AddrPort
	law       ear.Law
	keysPT    uint8
	sends     bool // by the negotiated direction
	stopped   bool // the line has died or StopRTP was called
	dtx       bool
	voice     *ear.Voice
	speaking  bool
	presses   []*press
	seq       uint16
	ts        uint32
	ssrc      uint32
	talkspurt bool // the last frame was sent

	packets []Packet
	keys    []Key
	keyTS   uint32 // of the last key, to tell a repeat
	lastSeq uint16
	changed chan struct{} // closed and replaced when the transcript or the keys change
	sent    int
}

// press is a key being sent.
type press struct {
	event     byte
	left      time.Duration // to hold
	rest      time.Duration // after it
	began     bool
	ts        uint32
	held      uint16 // samples
	announced chan struct{}
}

func newMedia(ip string, start time.Time, dec *ear.Decoder) (*media, error) {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.ParseIP(ip)})
	if err != nil {
		return nil, fmt.Errorf("phone: RTP socket on %s: %w", ip, err)
	}
	m := &media{
		conn: conn, start: start, ear: dec, changed: make(chan struct{}),
		seq: uint16(rand.Uint32()), ts: rand.Uint32(), ssrc: rand.Uint32(),
	}
	if err := stampArrivals(conn); err != nil {
		conn.Close()
		return nil, err
	}
	return m, nil
}

func (m *media) addr() netip.AddrPort { return m.conn.LocalAddr().(*net.UDPAddr).AddrPort() }

// connect points the media to where a description says.
func (m *media) connect(theirs session, law ear.Law, own direction) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.remote, m.law, m.keysPT, m.sends = theirs.addr, law, theirs.keys, own.sends()
}

// send paces one packet every 20 ms until ctx ends.
func (m *media) send(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for next := time.Now(); ; {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		m.sendFrame()
		next = next.Add(frame)
		if late := time.Since(next); late > 10*frame {
			next = next.Add(late)
		}
		timer.Reset(time.Until(next))
	}
}

func (m *media) sendFrame() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ts += frameSamples
	if m.stopped || !m.remote.IsValid() {
		return
	}
	switch {
	case len(m.presses) > 0:
		m.sendPress()
		m.talkspurt = false
	case m.sends && m.voice != nil && m.speaking:
		pcm := make([]int16, frameSamples)
		m.voice.Next(pcm)
		m.sendAudio(m.law.Encode(pcm))
	case !m.dtx:
		m.sendAudio(m.law.Encode(make([]int16, frameSamples)))
	default:
		m.talkspurt = false
	}
}

func (m *media) sendAudio(payload []byte) {
	m.write(uint8(m.law), m.ts, !m.talkspurt, payload)
	m.talkspurt = true
}

// write sends one packet; what the network refuses is lost, as on a real line.
func (m *media) write(pt uint8, ts uint32, marker bool, payload []byte) {
	m.seq++
	p := rtp.Packet{Header: rtp.Header{
		Version: 2, PayloadType: pt, SequenceNumber: m.seq, Timestamp: ts, SSRC: m.ssrc, Marker: marker,
	}, Payload: payload}
	b, err := p.Marshal()
	if err != nil {
		return
	}
	if _, err := m.conn.WriteToUDPAddrPort(b, m.remote); err == nil {
		m.sent++
	}
}

func (m *media) sendPress() {
	p := m.presses[0]
	switch {
	case !p.began:
		p.began, p.ts = true, m.ts
		p.held = frameSamples
		p.left -= frame
		m.writeKey(p, true, false)
	case p.left > 0:
		p.held += frameSamples
		p.left -= frame
		m.writeKey(p, false, false)
	case p.announced != nil:
		for range keyEnds {
			m.writeKey(p, false, true)
		}
		close(p.announced)
		p.announced = nil
	case p.rest > 0:
		p.rest -= frame
	default:
		m.presses = m.presses[1:]
	}
}

func (m *media) writeKey(p *press, marker, end bool) {
	const volume = 10
	b := []byte{p.event, volume, byte(p.held >> 8), byte(p.held)}
	if end {
		b[1] |= 0x80
	}
	m.write(m.keysPT, p.ts, marker, b)
}

const keypad = "0123456789*#ABCD"

// press queues keys; the channel closes when the last has been sent.
func (m *media) press(digits string) (<-chan struct{}, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.keysPT == 0 {
		return nil, fmt.Errorf("phone: keys %q: the other side takes no RFC 4733 events, or the call is not up", digits)
	}
	var queue []*press
	for _, d := range digits {
		event := slices.Index([]rune(keypad), d)
		if event < 0 {
			return nil, fmt.Errorf("phone: %q is not a key", d)
		}
		queue = append(queue, &press{event: byte(event), left: keyPress, rest: keyPress, announced: make(chan struct{})})
	}
	done := make(chan struct{})
	if len(queue) == 0 {
		close(done)
		return done, nil
	}
	queue[len(queue)-1].announced = done
	m.presses = append(m.presses, queue...)
	return done, nil
}

// tap sends one whole key at once: its beginning and its three ends.
func (m *media) tap(event byte, held uint16) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.stopped || m.keysPT == 0 || !m.remote.IsValid() {
		return
	}
	p := &press{event: event, ts: m.ts, held: held}
	m.ts += uint32(held)
	m.writeKey(p, true, false)
	for range keyEnds {
		m.writeKey(p, false, true)
	}
}

// receive reads until the socket is closed.
func (m *media) receive() {
	buf, oob := make([]byte, 2048), make([]byte, 128)
	var pcm []int16
	for {
		n, oobn, _, from, err := m.conn.ReadMsgUDPAddrPort(buf, oob)
		if err != nil {
			return
		}
		at := arrival(oob[:oobn]).Sub(m.start)
		var p rtp.Packet
		if p.Unmarshal(buf[:n]) != nil || isRTCP(p.PayloadType, p.Marker) {
			continue
		}
		heard, continues := m.note(from, at, &p)
		law := ear.Law(p.PayloadType)
		if !heard || (law != ear.ALaw && law != ear.MuLaw) {
			continue
		}
		pcm = law.Decode(pcm[:0], p.Payload)
		listen := m.ear.Write
		if continues {
			listen = m.ear.Continue
		}
		if listen(at, pcm) {
			m.announce()
		}
	}
}

// note keeps the packet. It tells whether its audio is to be heard, and whether
// that follows the last packet's without a pause by the sender's clock.
func (m *media) note(from netip.AddrPort, at time.Duration, p *rtp.Packet) (heard, continues bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.stopped || (m.remote.IsValid() && from != m.remote) {
		return false, false
	}
	stale := false
	if n := len(m.packets); n > 0 && m.packets[n-1].SSRC == p.SSRC {
		last := m.packets[n-1]
		stale = int16(p.SequenceNumber-m.lastSeq) <= 0
		continues = last.Payload == p.PayloadType && p.SequenceNumber == last.Seq+1 && p.Timestamp == last.TS+uint32(last.Bytes)
	}
	m.packets = append(m.packets, Packet{
		At: at, SSRC: p.SSRC, TS: p.Timestamp, Seq: p.SequenceNumber,
		Bytes: uint16(len(p.Payload)), Payload: p.PayloadType, Marker: p.Marker,
	})
	if stale {
		return false, false
	}
	m.lastSeq = p.SequenceNumber
	if p.PayloadType == m.keysPT || p.PayloadType == defaultKeys {
		m.noteKey(at, p)
		return false, false
	}
	return true, continues
}

func (m *media) noteKey(at time.Duration, p *rtp.Packet) {
	if len(p.Payload) < 4 || int(p.Payload[0]) >= len(keypad) {
		return
	}
	held := time.Duration(binary.BigEndian.Uint16(p.Payload[2:])) * time.Second / 8000
	if len(m.keys) > 0 && m.keyTS == p.Timestamp {
		m.keys[len(m.keys)-1].Held = held
		return
	}
	m.keyTS = p.Timestamp
	m.keys = append(m.keys, Key{At: at, Digit: rune(keypad[p.Payload[0]]), Held: held})
	close(m.changed)
	m.changed = make(chan struct{})
}

func (m *media) announce() {
	m.mu.Lock()
	defer m.mu.Unlock()
	close(m.changed)
	m.changed = make(chan struct{})
}

// await calls found whenever something new was heard, until it is true.
func (m *media) await(ctx context.Context, found func() bool) error {
	for {
		m.mu.Lock()
		changed := m.changed
		m.mu.Unlock()
		if found() {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// isRTCP tells packets that strayed onto an RTP port (RFC 5761 §4).
func isRTCP(payload uint8, marker bool) bool { return marker && payload >= 72 && payload <= 76 }

// stampArrivals asks the kernel for arrival times, so that a busy test machine
// does not make the other side look late.
func stampArrivals(conn *net.UDPConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return fmt.Errorf("phone: RTP socket: %w", err)
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		failed = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_TIMESTAMPNS, 1)
	})
	if err == nil {
		err = failed
	}
	if err != nil {
		return fmt.Errorf("phone: arrival times on the RTP socket: %w", err)
	}
	return nil
}

// arrival is the kernel's time of a packet, on the monotonic clock.
func arrival(oob []byte) time.Time {
	now := time.Now()
	messages, err := syscall.ParseSocketControlMessage(oob)
	if err != nil {
		return now
	}
	for _, msg := range messages {
		if msg.Header.Level == syscall.SOL_SOCKET && msg.Header.Type == syscall.SO_TIMESTAMPNS && len(msg.Data) >= 16 {
			sec, nsec := binary.NativeEndian.Uint64(msg.Data), binary.NativeEndian.Uint64(msg.Data[8:])
			if ago := now.Sub(time.Unix(int64(sec), int64(nsec))); ago >= 0 && ago < 10*time.Second {
				return now.Add(-ago)
			}
		}
	}
	return now
}
