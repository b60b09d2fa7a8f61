package hub

import "encoding/json"

// A source is one of the four rings that a subscription reads: its user's
// retained and ephemeral events, and everyone's.
type source struct {
	ring *ring
	from position // what lies behind this has not been read
	next uint64   // number of the first entry behind from
	lost position // where a gap ends that lies before it; zero if there is none
}

// peek returns the position of the next thing in the source: the end of a gap,
// or an entry. It is beyond any head if there is nothing.
func (c *source) peek() position {
	if c.lost != 0 {
		return c.lost
	}
	if c.ring != nil && c.next < c.ring.next {
		return c.ring.at(c.next).position
	}
	return ^position(0)
}

// scanAtOnce bounds how many entries are looked at while the logs are held.
const scanAtOnce = 1024

// read appends to buf what the filter wants of everything behind the position
// up to head, in order and as far as room, in bytes, allows. The position moves
// behind what was appended, and past what is not wanted. It reports whether it
// stopped for lack of room or time: what follows, follows in the next call.
//
// The four rings are merged by position, since all publishes of the hub have
// one order. A gap stands where what was lost ends, so that a client that
// resumes from its cursor misses nothing that was still there.
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

	var sources [4]source
	for i, r := range s.rings() {
		from := max(s.position, s.from[i])
		if r.newest.Load() > from || r.lost > from {
			sources[i] = source{ring: r, from: from, next: r.after(from), lost: r.lostAfter(from, hears)}
		}
	}
	for range scanAtOnce {
		first, at := &sources[0], sources[0].peek()
		for i := range sources[1:] {
			if p := sources[i+1].peek(); p < at {
				first, at = &sources[i+1], p
			}
		}
		if at > head {
			s.position = head
			return buf, false
		}
		if first.lost != 0 {
			if room <= 0 {
				return buf, true
			}
			buf = s.appendGap(buf, at)
			room -= buf[len(buf)-1].size
			first.lost = 0
		} else {
			m := first.ring.at(first.next).message
			if hears&(1<<m.category) != 0 {
				if room <= 0 || len(buf) > 0 && m.size > room {
					return buf, true
				}
				buf = append(buf, m)
				room -= m.size
			}
			first.next++
		}
		s.position = at
	}
	return buf, true
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

// appendGap tells of a gap that ends at p. Gaps with nothing between them are
// one.
func (s *Subscription) appendGap(buf []*Message, p position) []*Message {
	gap := s.newGap(p, gapReasons.evicted)
	if n := len(buf); n > 0 && buf[n-1].own != nil && buf[n-1].own.typ == TypeGap {
		buf[n-1] = gap
		return buf
	}
	return append(buf, gap)
}

func (s *Subscription) newGap(p position, reason json.RawMessage) *Message {
	return newOwnMessage(s.hub.mint.cursor(p), TypeGap, reason)
}
