package eventlog

import "sync"

// A directory finds the log of a key. A key has one if it is followed or has
// something kept; all others cost nothing.
type directory[M any] struct {
	mu   sync.RWMutex
	logs map[Key]*Log[M]
}

func (d *directory[M]) lookup(key Key) *Log[M] {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.logs[key]
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
	l := d.logs[key]
	if l == nil {
		l = s.newLog(key)
		d.logs[key] = l
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
	delete(s.directory.logs, l.key)
	s.directory.mu.Unlock()
}
