package swarm

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestHistogramOfNothing(t *testing.T) {
	var h Histogram
	if got := h.Quantile(0.99); got != 0 {
		t.Errorf("Quantile of nothing: %v", got)
	}
}

// Every duration lies in a bucket that ends at or behind it, by no more than a
// sixteenth, and longer ones never in an earlier one.
func TestBuckets(t *testing.T) {
	last := 0
	for us := int64(1); us < 1<<40; us += 1 + us/50 {
		d := time.Duration(us) * time.Microsecond
		b := bucket(d)
		if b < last {
			t.Fatalf("%v is in bucket %d, behind a shorter one in %d", d, b, last)
		}
		last = b
		if end := top(b); end < d || end-d > d/perDoubling {
			t.Fatalf("%v is in a bucket that ends at %v", d, end)
		}
	}
}

func TestQuantile(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var h Histogram
	var all []time.Duration
	for range 10_000 {
		d := time.Duration(r.ExpFloat64() * float64(20*time.Millisecond)).Truncate(time.Microsecond)
		d = max(d, time.Microsecond)
		h.Add(d)
		all = append(all, d)
	}
	slices.Sort(all)
	for _, q := range []float64{0, 0.5, 0.99, 0.999, 1} {
		exact := all[max(0, int(q*float64(len(all)))-1)]
		if got := h.Quantile(q); got < exact || got-exact > exact/perDoubling {
			t.Errorf("Quantile(%v) is %v; the exact one is %v", q, got, exact)
		}
	}
}

// p99 of 100 is the second largest: one outlier must not make it.
func TestQuantileOfFew(t *testing.T) {
	var h Histogram
	for range 99 {
		h.Add(time.Millisecond)
	}
	h.Add(time.Hour)
	if got := h.Quantile(0.99); got > 2*time.Millisecond {
		t.Errorf("p99 of 99 short and one long: %v", got)
	}
	if got := h.Quantile(1); got < time.Hour {
		t.Errorf("the longest: %v", got)
	}
	h.Add(-time.Second) // clocks that were set back do no harm
}
