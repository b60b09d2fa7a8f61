// Package program is the main function of the small examples.
package program

import (
	"context"
	"errors"
	"flag"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/transport"
)

// Main serves a handler at the address that the flag -addr names, until Ctrl-C.
// Then it ends the hub's streams in good order. The log names the program by what.
func Main(what string, h *hub.Hub, handler http.Handler) {
	addr := flag.String("addr", "localhost:8080", "the `address` to listen on")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C does not wait
	if err := run(ctx, *addr, h, handler); err != nil {
		slog.Error(what+" stopped", "error", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, addr string, h *hub.Hub, handler http.Handler) error {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, ConnContext: transport.ConnContext}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	slog.Info("listening", "url", "http://"+listener.Addr().String())
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		stopped <- transport.Shutdown(ctx, server, h)
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-stopped
}
