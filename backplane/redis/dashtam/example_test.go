package dashtam_test

import (
	"context"
	"fmt"

	goredis "github.com/redis/go-redis/v9"

	"github.com/crier-go/crier/backplane/redis/dashtam"
	"github.com/crier-go/crier/backplane/redis/internal/redistest"
	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
)

// What Crier publishes goes through Redis, where the Python service hears it,
// and comes back to the hub.
func Example() {
	t := new(redistest.Example)
	defer t.End()
	server := redistest.Start(t)

	client := goredis.NewClient(&goredis.Options{Addr: server.Addr()})
	defer client.Close()
	h := newHub() // a hub.Hub, and what Hub asks for beside
	browser, err := h.Subscribe(hub.Request{
		Session: hub.Session{User: ada, Allowed: hub.Everything()},
		Filter:  hub.Everything(),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer browser.Close()
	bridge := dashtam.New(client, h, nil)

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan error)
	go func() { done <- bridge.Run(ctx) }()
	<-bridge.Ready()

	e, err := posted.New(ada, "hello")
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := bridge.Publish(ctx, e); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(next(browser))
	cancel()
	fmt.Println(<-done)
	// Output:
	// chat.message.posted "hello"
	// context canceled
}

// next waits for the next message, as a transport does.
func next(s *hub.Subscription) (event.Type, string) {
	for {
		messages, err := s.Take(nil)
		if err != nil {
			return "", err.Error()
		}
		for _, m := range messages {
			return m.Type(), string(m.Data())
		}
		<-s.Ready()
	}
}
