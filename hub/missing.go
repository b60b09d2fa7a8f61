package hub

import (
	"context"

	"github.com/google/uuid"

	"github.com/crier-go/crier/hub/internal/eventlog"
)

// Users returns the users that have a stream open or for whom events are retained.
// It copies their ids, so it is for something that happens rarely.
func (h *Hub) Users() []uuid.UUID {
	var users []uuid.UUID
	for _, key := range h.store.Keys() {
		if key.ID != uuid.Nil {
			users = append(users, key.ID)
		}
	}
	return users
}

// TellGap says that events of users may be missing at this point, for every user
// but those in complete. It is for a source of events that lost its connection and
// cannot read everything that it missed. Streams that are open are told a gap in
// its place, and so is whoever resumes later from a position before it, also a user
// for whom the hub retains nothing. The error is [ErrClosed] or nil.
func (h *Hub) TellGap(_ context.Context, complete ...uuid.UUID) error {
	h.mu.Lock()
	closed := h.closed
	h.mu.Unlock()
	if closed {
		return ErrClosed
	}
	excepted := make(map[uuid.UUID]bool, len(complete))
	for _, user := range complete {
		excepted[user] = true
	}
	h.store.AppendGap(func(key eventlog.Key) bool { return excepted[key.ID] })
	return nil
}
