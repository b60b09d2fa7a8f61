package eventlog

import (
	"cmp"
	"slices"
)

// A Held is an entry that a log holds.
type Held[M any] struct {
	Position Position
	Item     *Item[M]
}

// Entries returns what the log of a key holds, in order of position, of all
// classes. It holds the store's lock for 1024 entries at a time, some 10 us; it is
// for a person who looks. What is evicted meanwhile may be left out.
func (s *Store[M]) Entries(key Key) (held []Held[M]) {
	l := s.directory.lookup(key)
	if l == nil {
		return nil
	}
	head := s.Head()
	for class := range Class(classes) {
		var last Position
		for more := true; more; {
			held = slices.Grow(held, min(atOnce, l.ring(class).len()))
			held, last, more = s.entriesAfter(held, l, class, last, head)
		}
	}
	slices.SortFunc(held, func(a, b Held[M]) int { return cmp.Compare(a.Position, b.Position) })
	return held
}

// entriesAfter appends the next entries of a class to held: those behind position
// last and up to head, atOnce at most. It returns the position of the last that it
// looked at, and whether there may be more.
func (s *Store[M]) entriesAfter(held []Held[M], l *Log[M], c Class, last, head Position) ([]Held[M], Position, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := l.ring(c)
	if r.len() == 0 {
		return held, last, false
	}
	end := r.next.Load()
	i := r.after(last, r.first.Load(), end) // entries have other numbers after a compaction
	for stop := min(end, i+atOnce); i < stop; i++ {
		e := r.at(i)
		if e.position > head {
			return held, last, false
		}
		if last = e.position; e.item != nil {
			held = append(held, Held[M]{e.position, e.item})
		}
	}
	return held, last, i < end
}
