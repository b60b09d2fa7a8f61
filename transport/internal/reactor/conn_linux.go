package reactor

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
)

// A conn is a TCP connection that was taken from package net.
type conn struct {
	fd         int32
	generation int32 // of the entry in the set

	mu     sync.Mutex
	closed bool
	users  int32  // system calls that use fd; it is closed after the last
	await  func() // see Await
	in     half
	out    half
}

func take(tcp *net.TCPConn) Conn {
	fd, err := duplicate(tcp)
	if err != nil {
		return nil
	}
	c := &conn{fd: int32(fd)}
	if err := setOf(c.fd).add(c); err != nil {
		syscall.Close(fd)
		return nil
	}
	tcp.Close() // the connection stays open, since fd refers to it, too
	return c
}

// duplicate returns another descriptor of a connection. It is non-blocking, as
// that of package net is.
func duplicate(tcp *net.TCPConn) (fd int, err error) {
	raw, err := tcp.SyscallConn()
	if err != nil {
		return -1, err
	}
	cerr := raw.Control(func(of uintptr) {
		syscall.ForkLock.RLock() // so that no child process inherits fd
		defer syscall.ForkLock.RUnlock()
		if fd, err = syscall.Dup(int(of)); err == nil {
			syscall.CloseOnExec(fd)
		}
	})
	if cerr != nil {
		return -1, cerr
	}
	return fd, os.NewSyscallError("dup", err)
}

func (c *conn) TryRead(p []byte) (int, error) {
	c.mu.Lock()
	passed := c.in.passed()
	c.mu.Unlock()
	if passed {
		return 0, os.ErrDeadlineExceeded
	}
	n, err := c.try(&c.in, "read", syscall.Read, p)
	if n == 0 && err == nil && len(p) > 0 {
		return 0, io.EOF
	}
	return n, err
}

func (c *conn) TryWrite(p []byte) (int, error) { return c.try(&c.out, "write", syscall.Write, p) }

// try makes one system call that reads or writes.
func (c *conn) try(h *half, name string, call func(int, []byte) (int, error), p []byte) (int, error) {
	if !c.use(h) {
		return 0, net.ErrClosed
	}
	n, err := call(int(c.fd), p)
	for err == syscall.EINTR {
		n, err = call(int(c.fd), p)
	}
	c.release(h, err != syscall.EAGAIN)
	switch err {
	case nil:
		return n, nil
	case syscall.EAGAIN:
		return 0, ErrNotReady
	}
	return 0, os.NewSyscallError(name, err)
}

// use keeps fd from being closed, until release is called. It reports false if c
// has been closed. An event that comes after this point sets h.ready again.
func (c *conn) use(h *half) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	if h != nil {
		h.ready = false
	}
	c.users++
	return true
}

// release ends a use. If the call did something, there may be more to do, and no
// event will come for that.
func (c *conn) release(h *half, more bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if h != nil && more {
		h.ready = true
	}
	if c.users--; c.users == 0 && c.closed {
		syscall.Close(int(c.fd))
	}
}

// event notes what the kernel has told.
func (c *conn) event(events uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	const both = syscall.EPOLLHUP | syscall.EPOLLERR
	if events&(syscall.EPOLLIN|syscall.EPOLLRDHUP|both) != 0 {
		c.in.ready = true
		c.wake(&c.in)
	}
	if events&(syscall.EPOLLOUT|both) != 0 {
		c.out.ready = true
		c.wake(&c.out)
	}
}

// Close closes the connection. Reads and writes that are under way fail, and what
// was passed to Await is called.
func (c *conn) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return net.ErrClosed
	}
	c.closed = true
	c.users++ // keeps fd, and so its number, until the set has forgotten it
	c.wake(&c.in)
	c.wake(&c.out)
	c.mu.Unlock()
	setOf(c.fd).remove(c)
	c.release(nil, false)
	return nil
}

// CloseWrite tells the peer that nothing more will be written.
func (c *conn) CloseWrite() error {
	if !c.use(nil) {
		return net.ErrClosed
	}
	defer c.release(nil, false)
	return os.NewSyscallError("shutdown", syscall.Shutdown(int(c.fd), syscall.SHUT_WR))
}

// Control calls f with the descriptor of the connection, which is valid until f
// returns.
func (c *conn) Control(f func(fd uintptr)) error {
	if !c.use(nil) {
		return net.ErrClosed
	}
	defer c.release(nil, false)
	f(uintptr(c.fd))
	return nil
}

// LocalAddr returns the address of this end, or nil if c is closed.
func (c *conn) LocalAddr() net.Addr { return c.address(syscall.Getsockname) }

// RemoteAddr returns the address of the peer, or nil if it is not known any more.
func (c *conn) RemoteAddr() net.Addr { return c.address(syscall.Getpeername) }

func (c *conn) address(of func(int) (syscall.Sockaddr, error)) net.Addr {
	if !c.use(nil) {
		return nil
	}
	defer c.release(nil, false)
	switch a, _ := of(int(c.fd)); a := a.(type) {
	case *syscall.SockaddrInet4:
		return &net.TCPAddr{IP: a.Addr[:], Port: a.Port}
	case *syscall.SockaddrInet6:
		return &net.TCPAddr{IP: a.Addr[:], Port: a.Port}
	}
	return nil
}
