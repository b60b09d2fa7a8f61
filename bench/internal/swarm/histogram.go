package swarm

import (
	"math"
	"math/bits"
	"time"
)

// A Histogram counts durations in buckets whose width is at most a sixteenth
// of what they hold, from a microsecond up. The zero value is empty and ready.
type Histogram struct {
	Counts []uint64 `json:"counts"` // by bucket
	Total  uint64   `json:"total"`
}

// Each doubling is cut into so many buckets.
const perDoubling = 16

// Add counts one duration. What is shorter than a microsecond, or negative
// because clocks were set, counts as one microsecond.
func (h *Histogram) Add(d time.Duration) {
	b := bucket(d)
	for len(h.Counts) <= b {
		h.Counts = append(h.Counts, 0)
	}
	h.Counts[b]++
	h.Total++
}

// Quantile returns a duration that the given part of all, 0 to 1, did not
// exceed, rounded up to the end of a bucket. It is zero if there are none.
func (h *Histogram) Quantile(q float64) time.Duration {
	if h.Total == 0 {
		return 0
	}
	rank := max(1, uint64(math.Ceil(q*float64(h.Total))))
	var sum uint64
	for b, n := range h.Counts {
		if sum += n; sum >= rank {
			return top(b)
		}
	}
	return top(len(h.Counts) - 1)
}

// bucket returns the number of a duration's bucket. Microseconds below 16 have
// one each; from there on, the highest five bits name it.
func bucket(d time.Duration) int {
	us := uint64(max(d, time.Microsecond) / time.Microsecond)
	if us < perDoubling {
		return int(us)
	}
	shift := bits.Len64(us) - 5
	return shift*perDoubling + int(us>>shift)
}

// top returns the longest duration in a bucket, in whole microseconds.
func top(b int) time.Duration {
	if b < perDoubling {
		return time.Duration(b) * time.Microsecond
	}
	shift := b/perDoubling - 1
	us := uint64(b%perDoubling+perDoubling)<<shift + 1<<shift - 1
	return time.Duration(us) * time.Microsecond
}
