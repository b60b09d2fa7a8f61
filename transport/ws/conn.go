package ws

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/transport"
	"github.com/crier-go/crier/transport/internal/netwrite"
	"github.com/crier-go/crier/transport/internal/reactor"
	"github.com/crier-go/crier/transport/internal/tcp"
)

// A conn is one WebSocket: the Conn that a stream writes to, and the loop that
// reads what the client sends.
type conn struct {
	frameConn
	stream   *transport.Stream
	handler  *handler
	encoding *hub.Encoding      // encoding or deflated()
	ctx      context.Context    // of OnMessage and OnToken
	cancel   context.CancelFunc // nil without them
	ended    atomic.Bool        // the stream has ended; messages are ignored

	awaitingFilter chan struct{} // closed when stream.filter has been written; guarded by frameConn.mu

	// What follows belongs to whoever reads.
	limiter limiter
	parser  parser
	ahead   []byte // what watch has read and nobody has parsed
}

// start runs the stream and begins to read.
func (c *conn) start(stream *transport.Stream) {
	c.stream = stream
	if c.cancel != nil {
		stream.Subscription().OnEnd(func() {
			c.ended.Store(true)
			c.cancel()
		})
	}
	stream.Start(c)
	c.await()
}

// onWriteClosed is called when nothing more can be written. It may be called more
// than once.
func (c *conn) onWriteClosed() {
	if c.cancel != nil {
		c.cancel()
	}
	c.filterAnswered()
}

func (c *conn) Open(cursor string, retry time.Duration) error {
	return c.write(appendOpening(nil, cursor, retry), false)
}

// Send is short because it, and what it calls, use little stack; see
// netwrite.Writer.Write.
func (c *conn) Send(batch []*hub.Message) error {
	if len(batch) == 1 && !isFilter(batch[0]) {
		return c.write(batch[0].Frame(c.encoding), false)
	}
	return c.sendAll(batch)
}

// Joint returns the connection, if it is the reactor's.
func (c *conn) Joint() reactor.Conn {
	owned, _ := c.net.(reactor.Conn)
	return owned
}

// Begin begins a write of the first messages of a batch.
func (c *conn) Begin(batch []*hub.Message, b *netwrite.Buffer) (p []byte, n int) {
	if n = slices.IndexFunc(batch, isFilter); n < 0 {
		n = len(batch)
	}
	switch n {
	case 0:
		return nil, 0
	case 1:
		p = batch[0].Frame(c.encoding)
	default:
		n = c.join(b, batch[:n])
		p = b.B
	}
	if !c.tryBegin() {
		return nil, 0
	}
	return p, n
}

// Finish ends a write that has begun.
func (c *conn) Finish(rest []byte, err error) error { return c.finish(rest, err, false) }

// sendAll joins a batch. It is a function of its own because it needs more
// stack.
func (c *conn) sendAll(batch []*hub.Message) error {
	b := netwrite.Get()
	defer netwrite.Put(b)
	for len(batch) > 0 {
		n := c.join(b, batch)
		if err := c.write(b.B, false); err != nil {
			return err // and change is released by onWriteClosed
		}
		if slices.ContainsFunc(batch[:n], isFilter) {
			c.filterAnswered()
		}
		batch = batch[n:]
	}
	return nil
}

// join puts the first n messages of a batch into b: at least one, and no more
// than a write should have.
func (c *conn) join(b *netwrite.Buffer, batch []*hub.Message) (n int) {
	b.B = b.B[:0]
	for n < len(batch) {
		frame := batch[n].Frame(c.encoding)
		if n > 0 && len(b.B)+len(frame) > netwrite.PieceBytes {
			break
		}
		b.B = append(b.B, frame...)
		n++
	}
	return n
}

// isFilter reports whether a message answers a change of filter.
func isFilter(m *hub.Message) bool { return m.Event() == nil && m.Type() == hub.TypeFilter }

// Beat sends a ping, also if there is traffic: that the kernel accepts bytes does
// not prove that the client is there. The deadline for the pong starts when the
// ping has been written.
func (c *conn) Beat(cursor string) error {
	var p []byte
	if cursor != "" {
		p = appendMessage(p, cursor, "stream.cursor", []byte("{}"))
	}
	return c.writeBeat(p)
}

// End sends the reason and a close frame.
func (c *conn) End(reason hub.Reason, cursor string, retry time.Duration) error {
	return c.write(appendEnd(nil, reason, cursor, retry), true)
}

func (c *conn) Abort() {
	c.onWriteClosed()
	tcp.CloseNow(c.net)
}
