// Package ws serves a hub's streams over WebSocket (RFC 6455), for clients
// that also want to talk: they can change their filter while they listen, and
// send messages to the application.
//
//	http.Handle("GET /ws", ws.NewHandler(hub, authenticate, nil))
//
// # What a client reads
//
// Each text message is one JSON object {"id":"...","event":"...","data":...}
// with an event's id, type and payload. Beside the application's events there
// are stream.cursor (the opening one, with {"retry":3000}, and heartbeats, with
// {}), stream.gap, stream.filter (answers a change of filter), stream.error
// (answers a message that was wrong; it has no id) and stream.end (the reason,
// and after how many milliseconds to come back). A client keeps the last id it
// has seen, whatever message it came with, and resumes with it.
//
// # What a client sends
//
// last_event_id and categories in the query of the first request are as on SSE.
// {"categories":["chat"]} changes the filter. All else goes to
// Options.OnMessage. A member "ref" of a message that is an object comes back
// in the stream.error that answers it.
//
// # Close codes
//
// 1000 normal, 1001 shutting down, 1002 for what breaks the protocol, 1003 for a
// binary message, 1008 revoked, expired or over a limit of messages, 1009 over
// the read limit, 1013 come back later.
package ws

import (
	"context"
	"encoding/base64"
	"net/http"

	"github.com/gorilla/websocket"

	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/transport"
)

// Options are the transport's options and those of WebSocket. The zero value
// of every field means its default.
type Options struct {
	// Common are the options that all transports share.
	Common transport.Options
	// OnMessage receives what clients send, other than changes of filter. It is
	// called in the connection's own reading goroutine, one message after the
	// other, and holds up nobody else. The text of an error that it returns is
	// sent to the client as stream.error, and the connection stays. The data
	// is the message as it came, up to ReadLimit bytes, not checked in any
	// way; it may be kept. The context has the values of the request, and ends
	// with the connection. Default: every message is answered with an error.
	OnMessage func(ctx context.Context, c *Client, data []byte) error
	// ReadLimit is the largest message a client may send, in bytes; a larger
	// one ends the connection with 1009. Default 64 KiB.
	ReadLimit int64
	// MessagesPerSecond is how many messages, pings and pongs counted, a client
	// may send over time, and MessageBurst how many at once; whoever sends
	// more is disconnected with 1008. Defaults 20 and 40.
	MessagesPerSecond float64
	MessageBurst      int
}

type handler struct {
	acceptor *transport.Acceptor
	options  Options
}

// NewHandler returns a handler that serves h's streams to those whom auth
// knows. It panics if one of them is nil; nil options mean the defaults.
//
// A request that is not a WebSocket handshake gets 426. For what else is
// refused, and how overload is answered, see transport.Acceptor.
func NewHandler(h *hub.Hub, auth transport.Authenticator, o *Options) http.Handler {
	var options Options
	if o != nil {
		options = *o
	}
	if options.ReadLimit < 0 || options.MessagesPerSecond < 0 || options.MessageBurst < 0 {
		panic("ws: Options.ReadLimit, MessagesPerSecond and MessageBurst must be positive, or zero for the default")
	}
	if options.ReadLimit == 0 {
		options.ReadLimit = 64 << 10
	}
	if options.MessagesPerSecond == 0 {
		options.MessagesPerSecond = 20
	}
	if options.MessageBurst == 0 {
		options.MessageBurst = 40
	}
	return &handler{transport.NewAcceptor(h, auth, "ws", &options.Common), options}
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", "GET")
		transport.WriteError(w, http.StatusMethodNotAllowed, "a WebSocket is opened with GET")
		return
	}
	if problem := handshakeProblem(r); problem != "" {
		w.Header().Set("Upgrade", "websocket")
		w.Header().Set("Sec-WebSocket-Version", "13")
		transport.WriteError(w, http.StatusUpgradeRequired, problem)
		return
	}
	stream := h.acceptor.Accept(w, r)
	if stream == nil {
		return
	}
	c, err := h.upgrade(w, r)
	if err != nil {
		// gorilla has answered, or closed what it had taken over.
		h.acceptor.Options().Logger.Error("crier: cannot upgrade to WebSocket", "error", err)
		stream.Close()
		return
	}
	c.stream = stream
	stream.Start(c)
	go c.await()
}

// handshakeProblem says what keeps a GET request from being a WebSocket
// handshake (RFC 6455, section 4.2.1), before anybody is subscribed for it.
func handshakeProblem(r *http.Request) string {
	switch {
	case r.ProtoMajor != 1:
		return "WebSocket is served over HTTP/1.1 here"
	case !websocket.IsWebSocketUpgrade(r):
		return "this is a WebSocket: connect with Upgrade: websocket"
	case r.Header.Get("Sec-WebSocket-Version") != "13":
		return "only version 13 of WebSocket is spoken here"
	}
	if key, err := base64.StdEncoding.DecodeString(r.Header.Get("Sec-WebSocket-Key")); err != nil || len(key) != 16 {
		return "the handshake lacks a Sec-WebSocket-Key of 16 bytes in base64"
	}
	return ""
}
