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
	// http2 streams are reset by a deadline that passes while they are idle,
	// so there it is taken back after each write.
	http2       bool
	headers     bool // have been set
	identity    bool // keep compressors away, see write
	deadline    time.Time
	noDeadlines bool // the writer has none
	// chunk is how much is written under one deadline. net/http cannot go on
	// after one has passed, so a client that keeps writes waiting gets small
	// chunks: then a link that moves a few bytes still makes progress.
	chunk  int
	waited bool // within the present write

	net      net.Conn // nil without transport.ConnContext
	vanished tcp.Vanished
	extender *extender // nil without net, and over HTTP/2
}

const (
	largeChunk = 64 << 10
	smallChunk = 4 << 10
)

func newConn(w http.ResponseWriter, r *http.Request, timeout time.Duration) *conn {
	c := &conn{w: w, rc: http.NewResponseController(w), timeout: timeout, http2: r.ProtoMajor >= 2, chunk: largeChunk}
	c.net = tcp.FromContext(r.Context())
	if c.net != nil && !c.http2 {
		c.extender = &extender{conn: c.net, rc: c.rc, timeout: timeout}
	}
	return c
}

// close releases what the extender holds.
func (c *conn) close() {
	if c.extender != nil {
		c.extender.stop()
	}
}

func (c *conn) Open(cursor string, retry time.Duration) error {
	return c.write(appendOpening(nil, cursor, retry))
}

func (c *conn) Send(batch []*hub.Message) error {
	if len(batch) == 1 {
		return c.write(unchunked(batch[0].Frame(encoding)))
	}
	b := netwrite.Get()
	defer netwrite.Put(b)
	for len(batch) > 0 {
		b.B, batch = appendPiece(b.B[:0], batch)
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
	if cursor != "" { // else what was sent has kept the connection alive
		err = c.write(appendBeat(nil, cursor))
	}
	if c.net != nil {
		c.vanished.Mark(c.net)
	}
	return err
}

func (c *conn) End(reason hub.Reason, cursor string, retry time.Duration) error {
	return c.write(appendEnd(nil, reason, cursor, retry))
}

func (c *conn) Abort() {
	c.close()
	c.rc.SetWriteDeadline(time.Unix(1, 0))
}

// write writes and flushes p.
func (c *conn) write(p []byte) error {
	if !c.headers {
		c.headers = true
		setHeaders(c.w.Header())
		if !c.http2 {
			// The next request on the connection would inherit the deadline.
			c.w.Header().Set("Connection", "close")
		}
		if c.identity && c.w.Header().Get("Content-Encoding") == "" {
			// A compressor that waits for enough to compress, and meanwhile
			// flushes nothing, leaves alone what has an encoding.
			c.w.Header().Set("Content-Encoding", "identity")
		}
		c.w.WriteHeader(http.StatusOK)
	}
	c.waited = false
	for len(p) > 0 {
		n := min(len(p), c.chunk)
		if err := c.writeChunk(p[:n]); err != nil {
			return err
		}
		p = p[n:]
	}
	if !c.waited { // not after each chunk: a few bytes of room prove nothing
		c.chunk = largeChunk
	}
	return nil
}

func (c *conn) writeChunk(p []byte) error {
	began := time.Now()
	// Setting a deadline was measured as a fourteenth of what a small write
	// costs, so it is set a little further off than needed, and not each time.
	due := c.deadline.Sub(began) < c.timeout
	if due {
		if err := c.setDeadline(began.Add(c.timeout * 5 / 4)); err != nil {
			return err
		}
	}
	if c.extender != nil {
		c.extender.begin(due)
		defer c.extender.end()
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
		c.chunk, c.waited = smallChunk, true
	}
	if c.http2 {
		return c.setDeadline(time.Time{})
	}
	return nil
}

// setDeadline sets the write deadline where there is one to set: a writer
// without deadlines goes on without.
func (c *conn) setDeadline(t time.Time) error {
	c.deadline = t
	err := c.rc.SetWriteDeadline(t)
	if errors.Is(err, http.ErrNotSupported) {
		c.noDeadlines = true
		return nil
	}
	return err
}
