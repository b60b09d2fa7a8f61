package hub

import "encoding/json"

// A source is one of the four rings that a subscription reads: its user's
// retained and ephemeral events, and everyone's.
type source struct {
	ring *ring  // nil if there is nothing to read
	next uint64 // number of the first entry that has not been read
}

// peek returns the position of the next entry, or one beyond any head.
func (c *source) peek() position {
	if c.ring != nil && c.next < c.ring.next {
		return c.ring.at(c.next).position
	}
	return ^position(0)
}

// A merge reads several sources as one, by position: all publishes of a hub
// have one order.
type merge [4]source

// first returns the source whose next entry is the oldest, and its position.
func (g *merge) first() (*source, position) {
	first, at := &g[0], g[0].peek()
	for i := range g[1:] {
		if p := g[i+1].peek(); p < at {
			first, at = &g[i+1], p
		}
	}
	return first, at
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
	if !s.behind(s.position) {
		s.position = head
		return buf, false
	}
	hears := s.hears.Load()
	user, everyone := s.log, s.hub.everyone
	user.mu.RLock()
	defer user.mu.RUnlock()
	everyone.mu.RLock()
	defer everyone.mu.RUnlock()

	var sources merge
	var lost [4]position
	for i, r := range s.rings() {
		if from := max(s.position, s.from[i]); r.newest.Load() > from {
			lost[i] = r.lostAfter(from, hears)
			sources[i] = source{ring: r, next: r.after(max(from, lost[i]))}
		}
	}
	if lost != [4]position{} {
		if room <= 0 {
			return buf, true
		}
		buf = append(buf, s.passGap(lost, &sources, head))
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
func (s *Subscription) passGap(lost [4]position, sources *merge, head position) *Message {
	for i, p := range lost {
		s.from[i] = max(s.from[i], p)
	}
	_, next := sources.first()
	s.position = max(s.position, min(next-1, head))
	return s.newGap(s.position, gapReasons.evicted)
}

// rings returns the rings that s reads; s.from goes with them.
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
