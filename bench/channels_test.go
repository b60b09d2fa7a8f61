package bench

import (
	"sync"

	"github.com/google/uuid"

	"github.com/crier-go/crier/bench/internal/reader"
	"github.com/crier-go/crier/event"
)

// A channels is the common pattern: each reader has a channel, in a map behind a
// mutex, and a publish sends on each.
type channels struct {
	tally *reader.Tally
	work  sync.WaitGroup
	each  []chan *event.Event

	mu     sync.RWMutex
	byUser map[uuid.UUID]chan *event.Event
}

func newChannels(readers int) *channels {
	c := &channels{tally: reader.NewTally(patience), byUser: make(map[uuid.UUID]chan *event.Event, readers)}
	for i := range readers {
		ch := make(chan *event.Event, roundOf)
		c.each = append(c.each, ch)
		c.byUser[userID(i)] = ch
	}
	return c
}

// listen starts the readers.
func (c *channels) listen() {
	for _, ch := range c.each {
		c.work.Go(func() {
			for range ch {
				c.tally.Got(1)
			}
		})
	}
}

// send sends an event to one reader without blocking.
func send(ch chan *event.Event, e *event.Event) {
	select {
	case ch <- e:
	default: // lost; the tally shows it
	}
}

func (c *channels) publish(e *event.Event, to int) {
	c.mu.RLock()
	ch := c.byUser[userID(to)]
	c.mu.RUnlock()
	send(ch, e)
}

func (c *channels) publishAll(e *event.Event) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for _, ch := range c.byUser {
		send(ch, e)
	}
}

func (c *channels) close() {
	for _, ch := range c.each {
		close(ch)
	}
	c.work.Wait()
}
