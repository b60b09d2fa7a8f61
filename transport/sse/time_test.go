package sse_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/internal/memnet"
	"github.com/crier-go/crier/transport"
	"github.com/crier-go/crier/transport/internal/fixture"
	"github.com/crier-go/crier/transport/sse"
)

// eventsOf opens a stream over a connection, of which the client reads through
// slow, if it is not nil.
func eventsOf(t *testing.T, conn net.Conn, slow io.Reader) func() string {
	t.Helper()
	r := fixture.Request("/")
	fixture.Send(t, conn, r)
	if slow == nil {
		slow = conn
	}
	resp, err := http.ReadResponse(bufio.NewReaderSize(slow, 16<<10), r)
	if err != nil {
		t.Fatal(err)
	}
	body := bufio.NewReader(resp.Body)
	return func() string {
		t.Helper()
		f, err := readFrame(body)
		if err != nil {
			t.Fatal(err)
		}
		return f.Event
	}
}

// A slow link is not cut as long as it makes progress. Through net/http, where
// a write cannot be continued after its deadline, progress is 64 KiB within
// WriteTimeout at first, and 4 KiB once the link is known to be slow.
func TestSlowLinkIsNotCut(t *testing.T) {
	for name, c := range map[string]struct {
		lean        bool
		over        func(http.Handler) http.Handler
		first, then int // bytes a second
	}{
		"net/http":               {false, plain, 8000, 1000},
		"lean":                   {true, plain, 600, 600},
		"lean, over the reactor": {true, memnet.OverReactor, 600, 600},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := fixture.New(t, nil)
				server := memnet.Serve(t, c.over(sse.NewHandler(f.Hub, f.Auth, &sse.Options{Lean: c.lean})))
				conn := server.Dial()
				link := &memnet.Slow{Conn: conn, Pause: time.Second, Bytes: c.first}
				next := eventsOf(t, conn, link)
				for range 5 {
					f.Publish(strings.Repeat("x", 100_000))
				}
				next()
				for i := range 5 {
					if got := next(); got != "note.added" {
						t.Fatalf("event %d: got %s", i, got)
					}
					link.Bytes = c.then
				}
			})
		})
	}
}

// A stream outlives the server's timeouts, which are meant for requests that
// end.
func TestStreamOutlivesServerTimeouts(t *testing.T) {
	both(t, func(t *testing.T, f *fixture.Fixture, handler func(transport.Options) http.Handler) {
		server := memnet.Serve(t, handler(transport.Options{}), func(s *memnet.Server) {
			s.HTTP.WriteTimeout = 5 * time.Second
			s.HTTP.ReadTimeout = 5 * time.Second
			s.HTTP.IdleTimeout = 5 * time.Second
		})
		next := eventsOf(t, server.Dial(), nil)
		next()
		for range 5 {
			time.Sleep(time.Minute)
			f.Publish("a")
			for next() != "note.added" {
			}
		}
	})
}

// Over HTTP/1.1 the stream is chunked, so that a client can tell its end from a
// connection that broke.
func TestEndDiffersFromCut(t *testing.T) {
	both(t, func(t *testing.T, f *fixture.Fixture, handler func(transport.Options) http.Handler) {
		for name, c := range map[string]struct {
			end  func(server *memnet.Server)
			want error
		}{
			"ended": {func(*memnet.Server) { f.Hub.RevokeUser(context.Background(), fixture.Alice) }, nil},
			"cut":   {func(s *memnet.Server) { s.Cut() }, io.ErrUnexpectedEOF},
		} {
			server := memnet.Serve(t, handler(transport.Options{}))
			conn := server.Dial()
			r := fixture.Request("/")
			fixture.Send(t, conn, r)
			reader := bufio.NewReader(conn)
			resp, err := http.ReadResponse(reader, r)
			if err != nil {
				t.Fatal(err)
			}
			if !resp.Close || len(resp.TransferEncoding) != 1 || resp.TransferEncoding[0] != "chunked" {
				t.Errorf("close %v, transfer encoding %q", resp.Close, resp.TransferEncoding)
			}
			synctest.Wait()
			c.end(server)
			b, err := io.ReadAll(resp.Body)
			if err != c.want || c.want == nil && !strings.HasSuffix(string(b), "data: {\"reason\":\"revoked\"}\n\n") {
				t.Fatalf("%s: got %q, %v; want %v", name, b, err, c.want)
			}
			if _, err := reader.ReadByte(); err != io.EOF {
				t.Errorf("%s: after the stream: %v", name, err)
			}
			time.Sleep(2 * time.Second) // what is authenticated from here on was not revoked
		}
	})
}

