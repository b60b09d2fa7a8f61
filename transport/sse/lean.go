package sse

import (
	"bytes"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/transport"
	"github.com/crier-go/crier/transport/internal/netwrite"
	"github.com/crier-go/crier/transport/internal/reactor"
	"github.com/crier-go/crier/transport/internal/tcp"
)

// A leanConn writes a stream directly to a hijacked connection. Each write is one
// chunk (RFC 9112, section 7.1), so that a client can tell the end of the stream
// from a connection that broke.
type leanConn struct {
	net      net.Conn // a reactor.Conn if possible
	out      netwrite.Writer
	body     *body
	head     *bytes.Buffer // the response's head, until it is sent
	vanished tcp.Vanished
	stream   *transport.Stream
	unwanted int32 // how often the client has sent something
}

// hijack hijacks the connection behind w. It returns nil, and w is unchanged, if
// that is not possible.
func hijack(w http.ResponseWriter, b *body, timeout time.Duration) *leanConn {
	c, buf, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil
	}
	head := new(bytes.Buffer)
	head.WriteString("HTTP/1.1 200 OK\r\n")
	h := w.Header().Clone()
	setHeaders(h)
	h.Set("Transfer-Encoding", "chunked")
	h.Set("Connection", "close")
	h.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	for _, name := range [...]string{"Content-Encoding", "Upgrade", "Keep-Alive"} {
		h.Del(name) // middleware neither encodes the body nor reuses the connection
	}
	b.setHeaders(h)
	h.Write(head)
	head.WriteString("\r\n")
	buf.Writer.Reset(nil) // release net/http's buffers
	buf.Reader.Reset(nil)
	c.SetDeadline(time.Time{})
	if owned := reactor.Take(c); owned != nil {
		c = owned
	}
	tcp.Limit(c)
	return &leanConn{net: c, body: b, out: netwrite.New(c, timeout), head: head}
}

// serve starts the stream and returns. If the reactor has the connection, an idle
// stream keeps no goroutine. Otherwise it keeps one, which waits for the client to
// hang up. It is a new one because the stack of the handler's goroutine has grown.
func (c *leanConn) serve(stream *transport.Stream) {
	c.stream = stream
	stream.Start(c)
	if owned, ok := c.net.(reactor.Conn); ok {
		owned.Await(c.readable)
		return
	}
	go func() {
		for c.discard(c.net.Read) == nil {
		}
		c.close()
	}()
}

// readable is called by the reactor when the client has sent something or has
// hung up.
func (c *leanConn) readable() {
	owned := c.net.(reactor.Conn)
	for {
		switch err := c.discard(owned.TryRead); err {
		case nil:
		case reactor.ErrNotReady:
			owned.Await(c.readable)
			return
		default:
			c.close()
			return
		}
	}
}

// errTalks means that the client sends far more than a client of SSE should.
var errTalks = errors.New("sse: the client sends too much")

// discard reads once, up to 64 bytes, and ignores what it reads. It fails when the
// client has hung up, and when it has sent 64 KiB.
func (c *leanConn) discard(read func([]byte) (int, error)) error {
	var buf [64]byte // io.Copy would hold 8 KiB for each idle client
	if _, err := read(buf[:]); err != nil {
		return err
	}
	if c.unwanted++; c.unwanted >= 1024 {
		return errTalks
	}
	return nil
}

// close releases everything.
func (c *leanConn) close() {
	c.net.Close()
	c.out.Stop()
	c.stream.Close()
}

func (c *leanConn) Open(cursor string, retry time.Duration) error {
	return c.writeFirst(c.body.own(appendOpening(nil, cursor, retry)))
}

// writeFirst writes the head and the first chunk, in one write.
func (c *leanConn) writeFirst(p []byte) error {
	return c.write(chunk(c.takeHead(), p))
}

// takeHead returns the head if it has not been sent.
func (c *leanConn) takeHead() []byte {
	if c.head == nil {
		return nil
	}
	head := c.head.Bytes()
	c.head = nil
	return head
}

// chunk appends p to dst, as one chunk.
func chunk(dst, p []byte) []byte {
	start := len(dst)
	return closeChunk(append(append(dst, chunkRoom...), p...), start)
}

func (c *leanConn) write(p []byte) error { return c.out.Write(p, time.Now()) }

func (c *leanConn) Send(batch []*hub.Message) error {
	if len(batch) == 1 {
		return c.write(c.body.single(batch[0]))
	}
	return c.sendAll(batch)
}

// Joint returns the connection, if it is the reactor's.
func (c *leanConn) Joint() reactor.Conn {
	owned, _ := c.net.(reactor.Conn)
	return owned
}

// Begin begins a write of the first messages of a batch.
func (c *leanConn) Begin(batch []*hub.Message, b *netwrite.Buffer) (p []byte, n int) {
	if len(batch) == 1 {
		return c.body.single(batch[0]), 1
	}
	joined, rest := c.body.appendPiece(append(b.B[:0], chunkRoom...), batch)
	b.B = closeChunk(joined, 0)
	return b.B, len(batch) - len(rest)
}

// Finish writes the rest of what has begun.
func (c *leanConn) Finish(rest []byte, err error) error {
	if err != nil || len(rest) == 0 {
		return err
	}
	return c.write(rest)
}

// sendAll joins a batch. It is a function of its own because it needs more
// stack.
func (c *leanConn) sendAll(batch []*hub.Message) error {
	b := netwrite.Get()
	defer netwrite.Put(b)
	for len(batch) > 0 {
		b.B, batch = c.body.appendPiece(append(b.B[:0], chunkRoom...), batch)
		b.B = closeChunk(b.B, 0)
		if err := c.write(b.B); err != nil {
			return err
		}
	}
	return nil
}

// errVanished means that the client has acknowledged nothing for a heartbeat.
var errVanished = errors.New("sse: the client has vanished")

func (c *leanConn) Beat(cursor string) error {
	if c.vanished.Check(c.net, c.out.Timeout()) {
		return errVanished
	}
	var err error
	if cursor != "" {
		err = c.write(chunk(nil, c.body.own(appendBeat(nil, cursor))))
	}
	c.vanished.Mark(c.net)
	return err
}

// End also sets a deadline for reading, after which the connection is closed.
func (c *leanConn) End(reason hub.Reason, cursor string, retry time.Duration) error {
	p := chunk(c.takeHead(), c.body.last(appendEnd(nil, reason, cursor, retry)))
	err := c.write(append(p, lastChunk...))
	if half, ok := c.net.(interface{ CloseWrite() error }); ok {
		half.CloseWrite() // the client still reads what was sent
	}
	c.net.SetReadDeadline(time.Now().Add(time.Second))
	return err
}

func (c *leanConn) Abort() { tcp.CloseNow(c.net) }
