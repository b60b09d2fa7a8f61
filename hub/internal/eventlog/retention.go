package eventlog

import (
	"sync/atomic"
	"time"
	"weak"
)

// A retention is the list of all entries of one class, in the order of the
// store, and what they cost together. Store.mu guards it.
//
// The bounds of the store evict the oldest position first, whichever log it is
// in. Evicting, say, the least recently used log instead would forget which logs
// had lost something, and a resuming reader could no longer tell lost from never
// there.
type retention[M any] struct {
	oldest       atomic.Pointer[Entry[M]] // may be read at any time, see warm
	newest       *Entry[M]
	bytes, limit int64
	count        int
	// floor is the highest position that the store's bounds have evicted from a
	// log that it may have forgotten since. It may be read at any time.
	floor atomic.Uint64
}

// warm touches what the next eviction will read, which is cold memory, so that
// nobody waits for it under the lock.
func (t *retention[M]) warm() {
	if e := t.oldest.Load(); e != nil {
		e.log.newest.Load()
	}
}

func (t *retention[M]) add(e *Entry[M]) {
	e.older = t.newest
	if t.newest != nil {
		t.newest.newer = e
	} else {
		t.oldest.Store(e)
	}
	t.newest = e
	t.count++
	if e.item.refs == 0 {
		t.bytes += e.item.Cost
	}
	e.item.refs++
	t.bytes += EntryOverhead
}

func (t *retention[M]) remove(e *Entry[M]) {
	if e.older != nil {
		e.older.newer = e.newer
	} else {
		t.oldest.Store(e.newer)
	}
	if e.newer != nil {
		e.newer.older = e.older
	} else {
		t.newest = e.older
	}
	e.older, e.newer = nil, nil
	t.count--
	e.item.refs--
	if e.item.refs == 0 {
		t.bytes -= e.item.Cost
	}
	t.bytes -= EntryOverhead
}

// append puts an item into l at position p, and keeps to the bounds. The caller
// holds s.mu.
func (s *Store[M]) append(l *Log[M], p Position, item *Item[M], made int64) *Entry[M] {
	e := &item.entry
	if e.log != nil {
		e = new(Entry[M])
	}
	e.position, e.after, e.key, e.item, e.log = p, l.newest.Load(), keyOf(item.ID), item, l

	t, r := &s.kept[item.Class], l.ring(item.Class)
	if r == nil {
		r = new(ring[M])
		if item.Class == ShortLived {
			l.shortLived.Store(r)
		} else {
			l.ephemeral.Store(r)
		}
	}
	if item.Class == Retained {
		l.bytes += item.Cost + EntryOverhead
	}
	if item.latest() != "" {
		s.supersede(t, l, r, e)
	}
	if s.over(l, r, item.Class) {
		l.mu.Lock()
		for s.over(l, r, item.Class) {
			s.pop(t, l, r)
		}
		l.mu.Unlock()
	}
	if r.len() == 0 {
		t.bytes += LogOverhead
	}
	r.push(e, made)
	l.last.Store(e)
	l.newest.Store(p)

	t.add(e)
	for t.bytes > t.limit && item.Class == ShortLived && len(s.lapsed) > 0 {
		s.forgetLapse()
	}
	for t.bytes > t.limit && t.oldest.Load() != e { // the newest stays, so that those who follow get it
		s.evictOldest(t, item.Class)
	}
	s.armAgeing(s.expiry(item.Class, e))
	return e
}

// over reports whether a ring is full, or its log over its bytes, before one more
// entry that l.bytes counts already.
func (s *Store[M]) over(l *Log[M], r *ring[M], c Class) bool {
	n := r.len() - int(r.superseded)
	return n > 0 && (n >= l.most(c) || c == Retained && l.bytes > l.bounds.Bytes)
}

// supersede takes the item that states the same value as e out of what is
// delivered and paid for. The caller holds s.mu.
func (s *Store[M]) supersede(t *retention[M], l *Log[M], r *ring[M], e *Entry[M]) {
	if l.values == nil {
		l.values = map[string]*Entry[M]{}
	}
	old := l.values[e.item.latest()]
	l.values[e.item.latest()] = e
	if old == nil {
		return
	}
	r.supersede(old)
	t.remove(old)
	if old.item.Class == Retained {
		l.bytes -= old.item.Cost + EntryOverhead
	}
	// Superseded entries may fill half of the ring before they are swept.
	if r.superseded > 16 && int(r.superseded) > r.len()/2 {
		l.mu.Lock()
		r.compact()
		l.mu.Unlock()
	}
}

