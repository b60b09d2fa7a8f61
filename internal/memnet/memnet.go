// Package memnet is an in-memory network for tests in synctest bubbles. Its
// connections behave like TCP where it matters: a writer blocks while the peer
// does not read, deadlines hold, each direction can be closed separately, and
// closing a connection with unread bytes resets it, so that the peer loses what
// it has not read yet.
package memnet

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// Capacity is how many unread bytes a direction holds before writes block.
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
	mu           sync.Mutex
	changed      *sync.Cond
	buf          []byte
	writerClosed bool
	readerClosed bool
	reset        bool // the connection was reset, and buf is lost

	readDeadline, writeDeadline deadline
}

func newDirection() *direction {
	d := &direction{}
	d.changed = sync.NewCond(&d.mu)
	return d
}

// A deadline is guarded by the mu of its direction.
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

// Read reads what has been written, and blocks while that is nothing.
func (c *Conn) Read(p []byte) (int, error) {
	d := c.in
	d.mu.Lock()
	defer d.mu.Unlock()
	for !d.readable() {
		d.changed.Wait()
	}
	return d.read(p)
}

// readable reports whether a read would not block.
func (d *direction) readable() bool {
	return d.readerClosed || d.readDeadline.passed() || d.reset || len(d.buf) > 0 || d.writerClosed
}

// read reads from a direction that is readable.
func (d *direction) read(p []byte) (int, error) {
	switch {
	case d.readerClosed:
		return 0, net.ErrClosed
	case d.readDeadline.passed():
		return 0, os.ErrDeadlineExceeded
	case d.reset:
		return 0, syscall.ECONNRESET
	case len(d.buf) > 0:
		n := copy(p, d.buf)
		d.buf = d.buf[n:]
		d.changed.Broadcast()
		return n, nil
	}
	return 0, io.EOF
}

// Write writes all of p, and blocks while the direction is full.
func (c *Conn) Write(p []byte) (n int, err error) {
	d := c.out
	d.mu.Lock()
	defer d.mu.Unlock()
	for {
		switch room := Capacity - len(d.buf); {
		case d.writerClosed:
			return n, net.ErrClosed
		case d.writeDeadline.passed():
			return n, os.ErrDeadlineExceeded
		case d.readerClosed:
			c.in.resetByPeer() // the peer answers with a reset
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

// resetByPeer discards what is unread and makes reads fail.
func (d *direction) resetByPeer() {
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
	d.readerClosed, d.buf = true, nil
	d.stopTimers()
	d.changed.Broadcast()
	d.mu.Unlock()
	if unread {
		c.out.resetByPeer()
	}
	return nil
}

// CloseWrite closes the direction to the peer, which reads io.EOF after what was
// written.
func (c *Conn) CloseWrite() error {
	d := c.out
	d.mu.Lock()
	defer d.mu.Unlock()
	d.writerClosed = true
	d.stopTimers()
	d.changed.Broadcast()
	return nil
}

// stopTimers stops the deadlines' timers, which would move a bubble's clock.
func (d *direction) stopTimers() {
	for _, l := range [...]*deadline{&d.readDeadline, &d.writeDeadline} {
		if l.timer != nil {
			l.timer.Stop()
		}
	}
}

// Unread returns how many bytes can be read.
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

func (c *Conn) SetReadDeadline(t time.Time) error  { return c.in.setDeadline(&c.in.readDeadline, t) }
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.out.setDeadline(&c.out.writeDeadline, t) }

func (c *Conn) LocalAddr() net.Addr  { return addr{} }
func (c *Conn) RemoteAddr() net.Addr { return addr{} }

type addr struct{}

func (addr) Network() string { return "memory" }
func (addr) String() string  { return "memory:0" }
