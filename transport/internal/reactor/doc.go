// Package reactor holds TCP connections that cost next to nothing while they are
// idle.
//
// A connection of package net that waits for its peer costs a goroutine that is
// blocked in Read, and several structures of net and of the runtime, together
// some 4 KB. A connection of the reactor is one structure of about 100 bytes and
// an entry in an epoll set. It is a net.Conn, and can also be read without a
// goroutine that waits; see [Conn].
//
// The epoll sets belong to the process. There is one for each processor. A set
// exists, and the one goroutine that serves it, while it has connections. That
// goroutine waits in the runtime's own poller, so it holds no thread.
//
// A [Ring] writes to many of them with one system call.
//
// This is for Linux. On other systems, and for connections that are not plain
// TCP, [Take] returns nil, and the connection is used as it is.
package reactor

import (
	"net"
	"syscall"
)

// ErrNotReady is what TryRead returns if nothing has come, and TryWrite if there is
// no room.
const ErrNotReady = syscall.EAGAIN

// A Conn is a connection that can be read without a goroutine that waits:
//
//	func readable() {
//		for {
//			n, err := c.TryRead(buf)
//			switch {
//			case err == reactor.ErrNotReady:
//				c.Await(readable) // and this goroutine ends
//				return
//			case err != nil:
//				c.Close()
//				return
//			}
//			handle(buf[:n])
//		}
//	}
//
// It is safe for concurrent use, but only one goroutine may read, and one write.
// Write looks at its deadline only when it has to wait.
type Conn interface {
	net.Conn
	// TryRead is Read, but returns ErrNotReady if nothing has come.
	TryRead(p []byte) (int, error)
	// Await calls f, once and in a goroutine of its own, when TryRead would not
	// return ErrNotReady: when something has come, the peer has hung up, the
	// deadline for reading has passed, or the connection is closed. Nobody else
	// may read meanwhile.
	Await(f func())
	// TryWrite writes what the kernel has room for, and returns ErrNotReady if that
	// is nothing. It looks at no deadline.
	TryWrite(p []byte) (int, error)
	// CloseWrite tells the peer that nothing more will be written.
	CloseWrite() error
}

// Take takes over a connection that nobody is using. Then c itself is closed, and
// the connection lives on in the Conn that is returned. (A c that is a Conn is
// returned as it is.) Take returns nil, and c is unchanged, if c is not plain TCP,
// or if the system has no descriptor left for it.
func Take(c net.Conn) Conn {
	switch c := c.(type) {
	case Conn:
		return c
	case *net.TCPConn:
		return take(c)
	}
	return nil
}
