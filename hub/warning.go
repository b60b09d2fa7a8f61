package hub

import (
	"sync"
	"time"
)

// warnings are what an operator must know where no observer is set: clients that
// are too slow, events that were evicted before they were read, streams that
// were refused. Each kind is logged at most once a minute, with the number of
// times that it has happened, so that an overload does not flood the log.
type warnings struct {
	mu    sync.Mutex
	kinds map[string]*warning
}

type warning struct {
	count int // since it was last logged
	last  time.Time
}

const warningInterval = time.Minute

// warn counts something that has happened, and logs it if it is time.
func (h *Hub) warn(what string) {
	if n := h.warnings.due(what, time.Now()); n > 0 {
		h.options.Logger.Warn("crier: "+what, "count", n)
	}
}

// due counts something that has happened. It returns how often it has happened
// since it was last logged, or zero if it must not be logged now.
func (w *warnings) due(what string, now time.Time) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	one := w.kinds[what]
	if one == nil {
		one = &warning{}
		w.kinds[what] = one
	}
	one.count++
	if now.Sub(one.last) < warningInterval {
		return 0
	}
	count := one.count
	one.count, one.last = 0, now
	return count
}
