package hubtest_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/google/uuid"

	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/hub/hubtest"
)

var (
	kinds  event.Registry
	posted = event.Define[string](&kinds, "chat", "chat.message.posted", "A message.")
	ada    = uuid.MustParse("7d0f2f0e-52c5-4f7e-8a35-0c63a1b8d6f1")
)

func publish(t *testing.T, h *hub.Hub, text string) {
	t.Helper()
	if err := greet(h, ada, text); err != nil {
		t.Fatal(err)
	}
}

// What a user's test looks like.
func TestClient(t *testing.T) {
	h := hub.New(&kinds, nil)
	c := hubtest.Subscribe(t, h, ada)
	c.Quiet()
	publish(t, h, "zero")
	if got := hubtest.Next(c, posted); got != "zero" {
		t.Errorf("got %s", got)
	}
	c.Quiet()
	publish(t, h, "one")
	publish(t, h, "two")
	if got := c.Next(); string(got.Data()) != `"one"` {
		t.Errorf("got %s", got.Data())
	}
	if got := c.Received(3); string(got[2].Data()) != `"two"` {
		t.Errorf("got %s", got[2].Data())
	}
	h.RevokeUser(context.Background(), ada)
	if got := c.Ended(); got != hub.ReasonRevoked {
		t.Errorf("ended as %v", got)
	}
}

func TestStalled(t *testing.T) {
	h := hub.New(&kinds, &hub.Options{UserEvents: 2})
	c := hubtest.Stalled(t, h, hub.Request{Session: hub.Session{User: ada, Allowed: hub.Everything()}, Filter: hub.Everything()})
	for i := range 5 {
		publish(t, h, fmt.Sprint(i))
	}
	c.Read()
	if got := c.Next(); got.Type() != hub.TypeGap {
		t.Errorf("got %s, not a gap", got.Type())
	}
	if got := c.Next(); string(got.Data()) != `"3"` {
		t.Errorf("got %s", got.Data())
	}
}

func TestFence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var fence hubtest.Fence
		seen := 0
		h := hub.New(&kinds, &hub.Options{Observer: fence.Observe(&hub.Observer{Ended: func(hub.Stream) { seen++ }})})
		go func() { hubtest.Subscribe(t, h, ada).Close() }()
		fence.Opened(t, 1)
		fence.Ended(t, 1)
		if seen != 1 {
			t.Error("the observer behind the fence was not told")
		}
	})
}

// giveUp stands for a test, and records how it fails and what is to be done
// after it.
type giveUp struct {
	testing.TB
	said  string
	after []func()
}

func (g *giveUp) Helper()                      {}
func (g *giveUp) Cleanup(f func())             { g.after = append(g.after, f) }
func (g *giveUp) Fatal(args ...any)            { g.Fatalf("%s", fmt.Sprint(args...)) }
func (g *giveUp) Fatalf(f string, args ...any) { g.said = fmt.Sprintf(f, args...); panic(g.said) }

// A test that waits for what never comes is told so in words, after Patience.
func TestPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hub.New(&kinds, nil)
		g := &giveUp{TB: t}
		c := hubtest.Subscribe(g, h, ada)
		func() {
			defer func() { recover() }()
			c.Next()
		}()
		if want := "hubtest: waited 10s for the next message; 0 messages were received"; g.said != want {
			t.Errorf("said %q", g.said)
		}
		c.Close()
	})
}
