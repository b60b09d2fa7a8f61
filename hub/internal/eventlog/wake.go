package eventlog

import "sync/atomic"

// A signal is how a reader sleeps and is woken. Its flags may be used by any
// goroutine.
type signal struct {
	// asleep is set before the head is looked at for the last time. Whoever
	// clears it signals, and nobody else.
	asleep atomic.Bool
	// wakeRequested is set by a Wake that found the reader awake.
	wakeRequested atomic.Bool

	notify func()        // called to signal; nil if ready is used
	ready  chan struct{} // has room for one signal
}

func (s *signal) init(notify func()) {
	if s.notify = notify; notify == nil {
		s.ready = make(chan struct{}, 1)
	}
}

// wakeSleeping signals the reader if it sleeps, and reports whether it did.
func (s *signal) wakeSleeping() bool {
	if s.asleep.Load() && s.asleep.CompareAndSwap(true, false) {
		s.send()
		return true
	}
	return false
}

func (s *signal) send() {
	if s.notify != nil {
		s.notify()
		return
	}
	select {
	case s.ready <- struct{}{}:
	default:
	}
}

// Wake signals the reader although nothing was appended. If it is awake, its
// next sleep ends at once. It may be called by any goroutine.
func (r *Reader[M]) Wake() {
	if r.wakeSleeping() {
		return
	}
	r.wakeRequested.Store(true)
	r.wakeSleeping()
}

// Ready returns the channel that is signalled when a sleeping reader has
// something to read. A signal may come without a reason. It is nil if the
// reader was made with a notify function.
func (r *Reader[M]) Ready() <-chan struct{} { return r.ready }

// Asleep reports whether the reader sleeps.
func (r *Reader[M]) Asleep() bool { return r.asleep.Load() }

// Rouse marks the reader as awake. Call it before reading.
func (r *Reader[M]) Rouse() {
	if r.asleep.Load() { // nobody has woken it; the load is cheaper than a store
		r.asleep.Store(false)
	}
}

// Sleep puts the reader to sleep after it has read everything up to head. It
// reports false if there is something to read after all. After true, the next
// append that the reader wants signals it once, as does Wake.
func (r *Reader[M]) Sleep(head Position) bool {
	r.asleep.Store(true)
	for _, f := range r.follows {
		if !f.inBitmap.Load() {
			f.log.readers.index.Load().mark(f)
		}
	}
	if r.wakeRequested.Load() && r.wakeRequested.Swap(false) && r.asleep.CompareAndSwap(true, false) {
		r.send()
		return true
	}
	if r.store.head.Load() == head || !r.behind(head) {
		return true
	}
	// Something was appended meanwhile. If its publisher has seen the flag, the
	// signal is on its way, and the next read takes the item.
	return !r.asleep.CompareAndSwap(true, false)
}

// behind reports whether anything was appended to the reader's logs behind
// position p, wanted or not.
func (r *Reader[M]) behind(p Position) bool {
	for _, f := range r.follows {
		if f.log.newest.Load() > p {
			return true
		}
	}
	return false
}
