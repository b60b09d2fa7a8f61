// Package ws serves a hub's streams over WebSocket (RFC 6455). Unlike with
// Server-Sent Events, clients can change their filter on an open stream and send
// messages to the application.
//
//	http.Handle("GET /ws", ws.NewHandler(hub, authenticate, nil))
//
// # What a client reads
//
// Each text message is one JSON object {"id":"...","event":"...","data":...}
// with an event's id, type and payload. Beside the application's events there
// are stream.cursor (the opening one, with {"retry":3000}, and heartbeats, with
// {}), stream.gap, stream.filter (answers a change of filter), stream.error
// (answers a message that was wrong) and stream.end (the reason, and how many
// milliseconds to wait before reconnecting). Ephemeral events and stream.error
// have no id. A client keeps the last id that it has read, whatever message it
// came with, and resumes with it.
//
// # What a client sends
//
// last_event_id, categories and topics in the query of the first request are as
// on SSE. {"categories":["chat"]} changes the filter. {"topics":["a","b"]}
// replaces the topics that the stream follows. {"token":"..."} prolongs the
// session, if Options.OnToken is set. All can be in one message, which is answered by
// stream.filter. Everything else is passed to Options.OnMessage. A member "ref" of a
// message of at most 256 bytes comes back in the stream.filter or stream.error that
// answers it. A stream.filter without it is no answer: the application has changed
// the topics.
//
// # Close codes
//
// 1000 normal; 1012 shutting down (not 1001, after which some clients never come
// back); 1002 for what breaks the protocol, 1003 for a binary message, 1007 for
// text that is not UTF-8; 1008 revoked, expired or over a limit of messages;
// 1009 over the read limit; 1011 for a panic in OnMessage or a ping that was not
// answered; 1013 when a newer stream has taken this one's place.
//
// # Memory
//
// On Linux, over plain TCP, an idle connection takes some 2.5 KB: it has no
// goroutine, no buffer and no net.Conn. What http.Server.ConnContext and ConnState
// have seen of it is closed, and does nothing. Over TLS and on other systems it has
// a goroutine that waits, and takes about 7 KB.
//
// # Overload
//
// A handshake that cannot be served now is answered with 503 and Retry-After,
// before the upgrade: a handshake that succeeds resets the backoff of clients
// that reconnect by themselves.
package ws

import (
	"context"
	"net/http"
	"time"

	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/transport"
	"github.com/crier-go/crier/transport/internal/unread"
)

// Options are the transport's options and those of WebSocket. The zero value
// of every field means its default.
type Options struct {
	// Common are the options that all transports share.
	Common transport.Options
	// OnMessage receives what clients send, except changes of filter. Messages
	// of one connection are passed to it one after the other; connections do
	// not wait for each other. The text of an error that it returns is sent to
	// the client as stream.error, and the connection stays open. The data is
	// the message as it came: at most ReadLimit bytes of valid UTF-8, not
	// checked otherwise. It may be kept. The context has the values of
	// the request and ends when the stream or the connection does. No message
	// is passed on once the stream has ended, for instance by RevokeUser.
	// Default: every message is answered with an error.
	OnMessage func(ctx context.Context, c *Client, data []byte) error
	// OnToken receives the tokens with which clients renew their sessions, and
	// returns the session that a token stands for. From then on the stream ends
	// when that session expires; the rest of it is ignored. The client is
	// answered by stream.filter. A token of another user, and one for which
	// OnToken returns transport.ErrUnauthenticated or transport.ErrForbidden, is
	// answered by stream.error, and the stream stays as it was. Other errors are
	// logged, and the client is asked to try again later. An error's text never
	// reaches the client.
	//
	// The session that it is given is the stream's. It is called like OnMessage,
	// and not concurrently with it for one connection. Default: such a message is
	// passed to OnMessage like any other.
	OnToken func(ctx context.Context, s hub.Session, token string) (hub.Session, error)
	// ReadLimit is the largest message a client may send, in bytes; a larger
	// one ends the connection with 1009. Default 64 KiB.
	ReadLimit int64
	// MessagesPerSecond is how many messages a client may send over time, and
	// MessageBurst how many at once; one that sends more is disconnected with
	// 1008. Pings, pongs and fragments of less than 1 KiB count as messages.
	// Defaults 20 and 40.
	MessagesPerSecond float64
	MessageBurst      int
	// Compress compresses messages for clients that offer permessage-deflate (RFC
	// 7692), as browsers do, without context takeover. Each event is compressed once,
	// whatever the number of clients, and an idle connection holds nothing for it. It
	// pays for events of more than about 200 bytes; those below 128 bytes, and those
	// that do not get smaller, are sent as they are. Clients may compress what they send; ReadLimit then also holds
	// for what comes out of it.
	//
	// Leave it off where an attacker can have text of their own put beside a secret
	// into one event: its compressed length tells whether both are alike (CRIME,
	// BREACH). Default false.
	Compress bool
}

type handler struct {
	acceptor *transport.Acceptor
	options  Options
	began    time.Time // for limiters
}

// NewHandler returns a handler that serves h's streams to the users that auth
// names. It panics if h or auth is nil. Nil options mean the defaults.
//
// A request that does not ask for a WebSocket gets 426, and a handshake that is
// malformed or comes over HTTP/2 gets 400. One that cannot be served now (too
// many streams, shutting down, the authenticator failed for a reason of its
// own) gets 503 with Retry-After. For what else is refused see
// transport.Acceptor.
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
	return &handler{transport.NewAcceptor(h, auth, "ws", &options.Common), options, time.Now()}
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body := unread.Begin(w, r)
	hijacked := false
	defer func() {
		if !hijacked {
			body.End()
		}
	}()
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", "GET")
		transport.WriteError(w, http.StatusMethodNotAllowed, "a WebSocket is opened with GET")
		return
	}
	if !checkHandshake(w, r) {
		return
	}
	stream := h.acceptor.Accept(w, r)
	if stream == nil || stream.RefuseWithStatus(w) {
		return
	}
	hijacked = true // or the client has been answered, and there is no body
	c, err := h.upgrade(w, r)
	if err != nil {
		h.acceptor.Options().Logger.Error("crier: cannot upgrade to WebSocket", stream.Subscription().LogAttr(), "error", err)
		stream.Close()
		return
	}
	c.start(stream)
}
