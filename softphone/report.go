package softphone

import (
	"sync"
	"time"

	"github.com/pion/rtcp"
)

// reception is what the browser said last of what it received.
type reception struct {
	mu     sync.Mutex
	lost   float64 // share, 0 to 1, since its report before
	jitter time.Duration
	rtt    time.Duration
}

// report tells the browser what was received of it, and when we sent what (RFC
// 3550 §6.4). It is made of what is counted anyway: pion's interceptors would
// parse each packet once more, and allocate for it.
func (l *line) report(now time.Time) {
	p := l.peer.Load()
	if p == nil {
		return
	}
	var received []rtcp.ReceptionReport
	if r, any := l.up.meter.report(now); any {
		received = append(received, r)
		l.figures.observe("up", lostShare(r), jitterOf(r))
	}
	name := rtcp.NewCNAMESourceDescription(p.ssrc, streamName)
	_ = p.pc.WriteRTCP([]rtcp.Packet{l.sent(p, received, now), name}) // while the connection is not up there is nobody to tell
}

// sent is a sender's report with the count of what the connection was sent; a
// receiver's, if that was nothing since the last.
func (l *line) sent(p *peer, received []rtcp.ReceptionReport, now time.Time) rtcp.Packet {
	l.down.Lock()
	defer l.down.Unlock()
	if p.sent.packets == p.sent.reported {
		return &rtcp.ReceiverReport{SSRC: p.ssrc, Reports: received}
	}
	p.sent.reported = p.sent.packets
	return &rtcp.SenderReport{SSRC: p.ssrc, NTPTime: ntp(now), RTPTime: l.down.stream.at(now),
		PacketCount: p.sent.packets, OctetCount: p.sent.octets, Reports: received}
}

// control takes RTCP of the browser's that concerns a source: our track, of
// which it says how it is received, or the browser's own, of which it says when
// it sent what.
func (l *line) control(from *peer, source uint32, data []byte) {
	if l.peer.Load() != from {
		return
	}
	packets, err := rtcp.Unmarshal(data)
	if err != nil {
		l.figures.dropped.malformed.Add(1)
		return
	}
	now := time.Now()
	for _, p := range packets {
		var received []rtcp.ReceptionReport
		switch p := p.(type) {
		case *rtcp.ReceiverReport:
			received = p.Reports
		case *rtcp.SenderReport:
			received = p.Reports
			if p.SSRC == source {
				l.up.meter.sentBy(p, now)
			}
		}
		for _, r := range received {
			if r.SSRC == source && source == from.ssrc {
				l.received(r, now)
			}
		}
	}
}

// received takes what the browser says of how it receives us.
func (l *line) received(r rtcp.ReceptionReport, now time.Time) {
	lost, jitter, rtt := lostShare(r), jitterOf(r), roundTrip(r, now)
	l.remote.mu.Lock()
	l.remote.lost, l.remote.jitter = lost, jitter
	if rtt > 0 {
		l.remote.rtt = rtt
	}
	l.remote.mu.Unlock()
	l.figures.observe("down", lost, jitter)
	if rtt > 0 {
		l.figures.rtt.Observe(rtt.Seconds())
	}
}

// lostShare is the share of packets, 0 to 1, that did not arrive since the report before.
func lostShare(r rtcp.ReceptionReport) float64 { return float64(r.FractionLost) / 256 }

func jitterOf(r rtcp.ReceptionReport) time.Duration {
	return time.Duration(r.Jitter) * time.Second / clockRate
}

// roundTrip is RFC 3550 §6.4.1's: now, less when our report was sent, less how
// long the browser kept it; in the middle 32 bits of NTP time. Zero: it has had
// none of our reports yet.
func roundTrip(r rtcp.ReceptionReport, now time.Time) time.Duration {
	if r.LastSenderReport == 0 {
		return 0
	}
	trip := int32(middle(ntp(now)) - r.LastSenderReport - r.Delay)
	return max(time.Nanosecond, time.Duration(trip)*time.Second>>16)
}

// ntp is NTP's time: seconds since 1900, with 32 bits of fraction.
func ntp(t time.Time) uint64 {
	const from1900 = 2208988800 // seconds from 1900 to 1970
	return (uint64(t.Unix())+from1900)<<32 | uint64(t.Nanosecond())<<32/uint64(time.Second)
}

// middle is the half of it that reports name one another by.
func middle(ntp uint64) uint32 { return uint32(ntp >> 16) }
