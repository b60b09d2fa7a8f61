package hub

import (
	"sync"
	"time"
)

// notices are what an operator must know where no observer is set to hear it:
// clients that are too slow, events that were evicted before they were read,
// streams that were refused. Each kind is logged at most once a minute, with
// how often it has happened, so that an overload does not become one of logs.
type notices struct {
	mu    sync.Mutex
	kinds map[string]*notice
}

type notice struct {
	count int // since it was last logged
	last  time.Time
}

const noticeInterval = time.Minute

// Report tells the observer's Error of a failure that no caller can be told
// of, or logs it if there is no such function. It is for packages around the
// hub, such as bridge.
func (h *Hub) Report(err error) {
	if f := h.options.Observer.Error; f != nil {
		f(err)
		return
	}
	h.options.Logger.Error("crier", "error", err)
}

// notice counts something that has happened, and logs it if it is time.
func (h *Hub) notice(what string) {
	n := h.noticed(what)
	if n > 0 {
		h.options.Logger.Warn("crier: "+what, "count", n)
	}
}

// noticed returns how often something is to be reported to have happened, or
// zero if it is not to be reported now.
func (h *Hub) noticed(what string) int {
	h.notices.mu.Lock()
	defer h.notices.mu.Unlock()
	n := h.notices.kinds[what]
	if n == nil {
		n = &notice{}
		h.notices.kinds[what] = n
	}
	n.count++
	now := time.Now()
	if now.Sub(n.last) < noticeInterval {
		return 0
	}
	count := n.count
	n.count, n.last = 0, now
	return count
}
