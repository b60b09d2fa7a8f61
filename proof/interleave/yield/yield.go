// Package yield has the types of sync and sync/atomic that the hub uses. Each of
// their operations is followed by a random yield.
//
// Use it within a bubble of testing/synctest. A yield is then a sleep by the
// bubble's clock, which stands still while any goroutine can run: whoever sleeps
// a little is overtaken by everybody who can go on at all, and whoever sleeps
// longer by those who go to sleep and are woken meanwhile, too. For the clock to
// move while a lock is held, those who wait for it must block on a channel. So
// the locks are made of channels.
package yield

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

var count atomic.Uint64

// Count returns how many operations have been followed by a yield or might have
// been. It is zero if the hub was compiled as it is.
func Count() uint64 { return count.Load() }

// now yields, or does not.
func now() {
	count.Add(1)
	switch r := rand.Uint32(); {
	case r&31 == 0:
		// From 1 ns to 65 us, each order of magnitude as likely as the next.
		time.Sleep(1 << (r >> 5 & 15) * time.Nanosecond)
	case r&3 == 1:
		runtime.Gosched()
	}
}

// A Bool is an atomic.Bool.
type Bool struct{ v atomic.Bool }

func (x *Bool) Load() bool { defer now(); return x.v.Load() }

func (x *Bool) Store(v bool) { x.v.Store(v); now() }

func (x *Bool) Swap(v bool) bool { defer now(); return x.v.Swap(v) }

func (x *Bool) CompareAndSwap(old, v bool) bool { defer now(); return x.v.CompareAndSwap(old, v) }

// An Int32 is an atomic.Int32.
type Int32 struct{ v atomic.Int32 }

func (x *Int32) Load() int32 { defer now(); return x.v.Load() }

func (x *Int32) Store(v int32) { x.v.Store(v); now() }

func (x *Int32) Add(delta int32) int32 { defer now(); return x.v.Add(delta) }

// An Int64 is an atomic.Int64.
type Int64 struct{ v atomic.Int64 }

func (x *Int64) Load() int64 { defer now(); return x.v.Load() }

func (x *Int64) Store(v int64) { x.v.Store(v); now() }

func (x *Int64) Add(delta int64) int64 { defer now(); return x.v.Add(delta) }

// A Uint32 is an atomic.Uint32.
type Uint32 struct{ v atomic.Uint32 }

func (x *Uint32) Load() uint32 { defer now(); return x.v.Load() }

func (x *Uint32) Store(v uint32) { x.v.Store(v); now() }

func (x *Uint32) Add(delta uint32) uint32 { defer now(); return x.v.Add(delta) }

// A Uint64 is an atomic.Uint64.
type Uint64 struct{ v atomic.Uint64 }

func (x *Uint64) Load() uint64 { defer now(); return x.v.Load() }

func (x *Uint64) Store(v uint64) { x.v.Store(v); now() }

func (x *Uint64) Add(delta uint64) uint64 { defer now(); return x.v.Add(delta) }

func (x *Uint64) Swap(v uint64) uint64 { defer now(); return x.v.Swap(v) }

func (x *Uint64) And(mask uint64) uint64 { defer now(); return x.v.And(mask) }

func (x *Uint64) Or(mask uint64) uint64 { defer now(); return x.v.Or(mask) }

func (x *Uint64) CompareAndSwap(old, v uint64) bool { defer now(); return x.v.CompareAndSwap(old, v) }

// A Pointer is an atomic.Pointer.
type Pointer[T any] struct{ v atomic.Pointer[T] }

func (x *Pointer[T]) Load() *T { defer now(); return x.v.Load() }

func (x *Pointer[T]) Store(v *T) { x.v.Store(v); now() }

func (x *Pointer[T]) Swap(v *T) *T { defer now(); return x.v.Swap(v) }

func (x *Pointer[T]) CompareAndSwap(old, v *T) bool { defer now(); return x.v.CompareAndSwap(old, v) }

// A Mutex is a sync.Mutex.
type Mutex struct{ rw RWMutex }

func (m *Mutex) Lock() { m.rw.Lock() }

func (m *Mutex) TryLock() bool { return m.rw.TryLock() }

func (m *Mutex) Unlock() { m.rw.Unlock() }

// A RWMutex is a sync.RWMutex. Like that, it lets no new reader in while a writer
// waits.
type RWMutex struct {
	mu      sync.Mutex    // held for an instant, never across a yield
	changed chan struct{} // closed when the lock is given back; nil if nobody waits
	writer  bool
	readers int
	waiting int // writers
}

// wait waits until free reports true. It is called, and returns, with m.mu held.
func (m *RWMutex) wait(free func() bool) {
	for !free() {
		if m.changed == nil {
			m.changed = make(chan struct{})
		}
		changed := m.changed
		m.mu.Unlock()
		<-changed
		m.mu.Lock()
	}
}

// wake lets those go on who wait. The caller holds m.mu.
func (m *RWMutex) wake() {
	if m.changed != nil {
		close(m.changed)
		m.changed = nil
	}
}

func (m *RWMutex) Lock() {
	m.mu.Lock()
	m.waiting++
	m.wait(func() bool { return !m.writer && m.readers == 0 })
	m.waiting--
	m.writer = true
	m.mu.Unlock()
	now()
}

func (m *RWMutex) TryLock() bool {
	defer now()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.writer || m.readers > 0 {
		return false
	}
	m.writer = true
	return true
}

func (m *RWMutex) Unlock() {
	m.mu.Lock()
	if !m.writer {
		panic("yield: Unlock of an unlocked mutex")
	}
	m.writer = false
	m.wake()
	m.mu.Unlock()
	now()
}

func (m *RWMutex) RLock() {
	m.mu.Lock()
	m.wait(func() bool { return !m.writer && m.waiting == 0 })
	m.readers++
	m.mu.Unlock()
	now()
}

func (m *RWMutex) TryRLock() bool {
	defer now()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.writer || m.waiting > 0 {
		return false
	}
	m.readers++
	return true
}

func (m *RWMutex) RUnlock() {
	m.mu.Lock()
	if m.readers--; m.readers < 0 {
		panic("yield: RUnlock of an unlocked mutex")
	}
	m.wake()
	m.mu.Unlock()
	now()
}
