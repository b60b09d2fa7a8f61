package transport

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/crier-go/crier/hub"
)

// Shutdown closes a hub and the server that serves its streams, in the order
// that loses nobody: first the hub, whose streams are told and ended while the
// server still answers newcomers (it asks them to come back later), then the
// server. http.Server.Shutdown alone would wait for ever for open streams and
// forget WebSockets, which it has handed over.
//
// The hub gets nine tenths of the time that ctx leaves. What has not ended
// when ctx is over is closed hard, and the error says so.
func Shutdown(ctx context.Context, srv *http.Server, h *hub.Hub) error {
	streams := ctx
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		streams, cancel = context.WithTimeout(ctx, time.Until(deadline)*9/10)
		defer cancel()
	}
	err := h.Shutdown(streams)
	if serr := srv.Shutdown(ctx); serr != nil {
		err = errors.Join(err, serr, srv.Close())
	}
	return err
}
