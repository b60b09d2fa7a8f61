// Package chat is the chat of examples/chat as a package, so that other programs
// can run it with a backplane (examples/cluster), or with metrics and traces
// (examples/operated).
//
// Read it from kinds.go, which says what can happen, through messages.go,
// membership.go and presence.go, which publish it, and journal.go, which derives
// what the chat knows from what was published, to server.go, where the streams are
// served. A room is a topic of the hub: see rooms.go. saved.go and statefile.go carry
// it all over a restart.
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
	// StateFile keeps people, rooms, messages and the hub's state from a planned
	// stop to the next start, so that a restart is no gap. One process at a time
	// uses it. Empty means the key file's name with ".state"; if another process
	// uses that, this one warns and keeps no state. [NoState] means that none is
	// kept, as with a Backplane, where the processes derive their state from the
	// events; another StateFile is an error there.
	StateFile string
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

const (
	// shutdownTime is how long open streams get to be told that it is over.
	shutdownTime = 5 * time.Second
	// requestTime is how long other requests get to be answered after that. Then they
	// are cut, which is no error: connections that a browser has opened in advance
	// count as busy for 5 s.
	requestTime = 500 * time.Millisecond
)

// Run serves the chat until ctx is over, and then ends it in good order.
func Run(ctx context.Context, o Options) error {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	log := o.Logger
	if o.Listener != nil {
		defer o.Listener.Close()
	}
	keyFile, err := findKey(o.KeyFile)
	if err != nil {
		return fmt.Errorf("the key for session cookies: %w", err)
	}
	key, err := loadKey(keyFile)
	if err != nil {
		return fmt.Errorf("the key for session cookies: %w", err)
	}
	if o.Backplane != nil && o.StateFile != "" && o.StateFile != NoState {
		return errors.New("a chat with a backplane keeps no state in a file")
	}
	// Before the state is read: a process that does not get its address takes
	// nothing from the one that has it.
	listener, err := o.listen()
	if err != nil {
		return err
	}
	defer listener.Close()
	file, err := o.openState(keyFile, log)
	if err != nil {
		return err
	}
	defer file.close()
	chat, err := file.restore(log, func(from *saved) (*server, error) {
		return openServer(ctx, key, o, from)
	})
	if err != nil {
		return err
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
	go func() {
		served <- srv.Serve(listener)
		close(served)
	}()
	log.Info("the chat listens", "url", "http://"+reachable(listener.Addr(), o.Addr))

	select {
	case err = <-served:
	case <-ctx.Done():
	}
	log.Info("shutting down")
	chat.close() // that everybody leaves now is not news
	err = errors.Join(err, stop(srv, chat, file))
	if serr := <-served; !errors.Is(serr, http.ErrServerClosed) {
		err = errors.Join(err, serr)
	}
	return err
}

func (o *Options) listen() (net.Listener, error) {
	if o.Listener != nil {
		return o.Listener, nil
	}
	return net.Listen("tcp", o.Addr)
}

// stop is transport.Shutdown, but saves the state when the hub is closed and the
// server is not: who gets the server's address after it finds the state in the file.
func stop(srv *http.Server, chat *server, file *stateFile) error {
	streams, cancel := context.WithTimeout(context.Background(), shutdownTime)
	defer cancel()
	err := errors.Join(chat.hub.Shutdown(streams), file.save(chat.save), file.close())
	requests, cancel := context.WithTimeout(context.Background(), requestTime)
	defer cancel()
	if srv.Shutdown(requests) != nil {
		err = errors.Join(err, srv.Close())
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
