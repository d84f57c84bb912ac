package prompt

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/bits"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// decodeALaw and decodeULaw are the receiving ends of ITU-T G.711.
func decodeALaw(b byte) int16 {
	b ^= 0x55
	mantissa, segment := int(b&0x0f), int(b>>4&7)
	magnitude := mantissa<<4 + 8
	if segment > 0 {
		magnitude = (magnitude + 0x100) << (segment - 1)
	}
	if b&0x80 == 0 {
		return int16(-magnitude)
	}
	return int16(magnitude)
}

func decodeULaw(b byte) int16 {
	b = ^b
	magnitude := (int(b&0x0f)<<3+0x84)<<(b>>4&7) - 0x84
	if b&0x80 != 0 {
		return int16(-magnitude)
	}
	return int16(magnitude)
}

// Every sample lies in the interval of its code, half a step around the value that is decoded; the steps are those of
// the standard's segments.
func TestG711CodesWithinHalfAStep(t *testing.T) {
	for name, law := range map[string]struct {
		encode func([]int16) []byte
		decode func(byte) int16
		half   func(magnitude int) int // of a step
		slack  int                     // 13 and 14 bits of the 16
		top    int
	}{
		"alaw": {ALaw, decodeALaw, func(m int) int { return max(8, powerOfTwo(m)/32) }, 8, 1 << 15},
		"ulaw": {ULaw, decodeULaw, func(m int) int { return powerOfTwo(m+0x84) / 32 }, 4, 32635},
	} {
		for s := -law.top; s < law.top; s++ {
			got := int(law.decode(law.encode([]int16{int16(s)})[0]))
			if half := law.half(abs(got)); abs(got-s) > half+law.slack {
				t.Fatalf("%s codes %d as %d, %d away, where half a step is %d", name, s, got, abs(got-s), half)
			}
		}
	}
	if got := ALaw([]int16{0})[0]; got != 0xd5 {
		t.Errorf("A-law silence is %#x, want 0xd5", got)
	}
	if got := ULaw([]int16{0})[0]; got != 0xff {
		t.Errorf("µ-law silence is %#x, want 0xff", got)
	}
}

func abs(n int) int { return max(n, -n) }

// powerOfTwo is the largest not above n.
func powerOfTwo(n int) int { return 1 << (bits.Len(uint(n)) - 1) }

func sine(hz float64, rate int, seconds, amplitude float64) []float64 {
	out := make([]float64, int(seconds*float64(rate)))
	for i := range out {
		out[i] = amplitude * math.Sin(2*math.Pi*hz*float64(i)/float64(rate))
	}
	return out
}

func rms(samples []float64) float64 { return toDB(mean(blockPowers(samples, len(samples)))) }

func TestResampleKeepsToneAndRemovesAliases(t *testing.T) {
	for _, from := range []int{8000, 11025, 16000, 22050, 32000, 44100, 48000, 96000} {
		for _, hz := range []float64{100, 1000, 3000} {
			got := resample(sine(hz, from, 0.5, 0.5), from, workRate)
			want := sine(hz, workRate, 0.5, 0.5)
			if abs(len(got)-len(want)) > 1 {
				t.Fatalf("%d Hz: half a second became %d samples", from, len(got))
			}
			difference := make([]float64, 0, len(got))
			for i := len(got) / 4; i < 3*len(got)/4; i++ { // away from the edges
				difference = append(difference, got[i]-want[i])
			}
			if noise := rms(difference); noise > -65 {
				t.Errorf("%.0f Hz from %d to %d Hz differs from the ideal by %.1f dBFS, want below -65", hz, from, workRate, noise)
			}
		}
	}
	for _, hz := range []float64{4400, 5000, 7000} {
		got := resample(sine(hz, workRate, 0.5, 1), workRate, 8000)
		if left := rms(got[len(got)/4 : 3*len(got)/4]); left > -60 {
			t.Errorf("%.0f Hz, which 8 kHz audio cannot hold, leaves %.1f dBFS of an alias", hz, left)
		}
	}
}

