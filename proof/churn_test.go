package proof

import (
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/transport"
)

// TestChurn connects and disconnects, in the middle of frames too. Goroutines
// and heap must come back to where they began.
func TestChurn(t *testing.T) {
	rounds, parallel := 1_500, 8
	if *soak {
		rounds = 20_000
	}
	h := hub.New(&kinds, &hub.Options{MaxAge: time.Second})
	srv := serve(t, h, transport.Options{WriteTimeout: time.Second})
	address := srv.Listener.Addr().String()
	warm := func(n int) {
		var all sync.WaitGroup
		for worker := range parallel {
			all.Go(func() {
				for i := worker; i < n; i += parallel {
					touch(t, h, address, i)
				}
			})
		}
		all.Wait()
	}
	warm(200)
	goroutines, heap := settled(t, h)
	warm(rounds)
	after, heapAfter := settled(t, h)
	t.Logf("%d connections: goroutines %d -> %d, heap %d -> %d KiB, ends %v", rounds, goroutines, after, heap>>10, heapAfter>>10, h.Stats().Ended)
	if after > goroutines+parallel {
		t.Errorf("%d goroutines became %d", goroutines, after)
	}
	if heapAfter > heap+2<<20 {
		t.Errorf("the heap grew from %d to %d KiB", heap>>10, heapAfter>>10)
	}
}

// touch opens a stream, reads some of it while an event is being written, and
// hangs up.
func touch(t *testing.T, h *hub.Hub, address string, i int) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Error(err)
		return
	}
	defer conn.Close()
	if i%3 == 0 {
		conn.(*net.TCPConn).SetLinger(0)
	}
	user := uuid.New()
	path := socketPaths[i%len(socketPaths)]
	head := "GET " + path + "?user=" + user.String() + " HTTP/1.1\r\nHost: x\r\n"
	if strings.HasPrefix(path, "/ws") {
		head += "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n"
	}
	if _, err := conn.Write([]byte(head + "\r\n")); err != nil {
		t.Error(err)
		return
	}
	buf := make([]byte, 1+i%300)
	if _, err := conn.Read(buf); err != nil {
		t.Errorf("connection %d: %v", i, err)
	}
	publishTo(t, h, user, payload{N: i, Fill: strings.Repeat("x", i%5000)})
	conn.Read(buf)
}

// settled waits until no stream is open and nothing is retained, and measures.
func settled(t *testing.T, h *hub.Hub) (goroutines int, heap uint64) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		if st := h.Stats(); len(st.Streams) == 0 && st.Retained == 0 && st.Bytes == 0 {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("not at rest: %+v", st)
		}
		<-time.After(20 * time.Millisecond) // sockets close in their own time
	}
	for range 50 { // net/http's own goroutines go a little later
		n := runtime.NumGoroutine()
		<-time.After(20 * time.Millisecond)
		if runtime.NumGoroutine() == n {
			break
		}
	}
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return runtime.NumGoroutine(), m.HeapAlloc
}

// Users that came and went cost nothing but what is retained.
func TestMillionUsers(t *testing.T) {
	users := 50_000
	if *soak {
		users = 1_000_000
	}
	h := hub.New(&kinds, &hub.Options{Bytes: 8 << 20})
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for range users {
		user := uuid.New()
		s, err := h.Subscribe(hub.Request{Session: hub.Session{User: user, Allowed: hub.Everything()}, Filter: hub.Everything()})
		if err != nil {
			t.Fatal(err)
		}
		publishTo(t, h, user, payload{Fill: strings.Repeat("x", 100)})
		s.Close()
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	grown := int64(after.HeapAlloc) - int64(before.HeapAlloc)
	st := h.Stats()
	t.Logf("%d users came and went: heap grew by %d KiB; %d entries retained, %d KiB accounted", users, grown>>10, st.Retained, st.Bytes>>10)
	if st.Bytes > 8<<20 {
		t.Errorf("%d bytes retained, over the bound", st.Bytes)
	}
	// The account leaves out each user's log and map slot.
	if most := st.Bytes + int64(st.Retained)*1024 + 4<<20; grown > most {
		t.Errorf("the heap grew by %d bytes, over %d", grown, most)
	}
	runtime.KeepAlive(h)
}
