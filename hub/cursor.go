package hub

import (
	"crypto/rand"
	"encoding/binary"

	"github.com/google/uuid"
)

// A position is a place in the hub's order; the first publish has position 1.
// This file alone knows how positions look outside: everything else compares
// them and passes them on.
//
// A public cursor is a UUID of version 8 (RFC 9562, section 5.8). Its first 60
// free bits are the hub's incarnation, drawn at random, the other 62 the
// position. It is not a secret, and it tells a client how many messages the
// hub has published so far.
type position = uint64

// A mint turns the positions of one hub into cursors and back.
type mint struct {
	// incarnation is the first half of every cursor of this hub, with the
	// version already in its place.
	incarnation [8]byte
}

func newMint() mint {
	var m mint
	rand.Read(m.incarnation[:]) // never fails (crypto/rand)
	m.incarnation[6] = 0x80 | m.incarnation[6]&0x0f
	return m
}

const variantRFC9562 = 1 << 63

func (m mint) cursor(p position) uuid.UUID {
	var id uuid.UUID
	copy(id[:8], m.incarnation[:])
	binary.BigEndian.PutUint64(id[8:], p|variantRFC9562)
	return id
}

// position returns the place that a cursor of version 8 names, and whether
// this hub minted it.
func (m mint) position(id uuid.UUID) (position, bool) {
	if [8]byte(id[:8]) != m.incarnation {
		return 0, false
	}
	return binary.BigEndian.Uint64(id[8:]) &^ (3 << 62), true
}

// nowhere returns a cursor that place answers with the same unknown start. A
// client holds it from the opening of its stream until it has been told of the
// gap: if it is cut in between, it must be told again.
func (m mint) nowhere(s start) uuid.UUID {
	if s.retained {
		return mint{incarnation: [8]byte{6: 0x80}}.cursor(0) // of a hub that never was
	}
	return m.cursor(lastPosition)
}

// lastPosition is beyond every head.
const lastPosition position = 1<<62 - 1

// A start is where a subscription begins to read.
type start struct {
	after    position // read what lies behind this
	unknown  bool     // the client's id could not be placed: tell it of a gap
	retained bool     // after an unknown one: all that is retained is new to this client
}

// place turns a client's last id into a start. The id is hostile input: it is
// only ever compared, and looked up in the client's own logs.
//
// head is the hub's head at the time the subscription began to listen.
func (h *Hub) place(after string, l *log, head position) start {
	if after == "" {
		return start{after: head}
	}
	fromHead := start{after: head, unknown: true}
	if len(after) != 36 { // the one form that we hand out; uuid.Parse takes others
		return fromHead
	}
	id, err := uuid.Parse(after)
	if err != nil || id.Variant() != uuid.RFC4122 {
		return fromHead
	}
	switch id.Version() {
	case 8:
		p, ours := h.mint.position(id)
		switch {
		case !ours:
			return start{unknown: true, retained: true}
		case p > head:
			return fromHead
		}
		return start{after: p}
	case 7:
		if p, ok := l.find(id); ok {
			return start{after: p}
		}
		if p, ok := h.everyone.find(id); ok {
			return start{after: p}
		}
		if millis(id) < h.epoch.Load() {
			// Older than whatever this hub has published: the client comes
			// from before this process, and has seen nothing of what is here.
			return start{unknown: true, retained: true}
		}
		// It may have seen any part of what is retained: replaying would
		// double. It is told, reads its state anew, and goes on from the head.
		return fromHead
	}
	return fromHead
}

// millis returns the Unix time in milliseconds that a version 7 UUID begins
// with (RFC 9562, section 5.7).
func millis(id uuid.UUID) int64 {
	return int64(binary.BigEndian.Uint64(id[:8]) >> 16)
}

// lowerEpoch notes that an event made at ms has been published. Events are
// nearly always younger than their hub; one from an outbox may be older.
func (h *Hub) lowerEpoch(ms int64) {
	if ms < h.epoch.Load() { // only written under h.mu
		h.epoch.Store(ms)
	}
}
