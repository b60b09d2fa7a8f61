package eventlog

import (
	"slices"
	"sync/atomic"

	"github.com/google/uuid"
)

// A Reader follows logs and reads them as one. It is a position and a filter,
// and has no queue.
//
// The zero value is not ready: call Init, then Store.Open. Wake, Ready, Asleep
// and Filter may be used by any goroutine; everything else by one at a time,
// which the owner sees to.
type Reader[M any] struct {
	// Sleeping readers are cold memory. So the fields stand in the order in
	// which they are used: what an append touches to wake one, then what the
	// reader touches.

	wanted atomic.Uint64 // the filter: Categories
	signal
	store    *Store[M]
	position Position
	follows  []*follow[M]
	array    [2]*follow[M] // for the two logs that nearly every reader follows
	room     [2]follow[M]

	// Owner is whatever belongs to the reader, for Store.EachReader.
	Owner any
}

// Init prepares a reader that is signalled by a call of notify, or by its Ready
// channel if notify is nil. The notify function must not block and must not use
// the store.
func (r *Reader[M]) Init(notify func()) {
	r.init(notify)
	r.follows = r.array[:0]
}

// Filter returns the categories that the reader wants.
func (r *Reader[M]) Filter() Categories { return r.wanted.Load() }

// SetFilter changes the categories that the reader wants. It applies to
// everything that the reader has not returned yet.
//
// A gap that was reported for some categories does not cover those that are
// wanted only now, so what is missing of these is reported again.
func (r *Reader[M]) SetFilter(wanted Categories) {
	added := wanted &^ r.wanted.Swap(wanted)
	for _, f := range r.follows {
		f.log.mu.RLock()
		for _, class := range [...]Class{Retained, ShortLived} {
			ring := f.log.ring(class)
			p := max(r.position, f.since[class])
			if ring != nil && f.from[class] > p && ring.evictedAfter(p, added) > 0 {
				f.from[class] = p
			}
		}
		f.log.mu.RUnlock()
	}
}

// Position returns the position up to which the reader has returned everything.
func (r *Reader[M]) Position() Position { return r.position }

// Open makes r follow the logs with these keys, and returns the head. No item
// that is appended later passes it by. Set its position next, by Start or
// StartAtOldest.
func (s *Store[M]) Open(r *Reader[M], keys ...Key) (head Position) {
	r.store = s
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range keys {
		r.followLocked(key)
	}
	return s.head.Load()
}

// followLocked adds a log to those that r follows. Of what the log retains, r
// wants everything. The caller holds store.mu.
func (r *Reader[M]) followLocked(key Key) *follow[M] {
	var f *follow[M]
	if n := len(r.follows); n < len(r.room) {
		f = &r.room[n]
	} else {
		f = new(follow[M])
	}
	f.reader, f.log = r, r.store.directory.get(r.store, key)
	f.from[Retained] = f.log.retained.lost.Load()
	if short := f.log.shortLived.Load(); short != nil {
		f.from[ShortLived] = short.lost.Load()
	}
	f.since = [2]Position(f.from[:])
	f.from[Ephemeral] = r.store.head.Load()
	f.log.readers.add(f)
	r.follows = append(r.follows, f)
	return f
}

// Start sets the position of a reader that was just opened. What its logs have
// lost behind p is a gap.
func (r *Reader[M]) Start(p Position) {
	r.position = p
	for _, f := range r.follows {
		f.from[Retained], f.from[ShortLived] = 0, 0
		f.since = [2]Position{}
	}
}

// StartAtOldest sets the position of a reader that was just opened to before
// everything that its logs hold. What they had lost when it was opened is no
// gap.
func (r *Reader[M]) StartAtOldest() {
	r.position = r.follows[0].from[Retained]
	for _, f := range r.follows {
		r.position = min(r.position, f.from[Retained])
		if f.log.shortLived.Load() != nil {
			r.position = min(r.position, f.from[ShortLived])
		}
	}
}

// Missing reports whether something that the reader wants behind its position has
// been evicted, so that its next Read begins with a gap.
func (r *Reader[M]) Missing() bool {
	wanted := r.wanted.Load()
	for _, f := range r.follows {
		for _, class := range [...]Class{Retained, ShortLived} {
			ring, from := f.log.ring(class), max(r.position, f.from[class])
			if ring == nil || ring.lost.Load() <= from {
				continue // as in most logs, which need not be locked
			}
			f.log.mu.RLock()
			missing := ring.lostAfter(from, wanted) > 0
			f.log.mu.RUnlock()
			if missing {
				return true
			}
		}
	}
	return false
}

// Skip moves the reader to position p, which may lie beyond the head. Nothing up
// to there is returned, and what is missing up to there is no gap.
func (r *Reader[M]) Skip(p Position) {
	r.position = p
	for _, f := range r.follows {
		f.from = [classes]Position{p, p, p}
		f.since = [2]Position{p, p}
	}
}

// Follow makes an open reader follow one more log, from its position on. What
// the log had lost before is no gap. It reports false if the reader follows the
// log already.
func (r *Reader[M]) Follow(key Key) bool {
	if r.find(key) >= 0 {
		return false
	}
	r.store.mu.Lock()
	defer r.store.mu.Unlock()
	r.followLocked(key)
	return true
}

// Unfollow undoes Follow. Nothing of the log that the reader has not returned
// yet is returned later. It reports false if the reader does not follow the log.
// The logs that the reader was opened with stay.
func (r *Reader[M]) Unfollow(key Key) bool {
	i := r.find(key)
	if i < len(r.room) {
		return false
	}
	f := r.follows[i]
	r.follows = slices.Delete(r.follows, i, i+1)
	r.leave(f)
	return true
}

func (r *Reader[M]) find(key Key) int {
	return slices.IndexFunc(r.follows, func(f *follow[M]) bool { return f.log.key == key })
}

// Followed returns the keys of the logs that the reader follows.
func (r *Reader[M]) Followed() []Key {
	keys := make([]Key, len(r.follows))
	for i, f := range r.follows {
		keys[i] = f.log.key
	}
	return keys
}

// leave takes f out of its log.
func (r *Reader[M]) leave(f *follow[M]) {
	f.log.readers.remove(f)
	r.store.mu.Lock()
	r.store.dropIfUnused(f.log)
	r.store.mu.Unlock()
}

// Close takes the reader out of its logs. It is not signalled for appends any
// more.
func (r *Reader[M]) Close() {
	for _, f := range r.follows {
		r.leave(f)
	}
}

// Find returns the position of the item with this id, the newest if there are
// several, in the logs that the reader follows. It takes no lock.
func (r *Reader[M]) Find(id uuid.UUID) (p Position, ok bool) {
	for _, f := range r.follows {
		if at, found := f.log.find(id); found {
			p, ok = max(p, at), true
		}
	}
	return p, ok
}
