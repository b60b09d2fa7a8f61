package hub

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"

	"github.com/google/uuid"

	"github.com/crier-go/crier/hub/internal/eventlog"
)

// This file alone knows what a position looks like outside: everything else
// compares positions and passes them on.
//
// A public cursor is a UUID of version 8 (RFC 9562, section 5.8). Its first 60
// free bits are the hub's incarnation, drawn at random. Of the other 62, the
// first marks the cursor of a page, and 61 are the position. A cursor is not a
// secret, and it tells a client how many messages the hub has published so far.
type position = eventlog.Position

// A cursorCodec turns the positions of one hub into cursors and back.
type cursorCodec struct {
	// incarnation is the first half of every cursor of this hub, with the
	// version already in its place. All hubs on a backplane have the same.
	incarnation [8]byte
	// base is what a position of this hub is larger by than the backplane's,
	// which begins anew with each epoch. It is zero without a backplane.
	base position
}

func newCursorCodec() *cursorCodec {
	var c cursorCodec
	rand.Read(c.incarnation[:]) // never fails (crypto/rand)
	c.incarnation[6] = 0x80 | c.incarnation[6]&0x0f
	return &c
}

// epochCodec returns the codec of a backplane's epoch, of which the first record
// follows position base.
func epochCodec(epoch string, base position) *cursorCodec {
	sum := sha256.Sum256([]byte("crier epoch\x00" + epoch))
	c := &cursorCodec{incarnation: [8]byte(sum[:8]), base: base}
	c.incarnation[6] = 0x80 | c.incarnation[6]&0x0f
	return c
}

const (
	variantRFC9562 = 1 << 63
	startBit       = 1 << 61
	// lastPosition is beyond every head.
	lastPosition position = startBit - 1
)

func (c *cursorCodec) encode(p position) uuid.UUID { return c.bits(p - min(p, c.base)) }

func (c *cursorCodec) bits(low uint64) uuid.UUID {
	var id uuid.UUID
	copy(id[:8], c.incarnation[:])
	binary.BigEndian.PutUint64(id[8:], low|variantRFC9562)
	return id
}

// encodeStart returns the cursor of a page that is rendered at position p.
func (c *cursorCodec) encodeStart(p position) uuid.UUID {
	return c.bits(p - min(p, c.base) | startBit)
}

// decode returns the position that a cursor of version 8 names, whether it is
// that of a page, and whether it belongs to this hub.
func (c *cursorCodec) decode(id uuid.UUID) (p position, start, ours bool) {
	bits := binary.BigEndian.Uint64(id[8:])
	return bits&lastPosition + c.base, bits&startBit != 0, [8]byte(id[:8]) == c.incarnation
}

// unknownCursor returns a cursor that resolve answers with the same unknown
// start. A client holds it from the opening of its stream until it has been
// told of the gap: if it is cut in between, it must be told again.
func (c *cursorCodec) unknownCursor(s start) uuid.UUID {
	if s.retained {
		return noHub.bits(0)
	}
	return c.bits(lastPosition)
}

// noHub is the codec of cursors that belong to no hub.
var noHub = &cursorCodec{incarnation: [8]byte{6: 0x80}}

// A start is where a subscription begins to read.
type start struct {
	after    position // read what lies behind this
	unknown  bool     // the client's id could not be resolved: tell it of a gap
	retained bool     // after an unknown one: all that is retained is new to this client
}

// A lastID is what a client says it has seen last. It is hostile input: it is
// only ever compared, and looked up in the client's own logs.
type lastID struct {
	id    uuid.UUID
	kind  byte // 0: none, 7: an event, 8: a cursor, lastIDInvalid
	fresh bool // the stream does not resume another: no id, or the cursor of a page
	// foreign means that another hub made the cursor. See warnForeign.
	foreign bool
}

const lastIDInvalid = 255

func (h *Hub) parseLastID(after string) lastID {
	if after == "" {
		return lastID{fresh: true}
	}
	if len(after) != 36 { // the one form that we hand out; uuid.Parse takes others
		return lastID{kind: lastIDInvalid}
	}
	id, err := uuid.Parse(after)
	if err != nil || id.Variant() != uuid.RFC4122 || id.Version() != 7 && id.Version() != 8 {
		return lastID{kind: lastIDInvalid}
	}
	l := lastID{id: id, kind: byte(id.Version())}
	if l.kind == 8 {
		var ours bool
		_, l.fresh, ours = h.cursors.Load().decode(id)
		l.foreign = !ours && [8]byte(id[:8]) != noHub.incarnation
	}
	return l
}

// resolve turns a client's last id into a start. It is looked up in the logs that
// r follows, and in those of topics that the session may follow: a client may come
// back with other topics. The head is that of the time at which r began to follow
// its logs.
func (h *Hub) resolve(l lastID, r *eventlog.Reader[*Message], topics []string, head position) start {
	unknown := start{after: head, unknown: true}
	switch l.kind {
	case 0:
		return start{after: head}
	case 8:
		p, _, ours := h.cursors.Load().decode(l.id)
		switch {
		case !ours && h.cluster == nil:
			return start{unknown: true, retained: true}
		case !ours || p > head:
			return unknown
		}
		return start{after: p}
	case 7:
		if p, ok := r.Find(l.id); ok {
			return start{after: p}
		}
		for _, topic := range topics { // which the client may have followed before
			if p, ok := h.store.Find(eventlog.Key{Name: topic}, l.id); ok {
				return start{after: p}
			}
		}
		if h.cluster == nil && eventlog.Millis(l.id) < h.store.OldestMade() {
			// It is older than everything this hub has published: the client
			// comes from before this process, and has seen nothing of what is
			// here. (With a backplane, others have published, by their clocks,
			// and an earlier epoch may have had the same records.)
			return start{unknown: true, retained: true}
		}
		// The client may have seen any part of what is retained, so replaying
		// could deliver twice. It is told of a gap, reads its state anew, and
		// goes on from the head.
		return unknown
	}
	return unknown
}
