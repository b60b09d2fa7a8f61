package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/gorilla/websocket"

	"github.com/crier-go/crier/event"
)

// Options are the options of a [Stream]. The zero value of every field means
// its default, and nil Options mean all defaults.
//
// The functions are called one at a time, by the goroutine that called [Dial]
// or that ranges over [Stream.Events]. They may call the stream's methods.
type Options struct {
	// LastID is where the stream starts: the id of an event, or a cursor. What
	// follows it is replayed. By default the stream starts with what is
	// published after it has connected.
	LastID string
	// Categories are the categories of events to receive. Default: all that
	// the session allows.
	Categories []event.Category

	// Token returns a bearer token, which is sent in the Authorization header.
	// The stream keeps the token. It asks for another when the server has
	// refused it (401, 403, 204), or has ended the stream because the session
	// was revoked or has expired. If Token returns a refused token again, or an
	// empty one, the refusal is final. An error of Token is not final: the
	// stream asks again later. The context ends with the stream.
	Token func(context.Context) (string, error)
	// Header is sent with each request.
	Header http.Header
	// HTTPClient makes the requests of Server-Sent Events. Its Timeout must be
	// zero, since it would end each stream. By default the stream has a
	// transport of its own, like http.DefaultTransport.
	HTTPClient *http.Client
	// Dialer opens WebSockets. By default it has a dialer of its own, like
	// websocket.DefaultDialer.
	Dialer *websocket.Dialer

	// Heartbeat is how often the server sends something at least; for a Crier
	// server it is transport.Options.Heartbeat. A connection that is silent for
	// one and a half times as long is replaced. Default 25 s. A negative value
	// means that silence is not limited.
	Heartbeat time.Duration
	// MaxEvent is the size of the largest event, in bytes of its encoded form.
	// A larger one ends the stream with [ErrTooLarge]. Default [DefaultLimit].
	MaxEvent int

	// OnOpen is called on each connection when its first message has arrived.
	OnOpen func()
	// OnGap is called when events have been lost, in its place among the
	// events: read the application's state anew. Default: the gap is a
	// [GapError], which ends the loop over Events.
	OnGap func(Gap)
	// OnFilter is called when a change of filter is in effect, with the
	// categories that are received from here on. On an open WebSocket those are
	// the ones that were asked for and that the session allows; on a new
	// connection, the ones that were asked for.
	OnFilter func([]event.Category)
	// OnError is called when the server rejects a message of [Stream.Send], or
	// the categories of [Stream.SetCategories]. The stream goes on.
	OnError func(ServerError)
	// OnRetry is called when a connection is lost or an attempt has failed,
	// and the stream will try again after wait. The error is an [EndError] if
	// the server has said why it ended the connection.
	OnRetry func(err error, wait time.Duration)
}

const defaultHeartbeat = 25 * time.Second

// resolved returns a copy of o in which every zero is its default.
func (o *Options) resolved() (Options, error) {
	var r Options
	if o != nil {
		r = *o
	}
	if r.MaxEvent < 0 {
		return r, fmt.Errorf("client: Options.MaxEvent is %d; it must be positive, or zero for the default", r.MaxEvent)
	}
	if r.HTTPClient != nil && r.HTTPClient.Timeout != 0 {
		return r, errors.New("client: Options.HTTPClient has a Timeout, which would end each stream; bound the parts of a request in its Transport instead")
	}
	for name, values := range r.Header {
		for _, value := range values {
			if !sendable(value) {
				return r, fmt.Errorf("client: Options.Header: the value of %q contains control characters", name)
			}
		}
	}
	if r.MaxEvent == 0 {
		r.MaxEvent = DefaultLimit
	}
	if r.Heartbeat == 0 {
		r.Heartbeat = defaultHeartbeat
	}
	r.Categories = slices.Clone(r.Categories)
	r.Header = r.Header.Clone()
	return r, nil
}

// silence returns how long a connection may be silent; zero means for ever.
func (o *Options) silence() time.Duration {
	return max(o.Heartbeat+o.Heartbeat/2, 0)
}

// newHTTPClient returns a client for one stream.
func newHTTPClient() *http.Client {
	t := &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true}
	if d, ok := http.DefaultTransport.(*http.Transport); ok {
		t = d.Clone()
	}
	// An HTTP/2 connection outlives its streams. Without pings, the attempt that
	// replaces a silent stream would use the same dead connection again.
	t.HTTP2 = &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 10 * time.Second}
	return &http.Client{Transport: t}
}
