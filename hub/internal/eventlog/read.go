package eventlog

// A source is the part of a ring that a read looks at: the entries behind a
// position that were there when it was opened.
type source[M any] struct {
	ring             *ring[M]
	follow           *follow[M]
	class            Class
	from             Position // what lies behind this is wanted
	start, next, end uint64   // numbers: of the first entry, the first unread one, and behind the last
	rebuilt          uint32   // ring.rebuilt when it was opened
}

// intact reports whether everything between from and end is still here. If so,
// what was read without a lock is right.
//
// What was evicted from there moved lost beyond from before anything of it was
// gone. What was evicted before may have been overwritten, so that the search
// for start found a number below the right one; but then that has been evicted
// too.
func (c *source[M]) intact() bool {
	return c.ring.lost.Load() <= c.from && c.ring.first.Load() <= c.start &&
		c.rebuilt&1 == 0 && c.ring.rebuilt.Load() == c.rebuilt
}

// A merge reads several sources as one, in order of position.
type merge[M any] []source[M]

// first returns the source whose next entry is the oldest, and that entry. The
// source is nil at the end of all, and the entry is nil if it was evicted.
func (g merge[M]) first() (oldest *source[M], e *Entry[M]) {
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

func (g merge[M]) intact() bool {
	for i := range g {
		if !g[i].intact() {
			return false
		}
	}
	return true
}

// lossy reports whether anything is missing of the wanted categories. The
// caller holds the logs.
func (g merge[M]) lossy(wanted Categories) bool {
	for i := range g {
		if g[i].lost(wanted) > 0 {
			return true
		}
	}
	return false
}

// lost returns the highest position that is missing. Ephemeral items are never
// missing.
func (c *source[M]) lost(wanted Categories) Position {
	if c.class == Ephemeral {
		return 0
	}
	return c.ring.lostAfter(c.from, wanted)
}

// scanAtOnce bounds how many entries one read looks at.
const scanAtOnce = 1024

// Read appends to buf what the reader wants of everything behind its position up
// to head, in order, until room, in bytes, is used up. At least one message is
// appended if room is above zero. Where something is missing, the message of a
// gap takes its place. The position moves behind what was appended and past what
// is not wanted. Read reports whether it stopped early: for lack of room, or
// after it has looked at a number of entries.
//
// It reads without a lock first, and discards what it got if something was
// evicted meanwhile. Readers that held a lock while they copied a batch slowed a
// burst to a third, since they and the publisher waited for each other.
//
// It uses little stack, since a goroutine that has just begun has 2 KiB of it.
func (r *Reader[M]) Read(buf []M, head Position, room int) (_ []M, more bool) {
	before := r.position
	if got, more, ok := r.read(buf, head, room, false); ok {
		return got, more
	}
	r.position = before
	return r.readLocked(buf, head, room)
}

// readLocked reads where something is missing, or is being evicted.
func (r *Reader[M]) readLocked(buf []M, head Position, room int) (_ []M, more bool) {
	for _, f := range r.follows {
		f.log.mu.RLock()
		defer f.log.mu.RUnlock()
	}
	buf, more, _ = r.read(buf, head, room, true)
	return buf, more
}

// read reads the logs, which the caller holds or not. It reports whether what it
// read is right; it always is if they are held.
func (r *Reader[M]) read(buf []M, head Position, room int, held bool) (_ []M, more, ok bool) {
	wanted, own := r.wanted.Load(), len(buf)
	sources := make(merge[M], 0, 4)
	for _, f := range r.follows {
		if f.log.newest.Load() > r.position { // most logs have nothing new
			sources = r.open(sources, f)
		}
	}
	switch {
	case held && sources.lossy(wanted):
		if room <= 0 {
			return buf, true, true
		}
		buf = append(buf, r.passGap(sources, wanted, head))
	case !held && !sources.intact():
		return buf, false, false
	}
	more = true
	for range scanAtOnce {
		c, e := sources.first()
		if c == nil || e != nil && e.position > head {
			r.position, more = max(r.position, head), false
			break
		}
		if e == nil {
			break // not intact
		}
		if e.item != nil && wanted&e.item.mask() != 0 && e.position > r.position {
			if room <= 0 || len(buf) > 0 && e.item.Size > room {
				break
			}
			message := e.item.Message
			if e.item.Gap {
				message = r.store.config.Gap(e.position)
			}
			buf = append(buf, message)
			room -= e.item.Size
		}
		c.next++
		r.position = e.position
	}
	if held || sources.intact() {
		return buf, more, true
	}
	clear(buf[own:])
	return buf[:own], false, false
}

// open adds the rings of a log to the sources, from where the reader stands.
func (r *Reader[M]) open(sources merge[M], f *follow[M]) merge[M] {
	for class := range Class(classes) {
		ring := f.log.ring(class)
		if ring == nil {
			continue
		}
		sources = append(sources, source[M]{ring: ring, follow: f, class: class, from: max(r.position, f.from[class])})
		c := &sources[len(sources)-1]
		c.rebuilt = ring.rebuilt.Load()
		c.end = ring.next.Load() // before the slots: they hold at least as much
		c.start = ring.after(c.from, ring.first.Load(), c.end)
		c.next = c.start
	}
	return sources
}

// passGap returns the message of a gap, moves past what is missing in each
// source, and notes that it was reported. The logs are held.
//
// The gap comes before everything that is still there behind the first entry
// that is missing; in another source, that may be older than the last one
// missing. So the position after the gap is right before the next entry, and a
// client that is cut in between and resumes is told of the rest again.
func (r *Reader[M]) passGap(sources merge[M], wanted Categories, head Position) M {
	for i := range sources {
		c := &sources[i]
		if lost := c.lost(wanted); lost > 0 {
			c.follow.from[c.class] = lost
			c.next = c.ring.after(lost, c.start, c.end)
		}
	}
	next := head + 1
	if _, e := sources.first(); e != nil {
		next = min(next, e.position)
	}
	r.position = max(r.position, next-1)
	return r.store.config.Gap(r.position)
}

// Single is the short way to read for a reader that is at most one item behind,
// as one is that slept. It returns that item's message if it is wanted, and
// moves the position to head. It reports false, and does nothing, if the answer
// needs a Read.
//
// It needs no lock of a log, which readers on other processors would contend for
// (120 ns of a delivery with two), and looks at as little cold memory as it can.
func (r *Reader[M]) Single(head Position) (m M, wanted, ok bool) {
	e, ok := r.single(head)
	if !ok || e != nil && e.item.Gap {
		return m, false, false
	}
	r.position = max(r.position, head)
	if e == nil || r.wanted.Load()&(1<<e.item.Category) == 0 {
		return m, false, true
	}
	return e.item.Message, true, true
}

// single returns the only entry behind the reader's position, or nil if there is
// none. It reports false if there may be more, or something may be missing.
//
// What is in a log up to head was appended before the head was stored. So, with
// the head loaded first, the last entry of a log is all that is new there if the
// one before it is not. Nothing can be missing then: what was evicted is older.
func (r *Reader[M]) single(head Position) (*Entry[M], bool) {
	if e := r.store.last.Load(); e != nil && e.position == head && head == r.position+1 {
		// Nothing else was appended at all, so the logs need not be looked at.
		for _, f := range r.follows {
			if f.log == e.log {
				return e, r.behindAll(f)
			}
		}
		return nil, true
	}
	var news *follow[M]
	for _, f := range r.follows {
		if f.log.newest.Load() > r.position {
			if news != nil {
				return nil, false
			}
			news = f
		}
	}
	if news == nil {
		return nil, true
	}
	e := news.log.last.Load()
	if e == nil || e.position <= r.position || e.position > head || e.after > r.position {
		return nil, false
	}
	return e, r.behindAll(news)
}

// behindAll reports whether the reader wants everything of a log that is behind
// its position.
func (r *Reader[M]) behindAll(f *follow[M]) bool {
	return max(f.from[Retained], f.from[ShortLived], f.from[Ephemeral]) <= r.position
}
