package sse

import (
	"errors"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/transport/internal/netwrite"
	"github.com/crier-go/crier/transport/internal/tcp"
)

// A conn writes a stream through net/http.
type conn struct {
	w       http.ResponseWriter
	rc      *http.ResponseController
	timeout time.Duration
	// http2 is set for HTTP/2, where a deadline that passes resets the stream
	// even if it is idle. So there the deadline is removed after each write.
	http2       bool
	headersSent bool
	identity    bool // send Content-Encoding: identity, see writeHeaders
	body        *body
	deadline    time.Time
	noDeadlines bool // the writer does not support deadlines
	// writeSize is how much is written under one deadline. net/http cannot
	// continue a write after its deadline has passed. So a client that makes
	// writes wait gets small ones, and a slow link still makes progress.
	writeSize int
	waited    bool // a part of the present write had to wait

	net      net.Conn // nil without transport.ConnContext
	vanished tcp.Vanished
	extender *netwrite.Extender // nil without net, and over HTTP/2
}

const (
	largeWrite = 64 << 10
	smallWrite = 4 << 10
)

func newConn(w http.ResponseWriter, r *http.Request, b *body, timeout time.Duration) *conn {
	c := &conn{w: w, body: b, rc: http.NewResponseController(w), timeout: timeout, http2: r.ProtoMajor >= 2, writeSize: largeWrite}
	c.net = tcp.FromContext(r.Context())
	if c.net != nil && !c.http2 {
		c.extender = &netwrite.Extender{Conn: c.net, SetDeadline: c.rc.SetWriteDeadline, Timeout: timeout}
	}
	return c
}

// close releases what the extender holds.
func (c *conn) close() { c.extender.Stop() }

func (c *conn) Open(cursor string, retry time.Duration) error {
	return c.write(c.body.own(appendOpening(nil, cursor, retry)))
}

func (c *conn) Send(batch []*hub.Message) error {
	if len(batch) == 1 {
		return c.write(unchunked(c.body.single(batch[0])))
	}
	b := netwrite.Get()
	defer netwrite.Put(b)
	for len(batch) > 0 {
		b.B, batch = c.body.appendPiece(b.B[:0], batch)
		if err := c.write(b.B); err != nil {
			return err
		}
	}
	return nil
}

func (c *conn) Beat(cursor string) error {
	if c.net != nil && c.vanished.Check(c.net, c.timeout) {
		return errVanished
	}
	var err error
	if cursor != "" { // otherwise the connection is in use
		err = c.write(c.body.own(appendBeat(nil, cursor)))
	}
	if c.net != nil {
		c.vanished.Mark(c.net)
	}
	return err
}

func (c *conn) End(reason hub.Reason, cursor string, retry time.Duration) error {
	return c.write(c.body.last(appendEnd(nil, reason, cursor, retry)))
}

func (c *conn) Abort() {
	c.close()
	c.rc.SetWriteDeadline(time.Unix(1, 0))
}

// writeHeaders sends the response's headers.
func (c *conn) writeHeaders() {
	h := c.w.Header()
	setHeaders(h)
	if !c.http2 {
		// The next request on the connection would inherit the write deadline.
		h.Set("Connection", "close")
	}
	if c.identity && h.Get("Content-Encoding") == "" {
		// Some compressors flush nothing until there is enough to compress.
		// They do not touch a response that has an encoding.
		h.Set("Content-Encoding", "identity")
	}
	c.body.setHeaders(h)
	c.w.WriteHeader(http.StatusOK)
}

// write writes and flushes p.
func (c *conn) write(p []byte) error {
	if !c.headersSent {
		c.headersSent = true
		c.writeHeaders()
	}
	c.waited = false
	for len(p) > 0 {
		n := min(len(p), c.writeSize)
		if err := c.writePart(p[:n]); err != nil {
			return err
		}
		p = p[n:]
	}
	if !c.waited { // a whole write, since room for one part proves little
		c.writeSize = largeWrite
	}
	return nil
}

// writePart writes and flushes p under one deadline.
func (c *conn) writePart(p []byte) error {
	began := time.Now()
	// Setting a deadline was measured as a fourteenth of the cost of a small
	// write. So it is set somewhat later than needed, and not for each write.
	due := c.deadline.Sub(began) < c.timeout
	if due {
		if err := c.setDeadline(began.Add(c.timeout * 5 / 4)); err != nil {
			return err
		}
	}
	if c.extender != nil {
		c.extender.Begin(due)
		defer c.extender.End()
	}
	_, err := c.w.Write(p)
	if err == nil {
		err = c.rc.Flush()
	}
	took := time.Since(began)
	switch {
	case err != nil && took >= c.timeout:
		return errors.Join(os.ErrDeadlineExceeded, err) // HTTP/2 calls it "stream closed"
	case err != nil:
		return err
	case took > c.timeout/100:
		c.writeSize, c.waited = smallWrite, true
	}
	if c.http2 {
		return c.setDeadline(time.Time{})
	}
	return nil
}

// setDeadline sets the write deadline. A writer that does not support deadlines
// is used without.
func (c *conn) setDeadline(t time.Time) error {
	c.deadline = t
	err := c.rc.SetWriteDeadline(t)
	if errors.Is(err, http.ErrNotSupported) {
		c.noDeadlines = true
		return nil
	}
	return err
}
