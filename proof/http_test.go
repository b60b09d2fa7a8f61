package proof

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/hub/hubtest"
	"github.com/crier-go/crier/transport"
	"github.com/crier-go/crier/transport/sse"
)

// everyUser lets whoever asks in, as the user that the query names.
func everyUser(r *http.Request) (hub.Session, error) {
	user, err := uuid.Parse(r.URL.Query().Get("user"))
	if err != nil {
		return hub.Session{}, transport.ErrUnauthenticated
	}
	return hub.Session{User: user, ID: "s", Allowed: hub.Everything()}, nil
}

func publishTo(t testing.TB, h *hub.Hub, user uuid.UUID, p payload) {
	t.Helper()
	e, err := posted.New(user, p)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Publish(context.Background(), e); err != nil {
		t.Fatal(err)
	}
}

// nextEvent reads past the hub's own frames.
func nextEvent(t testing.TB, r *bufio.Reader) frame {
	t.Helper()
	for {
		f, err := readSSE(r)
		if err != nil {
			t.Fatalf("the stream broke: %v", err)
		}
		if !strings.HasPrefix(f.Event, "stream.") {
			return f
		}
	}
}

// A server's WriteTimeout counts from the request, and would end each stream.
func TestServerWriteTimeout(t *testing.T) {
	for _, lean := range []bool{false, true} {
		t.Run(fmt.Sprintf("lean=%v", lean), func(t *testing.T) {
			h := hub.New(&kinds, nil)
			o := &sse.Options{Common: transport.Options{Heartbeat: 100 * time.Millisecond}, Lean: lean}
			srv := httptest.NewUnstartedServer(sse.NewHandler(h, everyUser, o))
			srv.Config.WriteTimeout = 300 * time.Millisecond
			srv.Config.ReadTimeout = 300 * time.Millisecond
			srv.Start()
			defer srv.Close()
			user := uuid.New()
			resp, err := http.Get(srv.URL + "?user=" + user.String())
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body := bufio.NewReader(resp.Body)
			for range 12 { // over a second of heartbeats
				if _, err := readSSE(body); err != nil {
					t.Fatalf("the stream broke: %v", err)
				}
			}
			publishTo(t, h, user, payload{N: 7})
			if f := nextEvent(t, body); string(f.Data) != `{"n":7}` {
				t.Errorf("got %s", f.Data)
			}
		})
	}
}

// Hundreds of streams on one HTTP/2 connection, over TLS and without, one of
// which nobody reads: it ends as slow, and the others miss nothing.
func TestHTTP2(t *testing.T) {
	for _, name := range []string{"tls", "h2c"} {
		t.Run(name, func(t *testing.T) { tryHTTP2(t, name == "tls") })
	}
}

func tryHTTP2(t *testing.T, useTLS bool) {
	const streams, events = 200, 40
	var fence hubtest.Fence
	var mu sync.Mutex
	var ended []hub.Reason
	// All that is published to the stalled stream is retained, so that it has
	// more to write than its HTTP/2 window takes and ends as slow.
	h := hub.New(&kinds, &hub.Options{Bytes: 256 << 20, UserBytes: 32 << 20, Observer: fence.Observe(&hub.Observer{Ended: func(s hub.Stream) {
		mu.Lock()
		defer mu.Unlock()
		ended = append(ended, s.Reason)
	}})})
	srv := httptest.NewUnstartedServer(sse.NewHandler(h, everyUser, &sse.Options{Common: transport.Options{WriteTimeout: time.Second}, Lean: true}))
	srv.Config.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: streams + 10}
	srv.Config.Protocols = new(http.Protocols)
	var connections atomic.Int32
	srv.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			connections.Add(1)
		}
	}
	client := &http.Transport{Protocols: new(http.Protocols), TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	scheme := "http"
	if useTLS {
		scheme = "https"
		srv.Config.Protocols.SetHTTP2(true)
		client.Protocols.SetHTTP2(true)
		srv.EnableHTTP2 = true
		srv.StartTLS()
	} else {
		srv.Config.Protocols.SetUnencryptedHTTP2(true)
		client.Protocols.SetUnencryptedHTTP2(true)
		srv.Start()
	}
	defer srv.Close()

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	// One connection, not as many as a Transport would find useful.
	one, err := client.NewClientConn(ctx, scheme, srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer one.Close()
	open := func(user uuid.UUID) io.ReadCloser {
		req, err := http.NewRequestWithContext(ctx, "GET", srv.URL+"?user="+user.String(), nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := one.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		if resp.ProtoMajor != 2 || resp.StatusCode != http.StatusOK {
			t.Fatal(resp.Proto, resp.Status)
		}
		return resp.Body
	}
	bodies := make([]io.ReadCloser, streams)
	for i := range bodies {
		bodies[i] = open(uuid.New())
	}
	stalled := uuid.New()
	open(stalled) // and never read
	fence.Opened(t, streams+1)
	if n := connections.Load(); n != 1 {
		t.Fatalf("%d connections, not one", n)
	}

	fill := strings.Repeat("x", 200_000)
	for n := range 60 { // more than the stream's window takes
		publishTo(t, h, stalled, payload{N: n, Fill: fill})
	}
	for n := range events {
		e, err := posted.New(uuid.Nil, payload{N: n})
		if err != nil {
			t.Fatal(err)
		}
		if err := h.Broadcast(context.Background(), e); err != nil {
			t.Fatal(err)
		}
	}
	var readers sync.WaitGroup
	for i, b := range bodies {
		readers.Go(func() {
			body := bufio.NewReader(b)
			for n := range events {
				for {
					f, err := readSSE(body)
					if err != nil {
						t.Errorf("stream %d broke before event %d: %v", i, n, err)
						return
					}
					if f.Event == "stream.cursor" {
						continue
					}
					if want := fmt.Sprintf(`{"n":%d}`, n); string(f.Data) != want {
						t.Errorf("stream %d: got %s %s, want %s", i, f.Event, f.Data, want)
						return
					}
					break
				}
			}
		})
	}
	readers.Wait()
	fence.Ended(t, 1)
	mu.Lock()
	defer mu.Unlock()
	if len(ended) != 1 || ended[0] != hub.ReasonSlow {
		t.Errorf("the streams that ended: %v", ended)
	}
}

// HTTP/1.0 has no chunks: the stream ends with the connection.
func TestHTTP10(t *testing.T) {
	h := hub.New(&kinds, nil)
	srv := serve(t, h, transport.Options{})
	user := uuid.New()
	conn, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET /lean?user=%s HTTP/1.0\r\n\r\n", user)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	body := bufio.NewReader(resp.Body)
	if f, err := readSSE(body); err != nil || f.Event != "stream.cursor" || len(resp.TransferEncoding) > 0 {
		t.Fatalf("got %+v, %v, transfer encoding %v", f, err, resp.TransferEncoding)
	}
	publishTo(t, h, user, payload{N: 1})
	if f := nextEvent(t, body); string(f.Data) != `{"n":1}` {
		t.Errorf("got %s", f.Data)
	}
}
