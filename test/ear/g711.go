package ear

import "math/bits"

// Law is a G.711 companding law. Its value is the RTP payload type.
type Law uint8

// The two laws: mu-law of North America and Japan, A-law of everywhere else.
const (
	MuLaw Law = 0
	ALaw  Law = 8
)

// String is the law's name in SDP.
func (l Law) String() string {
	if l == MuLaw {
		return "PCMU"
	}
	return "PCMA"
}

// Silence is the law's code for a sample of zero.
func (l Law) Silence() byte { return l.encode(0) }

// Encode compands 16-bit samples.
func (l Law) Encode(pcm []int16) []byte {
	out := make([]byte, len(pcm))
	for i, s := range pcm {
		out[i] = l.encode(s)
	}
	return out
}

// Decode appends the samples of code to pcm.
func (l Law) Decode(pcm []int16, code []byte) []int16 {
	table := &aLawTable
	if l == MuLaw {
		table = &muLawTable
	}
	for _, b := range code {
		pcm = append(pcm, table[b])
	}
	return pcm
}

func (l Law) encode(s int16) byte {
	if l == MuLaw {
		return encodeMuLaw(s)
	}
	return encodeALaw(s)
}

var aLawTable, muLawTable = decodeTables()

func decodeTables() (a, mu [256]int16) {
	for i := range 256 {
		a[i], mu[i] = decodeALaw(byte(i)), decodeMuLaw(byte(i))
	}
	return a, mu
}

const muLawBias = 132

func encodeMuLaw(s int16) byte {
	sign, v := byte(0), int(s)
	if v < 0 {
		sign, v = 0x80, -v
	}
	v = min(v, 32635) + muLawBias
	segment := bits.Len(uint(v)) - 8
	return ^(sign | byte(segment)<<4 | byte(v>>(segment+3))&0x0f)
}

func decodeMuLaw(b byte) int16 {
	b = ^b
	segment := int(b >> 4 & 7)
	v := (int(b&0x0f)<<3+muLawBias)<<segment - muLawBias
	if b&0x80 != 0 {
		v = -v
	}
	return int16(v)
}

func encodeALaw(s int16) byte {
	sign, v := byte(0x80), int(s)
	if v < 0 {
		sign, v = 0, -v-1
	}
	segment := max(bits.Len(uint(v))-8, 0)
	shift := max(segment+3, 4)
	return (sign | byte(segment)<<4 | byte(v>>shift)&0x0f) ^ 0x55
}

func decodeALaw(b byte) int16 {
	b ^= 0x55
	segment := int(b >> 4 & 7)
	v := int(b&0x0f)<<4 + 8
	if segment > 0 {
		v = (v + 256) << (segment - 1)
	}
	if b&0x80 == 0 {
		v = -v
	}
	return int16(v)
}
