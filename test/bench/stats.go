package main

import "slices"

// spread sums up the rounds of one figure.
type spread struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

// spreadOf sums up at least one figure.
func spreadOf(all []float64) spread {
	s := slices.Sorted(slices.Values(all))
	n := len(s)
	return spread{Median: (s[(n-1)/2] + s[n/2]) / 2, Min: s[0], Max: s[n-1]}
}

func figures(all []sample, of func(sample) float64) []float64 {
	out := make([]float64, len(all))
	for i, s := range all {
		out[i] = of(s)
	}
	return out
}

func nanos(s sample) float64   { return s.Nanos }
func cpu(s sample) float64     { return s.CPU }
func allocs(s sample) float64  { return s.Allocs }
func bytesOf(s sample) float64 { return s.Bytes }

// ratios divides each round's sample by the floor of that same round.
func ratios(row, floor []sample, of func(sample) float64) []float64 {
	out := make([]float64, len(row))
	for i := range row {
		out[i] = of(row[i]) / of(floor[i])
	}
	return out
}

// told reports whether all samples have such a figure.
func told(all []sample, of func(sample) float64) bool {
	return !slices.ContainsFunc(all, func(s sample) bool { return of(s) <= 0 })
}
