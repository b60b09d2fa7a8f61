package reactor_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"

	"github.com/crier-go/crier/transport/internal/reactor"
)

// doers are the ways to make attempts to write.
func doers(t *testing.T) map[string]func([]reactor.Write) {
	t.Helper()
	ways := map[string]func([]reactor.Write){"one by one": (*reactor.Ring)(nil).Do}
	ring, err := reactor.GetRing()
	if err != nil {
		t.Logf("without io_uring: %v", err)
		return ways
	}
	t.Cleanup(func() { reactor.PutRing(ring) })
	ways["ring"] = ring.Do
	return ways
}

// More connections than a ring has requests get each its own bytes, again and again.
func TestDo(t *testing.T) {
	for name, do := range doers(t) {
		t.Run(name, func(t *testing.T) {
			const conns, rounds = 150, 20
			writes := make([]reactor.Write, conns)
			clients := make([]*net.TCPConn, conns)
			want := make([][]byte, conns)
			for i := range writes {
				writes[i].Conn, clients[i] = pair(t)
			}
			for round := range rounds {
				for i := range writes {
					writes[i].P = bytes.Repeat([]byte{byte(i), byte(round)}, 1+i%7)
					want[i] = append(want[i], writes[i].P...)
				}
				do(writes)
				for i, w := range writes {
					if w.N != len(w.P) || w.Err != nil {
						t.Fatalf("%d bytes to connection %d: %d, %v", len(w.P), i, w.N, w.Err)
					}
				}
			}
			for i, c := range clients {
				got := make([]byte, len(want[i]))
				if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, want[i]) {
					t.Fatalf("connection %d read %x, %v; want %x", i, got, err, want[i])
				}
			}
		})
	}
}

// One connection has no room, one has some, one is closed, one was reset, and one is
// well: each gets its own result.
func TestDoFails(t *testing.T) {
	for name, do := range doers(t) {
		t.Run(name, func(t *testing.T) {
			full, _ := pair(t)
			partly, _ := pair(t)
			closed, _ := pair(t)
			reset, gone := pair(t)
			well, reader := pair(t)
			large := make([]byte, 16<<20)
			for _, err := full.TryWrite(large); err != reactor.ErrNotReady; _, err = full.TryWrite(large) {
				if err != nil {
					t.Fatal(err)
				}
			}
			closed.Close()
			gone.SetLinger(0)
			gone.Close()
			wantReset(t, reset)

			writes := []reactor.Write{
				{Conn: full, P: large},
				{Conn: partly, P: large},
				{Conn: closed, P: []byte("x")},
				{Conn: reset, P: []byte("x")},
				{Conn: well, P: []byte("hello")},
				{Conn: well},
			}
			do(writes)
			if w := writes[0]; w.N != 0 || w.Err != reactor.ErrNotReady {
				t.Errorf("without room: %d, %v", w.N, w.Err)
			}
			if w := writes[1]; w.N == 0 || w.N >= len(large) || w.Err != nil {
				t.Errorf("with some room: %d of %d, %v", w.N, len(large), w.Err)
			}
			if w := writes[2]; w.N != 0 || !errors.Is(w.Err, net.ErrClosed) {
				t.Errorf("closed: %d, %v", w.N, w.Err)
			}
			if w := writes[3]; w.N != 0 || w.Err == nil || w.Err == reactor.ErrNotReady {
				t.Errorf("reset: %d, %v", w.N, w.Err)
			}
			if w := writes[4]; w.N != 5 || w.Err != nil {
				t.Errorf("well: %d, %v", w.N, w.Err)
			}
			if w := writes[5]; w.N != 0 || w.Err != nil {
				t.Errorf("nothing to write: %d, %v", w.N, w.Err)
			}
			got := make([]byte, 5)
			if _, err := io.ReadFull(reader, got); err != nil || string(got) != "hello" {
				t.Errorf("read %q, %v", got, err)
			}
		})
	}
}

// wantReset waits until the kernel knows that the peer has reset the connection.
func wantReset(t *testing.T, c reactor.Conn) {
	t.Helper()
	called := awaited(c)
	wantCall(t, called, "the peer has reset it")
	if n, err := c.TryRead(make([]byte, 1)); err == nil || err == reactor.ErrNotReady {
		t.Fatalf("read %d, %v", n, err)
	}
}

// A connection that was full is written to by Write when its client has read: the
// ring's attempts leave its state as TryWrite does.
func TestWriteAfterRing(t *testing.T) {
	for name, do := range doers(t) {
		t.Run(name, func(t *testing.T) {
			server, client := pair(t)
			large := bytes.Repeat([]byte("0123456789abcdef"), 1<<20)
			writes := []reactor.Write{{Conn: server, P: large}}
			do(writes)
			rest := large[writes[0].N:]
			writes[0].P = rest
			do(writes) // most likely there is no room
			rest = rest[writes[0].N:]
			wrote := make(chan error, 1)
			go func() {
				_, err := server.Write(rest)
				wrote <- err
			}()
			got := make([]byte, len(large))
			if _, err := io.ReadFull(client, got); err != nil || !bytes.Equal(got, large) {
				t.Errorf("read other bytes, %v", err)
			}
			if err := <-wrote; err != nil {
				t.Error(err)
			}
		})
	}
}
