package transport

import (
	"sync"
	"time"
)

// A schedule wakes the streams of one Acceptor when their heartbeats are due. It
// has one timer. (A timer for each stream takes 150 bytes, a twentieth of what an
// idle connection takes.) Time is divided into steps of a 256th of a heartbeat, and
// each step that is to come has a list of streams.
type schedule struct {
	step  time.Duration
	start time.Time

	mu    sync.Mutex
	lists []*Stream   // by step modulo their number
	count int         // streams in lists
	timer *time.Timer // nil until the first stream
	armed int64       // the step at which timer fires; zero if it does not
}

// A heartbeat is at most beatSteps away, so that a list has streams of one step only.
const (
	beatSteps = 256
	steps     = 2 * beatSteps
)

// newSchedule returns a schedule with so many lists: steps, or one if it is for one
// stream only.
func newSchedule(o *Options, lists int) *schedule {
	return &schedule{step: o.beatStep(), start: time.Now(), lists: make([]*Stream, lists)}
}

// now returns the time since the schedule was made.
func (c *schedule) now() time.Duration { return time.Since(c.start) }

// add makes a stream's heartbeat due after d, or up to a step later. The stream
// must not be in the schedule, and s.mu must be held.
func (c *schedule) add(s *Stream, d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	due := int64((c.now()+d)/c.step) + 1
	list := &c.lists[due%int64(len(c.lists))]
	s.beatStep, s.beatNext, s.beatPrev = due, *list, nil
	if s.beatNext != nil {
		s.beatNext.beatPrev = s
	}
	*list = s
	c.count++
	if c.armed == 0 || due < c.armed {
		c.arm(due)
	}
}

// remove takes a stream out, if it is in.
func (c *schedule) remove(s *Stream) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.beatStep == 0 {
		return
	}
	c.unlink(s)
	if c.count == 0 {
		c.timer.Stop()
		c.armed = 0
	}
}

// unlink takes out a stream that is in. c.mu is held.
func (c *schedule) unlink(s *Stream) {
	if s.beatPrev == nil {
		c.lists[s.beatStep%int64(len(c.lists))] = s.beatNext
	} else {
		s.beatPrev.beatNext = s.beatNext
	}
	if s.beatNext != nil {
		s.beatNext.beatPrev = s.beatPrev
	}
	s.beatStep, s.beatNext, s.beatPrev = 0, nil, nil
	c.count--
}

// arm sets the timer for a step. c.mu is held.
func (c *schedule) arm(step int64) {
	c.armed = step
	after := time.Duration(step)*c.step - c.now()
	if c.timer == nil {
		c.timer = time.AfterFunc(after, c.fire)
		return
	}
	c.timer.Reset(after)
}

// fire wakes the streams whose step has come, and sets the timer for the next
// step that has streams.
func (c *schedule) fire() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.count == 0 {
		return
	}
	reached := int64(c.now() / c.step)
	for step := c.armed; c.count > 0; step++ {
		list := &c.lists[step%int64(len(c.lists))]
		for *list != nil && (*list).beatStep <= reached {
			s := *list
			c.unlink(s)
			s.beatDue.Store(true)
			s.sub.Wake()
		}
		if *list != nil {
			c.arm((*list).beatStep)
			return
		}
	}
	c.armed = 0
}
