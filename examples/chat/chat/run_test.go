package chat

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"testing"

	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/transport"
)

// Another program gives the chat a listener, changes its bounds and adds to it.
func TestRunExtended(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	configured := false
	ran := make(chan error, 1)
	go func() {
		ran <- Run(ctx, Options{
			Listener:  listener,
			KeyFile:   filepath.Join(t.TempDir(), "key"),
			StateFile: NoState,
			Logger:    slog.New(slog.DiscardHandler),
			Configure: func(h *hub.Options, s *transport.Options) { configured = h.Authorize != nil && s.Logger != nil },
			Extend: func(h *hub.Hub, chat http.Handler) http.Handler {
				if n := len(h.Stats().Streams); n > 0 || !configured {
					t.Errorf("extended with %d streams, configured %v", n, configured)
				}
				mux := http.NewServeMux()
				mux.Handle("/", chat)
				mux.HandleFunc("/extra", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "extra") })
				return mux
			},
		})
	}()
	for path, want := range map[string]string{"/extra": "extra", "/healthz": "ok\n"} {
		resp, err := http.Get("http://" + listener.Addr().String() + path)
		if err != nil {
			t.Fatal(err)
		}
		if got := text(resp); got != want {
			t.Errorf("%s: %q", path, got)
		}
		resp.Body.Close()
	}
	cancel()
	if err := <-ran; err != nil {
		t.Error(err)
	}
}

// A chat that cannot start leaves no listener open.
func TestRunClosesListener(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	err = Run(t.Context(), Options{Listener: listener, KeyFile: t.TempDir(), Logger: slog.New(slog.DiscardHandler)})
	if err == nil {
		t.Error("a directory is a key")
	}
	if err := listener.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the listener was open: %v", err)
	}
}
