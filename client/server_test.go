package client_test

import (
	"context"
	"flag"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/client"
	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/transport"
	"github.com/crier-go/crier/transport/sse"
	"github.com/crier-go/crier/transport/ws"
)

var (
	alice  = uuid.MustParse("00000000-0000-4000-8000-00000000000a")
	kinds  event.Registry
	added  = event.Define[string](&kinds, "notes", "note.added", "A note.")
	raised = event.Define[int](&kinds, "alerts", "alert.raised", "An alert.")
	html   = event.Define[string](&kinds, "notes", "note.fragment", "A note as HTML.", event.Text())
	typing = event.Define[string](&kinds, "notes", "note.typing", "Somebody is typing.", event.Ephemeral())
)

// A server is a real one, with the handlers of this repository.
type server struct {
	*httptest.Server
	t   *testing.T
	hub *hub.Hub

	subscribed atomic.Int64
}

// newServer serves a hub at an address, or at any if that is empty.
func newServer(t *testing.T, address string, ho hub.Options, o transport.Options) *server {
	t.Helper()
	s := &server{t: t}
	ho.Observer = &hub.Observer{Subscribed: func(hub.Stream) { s.subscribed.Add(1) }}
	ho.Logger = slog.New(slog.DiscardHandler)
	o.Logger = ho.Logger
	s.hub = hub.New(&kinds, &ho)
	mux := http.NewServeMux()
	mux.Handle("/sse", sse.NewHandler(s.hub, s.authenticate, &sse.Options{Common: o}))
	mux.Handle("/lean", sse.NewHandler(s.hub, s.authenticate, &sse.Options{Common: o, Lean: true}))
	mux.Handle("/ws", ws.NewHandler(s.hub, s.authenticate, &ws.Options{Common: o, OnMessage: func(_ context.Context, c *ws.Client, data []byte) error {
		return c.Send("echo", string(data))
	}}))
	s.Server = httptest.NewUnstartedServer(mux)
	if address != "" {
		s.Listener.Close()
		var err error
		if s.Listener, err = net.Listen("tcp", address); err != nil {
			t.Fatal(err)
		}
	}
	s.Config.Protocols = &http.Protocols{}
	s.Config.Protocols.SetHTTP1(true)
	s.Config.Protocols.SetUnencryptedHTTP2(true)
	s.Start()
	t.Cleanup(s.stop)
	return s
}

func (s *server) authenticate(r *http.Request) (hub.Session, error) {
	if strings.Contains(r.Header.Get("Authorization"), "old") {
		return hub.Session{}, transport.ErrUnauthenticated
	}
	return hub.Session{User: alice, ID: r.Header.Get("Authorization"), Allowed: hub.Everything(), Topics: []string{"a", "b"}}, nil
}

// stop shuts the server down. It may be called again.
func (s *server) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := transport.Shutdown(ctx, s.Config, s.hub); err != nil {
		s.t.Errorf("shutdown: %v", err)
	}
}

func publish[T any](s *server, k event.Kind[T], payload T) *event.Event {
	s.t.Helper()
	e, err := k.New(alice, payload)
	if err == nil {
		err = s.hub.Publish(context.Background(), e)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return e
}

// A way is a way to reach a server.
type way struct {
	name, scheme, path string
	o                  func() client.Options
}

var ways = []way{
	{"sse", "http", "/sse", func() client.Options { return client.Options{} }},
	{"lean", "http", "/lean", func() client.Options { return client.Options{} }},
	{"http2", "http", "/sse", func() client.Options {
		t := &http.Transport{Protocols: &http.Protocols{}}
		t.Protocols.SetUnencryptedHTTP2(true)
		return client.Options{HTTPClient: &http.Client{Transport: t}}
	}},
	{"ws", "ws", "/ws", func() client.Options { return client.Options{} }},
}

// TestMain runs more tests at a time than there are processors: those that
// reconnect over real sockets mostly wait.
func TestMain(m *testing.M) {
	flag.Parse()
	if parallel := flag.Lookup("test.parallel"); parallel.Value.String() == parallel.DefValue {
		parallel.Value.Set("16")
	}
	os.Exit(m.Run())
}

// overAll runs a test over each transport.
func overAll(t *testing.T, test func(t *testing.T, w way)) {
	t.Parallel()
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			test(t, w)
		})
	}
}

// dial opens a stream to an address, such as a server's.
func (w way) dial(t *testing.T, address string, o client.Options) *client.Stream {
	t.Helper()
	base := w.o()
	if o.HTTPClient == nil {
		o.HTTPClient = base.HTTPClient
	}
	s, err := client.Dial(t.Context(), w.scheme+"://"+address+w.path, &o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Close()
		if o.HTTPClient != nil {
			o.HTTPClient.CloseIdleConnections()
		}
	})
	return s
}

func (s *server) address() string { return s.Listener.Addr().String() }

// A line passes connections on, and breaks each after some bytes to the client,
// which may be in the middle of a frame.
type line struct {
	net.Listener
	to    string
	bytes atomic.Int64 // for each connection
	cuts  atomic.Int64
}

func newLine(t *testing.T, to string, bytes int64) *line {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &line{Listener: listener, to: to}
	l.bytes.Store(bytes)
	var all sync.WaitGroup
	all.Go(func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { l.carry(near) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		all.Wait()
	})
	return l
}

func (l *line) carry(near net.Conn) {
	defer near.Close()
	far, err := net.Dial("tcp", l.to)
	if err != nil {
		return
	}
	defer far.Close()
	go func() {
		io.Copy(far, near)
		far.Close()
	}()
	if _, err := io.CopyN(near, far, l.bytes.Load()); err == nil {
		l.cuts.Add(1)
		near.(*net.TCPConn).SetLinger(0)
	}
}
