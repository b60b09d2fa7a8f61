package eventlog

import (
	"math/bits"
	"sync/atomic"

	"github.com/google/uuid"
)

// A ring is a bounded queue of entries in order of position. It records what it
// has evicted.
//
// Only the holder of Store.mu writes. To evict, it also holds Log.mu, so that
// a reader that holds Log.mu for reading sees nothing change but the end. A
// reader without the lock must check afterwards that nothing it read was
// evicted meanwhile, see source.intact.
type ring[M any] struct {
	slots       atomic.Pointer[slots[M]] // nil until the first entry
	first, next atomic.Uint64            // numbers: entries first to next-1 are here

	// lost is the highest position that was evicted in any category, and
	// evicted the same by category. Everything up to floor may have been
	// evicted from an earlier log of the same key, in an unknown category.
	// Log.mu guards floor and evicted.
	lost    atomic.Uint64
	floor   Position
	evicted []Position // by category; nil until the first eviction

	// rebuilt counts the beginnings and the ends of compactions: it is odd
	// while one is going on. Entries have other numbers afterwards.
	rebuilt    atomic.Uint32
	superseded int32 // entries here without an item; guarded by Store.mu

	// disorder is by how much the creation time of an entry has been below that
	// of an earlier one, at most, in milliseconds. See find.
	disorder atomic.Int64
	peak     int64 // of the newest entry, which an append need not touch for it; guarded by Store.mu

	inline slots[M] // the first array that slots points to: most rings need no other
	array  [2]atomic.Pointer[Entry[M]]
}

// slots have a length that is a power of two. The entry with number i is in
// slot i modulo the length.
type slots[M any] []atomic.Pointer[Entry[M]]

func (s slots[M]) at(i uint64) *atomic.Pointer[Entry[M]] { return &s[i&uint64(len(s)-1)] }

func (r *ring[M]) len() int {
	if r == nil {
		return 0
	}
	return int(r.next.Load() - r.first.Load())
}

// at returns the entry with number i, which must be below next. It returns nil
// or another entry if that one has been evicted.
func (r *ring[M]) at(i uint64) *Entry[M] { return r.slots.Load().at(i).Load() }

// push appends an entry. The caller keeps the ring within its bounds and holds
// Store.mu.
func (r *ring[M]) push(e *Entry[M], millis int64) {
	n := r.len()
	if n == 0 {
		r.peak = 0
	}
	if r.peak > millis {
		r.disorder.Store(max(r.disorder.Load(), r.peak-millis))
	}
	r.peak = max(r.peak, millis)
	e.peak = r.peak
	switch s := r.slots.Load(); {
	case s == nil:
		r.inline = r.array[:]
		r.slots.Store(&r.inline)
	case n == len(*s):
		r.resize(2 * n)
	}
	r.slots.Load().at(r.next.Load()).Store(e)
	r.next.Add(1) // last: readers load it first
}

// pop evicts the oldest entry and records the loss, unless the entry was
// superseded. The caller holds Store.mu and Log.mu.
func (r *ring[M]) pop(categories int) *Entry[M] {
	i := r.first.Load()
	e := r.at(i)
	if e.item == nil {
		r.superseded--
	} else {
		if r.evicted == nil {
			r.evicted = make([]Position, categories)
		}
		for set := e.item.mask(); set != 0; set &= set - 1 {
			if c := bits.TrailingZeros64(set); c < categories {
				r.evicted[c] = e.position
			}
		}
		r.lost.Store(e.position) // before the entry goes: readers look at it after they have read
	}
	r.slots.Load().at(i).Store(nil)
	if slot := r.inline.at(i); slot.Load() == e { // where it was before the ring grew
		slot.Store(nil)
	}
	r.first.Store(i + 1)
	n, c := r.len(), len(*r.slots.Load())
	switch {
	case c == len(r.array):
	case n == 0:
		r.slots.Store(&r.inline)
		r.disorder.Store(0)
	case n <= c/4: // a ring that once had a burst does not keep the memory for it
		r.resize(c / 2)
	}
	return e
}

// resize moves the entries to an array of n slots. Readers go on with either
// array: both hold every entry that is not evicted.
func (r *ring[M]) resize(n int) {
	to := &r.inline
	if n > len(r.array) {
		to = new(make(slots[M], n))
	}
	for i := r.first.Load(); i < r.next.Load(); i++ {
		to.at(i).Store(r.at(i))
	}
	r.slots.Store(to)
}

