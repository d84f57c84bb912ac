package softphone

import "math"

// loudness has the square of each code's sample, by codec; samples are of 16
// bits.
var loudness = map[Codec]*[256]uint32{PCMU: squares(ulaw), PCMA: squares(alaw)}

// digitalSilence is the largest sample of a microphone that is switched off:
// G.711 has no zero in A-law, whose smallest sample is 8.
const digitalSilence = 8

// squares makes the table of a codec.
func squares(linear func(uint8) int32) *[256]uint32 {
	var table [256]uint32
	for code := range table {
		sample := linear(uint8(code))
		table[code] = uint32(sample * sample)
	}
	return &table
}

// ulaw and alaw are G.711's expansions to 16 bits.
func ulaw(code uint8) int32 {
	code = ^code
	sample := (int32(code&0x0f)<<3+0x84)<<(code>>4&7) - 0x84
	if code&0x80 != 0 {
		return -sample
	}
	return sample
}

func alaw(code uint8) int32 {
	code ^= 0x55
	sample := int32(code&0x0f)<<4 + 8
	if segment := code >> 4 & 7; segment > 0 {
		sample = (sample + 0x100) << (segment - 1)
	}
	if code&0x80 == 0 {
		return -sample
	}
	return sample
}

// meanSquare says whether a payload has any sound, and how loud it is on average:
// the mean square of its samples.
func meanSquare(c Codec, payload []byte) (mean uint32, sound bool) {
	if len(payload) == 0 {
		return 0, false
	}
	table := loudness[c]
	var sum uint64
	var most uint32
	for _, code := range payload {
		square := table[code]
		sum += uint64(square)
		most = max(most, square)
	}
	return uint32(sum / uint64(len(payload))), most > digitalSilence*digitalSilence
}

// decibels is a mean square in dBov, at least -90: 0 is a square wave of full
// scale (RFC 6465's measure).
func decibels(mean uint32) float64 {
	if mean == 0 {
		return -90
	}
	return max(-90, 10*math.Log10(float64(mean)/(32768*32768)))
}
