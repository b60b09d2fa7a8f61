// Command chat is Crier at work: a lobby, direct messages, who is online and
// who is typing, in one program with one page.
//
//	go run ./examples/chat            # http://localhost:8080
//	go run ./examples/chat -addr 127.0.0.1:9000
//
// Read it from kinds.go, which says what can happen, through messages.go and
// presence.go, which publish it, to server.go, where the streams are served.
// The page is in static: app.js joins what it shows to live.js, which listens.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/crier-go/crier/transport"
)

// shutdownTime is how long open streams get to be told that it is over.
const shutdownTime = 5 * time.Second

func main() {
	addr := flag.String("addr", "localhost:8080", "the `address` to listen on")
	keyFile := flag.String("key", "", "the `file` that keeps the key for session cookies (default \"crier-chat/key\" in the user's configuration directory)")
	flag.Parse()
	log := slog.Default()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C does not wait
	if err := run(ctx, *addr, *keyFile, log); err != nil {
		log.Error("the chat stopped", "error", err)
		os.Exit(1)
	}
}

// run serves the chat until ctx is over, and then ends it in good order.
func run(ctx context.Context, addr, keyFile string, log *slog.Logger) error {
	key, err := loadKey(keyFile)
	if err != nil {
		return fmt.Errorf("the key for session cookies: %w", err)
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	chat := newServer(key, log)
	srv := &http.Server{
		Handler: chat.handler(),
		// Streams are open for hours, so there is no ReadTimeout or WriteTimeout
		// here: the transports have deadlines of their own, for each write.
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(listener) }()
	log.Info("the chat listens", "url", "http://"+reachable(listener.Addr(), addr))

	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	log.Info("shutting down")
	chat.presence.close() // that everybody leaves now is not news
	stopping, cancel := context.WithTimeout(context.Background(), shutdownTime)
	defer cancel()
	err = transport.Shutdown(stopping, srv, chat.hub)
	if serr := <-served; !errors.Is(serr, http.ErrServerClosed) {
		err = errors.Join(err, serr)
	}
	return err
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
