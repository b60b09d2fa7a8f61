package hub

import (
	"encoding/json"
	"slices"
)

// A source is a part of one of the rings that a subscription reads: the entries
// that are behind a position, and were there when it was opened.
type source struct {
	ring             *ring
	which            int      // of Subscription.from
	from             position // what lies behind this is wanted
	start, next, end uint64   // numbers: of the first entry, the first unread one, and behind the last
}

// intact reports whether everything between from and end is here still: what
// was read without a lock is good then.
//
// What has been evicted from there has moved lost beyond from, before anything
// of it was gone. And what was evicted before may be overwritten, so that
// looking for start found a number below the right one; but then that has been
// evicted, too.
func (c *source) intact() bool { return c.ring.lost.Load() <= c.from && c.ring.first.Load() <= c.start }

// A merge reads several sources as one, by position: all publishes of a hub
// have one order.
type merge []source

// first returns the source whose next entry is the oldest, and that entry. The
// source is nil at the end of all, and the entry if it has been evicted.
func (g merge) first() (oldest *source, e *entry) {
	for i := range g {
		c := &g[i]
		if c.next == c.end {
			continue
		}
		n := c.ring.at(c.next)
		if n == nil {
			return c, nil
		}
		if e == nil || n.position < e.position {
			oldest, e = c, n
		}
	}
	return oldest, e
}

func (g merge) intact() bool {
	for i := range g {
		if !g[i].intact() {
			return false
		}
	}
	return true
}

// scanAtOnce bounds how many entries one merge looks at, held logs or not.
const scanAtOnce = 1024

// read appends to buf what the filter wants of everything behind the position
// up to head, in order and as far as room, in bytes, allows. The position moves
// behind what was appended, and past what is not wanted. It reports whether it
// stopped for lack of room or time: what follows, follows in the next call.
//
// It reads without a lock first, and throws away what it got if something was
// evicted meanwhile. Readers that held a lock while they copied a batch out
// slowed a burst to a third: the publisher waited for each, and they for it.
//
// It takes little stack, since a goroutine that has just begun has 2 KiB of it.
//
// Under s.mu.
func (s *Subscription) read(buf []*Message, head position, room int) (_ []*Message, more bool) {
	before := s.position
	if got, more, ok := s.merge(buf, head, room, false); ok {
		return got, more
	}
	s.position = before
	return s.readHeld(buf, head, room)
}

// readHeld is read where something is missing, or is being evicted.
func (s *Subscription) readHeld(buf []*Message, head position, room int) (_ []*Message, more bool) {
	s.log.mu.RLock()
	defer s.log.mu.RUnlock()
	s.hub.everyone.mu.RLock()
	defer s.hub.everyone.mu.RUnlock()
	buf, more, _ = s.merge(buf, head, room, true)
	return buf, more
}

// merge reads from both logs, which are held or not. It reports whether what it
// read is good; it is if they are held. Under s.mu.
func (s *Subscription) merge(buf []*Message, head position, room int, held bool) (_ []*Message, more, ok bool) {
	hears, own := s.hears.Load(), len(buf)
	sources := make(merge, 0, len(s.from))
	if l := s.log; l.newest.Load() > s.position { // most often one of the two logs has nothing
		sources = s.open(sources, &l.retained, 0)
		sources = s.open(sources, l.ephemeral.Load(), 1)
	}
	if l := s.hub.everyone; l.newest.Load() > s.position {
		sources = s.open(sources, &l.retained, 2)
		sources = s.open(sources, l.ephemeral.Load(), 3)
	}
	switch {
	case held && sources.lossy(hears):
		if room <= 0 {
			return buf, true, true
		}
		buf = append(buf, s.passGap(sources, hears, head))
	case !held && !sources.intact():
		return buf, false, false
	}
	more = true
	for range scanAtOnce {
		first, e := sources.first()
		if first == nil || e != nil && e.position > head {
			s.position, more = head, false
			break
		}
		if e == nil {
			break // not intact
		}
		if hears&(1<<e.message.category) != 0 {
			if room <= 0 || len(buf) > 0 && e.message.size > room {
				break
			}
			buf = append(buf, e.message)
			room -= e.message.size
		}
		first.next++
		s.position = e.position
	}
	if held || sources.intact() {
		return buf, more, true
	}
	clear(buf[own:])
	return buf[:own], false, false
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
	e := s.hub.everyone.last.Load()
	switch {
	case e != nil && e.position == head && head == s.position+1:
		// Nothing else was published at all, so the user's log, which is cold
		// memory, need not be looked at.
	case s.log.newest.Load() <= s.position:
	case s.hub.everyone.newest.Load() <= s.position:
		e = s.log.last.Load()
	default:
		return nil
	}
	if e == nil || e.position <= s.position || e.position > head || e.after > s.position {
		return nil
	}
	if slices.Max(s.from[:]) > s.position {
		return nil
	}
	return e
}

// open adds a ring to the sources, if there is one, where s stands in it. Under
// s.mu.
func (s *Subscription) open(sources merge, r *ring, which int) merge {
	if r == nil {
		return sources
	}
	sources = append(sources, source{ring: r, which: which, from: max(s.position, s.from[which])})
	c := &sources[len(sources)-1]
	c.end = r.next.Load() // before its slots: they hold at least as much
	c.start = r.after(c.from, r.first.Load(), c.end)
	c.next = c.start
	return sources
}

// lossy reports whether anything is missing of the wanted categories. The logs
// are held.
func (g merge) lossy(wanted categorySet) bool {
	for i := range g {
		if g[i].ring.lostAfter(g[i].from, wanted) > 0 {
			return true
		}
	}
	return false
}

// passGap tells of what was lost in each source, goes past it, and notes that
// it was told. The logs are held.
//
// The gap comes before everything that is still there behind the first event
// that was lost; in another source, this may be older than the last one lost.
// So the cursor after the gap stands right before the next entry, and whoever
// is cut in between and resumes is told of the rest again.
func (s *Subscription) passGap(sources merge, wanted categorySet, head position) *Message {
	for i := range sources {
		c := &sources[i]
		if lost := c.ring.lostAfter(c.from, wanted); lost > 0 {
			s.from[c.which] = lost
			c.next = c.ring.after(lost, c.start, c.end)
		}
	}
	next := head + 1
	if _, e := sources.first(); e != nil {
		next = min(next, e.position)
	}
	s.position = max(s.position, next-1)
	return s.newGap(s.position, gapData.evicted)
}

// behind reports whether anything has been published to s behind position p,
// wanted or not.
func (s *Subscription) behind(p position) bool {
	return s.log.newest.Load() > p || s.hub.everyone.newest.Load() > p
}

func (s *Subscription) newGap(p position, reason json.RawMessage) *Message {
	return newOwnMessage(s.hub.mint.cursor(p), TypeGap, reason)
}
