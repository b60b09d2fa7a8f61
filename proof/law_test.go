package proof

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/gorilla/websocket"

	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/internal/memnet"
	"github.com/crier-go/crier/transport"
	"github.com/crier-go/crier/transport/sse"
	"github.com/crier-go/crier/transport/ws"
)

var (
	lawSeed   = flag.Uint64("seed", 0, "run only this schedule of the law")
	schedules = flag.Int("schedules", 150, "how many schedules the law is held to")
)

// TestLaw is the promises in one: random schedules of publish, broadcast,
// connect, cut at any byte, stall, filter change, revoke, expiry, eviction and
// shutdown, through the real handlers, over connections in memory and in fake
// time. Every event meant for a client is delivered once, in order, or lies in
// a gap that it was told of; and nothing reaches anybody else.
func TestLaw(t *testing.T) {
	from, to := uint64(1), uint64(*schedules)
	if *soak {
		to = 5000
	}
	if *lawSeed != 0 {
		from, to = *lawSeed, *lawSeed
	}
	var total counts
	ends := map[hub.Reason]uint64{}
	for seed := from; seed <= to && !t.Failed(); seed++ {
		synctest.Test(t, func(t *testing.T) {
			l := newLaw(t, seed)
			for range 60 {
				l.step()
			}
			l.settle()
			for _, c := range l.clients {
				if err := c.broken(); err != nil {
					t.Errorf("seed %d: a client of %s: %v", seed, c.path, err)
				}
				total.add(c.counts)
			}
			for reason, n := range l.shutdown() {
				ends[reason] += n
			}
		})
	}
	t.Logf("%d schedules: %+v; ends %v", to-from+1, total, ends)
	if *lawSeed == 0 && !t.Failed() {
		for _, r := range []hub.Reason{hub.ReasonGone, hub.ReasonSlow, hub.ReasonRevoked, hub.ReasonExpired, hub.ReasonShutdown} {
			if ends[r] == 0 {
				t.Errorf("no stream ended as %q: the schedules do not try what they are for", r)
			}
		}
		if total.Declared == 0 || total.Gaps == 0 {
			t.Errorf("no gaps: %+v", total)
		}
	}
}

// A law is one schedule.
type law struct {
	t       *testing.T
	seed    uint64
	rand    *rand.Rand
	hub     *hub.Hub
	server  *memnet.Server
	books   *ledger
	users   []uuid.UUID
	clients []*lawClient
	running sync.WaitGroup
	stopped chan struct{}
}

func newLaw(t *testing.T, seed uint64) *law {
	r := rand.New(rand.NewPCG(seed, 7))
	l := &law{t: t, seed: seed, rand: r, books: newLedger(), users: []uuid.UUID{{1}, {2}, {3}}, stopped: make(chan struct{})}
	l.hub = hub.New(&kinds, &hub.Options{
		UserEvents:      5 + r.IntN(60),
		BroadcastEvents: 5 + r.IntN(60),
		MaxAge:          time.Duration(1+r.IntN(600)) * time.Second,
		Bytes:           []int64{1 << 20, 64 << 20}[r.IntN(2)],
	})
	// A session lasts as long as its client says.
	auth := func(r *http.Request) (hub.Session, error) {
		s, err := everyUser(r)
		if lifetime, e := time.ParseDuration(r.URL.Query().Get("lifetime")); e == nil {
			s.Expires = time.Now().Add(lifetime)
		}
		return s, err
	}
	o := transport.Options{Retry: time.Second}
	mux := http.NewServeMux()
	mux.Handle("/events", sse.NewHandler(l.hub, auth, &sse.Options{Common: o}))
	mux.Handle("/lean", sse.NewHandler(l.hub, auth, &sse.Options{Common: o, Lean: true}))
	mux.Handle("/ws", ws.NewHandler(l.hub, auth, &ws.Options{Common: o}))
	l.server = memnet.Serve(t, mux)
	start := l.hub.Cursor()
	for i := range 4 {
		c := &lawClient{
			account: account{ledger: l.books, user: l.users[i%len(l.users)]},
			law:     l, path: []string{"/events", "/lean", "/ws"}[r.IntN(3)], last: start,
			rand: rand.New(rand.NewPCG(seed, uint64(i))),
		}
		l.clients = append(l.clients, c)
		l.running.Go(c.run)
	}
	synctest.Wait()
	return l
}

