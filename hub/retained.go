package hub

import (
	"time"

	"github.com/crier-go/crier/event"
)

// A RetainedEvent is an event that the hub retains.
type RetainedEvent struct {
	Event     *event.Event
	Cursor    string // its position; see StreamStatus.Cursor
	Published time.Time
}

// Retained returns what the hub retains for an audience: for a user, a topic or
// everyone, in order of position. Ephemeral events are among it while the hub holds
// them, for a minute at most. It copies the list under the lock that publishes
// take, 1024 events at a time, which takes some 10 us. It is for a person who looks.
func (h *Hub) Retained(a Audience) []RetainedEvent {
	if a.check() != nil {
		return nil
	}
	var all []RetainedEvent
	codec := h.cursors.Load()
	for _, held := range h.store.Entries(a.key) {
		if held.Item.Gap {
			continue
		}
		all = append(all, RetainedEvent{
			Event:     held.Item.Message.event,
			Cursor:    codec.encode(held.Position).String(),
			Published: h.began.Add(time.Duration(held.Item.Time)),
		})
	}
	return all
}
