package ws

import "time"

// A limiter is a token bucket. It belongs to whoever reads from the client.
type limiter struct {
	tokens float64
	last   time.Duration // when tokens was right, on the clock of those who call allow
}

// allow takes a token, or reports false if there is none. Tokens come at a rate a
// second, up to burst.
func (l *limiter) allow(now time.Duration, rate float64, burst int) bool {
	l.tokens = min(float64(burst), l.tokens+rate*(now-l.last).Seconds())
	l.last = now
	if l.tokens < 1 {
		return false
	}
	l.tokens--
	return true
}
