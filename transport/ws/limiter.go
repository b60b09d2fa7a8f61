package ws

import "time"

// A limiter is a token bucket. It belongs to whoever reads from the client.
type limiter struct {
	tokens float64
	last   time.Time
}

func newLimiter(burst int) limiter { return limiter{tokens: float64(burst), last: time.Now()} }

// allow takes a token, or reports false if there is none. Tokens come at a rate a
// second, up to burst.
func (l *limiter) allow(now time.Time, rate float64, burst int) bool {
	l.tokens = min(float64(burst), l.tokens+rate*now.Sub(l.last).Seconds())
	l.last = now
	if l.tokens < 1 {
		return false
	}
	l.tokens--
	return true
}
