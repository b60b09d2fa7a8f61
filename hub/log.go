package hub

import (
	"encoding/binary"
	"math/bits"
	"sync"
	"sync/atomic"

	"github.com/google/uuid"
)

// A log holds what is retained for one user, or for everyone, in the hub's
// order: a ring of events that can be replayed, and a short ring of ephemeral
// ones, which only those who listen when they are published get to see.
// Ephemeral events have a ring of their own so that they push nothing retained
// out; it also keeps their ids for a while, so that a client whose last event
// was one of them still resumes from it.
//
// Of a million users' logs nearly all are cold memory, so the fields stand in
// the order in which a publish touches them, and what few events and streams
// need is in the log itself.
type log struct {
	// newest is the position of the last event that was ever appended. It may
	// be read at any time, to see that there is nothing new.
	newest atomic.Uint64
	// last is the entry there, or nil once that has been evicted. See latest.
	last atomic.Pointer[entry]

	// mu guards the rings' contents. Only the holder of Hub.mu writes them;
	// readers hold it for reading while they copy a batch out.
	mu        sync.RWMutex
	bytes     int64 // what the retained entries cost; belongs to Hub.mu
	listeners atomic.Int32
	dropped   bool // the hub has forgotten this log; belongs to Hub.mu
	retained  ring

	// subscriptions are those of this user; everyone's log has none, since the
	// hub's index of sleepers serves it. They have a mutex of their own: who
	// walks them must not hold up an append.
	subsMu        sync.RWMutex
	subscriptions []*Subscription
	first         [1]*Subscription // room for a user's only one

	ephemeral *ring     // nil until the first ephemeral event
	user      uuid.UUID // nil for everyone's
	maxEvents int       // retained at most
	maxBytes  int64
}

// ephemeralEvents is how many ephemeral events a log holds. Readers that are
// awake take them within microseconds; the rest is for a burst of AI chunks
// while a socket is being written to.
const ephemeralEvents = 256

// An entry is a message in its place in a log. It is immutable but for its
// neighbours in the hub-wide list, which belong to Hub.mu.
type entry struct {
	position     position
	after        position // of the entry before it in this log, evicted or not
	key          uint64   // half of the event's id, so that find need not touch the message
	message      *Message
	log          *log
	older, newer *entry
}

// keyOf takes the random half of a version 7 UUID.
func keyOf(id uuid.UUID) uint64 { return binary.BigEndian.Uint64(id[8:]) }

// A ring is a bounded queue of entries in order of position, which remembers
// what it has evicted. Its methods must be called under the log's mu.
type ring struct {
	slots       []*entry // length is a power of two, or zero; few at first
	first, next uint64   // entries first to next-1 are here, at their number modulo the length

	// lost is the highest position that was evicted in any category, evicted
	// the same for each. A ring that was made anew for a user starts with lost
	// at the hub's floor: what was below may have been the user's, and nobody
	// knows of which category.
	floor, lost position
	evicted     []position // by category; nil until the first eviction

	few [2]*entry
}

func (r *ring) len() int {
	if r == nil {
		return 0
	}
	return int(r.next - r.first)
}

func (r *ring) at(i uint64) *entry { return r.slots[i&uint64(len(r.slots)-1)] }

// push appends an entry. The ring grows to its bound by doubling; keeping to
// the bound is the caller's business.
func (r *ring) push(e *entry) {
	if r.len() == len(r.slots) {
		slots := r.few[:]
		if len(r.slots) > 0 {
			slots = make([]*entry, 2*len(r.slots))
		}
		for i := r.first; i < r.next; i++ {
			slots[i&uint64(len(slots)-1)] = r.at(i)
		}
		r.slots, r.few = slots, [2]*entry{}
	}
	r.slots[r.next&uint64(len(r.slots)-1)] = e
	r.next++
}

// pop evicts the oldest entry and notes what is lost.
func (r *ring) pop(categories int) *entry {
	i := r.first & uint64(len(r.slots)-1)
	e := r.slots[i]
	r.slots[i] = nil
	r.first++
	r.lost = e.position
	if r.evicted == nil {
		r.evicted = make([]position, categories)
	}
	r.evicted[e.message.category] = e.position
	if r.first == r.next && len(r.slots) > 4 {
		r.slots = nil // a user who once had a burst does not keep the room for it
	}
	return e
}

// lostAfter returns the highest evicted position beyond p in one of the
// wanted categories, or zero if nothing wanted is missing.
func (r *ring) lostAfter(p position, wanted categorySet) position {
	if r.lost <= p {
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

// after returns the number of the first entry behind position p. Readers are
// mostly near the newest, so the search gallops from there.
func (r *ring) after(p position) uint64 {
	lo, hi := r.first, r.next
	for step := uint64(1); hi > lo; step *= 2 {
		probe := lo
		if hi-lo > step {
			probe = hi - step
		}
		if r.at(probe).position <= p {
			lo = probe + 1
			break
		}
		hi = probe
	}
	for lo < hi {
		if mid := lo + (hi-lo)/2; r.at(mid).position <= p {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// find returns the position of the event with this id, if it is still here.
// It looks at the newest first: most clients come back soon.
func (l *log) find(id uuid.UUID) (position, bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	key := keyOf(id)
	for _, r := range [...]*ring{&l.retained, l.ephemeral} {
		if r == nil {
			continue
		}
		for i := r.next; i > r.first; i-- {
			if e := r.at(i - 1); e.key == key && e.message.event.ID() == id {
				return e.position, true
			}
		}
	}
	return 0, false
}

// ringFor returns the ring that an event of this kind goes to. Under mu.
func (l *log) ringFor(ephemeral bool) *ring {
	if ephemeral {
		if l.ephemeral == nil {
			l.ephemeral = new(ring)
		}
		return l.ephemeral
	}
	return &l.retained
}
