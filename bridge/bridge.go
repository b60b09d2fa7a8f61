// Package bridge turns an application's own domain events into events for its
// users, in one place, so that business code says what happened and need not
// know who is to hear of it.
package bridge

import (
	"context"
	"fmt"
	"runtime/debug"

	"github.com/google/uuid"

	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
)

// On returns a function that tells users of domain events of type D: it maps
// one to the users concerned and the payload that they get, and publishes an
// event of kind k to them. A mapping that returns false, or no users, publishes
// nothing.
//
//	shipped := bridge.On(h, OrderShipped, func(o *Order) ([]uuid.UUID, Shipped, bool) {
//		return []uuid.UUID{o.Customer}, Shipped{Number: o.Number}, !o.Silent
//	})
//	...
//	shipped(ctx, order) // in the business code, or as a handler on its event bus
//
// The function fails open: the business goes on whether its users can be told
// or not. A mapping that panics, a payload that can't be marshalled, a user
// that is nil and a hub that is closed are reported to the hub's observer
// (Observer.Error, else its logger), never to the caller.
//
// There is no registry of mappings by type, as a bus would have: the result is
// an ordinary function, which the compiler checks and any bus can call.
func On[D, P any](h *hub.Hub, k event.Kind[P], mapping func(D) (users []uuid.UUID, payload P, ok bool)) func(context.Context, D) {
	return func(ctx context.Context, d D) {
		if err := tell(ctx, h, k, mapping, d); err != nil {
			h.Report(fmt.Errorf("bridge: %T to %s: %w", d, k.Info().Type, err))
		}
	}
}

func tell[D, P any](ctx context.Context, h *hub.Hub, k event.Kind[P], mapping func(D) ([]uuid.UUID, P, bool), d D) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
		}
	}()
	users, payload, ok := mapping(d)
	if !ok || len(users) == 0 {
		return nil
	}
	e, err := k.New(users[0], payload)
	if err != nil {
		return err
	}
	return h.PublishTo(ctx, e, users...)
}
