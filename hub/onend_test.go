package hub_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
)

// OnEnd's function is called once, before the call that ends the stream returns.
func TestOnEndIsCalledOnce(t *testing.T) {
	var kinds event.Registry
	event.Define[string](&kinds, "notes", "note.added", "A note.")
	user := uuid.New()
	for name, end := range map[string]func(h *hub.Hub, s *hub.Subscription){
		"RevokeUser": func(h *hub.Hub, _ *hub.Subscription) { h.RevokeUser(context.Background(), user) },
		"End":        func(_ *hub.Hub, s *hub.Subscription) { s.End(hub.ReasonSlow) },
		"Close":      func(_ *hub.Hub, s *hub.Subscription) { s.Close() },
		"expiry":     func(*hub.Hub, *hub.Subscription) { time.Sleep(time.Minute); synctest.Wait() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := hub.New(&kinds, nil)
				s, err := h.Subscribe(hub.Request{
					Session: hub.Session{User: user, Expires: time.Now().Add(time.Minute), Allowed: hub.Everything()},
					Filter:  hub.Everything(),
				})
				if err != nil {
					t.Fatal(err)
				}
				calls := 0
				s.OnEnd(func() { calls++ })
				end(h, s)
				if calls != 1 {
					t.Errorf("called %d times", calls)
				}
				s.End(hub.ReasonGone)
				s.Close()
				if calls != 1 {
					t.Errorf("called %d times", calls)
				}
				s.OnEnd(func() { calls++ }) // too late: at once
				if calls != 2 {
					t.Errorf("called %d times", calls)
				}
			})
		})
	}
}
