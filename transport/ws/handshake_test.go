package ws_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"testing"
	"testing/synctest"

	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/internal/memnet"
	"github.com/crier-go/crier/transport"
	"github.com/crier-go/crier/transport/internal/fixture"
	"github.com/crier-go/crier/transport/ws"
)

// A request that is not a handshake is answered before anybody is subscribed.
func TestHandshake(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*http.Request)
		status int
		header string // that must be there
	}{
		"right":          {func(r *http.Request) {}, 101, "Sec-Websocket-Accept"},
		"in a list":      {func(r *http.Request) { r.Header.Set("Connection", "keep-alive, upgrade") }, 101, ""},
		"method POST":    {func(r *http.Request) { r.Method = "POST" }, 405, "Allow"},
		"method HEAD":    {func(r *http.Request) { r.Method = "HEAD" }, 405, "Allow"},
		"method OPTIONS": {func(r *http.Request) { r.Method = "OPTIONS" }, 405, "Allow"},
		"a plain GET":    {func(r *http.Request) { r.Header = http.Header{} }, 426, "Upgrade"},
		"empty elements": {func(r *http.Request) {
			r.Header.Set("Connection", ",, Upgrade,")
			r.Header.Set("Upgrade", ",websocket ,")
		}, 101, ""},
		"in two headers":        {func(r *http.Request) { r.Header["Connection"] = []string{"keep-alive", "Upgrade"} }, 101, ""},
		"no Connection":         {func(r *http.Request) { r.Header.Del("Connection") }, 426, "Upgrade"},
		"another Connection":    {func(r *http.Request) { r.Header.Set("Connection", "upgrades") }, 426, "Connection"},
		"another protocol":      {func(r *http.Request) { r.Header.Set("Upgrade", "h2c") }, 426, "Upgrade"},
		"no version":            {func(r *http.Request) { r.Header.Del("Sec-WebSocket-Version") }, 426, "Sec-WebSocket-Version"},
		"version 8":             {func(r *http.Request) { r.Header.Set("Sec-WebSocket-Version", "8") }, 426, "Sec-WebSocket-Version"},
		"no key":                {func(r *http.Request) { r.Header.Del("Sec-WebSocket-Key") }, 400, ""},
		"two keys":              {func(r *http.Request) { r.Header.Add("Sec-WebSocket-Key", "AQEBAQEBAQEBAQEBAQEBAQ==") }, 400, ""},
		"a key that is short":   {func(r *http.Request) { r.Header.Set("Sec-WebSocket-Key", "c2hvcnQ=") }, 400, ""},
		"a key that is no code": {func(r *http.Request) { r.Header.Set("Sec-WebSocket-Key", "!!!!!!!!!!!!!!!!!!!!!!!!") }, 400, ""},
		"a body":                {func(r *http.Request) { r.Header.Set("Content-Length", "500") }, 400, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := fixture.New(t, nil)
				server := memnet.Serve(t, ws.NewHandler(f.Hub, f.Auth, options(transport.Options{Logger: f.Logger()})))
				conn := server.Dial()
				r := fixture.Upgrade(fixture.Request("/"))
				c.change(r)
				fixture.Send(t, conn, r)
				resp, err := http.ReadResponse(bufio.NewReader(conn), r)
				if err != nil {
					t.Fatal(err)
				}
				if resp.StatusCode != c.status || c.header != "" && resp.Header.Get(c.header) == "" {
					t.Errorf("got %s, %v; want %d with %s", resp.Status, resp.Header, c.status, c.header)
				}
				if resp.StatusCode == 426 && (resp.Header.Get("Upgrade") != "websocket" || resp.Header.Get("Connection") != "Upgrade") {
					t.Errorf("426 without Upgrade and Connection: %v", resp.Header)
				}
				if want := c.status == 101; (f.Subscribed() == 1) != want {
					t.Errorf("%d streams were opened", f.Subscribed())
				}
			})
		})
	}
}

// The example of RFC 6455, section 1.3. Cookies that middleware sets are sent;
// other headers are not.
func TestHandshakeResponse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fixture.New(t, nil)
		inner := ws.NewHandler(f.Hub, f.Auth, nil)
		server := memnet.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Set-Cookie", "a=b")
			w.Header().Set("Connection", "close")
			inner.ServeHTTP(unwrapped{w}, r)
		}))
		conn := server.Dial()
		r := fixture.Upgrade(fixture.Request("/", "Sec-WebSocket-Extensions", "permessage-deflate", "Sec-WebSocket-Protocol", "chat"))
		fixture.Send(t, conn, r)
		resp, err := http.ReadResponse(bufio.NewReader(conn), r)
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]string{
			"Sec-Websocket-Accept":     "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
			"Connection":               "Upgrade",
			"Upgrade":                  "websocket",
			"Set-Cookie":               "a=b",
			"Sec-Websocket-Extensions": "", // no compression
			"Sec-Websocket-Protocol":   "",
		} {
			if got := resp.Header.Get(name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
	})
}

