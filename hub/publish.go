package hub

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/crier-go/crier/event"
)

// Publish sends e to its user: to every stream that the user has open now, and
// to those that resume from before it while it is retained.
//
// It never waits for a subscriber. The context is there for a backplane to
// come; it is not looked at, since to a hub in memory a cancelled request is
// no reason to lose an event. Errors: [ErrNoUser], [ErrClosed], an
// [EventTooLargeError], and event.ErrUnknownType for a type that the hub's
// registry does not have.
func (h *Hub) Publish(ctx context.Context, e *event.Event) error {
	users := [1]uuid.UUID{e.User()}
	return h.publish(ctx, e, users[:])
}

// PublishTo sends one event to several users, whoever its own user is. It is
// encoded once for all of them, and a user named twice counts once. Each user
// gets it at a place of its own in the hub's order, so that a long list never
// holds up other publishes for long; should the hub be shut down in the middle
// of one, ErrClosed says that the rest did not get it. Errors are those of
// Publish; without users it does nothing.
func (h *Hub) PublishTo(ctx context.Context, e *event.Event, users ...uuid.UUID) error {
	if len(users) > 1 {
		users = unique(users)
	}
	return h.publish(ctx, e, users)
}

// unique returns users in their order without repetitions. It leaves the
// caller's slice alone.
func unique(users []uuid.UUID) []uuid.UUID {
	seen := make(map[uuid.UUID]struct{}, len(users))
	return slices.DeleteFunc(slices.Clone(users), func(u uuid.UUID) bool {
		_, again := seen[u]
		seen[u] = struct{}{}
		return again
	})
}

// usersAtOnce is how many users are served while the lock is held once.
// (100,000 in one piece held it for 34 ms.)
const usersAtOnce = 64

func (h *Hub) publish(ctx context.Context, e *event.Event, users []uuid.UUID) error {
	if slices.Contains(users, uuid.Nil) {
		return ErrNoUser
	}
	m, err := h.newEventMessage(e)
	if err != nil {
		return err
	}
	woken := 0
	for len(users) > 0 { // not slices.Chunk, which would have Publish's one user escape to the heap
		slice := users[:min(len(users), usersAtOnce)]
		users = users[len(slice):]
		n, err := h.publishSlice(m, slice)
		woken += n
		if err != nil {
			return err
		}
	}
	h.observePublished(ctx, e, woken)
	return nil
}

func (h *Hub) publishSlice(m *Message, users []uuid.UUID) (woken int, err error) {
	var logs [usersAtOnce]*log
	ephemeral := m.event.Ephemeral()
	for i, user := range users {
		if ephemeral {
			logs[i] = h.users.lookup(user) // nil: nobody listens
		} else {
			logs[i] = h.logOf(user)
			logs[i].newest.Load() // fetches cold memory before the lock, not under it
		}
	}
	h.retentionFor(ephemeral).warm()

	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		return 0, ErrClosed
	}
	h.lowerEpoch(millis(m.event.ID()))
	p := h.head.Load()
	for i, l := range logs[:len(users)] {
		if !ephemeral && l.dropped {
			l = h.logOf(users[i])
			logs[i] = l
		}
		if ephemeral && (l == nil || l.listeners.Load() == 0) {
			logs[i] = nil
			continue
		}
		p++
		h.append(l, p, m)
	}
	h.head.Store(p)
	h.mu.Unlock()

	for _, l := range logs[:len(users)] {
		if l != nil {
			woken += l.wake(m.category)
		}
	}
	return woken, nil
}

// Broadcast sends e to every stream of the hub, whoever e's own user is, and
// to those that resume from before it while it is retained. Else it is as
// Publish.
func (h *Hub) Broadcast(ctx context.Context, e *event.Event) error {
	m, err := h.newEventMessage(e)
	if err != nil {
		return err
	}
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		return ErrClosed
	}
	if m.event.Ephemeral() && h.everyone.listeners.Load() == 0 {
		h.mu.Unlock()
		h.observePublished(ctx, e, 0)
		return nil
	}
	h.lowerEpoch(millis(e.ID()))
	p := h.head.Load() + 1
	h.append(h.everyone, p, m)
	h.head.Store(p)
	h.mu.Unlock()

	h.observePublished(ctx, e, h.index.wake(m.category))
	return nil
}

func (h *Hub) unknownType(t event.Type) error {
	return fmt.Errorf("hub: %w: %q is not in the registry that the hub was made with", event.ErrUnknownType, string(t))
}
