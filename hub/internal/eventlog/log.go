package eventlog

import (
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/google/uuid"
)

// A Key names a log. The package does not interpret it: the hub names a user's
// log by ID and a topic's by Name; no key has both. The zero Key names the log that every reader
// follows.
type Key struct {
	ID   uuid.UUID
	Name string
}

// A Log is a bounded sequence of entries, with a ring for each class. The Store
// makes logs and forgets those that are empty and not followed.
type Log[M any] struct {
	// Of a million logs nearly all are cold memory. So the fields stand in the
	// order in which an append touches them, and what few entries and readers
	// need is in the log itself.

	// newest is the position of the last entry that was ever appended. Readers
	// look at it to see that there is nothing new.
	newest atomic.Uint64
	// last is the entry at newest, or nil once it was evicted.
	last atomic.Pointer[Entry[M]]

	mu       sync.RWMutex // held to evict; the holder also holds Store.mu
	bytes    int64        // what the retained entries cost; guarded by Store.mu
	readers  waiters[M]
	dropped  bool // the store has forgotten this log; guarded by Store.mu
	lapsed   bool // in Store.lapsed; guarded by Store.mu
	retained ring[M]

	shortLived atomic.Pointer[ring[M]] // nil until the first entry of that class
	ephemeral  atomic.Pointer[ring[M]]
	key        Key
	bounds     Bounds
	values     map[string]*Entry[M] // by Rules.Latest; guarded by Store.mu
}

// Bounds limit the retained entries of one log.
type Bounds struct {
	Entries int
	Bytes   int64
}

const (
	// shortLivedEntries is how many short-lived entries a log holds.
	shortLivedEntries = 1024
	// ephemeralEntries is how many ephemeral entries a log holds. Readers that
	// are awake take them within microseconds; the rest is for a burst while a
	// socket is being written to.
	ephemeralEntries = 256
)

// LogOverhead is what a log pays for each class of which it keeps an entry.
const LogOverhead = int64(unsafe.Sizeof(Log[*byte]{})) + 64 // and its place in the directory

// ring returns the ring of a class, or nil if the log never had such an entry.
func (l *Log[M]) ring(c Class) *ring[M] {
	switch c {
	case ShortLived:
		return l.shortLived.Load()
	case Ephemeral:
		return l.ephemeral.Load()
	}
	return &l.retained
}

// raiseFloor makes an empty log forget what it had lost, and assume that
// everything up to p is missing. The caller holds Store.mu.
func (l *Log[M]) raiseFloor(p Position) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.shortLived.Load() == nil {
		l.shortLived.Store(new(ring[M]))
	}
	for _, r := range [...]*ring[M]{&l.retained, l.shortLived.Load()} {
		r.floor = p
		r.lost.Store(p)
	}
	l.newest.Store(p)
}

// find returns the position of the newest item with this id. It takes no lock.
func (l *Log[M]) find(id uuid.UUID) (p Position, ok bool) {
	for _, r := range [...]*ring[M]{&l.retained, l.shortLived.Load()} {
		if r == nil {
			continue
		}
		if at, found := r.find(id); found {
			p, ok = max(p, at), true
		}
	}
	return p, ok
}

// empty reports whether the log holds no entry. The caller holds Store.mu.
func (l *Log[M]) empty() bool {
	return l.retained.len()+l.shortLived.Load().len()+l.ephemeral.Load().len() == 0
}

// most returns how many entries of a class the log may hold.
func (l *Log[M]) most(c Class) int {
	switch c {
	case ShortLived:
		return shortLivedEntries
	case Ephemeral:
		return ephemeralEntries
	}
	return l.bounds.Entries
}
