// Package reader has the least that events can be handed to readers with, and
// the tally that counts what readers get. Benchmarks measure everything else
// against it, within the same run.
package reader

import (
	"fmt"
	"math"
	"sync/atomic"
	"time"
)

// A Tally counts what readers have received, and wakes who waits for a number
// to be reached. It costs two atomic operations, and allocates nothing once it
// is made.
type Tally struct {
	n, goal  atomic.Int64
	reached  chan struct{}
	late     *time.Timer
	patience time.Duration
}

// NewTally returns a tally whose Wait gives up after so long.
func NewTally(patience time.Duration) *Tally {
	t := &Tally{reached: make(chan struct{}, 1), late: time.NewTimer(patience), patience: patience}
	t.late.Stop()
	t.goal.Store(math.MaxInt64)
	return t
}

// Got notes k deliveries. It is safe for concurrent use.
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

// Reset begins anew. Nobody may wait.
func (t *Tally) Reset() { t.n.Store(0) }

// Wait returns once there have been n deliveries in all. The error says how
// many are missing when patience is at its end. One goroutine at a time may
// wait.
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
