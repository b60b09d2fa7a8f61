// Package poll serves a hub's streams by long-polling, for clients to which
// neither Server-Sent Events nor WebSocket gets through, for instance behind a
// proxy that buffers responses:
//
//	http.Handle("GET /poll", poll.NewHandler(hub, authenticate, nil))
//
// Each request is answered once and completely. Prefer package sse or ws where
// they work: between two requests, ephemeral events are missed.
//
// # What a client does
//
// The first request has no id. It is answered at once with where the client
// starts:
//
//	GET /poll
//	{"events":[],"cursor":"92ddfe94-25a5-85e2-8000-000000000000"}
//
// Every further request has the cursor of the answer before:
//
//	GET /poll?last_event_id=92ddfe94-25a5-85e2-8000-000000000000
//	{"events":[{"id":"...","event":"chat.message.posted","data":"hello"}],"cursor":"..."}
//
// It is answered at once if there is something new, otherwise as soon as there
// is, and at the latest after Options.Common.Heartbeat, with no events. The
// cursor of a page, see hub.Hub.Cursor, can take the place of the first request.
// The Last-Event-ID header can take the place of the parameter. categories and
// topics in the query are as on SSE, and must be repeated with every request.
//
// # What a client reads
//
// The objects in "events" are as on WebSocket: an event's id, type and payload.
// Among them can be stream.gap, and, as the last one, stream.end with the reason.
// An answer with stream.end also has "retry": how many milliseconds to wait
// before the next request.
//
// # Overload
//
// A request that cannot be served now is answered with 503 and Retry-After.
package poll

import (
	"context"
	"net/http"

	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/transport"
	"github.com/crier-go/crier/transport/internal/unread"
)

// Options are the options of long-polling. The zero value of every field means
// its default.
type Options struct {
	// Common are the options that all transports share. Heartbeat is how long
	// a request waits when there is nothing new; Recheck has little use, since
	// the Authenticator is called for every request.
	Common transport.Options
}

type handler struct {
	acceptor *transport.Acceptor
}

// NewHandler returns a handler that serves h's streams to the users that auth
// names. It panics if h or auth is nil. Nil options mean the defaults.
//
// GET polls, and OPTIONS answers a CORS preflight; other methods get 405. See
// transport.Acceptor.Accept for what else is refused.
func NewHandler(h *hub.Hub, auth transport.Authenticator, o *Options) http.Handler {
	if o == nil {
		o = &Options{}
	}
	return &handler{transport.NewAcceptor(h, auth, "poll", &o.Common)}
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body := unread.Begin(w, r)
	defer body.End()
	switch r.Method {
	case http.MethodGet:
	case http.MethodOptions:
		h.acceptor.Preflight(w, r)
		return
	default:
		w.Header().Set("Allow", "GET, OPTIONS")
		transport.WriteError(w, http.StatusMethodNotAllowed, "poll with GET")
		return
	}
	stream := h.acceptor.Accept(w, r)
	if stream == nil || stream.RefuseWithStatus(w) {
		return
	}
	ctx := r.Context()
	if body != nil {
		withBody, gone := context.WithCancel(ctx)
		defer gone()
		body.Watch(gone)
		ctx = withBody
	}
	stream.Serve(ctx, &conn{
		w:       w,
		rc:      http.NewResponseController(w),
		http1:   r.ProtoMajor == 1,
		timeout: h.acceptor.Options().WriteTimeout,
		stream:  stream,
	})
}
