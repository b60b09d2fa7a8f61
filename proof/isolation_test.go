package proof

import (
	"context"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/hub/hubtest"
	"github.com/crier-go/crier/transport"
)

// One client of many does not read. It ends as slow, everybody else misses
// nothing, memory stays under the bound, and when it comes back it has lost
// nothing that is retained.
func TestIsolation(t *testing.T) {
	clients, events := 50, 800
	if *soak {
		clients, events = 1000, 4_000
	}
	var fence hubtest.Fence
	slow := make(chan hub.Stream, 1)
	const bytes = 64 << 20
	h := hub.New(&kinds, &hub.Options{Bytes: bytes, Observer: fence.Observe(&hub.Observer{Ended: func(s hub.Stream) {
		if s.Reason == hub.ReasonSlow {
			select {
			case slow <- s:
			default: // the first is the one; an observer must not block
			}
		}
	}})})
	srv := serve(t, h, transport.Options{WriteTimeout: 2 * time.Second})
	books := newLedger()
	start := h.Cursor()

	staller := &client{account: account{ledger: books, user: uuid.New()}, url: srv.URL, path: "/events", last: start, rand: rand.New(rand.NewPCG(0, 0))}
	conn, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.(*net.TCPConn).SetReadBuffer(4 << 10)
	if _, err := staller.open(conn); err != nil { // and reads no further
		t.Fatal(err)
	}

	var mu sync.Mutex
	var total counts
	var all errgroup.Group
	for i := range clients {
		c := &client{account: account{ledger: books, user: uuid.New()}, url: srv.URL, path: socketPaths[i%len(socketPaths)], last: start, rand: rand.New(rand.NewPCG(1, 1)), healthy: true}
		all.Go(func() error {
			err := c.run()
			mu.Lock()
			defer mu.Unlock()
			total.add(c.counts)
			return err
		})
	}
	fence.Opened(t, clients+1)
	broadcast := func(e *event.Event) error { return h.Broadcast(context.Background(), e) }
	longest := time.Duration(0)
	for range events {
		began := time.Now()
		books.publish(t, uuid.Nil, strings.Repeat("x", 1000), broadcast)
		longest = max(longest, time.Since(began))
		if st := h.Stats(); st.Bytes > bytes {
			t.Fatalf("%d bytes retained, over the bound of %d", st.Bytes, bytes)
		}
	}
	books.end()
	books.publish(t, uuid.Nil, "", broadcast)
	if err := all.Wait(); err != nil {
		t.Error(err)
	}
	if err := total.broken(); err != nil || total.Declared > 0 || total.Delivered != clients*(events+1) {
		t.Errorf("the others: %+v", total)
	}
	select {
	case s := <-slow:
		if s.User != staller.user {
			t.Error("somebody else ended as slow")
		}
	case <-time.After(20 * time.Second):
		t.Error("the stalled client has not ended as slow")
	}
	staller.healthy = true
	if err := staller.run(); err != nil {
		t.Error(err)
	}
	if err := staller.broken(); err != nil || staller.Delivered != events+1 {
		t.Errorf("the stalled one, back again: %+v", staller.counts)
	}
	t.Logf("%d clients: %+v; the longest publish took %v", clients, total, longest)
}
