package softphone

import (
	"testing"
	"time"

	"github.com/pion/rtcp"
	"pgregory.net/rapid"
)

// TestWhateverComesTheNumbersGoOn feeds a stream with sources that lose, repeat,
// delay and restart, and holds what is sent to what its receiver may expect.
func TestWhateverComesTheNumbersGoOn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newStream()
		now := time.Unix(1_000_000, 0)
		sent := map[uint16]uint32{} // recent numbers and their timestamps
		var highest numbers
		begun := false
		p := packet{ssrc: 1, seq: rapid.Uint16().Draw(t, "first"), timestamp: rapid.Uint32().Draw(t, "time"), payload: make([]byte, frameSize)}
		for range rapid.IntRange(1, 200).Draw(t, "packets") {
			now = now.Add(20 * time.Millisecond)
			late := false
			switch rapid.IntRange(0, 9).Draw(t, "what") {
			case 0: // a loss
				lost := rapid.IntRange(1, 20).Draw(t, "lost")
				p.seq += uint16(lost + 1)
				p.timestamp += uint32(lost+1) * frameSize
				now = now.Add(time.Duration(lost) * 20 * time.Millisecond)
			case 1: // another source
				p.ssrc++
				p.seq, p.timestamp = rapid.Uint16().Draw(t, "seq"), rapid.Uint32().Draw(t, "ts")
			case 4: // a key
				p.seq++
				s.pass(p)
				continue
			case 2: // a late or repeated packet
				late = true
			case 3: // the clock was set
				p.seq++
				p.timestamp = rapid.Uint32().Draw(t, "ts")
			default:
				p.seq++
				p.timestamp += frameSize
			}
			in := p
			if late {
				in.seq -= uint16(rapid.IntRange(0, 5).Draw(t, "by"))
				in.timestamp -= uint32(p.seq-in.seq) * frameSize
			}
			n, ok := s.next(in, now)
			if !ok {
				if !late {
					t.Fatalf("packet %d of source %d was not sent", in.seq, in.ssrc)
				}
				continue
			}
			if _, twice := sent[n.seq]; twice {
				t.Fatalf("number %d was sent twice", n.seq)
			}
			sent[n.seq] = n.timestamp
			if n.ssrc != s.ssrc {
				t.Fatal("the SSRC changed")
			}
			if ahead := int16(n.seq - highest.seq); !begun || ahead > 0 {
				if begun && int32(n.timestamp-highest.timestamp) <= 0 {
					t.Fatalf("number %d after %d has time %d after %d", n.seq, highest.seq, n.timestamp, highest.timestamp)
				}
				highest, begun = n, true
			} else if !late {
				t.Fatalf("number %d came after %d", n.seq, highest.seq)
			}
		}
	})
}

func TestAnotherSourceBeginsAsMuchLaterAsTimeHasPassed(t *testing.T) {
	s := newStream()
	now := time.Unix(1_000_000, 0)
	payload := make([]byte, frameSize)
	before, _ := s.next(packet{ssrc: 1, seq: 9, timestamp: 9, payload: payload}, now)
	after, _ := s.next(packet{ssrc: 2, seq: 60000, timestamp: 1 << 31, payload: payload}, now.Add(3*time.Second))
	if after.seq != before.seq+1 || after.timestamp != before.timestamp+3*clockRate || !after.marker {
		t.Errorf("3 s later another source begins with %+v after %+v, want the next number, 24,000 samples on, a marker", after, before)
	}
	if _, ok := s.next(packet{ssrc: 2, seq: 59999, timestamp: 1<<31 - frameSize, payload: payload}, now.Add(3*time.Second)); ok {
		t.Error("a packet of before the source began was sent: its number belongs to the source before")
	}
}

// Some packets are late as a key is pressed. Whichever comes after it is not sent: under the number it would get now, which
// is above all that were sent, another source would follow with one that has been.
func TestNothingLateComesAfterAKey(t *testing.T) {
	s := newStream()
	now := time.Unix(1_000_000, 0)
	p := packet{ssrc: 1, seq: 100, payload: make([]byte, frameSize)}
	first, _ := s.next(p, now)
	key, late, other := p, p, p
	key.seq, late.seq, other.ssrc = 105, 104, 2
	s.pass(key)
	if n, is := s.next(late, now); is {
		t.Errorf("packet 104 was sent as %d after key 105, with %d for packet 100", n.seq, first.seq)
	}
	if n, is := s.next(other, now); !is || n.seq != first.seq+1 {
		t.Errorf("another source goes on with %d (sent: %v) after %d", n.seq, is, first.seq)
	}
}

