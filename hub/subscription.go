package hub

import (
	"encoding/json"
	"sync"
	"sync/atomic"
	"time"

	"github.com/crier-go/crier/event"
)

// A Subscription is one reader of a user's events: a filter and a position in
// the hub's order. It has no queue; Take reads from the hub's logs.
//
// One goroutine at a time may call Take; all other methods are safe for
// concurrent use. Close it, or the hub keeps it for ever.
//
// The fields stand in the order in which they are used, since a hub's sleepers
// are cold memory: what a publisher touches to wake one, what the reader then
// touches, and the rest.
type Subscription struct {
	// hears is the filter in force. Publishers look at it to see whom to wake.
	hears atomic.Uint64
	// asleep is set before the head is looked at for the last time, and cleared
	// by whoever wakes the subscription: that one, and nobody else, signals.
	asleep atomic.Bool
	// poked is set by a Wake that found the subscription awake.
	poked atomic.Bool
	// listed is false if it must put itself into the index before it sleeps.
	listed atomic.Bool
	slot   uint32        // in the hub's index
	notify func()        // Request.Notify
	ready  chan struct{} // nil if notify is set

	hub *Hub
	log *log // the user's

	mu        sync.Mutex
	draining  bool        // it ends when everything has been taken
	closed    bool        // Close has been called
	position  position    // everything up to here has been taken
	from      [4]position // and of each source, what lies behind this is wanted
	over      Reason      // why it ended, once it has
	pending   []*Message  // of the hub's own, to be taken first
	delivered uint64
	gaps      uint64
	start     start // where it began, until a gap of an unknown id has been taken; else zero
	abort     func()
	onEnd     func()
	expiry    *time.Timer

	id         uint64
	session    Session
	transport  string
	remoteAddr string
	userAgent  string
	started    int64 // by the hub's clock
	allowed    categorySet
}

// batchBytes bounds what one Take returns, unless a single message is larger.
const batchBytes = 64 << 10

// Take returns what is new: events and the hub's own messages, in the hub's
// order, at most 64 KiB or one message. It appends to buf[:0], so that a
// buffer can be used again. It never blocks.
//
// An empty result without an error means that there is nothing and that the
// subscription now sleeps: the next thing to happen signals Ready, or calls
// Request.Notify, exactly once. An error is the [Reason] for which the
// subscription has ended; nothing follows it.
func (s *Subscription) Take(buf []*Message) ([]*Message, error) {
	s.mu.Lock()
	m, ok := s.takeOne()
	s.mu.Unlock()
	switch {
	case ok && m == nil:
		return buf[:0], nil
	case ok:
		return append(buf[:0], m), nil
	}
	batch, gaps, err := s.takeBatch(buf[:0])
	if gaps > 0 {
		s.hub.observeGaps(s, batch)
	}
	return batch, err
}

// takeOne is Take where at most one event is new, as it is for whoever was
// asleep: it returns that, or nil once the subscription sleeps. It reports
// whether that was so. It is short because a sleeper's memory is cold, its stack
// included: through takeBatch a delivery cost a fifth more. Under s.mu.
func (s *Subscription) takeOne() (m *Message, ok bool) {
	if s.asleep.Load() { // nobody has woken it
		s.asleep.Store(false)
	}
	if s.over != "" || s.pending != nil {
		return nil, false
	}
	head := s.hub.head.Load()
	if head != s.position {
		e := s.latest(head)
		if e == nil {
			return nil, false
		}
		s.position = head
		if s.hears.Load()&(1<<e.message.category) != 0 {
			s.delivered++
			return e.message, true
		}
	}
	return nil, s.sleep(head)
}

func (s *Subscription) takeBatch(buf []*Message) (batch []*Message, gaps int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		if s.over != "" && !s.draining {
			return nil, 0, s.over
		}
		if s.pending != nil {
			buf = append(buf, s.pending...)
			s.pending, s.start = nil, start{}
		}
		head := s.hub.head.Load()
		batch, more := s.read(buf, head, batchBytes)
		switch {
		case len(batch) > 0:
			return batch, s.count(batch), nil
		case more:
			continue
		case s.draining:
			s.draining = false // told: no later reason takes its place
			return nil, 0, s.over
		}
		if s.sleep(head) {
			return batch, 0, nil
		}
	}
}

// sleep puts the subscription to sleep, or reports false if there is something
// to read after all. Under s.mu.
func (s *Subscription) sleep(head position) bool {
	s.asleep.Store(true)
	s.hub.index.list(s)
	if s.poked.Load() && s.poked.Swap(false) && s.asleep.CompareAndSwap(true, false) {
		s.signal()
		return true
	}
	if s.hub.head.Load() == head || !s.behind(head) {
		return true
	}
	// Something came in while we lay down. If its publisher has seen us lying,
	// the signal is on its way and the next Take will read it.
	return !s.asleep.CompareAndSwap(true, false)
}

// wakeUp signals a sleeping subscription, and reports whether it slept.
func (s *Subscription) wakeUp() bool {
	if s.asleep.Load() && s.asleep.CompareAndSwap(true, false) {
		s.signal()
		return true
	}
	return false
}

