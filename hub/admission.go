package hub

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"time"
)

// opensPerProcessor is the default of Options.OpenRate, for each processor. A
// reconnect over loopback takes 45 to 75 µs of one (see BENCHMARKS.md), so this
// many take about a third of it. The rest is for TLS, for the Authenticator and for
// deliveries.
const opensPerProcessor = 5000

func defaultOpenRate() int { return opensPerProcessor * runtime.GOMAXPROCS(0) }

// An admission is a token bucket that holds a second's worth of streams. Whoever
// finds it empty is given a time to come back. These times are one interval apart,
// so that those who were refused come back at the bucket's own rate.
type admission struct {
	interval time.Duration // between two streams; zero admits everyone

	mu     sync.Mutex
	full   time.Time // when the bucket is full again; each token taken moves it by interval
	booked time.Time // the latest time at which a refused client was asked to come back
}

func newAdmission(perSecond int) admission {
	if perSecond < 0 {
		return admission{}
	}
	return admission{interval: max(time.Second/time.Duration(perSecond), 1)}
}

// admit takes a token, or reports false and how long the client should wait: least to
// most. If all times up to most are booked, the wait is random, in the upper half.
func (a *admission) admit(now time.Time, least, most time.Duration) (wait time.Duration, ok bool) {
	if a.interval == 0 {
		return 0, true
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	full := later(a.full, now)
	if full.Sub(now) <= time.Second-a.interval {
		a.full = full.Add(a.interval)
		return 0, true
	}
	next := later(a.booked.Add(a.interval), now.Add(least))
	if next.Sub(now) > most {
		return most - rand.N(most/2+1), false
	}
	a.booked = next
	return next.Sub(now), false
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// Admit reports whether one more stream may be opened now, by Options.OpenRate. It is
// for transports, which call it before they spend anything on a request, such as a
// call of the Authenticator. If it returns an error, that is [ReasonOverloaded]; the
// refusal is counted and observed. The client should then wait that long before it
// asks again: from least to most, and such that refused clients come back at
// Options.OpenRate. Of the request only Transport, RemoteAddr and UserAgent matter.
func (h *Hub) Admit(r Request, least, most time.Duration) (wait time.Duration, err error) {
	wait, ok := h.admission.admit(time.Now(), least, most)
	if !ok {
		h.observeRefusal(r, ReasonOverloaded)
		return wait, ReasonOverloaded
	}
	return 0, nil
}
