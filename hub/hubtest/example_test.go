package hubtest_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/uuid"

	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/hub/hubtest"
)

// greet is the application whose tests follow: it tells a user something.
func greet(h *hub.Hub, user uuid.UUID, text string) error {
	e, err := posted.New(user, text)
	if err != nil {
		return err
	}
	return h.Publish(context.Background(), e)
}

// A client receives what a user's browser would.
func ExampleSubscribe() {
	// In a test of your own, this is func TestGreet(t *testing.T).
	test := func(t testing.TB) {
		h := hub.New(&kinds, nil)
		c := hubtest.Subscribe(t, h, ada)
		if err := greet(h, ada, "hello"); err != nil {
			t.Fatal(err)
		}
		m := c.Next()
		fmt.Println(m.Type(), string(m.Data()))
	}
	run(test)
	// Output: chat.message.posted "hello"
}

// A client that stalls for longer than the hub retains events is told of a gap,
// and then receives the rest.
func ExampleStalled() {
	test := func(t testing.TB) {
		h := hub.New(&kinds, &hub.Options{UserEvents: 1})
		c := hubtest.Stalled(t, h, hub.Request{
			Session: hub.Session{User: ada, Allowed: hub.Everything()},
			Filter:  hub.Everything(),
		})
		for _, text := range []string{"one", "two", "three"} {
			if err := greet(h, ada, text); err != nil {
				t.Fatal(err)
			}
		}
		c.Read()
		for _, m := range c.Received(2) {
			fmt.Println(m.Type(), string(m.Data()))
		}
	}
	run(test)
	// Output:
	// stream.gap {"reason":"evicted"}
	// chat.message.posted "three"
}

// run stands for go test here.
func run(test func(testing.TB)) {
	t := &giveUp{}
	defer func() {
		for _, f := range t.after {
			f()
		}
	}()
	test(t)
}
