package softphone

import (
	"hash/fnv"
	"math/rand/v2"
	"time"
)

// The limits within which a source is believed to go on.
const (
	maxDropout   = 3000          // sequence numbers it may jump ahead (RFC 3550 A.1)
	maxMisorder  = 64            // packets it may be late
	maxAhead     = 2 * clockRate // how much further its timestamps may go than the clock
	silenceAfter = 200 * time.Millisecond
)

// stream gives what is sent in one direction one SSRC and numbers that go on
// whatever becomes of its source: a browser reloads, Asterisk changes from one
// channel to another, another call begins. Within a source the numbers keep
// their distances, so that what was lost or late is seen as lost or late by
// whoever receives it. It is not for use by several goroutines at once.
type stream struct {
	ssrc uint32

	begun bool
	seq   uint16    // the highest sent
	ts    uint32    // its timestamp
	sent  time.Time // when
	size  uint32    // its duration in samples

	source uint32 // the SSRC that is being received
	inSeq  uint16 // its highest number
	inTS   uint32
	seqBy  uint16 // added to its numbers
	tsBy   uint32
	floor  uint16 // the first number it was given: what is before belongs to another source
	had    uint64 // bit n: the number inSeq-n has been sent
}

func newStream() *stream {
	return &stream{ssrc: rand.Uint32(), seq: uint16(rand.Uint32()), ts: rand.Uint32(), size: frameSize}
}

// newStreamOf is a stream whose numbers another process may go on with: they
// follow from its name and the clock alone, so that to the receiver the two are
// one source that has lost some packets. A receiver that hears another source,
// or numbers that have gone back, may take what follows for old: Asterisk did,
// every other time.
func newStreamOf(name string, now time.Time) *stream {
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(name)) // which never fails
	ran := now.Add(now.Sub(time.Unix(0, 0)) / clocksDiffer)
	ms := uint64(ran.UnixMilli())
	return &stream{ssrc: hash.Sum32(), seq: uint16(ms / frameMs), ts: uint32(ms * (clockRate / 1000)), size: frameSize, sent: now}
}

// Numbers run ahead of the clock by a thousandth, so that a browser whose own
// clock is fast has not used those that come next.
const (
	clocksDiffer = 1000
	frameMs      = frameSize * 1000 / clockRate
)

// next returns the numbers for p, which arrived at now, or false if it must not
// be sent: it has been, or is from before its source was taken up.
func (s *stream) next(p packet, now time.Time) (numbers, bool) {
	ahead := int(int16(p.seq - s.inSeq))
	switch {
	case !s.begun || p.ssrc != s.source || ahead > maxDropout || ahead <= -maxDropout:
		return s.adopt(p, now), true
	case ahead > 0:
		return s.follow(p, ahead, now), true
	default:
		return s.late(p, -ahead)
	}
}

// adopt takes up a source, right behind what was sent last: as much later as
// time has passed since.
func (s *stream) adopt(p packet, now time.Time) numbers {
	s.source, s.inSeq, s.inTS, s.had = p.ssrc, p.seq, p.timestamp, 1
	s.seqBy = s.seq + 1 - p.seq
	s.tsBy = s.due(now) - p.timestamp
	s.floor = s.seq + 1
	s.begun = true
	return s.send(p, true, now)
}

// follow sends the packet that is so many numbers ahead of the last.
func (s *stream) follow(p packet, ahead int, now time.Time) numbers {
	step := int32(p.timestamp - s.inTS)
	passed := samples(now.Sub(s.sent))
	silence := ahead == 1 && step > int32(s.size) || now.Sub(s.sent) > silenceAfter
	if step <= 0 || int(step) > passed+maxAhead { // its clock was set: ours goes on
		s.tsBy = s.due(now) - p.timestamp
		silence = true
	}
	s.had = s.had<<ahead | 1
	s.inSeq, s.inTS = p.seq, p.timestamp
	return s.send(p, p.marker || silence, now)
}

// pass takes note of a packet that is not sent on, a key's: its number is given
// to the next, so that nobody takes it for lost.
func (s *stream) pass(p packet) {
	ahead := int(int16(p.seq - s.inSeq))
	if !s.begun || p.ssrc != s.source || ahead <= 0 || ahead > maxDropout {
		return
	}
	s.had <<= ahead
	s.inSeq = p.seq
	s.seqBy--
	s.floor = p.seq + 1 + s.seqBy // what comes late from before would get another's number
}

// late sends a packet that others have overtaken, under the number it would
// have had.
func (s *stream) late(p packet, by int) (numbers, bool) {
	seq := p.seq + s.seqBy
	if by >= maxMisorder || s.had&(1<<by) != 0 || int16(seq-s.floor) < 0 {
		return numbers{}, false
	}
	s.had |= 1 << by
	return numbers{ssrc: s.ssrc, seq: seq, timestamp: p.timestamp + s.tsBy, marker: p.marker}, true
}

func (s *stream) send(p packet, marker bool, now time.Time) numbers {
	s.seq, s.ts, s.sent, s.size = p.seq+s.seqBy, p.timestamp+s.tsBy, now, uint32(len(p.payload))
	return numbers{ssrc: s.ssrc, seq: s.seq, timestamp: s.ts, marker: marker}
}

// due is the timestamp for what is sent now and does not follow from what was
// sent before.
func (s *stream) due(now time.Time) uint32 {
	if s.sent.IsZero() {
		return s.ts
	}
	return s.ts + max(s.size, uint32(max(0, samples(now.Sub(s.sent)))))
}

// at is the timestamp of what would be sent at now, for reports.
func (s *stream) at(now time.Time) uint32 { return s.ts + uint32(samples(now.Sub(s.sent))) }

func samples(d time.Duration) int { return int(d * clockRate / time.Second) }
