package hub

import (
	"math/bits"
	"sync/atomic"
)

// A ring is a bounded queue of entries in order of position, which remembers
// what it has evicted.
//
// One at a time writes it, the holder of Hub.mu. To evict, the log's mu is held
// as well: whoever holds that for reading finds everything standing still but
// the end. Whoever does not must look afterwards whether what was read had been
// there all the while, see source.intact.
type ring struct {
	slots       atomic.Pointer[slots] // nil until the first entry
	first, next atomic.Uint64         // entries first to next-1 are here

	// lost is the highest position that was evicted in any category, evicted
	// the same for each. A ring that was made anew for a user starts with lost
	// at the hub's floor: what was below may have been the user's, and nobody
	// knows of which category. Floor and evicted belong to the log's mu.
	lost    atomic.Uint64
	floor   position
	evicted []position // by category; nil until the first eviction

	own slots // the first that slots points to: most rings need no more
	few [2]atomic.Pointer[entry]
}

// slots have a length that is a power of two, and hold an entry at its number
// modulo that.
type slots []atomic.Pointer[entry]

func (s slots) at(i uint64) *atomic.Pointer[entry] { return &s[i&uint64(len(s)-1)] }

func (r *ring) len() int {
	if r == nil {
		return 0
	}
	return int(r.next.Load() - r.first.Load())
}

// at returns an entry by its number, which must be below next. It is nil, or
// another, if the entry has been evicted.
func (r *ring) at(i uint64) *entry { return r.slots.Load().at(i).Load() }

// push appends an entry. The ring grows to its bound by doubling; keeping to
// the bound is the caller's business. Under Hub.mu.
func (r *ring) push(e *entry) {
	s := r.slots.Load()
	switch n := r.len(); {
	case s == nil:
		r.own = r.few[:]
		s = &r.own
		r.slots.Store(s)
	case n == len(*s):
		more := make(slots, 2*n)
		for i := r.first.Load(); i < r.next.Load(); i++ {
			more.at(i).Store(s.at(i).Load())
		}
		s = &more
		r.slots.Store(s)
	}
	s.at(r.next.Load()).Store(e)
	r.next.Add(1) // last: readers load it first
}

// pop evicts the oldest entry and notes what is lost. Under Hub.mu and the
// log's.
func (r *ring) pop(categories int) *entry {
	i := r.first.Load()
	e := r.at(i)
	if r.evicted == nil {
		r.evicted = make([]position, categories)
	}
	r.evicted[e.message.category] = e.position
	r.lost.Store(e.position) // first: nothing is gone before it shows
	r.slots.Load().at(i).Store(nil)
	r.own.at(i).CompareAndSwap(e, nil) // where it was before the ring grew
	r.first.Store(i + 1)
	if i+1 == r.next.Load() && len(*r.slots.Load()) > 4 {
		r.slots.Store(&r.own) // a user who once had a burst does not keep the room for it
	}
	return e
}

// lostAfter returns the highest evicted position beyond p in one of the
// wanted categories, or zero if nothing wanted is missing. Under the log's mu.
func (r *ring) lostAfter(p position, wanted categorySet) position {
	if r.lost.Load() <= p {
		return 0
	}
	var lost position
	if r.floor > p {
		lost = r.floor
	}
	for set := wanted; set != 0 && r.evicted != nil; set &= set - 1 {
		if e := r.evicted[bits.TrailingZeros64(set)]; e > p {
			lost = max(lost, e)
		}
	}
	return lost
}

// after returns the number of the first entry behind position p, of those from
// first to end. Readers are mostly near the newest, so the search gallops from
// there. An entry that has been evicted meanwhile counts as not behind p.
func (r *ring) after(p position, first, end uint64) uint64 {
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