// speechLike is bursts of tone and pauses between them.
func speechLike(rate int, amplitude float64) []float64 {
	var out []float64
	for n := range 8 {
		out = append(out, sine(300+90*float64(n), rate, 0.15, amplitude*(0.4+0.6*float64(n%3)/2))...)
		out = append(out, make([]float64, rate/8)...)
	}
	return out
}

func TestLoudnessLeavesPausesOut(t *testing.T) {
	tone := sine(1000, workRate, 1, 0.1*math.Sqrt2)
	if got := loudness(tone, workRate); math.Abs(got+20) > 0.05 {
		t.Errorf("a tone of -20 dBFS measures %.2f", got)
	}
	pauses := append(append(make([]float64, workRate), tone...), make([]float64, 3*workRate)...)
	if got := loudness(pauses, workRate); math.Abs(got+20) > 0.05 {
		t.Errorf("the same tone between pauses measures %.2f, want -20", got)
	}
	hum := append(append([]float64(nil), tone...), sine(50, workRate, 2, 0.005)...)
	if got := loudness(hum, workRate); math.Abs(got+20) > 0.05 {
		t.Errorf("the same tone before a hum 29 dB lower measures %.2f, want -20: the hum counts as speech", got)
	}
	if got := loudness(make([]float64, workRate), workRate); !math.IsInf(got, -1) {
		t.Errorf("silence measures %v", got)
	}
}

// Whatever comes in, loud, quiet or full of peaks, comes out at the target and never clipped.
func TestLevelReachesTheTargetWithoutClipping(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		samples := speechLike(workRate, math.Pow(10, rapid.Float64Range(-2.2, 0).Draw(t, "level")))
		for range rapid.IntRange(0, 40).Draw(t, "clicks") {
			at := rapid.IntRange(0, len(samples)-1).Draw(t, "at")
			samples[at] = rapid.Float64Range(-1, 1).Draw(t, "click")
		}
		out := level(samples, workRate)
		if got := loudness(out, workRate); math.Abs(got-targetLoudness) > loudnessSlack {
			t.Fatalf("levelled to %.2f dBFS", got)
		}
		if top := peak(out); top > amplitude(ceiling)+1e-9 {
			t.Fatalf("a sample of %.4f passes the limiter's ceiling of %.4f", top, amplitude(ceiling))
		}
	})
}

// wav writes a file for the tests; samples are -1..1 per channel and frame.
func wav(tag, channels, bits, rate int, frames [][]float64) []byte {
	var pcm bytes.Buffer
	for _, frame := range frames {
		for _, s := range frame {
			switch bits {
			case 8:
				pcm.WriteByte(byte(math.Round(s*127)) + 128)
			case 16:
				_ = binary.Write(&pcm, binary.LittleEndian, int16(math.Round(s*32767)))
			default:
				n := int32(math.Round(s * 8388607))
				pcm.Write([]byte{byte(n), byte(n >> 8), byte(n >> 16)}[:min(3, bits/8)])
			}
		}
	}
	return riff(chunk("fmt ", format(tag, channels, bits, rate)), chunk("LIST", []byte("abc")), chunk("data", pcm.Bytes()))
}

func format(tag, channels, bits, rate int) []byte {
	b := binary.LittleEndian.AppendUint16(nil, uint16(tag))
	b = binary.LittleEndian.AppendUint16(b, uint16(channels))
	b = binary.LittleEndian.AppendUint32(b, uint32(rate))
	b = binary.LittleEndian.AppendUint32(b, uint32(rate*channels*bits/8))
	b = binary.LittleEndian.AppendUint16(b, uint16(channels*bits/8))
	b = binary.LittleEndian.AppendUint16(b, uint16(bits))
	if tag == wavExtensible {
		b = append(b, 22, 0, byte(bits), 0, 4, 0, 0, 0, wavPCM, 0)
		b = append(b, make([]byte, 14)...)
	}
	return b
}

func chunk(name string, body []byte) []byte {
	b := binary.LittleEndian.AppendUint32([]byte(name), uint32(len(body)))
	b = append(b, body...)
	return append(b, make([]byte, len(body)%2)...)
}

