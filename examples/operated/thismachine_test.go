package main

import (
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/crier-go/crier/debug"
	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
)

// The debug page answers nobody but this machine.
func TestDebugPageElsewhere(t *testing.T) {
	h := hub.New(new(event.Registry), &hub.Options{Logger: slog.New(slog.DiscardHandler)})
	page := debug.NewHandler(h, fromThisMachine)
	t.Cleanup(page.Close)
	for _, c := range []struct {
		from, host, proxied string
		want                int
	}{
		{"127.0.0.1:4000", "127.0.0.1:8080", "", http.StatusOK},
		{"127.0.0.1:4000", "localhost:8080", "", http.StatusOK},
		{"127.0.0.1:4000", "LocalHost", "", http.StatusOK},
		{"[::1]:4000", "[::1]:8080", "", http.StatusOK},
		{"[::ffff:127.0.0.1]:4000", "[::1]", "", http.StatusOK},
		{"192.0.2.1:4000", "localhost:8080", "", http.StatusNotFound},
		{"[2001:db8::1]:4000", "localhost:8080", "", http.StatusNotFound},
		{"127.0.0.1:4000", "rebound.example.com:8080", "", http.StatusNotFound},
		{"127.0.0.1:4000", "localhost.example.com", "", http.StatusNotFound},
		{"127.0.0.1:4000", "", "", http.StatusNotFound},
		{"127.0.0.1:4000", "localhost:8080", "192.0.2.1", http.StatusNotFound},
		{"@", "localhost:8080", "", http.StatusNotFound}, // a Unix socket
		{"", "localhost:8080", "", http.StatusNotFound},
	} {
		r := httptest.NewRequest(http.MethodGet, "/debug/crier/", nil)
		r.RemoteAddr, r.Host = c.from, c.host
		if c.proxied != "" {
			r.Header.Set("X-Forwarded-For", c.proxied)
		}
		w := httptest.NewRecorder()
		page.ServeHTTP(w, r)
		if w.Code != c.want {
			t.Errorf("from %q to %q, for %q: %d, want %d", c.from, c.host, c.proxied, w.Code, c.want)
		}
	}
}

func TestReachable(t *testing.T) {
	for _, c := range []struct {
		addr net.TCPAddr
		want string
	}{
		{net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80}, "127.0.0.1:80"},
		{net.TCPAddr{IP: net.IPv6loopback, Port: 80}, "[::1]:80"},
		{net.TCPAddr{IP: net.IPv4zero, Port: 80}, "localhost:80"},
		{net.TCPAddr{IP: net.IPv6unspecified, Port: 80}, "localhost:80"},
	} {
		if got := reachable(&c.addr); got != c.want {
			t.Errorf("%v: %s, want %s", &c.addr, got, c.want)
		}
	}
}
