package hub

import (
	"encoding/json"
	"slices"
)

// A source is one of the rings that a subscription reads.
type source struct {
	ring  *ring
	next  uint64   // number of the first entry that has not been read
	lost  position // the last event that is missing before it; zero if none is
	which int      // of Subscription.from
}

// A merge reads several sources as one, by position: all publishes of a hub
// have one order.
type merge []source

// first returns the source whose next entry is the oldest, and its position:
// one beyond any head if there is none.
func (g merge) first() (oldest *source, at position) {
	at = ^position(0)
	for i := range g {
		if c := &g[i]; c.next < c.ring.next {
			if p := c.ring.at(c.next).position; p < at {
				oldest, at = c, p
			}
		}
	}
	return oldest, at
}

// scanAtOnce bounds how many entries are looked at while the logs are held.
const scanAtOnce = 1024

// read appends to buf what the filter wants of everything behind the position
// up to head, in order and as far as room, in bytes, allows. The position moves
// behind what was appended, and past what is not wanted. It reports whether it
// stopped for lack of room or time: what follows, follows in the next call.
//
// Under s.mu.
func (s *Subscription) read(buf []*Message, head position, room int) (_ []*Message, more bool) {
	e := s.latest(head)
	if e == nil {
		return s.readMerged(buf, head, room)
	}
	if s.hears.Load()&(1<<e.message.category) != 0 {
		if room <= 0 || len(buf) > 0 && e.message.size > room {
			return buf, true
		}
		buf = append(buf, e.message)
	}
	s.position = head
	return buf, false
}

// readMerged is read for any number of events. (By itself, since it takes more
// of a stack: a sleeper's is cold memory too.)
func (s *Subscription) readMerged(buf []*Message, head position, room int) (_ []*Message, more bool) {
	hears := s.hears.Load()
	sources := make(merge, 0, len(s.from))
	if l := s.log; l.newest.Load() > s.position { // most often one of the two logs has nothing
		l.mu.RLock()
		defer l.mu.RUnlock()
		sources = s.open(sources, l, 0, hears)
	}
	if l := s.hub.everyone; l.newest.Load() > s.position {
		l.mu.RLock()
		defer l.mu.RUnlock()
		sources = s.open(sources, l, 2, hears)
	}
	if slices.ContainsFunc(sources, source.lossy) {
		if room <= 0 {
			return buf, true
		}
		buf = append(buf, s.passGap(sources, head))
	}
	for range scanAtOnce {
		first, at := sources.first()
		if at > head {
			s.position = head
			return buf, false
		}
		m := first.ring.at(first.next).message
		if hears&(1<<m.category) != 0 {
			if room <= 0 || len(buf) > 0 && m.size > room {
				return buf, true
			}
			buf = append(buf, m)
			room -= m.size
		}
		first.next++
		s.position = at
	}
	return buf, true
}

// latest returns the only entry that is new to s, or nil if there is none or
// may be more. It needs no lock of a log, which readers on other processors
// would contend for: that was 120 ns of a delivery with two. Whoever was asleep
// comes this way.
//
// What is in a log up to head was appended before head was stored, so with head
// loaded first, the log's last entry is all that is new if the one before it is
// not. Nor can anything be missing then: what was lost is older.
//
// Under s.mu.
func (s *Subscription) latest(head position) *entry {
	news := s.log
	if news.newest.Load() <= s.position {
		news = s.hub.everyone
	} else if s.hub.everyone.newest.Load() > s.position {
		return nil
	}
	e := news.last.Load()
	if e == nil || e.position <= s.position || e.position > head || e.after > s.position {
		return nil
	}
	if slices.Max(s.from[:]) > s.position {
		return nil
	}
	return e
}

// open adds the rings of a log to the sources, each where s stands in it; which
// is that of the first. Under s.mu and the log's.
func (s *Subscription) open(sources merge, l *log, which int, hears categorySet) merge {
	for i, r := range [...]*ring{&l.retained, l.ephemeral} {
		if r == nil {
			continue
		}
		from := max(s.position, s.from[which+i])
		lost := r.lostAfter(from, hears)
		sources = append(sources, source{ring: r, next: r.after(max(from, lost)), lost: lost, which: which + i})
	}
	return sources
}

func (c source) lossy() bool { return c.lost != 0 }

// passGap tells of what was lost in each source, and notes that it was told.
//
// The gap comes before everything that is still there behind the first event
// that was lost; in another source, this may be older than the last one lost.
// So the cursor after the gap stands right before the next entry, and whoever
// is cut in between and resumes is told of the rest again.
func (s *Subscription) passGap(sources merge, head position) *Message {
	for _, c := range sources {
		s.from[c.which] = max(s.from[c.which], c.lost)
	}
	_, next := sources.first()
	s.position = max(s.position, min(next-1, head))
	return s.newGap(s.position, gapReasons.evicted)
}

// behind reports whether anything has been published to s behind position p,
// wanted or not.
func (s *Subscription) behind(p position) bool {
	return s.log.newest.Load() > p || s.hub.everyone.newest.Load() > p
}

func (s *Subscription) newGap(p position, reason json.RawMessage) *Message {
	return newOwnMessage(s.hub.mint.cursor(p), TypeGap, reason)
}