func (s *Subscription) signal() {
	if s.notify != nil {
		s.notify()
		return
	}
	select {
	case s.ready <- struct{}{}:
	default:
	}
}

// Wake signals Ready although nothing has been published: whoever runs a
// stream has one thing to wait on, and lets its own timers come through it. A
// Wake while the subscription is awake makes its next sleep end at once.
func (s *Subscription) Wake() {
	if s.wakeUp() {
		return
	}
	s.poked.Store(true)
	s.wakeUp()
}

// Ready returns the channel that is signalled when a sleeping subscription has
// something to take. A signal may come without a reason. It is nil if the
// request had a Notify.
func (s *Subscription) Ready() <-chan struct{} { return s.ready }

// Cursor returns the position up to which everything has been taken, as a
// client may present it to resume. It moves past what is not for this
// subscription, so that a filter that matches nothing for hours still resumes
// without a gap.
func (s *Subscription) Cursor() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.start.unknown {
		return s.hub.mint.nowhere(s.start).String()
	}
	if s.pending == nil && s.over == "" {
		s.skip()
	}
	return s.hub.mint.cursor(s.position).String()
}

// skip moves the position up to the next thing to be taken. Under s.mu.
func (s *Subscription) skip() {
	head := s.hub.head.Load()
	for {
		before := s.position
		if s.read(nil, head, 0); s.position == before {
			return
		}
	}
}

// Session returns the session that the subscription was opened with.
func (s *Subscription) Session() Session { return s.session }

// SetFilter changes what the subscription hears, within what its session
// allows. It holds for everything that has not been taken yet, and the next
// Take begins with a message of [TypeFilter] that names the categories now
// heard; of several changes between two Takes, with one for the last. An
// unknown category is an [UnknownCategoryError], and nothing changes.
func (s *Subscription) SetFilter(f Filter) error {
	set, err := s.hub.compile(f)
	if err != nil {
		return err
	}
	set &= s.allowed
	data, err := json.Marshal(struct {
		Categories []event.Category `json:"categories"`
	}{s.hub.kinds.names(set)})
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.skip() // what was unwanted until now stays so
	s.hears.Store(set)
	if n := len(s.pending); n > 0 && s.pending[n-1].own.typ == TypeFilter {
		s.pending = s.pending[:n-1] // superseded; a client that never reads cannot pile them up
	}
	s.pending = append(s.pending, newOwnMessage(s.hub.mint.cursor(s.position), TypeFilter, data))
	s.mu.Unlock()
	s.Wake()
	return nil
}

// count adds a batch to the numbers, and returns how many gaps are in it.
// Under s.mu.
func (s *Subscription) count(batch []*Message) (gaps int) {
	for _, m := range batch {
		switch {
		case m.event != nil:
			s.delivered++
		case m.own.typ == TypeGap:
			gaps++
		}
	}
	s.gaps += uint64(gaps)
	return gaps
}

// End ends the subscription: Take returns the reason, at once, and what has
// not been taken is left. The first reason stands. It is for who runs a
// stream; RevokeUser and Shutdown call it themselves.
func (s *Subscription) End(reason Reason) { s.end(reason, false) }

func (s *Subscription) end(reason Reason, drain bool) {
	s.mu.Lock()
	var onEnd func()
	switch {
	case s.over == "":
		s.over, s.draining = reason, drain
		onEnd = s.onEnd
	case s.draining && !drain: // more urgent than a shutdown
		s.over, s.draining = reason, false
	}
	s.mu.Unlock()
	if onEnd != nil {
		onEnd()
	}
	s.Wake()
}

// OnEnd sets a function that is called once, when the subscription is given a
// reason to end: before RevokeUser or RevokeSession returns, for instance, and
// also while Take still returns what was published before. It is called in the
// goroutine that ends the subscription, or at once if that has happened; it
// must return quickly. Close calls it, too. It is for who reads from the client
// while the stream is written to.
func (s *Subscription) OnEnd(f func()) {
	s.mu.Lock()
	over := s.over != ""
	if !over {
		s.onEnd = f
	}
	s.mu.Unlock()
	if over {
		f()
	}
}

// OnAbort sets what unblocks a write to this stream's client. Shutdown calls
// it, at most once and from any goroutine, for streams that have not ended by
// the time its context is over.
func (s *Subscription) OnAbort(f func()) {
	s.mu.Lock()
	s.abort = f
	s.mu.Unlock()
}

// Close releases the subscription; its reason is [ReasonGone] if it has not ended
// otherwise. It closes nothing else, and may be called again.
func (s *Subscription) Close() {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.closed = true
	var onEnd func()
	if s.over == "" {
		s.over, onEnd = ReasonGone, s.onEnd
	}
	s.draining = false
	if s.expiry != nil {
		s.expiry.Stop()
	}
	s.mu.Unlock()
	if onEnd != nil {
		onEnd()
	}
	s.hub.detach(s)
}