func riff(chunks ...[]byte) []byte {
	body := append([]byte("WAVE"), bytes.Join(chunks, nil)...)
	return append(binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(len(body))), body...)
}

func TestDecodeWAV(t *testing.T) {
	mono := [][]float64{{0}, {0.5}, {-0.5}, {1}, {-1}}
	stereo := [][]float64{{0, 0}, {1, 0}, {-1, 0}, {1, 1}, {-1, -1}}
	for _, tag := range []int{wavPCM, wavExtensible} {
		for _, bits := range []int{8, 16, 24} {
			for channels, frames := range map[int][][]float64{1: mono, 2: stereo} {
				s, err := decodeWAV(wav(tag, channels, bits, 44100, frames))
				if err != nil {
					t.Errorf("format %#x, %d bits, %d channels: %v", tag, bits, channels, err)
					continue
				}
				for i, want := range []float64{0, 0.5, -0.5, 1, -1} {
					if math.Abs(s.samples[i]-want) > 0.02 || s.rate != 44100 || len(s.samples) != 5 {
						t.Errorf("format %#x, %d bits, %d channels at %d Hz: sample %d of %d is %.3f, want %.3f", tag, bits, channels, s.rate, i, len(s.samples), s.samples[i], want)
					}
				}
			}
		}
	}
}

func TestDecodeWAVRefuses(t *testing.T) {
	one := [][]float64{{0.5}}
	whole := wav(wavPCM, 1, 16, 8000, [][]float64{{0.1}, {0.2}})
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"MP3":                   {[]byte("ID3\x04 not a wave at all"), "not a RIFF WAVE file"},
		"nothing":               {nil, "not a RIFF WAVE file"},
		"floats":                {wav(3, 1, 16, 8000, one), "encoding 3 is not accepted; save it as PCM"},
		"G.711":                 {wav(6, 1, 8, 8000, one), "encoding 6 is not accepted"},
		"32 bits":               {riff(chunk("fmt ", format(1, 1, 32, 8000)), chunk("data", make([]byte, 8))), "32 bits per sample are not accepted; save it with 8, 16 or 24 bits"},
		"12 bits":               {riff(chunk("fmt ", format(1, 1, 12, 8000)), chunk("data", make([]byte, 8))), "12 bits per sample"},
		"six channels":          {riff(chunk("fmt ", format(1, 6, 16, 8000)), chunk("data", make([]byte, 12))), "6 channels are not accepted"},
		"no channels":           {riff(chunk("fmt ", format(1, 0, 16, 8000)), chunk("data", make([]byte, 12))), "0 channels are not accepted"},
		"no rate":               {riff(chunk("fmt ", format(1, 1, 16, 0)), chunk("data", make([]byte, 12))), "a rate of 0 Hz is not accepted"},
		"no samples":            {wav(1, 1, 16, 8000, nil), "holds no samples"},
		"no data chunk":         {riff(chunk("fmt ", format(1, 1, 16, 8000))), "has no samples"},
		"data before format":    {riff(chunk("data", make([]byte, 4)), chunk("fmt ", format(1, 1, 16, 8000))), "samples before their format"},
		"cut off":               {whole[:len(whole)-1], `cut off: its "data" chunk wants 4 bytes and has 3`},
		"cut off in its format": {riff(chunk("fmt ", []byte{1, 0})), "format is cut off"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := decodeWAV(c.data); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want an error with %q", err, c.want)
			}
		})
	}
}

func FuzzDecodeWAV(f *testing.F) {
	f.Add(wav(1, 1, 16, 8000, [][]float64{{0.1}, {0.2}}))
	f.Add(wav(wavExtensible, 2, 24, 48000, [][]float64{{0.1, 0.3}}))
	f.Add(riff(chunk("fmt ", format(1, 2, 8, 1)), []byte("data\xff\xff\xff\xff")))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := decodeWAV(data)
		if err != nil {
			return
		}
		if len(s.samples) == 0 || s.rate <= 0 || peak(s.samples) > 1.01 {
			t.Fatalf("accepted %d samples at %d Hz with a peak of %f", len(s.samples), s.rate, peak(s.samples))
		}
	})
}
