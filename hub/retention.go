package hub

import (
	"sync/atomic"
	"time"
)

// A retention is a list through the entries of all logs in the hub's order,
// and what they cost together. The hub has two, for retained and for ephemeral
// entries. All of it belongs to Hub.mu.
//
// The hub-wide bounds evict the oldest position first, whoever it belongs to.
// Evicting, say, the least recently used user instead would forget which users
// had lost something, and a resume could no longer tell lost from never was.
type retention struct {
	ephemeral    bool
	oldest       atomic.Pointer[entry] // may be read at any time, see warm
	newest       *entry
	bytes, limit int64
	count        int
}

// warm fetches what the next eviction will touch, which is cold memory, so that
// nobody waits for it under the lock.
func (t *retention) warm() {
	if e := t.oldest.Load(); e != nil {
		e.log.newest.Load()
	}
}

// ephemeralShare is the part of Options.Bytes that is set apart for ephemeral
// entries.
const ephemeralShare = 8

func (t *retention) add(e *entry) {
	e.older = t.newest
	if t.newest != nil {
		t.newest.newer = e
	} else {
		t.oldest.Store(e)
	}
	t.newest = e
	t.count++
	if e.message.refs == 0 {
		t.bytes += e.message.cost
	}
	e.message.refs++
	t.bytes += entryOverhead
}

func (t *retention) remove(e *entry) {
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
	e.message.refs--
	if e.message.refs == 0 {
		t.bytes -= e.message.cost
	}
	t.bytes -= entryOverhead
}

// append puts m into l at position p, and keeps to the bounds. Under h.mu.
func (h *Hub) append(l *log, p position, m *Message) {
	ephemeral := m.event.Ephemeral()
	t := h.retentionFor(ephemeral)
	most, bytes := ephemeralEvents, int64(noLimit) // ephemeral bytes are bounded hub-wide only
	if !ephemeral {
		most, bytes = l.maxEvents, l.maxBytes
		l.bytes += m.cost + entryOverhead
	}
	e := &m.entry
	if e.log != nil {
		e = new(entry)
	}
	*e = entry{position: p, after: l.newest.Load(), key: keyOf(m.event.ID()), message: m, log: l}

	r := l.ringFor(ephemeral)
	over := func() bool { return r.len() > 0 && (r.len() >= most || l.bytes > bytes) }
	if over() {
		l.mu.Lock()
		for over() {
			h.pop(t, r)
		}
		l.mu.Unlock()
	}
	r.push(e)
	l.last.Store(e)
	l.newest.Store(p)

	t.add(e)
	for t.bytes > t.limit && t.oldest.Load() != e { // the newest stays, so that whoever listens gets it
		h.evictOldest(t)
	}
	if !h.armed {
		h.armAgeing()
	}
}

// pop removes a ring's oldest entry. Under h.mu and the log's mu.
func (h *Hub) pop(t *retention, r *ring) {
	e := r.pop(len(h.kinds.categories))
	t.remove(e)
	e.log.last.CompareAndSwap(e, nil) // or it would stay in memory
	if !t.ephemeral {
		e.log.bytes -= e.message.cost + entryOverhead
	}
}

// evictOldest removes the hub's oldest entry of one retention. Under h.mu.
func (h *Hub) evictOldest(t *retention) {
	e := t.oldest.Load() // and so the oldest of its ring
	if !t.ephemeral {
		h.floor.Store(e.position)
	}
	e.log.mu.Lock()
	h.pop(t, e.log.ringFor(t.ephemeral))
	empty := e.log.retained.len()+e.log.ephemeral.Load().len() == 0
	e.log.mu.Unlock()
	if empty {
		h.dropIfUnused(e.log)
	}
}

func (h *Hub) retentionFor(ephemeral bool) *retention {
	if ephemeral {
		return &h.ephemeral
	}
	return &h.retained
}

// armAgeing sets the one timer of the hub for when its oldest entry is too
// old. It is not set while nothing is retained. Under h.mu.
func (h *Hub) armAgeing() {
	var wait time.Duration
	h.armed = false
	for _, t := range [...]*retention{&h.retained, &h.ephemeral} {
		oldest := t.oldest.Load()
		if oldest == nil {
			continue
		}
		if w := time.Duration(oldest.message.time + int64(h.options.MaxAge) - h.now()); !h.armed || w < wait {
			wait, h.armed = w, true
		}
	}
	switch {
	case !h.armed:
	case h.ageing == nil:
		h.ageing = time.AfterFunc(wait, h.age)
	default:
		h.ageing.Reset(wait)
	}
}

// age evicts what is too old, some at a time, so that publishes get their turn.
func (h *Hub) age() {
	const atOnce = 256
	for done := false; !done; {
		h.mu.Lock()
		if h.closed {
			h.mu.Unlock()
			return
		}
		horizon := h.now() - int64(h.options.MaxAge)
		n := 0
		for _, t := range [...]*retention{&h.retained, &h.ephemeral} {
			for ; n < atOnce; n++ {
				if e := t.oldest.Load(); e == nil || e.message.time > horizon {
					break
				}
				h.evictOldest(t)
			}
		}
		if done = n < atOnce; done {
			h.armAgeing()
		}
		h.mu.Unlock()
	}
}
