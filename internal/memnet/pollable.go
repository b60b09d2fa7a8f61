package memnet

import (
	"net"
	"syscall"
)

// A Pollable is a Conn that can also be read as the connections of package
// reactor are. It stands for one in a bubble, where there are no sockets.
type Pollable struct{ *Conn }

// TryRead is Read, but returns syscall.EAGAIN where Read would block.
func (c Pollable) TryRead(p []byte) (int, error) {
	d := c.in
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.readable() {
		return 0, syscall.EAGAIN
	}
	return d.read(p)
}

// TryWrite writes what there is room for, and returns syscall.EAGAIN if that is
// nothing. It looks at no deadline.
func (c Pollable) TryWrite(p []byte) (int, error) {
	d := c.out
	d.mu.Lock()
	defer d.mu.Unlock()
	switch n := min(Capacity-len(d.buf), len(p)); {
	case d.writerClosed:
		return 0, net.ErrClosed
	case d.readerClosed:
		c.in.resetByPeer() // the peer answers with a reset
		return 0, syscall.EPIPE
	case n <= 0 && len(p) > 0:
		return 0, syscall.EAGAIN
	default:
		d.buf = append(d.buf, p[:n]...)
		d.changed.Broadcast()
		return n, nil
	}
}

// Await calls f in a goroutine of its own when TryRead would not return
// syscall.EAGAIN.
func (c Pollable) Await(f func()) {
	go func() {
		d := c.in
		d.mu.Lock()
		for !d.readable() {
			d.changed.Wait()
		}
		d.mu.Unlock()
		f()
	}()
}
