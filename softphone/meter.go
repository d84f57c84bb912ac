package softphone

import (
	"sync"
	"time"
)

// meter measures what arrives from one direction (RFC 3550 A.3, A.8). pion's
// stats interceptor would parse each packet once more, and of the version that
// goes with webrtc v3 the jitter is not that of the RFC.
type meter struct {
	mu sync.Mutex

	received uint64
	expected uint64 // of sources that are over
	source   uint32
	known    bool
	first    uint16
	highest  uint16
	cycles   uint32
	transit  int64
	jitter   float64 // in samples

	asked, askedReceived uint64 // expected and received when lossSince was last asked
}

// arrived counts a packet of audio.
func (m *meter) arrived(p packet, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.received++
	transit := now.UnixNano()/(int64(time.Second)/clockRate) - int64(p.timestamp)
	ahead := int(int16(p.seq - m.highest))
	if !m.known || p.ssrc != m.source || ahead > maxDropout || ahead < -maxDropout {
		m.expected += m.expectedNow()
		m.known, m.source, m.first, m.highest, m.cycles = true, p.ssrc, p.seq, p.seq, 0
		m.transit = transit
		return
	}
	if ahead > 0 {
		if p.seq < m.highest {
			m.cycles++
		}
		m.highest = p.seq
	}
	d := int64(int32(transit - m.transit)) // timestamps wrap
	m.transit = transit
	m.jitter += (float64(max(d, -d)) - m.jitter) / 16
}

func (m *meter) expectedNow() uint64 {
	if !m.known {
		return 0
	}
	return uint64(m.cycles)<<16 + uint64(m.highest) - uint64(m.first) + 1
}

// figures returns how many packets arrived, how many did not, and the jitter.
func (m *meter) figures() (received, lost uint64, jitter time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	expected := m.expected + m.expectedNow()
	if expected > m.received {
		lost = expected - m.received
	}
	return m.received, lost, time.Duration(m.jitter * float64(time.Second) / clockRate)
}

// lossSince is the share of packets, 0 to 1, that did not arrive since it was
// last asked; nothing if none was expected.
func (m *meter) lossSince() (share float64, any bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	total := m.expected + m.expectedNow()
	expected, received := total-m.asked, m.received-m.askedReceived
	m.asked, m.askedReceived = total, m.received
	if total == 0 || expected == 0 || received >= expected {
		return 0, expected > 0 && total > 0
	}
	return float64(expected-received) / float64(expected), true
}
