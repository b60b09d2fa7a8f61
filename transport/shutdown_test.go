package transport_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/internal/memnet"
	"github.com/crier-go/crier/transport"
	"github.com/crier-go/crier/transport/internal/fixture"
)

// A deployment is a server with all transports and some streams on each.
type deployment struct {
	*fixture.Fixture
	t      *testing.T
	server *memnet.Server
}

func deploy(t *testing.T, o transport.Options) *deployment {
	f := fixture.New(t, nil)
	o.Logger = f.Logger()
	mux := http.NewServeMux()
	for name, newHandler := range handlers {
		mux.Handle("/"+strings.ReplaceAll(name, " ", ""), newHandler(f.Hub, f.Auth, &o))
	}
	return &deployment{f, t, memnet.Serve(t, mux)}
}

// open opens a stream, and returns its connection with what was read ahead.
func (d *deployment) open(path string) (*memnet.Conn, *bufio.Reader) {
	d.t.Helper()
	conn := d.server.Dial()
	r := fixture.Request(path)
	if strings.HasPrefix(path, "/ws") {
		fixture.Upgrade(r)
	}
	fixture.Send(d.t, conn, r)
	return conn, bufio.NewReader(conn)
}

var paths = []string{"/sse", "/sselean", "/sseleanoverthereactor", "/ws", "/wsoverthereactor", "/lines"}

// awaits reads until a text has come.
func awaits(t *testing.T, r *bufio.Reader, text string) {
	t.Helper()
	var got strings.Builder
	for !strings.Contains(got.String(), text) {
		b, err := r.ReadByte()
		if err != nil {
			t.Fatalf("%v after %q; want %s", err, got.String(), text)
		}
		got.WriteByte(b)
	}
}

// Every client is told, on every transport, and new clients are asked to come
// back later. Afterwards no stream is open.
func TestShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := deploy(t, transport.Options{})
		var streams []*bufio.Reader
		for range 3 {
			for _, path := range paths[:5] {
				_, r := d.open(path)
				awaits(t, r, "stream.cursor")
				streams = append(streams, r)
			}
		}
		d.Publish("last words")
		done := make(chan error, 1)
		began := time.Now()
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			defer cancel()
			done <- transport.Shutdown(ctx, d.server.HTTP, d.Hub)
		}()
		synctest.Wait()
		for _, path := range paths {
			_, r := d.open(path)
			if strings.HasPrefix(path, "/ws") {
				awaits(t, r, "503 Service Unavailable")
				awaits(t, r, "come back later: shutdown")
				continue
			}
			awaits(t, r, `"shutdown"`)
		}
		for _, r := range streams {
			awaits(t, r, "last words")
			awaits(t, r, `"shutdown"`)
		}
		if err := <-done; err != nil {
			t.Errorf("got %v", err)
		}
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("took %v, with clients that were all there", took)
		}
		synctest.Wait()
		if d.Ended(hub.ReasonShutdown) != len(streams) || len(d.Hub.Stats().Streams) != 0 {
			t.Errorf("got %+v", d.Hub.Stats())
		}
	})
}

// Clients that cannot be told in time are disconnected, and the error says so.
func TestShutdownStalled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := deploy(t, transport.Options{WriteTimeout: time.Hour})
		for _, path := range paths {
			_, r := d.open(path)
			awaits(t, r, "stream.cursor")
		}
		for range 10 {
			d.Publish(strings.Repeat("x", 10_000))
		}
		synctest.Wait()
		began := time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := transport.Shutdown(ctx, d.server.HTTP, d.Hub); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		if took := time.Since(began); took > 10*time.Second+500*time.Millisecond {
			t.Errorf("took %v of the 10 s that it had", took)
		}
		synctest.Wait()
		if st := d.Hub.Stats(); len(st.Streams) != 0 || st.Ended[hub.ReasonShutdown] != uint64(len(paths)) {
			t.Errorf("got %+v", st)
		}
	})
}

// Other requests that hang are closed when the time is over.
func TestShutdownClosesHangingRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fixture.New(t, nil)
		server := memnet.Serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
		conn := server.Dial()
		fixture.Send(t, conn, fixture.Request("/"))
		synctest.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := transport.Shutdown(ctx, server.HTTP, f.Hub); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		conn.SetReadDeadline(time.Now().Add(time.Second))
		if _, err := conn.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("the connection is still open: %v", err)
		}
	})
}

// A client that announces a body and does not send it gets its stream or its
// refusal at once, and does not delay a shutdown. If it hangs up, that is
// noticed.
func TestUnsentBodyDelaysNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := deploy(t, transport.Options{})
		for _, path := range []string{"/sse", "/sselean"} {
			for _, body := range []string{"Content-Length: 500\r\n\r\n", "Content-Length: 500\r\n\r\nfour", "Transfer-Encoding: chunked\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"} {
				for _, hangUp := range []bool{true, false} {
					conn := d.server.Dial()
					conn.Write([]byte("GET " + path + " HTTP/1.1\r\nHost: app.example.com\r\n" + body))
					awaits(t, bufio.NewReader(conn), "stream.cursor")
					if hangUp {
						before := d.Ended(hub.ReasonGone)
						conn.Close()
						synctest.Wait()
						if d.Ended(hub.ReasonGone) != before+1 {
							t.Errorf("%s, %q: the client hung up, and its stream is still open", path, body)
						}
					}
				}
			}
		}
		for _, request := range []string{"GET /ws", "GET /sse?categories=x", "POST /sse"} {
			conn := d.server.Dial()
			conn.Write([]byte(request + " HTTP/1.1\r\nHost: app.example.com\r\nContent-Length: 500\r\n\r\n"))
			awaits(t, bufio.NewReader(conn), `{"error":`)
		}
		began := time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := transport.Shutdown(ctx, d.server.HTTP, d.Hub); err != nil {
			t.Errorf("got %v", err)
		}
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("took %v", took)
		}
	})
}

// Without a deadline, Shutdown waits for all streams.
func TestShutdownWithoutDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := deploy(t, transport.Options{})
		for _, path := range paths {
			_, r := d.open(path)
			awaits(t, r, "stream.cursor")
			defer awaits(t, r, `"shutdown"`)
		}
		if err := transport.Shutdown(context.Background(), d.server.HTTP, d.Hub); err != nil {
			t.Errorf("got %v", err)
		}
	})
}
