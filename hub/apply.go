package hub

import (
	"fmt"
	"time"

	"github.com/google/uuid"
)

// apply applies a batch of records.
func (c *cluster) apply(batch []SequencedRecord) error {
	for _, r := range batch {
		if c.comparing {
			c.comparing = false
			if r.Position == c.applied {
				if r.Record.ID != c.lastID && r.Record.ID != uuid.Nil {
					return errRewritten
				}
				continue
			}
		}
		if r.Position <= c.applied { // only this goroutine writes applied
			continue
		}
		if c.beginning && r.Position > c.applied+1 && r.Position > c.absent+1 {
			c.absent = r.Position - 1 // if the Tail still has what is behind applied
			return errHole
		}
		c.beginning = false
		if err := c.applyRecord(r); err != nil {
			c.hub.unreadable(fmt.Errorf("%w (position %d)", err, r.Position))
		}
		c.lastID = r.Record.ID
		c.mu.Lock()
		c.applied = r.Position
		c.last = max(c.last, r.Position)
		c.signalChange()
		c.mu.Unlock()
	}
	c.noteCaughtUp()
	return nil
}

// unreadable reports a record that cannot be applied. Without Options.Observer.Error
// it is logged at most once a minute: there may be very many.
func (h *Hub) unreadable(err error) {
	h.observeError(err)
	if h.options.Observer.Error != nil {
		return
	}
	if n := h.warnings.due("unreadable", time.Now()); n > 0 {
		h.options.Logger.Warn("crier: records of the backplane cannot be applied", "count", n, "error", err)
	}
}

func (c *cluster) applyRecord(r SequencedRecord) error {
	h := c.hub
	p := r.Position + h.cursors.Load().base
	if r.Record.ID == uuid.Nil || !c.seen.add(r.Record.ID) {
		h.store.Skip(p)
		return nil
	}
	read := recordReader{data: r.Data}
	var err error
	switch kind := read.kind(); {
	case read.err != nil:
		err = read.err
	case kind == recordEvent:
		err = c.applyEvent(p, &read)
	case kind == recordRevocation:
		if user, session := read.user(), read.string(); read.err == nil {
			h.applyRevocation(user, session, p)
		}
		err = read.err
	case kind == recordJoin, kind == recordLeave:
		if user, topic := read.user(), read.string(); read.err == nil {
			h.applyMove(kind == recordJoin, user, topic)
		}
		err = read.err
	default:
		err = fmt.Errorf("%w: it is of the unknown kind %d: is this process of an older release?", errRecord, kind)
	}
	h.store.Skip(p)
	return err
}

func (c *cluster) applyEvent(p position, read *recordReader) error {
	h := c.hub
	c.keys = read.keys(c.keys[:0])
	published := time.UnixMilli(int64(read.number()))
	if read.err != nil {
		return read.err
	}
	e, err := h.registry.DecodeBinary(read.data)
	if err != nil {
		return fmt.Errorf("%w: %w", errRecord, err)
	}
	m, err := h.wrap(e)
	if err != nil {
		return err
	}
	// Another process's clock is a hint: an event is never from the future.
	m.item.Time = min(m.item.Time, int64(published.Sub(h.began)))
	h.store.AppendAt(p, &m.item, c.keys) // fails only once the hub is closed
	return nil
}

// recent remembers the ids of the last records, so that one that stands in the
// sequence twice is applied once: between recentIDs and twice as many.
type recent struct{ now, past map[uuid.UUID]struct{} }

const recentIDs = 1 << 15

// add reports whether the id is new.
func (r *recent) add(id uuid.UUID) bool {
	if _, ok := r.now[id]; ok {
		return false
	}
	if _, ok := r.past[id]; ok {
		return false
	}
	if r.now == nil || len(r.now) >= recentIDs {
		r.past, r.now = r.now, make(map[uuid.UUID]struct{})
	}
	r.now[id] = struct{}{}
	return true
}

func (r *recent) clear() { r.now, r.past = nil, nil }
