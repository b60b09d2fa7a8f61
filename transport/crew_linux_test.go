package transport_test

import (
	"bufio"
	"net"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"

	"github.com/crier-go/crier/transport"
	"github.com/crier-go/crier/transport/internal/fixture"
	"github.com/crier-go/crier/transport/internal/reactor"
)

// Where io_uring cannot be used, here for want of descriptors, that is logged once for
// each handler, and its streams are written as without it.
func TestIOUringCannotBeUsed(t *testing.T) {
	for _, name := range []string{"sse lean", "ws"} {
		t.Run(name, func(t *testing.T) {
			f := fixture.New(t, nil)
			var limit syscall.Rlimit
			if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
				t.Fatal(err)
			}
			none := limit
			none.Cur = 0
			if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &none); err != nil {
				t.Fatal(err)
			}
			var spare []*reactor.Ring // of tests before
			for {
				ring, err := reactor.GetRing()
				if err != nil {
					break
				}
				spare = append(spare, ring)
			}
			handler := handlers[name](f.Hub, f.Auth, &transport.Options{Logger: f.Logger(), IOUring: true})
			if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
				t.Fatal(err)
			}
			for _, ring := range spare {
				reactor.PutRing(ring)
			}

			server := httptest.NewServer(handler)
			t.Cleanup(server.Close)
			var readers []*bufio.Reader
			for range 3 {
				conn, err := net.Dial("tcp", server.Listener.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { conn.Close() })
				r := fixture.Request("/")
				if strings.HasPrefix(name, "ws") {
					fixture.Upgrade(r)
				}
				fixture.Send(t, conn, r)
				reader := bufio.NewReader(conn)
				awaits(t, reader, "stream.cursor")
				readers = append(readers, reader)
			}
			f.Publish("written nevertheless")
			for _, r := range readers {
				awaits(t, r, "written nevertheless")
			}
			if log := f.Log.String(); strings.Count(log, "io_uring cannot be used") != 1 {
				t.Errorf("logged: %s", log)
			}
		})
	}
}
