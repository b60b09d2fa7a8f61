//go:build linux && !386 && !s390x

package tcp_test

import (
	"errors"
	"net"
	"os"
	"testing"
	"time"

	"github.com/crier-go/crier/transport/internal/fixture"
	"github.com/crier-go/crier/transport/internal/tcp"
)

// pair returns the two ends of a connection over loopback.
func pair(t *testing.T) (client, server *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); s.Close() })
	return c.(*net.TCPConn), s.(*net.TCPConn)
}

// fill writes until the kernel takes nothing more for some time.
func fill(t *testing.T, c net.Conn) (accepted int) {
	t.Helper()
	chunk := make([]byte, 16<<10)
	for {
		c.SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
		n, err := c.Write(chunk)
		accepted += n
		if errors.Is(err, os.ErrDeadlineExceeded) {
			c.SetWriteDeadline(time.Time{})
			return accepted
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// A client that does not read costs a bounded amount of the kernel's memory.
func TestLimitBoundsTheKernelsBuffer(t *testing.T) {
	_, server := pair(t)
	tcp.Limit(server)
	accepted := fill(t, server)
	info, ok := tcp.InfoOf(server)
	if !ok {
		t.Fatal("the kernel does not tell")
	}
	if info.Outstanding == 0 || info.Outstanding > 96<<10 {
		t.Errorf("%d bytes are held for a client that does not read, of %d accepted", info.Outstanding, accepted)
	}
	if info.Acked+info.Outstanding < uint64(accepted) {
		t.Errorf("got %+v after %d bytes", info, accepted)
	}
}

func TestVanishedClientIsNoticed(t *testing.T) {
	for name, stalled := range map[string]bool{"idle": false, "stalled": true} {
		t.Run(name, func(t *testing.T) {
			client, server := pair(t)
			tcp.Limit(server)
			if stalled {
				fill(t, server)
			}
			const d = 300 * time.Millisecond
			var v tcp.Vanished
			if v.Check(server, d) {
				t.Error("vanished before anything was written")
			}
			server.SetWriteDeadline(time.Now().Add(time.Millisecond))
			server.Write([]byte("x"))
			v.Mark(server)
			if v.Check(server, d) {
				t.Error("a client that answers is said to have vanished")
			}
			fixture.Vanish(t, client)
			if !stalled {
				server.SetWriteDeadline(time.Time{})
				server.Write([]byte("x"))
			}
			v.Mark(server)
			for began := time.Now(); !v.Check(server, d); time.Sleep(10 * time.Millisecond) {
				if time.Since(began) > 20*time.Second {
					info, _ := tcp.InfoOf(server)
					t.Fatalf("not noticed: %+v", info)
				}
			}
		})
	}
}

func TestUnknownConnections(t *testing.T) {
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	tcp.Limit(a)
	if _, ok := tcp.InfoOf(a); ok {
		t.Error("a pipe has no kernel")
	}
	_, server := pair(t)
	server.Close()
	tcp.Limit(server)
	if _, ok := tcp.InfoOf(server); ok {
		t.Error("a closed connection tells nothing")
	}
}
