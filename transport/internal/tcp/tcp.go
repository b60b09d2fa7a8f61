// Package tcp asks the kernel what becomes of the bytes that were written to a
// TCP connection, and bounds how many it holds back. Where the kernel does not
// tell, which is everywhere but on Linux, nothing is known.
package tcp

import (
	"context"
	"net"
	"time"
)

// An Info is what the kernel knows about a connection.
type Info struct {
	Acked       uint64        // bytes that the peer's kernel has acknowledged
	Outstanding uint64        // bytes written and not acknowledged
	Window      uint32        // bytes that the peer is ready to take
	Unanswered  int           // retransmissions and window probes in a row without an answer
	SinceAck    time.Duration // since the peer's kernel last acknowledged anything
}

// Answers reports whether the peer's kernel seems to be there: it has answered
// whatever was sent, or has answered something within d. One window probe in a
// row may go unanswered, since Linux answers no two within half a second.
func (i Info) Answers(d time.Duration) bool { return i.Unanswered < 2 || i.SinceAck < d }

// maxUnsent is how many bytes the kernel takes for a connection beyond those
// that are on their way to the peer (TCP_NOTSENT_LOWAT). Without a bound it takes
// up to 4 MB for a client that reads slowly, and then nothing for so long that
// the client cannot be told from one that does not read.
const maxUnsent = 16 << 10

// Limit bounds what the kernel holds back for c. It does nothing where that
// cannot be done.
func Limit(c net.Conn) {
	if raw := rawConn(c); raw != nil {
		raw.Control(limit)
	}
}

// InfoOf asks the kernel about c. It reports false if that cannot be done.
func InfoOf(c net.Conn) (info Info, ok bool) {
	raw := rawConn(c)
	if raw == nil {
		return Info{}, false
	}
	err := raw.Control(func(fd uintptr) { info, ok = infoOf(fd) })
	return info, ok && err == nil
}

// CloseNow closes c, below TLS if there is some: TLS itself would first write an
// alert, for which a client that does not read makes it wait for 5 s.
func CloseNow(c net.Conn) {
	if t, ok := c.(interface{ NetConn() net.Conn }); ok {
		c = t.NetConn()
	}
	c.Close()
}

// A controller gives access to the descriptor of a connection.
type controller interface {
	Control(f func(fd uintptr)) error
}

// rawConn returns the TCP connection below c, or nil.
func rawConn(c net.Conn) controller {
	for {
		switch inner := c.(type) {
		case controller: // of the reactor
			return inner
		case *net.TCPConn:
			raw, err := inner.SyscallConn()
			if err != nil {
				return nil
			}
			return raw
		case interface{ NetConn() net.Conn }: // of TLS
			c = inner.NetConn()
		default:
			return nil
		}
	}
}

// A Vanished finds out that a client has gone without closing its connection:
// at one heartbeat there was something to acknowledge, and by the next nothing
// has been. Its zero value is ready.
type Vanished struct {
	acked, written uint64 // at the last Mark
}

// Mark notes how far the client is. It is called after a heartbeat's write.
func (v *Vanished) Mark(c net.Conn) {
	info, _ := InfoOf(c)
	v.acked, v.written = info.Acked, info.Acked+info.Outstanding
}

// Check reports whether nothing that was written before the last Mark has been
// acknowledged since, and the client's kernel has answered nothing for d. A
// client that is there and does not read answers.
func (v *Vanished) Check(c net.Conn, d time.Duration) bool {
	if v.written == v.acked {
		return false
	}
	info, ok := InfoOf(c)
	return ok && info.Acked == v.acked && !info.Answers(d)
}

type connKey struct{}

// NewContext returns a context that FromContext finds c in.
func NewContext(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// FromContext returns the connection of a request, or nil if it is not known.
func FromContext(ctx context.Context) net.Conn {
	c, _ := ctx.Value(connKey{}).(net.Conn)
	return c
}
