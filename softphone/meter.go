package softphone

import (
	"sync"
	"time"

	"github.com/pion/rtcp"
)

// meter measures what arrives from one direction (RFC 3550 A.3, A.8).
type meter struct {
	mu   sync.Mutex
	over tally // of sources that are over

	// Of the source that is received:
	known    bool
	source   uint32
	first    uint16
	highest  uint16
	cycles   uint32
	received uint64
	transit  int64
	timed    bool    // transit is known
	jitter   float64 // in samples
	reported tally   // when the last report was made
	sent     struct {
		report uint32 // its own last report, by the middle of its NTP time; 0: none
		at     time.Time
	}
}

// tally counts packets.
type tally struct{ expected, received uint64 }

func (t tally) lost() uint64 { return t.expected - min(t.expected, t.received) }

// arrived counts a packet of audio.
func (m *meter) arrived(p packet, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.count(p)
	transit := now.UnixNano()/(int64(time.Second)/clockRate) - int64(p.timestamp)
	if m.timed {
		d := int64(int32(transit - m.transit)) // timestamps wrap
		m.jitter += (float64(max(d, -d)) - m.jitter) / 16
	}
	m.transit, m.timed = transit, true
}

// other counts a packet that is not audio, whose timestamp tells no time.
func (m *meter) other(p packet) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.count(p)
}

func (m *meter) count(p packet) {
	ahead := int(int16(p.seq - m.highest))
	if !m.known || p.ssrc != m.source || ahead > maxDropout || ahead < -maxDropout {
		m.adopt(p)
		ahead = 0
	}
	m.received++
	if ahead > 0 {
		if p.seq < m.highest {
			m.cycles++
		}
		m.highest = p.seq
	}
}

// adopt begins another source.
func (m *meter) adopt(p packet) {
	before := m.tally()
	m.over.expected += before.expected
	m.over.received += before.received
	m.known, m.source, m.first, m.highest, m.cycles, m.received = true, p.ssrc, p.seq, p.seq, 0, 0
	m.timed, m.reported = false, tally{}
	m.sent.report = 0
}

// tally is that of the source that is received.
func (m *meter) tally() tally {
	if !m.known {
		return tally{}
	}
	return tally{expected: uint64(m.extended()) - uint64(m.first) + 1, received: m.received}
}

// extended is the highest number, with how often the numbers began anew.
func (m *meter) extended() uint32 { return m.cycles<<16 | uint32(m.highest) }

// figures returns how many packets arrived, how many did not, and the jitter.
func (m *meter) figures() (received, lost uint64, jitter time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.tally()
	all := tally{expected: m.over.expected + now.expected, received: m.over.received + now.received}
	return all.received, all.lost(), time.Duration(m.jitter * float64(time.Second) / clockRate)
}

// sentBy takes note of a report of the source's own.
func (m *meter) sentBy(r *rtcp.SenderReport, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.known && r.SSRC == m.source {
		m.sent.report, m.sent.at = middle(r.NTPTime), now
	}
}

// report is what is told of the source (RFC 3550 §6.4.1); false if none of its
// packets was expected since the last report.
func (m *meter) report(now time.Time) (rtcp.ReceptionReport, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := m.tally()
	since := tally{expected: all.expected - m.reported.expected, received: all.received - m.reported.received}
	if since.expected == 0 {
		return rtcp.ReceptionReport{}, false
	}
	m.reported = all
	const mostLost = 1<<23 - 1 // 24 bits with a sign
	r := rtcp.ReceptionReport{
		SSRC: m.source, LastSequenceNumber: m.extended(),
		FractionLost: uint8(min(255, since.lost()*256/since.expected)),
		TotalLost:    uint32(min(mostLost, all.lost())),
		Jitter:       uint32(m.jitter), LastSenderReport: m.sent.report,
	}
	if m.sent.report != 0 {
		r.Delay = uint32(now.Sub(m.sent.at) * 65536 / time.Second)
	}
	return r, true
}
