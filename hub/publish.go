package hub

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub/internal/eventlog"
)

// Publish sends e to its user: to every stream that the user has open, and to
// those that resume from before it while it is retained.
//
// Publish never waits for a subscriber. A hub without a backplane does not look
// at ctx: a cancelled request is no reason to lose an event. Errors:
// [ErrNoUser], [ErrClosed], an [EventTooLargeError], and event.ErrUnknownType
// for a type that the hub's registry does not have.
func (h *Hub) Publish(ctx context.Context, e *event.Event) error {
	users := [1]uuid.UUID{e.User()}
	return h.publish(ctx, e, users[:])
}

// PublishTo sends e to several users and ignores e's own. It is encoded once for
// all of them. A user that is named twice receives it once.
//
// A list of more than 256 users is published in parts, so that it never holds up
// other publishes for long. If the hub is shut down between two parts, PublishTo
// returns ErrClosed and the rest do not receive the event. Other errors are
// those of Publish, and then nobody receives it. Without users, PublishTo does
// nothing.
func (h *Hub) PublishTo(ctx context.Context, e *event.Event, users ...uuid.UUID) error {
	if len(users) > 1 {
		users = unique(users)
	}
	return h.publish(ctx, e, users)
}

// Broadcast sends e to every stream of the hub and ignores e's own user. Errors
// are those of Publish, except ErrNoUser.
func (h *Hub) Broadcast(ctx context.Context, e *event.Event) error {
	m, err := h.newEventMessage(e)
	if err != nil {
		return err
	}
	everyone := [1]eventlog.Key{}
	woken, err := h.append(m, everyone[:])
	if err != nil {
		return err
	}
	h.observePublished(ctx, e, woken)
	return nil
}

// unique returns users in their order without repetitions. It does not modify
// the caller's slice.
func unique(users []uuid.UUID) []uuid.UUID {
	seen := make(map[uuid.UUID]struct{}, len(users))
	return slices.DeleteFunc(slices.Clone(users), func(u uuid.UUID) bool {
		_, again := seen[u]
		seen[u] = struct{}{}
		return again
	})
}

func (h *Hub) publish(ctx context.Context, e *event.Event, users []uuid.UUID) error {
	if slices.Contains(users, uuid.Nil) {
		return ErrNoUser
	}
	m, err := h.newEventMessage(e)
	if err != nil {
		return err
	}
	woken := 0
	var few [8]eventlog.Key
	for part := range slices.Chunk(users, eventlog.AppendAtOnce) {
		keys := few[:0]
		for _, user := range part {
			keys = append(keys, eventlog.Key{ID: user})
		}
		n, err := h.append(m, keys)
		woken += n
		if err != nil {
			return err
		}
	}
	h.observePublished(ctx, e, woken)
	return nil
}

func (h *Hub) append(m *Message, keys []eventlog.Key) (woken int, err error) {
	if woken, err = h.store.Append(&m.item, keys); err != nil {
		return woken, ErrClosed
	}
	return woken, nil
}
