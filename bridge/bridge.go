// Package bridge turns an application's domain events into events for its users.
// The mapping is in one place, so business code publishes domain events and does
// not need to know which users are told.
package bridge

import (
	"context"
	"fmt"
	"runtime/debug"

	"github.com/google/uuid"

	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
)

// On returns a function that publishes an event of kind k for a domain event of
// type D. The mapping returns the users and the payload. If it returns false or no
// users, nothing is published.
//
//	shipped := bridge.On(h, OrderShipped, func(o *Order) ([]uuid.UUID, Shipped, bool) {
//		return []uuid.UUID{o.Customer}, Shipped{Number: o.Number}, !o.Silent
//	})
//	...
//	shipped(ctx, order) // in the business code, or as a handler on its event bus
//
// The function fails open: it never returns an error to the business code or
// panics. If the mapping panics, the payload cannot be marshalled, a user is nil or
// the hub is closed, the error goes to the hub's Observer.Error, or to its logger if
// there is none.
//
// The package has no registry of mappings by type, as an event bus has. The result
// is an ordinary function, which the compiler checks and any bus can call.
func On[D, P any](h *hub.Hub, k event.Kind[P], mapping func(D) (users []uuid.UUID, payload P, ok bool)) func(context.Context, D) {
	return func(ctx context.Context, d D) {
		if err := publish(ctx, h, k, mapping, d); err != nil {
			h.Report(fmt.Errorf("bridge: %T to %s: %w", d, k.Info().Type, err))
		}
	}
}

// publish maps a domain event and publishes the result. It returns a panic of the
// mapping as an error.
func publish[D, P any](ctx context.Context, h *hub.Hub, k event.Kind[P], mapping func(D) ([]uuid.UUID, P, bool), d D) (err error) {
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
	return h.PublishTo(ctx, e, hub.Users(users...)...)
}
