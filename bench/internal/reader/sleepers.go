package reader

import (
	"sync"
	"sync/atomic"
)

// Sleepers are readers of a shared list: a publish appends once, and wakes each reader that sleeps, through a channel of
// its own. They have no filter, no replay and no slow reader, so they show what these cost.
type Sleepers[E any] struct {
	each []*sleeper[E]
	work sync.WaitGroup
}

// Round is how many events may be published while a reader does not read.
const Round = 64

// NewSleepers returns readers of one list, or of one each.
func NewSleepers[E any](readers int, own bool) *Sleepers[E] {
	s := &Sleepers[E]{each: make([]*sleeper[E], readers)}
	l := new(list[E])
	for i := range s.each {
		if own {
			l = new(list[E])
		}
		s.each[i] = &sleeper[E]{list: l, wake: make(chan struct{}, 1)}
	}
	return s
}

// Listen gives each reader a goroutine, which counts on the tally.
func (s *Sleepers[E]) Listen(t *Tally) {
	for _, r := range s.each {
		s.work.Go(func() { r.run(t) })
	}
}

// Asleep reports whether all readers sleep.
func (s *Sleepers[E]) Asleep() bool {
	for _, r := range s.each {
		if !r.asleep.Load() {
			return false
		}
	}
	return true
}

// PublishAll appends to the list that all readers share.
func (s *Sleepers[E]) PublishAll(e E) {
	s.each[0].list.append(e)
	for _, r := range s.each {
		r.wakeUp()
	}
}

// Publish appends to the list of one reader.
func (s *Sleepers[E]) Publish(e E, to int) {
	s.each[to].list.append(e)
	s.each[to].wakeUp()
}

// Take returns how many events are new to a reader that does not listen.
func (s *Sleepers[E]) Take(reader int) int { return s.each[reader].take() }

// Close ends the readers that listen.
func (s *Sleepers[E]) Close() {
	for _, r := range s.each {
		close(r.wake)
	}
	s.work.Wait()
}

// A list is a ring of the last events that readers have in common.
type list[E any] struct {
	mu   sync.RWMutex
	ring [Round]E
	head int
}

func (l *list[E]) append(e E) {
	l.mu.Lock()
	l.ring[l.head%len(l.ring)] = e
	l.head++
	l.mu.Unlock()
}

func (l *list[E]) length() int {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.head
}

// A sleeper reads a list and sleeps at its end, until it is woken.
type sleeper[E any] struct {
	list   *list[E]
	taken  int
	asleep atomic.Bool
	wake   chan struct{}
}

func (s *sleeper[E]) take() int {
	n := s.list.length() - s.taken
	s.taken += n
	return n
}

func (s *sleeper[E]) wakeUp() {
	if s.asleep.Load() && s.asleep.CompareAndSwap(true, false) {
		s.wake <- struct{}{}
	}
}

func (s *sleeper[E]) run(t *Tally) {
	got := 0
	for {
		if n := s.take(); n > 0 {
			got += n
			continue
		}
		s.asleep.Store(true)
		// An append before this store woke nobody.
		if s.list.length() > s.taken && s.asleep.CompareAndSwap(true, false) {
			continue
		}
		t.Got(got)
		got = 0
		if _, ok := <-s.wake; !ok {
			return
		}
	}
}
