package hub

import (
	"context"
	"time"
)

// Shutdown closes the hub: Publish and Subscribe fail with [ErrClosed] from
// now on, and every stream ends with reason [ReasonShutdown] after it has been given
// all that was published. So that not all clients come back at once, the ends
// are spread: a thousand a second, or as many as it takes to be through after
// four fifths of the time that ctx leaves. When ctx is over, the streams whose
// writers still hang are aborted, and Shutdown returns ctx.Err().
//
// It returns once the last subscription is closed: then the hub holds no
// goroutine, timer or connection. It may be called again, and then waits for
// the same. Subscriptions that run outside this module's transports must be
// closed by their owners.
func (h *Hub) Shutdown(ctx context.Context) error {
	h.mu.Lock()
	if !h.closed {
		h.closed = true
		if h.ageing != nil {
			h.ageing.Stop()
		}
		if h.open == 0 {
			h.closeDrained()
		}
	}
	h.mu.Unlock()

	h.endAll(ctx)
	select {
	case <-h.drained:
		return nil
	case <-ctx.Done():
	}
	h.index.each(func(s *Subscription) {
		s.mu.Lock()
		abort := s.abort
		s.abort = nil
		s.mu.Unlock()
		s.End(ReasonShutdown)
		if abort != nil {
			abort()
		}
	})
	// An aborted writer returns at once; whoever still does not is broken,
	// and must not hang the application's exit.
	grace := time.NewTimer(time.Second)
	defer grace.Stop()
	select {
	case <-h.drained:
	case <-grace.C:
	}
	return ctx.Err()
}

// endsPerSecond is how fast streams are ended while there is time.
const endsPerSecond = 1000

// endAll ends all streams, spread over time.
func (h *Hub) endAll(ctx context.Context) {
	var all []*Subscription
	h.index.each(func(s *Subscription) { all = append(all, s) })
	spread := time.Duration(len(all)) * time.Second / endsPerSecond
	if deadline, ok := ctx.Deadline(); ok {
		spread = min(spread, time.Until(deadline)*4/5)
	}
	const tick = 10 * time.Millisecond
	began := time.Now()
	pause := time.NewTimer(0)
	defer pause.Stop()
	for ended := 0; ended < len(all); {
		select {
		case <-pause.C:
		case <-ctx.Done():
			spread = 0
		}
		due := len(all)
		if elapsed := time.Since(began) + tick; elapsed < spread {
			due = int(int64(len(all)) * int64(elapsed) / int64(spread))
		}
		for ; ended < due; ended++ {
			all[ended].end(ReasonShutdown, true)
		}
		pause.Reset(tick)
	}
}

// closeDrained says that the last subscription has gone. Under h.mu.
func (h *Hub) closeDrained() {
	select {
	case <-h.drained:
	default:
		close(h.drained)
	}
}