func (l *law) step() {
	c := l.clients[l.rand.IntN(len(l.clients))]
	switch n := l.rand.IntN(100); {
	case n < 60:
		for range 1 + l.rand.IntN(10) {
			l.publish()
		}
	case n < 70:
		c.cut(l.rand.IntN(2000))
	case n < 76:
		c.stall(time.Duration(l.rand.IntN(25)) * time.Second)
	case n < 82:
		c.refilter()
	case n < 86:
		l.revoke(c)
	case n < 88:
		c.cut(0) // it comes again, perhaps with a session that soon expires
	default:
		time.Sleep(time.Duration(l.rand.IntN(5000)) * time.Millisecond)
	}
	if l.rand.IntN(2) == 0 {
		synctest.Wait()
	}
}

func (l *law) publish() {
	fill := strings.Repeat("x", l.rand.IntN(3000))
	if user := l.users[l.rand.IntN(len(l.users))]; l.rand.IntN(4) > 0 {
		l.books.publish(l.t, user, fill, func(e *event.Event) error { return l.hub.Publish(context.Background(), e) })
	} else {
		l.books.publish(l.t, uuid.Nil, fill, func(e *event.Event) error { return l.hub.Broadcast(context.Background(), e) })
	}
}

// revoke ends a client's streams. What is published from here on must not
// reach the connections that it has now.
func (l *law) revoke(c *lawClient) {
	l.hub.RevokeUser(context.Background(), c.user)
	for _, other := range l.clients {
		if other.user == c.user {
			other.mu.Lock()
			if other.conn != nil {
				other.conn.deaf = l.books.len()
			}
			other.mu.Unlock()
		}
	}
	time.Sleep(time.Millisecond) // they log in again, later
}

// settle lets every client catch up.
func (l *law) settle() {
	for _, c := range l.clients {
		c.heal()
	}
	for range 100 {
		l.books.publish(l.t, uuid.Nil, "", func(e *event.Event) error { return l.hub.Broadcast(context.Background(), e) })
		time.Sleep(5 * time.Second)
		synctest.Wait()
		behind := slices.ContainsFunc(l.clients, func(c *lawClient) bool { return c.heard() < l.books.len() })
		if !behind {
			return
		}
	}
	l.t.Errorf("seed %d: a client does not catch up; %+v", l.seed, l.hub.Stats())
}

func (l *law) shutdown() map[hub.Reason]uint64 {
	close(l.stopped)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := transport.Shutdown(ctx, l.server.HTTP, l.hub); err != nil {
		l.t.Errorf("seed %d: shutdown: %v", l.seed, err)
	}
	l.running.Wait()
	return l.hub.Stats().Ended
}

// A lawClient keeps one stream open. What the schedule does to it happens to
// its connection.
type lawClient struct {
	law  *law
	path string
	rand *rand.Rand
	last string

	mu sync.Mutex // guards what the schedule and the client both touch
	account
	conn   *lawConn
	filter []event.Category   // nil: everything
	unsure [][]event.Category // filters since the last event
	agreed bool               // the server judges by filter
}

// run connects, reads until the connection breaks, waits, and connects again.
func (c *lawClient) run() {
	for {
		c.once()
		select {
		case <-c.law.stopped:
			return
		case <-time.After(time.Duration(1+c.rand.IntN(3000)) * time.Millisecond):
		}
	}
}

func (c *lawClient) once() {
	select {
	case <-c.law.stopped:
		return
	default:
	}
	conn := &lawConn{Conn: c.law.server.Dial(), left: -1, deaf: -1}
	defer conn.Close()
	c.mu.Lock()
	c.conn = conn
	c.agreed = true
	c.Connections++
	query := url.Values{"user": {c.user.String()}}
	if c.filter != nil {
		query["categories"] = strings.Split(join(c.filter), ",")
	}
	c.mu.Unlock()
	if c.rand.IntN(8) == 0 {
		query.Set("lifetime", fmt.Sprintf("%dms", 1+c.rand.IntN(10_000)))
	}
	next, err := c.open(conn, query)
	for err == nil {
		var f frame
		if f, err = next(); err == nil {
			err = c.receive(conn, f)
		}
	}
}

