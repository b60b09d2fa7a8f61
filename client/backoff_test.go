package client

import (
	"testing"
	"time"
)

// The wait is spread over the whole of its range.
func TestBackoff(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		asked     time.Duration
		failures  int
		low, high time.Duration
	}{
		{0, 0, 500 * ms, time.Second},
		{0, 1, 500 * ms, 2 * time.Second},
		{0, 4, 500 * ms, 16 * time.Second},
		{0, 5, 500 * ms, 20 * time.Second},
		{0, 1000, 500 * ms, 20 * time.Second},
		{100 * ms, 0, 500 * ms, time.Second},
		{3 * time.Second, 0, 3 * time.Second, 3750 * ms},
		{3 * time.Second, 1, 3 * time.Second, 3750 * ms},
		{3 * time.Second, 3, 3 * time.Second, 8 * time.Second},
		{3 * time.Second, 9, 3 * time.Second, 20 * time.Second},
		{40 * time.Second, 9, 40 * time.Second, 50 * time.Second},
		{24 * time.Hour, 0, time.Hour, 75 * time.Minute},
		{-time.Second, 0, 500 * ms, time.Second},
	} {
		least, most := time.Duration(1<<62), time.Duration(0)
		for range 1000 {
			d := backoff(c.asked, c.failures)
			least, most = min(least, d), max(most, d)
		}
		tenth := (c.high - c.low) / 10
		if least < c.low || least > c.low+tenth || most > c.high || most < c.high-tenth {
			t.Errorf("backoff(%v, %d) is between %v and %v, want %v and %v", c.asked, c.failures, least, most, c.low, c.high)
		}
	}
}