// What a lean stream joins into one write is one chunk.
func TestLeanBatchIsOneChunk(t *testing.T) {
	leanly(t, func(t *testing.T, f *fixture.Fixture, conn *memnet.Conn) {
		fixture.Send(t, conn, fixture.Request("/"))
		synctest.Wait()
		first := make([]byte, 64<<10)
		n, _ := conn.Read(first) // the head and the opening
		for range 9 {            // the first is written by itself, the others while that hangs
			f.Publish(strings.Repeat("x", memnet.Capacity-n))
			for range 5 {
				f.Publish("a")
			}
		}
		time.Sleep(time.Second)
		var all []byte
		buf := make([]byte, 64<<10)
		for {
			conn.SetReadDeadline(time.Now().Add(time.Second))
			n, err := conn.Read(buf)
			if err != nil {
				break
			}
			all = append(all, buf[:n]...)
		}
		chunks := 0
		for len(all) > 0 {
			size, rest, _ := strings.Cut(string(all), "\r\n")
			n, err := strconv.ParseInt(size, 16, 64)
			if err != nil {
				t.Fatalf("not a chunk: %.40q", all)
			}
			all = []byte(rest[n+2:])
			chunks++
		}
		if chunks < 2 || chunks > 20 {
			t.Errorf("54 events came in %d chunks", chunks)
		}
	})
}

// What the client of a lean stream sends is discarded. If it does not stop, it
// is disconnected.
func TestLeanDiscardsWhatTheClientSends(t *testing.T) {
	leanly(t, func(t *testing.T, f *fixture.Fixture, conn *memnet.Conn) {
		next := eventsOf(t, conn, nil)
		next()
		conn.Write([]byte(strings.Repeat("GET / HTTP/1.1\r\n\r\n", 100)))
		f.Publish("a")
		if got := next(); got != "note.added" {
			t.Errorf("got %s", got)
		}
		sent := 0
		for err := error(nil); err == nil && sent < 1<<20; sent++ {
			_, err = conn.Write([]byte(strings.Repeat("x", 64)))
		}
		if sent == 1<<20 {
			t.Error("it may talk for ever")
		}
		synctest.Wait()
		if f.Ended(hub.ReasonGone) != 1 {
			t.Errorf("ended: %v", f.Hub.Stats().Ended)
		}
	})
}

// After the end of a lean stream, the client has a second to read it and to
// hang up.
func TestLeanClosesAfterEnd(t *testing.T) {
	leanly(t, func(t *testing.T, f *fixture.Fixture, conn *memnet.Conn) {
		next := eventsOf(t, conn, nil)
		next()
		conn.Write([]byte("x")) // unread when the server closes, it would destroy the end
		f.Hub.RevokeUser(context.Background(), fixture.Alice)
		time.Sleep(500 * time.Millisecond)
		conn.Write([]byte("x"))
		if got := next(); got != "stream.end" {
			t.Errorf("got %s", got)
		}
		conn.SetReadDeadline(time.Now().Add(time.Millisecond))
		if n, err := conn.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			t.Errorf("got %d, %v; want the end at once", n, err)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if len(f.Hub.Stats().Streams) != 0 {
			t.Error("still open")
		}
	})
}
