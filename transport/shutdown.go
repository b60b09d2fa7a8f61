package transport

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/crier-go/crier/hub"
)

// Shutdown closes a hub and the server that serves its streams. The hub comes
// first: its streams are told and ended while the server still answers new
// clients, which are asked to come back later. Then the server is shut down.
// (http.Server.Shutdown alone would wait for streams that never end, and would
// ignore WebSockets, since they are hijacked.)
//
// The hub gets nine tenths of the time until ctx's deadline. When ctx is over,
// whatever is still open is closed, and Shutdown returns an error. Allow for 5 s more
// than the streams need: http.Server.Shutdown waits that long for connections that
// browsers have opened in advance and not used.
func Shutdown(ctx context.Context, srv *http.Server, h *hub.Hub) error {
	return ShutdownAtRate(ctx, srv, h, 0)
}

// ShutdownAtRate is Shutdown with a rate: how many streams end in a second, so that
// the processes to which the clients reconnect can follow. If the deadline leaves too
// little time for the rate, streams end faster, and clients are asked to wait longer:
// on average no more than perSecond come back in a second. Zero means 1000. See
// [hub.Hub.ShutdownAtRate].
func ShutdownAtRate(ctx context.Context, srv *http.Server, h *hub.Hub, perSecond int) error {
	streams := ctx
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		streams, cancel = context.WithTimeout(ctx, time.Until(deadline)*9/10)
		defer cancel()
	}
	err := h.ShutdownAtRate(streams, perSecond)
	if serr := srv.Shutdown(ctx); serr != nil {
		err = errors.Join(err, serr, srv.Close())
	}
	return err
}
