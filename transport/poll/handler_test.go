package poll_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/internal/memnet"
	"github.com/crier-go/crier/transport"
	"github.com/crier-go/crier/transport/internal/fixture"
	"github.com/crier-go/crier/transport/poll"
)

// bubble runs a test with a server and a function that sends a request over a
// connection and reads the answer.
func bubble(t *testing.T, o transport.Options, test func(t *testing.T, f *fixture.Fixture, dial func() net.Conn, ask func(net.Conn, *http.Request) *http.Response)) {
	synctest.Test(t, func(t *testing.T) {
		f := fixture.New(t, nil)
		o.Logger = f.Logger()
		server := memnet.Serve(t, poll.NewHandler(f.Hub, f.Auth, &poll.Options{Common: o}), func(s *memnet.Server) {
			s.HTTP.WriteTimeout = 5 * time.Second // counts from the request, which waits for longer
		})
		test(t, f, func() net.Conn { return server.Dial() }, func(conn net.Conn, r *http.Request) *http.Response {
			t.Helper()
			fixture.Send(t, conn, r)
			resp, err := http.ReadResponse(bufio.NewReader(conn), r)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			resp.Status += " " + string(body)
			return resp
		})
	})
}

func TestRefusals(t *testing.T) {
	method := func(m string) *http.Request {
		r := fixture.Request("/")
		r.Method = m
		return r
	}
	for name, c := range map[string]struct {
		request *http.Request
		session error
		status  int
		header  string
	}{
		"POST":             {method("POST"), nil, 405, "Allow"},
		"HEAD":             {method("HEAD"), nil, 405, "Allow"},
		"not known":        {fixture.Request("/"), transport.ErrUnauthenticated, 401, ""},
		"unknown category": {fixture.Request("/?categories=x"), nil, 400, ""},
		"another origin":   {fixture.Request("/", "Origin", "https://evil.example.net"), nil, 403, ""},
		"unavailable":      {fixture.Request("/"), errors.New("away"), 503, "Retry-After"},
		"a body":           {fixture.Request("/?categories=x", "Content-Length", "500"), nil, 400, ""},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, transport.Options{}, func(t *testing.T, f *fixture.Fixture, dial func() net.Conn, ask func(net.Conn, *http.Request) *http.Response) {
				if c.session != nil {
					f.Authenticate(func(*http.Request) (hub.Session, error) { return hub.Session{}, c.session })
				}
				resp := ask(dial(), c.request)
				if resp.StatusCode != c.status || c.header != "" && resp.Header.Get(c.header) == "" {
					t.Errorf("got %s, %v; want %d with %s", resp.Status, resp.Header, c.status, c.header)
				}
				if f.Subscribed() != 0 {
					t.Error("a stream was opened")
				}
			})
		})
	}
}

// Requests that wait reuse one connection for as long as they like: no deadline
// of one is in the way of the next.
func TestConnectionIsReused(t *testing.T) {
	bubble(t, transport.Options{WriteTimeout: time.Second}, func(t *testing.T, f *fixture.Fixture, dial func() net.Conn, ask func(net.Conn, *http.Request) *http.Response) {
		conn := dial()
		for i := range 5 {
			cursor := f.Hub.Cursor()
			go func() {
				time.Sleep(15 * time.Second)
				f.Publish(fmt.Sprint("note ", i))
			}()
			if resp := ask(conn, fixture.Request("/?last_event_id="+cursor)); resp.StatusCode != http.StatusOK || resp.Close {
				t.Fatalf("request %d: got %s", i, resp.Status)
			}
		}
		synctest.Wait() // an answer may be read before its handler has returned
		if n := len(f.Hub.Stats().Streams); n != 0 {
			t.Errorf("%d kinds of streams are open between requests", n)
		}
	})
}

// A client that hangs up while its request waits leaves nothing behind.
func TestClientHangsUp(t *testing.T) {
	bubble(t, transport.Options{}, func(t *testing.T, f *fixture.Fixture, dial func() net.Conn, ask func(net.Conn, *http.Request) *http.Response) {
		for _, body := range []string{"", "Content-Length: 500\r\n"} {
			conn := dial()
			fmt.Fprintf(conn, "GET /?last_event_id=%s HTTP/1.1\r\nHost: app.example.com\r\n%s\r\n", f.Hub.Cursor(), body)
			synctest.Wait()
			if len(f.Hub.Stats().Streams) != 1 {
				t.Fatal("no stream is open")
			}
			conn.Close()
			synctest.Wait()
			if st := f.Hub.Stats(); len(st.Streams) != 0 {
				t.Errorf("still open: %v", st.Streams)
			}
		}
	})
}

// Every request that waits at a shutdown is answered, with what came before.
func TestShutdownAnswers(t *testing.T) {
	bubble(t, transport.Options{}, func(t *testing.T, f *fixture.Fixture, dial func() net.Conn, ask func(net.Conn, *http.Request) *http.Response) {
		cursor := f.Hub.Cursor()
		go func() {
			time.Sleep(time.Second)
			f.Hub.Shutdown(context.Background())
		}()
		resp := ask(dial(), fixture.Request("/?last_event_id="+cursor))
		if resp.StatusCode != http.StatusOK {
			t.Errorf("got %s", resp.Status)
		}
		if resp := ask(dial(), fixture.Request("/?last_event_id="+cursor)); resp.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("afterwards: got %s, want 503", resp.Status)
		}
	})
}

func TestNewHandlerPanicsOnBadOptions(t *testing.T) {
	f := fixture.New(t, nil)
	for name, newHandler := range map[string]func(){
		"no hub":            func() { poll.NewHandler(nil, f.Auth, nil) },
		"no authenticator":  func() { poll.NewHandler(f.Hub, nil, nil) },
		"negative duration": func() { poll.NewHandler(f.Hub, f.Auth, &poll.Options{Common: transport.Options{Heartbeat: -1}}) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			newHandler()
		})
	}
}
