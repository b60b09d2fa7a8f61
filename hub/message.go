package hub

import (
	"encoding/json"
	"sync"
	"sync/atomic"

	"github.com/google/uuid"

	"github.com/crier-go/crier/event"
)

// The types of the hub's own messages. They come out of Take in their place
// among the events, so that every transport passes them on without knowing
// them.
const (
	// TypeGap says that events meant for this subscription are gone. Its data
	// is {"reason":"evicted"} or {"reason":"unknown"}, its id the cursor after
	// the gap.
	TypeGap event.Type = "stream.gap"
	// TypeFilter says which categories are heard from its id, a cursor, on:
	// {"categories":[...]}. It answers SetFilter.
	TypeFilter event.Type = "stream.filter"
)

// A Message is one thing to be written to a client: an event, or one of the
// hub's own messages. Messages are immutable, shared by all subscriptions that
// hear them, and safe for concurrent use.
type Message struct {
	event    *event.Event // nil for the hub's own
	own      *ownMessage  // nil for an event
	category uint8        // bit in a categorySet
	size     int          // bytes that a batch counts for it
	cost     int64        // bytes that retaining it costs
	time     int64        // when it was published, in nanoseconds since the hub began

	refs  int32 // logs that retain it; guarded by Hub.mu
	entry entry // its place in the first log that it was appended to; most have one

	frames atomic.Pointer[frame]
	mu     sync.Mutex // serialises encoding, so that it happens once
}

type ownMessage struct {
	id   uuid.UUID
	typ  event.Type
	data json.RawMessage
}

// ID returns the id that the client sees: the event's own, or a cursor.
func (m *Message) ID() uuid.UUID {
	if m.event != nil {
		return m.event.ID()
	}
	return m.own.id
}

// Type returns the event's type, or that of the hub's own message.
func (m *Message) Type() event.Type {
	if m.event != nil {
		return m.event.Type()
	}
	return m.own.typ
}

// Data returns the JSON payload. It is shared and must not be modified.
func (m *Message) Data() json.RawMessage {
	if m.event != nil {
		return m.event.Data()
	}
	return m.own.data
}

// Event returns the event, or nil if this is one of the hub's own messages.
func (m *Message) Event() *event.Event { return m.event }

// An Encoding is a transport's way to write a message. Make one per transport
// in a package variable: the hub caches what it produces on each message.
type Encoding struct {
	encode func(dst []byte, m *Message) []byte
}

// encodings counts those that this process has: each message may come to hold
// one frame of each.
var encodings atomic.Int64

// NewEncoding returns an encoding that appends a message's frame to dst. The
// function must depend on the message alone, and must not keep dst.
func NewEncoding(encode func(dst []byte, m *Message) []byte) *Encoding {
	encodings.Add(1)
	return &Encoding{encode: encode}
}

// A frame is a message in one encoding. A message has one or two, so a list
// is the quickest map.
type frame struct {
	encoding *Encoding
	bytes    []byte
	next     *frame
}

// Frame returns the message in encoding e, encoded when it is first asked for
// and shared from then on. The result must not be modified.
func (m *Message) Frame(e *Encoding) []byte {
	for f := m.frames.Load(); f != nil; f = f.next {
		if f.encoding == e {
			return f.bytes
		}
	}
	return m.encode(e)
}

func (m *Message) encode(e *Encoding) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	first := m.frames.Load()
	for f := first; f != nil; f = f.next {
		if f.encoding == e {
			return f.bytes
		}
	}
	f := &frame{encoding: e, bytes: e.encode(make([]byte, 0, m.size), m), next: first}
	m.frames.Store(f)
	return f.bytes
}

const (
	// frameOverhead is what a frame holds beside type and data: the longer of
	// SSE ("id: ", a UUID, "event: ", "data: ", line ends: 57) and WebSocket
	// (a header of up to 10, the JSON keys, a UUID: 77).
	frameOverhead = 80
	// messageOverhead is what a retained message costs beside its bytes:
	// Message, event.Event and the frame list.
	messageOverhead = 320
	// entryOverhead is what each log that retains it pays, for entry and slot.
	entryOverhead = 64
)

// newEventMessage wraps an event for its way through the hub.
func (h *Hub) newEventMessage(e *event.Event) (*Message, error) {
	k, ok := h.kinds.byType[e.Type()]
	if !ok {
		return nil, h.unknownType(e.Type())
	}
	size := frameOverhead + len(e.Type()) + len(e.Data())
	if size > h.options.MaxEvent {
		return nil, &EventTooLargeError{Size: size, Limit: h.options.MaxEvent}
	}
	// Frames come into being later, outside any lock, so they are charged in
	// advance: the bound holds however many encodings come to be asked for.
	cost := messageOverhead + int64(len(e.Data())) + encodings.Load()*int64(size)
	return &Message{event: e, category: k.category, size: size, cost: cost, time: h.now()}, nil
}

// newOwnMessage makes one of the hub's own messages, for one subscription.
func newOwnMessage(id uuid.UUID, t event.Type, data json.RawMessage) *Message {
	return &Message{own: &ownMessage{id: id, typ: t, data: data}, size: frameOverhead + len(t) + len(data)}
}

var gapData = struct{ evicted, unknown json.RawMessage }{
	evicted: json.RawMessage(`{"reason":"evicted"}`),
	unknown: json.RawMessage(`{"reason":"unknown"}`),
}
