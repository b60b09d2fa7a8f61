package hub

import (
	"bytes"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/google/uuid"

	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub/internal/eventlog"
)

// The types of the hub's own messages, which are called control messages. Take
// returns them in their place among the events, so that every transport passes
// them on without knowing them.
const (
	// TypeGap says that events meant for this subscription are gone. Its data
	// is {"reason":"evicted"} or {"reason":"unknown"}, its id the cursor after
	// the gap.
	TypeGap event.Type = "stream.gap"
	// TypeFilter answers Change, SetFilter and every change of topics. Its data,
	// {"categories":[...],"topics":[...],"ref":...}, names what is in force from its
	// id, a cursor, on. Streams that never followed a topic have no "topics", and
	// only what answers a Change with a Ref has "ref".
	TypeFilter event.Type = "stream.filter"
)

// A Message is one thing to be written to a client: an event or a control
// message. Messages are immutable, shared by all subscriptions that receive
// them, and safe for concurrent use.
type Message struct {
	event   *event.Event // nil for a control message
	control *control     // nil for an event
	item    eventlog.Item[*Message]

	frames atomic.Pointer[frame]
	mu     sync.Mutex // serialises encoding, so that it happens once
}

type control struct {
	id   uuid.UUID
	typ  event.Type
	data json.RawMessage
	ref  json.RawMessage // of a Change; also in data
}

// ID returns the id that the client sees: the event's own, or a cursor.
func (m *Message) ID() uuid.UUID {
	if m.event != nil {
		return m.event.ID()
	}
	return m.control.id
}

// Type returns the event's type, or that of the control message.
func (m *Message) Type() event.Type {
	if m.event != nil {
		return m.event.Type()
	}
	return m.control.typ
}

// Data returns the JSON payload. It is shared and must not be modified.
func (m *Message) Data() json.RawMessage {
	if m.event != nil {
		return m.event.Data()
	}
	return m.control.data
}

// Event returns the event, or nil if this is a control message.
func (m *Message) Event() *event.Event { return m.event }

const (
	// frameOverhead is what a frame holds beside type and data: the longer of
	// SSE ("id: ", a UUID, "event: ", "data: ", line ends: 57) and WebSocket
	// (a header of up to 10, the JSON keys, a UUID: 77).
	frameOverhead = 80
	// messageOverhead is what a retained message costs beside its bytes:
	// Message, event.Event and the frame list.
	messageOverhead = 400
)

// messageCost returns what it costs to keep a message with so many bytes of
// data, of which each frame has a size. Frames are made later, outside any lock,
// so they are charged in advance: the bound holds however many of the process's
// encodings come to be asked for.
func messageCost(data, size int) int64 {
	return messageOverhead + int64(data) + encodings.Load()*int64(size)
}

// newEventMessage wraps an event that is published to this hub.
func (h *Hub) newEventMessage(e *event.Event) (*Message, error) {
	m, err := h.wrap(e)
	if err == nil && m.item.Size > h.options.MaxEvent {
		return nil, &EventTooLargeError{Size: m.item.Size, Limit: h.options.MaxEvent}
	}
	return m, err
}

// wrap wraps an event of any size for its way through the hub: another hub on the
// backplane may have a larger limit.
func (h *Hub) wrap(e *event.Event) (*Message, error) {
	k, ok := h.kinds.byType[e.Type()]
	if !ok {
		return nil, fmt.Errorf("hub: %w: %q is not in the registry that the hub was made with", event.ErrUnknownType, string(e.Type()))
	}
	size := frameOverhead + len(e.Type()) + len(e.Data())
	m := &Message{event: e}
	m.item.Message = m
	m.item.ID = e.ID()
	m.item.Category = k.category
	m.item.Class = k.class
	m.item.Size = size
	m.item.Cost = messageCost(len(e.Data()), size)
	m.item.Time = h.now()
	if m.item.Rules = k.rules; k.latest {
		m.item.Rules = &eventlog.Rules{Life: k.retainFor, Latest: string(e.Type()) + "\x00" + e.Key()}
	}
	return m, nil
}

// newControlMessage makes a message for one subscription.
func newControlMessage(id uuid.UUID, t event.Type, data json.RawMessage) *Message {
	m := &Message{control: &control{id: id, typ: t, data: data}}
	m.item.Size = frameOverhead + len(t) + len(data)
	return m
}

// gapReason returns why there is a gap, of a message of TypeGap.
func (m *Message) gapReason() GapReason {
	if bytes.Equal(m.control.data, gapData.unknown) {
		return GapUnknown
	}
	return GapEvicted
}

var gapData = struct{ evicted, unknown json.RawMessage }{
	evicted: json.RawMessage(`{"reason":"evicted"}`),
	unknown: json.RawMessage(`{"reason":"unknown"}`),
}