// supersede takes the item out of an entry. What stays in its place names a
// position still, so that a client whose last event it was can resume. Readers
// that have read the entry go on with it as it was.
func (r *ring[M]) supersede(e *Entry[M]) {
	i := r.after(e.position-1, r.first.Load(), r.next.Load())
	r.slots.Load().at(i).Store(&Entry[M]{position: e.position, after: e.after, key: e.key, peak: e.peak, log: e.log})
	r.inline.at(i).CompareAndSwap(e, nil)
	r.superseded++
}

// compact removes the older half of the superseded entries. The newer ones stay
// so that a client whose last event was one of them can resume from it. The
// caller holds Store.mu and Log.mu.
func (r *ring[M]) compact() {
	drop := (r.superseded + 1) / 2
	kept := make(slots[M], len(*r.slots.Load()))
	var n uint64
	for i := r.first.Load(); i < r.next.Load(); i++ {
		e := r.at(i)
		if drop > 0 && e.item == nil {
			drop--
			r.superseded--
			continue
		}
		kept.at(n).Store(e)
		n++
	}
	r.rebuilt.Add(1)
	for i := range r.array {
		r.array[i].Store(nil)
	}
	r.slots.Store(&kept)
	r.first.Store(0)
	r.next.Store(n)
	r.rebuilt.Add(1)
}

// lostAfter returns the highest position behind p that was evicted in one of
// the wanted categories, or zero if nothing wanted is missing. The caller holds
// Log.mu.
func (r *ring[M]) lostAfter(p Position, wanted Categories) Position {
	if r.lost.Load() <= p {
		return 0
	}
	lost := r.evictedAfter(p, wanted)
	if r.floor > p {
		lost = max(lost, r.floor)
	}
	return lost
}

// evictedAfter is lostAfter for what this ring itself has evicted.
func (r *ring[M]) evictedAfter(p Position, wanted Categories) (lost Position) {
	for set := wanted; set != 0 && r.evicted != nil; set &= set - 1 {
		if e := r.evicted[bits.TrailingZeros64(set)]; e > p {
			lost = max(lost, e)
		}
	}
	return lost
}

// after returns the number of the first entry behind position p, of those with
// numbers first to end. Most readers are near the end, so the search gallops
// from there. An entry that was evicted meanwhile counts as not behind p.
func (r *ring[M]) after(p Position, first, end uint64) uint64 {
	behind := func(i uint64) bool {
		e := r.at(i)
		return e != nil && e.position > p
	}
	lo, hi := first, end
	for step := uint64(1); hi > lo; step *= 2 {
		probe := lo
		if hi-lo > step {
			probe = hi - step
		}
		if !behind(probe) {
			lo = probe + 1
			break
		}
		hi = probe
	}
	for lo < hi {
		if mid := lo + (hi-lo)/2; behind(mid) {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return lo
}

// find returns the position of the newest entry with this id. It needs no lock:
// an entry that is being evicted is found or not.
func (r *ring[M]) find(id uuid.UUID) (p Position, ok bool) {
	for {
		before := r.rebuilt.Load()
		p, ok = r.search(id)
		if ok || before&1 == 0 && r.rebuilt.Load() == before {
			return p, ok
		}
	}
}

// search is find while no compaction is going on.
//
// The id says when the event was made, and events are nearly always published
// in the order in which they were made. Entries have a running maximum of
// creation times, peak, which never falls. An entry made at t has a peak of at
// least t and of at most t+disorder, so a binary search bounds what must be
// looked at. That is a few entries, unless old events were published late, and
// never more for an id that does not exist than for one that does. (A map of
// ids would cost each publish an insertion under the lock.)
func (r *ring[M]) search(id uuid.UUID) (p Position, ok bool) {
	made, key := Millis(id), keyOf(id)
	lo, end := r.first.Load(), r.next.Load()
	for hi := end; lo < hi; {
		mid := lo + (hi-lo)/2
		if e := r.at(mid); e != nil && e.peak >= made {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	latest := made + r.disorder.Load()
	for ; lo < end; lo++ {
		e := r.at(lo)
		if e == nil {
			continue
		}
		if e.peak > latest {
			break
		}
		if e.key == key && (e.item == nil || e.item.ID == id) {
			p, ok = e.position, true
		}
	}
	return p, ok
}
