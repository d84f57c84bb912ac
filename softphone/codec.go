package softphone

import (
	"fmt"

	"github.com/pion/webrtc/v3"
)

// Codec is how audio is coded between browsers and Asterisk: one for all lines
// of a gateway, the one that Asterisk's legs have, so that nothing is
// transcoded. Browsers have both (RFC 7874 §3).
type Codec string

const (
	PCMU Codec = "PCMU" // G.711 µ-law, payload type 0: North America, Japan
	PCMA Codec = "PCMA" // G.711 A-law, payload type 8: China, Europe
)

const (
	clockRate = 8000                    // G.711's and telephone-event's, in Hz
	frameSize = clockRate * 20 / 1000   // samples, and bytes, of 20 ms
	eventRate = "8000"                  // in an rtpmap
	eventType = "audio/telephone-event" // RFC 4733
)

func (c Codec) check() error {
	if c != PCMU && c != PCMA {
		return fmt.Errorf("softphone: the codec is %q, it must be %s or %s", string(c), PCMU, PCMA)
	}
	return nil
}

// payloadType is the codec's, fixed by RFC 3551.
func (c Codec) payloadType() uint8 {
	if c == PCMA {
		return 8
	}
	return 0
}

func (c Codec) capability() webrtc.RTPCodecCapability {
	return webrtc.RTPCodecCapability{MimeType: "audio/" + string(c), ClockRate: clockRate, Channels: 0}
}

// register tells pion what may be negotiated: the codec and telephone-event,
// and nothing else.
func (c Codec) register(m *webrtc.MediaEngine) error {
	for _, p := range []webrtc.RTPCodecParameters{
		{RTPCodecCapability: c.capability(), PayloadType: webrtc.PayloadType(c.payloadType())},
		{RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: eventType, ClockRate: clockRate}, PayloadType: 101},
	} {
		if err := m.RegisterCodec(p, webrtc.RTPCodecTypeAudio); err != nil {
			return fmt.Errorf("softphone: registering %s: %w", p.MimeType, err)
		}
	}
	return nil
}
