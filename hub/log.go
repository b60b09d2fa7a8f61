package hub

import (
	"encoding/binary"
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

	// mu is held to evict from the rings. Only the holder of Hub.mu does that.
	// Appending needs no more than Hub.mu, so that no reader holds it up.
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

	ephemeral atomic.Pointer[ring] // nil until the first ephemeral event
	user      uuid.UUID            // nil for everyone's
	maxEvents int                  // retained at most
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

// find returns the position of the event with this id, if it is still here.
// It looks at the newest first: most clients come back soon.
func (l *log) find(id uuid.UUID) (position, bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	key := keyOf(id)
	for _, r := range [...]*ring{&l.retained, l.ephemeral.Load()} {
		if r == nil {
			continue
		}
		for i := r.next.Load(); i > r.first.Load(); i-- {
			if e := r.at(i - 1); e.key == key && e.message.event.ID() == id {
				return e.position, true
			}
		}
	}
	return 0, false
}

// ringFor returns the ring that an event of this kind goes to. Under Hub.mu.
func (l *log) ringFor(ephemeral bool) *ring {
	if !ephemeral {
		return &l.retained
	}
	if l.ephemeral.Load() == nil {
		l.ephemeral.Store(new(ring))
	}
	return l.ephemeral.Load()
}