// pop evicts the oldest entry of a ring that is not superseded. The caller
// holds s.mu and l.mu.
func (s *Store[M]) pop(t *retention[M], l *Log[M], r *ring[M]) {
	for {
		e := r.pop(s.config.Categories)
		if e.item == nil {
			continue
		}
		// Neither may keep it in memory. Besides, a reader that is opened later
		// must not take s.last for proof that its own log has nothing new: its
		// log may be a successor of this one.
		if l.last.Load() == e {
			l.last.Store(nil)
		}
		if s.last.Load() == e {
			s.last.Store(nil)
		}
		t.remove(e)
		if e.item.Class == Retained {
			l.bytes -= e.item.Cost + EntryOverhead
		}
		if v := e.item.latest(); v != "" && l.values[v] == e {
			delete(l.values, v)
		}
		if r.len() == 0 {
			t.bytes -= LogOverhead
		}
		return
	}
}

// evictOldest evicts the oldest entry of a class. The caller holds s.mu.
func (s *Store[M]) evictOldest(t *retention[M], c Class) {
	e := t.oldest.Load() // no entry of its ring is older, but for superseded ones
	l := e.log
	if c == Retained {
		t.floor.Store(max(t.floor.Load(), e.position))
	}
	l.mu.Lock()
	s.pop(t, l, l.ring(c))
	l.mu.Unlock()
	if c == ShortLived && l.shortLived.Load().len() == 0 {
		s.noteLapse(l)
	}
	s.dropIfUnused(l)
}

// A lapse is a log whose short-lived entries have all been evicted, up to the
// position lost. The log must remember that for MaxAge. Raising the floor of the
// class at once, as for retained entries, would tell a gap to every client that
// was away for longer than the shortest life.
type lapse[M any] struct {
	log  *Log[M]
	lost Position
	time int64
}

// noteLapse keeps l from being dropped until its lapse is forgotten. The caller
// holds s.mu.
func (s *Store[M]) noteLapse(l *Log[M]) {
	if l.lapsed || l == s.everyone {
		return
	}
	l.lapsed = true
	s.kept[ShortLived].bytes += LogOverhead
	s.lapsed = append(s.lapsed, lapse[M]{l, l.shortLived.Load().lost.Load(), s.config.Now()})
}

// forgetLapse raises the floor of short-lived entries to the oldest lapse, so
// that its log may be dropped. The caller holds s.mu.
func (s *Store[M]) forgetLapse() {
	oldest := s.lapsed[0]
	s.lapsed[0] = lapse[M]{}
	s.lapsed = s.lapsed[1:]
	l, t := oldest.log, &s.kept[ShortLived]
	l.lapsed = false
	t.bytes -= LogOverhead
	t.floor.Store(max(t.floor.Load(), oldest.lost))
	if r := l.shortLived.Load(); r.len() == 0 && r.lost.Load() > oldest.lost {
		s.noteLapse(l) // it has lapsed again
		return
	}
	s.dropIfUnused(l)
}

// expiry returns when an entry is too old, by Config.Now.
func (s *Store[M]) expiry(c Class, e *Entry[M]) int64 {
	life := s.config.MaxAge
	switch c {
	case ShortLived:
		life = min(life, e.item.Rules.Life)
	case Ephemeral:
		life = min(life, time.Minute)
	}
	return e.item.Time + int64(life)
}

// armAgeing sets the timer to fire at a time, unless it fires earlier. The
// caller holds s.mu.
//
// The timer holds the store weakly: a store that is dropped without Close is
// collected with everything in it.
func (s *Store[M]) armAgeing(at int64) {
	if s.ageingAt != 0 && s.ageingAt <= at {
		return
	}
	s.ageingAt = at
	wait := time.Duration(at - s.config.Now())
	if s.ageing != nil {
		s.ageing.Reset(wait)
		return
	}
	store := weak.Make(s)
	s.ageing = time.AfterFunc(wait, func() {
		if s := store.Value(); s != nil {
			s.age()
		}
	})
}

// age evicts what is too old, some at a time, so that publishers get the lock.
func (s *Store[M]) age() {
	for s.ageSome() {
	}
}

// ageSome evicts a number of entries that are too old, and reports whether there
// may be more.
func (s *Store[M]) ageSome() (more bool) {
	const atOnce = 256
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	now := s.config.Now()
	next := int64(0) // when to fire again
	later := func(at int64) {
		if next == 0 || at < next {
			next = at
		}
	}
	n := 0
	for c := range Class(classes) {
		t := &s.kept[c]
		for e := t.oldest.Load(); e != nil; e = t.oldest.Load() {
			if at := s.expiry(c, e); at > now {
				later(at)
				break
			}
			if n++; n > atOnce {
				return true
			}
			s.evictOldest(t, c)
		}
	}
	for len(s.lapsed) > 0 {
		at := s.lapsed[0].time + int64(s.config.MaxAge)
		if at > now {
			later(at)
			break
		}
		if n++; n > atOnce {
			return true
		}
		s.forgetLapse()
	}
	s.ageingAt = 0
	if next != 0 {
		s.armAgeing(next)
	}
	return false
}
