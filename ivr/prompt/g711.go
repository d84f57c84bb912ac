package prompt

import "math/bits"

// ALaw encodes 16-bit samples as G.711 A-law bytes.
func ALaw(pcm []int16) []byte { return encode(pcm, &alawTable) }

// ULaw encodes 16-bit samples as G.711 µ-law bytes.
func ULaw(pcm []int16) []byte { return encode(pcm, &ulawTable) }

// Tables over all 65,536 samples make encoding a look-up.
var (
	alawTable = table(alaw)
	ulawTable = table(ulaw)
)

func table(code func(int16) byte) (t [1 << 16]byte) {
	for i := range t {
		t[i] = code(int16(uint16(i)))
	}
	return t
}

func encode(pcm []int16, table *[1 << 16]byte) []byte {
	out := make([]byte, len(pcm))
	for i, s := range pcm {
		out[i] = table[uint16(s)]
	}
	return out
}

// alaw: 13-bit magnitude in eight segments, even bits inverted (ITU-T G.711, table 1).
func alaw(s int16) byte {
	magnitude, sign := int(s)>>3, byte(0x80)
	if magnitude < 0 {
		magnitude, sign = -magnitude-1, 0
	}
	code := byte(magnitude >> 1)
	if segment := bits.Len(uint(magnitude)) - 5; segment > 0 {
		code = byte(segment<<4) | byte(magnitude>>segment)&0x0f
	}
	return (code | sign) ^ 0x55
}

// ulaw: 14-bit magnitude with a bias of 33, all bits inverted (ITU-T G.711, table 2).
func ulaw(s int16) byte {
	const bias, clip = 33, 8158
	magnitude, sign := int(s)>>2, byte(0)
	if magnitude < 0 {
		magnitude, sign = -magnitude-1, 0x80
	}
	magnitude = min(magnitude, clip) + bias
	segment := bits.Len(uint(magnitude)) - 6
	return ^(byte(segment<<4) | byte(magnitude>>(segment+1))&0x0f | sign)
}
