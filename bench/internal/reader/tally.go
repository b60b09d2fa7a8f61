// Package reader has the simplest way to deliver events to readers in memory, as a floor for benchmarks, and the tally on
// which readers count what they receive.
package reader

import (
	"fmt"
	"math"
	"sync/atomic"
	"time"
)

// A Tally counts what readers have received. A count costs two atomic operations and allocates nothing.
type Tally struct {
	n, goal  atomic.Int64
	reached  chan struct{}
	late     *time.Timer
	patience time.Duration
}

// NewTally returns a tally whose Wait gives up after the time that patience says.
func NewTally(patience time.Duration) *Tally {
	t := &Tally{reached: make(chan struct{}, 1), late: time.NewTimer(patience), patience: patience}
	t.late.Stop()
	t.goal.Store(math.MaxInt64)
	return t
}

// Got counts k deliveries. It is safe for concurrent use.
func (t *Tally) Got(k int) {
	if t.n.Add(int64(k)) >= t.goal.Load() {
		select {
		case t.reached <- struct{}{}:
		default:
		}
	}
}

// N returns how many deliveries there have been.
func (t *Tally) N() int { return int(t.n.Load()) }

// Reset sets the count to zero. No goroutine may be in Wait.
func (t *Tally) Reset() { t.n.Store(0) }

// Wait waits until n deliveries are counted. One goroutine at a time may call it.
func (t *Tally) Wait(n int) error {
	t.goal.Store(int64(n))
	defer t.goal.Store(math.MaxInt64)
	t.late.Reset(t.patience)
	defer t.late.Stop()
	for t.N() < n {
		select {
		case <-t.reached:
		case <-t.late.C:
			return fmt.Errorf("%d of %d deliveries came within %v", t.N(), n, t.patience)
		}
	}
	return nil
}
