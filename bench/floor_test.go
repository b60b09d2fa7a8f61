package bench

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"github.com/crier-go/crier/bench/internal/rig"
	"github.com/crier-go/crier/event"
)

// The floors do the least that events can be handed to readers with. They know
// no filter, no replay and no slow reader: what they take is what none of this
// costs.

// A channels is what most programs have: each reader has a channel, in a map
// behind a mutex, and a publish sends on each.
type channels struct {
	tally *tally
	work  sync.WaitGroup
	each  []chan *event.Event

	mu     sync.RWMutex
	byUser map[uuid.UUID]chan *event.Event
}

func newChannels(readers int) *channels {
	c := &channels{tally: newTally(), byUser: make(map[uuid.UUID]chan *event.Event, readers)}
	for i := range readers {
		ch := make(chan *event.Event, roundOf)
		c.each = append(c.each, ch)
		c.byUser[rig.User(i)] = ch
	}
	return c
}

// listen starts the readers.
func (c *channels) listen() {
	for _, ch := range c.each {
		c.work.Go(func() {
			for range ch {
				c.tally.got(1)
			}
		})
	}
}

// send hands an event to one reader, and never waits for it.
func send(ch chan *event.Event, e *event.Event) {
	select {
	case ch <- e:
	default: // lost, which the tally will show
	}
}

func (c *channels) publish(e *event.Event, to int) {
	c.mu.RLock()
	ch := c.byUser[rig.User(to)]
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

// A sharedLog is a list of the last events that readers have in common.
type sharedLog struct {
	mu   sync.RWMutex
	ring [roundOf]*event.Event
	head int
}

func (l *sharedLog) append(e *event.Event) {
	l.mu.Lock()
	l.ring[l.head%len(l.ring)] = e
	l.head++
	l.mu.Unlock()
}

func (l *sharedLog) length() int {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.head
}

// A sleeper reads a log and sleeps at its end, until it is woken.
type sleeper struct {
	log    *sharedLog
	taken  int
	asleep atomic.Bool
	wake   chan struct{}
}

// take returns how many events there are that it has not taken before.
func (s *sleeper) take() int {
	n := s.log.length() - s.taken
	s.taken += n
	return n
}

func (s *sleeper) wakeUp() {
	if s.asleep.Load() && s.asleep.CompareAndSwap(true, false) {
		s.wake <- struct{}{}
	}
}

func (s *sleeper) run(t *tally) {
	got := 0
	for {
		if n := s.take(); n > 0 {
			got += n
			continue
		}
		s.asleep.Store(true)
		// What was appended before that was seen woke nobody.
		if s.log.length() > s.taken && s.asleep.CompareAndSwap(true, false) {
			continue
		}
		t.got(got)
		got = 0
		if _, ok := <-s.wake; !ok {
			return
		}
	}
}

// A sleepers is the way of a shared list: a publish appends once, and wakes
// each reader that sleeps.
type sleepers struct {
	tally *tally
	each  []*sleeper
	work  sync.WaitGroup
}

// newSleepers returns readers of one log, or of one each.
func newSleepers(readers int, own bool) *sleepers {
	s := &sleepers{tally: newTally(), each: make([]*sleeper, readers)}
	log := &sharedLog{}
	for i := range s.each {
		if own {
			log = &sharedLog{}
		}
		s.each[i] = &sleeper{log: log, wake: make(chan struct{}, 1)}
	}
	return s
}

func (s *sleepers) listen() {
	for _, r := range s.each {
		s.work.Go(func() { r.run(s.tally) })
	}
}

// awaitSleep returns once all readers sleep for the first time.
func (s *sleepers) awaitSleep(tb testing.TB) {
	for _, r := range s.each {
		await(tb, "the readers to sleep", r.asleep.Load)
	}
}

// publishAll appends to the log that all readers share.
func (s *sleepers) publishAll(e *event.Event) {
	s.each[0].log.append(e)
	for _, r := range s.each {
		r.wakeUp()
	}
}

// publish appends to the log of one reader.
func (s *sleepers) publish(e *event.Event, to int) {
	s.each[to].log.append(e)
	s.each[to].wakeUp()
}

func (s *sleepers) close() {
	for _, r := range s.each {
		close(r.wake)
	}
	s.work.Wait()
}
