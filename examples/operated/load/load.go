// Package load is simulated people who use the chat of examples/chat.
//
// Each person logs in, follows rooms and talks, over the same HTTP, Server-Sent
// Events and WebSocket as everybody else. What makes them different is their
// connection, see habits.go: some leave and come back, some read slowly or not at
// all, some open too many tabs. The metrics of the server show each of these.
//
// # How many there are
//
// The first twenty people have each habit at least once. With 40 people the server
// is sent about 15 messages a second, ten of them in the room "prices".
package load

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"
)

// Options say who uses which chat.
type Options struct {
	// URL is the chat's, such as http://localhost:8080.
	URL string
	// People is how many there are. Zero means nobody.
	People int
	// Speed is how many times faster than people they are. Default 1.
	Speed float64
	// Logger receives what went wrong, one line for each person and attempt.
	// Default slog.Default().
	Logger *slog.Logger
}

// Run lets people use the chat until ctx is over. It returns when the last has
// left, and leaves no goroutine and no connection behind.
func Run(ctx context.Context, o Options) {
	if o.Speed <= 0 {
		o.Speed = 1
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	var all sync.WaitGroup
	defer all.Wait()
	names := make([]string, o.People)
	for i := range names {
		names[i] = nameOf(i)
	}
	for i, name := range names {
		p := newPerson(o, name, names)
		all.Go(func() { p.live(ctx, habits[i%len(habits)]) })
	}
	if o.People > 0 {
		ticker := newPerson(o, "Ticker", nil)
		all.Go(func() { ticker.live(ctx, habit{do: prices}) })
	}
}

// wait waits for a time, and reports whether ctx still goes on.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// about returns a random duration between half of d and three halves of it.
func about(d time.Duration) time.Duration { return d/2 + rand.N(d) }
