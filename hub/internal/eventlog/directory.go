package eventlog

import (
	"sync"

	"github.com/google/uuid"
)

// A directory finds the log of a key. A key has one if it is followed or has
// something kept; all others cost nothing.
type directory[M any] struct {
	mu sync.RWMutex
	// Two maps, since a hash of a Key with both parts costs a fifth of a publish
	// to one of a few users.
	byID   map[uuid.UUID]*Log[M] // Key.Name is empty
	byName map[string]*Log[M]    // Key.ID is zero
}

func (d *directory[M]) init() {
	d.byID, d.byName = map[uuid.UUID]*Log[M]{}, map[string]*Log[M]{}
}

// of returns the log of a key, or nil. The caller holds mu, as for add, remove, len
// and all.
func (d *directory[M]) of(key Key) *Log[M] {
	if key.Name != "" {
		return d.byName[key.Name]
	}
	return d.byID[key.ID]
}

func (d *directory[M]) add(l *Log[M]) {
	if l.key.Name != "" {
		d.byName[l.key.Name] = l
		return
	}
	d.byID[l.key.ID] = l
}

func (d *directory[M]) remove(key Key) {
	if key.Name != "" {
		delete(d.byName, key.Name)
		return
	}
	delete(d.byID, key.ID)
}

func (d *directory[M]) len() int { return len(d.byID) + len(d.byName) }

// all iterates over the logs.
func (d *directory[M]) all(yield func(*Log[M]) bool) {
	for _, l := range d.byID {
		if !yield(l) {
			return
		}
	}
	for _, l := range d.byName {
		if !yield(l) {
			return
		}
	}
}

// atOnce is how many logs or entries are looked at before others get the lock.
const atOnce = 1024

// each calls f with every log. It holds mu for atOnce logs at a time: logs that are
// made or dropped meanwhile may be left out. (A map may change between two steps of
// an iteration.) The caller does not hold mu, and f must return quickly.
func (d *directory[M]) each(f func(*Log[M])) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	seen := 0
	for l := range d.all {
		f(l)
		if seen++; seen%atOnce == 0 {
			d.mu.RUnlock() // whoever waits to write comes first
			d.mu.RLock()
		}
	}
}

// size returns the number of logs. The caller does not hold mu.
func (d *directory[M]) size() int {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.len()
}

func (d *directory[M]) lookup(key Key) *Log[M] {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.of(key)
}

// get returns the log of a key and makes it if there is none. Without Store.mu,
// the log may have been dropped by the time that the caller holds the lock:
// look at dropped then, and call get again under the lock.
func (d *directory[M]) get(s *Store[M], key Key) *Log[M] {
	if l := d.lookup(key); l != nil {
		return l
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	l := d.of(key)
	if l == nil {
		l = s.newLog(key)
		d.add(l)
	}
	return l
}

// newLog returns an empty log. Whatever an earlier log of the same key has lost
// lies at or below the floor: it was dropped only after its last entry had
// raised the floor to there.
func (s *Store[M]) newLog(key Key) *Log[M] {
	l := &Log[M]{key: key, bounds: s.config.Bounds(key)}
	floor := s.kept[Retained].floor.Load()
	l.retained.floor = floor
	l.retained.lost.Store(floor)
	if short := s.kept[ShortLived].floor.Load(); short > 0 {
		r := new(ring[M])
		r.floor = short
		r.lost.Store(short)
		l.shortLived.Store(r)
		floor = max(floor, short)
	}
	l.newest.Store(floor)
	return l
}

// dropIfUnused forgets a log that is empty and that nobody follows. The caller
// holds Store.mu.
func (s *Store[M]) dropIfUnused(l *Log[M]) {
	if l == s.everyone || l.dropped || l.lapsed || l.readers.count.Load() > 0 || !l.empty() {
		return
	}
	l.dropped = true
	s.directory.mu.Lock()
	s.directory.remove(l.key)
	s.directory.mu.Unlock()
}
