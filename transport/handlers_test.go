package transport_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/internal/memnet"
	"github.com/crier-go/crier/transport"
	"github.com/crier-go/crier/transport/internal/fixture"
	"github.com/crier-go/crier/transport/sse"
	"github.com/crier-go/crier/transport/ws"
)

// handlers are all transports of this module, for what they have in common.
var handlers = map[string]func(*hub.Hub, transport.Authenticator, *transport.Options) http.Handler{
	"lines": newLines,
	"sse": func(h *hub.Hub, auth transport.Authenticator, o *transport.Options) http.Handler {
		return sse.NewHandler(h, auth, &sse.Options{Common: *o})
	},
	"sse lean": func(h *hub.Hub, auth transport.Authenticator, o *transport.Options) http.Handler {
		return sse.NewHandler(h, auth, &sse.Options{Common: *o, Lean: true})
	},
	"sse lean over the reactor": func(h *hub.Hub, auth transport.Authenticator, o *transport.Options) http.Handler {
		return memnet.OverReactor(sse.NewHandler(h, auth, &sse.Options{Common: *o, Lean: true}))
	},
	"ws": func(h *hub.Hub, auth transport.Authenticator, o *transport.Options) http.Handler {
		return ws.NewHandler(h, auth, &ws.Options{Common: *o})
	},
	"ws over the reactor": func(h *hub.Hub, auth transport.Authenticator, o *transport.Options) http.Handler {
		return memnet.OverReactor(ws.NewHandler(h, auth, &ws.Options{Common: *o}))
	},
}

// everyHandler runs a test for each transport, in a bubble.
func everyHandler(t *testing.T, test func(t *testing.T, f *fixture.Fixture, ask func(*http.Request, *transport.Options) *http.Response)) {
	for name, newHandler := range handlers {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := fixture.New(t, nil)
				test(t, f, func(r *http.Request, o *transport.Options) *http.Response {
					t.Helper()
					if o == nil {
						o = &transport.Options{}
					}
					o.Logger = f.Logger()
					conn := memnet.Serve(t, newHandler(f.Hub, f.Auth, o)).Dial()
					if strings.HasPrefix(name, "ws") {
						fixture.Upgrade(r)
					}
					fixture.Send(t, conn, r)
					reader := bufio.NewReader(conn)
					resp, err := http.ReadResponse(reader, r)
					if err != nil {
						t.Fatal(err)
					}
					if resp.StatusCode == http.StatusSwitchingProtocols {
						resp.Body = io.NopCloser(reader)
					}
					return resp
				})
			})
		})
	}
}

// opened reports whether a response is a stream.
func opened(r *http.Response) bool {
	return r.StatusCode == http.StatusOK || r.StatusCode == http.StatusSwitchingProtocols
}

// comeBackLater reports whether a response refuses for the time being.
func comeBackLater(r *http.Response) bool {
	return r.StatusCode == http.StatusServiceUnavailable && r.Header.Get("Retry-After") != ""
}

// errorOf returns the text of a {"error":"..."} body, having checked what is
// around it.
func errorOf(t *testing.T, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	var body map[string]string
	if err := json.Unmarshal(b, &body); err != nil || len(body) != 1 || body["error"] == "" {
		t.Errorf("the body must be {\"error\":\"...\"}: %q", b)
	}
	for name, want := range map[string]string{
		"Content-Type":           "application/json",
		"Cache-Control":          "no-store",
		"X-Content-Type-Options": "nosniff",
	} {
		if got := r.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	return body["error"]
}

// readUntil reads a stream until a text has come, and returns what came.
func readUntil(t *testing.T, r *http.Response, text string) string {
	t.Helper()
	var got []byte
	buf := make([]byte, 4<<10)
	for {
		n, err := r.Body.Read(buf)
		if got = append(got, buf[:n]...); strings.Contains(string(got), text) {
			return string(got)
		}
		if err != nil {
			t.Fatalf("%v after %q", err, got)
		}
	}
}
