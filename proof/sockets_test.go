package proof

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/transport"
	"github.com/crier-go/crier/transport/sse"
	"github.com/crier-go/crier/transport/ws"
)

// soak makes the bounded tests long. `make soak` sets it.
var soak = flag.Bool("soak", false, "run the long form of the tests")

// TestSockets runs clients of all transports over real sockets with small
// buffers. By turns their connections are cut, half-closed, stalled and
// throttled; they resume from the last id they saw, as a browser does.
func TestSockets(t *testing.T) {
	clients, events, perMillisecond := 60, 5_000, 1
	if *soak {
		clients, events, perMillisecond = 450, 60_000, 2
	}
	users := make([]uuid.UUID, clients/6)
	for i := range users {
		users[i] = uuid.New()
	}
	h := hub.New(&kinds, &hub.Options{UserEvents: 80, BroadcastEvents: 16})
	srv := serve(t, h, transport.Options{WriteTimeout: 2 * time.Second})
	books := newLedger()
	start := h.Cursor()

	var mu sync.Mutex
	var total counts
	var all errgroup.Group
	for i := range clients {
		c := &client{
			account: account{ledger: books, user: users[i%len(users)]},
			url:     srv.URL, path: socketPaths[i/2%len(socketPaths)],
			rand: rand.New(rand.NewPCG(uint64(i), 1)), last: start,
		}
		all.Go(func() error {
			err := c.run()
			mu.Lock()
			defer mu.Unlock()
			total.add(c.counts)
			return err
		})
	}
	r := rand.New(rand.NewPCG(2, 2))
	pace := time.NewTicker(time.Millisecond) // or all is published before anything has broken
	defer pace.Stop()
	for n := range events {
		if n%perMillisecond == 0 {
			<-pace.C
		}
		fill := strings.Repeat("x", r.IntN(400))
		if user := users[r.IntN(len(users))]; n%60 > 0 {
			books.publish(t, user, fill, func(e *event.Event) error { return h.Publish(context.Background(), e) })
		} else {
			books.publish(t, uuid.Nil, fill, func(e *event.Event) error { return h.Broadcast(context.Background(), e) })
		}
	}
	books.end()
	// A client that is told of an unknown gap goes on from the head, so it takes
	// something new for it to see that it is through.
	finished := make(chan error)
	go func() { finished <- all.Wait() }()
	for waiting := true; waiting; {
		books.publish(t, uuid.Nil, "", func(e *event.Event) error { return h.Broadcast(context.Background(), e) })
		select {
		case err := <-finished:
			waiting = false
			if err != nil {
				t.Error(err)
			}
		case <-time.After(100 * time.Millisecond):
		}
	}
	if err := total.broken(); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := transport.Shutdown(ctx, srv.Config, h); err != nil {
		t.Error(err)
	}
	st := h.Stats()
	t.Logf("%d clients, %d events published: %+v", clients, events, total)
	t.Logf("the hub says: %d delivered, gaps %v, ends %v", st.Delivered, st.Gaps, st.Ended)
	if total.Connections < 2*clients || total.Delivered < events || total.Declared == 0 {
		t.Errorf("the clients did not try what they are for: %+v", total)
	}
}

// socketPaths are where serve serves the transports. Those of "-ring" write with
// io_uring, where it can be used.
var socketPaths = []string{"/events", "/lean", "/ws", "/lean-ring", "/ws-ring"}

