package main

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// figure is one thing measured, of each contestant as often as there were rounds.
type figure struct {
	name  string // "CPU per call, ms"
	digit int    // digits after the point
	of    map[string][]float64
}

// figures are the rows of a table, in the order in which they came up.
type figures struct{ rows []*figure }

// add notes a value for a contestant.
func (f *figures) add(name string, digits int, contestant string, value float64) {
	i := slices.IndexFunc(f.rows, func(r *figure) bool { return r.name == name })
	if i < 0 {
		i = len(f.rows)
		f.rows = append(f.rows, &figure{name: name, digit: digits, of: map[string][]float64{}})
	}
	f.rows[i].of[contestant] = append(f.rows[i].of[contestant], value)
}

// spread is the median of some values and their range.
type spread struct{ median, low, high float64 }

func spreadOf(values []float64) spread {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	if n == 0 {
		return spread{math.NaN(), math.NaN(), math.NaN()}
	}
	return spread{(sorted[(n-1)/2] + sorted[n/2]) / 2, sorted[0], sorted[n-1]}
}

func (s spread) text(digits int) string {
	if s.low == s.high {
		return fmt.Sprintf("%.*f", digits, s.median)
	}
	return fmt.Sprintf("%.*f (%.*f–%.*f)", digits, s.median, digits, s.low, digits, s.high)
}

// ratios compares a contestant with the peer, the k-th value with the k-th: in an ABBA order these lie equally far
// apart in time. A peer's value of nothing has no ratio.
func ratios(of, peer []float64) []float64 {
	var list []float64
	for k := range min(len(of), len(peer)) {
		if peer[k] > 0 {
			list = append(list, of[k]/peer[k])
		}
	}
	return list
}

// percentile is the smallest value that p of a hundred values do not exceed.
func percentile(values []time.Duration, p float64) time.Duration {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[max(0, int(math.Ceil(p/100*float64(len(sorted))))-1)]
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
