package prompt

import (
	"math"
	"slices"
)

const (
	targetLoudness = -20.0 // dBFS RMS over speech
	loudnessSlack  = 1.0   // dB either way
	ceiling        = -1.0  // dBFS no sample goes beyond
)

// loudness is the RMS level in dBFS over the parts that sound: blocks of 20 ms more than 15 dB below the mean of all
// blocks above -60 dBFS are pauses between words and do not count. Nothing sounding is -Inf.
func loudness(samples []float64, rate int) float64 {
	blocks := blockPowers(samples, rate/50)
	sounding := slices.DeleteFunc(blocks, func(p float64) bool { return p < fromDB(-60) })
	gate := mean(sounding) * fromDB(-15)
	return toDB(mean(slices.DeleteFunc(sounding, func(p float64) bool { return p < gate })))
}

func blockPowers(samples []float64, size int) []float64 {
	var powers []float64
	for block := range slices.Chunk(samples, size) {
		sum := 0.0
		for _, s := range block {
			sum += s * s
		}
		powers = append(powers, sum/float64(size))
	}
	return powers
}

func mean(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}

func peak(samples []float64) float64 {
	highest := 0.0
	for _, s := range samples {
		highest = max(highest, math.Abs(s))
	}
	return highest
}

func toDB(power float64) float64   { return 10 * math.Log10(power) }
func fromDB(db float64) float64    { return math.Pow(10, db/10) }
func amplitude(db float64) float64 { return math.Pow(10, db/20) }

// level brings speech to the target. The limiter takes a little away again where it works, so a few rounds are needed.
func level(samples []float64, rate int) []float64 {
	gain, out := 0.0, limit(samples, 1, rate) // what is loud enough may have peaks, too
	for range 8 {
		short := targetLoudness - loudness(out, rate)
		if math.IsInf(short, 0) || math.Abs(short) < 0.05 {
			return out
		}
		gain += short
		out = limit(samples, amplitude(gain), rate)
	}
	return out
}

// limit amplifies and keeps every sample under the ceiling: where one would pass it, the gain goes down before and
// comes back after within 5 ms, smoothly, so that no edge is heard.
func limit(samples []float64, gain float64, rate int) []float64 {
	top := amplitude(ceiling)
	if peak(samples)*gain <= top {
		return scaled(samples, gain)
	}
	reach := rate / 200
	held := make([]float64, len(samples)) // the gain that every sample within reach can stand
	for i := range held {
		held[i] = 1
	}
	for i, s := range samples {
		need := top / max(math.Abs(s*gain), 1e-9)
		if need >= 1 {
			continue
		}
		for j := max(0, i-reach); j < min(len(held), i+reach+1); j++ {
			held[j] = min(held[j], need)
		}
	}
	out := smoothed(held, reach) // a mean of gains that are each low enough is low enough
	for i, s := range samples {
		out[i] *= s * gain
	}
	return out
}

// smoothed is the mean within reach on either side.
func smoothed(values []float64, reach int) []float64 {
	sums := make([]float64, len(values)+1)
	for i, v := range values {
		sums[i+1] = sums[i] + v
	}
	out := make([]float64, len(values))
	for i := range values {
		from, to := max(0, i-reach), min(len(values), i+reach+1)
		out[i] = (sums[to] - sums[from]) / float64(to-from)
	}
	return out
}

func scaled(samples []float64, gain float64) []float64 {
	out := make([]float64, len(samples))
	for i, s := range samples {
		out[i] = s * gain
	}
	return out
}

func toPCM(samples []float64) []int16 {
	pcm := make([]int16, len(samples))
	for i, s := range samples {
		pcm[i] = int16(min(max(math.Round(s*32768), -32768), 32767))
	}
	return pcm
}

func fromPCM(pcm []int16) []float64 {
	samples := make([]float64, len(pcm))
	for i, s := range pcm {
		samples[i] = float64(s) / 32768
	}
	return samples
}
