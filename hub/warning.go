package hub

import (
	"log/slog"
	"sync"
	"time"
)

// warnings are what an operator must know where no observer is set: clients that
// are too slow, events that were evicted before they were read, streams that
// were refused. Each kind is logged at most once a minute, with the number of
// times that it has happened and the stream that it has happened to last, so that
// an overload does not flood the log.
type warnings struct {
	mu    sync.Mutex
	kinds map[string]*warning
}

type warning struct {
	count int // since it was last logged
	last  time.Time
}

const warningInterval = time.Minute

// warn counts something that has happened to a stream, and logs it if it is time.
func (h *Hub) warn(what string, stream func() Stream) {
	if n := h.warnings.due(what, time.Now()); n > 0 {
		h.log(slog.LevelWarn, what, append([]slog.Attr{slog.Int("count", n)}, stream().logAttrs()...)...)
	}
}

// foreignAfter is how long a hub has run before it warns of foreign cursors.
const foreignAfter = 5 * time.Minute

// warnForeign warns that a client of another hub has come to a hub without a
// backplane. After a restart that is normal, and a cursor does not say when it was
// made. So a hub does not warn in its first minutes, in which the clients of the
// process before it come back.
func (h *Hub) warnForeign(s *Subscription) {
	if h.cluster == nil && time.Since(h.began) >= foreignAfter {
		h.warn("clients present cursors of another hub: if several processes serve these streams, they need a backplane, or clients miss what the others publish; "+
			"a client that was away since before this process began is no reason to worry", s.info)
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
