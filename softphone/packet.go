package softphone

import (
	"encoding/binary"
	"errors"

	"github.com/pion/rtp"
)

// packet is an RTP packet where it was received. Its payload is never changed.
type packet struct {
	pt        uint8
	marker    bool
	seq       uint16
	timestamp uint32
	ssrc      uint32

	whole   []byte // as received
	payload []byte // within whole; padding is not part of it
	at      int    // where the payload begins
}

const headerSize = 12 // of an RTP header without extensions and sources (RFC 3550 §5.1)

var errNotRTP = errors.New("not an RTP packet")

// parsePacket reads a packet in place.
func parsePacket(data []byte) (packet, error) {
	var h rtp.Header
	at, err := h.Unmarshal(data)
	if err != nil || h.Version != 2 {
		return packet{}, errNotRTP
	}
	end := len(data)
	if h.Padding {
		if end == at {
			return packet{}, errNotRTP
		}
		padding := int(data[end-1])
		if padding == 0 || padding > end-at {
			return packet{}, errNotRTP
		}
		end -= padding
	}
	return packet{pt: h.PayloadType, marker: h.Marker, seq: h.SequenceNumber, timestamp: h.Timestamp, ssrc: h.SSRC,
		whole: data, payload: data[at:end], at: at}, nil
}

// numbers are what a packet is sent on with.
type numbers struct {
	ssrc      uint32
	seq       uint16
	timestamp uint32
	marker    bool
}

// renumbered returns the packet with a new, plain header. It is written over
// the old one, right before the payload, so that nothing is copied; p must not
// be used any more.
func (p packet) renumbered(n numbers) []byte {
	out := p.whole[p.at-headerSize : p.at+len(p.payload)]
	out[0] = 2 << 6
	out[1] = p.pt
	if n.marker {
		out[1] |= 1 << 7
	}
	binary.BigEndian.PutUint16(out[2:], n.seq)
	binary.BigEndian.PutUint32(out[4:], n.timestamp)
	binary.BigEndian.PutUint32(out[8:], n.ssrc)
	return out
}
