//go:build amd64 || arm64

package reactor

import (
	"io"
	"net"
	"syscall"
	"testing"
)

// A ring whose system call fails carries nothing out, and each write is made by
// TryWrite. Its descriptors are released, so that the connections can be closed.
func TestRingThatFails(t *testing.T) {
	var r Ring
	if err := r.open(); err != nil {
		t.Skipf("not run here: io_uring cannot be used: %v", err)
	}
	syscall.Close(r.fd)
	r.fd = -1
	defer r.close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	writes := make([]Write, 100)
	clients := make([]net.Conn, len(writes))
	for i := range writes {
		if clients[i], err = net.Dial("tcp", l.Addr().String()); err != nil {
			t.Fatal(err)
		}
		defer clients[i].Close()
		accepted, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		writes[i].Conn = Take(accepted)
		defer writes[i].Conn.Close()
	}
	for round := range 3 {
		for i := range writes {
			writes[i].P = []byte{byte(i), byte(round)}
		}
		r.Do(writes)
		for i, w := range writes {
			got := make([]byte, 2)
			if w.N != 2 || w.Err != nil {
				t.Fatalf("write %d: %d, %v", i, w.N, w.Err)
			}
			if _, err := io.ReadFull(clients[i], got); err != nil || got[0] != byte(i) || got[1] != byte(round) {
				t.Fatalf("connection %d read %v, %v", i, got, err)
			}
		}
	}
	for i := range writes {
		if c := writes[i].Conn.(*conn); c.users != 0 || !c.out.ready {
			t.Fatalf("connection %d: %d users, ready: %v", i, c.users, c.out.ready)
		}
	}
}
