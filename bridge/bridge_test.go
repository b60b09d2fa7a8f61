package bridge_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/crier-go/crier/bridge"
	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/hub/hubtest"
)

type order struct {
	customer uuid.UUID
	number   int
}

type shipped struct {
	Number int `json:"number"`
}

var (
	kinds        event.Registry
	orderShipped = event.Define[shipped](&kinds, "orders", "order.shipped", "An order is on its way.")
	weighed      = event.Define[any](&kinds, "orders", "order.weighed", "An order was weighed.")
	customer     = uuid.MustParse("5a3c1f0e-6f1b-4a57-9c7e-0d8f3a1b2c3d")
)

func ExampleOn() {
	h := hub.New(&kinds, nil)
	publishShipped := bridge.On(h, orderShipped, func(o order) ([]uuid.UUID, shipped, bool) {
		return []uuid.UUID{o.customer}, shipped{o.number}, o.number > 0
	})

	s, err := h.Subscribe(hub.Request{
		Session: hub.Session{User: customer, Allowed: hub.Everything()},
		Filter:  hub.Everything(),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	publishShipped(context.Background(), order{customer, 7}) // from the business code
	batch, _ := s.Take(nil)
	for _, m := range batch {
		fmt.Println(m.Type(), string(m.Data()))
	}
	// Output: order.shipped {"number":7}
}

// Failures reach the observer and never the caller.
func TestOnReportsFailuresAndContinues(t *testing.T) {
	var reported []string
	h := hub.New(&kinds, &hub.Options{Observer: &hub.Observer{Error: func(err error) { reported = append(reported, err.Error()) }}})
	c := hubtest.Subscribe(t, h, customer)
	to := func(users ...uuid.UUID) func(any) ([]uuid.UUID, any, bool) {
		return func(d any) ([]uuid.UUID, any, bool) { return users, d, true }
	}
	ctx := context.Background()
	bridge.On(h, weighed, func(any) ([]uuid.UUID, any, bool) { panic("the scale is broken") })(ctx, 1)
	bridge.On(h, weighed, to(customer))(ctx, make(chan int))
	bridge.On(h, weighed, to(uuid.Nil))(ctx, 1)
	bridge.On(h, weighed, to())(ctx, 1)
	bridge.On(h, weighed, func(any) ([]uuid.UUID, any, bool) { return []uuid.UUID{customer}, 1, false })(ctx, 1)
	bridge.On(h, weighed, to(customer, customer))(ctx, "the one")

	if got := c.Next(); string(got.Data()) != `"the one"` {
		t.Errorf("got %s", got.Data())
	}
	for i, want := range []string{"the scale is broken", "unsupported type: chan int", "not a user"} {
		if i >= len(reported) || !strings.Contains(reported[i], want) || !strings.Contains(reported[i], "order.weighed") {
			t.Errorf("report %d: want %q of order.weighed in %q", i, want, reported)
		}
	}
	if len(reported) != 3 {
		t.Errorf("%d reports, not 3: %q", len(reported), reported)
	}
}