func TestPacketsInPlace(t *testing.T) {
	// A header with a source and an extension, and padding behind the payload.
	data := []byte{2<<6 | 1<<5 | 1<<4 | 1, 1<<7 | 8, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10,
		0, 0, 0, 1, 0xbe, 0xde, 0, 1, 0x10, 0xaa, 0, 0,
		'a', 'b', 'c', 0, 0, 3}
	p, err := parsePacket(data)
	if err != nil {
		t.Fatal(err)
	}
	if p.pt != 8 || !p.marker || p.seq != 0x0102 || p.timestamp != 0x03040506 || p.ssrc != 0x0708090a || string(p.payload) != "abc" {
		t.Fatalf("read %+v", p)
	}
	again, err := parsePacket(p.renumbered(numbers{ssrc: 5, seq: 6, timestamp: 7}))
	if err != nil || again.pt != 8 || again.marker || again.seq != 6 || again.timestamp != 7 || again.ssrc != 5 || string(again.payload) != "abc" || again.at != headerSize {
		t.Errorf("written again it reads %+v, %v", again, err)
	}
	for _, bad := range [][]byte{nil, {1}, make([]byte, 12), {2<<6 | 1<<5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, {2<<6 | 1<<5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9}} {
		if _, err := parsePacket(bad); err == nil {
			t.Errorf("% x was read as RTP", bad)
		}
	}
}

func TestMeter(t *testing.T) {
	var m meter
	now := time.Unix(1_000_000, 0)
	for n := range 1000 {
		if n%10 == 3 {
			continue // lost
		}
		m.arrived(packet{ssrc: 1, seq: uint16(65000 + n), timestamp: uint32(n) * frameSize}, now.Add(time.Duration(n)*20*time.Millisecond))
	}
	received, lost, jitter := m.figures()
	if received != 900 || lost != 100 || jitter != 0 {
		t.Errorf("received %d, lost %d, jitter %v; want 900, 100, none", received, lost, jitter)
	}
	report := now.Add(21 * time.Second)
	r, any := m.report(report)
	if !any || r.SSRC != 1 || r.FractionLost != 25 || r.TotalLost != 100 || r.LastSequenceNumber != 1<<16|463 || r.LastSenderReport != 0 || r.Delay != 0 {
		t.Errorf("reported %+v, %v; want a tenth (25 of 256), 100 in all, number 463 of the second round, no sender's report", r, any)
	}
	if r, any := m.report(report); any {
		t.Errorf("reported %+v of nothing", r)
	}
	m.sentBy(&rtcp.SenderReport{SSRC: 2, NTPTime: 1 << 40}, report) // somebody else's
	m.sentBy(&rtcp.SenderReport{SSRC: 1, NTPTime: ntp(now)}, report)
	m.arrived(packet{ssrc: 1, seq: 464, timestamp: 1000 * frameSize}, report)
	if r, any := m.report(report.Add(time.Second / 2)); !any || r.FractionLost != 0 || r.TotalLost != 100 || r.LastSenderReport != middle(ntp(now)) || r.Delay != 65536/2 {
		t.Errorf("reported %+v, %v; want nothing lost of late, and the sender's report of half a second ago", r, any)
	}
	m.arrived(packet{ssrc: 2, seq: 7}, report) // another connection
	if r, any := m.report(report); !any || r.SSRC != 2 || r.FractionLost != 0 || r.TotalLost != 0 || r.LastSequenceNumber != 7 || r.LastSenderReport != 0 {
		t.Errorf("reported %+v, %v; want a source of its own", r, any)
	}
	if received, lost, _ := m.figures(); received != 902 || lost != 100 {
		t.Errorf("received %d, lost %d of both; want 902, 100", received, lost)
	}
	// Packets that come 10 ms early and late in turn: 20 ms from one to the next.
	m = meter{}
	for n := range 1000 {
		at := now.Add(time.Duration(n) * 20 * time.Millisecond)
		m.arrived(packet{ssrc: 1, seq: uint16(n), timestamp: uint32(n) * frameSize}, at.Add(time.Duration(n%2*2-1)*10*time.Millisecond))
	}
	if _, _, jitter := m.figures(); jitter < 19*time.Millisecond || jitter > 21*time.Millisecond {
		t.Errorf("jitter %v, want 20 ms", jitter)
	}
}

func TestLevels(t *testing.T) {
	for codec, quiet := range map[Codec][]byte{PCMU: {0xff, 0x7f, 0xfe}, PCMA: {0xd5, 0x55}} {
		if _, sound := meanSquare(codec, quiet); sound {
			t.Errorf("%s: digital silence has sound", codec)
		}
	}
	if mean, sound := meanSquare(PCMU, []byte{0x80, 0x00}); !sound || decibels(mean) < -0.2 || decibels(mean) > 0 {
		t.Errorf("µ-law's largest samples are %v dBov, want 0", decibels(mean))
	}
	if mean, sound := meanSquare(PCMA, []byte{0xaa, 0x2a}); !sound || decibels(mean) < -0.2 || decibels(mean) > 0 {
		t.Errorf("A-law's largest samples are %v dBov, want 0", decibels(mean))
	}
	// ITU-T G.711, a few values of tables 1a and 2a, left-aligned to 16 bits.
	for code, want := range map[uint8]int32{0x80: 32124, 0xff: 0, 0xf0: 120, 0xef: 132, 0x00: -32124} {
		if got := ulaw(code); got != want {
			t.Errorf("µ-law %#x is %d, want %d", code, got, want)
		}
	}
	for code, want := range map[uint8]int32{0xd5: 8, 0x55: -8, 0xaa: 32256, 0x2a: -32256, 0xc5: 264} {
		if got := alaw(code); got != want {
			t.Errorf("A-law %#x is %d, want %d", code, got, want)
		}
	}
}

func TestRoundTrip(t *testing.T) {
	sent := time.Unix(1_700_000_000, 123_000_000)
	got := roundTrip(rtcp.ReceptionReport{LastSenderReport: middle(ntp(sent)), Delay: 65536 / 2}, sent.Add(530*time.Millisecond))
	if got < 29*time.Millisecond || got > 31*time.Millisecond {
		t.Errorf("a report kept for 500 ms and answered after 530 makes a round trip of %v, want 30 ms", got)
	}
	if roundTrip(rtcp.ReceptionReport{}, sent) != 0 {
		t.Error("a browser that has had no report has a round trip")
	}
}

// Another process at the same port goes on as the same source, with numbers that are ahead of all that were used.
func TestAStreamGoesOnInAnotherProcess(t *testing.T) {
	began := time.Date(2026, 3, 10, 9, 0, 0, 0, time.UTC)
	first := newStreamOf("127.0.0.1:4000", began)
	now, last := began, numbers{}
	for n := range uint32(50 * 3600) { // an hour, of a browser whose clock is a half in a thousand fast
		now = began.Add(time.Duration(n) * 19990 * time.Microsecond)
		last, _ = first.next(packet{ssrc: 7, seq: uint16(n), timestamp: n * frameSize, payload: make([]byte, frameSize)}, now)
	}
	next := newStreamOf("127.0.0.1:4000", now.Add(200*time.Millisecond))
	got, fresh := next.next(packet{ssrc: 9, seq: 5, timestamp: 77, payload: make([]byte, frameSize)}, now.Add(400*time.Millisecond))
	if got.ssrc = next.ssrc; !fresh || got.ssrc != first.ssrc || !got.marker {
		t.Errorf("it goes on as %+v, fresh %v; want source %d, with a marker", got, fresh, first.ssrc)
	}
	if seq, ts := int16(got.seq-last.seq), int32(got.timestamp-last.timestamp); seq <= 0 || seq > 1000 || ts <= 0 || ts > 10*clockRate {
		t.Errorf("it goes on %d packets and %d samples after the last, want a little later", seq, ts)
	}
	if other := newStreamOf("127.0.0.1:4002", now); other.ssrc == first.ssrc {
		t.Error("two ports are one source")
	}
}
