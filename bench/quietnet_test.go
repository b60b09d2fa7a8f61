package bench

import (
	"bytes"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/crier-go/crier/bench/internal/reader"
	"github.com/crier-go/crier/hub"
)

// A quietNet is a listener whose connections discard and count what is written, and
// allocate nothing. So all allocations and writes are the server's.
type quietNet struct {
	tally *reader.Tally // events written
	conns []*quietConn

	accepts chan net.Conn
	closed  chan struct{}
	once    sync.Once
}

// serveQuietly serves a hub to a number of clients of a transport, and returns when
// each has its opening.
func serveQuietly(t *testing.T, h *hub.Hub, transport string, clients int) *quietNet {
	t.Helper()
	q := &quietNet{tally: reader.NewTally(patience), accepts: make(chan net.Conn), closed: make(chan struct{})}
	srv := &http.Server{Handler: handler(h), ErrorLog: log.New(io.Discard, "", 0)}
	var work sync.WaitGroup
	work.Go(func() { srv.Serve(q) })
	t.Cleanup(func() {
		for _, c := range q.conns {
			c.Close()
		}
		await(t, "all streams to end", func() bool { return len(h.Stats().Streams) == 0 })
		srv.Close()
		work.Wait()
	})
	for range clients {
		c := newQuietConn(q, []byte(request(transport, "1")))
		q.conns = append(q.conns, c)
		q.accepts <- c
	}
	for _, c := range q.conns {
		await(t, "the openings", func() bool { return c.seen("stream.cursor") })
	}
	return q
}

// Accept, Close and Addr make it a net.Listener.
func (q *quietNet) Accept() (net.Conn, error) {
	select {
	case c := <-q.accepts:
		return c, nil
	case <-q.closed:
		return nil, net.ErrClosed
	}
}

func (q *quietNet) Close() error {
	q.once.Do(func() { close(q.closed) })
	return nil
}

func (q *quietNet) Addr() net.Addr { return quietAddr{} }

type quietAddr struct{}

func (quietAddr) Network() string { return "memory" }
func (quietAddr) String() string  { return "127.0.0.1:1" }

// A quietConn is the server's end of a connection whose client has sent a request
// and nothing else.
type quietConn struct {
	net *quietNet

	mu       sync.Mutex
	changed  *sync.Cond
	request  []byte // what is still to be read
	expired  bool   // the read deadline has passed
	closed   bool
	held     bool // writes wait
	waiting  bool // one does
	writes   int
	openings []byte // what was written before the first event
}

func newQuietConn(q *quietNet, request []byte) *quietConn {
	c := &quietConn{net: q, request: request}
	c.changed = sync.NewCond(&c.mu)
	return c
}

func (c *quietConn) Read(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		switch {
		case len(c.request) > 0:
			n := copy(p, c.request)
			c.request = c.request[n:]
			return n, nil
		case c.closed:
			return 0, io.EOF
		case c.expired:
			return 0, os.ErrDeadlineExceeded
		}
		c.changed.Wait()
	}
}

// eventMark is in every event of these tests once, and in nothing else.
var eventMark = []byte(`{"account_id"`)

func (c *quietConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writes++
	for c.held && !c.closed {
		c.waiting = true
		c.changed.Broadcast()
		c.changed.Wait()
	}
	c.waiting = false
	if c.closed {
		return 0, net.ErrClosed
	}
	if events := bytes.Count(p, eventMark); events > 0 {
		c.net.tally.Got(events)
	} else if len(c.openings) < 4<<10 {
		c.openings = append(c.openings, p...)
	}
	return len(p), nil
}

// seen reports whether this was written before the first event.
func (c *quietConn) seen(what string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return bytes.Contains(c.openings, []byte(what))
}

// count returns how many writes there were.
func (c *quietConn) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.writes
}

// hold makes writes wait until release.
func (c *quietConn) hold() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held = true
}

// awaitWrite returns once a write waits.
func (c *quietConn) awaitWrite() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for !c.waiting {
		c.changed.Wait()
	}
}

func (c *quietConn) release() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held = false
	c.changed.Broadcast()
}

func (c *quietConn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	c.changed.Broadcast()
	return nil
}

// SetReadDeadline only notes whether the deadline has passed: net/http sets one in
// the past to stop its background read before a hijack.
func (c *quietConn) SetReadDeadline(at time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.expired = !at.IsZero() && time.Until(at) <= 0
	c.changed.Broadcast()
	return nil
}

func (c *quietConn) SetDeadline(at time.Time) error     { return c.SetReadDeadline(at) }
func (c *quietConn) SetWriteDeadline(_ time.Time) error { return nil }
func (c *quietConn) LocalAddr() net.Addr                { return quietAddr{} }
func (c *quietConn) RemoteAddr() net.Addr               { return quietAddr{} }
