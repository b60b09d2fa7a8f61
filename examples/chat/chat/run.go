// Package chat is the chat of examples/chat as a package, so that other programs
// can run it with a backplane (examples/cluster), or with metrics and traces
// (examples/operated).
//
// Read it from kinds.go, which says what can happen, through messages.go,
// membership.go and presence.go, which publish it, and journal.go, which derives
// what the chat knows from what was published, to server.go, where the streams are
// served. A room is a topic of the hub: see rooms.go.
package chat

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/transport"
)

// Options say how to run a chat.
type Options struct {
	// Addr is the TCP address to listen on.
	Addr string
	// Listener, if set, is where the chat listens instead of Addr. Run closes it.
	Listener net.Listener
	// KeyFile keeps the key that signs session cookies. Processes with the same
	// key know each other's people. Empty means crier-chat/key in the user's
	// configuration directory.
	KeyFile string
	// Backplane connects this process with others that serve the same chat.
	// It should retain records for [Retention]. Nil means that there are no
	// others.
	Backplane hub.Backplane
	// Logger receives what an operator must know. Nil means slog.Default().
	Logger *slog.Logger
	// Configure, if set, may change the bounds of the hub and of its streams.
	Configure func(*hub.Options, *transport.Options)
	// Extend, if set, is called with the hub before it has a stream, and with
	// what the chat answers. The handler that it returns is served in its place.
	Extend func(h *hub.Hub, chat http.Handler) http.Handler
}

// shutdownTime is how long open streams get to be told that it is over.
const shutdownTime = 5 * time.Second

// Run serves the chat until ctx is over, and then ends it in good order.
func Run(ctx context.Context, o Options) error {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	log := o.Logger
	listener, err := listen(o)
	if err != nil {
		return err
	}
	key, err := loadKey(o.KeyFile)
	if err != nil {
		return errors.Join(fmt.Errorf("the key for session cookies: %w", err), listener.Close())
	}
	chat, err := openServer(ctx, key, o)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	defer chat.close()
	srv := &http.Server{
		Handler: chat.served,
		// Streams are open for hours, so there is no ReadTimeout or WriteTimeout
		// here: the transports have deadlines of their own, for each write.
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       2 * time.Minute,
		ConnContext:       transport.ConnContext, // notices slow and vanished clients
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(listener) }()
	log.Info("the chat listens", "url", "http://"+reachable(listener.Addr(), o.Addr))

	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	log.Info("shutting down")
	chat.close() // that everybody leaves now is not news
	stopping, cancel := context.WithTimeout(context.Background(), shutdownTime)
	defer cancel()
	err = transport.Shutdown(stopping, srv, chat.hub)
	if serr := <-served; !errors.Is(serr, http.ErrServerClosed) {
		err = errors.Join(err, serr)
	}
	return err
}

func listen(o Options) (net.Listener, error) {
	if o.Listener != nil {
		return o.Listener, nil
	}
	return net.Listen("tcp", o.Addr)
}

// reachable turns the address that is listened on into one for a browser: the
// host as it was asked for, the port as it came to be.
func reachable(listening net.Addr, asked string) string {
	host, _, err := net.SplitHostPort(asked)
	_, port, perr := net.SplitHostPort(listening.String())
	if err != nil || perr != nil {
		return listening.String()
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return net.JoinHostPort(host, port)
}
