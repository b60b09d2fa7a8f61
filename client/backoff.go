package client

import (
	"math/rand/v2"
	"time"
)

const (
	minWait = 500 * time.Millisecond // also between two attempts
	maxWait = 20 * time.Second       // unless the server asks for more
	// longestWait bounds what a server may ask for.
	longestWait = time.Hour
	// attemptTimeout is how long an attempt may take until the response's
	// header has arrived.
	attemptTimeout = 20 * time.Second
)

// backoff returns how long to wait before the next attempt: at least what the
// server has asked for, or minWait, and at most a quarter longer or up to a
// bound that doubles with each failure in a row. The random part keeps clients
// that were disconnected together from coming back together.
func backoff(asked time.Duration, failures int) time.Duration {
	low := min(max(asked, minWait), longestWait)
	high := max(low+low/4, min(time.Second<<min(failures, 10), maxWait))
	return low + rand.N(high-low+1)
}
