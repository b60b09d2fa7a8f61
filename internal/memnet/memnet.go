// Package memnet is a network in memory for tests: connections whose waiting a
// synctest bubble can see, with what matters of TCP. A writer waits when the
// peer does not read, deadlines hold, a direction can be closed by itself, and
// a connection that is closed with bytes unread is reset: the peer then loses
// what it has not read yet, which is why servers read on before they close.
package memnet

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// Capacity is how many bytes a direction holds before its writer waits.
const Capacity = 16 << 10

// A Conn is one end of a connection. Like every net.Conn it is safe for
// concurrent use.
type Conn struct {
	in, out *direction
}

// Pipe returns the two ends of a connection.
func Pipe() (a, b *Conn) {
	x, y := newDirection(), newDirection()
	return &Conn{in: x, out: y}, &Conn{in: y, out: x}
}

// A direction carries bytes one way.
type direction struct {
	mu      sync.Mutex
	changed *sync.Cond
	buf     []byte
	ended   bool // the writer has closed
	gone    bool // the reader has closed
	reset   bool // what is in buf is lost

	readBy, writeBy deadline
}

func newDirection() *direction {
	d := &direction{}
	d.changed = sync.NewCond(&d.mu)
	return d
}

// A deadline belongs to its direction's mu.
type deadline struct {
	at    time.Time
	timer *time.Timer
}

func (l *deadline) passed() bool { return !l.at.IsZero() && !time.Now().Before(l.at) }

func (d *direction) setDeadline(l *deadline, t time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if l.timer != nil {
		l.timer.Stop()
	}
	l.at = t
	if wait := time.Until(t); !t.IsZero() && wait > 0 {
		l.timer = time.AfterFunc(wait, func() {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.changed.Broadcast()
		})
	}
	d.changed.Broadcast()
	return nil
}

// Read reads what is there, and waits while there is nothing.
func (c *Conn) Read(p []byte) (int, error) {
	d := c.in
	d.mu.Lock()
	defer d.mu.Unlock()
	for {
		switch {
		case d.gone:
			return 0, net.ErrClosed
		case d.readBy.passed():
			return 0, os.ErrDeadlineExceeded
		case d.reset:
			return 0, syscall.ECONNRESET
		case len(d.buf) > 0:
			n := copy(p, d.buf)
			d.buf = d.buf[n:]
			d.changed.Broadcast()
			return n, nil
		case d.ended:
			return 0, io.EOF
		}
		d.changed.Wait()
	}
}

// Write writes all of p, waiting while the direction is full.
func (c *Conn) Write(p []byte) (n int, err error) {
	d := c.out
	d.mu.Lock()
	defer d.mu.Unlock()
	for {
		switch room := Capacity - len(d.buf); {
		case d.ended:
			return n, net.ErrClosed
		case d.writeBy.passed():
			return n, os.ErrDeadlineExceeded
		case d.gone:
			c.in.lose() // the peer answers with a reset
			return n, syscall.EPIPE
		case len(p) == 0:
			return n, nil
		case room > 0:
			k := min(room, len(p))
			d.buf = append(d.buf, p[:k]...)
			p = p[k:]
			n += k
			d.changed.Broadcast()
			continue
		}
		d.changed.Wait()
	}
}

func (d *direction) lose() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.buf, d.reset = nil, true
	d.changed.Broadcast()
}

// Close closes both directions.
func (c *Conn) Close() error {
	c.CloseWrite()
	d := c.in
	d.mu.Lock()
	unread := len(d.buf) > 0
	d.gone, d.buf = true, nil
	d.stopTimers()
	d.changed.Broadcast()
	d.mu.Unlock()
	if unread {
		c.out.lose()
	}
	return nil
}

// CloseWrite tells the peer that nothing more comes.
func (c *Conn) CloseWrite() error {
	d := c.out
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ended = true
	d.stopTimers()
	d.changed.Broadcast()
	return nil
}

// stopTimers leaves no timer behind that a bubble's clock would run into.
func (d *direction) stopTimers() {
	for _, l := range [...]*deadline{&d.readBy, &d.writeBy} {
		if l.timer != nil {
			l.timer.Stop()
		}
	}
}

// Unread returns how many bytes the peer has written that have not been read.
func (c *Conn) Unread() int {
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	return len(c.in.buf)
}

// SetDeadline and its halves do as for every net.Conn.
func (c *Conn) SetDeadline(t time.Time) error {
	c.SetReadDeadline(t)
	return c.SetWriteDeadline(t)
}

func (c *Conn) SetReadDeadline(t time.Time) error  { return c.in.setDeadline(&c.in.readBy, t) }
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.out.setDeadline(&c.out.writeBy, t) }

func (c *Conn) LocalAddr() net.Addr  { return addr{} }
func (c *Conn) RemoteAddr() net.Addr { return addr{} }

type addr struct{}

func (addr) Network() string { return "memory" }
func (addr) String() string  { return "memory:0" }
