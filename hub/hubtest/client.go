// Package hubtest helps to test applications that publish to a hub.
//
// A [Client] is a user's open stream that records what it receives, without any
// transport between. A [Fence] waits until as many streams are open, or over,
// as a test needs, where the streams are those of real clients.
//
// All waiting gives up after [Patience] and fails the test in words; in a
// testing/synctest bubble that is fake time.
package hubtest

import (
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
)

// Patience is how long a test waits for something to happen before it fails.
const Patience = 10 * time.Second

// A Client is one stream of a user. Unless it is stalled, it reads all the time
// and keeps everything. Its methods are for the test's goroutine.
type Client struct {
	t    testing.TB
	sub  *hub.Subscription
	work sync.WaitGroup

	mu       sync.Mutex
	received []*hub.Message
	reason   error
	more     chan struct{} // closed and made anew whenever something comes
	next     int           // what Next returns
}

// Subscribe opens a stream of the user that receives everything from now on. It
// is closed when the test ends.
func Subscribe(t testing.TB, h *hub.Hub, user uuid.UUID) *Client {
	t.Helper()
	return Open(t, h, hub.Request{
		Session: hub.Session{User: user, ID: "hubtest", Allowed: hub.Everything()},
		Filter:  hub.Everything(),
	})
}

// Open opens a stream for a request of your own, for instance one that resumes.
func Open(t testing.TB, h *hub.Hub, r hub.Request) *Client {
	t.Helper()
	c := Stalled(t, h, r)
	c.Read()
	return c
}

// Stalled opens a stream that does not read until Read is called: a client
// whose connection hangs. Publish enough, and it is told of a gap.
func Stalled(t testing.TB, h *hub.Hub, r hub.Request) *Client {
	t.Helper()
	if r.Transport == "" {
		r.Transport = "hubtest"
	}
	sub, err := h.Subscribe(r)
	if err != nil {
		t.Fatalf("hubtest: cannot subscribe: %v", err)
	}
	c := &Client{t: t, sub: sub, more: make(chan struct{})}
	t.Cleanup(c.Close)
	return c
}

// Read begins to read. Call it once, on a stalled client.
func (c *Client) Read() {
	c.work.Go(func() {
		for {
			batch, err := c.sub.Take(nil)
			c.mu.Lock()
			c.received = append(c.received, batch...)
			c.reason = err
			if len(batch) > 0 || err != nil {
				close(c.more)
				c.more = make(chan struct{})
			}
			c.mu.Unlock()
			if err != nil {
				return
			}
			if len(batch) == 0 {
				<-c.sub.Ready()
			}
		}
	})
}

// Next returns the next message, an event or a gap, and waits for it.
func (c *Client) Next() *hub.Message {
	c.t.Helper()
	c.wait("the next message", func() bool { return len(c.received) > c.next })
	c.mu.Lock()
	defer c.mu.Unlock()
	c.next++
	return c.received[c.next-1]
}

// Received waits until there are n messages in all, and returns what has been
// received so far.
func (c *Client) Received(n int) []*hub.Message {
	c.t.Helper()
	c.wait("more messages", func() bool { return len(c.received) >= n })
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.received[:len(c.received):len(c.received)]
}

// Ended waits for the stream to end, and returns why.
func (c *Client) Ended() hub.Reason {
	c.t.Helper()
	c.wait("its end", func() bool { return c.reason != nil })
	c.mu.Lock()
	defer c.mu.Unlock()
	reason, _ := c.reason.(hub.Reason)
	return reason
}

// Cursor returns what the client would resume from.
func (c *Client) Cursor() string { return c.sub.Cursor() }

// Close hangs up.
func (c *Client) Close() {
	c.sub.End(hub.ReasonGone)
	c.work.Wait()
	c.sub.Close()
}

// wait waits until done, which is called under c.mu.
func (c *Client) wait(what string, done func() bool) {
	c.t.Helper()
	timeout := time.NewTimer(Patience)
	defer timeout.Stop()
	for {
		c.mu.Lock()
		ok, more, received, reason := done(), c.more, len(c.received), c.reason
		c.mu.Unlock()
		if ok {
			return
		}
		if reason != nil {
			c.t.Fatalf("hubtest: waiting for %s, but the stream has ended (%v) after %d messages", what, reason, received)
		}
		select {
		case <-more:
		case <-timeout.C:
			c.t.Fatalf("hubtest: waited %v for %s; %d messages were received", Patience, what, received)
		}
	}
}

// Quiet checks that nothing comes for a while: everything that was published before
// it was called has been received, and Next has returned it.
func (c *Client) Quiet() {
	c.t.Helper()
	pause := time.NewTimer(quiet)
	defer pause.Stop()
	<-pause.C
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := len(c.received); n > c.next {
		c.t.Fatalf("hubtest: nothing was expected; %d more messages came, the first %s %s", n-c.next, c.received[c.next].Type(), c.received[c.next].Data())
	}
}

// quiet is how long Quiet waits. A message that is in the hub already needs
// microseconds.
const quiet = 50 * time.Millisecond

// Next returns the payload of the client's next message, which must be an event of
// kind k, and waits for it.
func Next[T any](c *Client, k event.Kind[T]) T {
	c.t.Helper()
	m := c.Next()
	if m.Event() == nil || m.Type() != k.Info().Type {
		c.t.Fatalf("hubtest: the next message is a %s %s; want a %s", m.Type(), m.Data(), k.Info().Type)
	}
	payload, err := k.Payload(m.Event())
	if err != nil {
		c.t.Fatalf("hubtest: %v", err)
	}
	return payload
}
