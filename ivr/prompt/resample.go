package prompt

import "math"

// The filter is at half its height at 0.93 of the lower Nyquist frequency, so 8 kHz audio is flat up to 3.4 kHz; from
// that frequency on its stop band is below -60 dB.
const (
	zeroCrossings = 32 // on each side
	passBand      = 0.93
	kaiserBeta    = 7.5
)

// resample changes the rate with a Kaiser-windowed sinc, band-limited to the lower of the two rates.
func resample(in []float64, from, to int) []float64 {
	if from == to {
		return append([]float64(nil), in...)
	}
	divisor := gcd(from, to)
	up, down := to/divisor, from/divisor
	filter := newPolyphase(from, to, up)
	out := make([]float64, (len(in)*up+down-1)/down)
	for i := range out {
		out[i] = filter.at(in, i*down/up, i*down%up)
	}
	return out
}

// polyphase holds, for each of the positions an output sample can have between two input samples, the weights of the
// input samples around it. Phases are computed when first used.
type polyphase struct {
	cutoff float64 // of the input rate's Nyquist frequency
	half   int     // input samples on each side
	up     int
	phases [][]float64
}

func newPolyphase(from, to, up int) *polyphase {
	cutoff := passBand * min(1, float64(to)/float64(from))
	return &polyphase{cutoff: cutoff, half: int(math.Ceil(zeroCrossings / cutoff)), up: up, phases: make([][]float64, up)}
}

func (p *polyphase) at(in []float64, centre, phase int) float64 {
	weights := p.phases[phase]
	if weights == nil {
		weights = p.weights(float64(phase) / float64(p.up))
		p.phases[phase] = weights
	}
	first := centre - p.half + 1
	from, to := max(0, -first), min(len(weights), len(in)-first)
	if from >= to {
		return 0
	}
	near, weights := in[first+from:first+to], weights[from:to]
	sum := 0.0
	for k, w := range weights {
		sum += w * near[k]
	}
	return sum
}

// weights are scaled to a sum of 1, so that a steady level passes unchanged in every phase.
func (p *polyphase) weights(offset float64) []float64 {
	w := make([]float64, 2*p.half)
	sum := 0.0
	for k := range w {
		distance := float64(k-p.half+1) - offset
		w[k] = sinc(p.cutoff*distance) * kaiser(distance/float64(p.half))
		sum += w[k]
	}
	for k := range w {
		w[k] /= sum
	}
	return w
}

func sinc(x float64) float64 {
	if x == 0 {
		return 1
	}
	return math.Sin(math.Pi*x) / (math.Pi * x)
}

func kaiser(x float64) float64 {
	if x <= -1 || x >= 1 {
		return 0
	}
	return besselI0(kaiserBeta*math.Sqrt(1-x*x)) / besselI0(kaiserBeta)
}

func besselI0(x float64) float64 {
	sum, term := 1.0, 1.0
	for k := 1.0; term > 1e-12*sum; k++ {
		term *= x * x / (4 * k * k)
		sum += term
	}
	return sum
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
