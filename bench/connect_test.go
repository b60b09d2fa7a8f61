package bench

import (
	"bytes"
	"fmt"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/crier-go/crier/hub"
)

// BenchmarkConnect opens a stream and closes it again: in the hub alone, with
// other streams open, and over loopback, from connecting to the opening cursor.
// Over loopback the client runs in the same process and is part of the time.
func BenchmarkConnect(b *testing.B) {
	for _, others := range []int{0, 10_000} {
		b.Run("over=hub/others="+count(others), func(b *testing.B) {
			h := newHub(b, nil)
			for i := range others {
				s := subscribe(b, h, i+1, hub.Everything(), func() {})
				defer s.Close()
				if _, err := s.Take(nil); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportAllocs()
			turns := 0
			for b.Loop() {
				s := subscribe(b, h, 0, hub.Everything(), func() {})
				if batch, err := s.Take(nil); len(batch) > 0 || err != nil {
					b.Fatalf("a new stream begins with %d messages, %v", len(batch), err)
				}
				s.Close()
				turns++
			}
			if ended := h.Stats().Ended[hub.ReasonGone]; ended != uint64(turns) {
				b.Fatalf("%d streams have ended, want %d", ended, turns)
			}
		})
	}
	for _, transport := range transports {
		b.Run("over="+transport, func(b *testing.B) {
			srv, err := startServer()
			if err != nil {
				b.Fatal(err)
			}
			defer srv.close()
			request := []byte(request(transport, "1"))
			buf := make([]byte, 4<<10)
			b.ReportAllocs()
			turns := 0
			for b.Loop() {
				if err := visit(srv.addr, request, buf); err != nil {
					b.Fatal(err)
				}
				turns++
				// Wait for a server that is slow to end streams. The streams of this
				// user would pile up.
				for n := 0; turns-int(ended(srv.hub)) > 8; n++ {
					if runtime.Gosched(); n > 1000 {
						time.Sleep(100 * time.Microsecond)
					}
				}
			}
			await(b, "all streams to end", func() bool { return ended(srv.hub) == uint64(turns) })
		})
	}
}

func ended(h *hub.Hub) (n uint64) {
	for _, k := range h.Stats().Ended {
		n += k
	}
	return n
}

// visit connects, waits for the opening cursor, and disconnects.
func visit(addr string, request, buf []byte) error {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	c.(*net.TCPConn).SetLinger(0) // TIME_WAIT would use up the ports
	c.SetDeadline(time.Now().Add(patience))
	if _, err := c.Write(request); err != nil {
		return err
	}
	for got := 0; !bytes.Contains(buf[:got], []byte("stream.cursor")); {
		if got == len(buf) {
			return fmt.Errorf("no opening came: %s", buf)
		}
		n, err := c.Read(buf[got:])
		if err != nil {
			return fmt.Errorf("the answer was %q: %w", buf[:got], err)
		}
		got += n
	}
	return nil
}
