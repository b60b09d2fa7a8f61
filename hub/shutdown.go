package hub

import (
	"context"
	"time"

	"github.com/crier-go/crier/hub/internal/eventlog"
)

// Shutdown closes the hub: Publish and Subscribe fail with [ErrClosed] from now
// on, and every stream ends with [ReasonShutdown] after it has been given
// everything that was published. So that clients do not all come back at once,
// the ends are spread: a thousand a second, or as many as it takes to be done
// after four fifths of the time that ctx leaves; see [Hub.ShutdownAtRate] for
// another rate. When ctx is over, streams whose
// writers still hang are aborted, and Shutdown returns ctx.Err().
//
// Shutdown returns once the last subscription is closed: then the hub holds no
// goroutine, timer or connection. It also waits for calls of Observer.Ended, but
// no longer than two seconds, so that Ended may call Shutdown. Shutdown may be
// called again, and then waits for the same. Subscriptions that run outside this
// module's transports must be closed by their owners.
func (h *Hub) Shutdown(ctx context.Context) error { return h.ShutdownAtRate(ctx, 0) }

// ShutdownAtRate is Shutdown with another rate: how many streams end in a second, so
// that those processes to which the clients reconnect can follow. Where the deadline
// of ctx leaves too little time, more end in a second, and the transports ask their
// clients to wait longer, so that on average no more than perSecond come back in a
// second. Zero means 1000. A negative rate panics.
func (h *Hub) ShutdownAtRate(ctx context.Context, perSecond int) error {
	set(&perSecond, endsPerSecond, "ShutdownAtRate's rate")
	h.mu.Lock()
	if !h.closed {
		h.closed = true
		h.store.Close()
		h.presence.close()
		if h.cluster != nil {
			h.cluster.stop()
		}
		h.signalDrained()
	}
	h.mu.Unlock()

	if h.cluster != nil {
		select {
		case <-h.cluster.stopped: // its calls return when their context ends
		case <-ctx.Done():
		}
	}
	h.endAll(ctx, perSecond)
	select {
	case <-h.drained:
		wait(h.told, 2*time.Second)
		return nil
	case <-ctx.Done():
	}
	h.store.EachReader(func(r *eventlog.Reader[*Message]) {
		s := r.Owner.(*Subscription)
		s.mu.Lock()
		abort := s.abort
		s.abort = nil
		s.mu.Unlock()
		s.End(ReasonShutdown)
		if abort != nil {
			abort()
		}
	})
	// An aborted writer returns at once. One that does not is broken, and must
	// not hang the application's exit.
	wait(h.told, time.Second)
	return ctx.Err()
}

// wait waits until c is closed, for d at most.
func wait(c <-chan struct{}, d time.Duration) {
	grace := time.NewTimer(d)
	defer grace.Stop()
	select {
	case <-c:
	case <-grace.C:
	}
}

// endsPerSecond is how many streams are ended in a second, by default and while there
// is time.
const endsPerSecond = 1000

// ReconnectSpread returns over how long the clients of a hub that is shutting down
// should spread their reconnects. It is for transports, which let each client wait a
// random part of it.
func (h *Hub) ReconnectSpread() time.Duration { return time.Duration(h.reconnectSpread.Load()) }

// endAll ends all streams, spread over time.
func (h *Hub) endAll(ctx context.Context, perSecond int) {
	var all []*Subscription
	h.store.EachReader(func(r *eventlog.Reader[*Message]) { all = append(all, r.Owner.(*Subscription)) })
	spread := time.Duration(len(all)) * time.Second / time.Duration(perSecond)
	// Ends and waits are both uniform, so the larger of the two spreads bounds the
	// rate at which clients come back.
	h.reconnectSpread.Store(max(h.reconnectSpread.Load(), int64(spread)))
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

// signalDrained lets Shutdown go on once the hub is closed and nothing is left.
// The caller holds h.mu.
func (h *Hub) signalDrained() {
	if !h.closed || h.open > 0 {
		return
	}
	closeOnce(h.drained)
	if h.ending == 0 {
		closeOnce(h.told)
	}
}

// closeOnce closes a channel unless it is closed. The caller holds a lock.
func closeOnce(c chan struct{}) {
	select {
	case <-c:
	default:
		close(c)
	}
}
