package hub

import (
	"context"

	"github.com/google/uuid"

	"github.com/crier-go/crier/event"
)

// Tell makes an event and publishes it to a user: it is [event.Kind.New] and
// [Hub.Publish] in one call. Errors are those of both. If it fails, the user does
// not receive the event, with one exception: after [ErrUnavailable], which only a
// hub with a backplane returns, nobody knows. Then a second Tell may deliver twice,
// since it makes another event, unless it is given the same [event.WithID].
func Tell[T any](ctx context.Context, h *Hub, k event.Kind[T], user uuid.UUID, payload T, opts ...event.Option) error {
	e, err := k.New(user, payload, opts...)
	if err != nil {
		return err
	}
	return h.Publish(ctx, e)
}