type unwrapped struct{ http.ResponseWriter }

func (u unwrapped) Unwrap() http.ResponseWriter { return u.ResponseWriter }

// If the connection cannot be hijacked, the client and the log are told, and no
// stream stays open.
func TestUpgradeFailureIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fixture.New(t, nil)
		inner := ws.NewHandler(f.Hub, f.Auth, options(transport.Options{Logger: f.Logger()}))
		server := memnet.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			inner.ServeHTTP(struct{ http.ResponseWriter }{w}, r)
		}))
		conn := server.Dial()
		r := fixture.Upgrade(fixture.Request("/"))
		fixture.Send(t, conn, r)
		resp, err := http.ReadResponse(bufio.NewReader(conn), r)
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != http.StatusInternalServerError || resp.Header.Get("Content-Type") != "application/json" {
			t.Errorf("got %s, %v", resp.Status, resp.Header)
		}
		if f.Log.String() == "" {
			t.Error("nothing was logged")
		}
		if st := f.Hub.Stats(); len(st.Streams) > 0 {
			t.Errorf("still subscribed: %+v", st)
		}
	})
}

// An Upgrade field in HTTP/1.0 is ignored (RFC 9110, section 7.8).
func TestHandshakeInHTTP10IsIgnored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fixture.New(t, nil)
		conn := memnet.Serve(t, ws.NewHandler(f.Hub, f.Auth, nil)).Dial()
		fmt.Fprint(conn, "GET / HTTP/1.0\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != http.StatusUpgradeRequired || f.Subscribed() != 0 {
			t.Errorf("got %s", resp.Status)
		}
	})
}

// HTTP/2 forbids the fields that a 426 needs (RFC 9113, section 8.2.2): clients
// treat a response with them as a protocol error.
func TestHandshakeOverHTTP2IsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fixture.New(t, nil)
		server := memnet.Serve(t, ws.NewHandler(f.Hub, f.Auth, nil))
		var protocols http.Protocols
		protocols.SetUnencryptedHTTP2(true)
		client := &http.Transport{
			Protocols:   &protocols,
			DialContext: func(context.Context, string, string) (net.Conn, error) { return server.Dial(), nil },
		}
		defer client.CloseIdleConnections()
		resp, err := client.RoundTrip(fixture.Request("/"))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusBadRequest || resp.Header.Get("Upgrade") != "" || resp.Header.Get("Connection") != "" {
			t.Errorf("got %s, %v", resp.Status, resp.Header)
		}
	})
}

// A request that cannot be served now is refused before the upgrade: a
// handshake that succeeds resets the backoff of clients.
func TestUnavailableIsRefusedBeforeUpgrade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fixture.New(t, nil)
		f.Authenticate(func(*http.Request) (hub.Session, error) { return hub.Session{}, errors.New("away") })
		server := memnet.Serve(t, ws.NewHandler(f.Hub, f.Auth, options(transport.Options{Logger: f.Logger()})))
		retries := map[int]bool{}
		for range 20 {
			conn := server.Dial()
			r := fixture.Upgrade(fixture.Request("/"))
			fixture.Send(t, conn, r)
			resp, err := http.ReadResponse(bufio.NewReader(conn), r)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			if want := `{"error":"come back later: unavailable"}` + "\n"; resp.StatusCode != http.StatusServiceUnavailable || string(body) != want {
				t.Fatalf("got %s, %q", resp.Status, body)
			}
			seconds, err := strconv.Atoi(resp.Header.Get("Retry-After"))
			if err != nil || seconds < 30 || seconds > 60 {
				t.Errorf("Retry-After: %q; want 30 to 60, ten to twenty times Options.Retry", resp.Header.Get("Retry-After"))
			}
			retries[seconds] = true
		}
		if len(retries) < 8 {
			t.Errorf("20 clients that were sent away together come back at %d times", len(retries))
		}
		if f.Subscribed() != 0 {
			t.Error("a stream was opened")
		}
	})
}

func TestNewHandlerPanicsOnBadOptions(t *testing.T) {
	f := fixture.New(t, nil)
	for name, newHandler := range map[string]func(){
		"no hub":              func() { ws.NewHandler(nil, f.Auth, nil) },
		"no authenticator":    func() { ws.NewHandler(f.Hub, nil, nil) },
		"negative read limit": func() { ws.NewHandler(f.Hub, f.Auth, &ws.Options{ReadLimit: -1}) },
		"negative rate":       func() { ws.NewHandler(f.Hub, f.Auth, &ws.Options{MessagesPerSecond: -1}) },
		"negative burst":      func() { ws.NewHandler(f.Hub, f.Auth, &ws.Options{MessageBurst: -1}) },
		"an origin with path": func() {
			ws.NewHandler(f.Hub, f.Auth, options(transport.Options{AllowedOrigins: []string{"https://a.example/"}}))
		},
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
