package eventlog

import "github.com/google/uuid"

// A Backlog is what a reader has yet to return.
type Backlog struct {
	Messages int   // at most BacklogAtMost
	Bytes    int64 // of these
	Gap      bool  // something that the reader wants was evicted before it was read
}

// BacklogAtMost bounds how many entries Backlog looks at.
const BacklogAtMost = 4096

// Backlog returns what the reader wants of everything behind its position, up to
// head. It does not move the reader. It takes the lock of a log only if something
// was evicted there; what is evicted meanwhile may or may not be counted.
func (r *Reader[M]) Backlog(head Position) (b Backlog) {
	if !r.behind(r.position) {
		return b
	}
	wanted := r.wanted.Load()
	var sources merge[M]
	for _, f := range r.follows {
		if f.log.newest.Load() > r.position {
			sources = r.open(sources, f)
		}
	}
	b.Gap = r.Missing()
	last := r.position
	for range BacklogAtMost {
		c, e := sources.first()
		if c == nil || e != nil && e.position > head {
			break
		}
		c.next++
		if e != nil && e.item != nil && wanted&e.item.mask() != 0 && e.position > last {
			b.Messages++
			b.Bytes += int64(e.item.Size)
			last = e.position
		}
	}
	return b
}

// Lookup returns the newest entry with an item's id in the log of a key. Its Item
// is nil if a later item has superseded it. It takes no lock for long, and reports
// false if the log has no such entry.
func (s *Store[M]) Lookup(key Key, id uuid.UUID) (h Held[M], ok bool) {
	l := s.directory.lookup(key)
	if l == nil {
		return h, false
	}
	p, ok := l.find(id)
	if !ok {
		return h, false
	}
	l.mu.RLock() // nothing is evicted meanwhile
	defer l.mu.RUnlock()
	for _, r := range [...]*ring[M]{&l.retained, l.shortLived.Load()} {
		if r.len() == 0 {
			continue
		}
		end := r.next.Load()
		if i := r.after(p-1, r.first.Load(), end); i < end {
			if e := r.at(i); e != nil && e.position == p {
				return Held[M]{p, e.item}, true
			}
		}
	}
	return h, false
}

// Lost returns the highest position that was evicted from the log of a key, or
// that may have been. It is zero if the log has lost nothing.
func (s *Store[M]) Lost(key Key) Position {
	l := s.directory.lookup(key)
	if l == nil {
		return max(s.kept[Retained].floor.Load(), s.kept[ShortLived].floor.Load())
	}
	lost := l.retained.lost.Load()
	if short := l.shortLived.Load(); short != nil {
		lost = max(lost, short.lost.Load())
	}
	return lost
}
