package main

import (
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// down returns an address that nobody listens on.
func down(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	return l.Addr().String()
}

func TestProxyTakesTurns(t *testing.T) {
	var addrs []string
	counts := make([]int, 2)
	for i := range counts {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			counts[i]++
			b, _ := io.ReadAll(r.Body)
			io.WriteString(w, r.Host+" "+string(b))
		}))
		defer s.Close()
		addrs = append(addrs, s.Listener.Addr().String())
	}
	front := httptest.NewServer(newProxy([]string{addrs[0], down(t), addrs[1]}, slog.New(slog.DiscardHandler)))
	defer front.Close()
	for range 30 {
		resp, err := http.Post(front.URL, "text/plain", strings.NewReader("hello"))
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if want := strings.TrimPrefix(front.URL, "http://") + " hello"; string(b) != want {
			t.Fatalf("%s: got %q, want %q", resp.Status, b, want)
		}
	}
	if counts[0] != 10 || counts[1] != 20 { // the second also has the turn of the one that is down
		t.Errorf("requests: %d", counts)
	}
}

func TestProxyWithoutProcesses(t *testing.T) {
	front := httptest.NewServer(newProxy([]string{down(t), down(t)}, slog.New(slog.DiscardHandler)))
	defer front.Close()
	for accept, want := range map[string]int{"text/event-stream": http.StatusOK, "text/html": http.StatusServiceUnavailable} {
		r, _ := http.NewRequest("GET", front.URL, nil)
		r.Header.Set("Accept", accept)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s: %s, want %d", accept, resp.Status, want)
		}
	}
}

func TestConnectRefuses(t *testing.T) {
	for engine, says := range map[string]string{
		"kafka://127.0.0.1":         "kafka",
		"127.0.0.1:4222":            "",
		"redis://127.0.0.1:6379/x":  "",
		"postgres://127.0.0.1:x/db": "",
	} {
		if _, _, err := connect(engine); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", engine, err)
		}
	}
}
