package main

import "slices"

// A summary is what the rounds of one measurement came to.
type summary struct {
	Median, Min, Max float64
}

// summarize returns the zero summary for no values. Of an even number of values the median is the mean of the
// middle two.
func summarize(values []float64) summary {
	if len(values) == 0 {
		return summary{}
	}
	v := slices.Sorted(slices.Values(values))
	mid := v[len(v)/2]
	if len(v)%2 == 0 {
		mid = (v[len(v)/2-1] + mid) / 2
	}
	return summary{Median: mid, Min: v[0], Max: v[len(v)-1]}
}
