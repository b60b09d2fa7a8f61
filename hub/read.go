package hub

import "encoding/json"

// A source is one of the rings that a subscription reads.
type source struct {
	ring *ring
	next uint64 // number of the first entry that has not been read
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
	rings := s.rings()
	var news [4]bool
	for i, r := range rings {
		news[i] = r.newest.Load() > max(s.position, s.from[i])
	}
	if news[0] || news[1] { // most often one of the two logs has nothing
		s.log.mu.RLock()
		defer s.log.mu.RUnlock()
	}
	if news[2] || news[3] {
		s.hub.everyone.mu.RLock()
		defer s.hub.everyone.mu.RUnlock()
	}

	hears := s.hears.Load()
	var lost [4]position
	sources := make(merge, 0, len(rings))
	for i, r := range rings {
		if news[i] {
			from := max(s.position, s.from[i])
			lost[i] = r.lostAfter(from, hears)
			sources = append(sources, source{ring: r, next: r.after(max(from, lost[i]))})
		}
	}
	if lost != [4]position{} {
		if room <= 0 {
			return buf, true
		}
		buf = append(buf, s.passGap(lost, sources, head))
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

// passGap tells of what was lost in each source, and notes that it was told.
//
// The gap comes before everything that is still there behind the first event
// that was lost; in another source, this may be older than the last one lost.
// So the cursor after the gap stands right before the next entry, and whoever
// is cut in between and resumes is told of the rest again.
func (s *Subscription) passGap(lost [4]position, sources merge, head position) *Message {
	for i, p := range lost {
		s.from[i] = max(s.from[i], p)
	}
	_, next := sources.first()
	s.position = max(s.position, min(next-1, head))
	return s.newGap(s.position, gapReasons.evicted)
}

// rings returns the rings that s reads, its user's and everyone's, retained and
// ephemeral; s.from goes with them.
func (s *Subscription) rings() [4]*ring {
	return [4]*ring{&s.log.retained, &s.log.ephemeral, &s.hub.everyone.retained, &s.hub.everyone.ephemeral}
}

// behind reports whether anything has been published to s behind position p,
// wanted or not.
func (s *Subscription) behind(p position) bool {
	for i, r := range s.rings() {
		if r.newest.Load() > max(p, s.from[i]) {
			return true
		}
	}
	return false
}

func (s *Subscription) newGap(p position, reason json.RawMessage) *Message {
	return newOwnMessage(s.hub.mint.cursor(p), TypeGap, reason)
}
