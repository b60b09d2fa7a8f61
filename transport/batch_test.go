package transport_test

import (
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/crier-go/crier/internal/memnet"
	"github.com/crier-go/crier/transport"
	"github.com/crier-go/crier/transport/internal/fixture"
)

// A measuredConn notes the largest write.
type measuredConn struct {
	net.Conn
	mu      *sync.Mutex
	largest *int
}

func (c measuredConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	*c.largest = max(*c.largest, len(p))
	c.mu.Unlock()
	return c.Conn.Write(p)
}

// What is joined for a client is what it holds while it does not read: at most
// 16 KiB, however much there is to write.
func TestJoinedBatchIsBounded(t *testing.T) {
	for _, name := range []string{"sse", "sse lean", "sse lean over the reactor", "ws", "ws over the reactor"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := fixture.New(t, nil)
				var mu sync.Mutex
				largest := 0
				server := memnet.Serve(t, handlers[name](f.Hub, f.Auth, &transport.Options{Logger: f.Logger()}), func(s *memnet.Server) {
					s.Wrap = func(c net.Conn) net.Conn { return measuredConn{c, &mu, &largest} }
				})
				conn := server.Dial()
				r := fixture.Request("/")
				if strings.HasPrefix(name, "ws") {
					fixture.Upgrade(r)
				}
				fixture.Send(t, conn, r)
				synctest.Wait()
				for range 300 { // 300 KB, of which nothing is read at first
					f.Publish(strings.Repeat("x", 1000))
				}
				time.Sleep(time.Second)
				buf := make([]byte, 64<<10)
				for read := 0; read < 300_000; {
					n, err := conn.Read(buf)
					if err != nil {
						t.Fatal(err)
					}
					read += n
				}
				mu.Lock()
				defer mu.Unlock()
				if largest < 8<<10 || largest > 16<<10+32 { // and a chunk's frame
					t.Errorf("the largest write had %d bytes", largest)
				}
			})
		})
	}
}
