package transport

import (
	"runtime"
	"sync"
	"time"

	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/transport/internal/reactor"
)

// A crew writes the streams of one Acceptor whose connections are the reactor's. It
// has a queue of streams that have been woken, and a worker for each processor: a
// goroutine that exists while there is something in the queue. A worker takes a group
// of streams, makes one attempt to write for each of them (with one system call for
// all, if it has a ring), and puts those to sleep for which nothing is left.
//
// A worker never waits for a client. What it cannot do at once (a client has no room,
// the stream ends, a heartbeat is due) it leaves to a goroutine of the stream's own,
// which runs the write loop until the stream sleeps.
//
// A worker may have to wait for the application, in an observer or a slog.Handler. Its
// group waits with it, but no write of the group is under way then, so neither pongs
// nor ws.Client.Send wait. For all others, another worker is started. If the
// application ends the worker (runtime.Goexit), its streams go on in goroutines of
// their own.
type crew struct {
	ring bool   // workers have rings
	most int    // workers that do not wait for the application
	run  func() // work; kept because a go statement with a method value allocates

	mu          sync.Mutex
	first, last *Stream // the queue, linked by Stream.next
	workers     int
	taken       uint64 // groups, so far
	seen        uint64 // taken when watch last looked
	timer       *time.Timer
	watching    bool // timer runs
}

const (
	// groupSize is how many streams a worker takes at once. A ring takes as many
	// writes.
	groupSize = 64
	// rounds is how often in a row a worker writes to the same group. What then has
	// more to write queues again.
	rounds = 8
	// patience is how long a queue may stand still before another worker is started.
	patience = 10 * time.Millisecond
)

func newCrew(o *Options) *crew {
	c := &crew{most: runtime.GOMAXPROCS(0)}
	c.run = c.work
	if o.IOUring {
		ring, err := reactor.GetRing()
		if err != nil {
			o.Logger.Warn("crier: io_uring cannot be used, so each write is a system call", "error", err)
			return c
		}
		reactor.PutRing(ring)
		c.ring = true
	}
	return c
}

// add queues a stream, which must not be queued. It does not wait.
func (c *crew) add(s *Stream) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last == nil {
		c.first = s
	} else {
		c.last.next = s
	}
	c.last = s
	switch {
	case c.workers < c.most:
		c.start()
	case !c.watching:
		c.watching = true
		c.watchLater()
	}
}

// start starts a worker. c.mu is held.
func (c *crew) start() {
	c.workers++
	go c.run()
}

// take moves a group from the queue to slots. If there is none, the worker is done.
func (c *crew) take(slots *[groupSize]turn) (group []turn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for c.first != nil && n < groupSize {
		s := c.first
		c.first, s.next = s.next, nil
		slots[n].s = s
		n++
	}
	if c.first == nil {
		c.last = nil
	}
	if n == 0 {
		c.workers--
	}
	c.taken++
	return slots[:n]
}

// watchLater sets the timer. c.mu is held.
func (c *crew) watchLater() {
	c.seen = c.taken
	if c.timer == nil {
		c.timer = time.AfterFunc(patience, c.watch)
		return
	}
	c.timer.Reset(patience)
}

// watch starts a worker if the queue stands still, since all workers wait for the
// application.
func (c *crew) watch() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.first == nil {
		c.watching = false
		return
	}
	if c.taken == c.seen {
		c.start()
	}
	c.watchLater()
}

// A worker has what it needs while it works.
type worker struct {
	turns  [groupSize]turn
	writes [groupSize]reactor.Write
}

var workers = sync.Pool{New: func() any { return new(worker) }}

// work takes groups and writes to them, until the queue is empty.
func (c *crew) work() {
	w := workers.Get().(*worker)
	over := false
	defer func() {
		if !over {
			c.abandon(w)
		}
	}()
	var ring *reactor.Ring
	if c.ring {
		var err error
		if ring, err = reactor.GetRing(); err == nil { // else there are no descriptors left
			defer reactor.PutRing(ring)
		}
	}
	for group := c.take(&w.turns); len(group) > 0; group = c.take(&w.turns) {
		w.write(group, ring)
	}
	over = true
	workers.Put(w)
}

// abandon is called when the application has ended a worker's goroutine.
func (c *crew) abandon(w *worker) {
	for i := range w.turns {
		t := &w.turns[i]
		s := t.s
		switch {
		case s == nil:
		case t.taking: // what has been taken is lost, unless the client comes back for it
			s.fail(hub.ReasonGone)
		default:
			go s.resume(t.handOver(nil, nil))
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.workers--
	if c.first != nil && c.workers < c.most {
		c.start()
	}
}

// write writes to a group until no turn is left. Only next calls the application. No
// write is under way then.
func (w *worker) write(group []turn, ring *reactor.Ring) {
	now := time.Now()
	for round := 1; ; round++ {
		group = keep(group, func(t *turn) bool { return t.next(now, round > rounds) })
		n := 0
		group = keep(group, func(t *turn) bool {
			goesOn := t.begin(&w.writes[n])
			if goesOn {
				n++
			}
			return goesOn
		})
		if n == 0 {
			return
		}
		ring.Do(w.writes[:n])
		now = time.Now()
		i := 0
		group = keep(group, func(t *turn) bool {
			i++
			return t.finish(&w.writes[i-1])
		})
		clear(w.writes[:n]) // they must not keep bytes and connections alive
	}
}

// keep moves those turns to the front for which f returns true, in their order, and
// returns them. The others are over.
func keep(group []turn, f func(*turn) bool) []turn {
	n := 0
	for i := range group {
		if !f(&group[i]) {
			group[i].reset()
			continue
		}
		if i != n {
			group[n], group[i] = group[i], group[n]
		}
		n++
	}
	return group[:n]
}