func join(cs []event.Category) string {
	names := make([]string, len(cs))
	for i, c := range cs {
		names[i] = string(c)
	}
	return strings.Join(names, ",")
}

func (c *lawClient) open(conn *lawConn, query url.Values) (func() (frame, error), error) {
	next, socket, err := open(conn, "memory", c.path, query, c.last)
	c.mu.Lock()
	defer c.mu.Unlock()
	conn.socket = socket
	return next, err
}

// receive enters a frame into the client's account.
func (c *lawClient) receive(conn *lawConn, f frame) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f.ID != "" {
		c.last = f.ID
	}
	if f.Event == string(hub.TypeFilter) {
		c.agreed = true
	}
	delivered := c.Delivered
	if err := c.book(f); err != nil {
		c.law.t.Error(err)
		return err
	}
	if c.Delivered > delivered {
		if conn.deaf >= 0 && c.next > conn.deaf {
			c.Foreign++ // published after its session had been revoked
		}
		if !c.agreed {
			return nil
		}
		c.unsure = nil
		c.sure(c.filter) // what comes behind this is judged by the filter of now
	}
	return nil
}

// sure sets what the client is sure to hear from now on. Under c.mu.
func (c *lawClient) sure(filters ...[]event.Category) {
	c.hears = func(category event.Category) bool {
		for _, f := range filters {
			if f != nil && !slices.Contains(f, category) {
				return false
			}
		}
		return true
	}
}

// refilter changes the filter: on a WebSocket in the stream, else by coming
// again. Until the next event it is only sure to hear what both filters hear.
func (c *lawClient) refilter() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.agreed {
		return // one change at a time, or nobody could tell which holds
	}
	c.agreed = false
	filters := [][]event.Category{{"chat"}, {"alerts"}, {"chat", "alerts"}}
	before := c.filter
	c.filter = filters[c.law.rand.IntN(len(filters))]
	c.unsure = append(c.unsure, before, c.filter)
	c.sure(c.unsure...)
	if c.conn == nil {
		return
	}
	if c.conn.socket != nil {
		c.conn.socket.SetWriteDeadline(time.Now().Add(time.Second))
		if c.conn.socket.WriteJSON(map[string]any{"categories": c.filter}) == nil {
			return
		}
	}
	c.conn.Close()
}

func (c *lawClient) cut(after int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn != nil {
		c.conn.limit(after)
	}
}

func (c *lawClient) stall(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn != nil {
		c.conn.pause(d)
	}
}

// heal ends what the schedule has in store for the present connection.
func (c *lawClient) heal() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unsure = append(c.unsure, c.filter, nil)
	c.filter, c.agreed = nil, false
	c.sure(c.unsure...)
	if c.conn != nil {
		c.conn.Close()
	}
}

func (c *lawClient) heard() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.next
}

// A lawConn is the client's end of a connection that the schedule can harm.
type lawConn struct {
	net.Conn
	socket *websocket.Conn // once it is one; under the client's mu
	deaf   int             // events from this number on must not come here; under the client's mu

	mu    sync.Mutex
	left  int // bytes until it is cut; below zero: no limit
	until time.Time
}

func (c *lawConn) limit(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.left = n
}

func (c *lawConn) pause(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.until = time.Now().Add(d)
}

func (c *lawConn) Read(p []byte) (int, error) {
	c.mu.Lock()
	left, wait := c.left, time.Until(c.until)
	c.mu.Unlock()
	if wait > 0 {
		time.Sleep(wait)
	}
	if left == 0 {
		c.Close()
	} else if left > 0 {
		p = p[:min(len(p), left)]
	}
	n, err := c.Conn.Read(p)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left > 0 {
		c.left = max(0, c.left-n)
	}
	return n, err
}
