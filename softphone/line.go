package softphone

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/rtp"
)

// line is the audio of a session. Browsers' connections and Asterisk's legs
// come and go at its two ends; packets pass in the goroutine that received
// them, and wait for nothing.
type line struct {
	codec   Codec
	figures *figures

	peer atomic.Pointer[peer] // nil: no connection
	port atomic.Pointer[Port] // nil: no leg is plugged in
	echo atomic.Int64         // until when the browser hears itself, in Unix ns

	heard   atomic.Int64 // when the last packet came from the browser, in Unix ns
	awaited atomic.Bool  // the next one is to be told of
	sounded chan struct{}
	pressed chan rune

	up struct { // from the browser
		sync.Mutex // two connections may overlap while one takes the other's place
		keys       keys
		meter      meter
	}
	level   atomic.Uint32 // mean square of the last packet
	soundAt atomic.Int64  // when there was a sound in a packet, or a leg was plugged in

	down struct { // to the browser
		sync.Mutex
		stream *stream
		packet rtp.Packet // kept, so that none is made for each
	}
	remote reception
}

func newLine(codec Codec, f *figures) *line {
	l := &line{codec: codec, figures: f, sounded: make(chan struct{}, 1), pressed: make(chan rune, 64)}
	l.down.stream = newStream()
	return l
}

// fromBrowser takes a packet; it may write over it. What comes from a connection
// that has been replaced, a tab that was taken over from, is heard by nobody.
func (l *line) fromBrowser(from *peer, data []byte) {
	if l.peer.Load() != from {
		return
	}
	p, err := parsePacket(data)
	if err != nil {
		l.figures.dropped.malformed.Add(1)
		return
	}
	now := time.Now()
	switch event := uint8(from.event.Load()); {
	case p.pt == l.codec.payloadType() && len(p.payload) > 0:
		l.noteHeard(now)
		l.audio(p, now)
	case event != 0 && p.pt == event:
		l.noteHeard(now)
		l.key(p)
	default: // comfort noise, or what was never negotiated
		l.figures.dropped.unknown.Add(1)
		l.passOver(p)
	}
}

func (l *line) noteHeard(now time.Time) {
	l.heard.Store(now.UnixNano())
	if l.awaited.Load() && l.awaited.CompareAndSwap(true, false) {
		select {
		case l.sounded <- struct{}{}:
		default:
		}
	}
}

func (l *line) audio(p packet, now time.Time) {
	l.up.Lock()
	defer l.up.Unlock()
	l.up.meter.arrived(p, now)
	mean, sound := meanSquare(l.codec, p.payload)
	l.level.Store(mean)
	if sound {
		l.soundAt.Store(now.UnixNano())
	}
	if port := l.port.Load(); port != nil {
		port.toAsterisk(p, now)
	} else if now.UnixNano() < l.echo.Load() {
		l.toBrowser(p, now)
	}
}

// passOver counts a packet of the browser's that is not sent on.
func (l *line) passOver(p packet) {
	l.up.meter.other(p)
	if port := l.port.Load(); port != nil {
		port.pass(p)
	}
}

func (l *line) key(p packet) {
	l.up.Lock()
	defer l.up.Unlock()
	l.passOver(p)
	for _, key := range l.up.keys.pressed(p) {
		select {
		case l.pressed <- key:
		default: // nobody presses so fast
			l.figures.dropped.unknown.Add(1)
		}
	}
}

// toBrowser sends a packet on to the browser, if there is one.
func (l *line) toBrowser(p packet, now time.Time) {
	l.down.Lock()
	defer l.down.Unlock()
	peer := l.peer.Load()
	if peer == nil {
		l.figures.dropped.unconnected.Add(1)
		return
	}
	n, fresh := l.down.stream.next(p, now)
	if !fresh {
		l.figures.dropped.again.Add(1)
		return
	}
	// The track sets SSRC and payload type as they were negotiated.
	l.down.packet.Header = rtp.Header{Version: 2, Marker: n.marker, SequenceNumber: n.seq, Timestamp: n.timestamp}
	l.down.packet.Payload = p.payload
	if err := peer.track.WriteRTP(&l.down.packet); err != nil {
		l.figures.dropped.unsent.Add(1)
		return
	}
	peer.sent.packets++
	peer.sent.octets += uint32(len(p.payload))
	l.figures.down.Add(1)
}
