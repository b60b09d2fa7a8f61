// Package sse serves a hub's streams as Server-Sent Events (WHATWG HTML,
// section 9.2), which every browser reads with an EventSource:
//
//	http.Handle("GET /events", sse.NewHandler(hub, authenticate, nil))
//
//	new EventSource("/events").addEventListener("chat.message.posted", e => ...)
//
// A stream is an ordinary HTTP response: it works over HTTP/1.1 and HTTP/2,
// through middleware that wraps the ResponseWriter (if the wrapper has an
// Unwrap or a Flush method), under Server.WriteTimeout, and behind proxies. Over
// HTTP/1.1 it comes in chunks, so that a client can tell an end from a cut.
//
// # What a client reads
//
// Every event has its id (ephemeral events have none), its type and its JSON.
// Besides the application's events, a client can listen for these:
//
//   - stream.cursor: the first event of a stream, and each heartbeat. Its id is
//     the client's position, so that a client that receives nothing else can
//     still resume.
//   - stream.gap: events are gone ({"reason":"evicted"}), or the last id is not
//     known ({"reason":"unknown"}). Read the state again.
//   - stream.end: the stream is over ({"reason":"..."}).
//
// # What a client sends
//
// The Last-Event-ID header, or last_event_id in the query, resumes after that
// id. In the query, categories=a,b selects categories, and topics=a,b follows
// topics besides the user's own events.
package sse

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/transport"
	"github.com/crier-go/crier/transport/internal/unread"
)

// Options are the transport's options and those of SSE. The zero value of
// every field means its default.
type Options struct {
	// Common are the options that all transports share.
	Common transport.Options
	// Lean hijacks HTTP/1.1 connections. Each write then takes less CPU. On
	// Linux, over plain TCP, an idle stream takes about a tenth of the memory: it
	// has no goroutine and no net.Conn. (What http.Server.ConnContext and
	// ConnState have seen of it is closed, and does nothing.) Over TLS and on
	// other systems it takes about a quarter.
	//
	// Middleware sees a handler that returns at once; headers that it adds after
	// that are not sent. http.Server.Shutdown does not wait for such streams, but
	// transport.Shutdown does. Over HTTP/2, and where a connection cannot be
	// hijacked, Lean has no effect.
	Lean bool
	// Compress compresses the stream with gzip for clients that accept it, as
	// browsers do. Each event is compressed once, whatever the number of clients,
	// and a stream holds a few bytes more. It pays for events of more than about
	// 200 bytes.
	//
	// Leave it off where an attacker can have text of their own put beside a secret
	// into one event: its compressed length tells whether both are alike (BREACH).
	// Nothing is compressed across events. Default false.
	Compress bool
}

type handler struct {
	acceptor *transport.Acceptor
	lean     bool
	compress bool
	warned   sync.Map // what warnOnce has logged
}

// NewHandler returns a handler that serves h's streams to the users that auth
// names. It panics if h or auth is nil. Nil options mean the defaults.
//
// GET opens a stream. HEAD answers with the stream's headers. OPTIONS answers a
// CORS preflight. Other methods get 405, and a request whose Accept header
// excludes text/event-stream gets 406. See transport.Acceptor.Accept for what
// else is refused, and for the answer to overload.
func NewHandler(h *hub.Hub, auth transport.Authenticator, o *Options) http.Handler {
	if o == nil {
		o = &Options{}
	}
	return &handler{acceptor: transport.NewAcceptor(h, auth, "sse", &o.Common), lean: o.Lean, compress: o.Compress}
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body := unread.Begin(w, r)
	hijacked := false
	defer func() {
		if !hijacked {
			body.End()
		}
	}()
	switch r.Method {
	case http.MethodGet, http.MethodHead:
	case http.MethodOptions:
		h.acceptor.Preflight(w, r)
		return
	default:
		w.Header().Set("Allow", "GET, HEAD, OPTIONS")
		transport.WriteError(w, http.StatusMethodNotAllowed, "a stream is opened with GET")
		return
	}
	if !accepts(r.Header.Values("Accept")) {
		transport.WriteError(w, http.StatusNotAcceptable, "this is a stream of text/event-stream, which the Accept header excludes")
		return
	}
	if r.Method == http.MethodHead {
		if h.acceptor.Check(w, r) {
			setHeaders(w.Header())
			h.newBody(w, r).setHeaders(w.Header())
			w.WriteHeader(http.StatusOK)
		}
		return
	}
	if !canFlush(w) {
		h.acceptor.Options().Logger.Error("crier: this ResponseWriter cannot flush; middleware that wraps it needs an Unwrap method",
			"transport", "sse", "writer", fmt.Sprintf("%T", innermost(w)))
		transport.WriteError(w, http.StatusInternalServerError, "this server cannot stream: a ResponseWriter in the way cannot flush")
		return
	}
	stream := h.acceptor.Accept(w, r)
	if stream == nil {
		return
	}
	timeout := h.acceptor.Options().WriteTimeout
	compressed := h.newBody(w, r)
	if h.lean && r.ProtoMajor == 1 && r.ProtoMinor == 1 {
		if c := hijack(w, compressed, timeout); c != nil {
			hijacked = true
			c.serve(stream)
			return
		}
	}
	ctx := r.Context()
	if body != nil {
		withBody, gone := context.WithCancel(ctx)
		defer gone()
		body.Watch(gone)
		ctx = withBody
	}
	c := newConn(w, r, compressed, timeout)
	defer c.close()
	if isOpaque(w) {
		h.warnOnce(w, "this ResponseWriter hides the one that it wraps: if streams stay silent, it keeps what is written to itself; "+
			"give it an Unwrap method or keep it away from streams")
		c.identity = true
	}
	if c.setDeadline(time.Now().Add(timeout)); c.noDeadlines {
		h.warnOnce(w, "this ResponseWriter has no write deadlines: a stalled client holds its stream, and a shutdown, for as long as it likes")
	}
	stream.Serve(ctx, c)
}

func setHeaders(h http.Header) {
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-cache, no-transform") // no-transform: no compression on the way, which would buffer
	h.Set("X-Accel-Buffering", "no")                 // nginx: pass on at once
	h.Set("X-Content-Type-Options", "nosniff")
	for _, name := range [...]string{"Content-Length", "Transfer-Encoding", "Trailer"} {
		h.Del(name) // a middleware's guess
	}
}

// accepts reports whether Accept headers leave room for text/event-stream.
// Only what excludes it counts: many clients send none, or */*. (RFC 9110,
// section 12.5.1: the most specific range decides, and q=0 excludes.)
func accepts(headers []string) bool {
	header := strings.ToLower(strings.Join(headers, ","))
	if strings.Trim(header, ", \t") == "" { // empty elements count for nothing (RFC 9110, section 5.6.1.2)
		return true
	}
	specificity := map[string]int{"*/*": 1, "text/*": 2, "text/event-stream": 3}
	best, ok := 0, false
	for part := range strings.SplitSeq(header, ",") {
		mediaRange, params, _ := strings.Cut(part, ";")
		if s := specificity[strings.TrimSpace(mediaRange)]; s > best {
			best, ok = s, !zeroWeight(params)
		}
	}
	return ok
}

// zeroWeight reports whether parameters say q=0, which means "not this".
func zeroWeight(params string) bool {
	for p := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(p), "=")
		if name == "q" && strings.Trim(value, "0.") == "" {
			return true
		}
	}
	return false
}
