package memnet

import "syscall"

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