// serve serves a hub on all transports, to whom the query names as user. The
// sockets have small buffers, so that a client that does not read is noticed.
func serve(t testing.TB, h *hub.Hub, o transport.Options) *httptest.Server {
	mux := http.NewServeMux()
	mux.Handle("/events", sse.NewHandler(h, everyUser, &sse.Options{Common: o}))
	mux.Handle("/lean", sse.NewHandler(h, everyUser, &sse.Options{Common: o, Lean: true}))
	mux.Handle("/ws", ws.NewHandler(h, everyUser, &ws.Options{Common: o}))
	o.IOUring = true
	mux.Handle("/lean-ring", sse.NewHandler(h, everyUser, &sse.Options{Common: o, Lean: true}))
	mux.Handle("/ws-ring", ws.NewHandler(h, everyUser, &ws.Options{Common: o}))
	srv := httptest.NewUnstartedServer(mux)
	srv.Listener = smallBuffers{srv.Listener}
	srv.Config.ReadHeaderTimeout = 2 * time.Second
	srv.Start()
	t.Cleanup(srv.Close)
	return srv
}

type smallBuffers struct{ net.Listener }

func (l smallBuffers) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		err = c.(*net.TCPConn).SetWriteBuffer(4 << 10)
	}
	return c, err
}

// A client keeps one stream open, whatever happens to its connections.
type client struct {
	account
	url, path string
	rand      *rand.Rand
	last      string // id
	healthy   bool   // its connections have no faults
}

// run reads until something comes that was published at the very end. It gives
// up when it has not got any further for two minutes, however often it came
// back.
func (c *client) run() error {
	const patience = 2 * time.Minute
	for heard := time.Now(); time.Since(heard) < patience; {
		c.Connections++
		conn, err := net.Dial("tcp", strings.TrimPrefix(c.url, "http://"))
		if err != nil {
			return err
		}
		fault := healthy
		if !c.healthy {
			fault = c.rand.IntN(5)
			conn.(*net.TCPConn).SetReadBuffer(4 << 10)
		}
		faulty := &faultyConn{TCPConn: conn.(*net.TCPConn), ledger: c.ledger, rand: c.rand, left: 200 + c.rand.IntN(10_000), fault: fault}
		next, err := c.open(faulty)
		for err == nil {
			var f frame
			if f, err = next(); err == nil {
				if f.ID != "" {
					c.last = f.ID
				}
				before := c.next
				if err := c.book(f); err != nil {
					return err
				}
				if c.next > before {
					heard = time.Now()
				}
				if c.done() {
					conn.Close()
					return nil
				}
			}
		}
		conn.Close()
	}
	return fmt.Errorf("a client of %s got no further than event %d", c.path, c.next)
}

func (c *client) done() bool {
	c.ledger.mu.Lock()
	defer c.ledger.mu.Unlock()
	return c.ledger.endedAt > 0 && c.next > c.ledger.endedAt
}

// open opens the stream on a connection, and returns how to read a frame.
func (c *client) open(conn net.Conn) (func() (frame, error), error) {
	next, _, err := open(conn, strings.TrimPrefix(c.url, "http://"), c.path, url.Values{"user": {c.user.String()}}, c.last)
	return next, err
}

// The faults that a connection may have after some bytes.
const (
	healthy = iota
	cut
	halfClosed
	stalled
	throttled
)

// A faultyConn fails after some bytes. Its clock is what gets published.
type faultyConn struct {
	*net.TCPConn
	ledger *ledger
	rand   *rand.Rand
	left   int
	fault  int
}

func (c *faultyConn) Read(p []byte) (int, error) {
	if c.left > 0 && c.fault != healthy {
		n, err := c.TCPConn.Read(p[:min(len(p), c.left)])
		c.left -= n
		return n, err
	}
	switch c.fault {
	case cut:
		c.SetLinger(0) // a reset, as when a laptop leaves
		c.Close()
	case halfClosed:
		c.CloseWrite()
	case stalled:
		c.ledger.await(c.ledger.len() + 200 + c.rand.IntN(2000))
		c.fault = cut
		c.left = 1 + c.rand.IntN(100_000)
	case throttled:
		c.ledger.await(c.ledger.len() + 1 + c.rand.IntN(5))
		p = p[:min(len(p), 1+c.rand.IntN(200))]
	}
	return c.TCPConn.Read(p)
}
