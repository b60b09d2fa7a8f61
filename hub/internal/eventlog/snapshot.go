package eventlog

import (
	"cmp"
	"slices"
)

// A Snapshot is what a store holds, apart from its readers and ephemeral items.
type Snapshot[M any] struct {
	Head       Position
	OldestMade int64
	Floors     [2]Position // of the classes Retained and ShortLived
	Logs       []LogSnapshot
	Entries    []EntrySnapshot[M] // in order of position
}

// A LogSnapshot is what a log has lost.
type LogSnapshot struct {
	Key   Key
	Rings [2]RingSnapshot // of the classes Retained and ShortLived
}

// A RingSnapshot is what a ring has lost.
type RingSnapshot struct {
	Floor, Lost Position
	Evicted     []Position // by category; nil if nothing was evicted
}

// An EntrySnapshot is an item at its position, in all its logs. If Item is nil, it
// is what is left of an item that was superseded, in one log.
type EntrySnapshot[M any] struct {
	Position Position
	Item     *Item[M]
	Keys     []Key
	// The following are set if Item is nil.
	Class Class
	Hash  uint64 // of the item's id
	Made  int64
}

// Snapshot returns what the store holds. It holds the store's lock while it copies.
func (s *Store[M]) Snapshot() Snapshot[M] {
	s.mu.Lock()
	defer s.mu.Unlock()
	snap := Snapshot[M]{Head: s.head.Load(), OldestMade: s.oldestMade.Load()}
	for c := range snap.Floors {
		snap.Floors[c] = s.kept[c].floor.Load()
	}
	s.directory.mu.RLock()
	defer s.directory.mu.RUnlock()
	for l := range s.directory.all {
		one := LogSnapshot{Key: l.key}
		for c := range one.Rings {
			r := l.ring(Class(c))
			if r == nil {
				continue
			}
			one.Rings[c] = RingSnapshot{r.floor, r.lost.Load(), slices.Clone(r.evicted)}
			for i := r.first.Load(); i < r.next.Load(); i++ {
				e := r.at(i)
				snap.Entries = append(snap.Entries, EntrySnapshot[M]{
					Position: e.position, Item: e.item, Keys: []Key{l.key}, Class: Class(c), Hash: e.key, Made: e.peak,
				})
			}
		}
		snap.Logs = append(snap.Logs, one)
	}
	slices.SortStableFunc(snap.Entries, func(a, b EntrySnapshot[M]) int { return cmp.Compare(a.Position, b.Position) })
	whole := snap.Entries[:0] // an item has one entry for each of its logs
	for _, e := range snap.Entries {
		if n := len(whole); n > 0 && e.Item != nil && whole[n-1].Item == e.Item && whole[n-1].Position == e.Position {
			whole[n-1].Keys = append(whole[n-1].Keys, e.Keys...)
			continue
		}
		whole = append(whole, e)
	}
	snap.Entries = whole
	return snap
}

// Restore puts a snapshot into a store that was just made. Bounds that are tighter
// than those of the store that it was taken of evict what is too much. Items of
// the snapshot must be new ones, with Item.Time by this store's clock.
func (s *Store[M]) Restore(snap Snapshot[M]) {
	s.mu.Lock()
	s.oldestMade.Store(min(s.oldestMade.Load(), snap.OldestMade))
	for c := range snap.Floors {
		s.kept[c].floor.Store(snap.Floors[c])
	}
	for _, one := range snap.Logs {
		l := s.directory.get(s, one.Key)
		l.mu.Lock()
		for c, lost := range one.Rings {
			r := l.ring(Class(c))
			if r == nil && lost.Lost == 0 {
				continue
			}
			if r == nil {
				r = new(ring[M])
				l.shortLived.Store(r)
			}
			r.floor, r.evicted = lost.Floor, lost.Evicted
			r.lost.Store(lost.Lost)
			l.newest.Store(max(l.newest.Load(), lost.Lost))
		}
		l.mu.Unlock()
		if short := l.shortLived.Load(); short != nil && short.lost.Load() > 0 {
			s.noteLapse(l)
		}
	}
	s.mu.Unlock()
	for _, e := range snap.Entries {
		if e.Item == nil {
			s.restoreSuperseded(e)
			continue
		}
		s.AppendAt(e.Position, e.Item, e.Keys)
	}
	s.Skip(snap.Head)
	s.dropSuperseded()
}

// restoreSuperseded puts what is left of a superseded item in its place.
func (s *Store[M]) restoreSuperseded(e EntrySnapshot[M]) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.directory.get(s, e.Keys[0])
	r := l.ring(e.Class)
	if r == nil {
		r = new(ring[M])
		l.shortLived.Store(r)
	}
	if r.len() == 0 {
		s.kept[e.Class].bytes += LogOverhead
	}
	r.push(&Entry[M]{position: e.Position, after: l.newest.Load(), key: e.Hash, log: l}, e.Made)
	r.superseded++
	l.newest.Store(e.Position)
}

// dropSuperseded empties rings that have nothing else, which would never be
// evicted: the kind that superseded them is not defined any more.
func (s *Store[M]) dropSuperseded() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.directory.mu.RLock()
	logs := slices.Collect(s.directory.all)
	s.directory.mu.RUnlock()
	for _, l := range logs {
		for _, c := range [...]Class{Retained, ShortLived} {
			r := l.ring(c)
			if r.len() == 0 || r.len() > int(r.superseded) {
				continue
			}
			l.mu.Lock()
			for r.len() > 0 {
				r.pop(s.config.Categories)
			}
			l.mu.Unlock()
			s.kept[c].bytes -= LogOverhead
			s.dropIfUnused(l)
		}
	}
}
