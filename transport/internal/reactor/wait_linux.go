package reactor

import (
	"errors"
	"net"
	"os"
	"time"
)

// Read reads what has come, and waits while that is nothing.
func (c *conn) Read(p []byte) (int, error) {
	for {
		n, err := c.TryRead(p)
		if err != ErrNotReady {
			return n, err
		}
		c.wait(&c.in)
	}
}

// Write writes all of p. It looks at its deadline only when it has to wait.
func (c *conn) Write(p []byte) (n int, err error) {
	for {
		m, err := c.TryWrite(p[n:])
		n += m
		if err == ErrNotReady {
			c.wait(&c.out)
			err = c.check(&c.out)
		}
		if err != nil || n == len(p) {
			return n, err
		}
	}
}

// A half is one direction of a connection. It is guarded by conn.mu.
type half struct {
	// ready is set by an event, and cleared before each attempt to read or
	// write. So an attempt that fails has missed nothing if ready is still false.
	ready    bool
	waiter   chan struct{} // closed to wake who waits; nil if nobody does
	deadline int64         // by now; zero means none
	timer    *time.Timer   // only while somebody waits and there is a deadline
}

// epoch is what deadlines are relative to.
var epoch = time.Now()

// now is a clock that is never zero.
func now() int64 { return int64(time.Since(epoch)) + 1 }

// passed reports whether the deadline has passed. c.mu is held.
func (h *half) passed() bool { return h.deadline != 0 && now() >= h.deadline }

// check returns why h can no longer be used, if so.
func (c *conn) check(h *half) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		return net.ErrClosed
	case h.passed():
		return os.ErrDeadlineExceeded
	}
	return nil
}

// wait waits until h is ready, its deadline has passed, or c is closed.
func (c *conn) wait(h *half) {
	c.mu.Lock()
	if h.ready || c.closed || h.passed() {
		c.mu.Unlock()
		return
	}
	if h.waiter == nil {
		h.waiter = make(chan struct{})
	}
	waiter := h.waiter
	c.arm(h)
	c.mu.Unlock()
	<-waiter
}

func (c *conn) Await(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.in.ready || c.closed || c.in.passed() {
		go f()
		return
	}
	c.await = f
	c.arm(&c.in)
}

// wake wakes who waits for h. c.mu is held.
func (c *conn) wake(h *half) {
	if h.waiter != nil {
		close(h.waiter)
		h.waiter = nil
	}
	if h == &c.in && c.await != nil {
		go c.await()
		c.await = nil
	}
	h.disarm()
}

// arm starts the timer for the deadline, if somebody waits and there is one.
// c.mu is held.
func (c *conn) arm(h *half) {
	waiting := h.waiter != nil || h == &c.in && c.await != nil
	if !waiting || h.deadline == 0 || h.timer != nil {
		return
	}
	var timer *time.Timer
	timer = time.AfterFunc(time.Duration(h.deadline-now()), func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if h.timer == timer {
			h.timer = nil
			if h.passed() {
				c.wake(h)
			} else {
				c.arm(h) // the clocks of timers and of now may differ by a little
			}
		}
	})
	h.timer = timer
}

// disarm stops the timer and drops it, so that an idle connection has none.
func (h *half) disarm() {
	if h.timer != nil {
		h.timer.Stop()
		h.timer = nil
	}
}

func (c *conn) setDeadline(h *half, t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return net.ErrClosed
	}
	h.disarm()
	h.deadline = 0
	if !t.IsZero() {
		h.deadline = max(now()+int64(time.Until(t)), 1)
	}
	if h.passed() {
		c.wake(h)
	} else {
		c.arm(h)
	}
	return nil
}

// SetReadDeadline sets the deadline for Read, TryRead and Await. Once it has
// passed, nothing is read, even if something has come.
func (c *conn) SetReadDeadline(t time.Time) error { return c.setDeadline(&c.in, t) }

// SetWriteDeadline sets the deadline for Write.
func (c *conn) SetWriteDeadline(t time.Time) error { return c.setDeadline(&c.out, t) }

// SetDeadline sets both deadlines.
func (c *conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}
