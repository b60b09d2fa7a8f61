// Package transport carries a hub's subscriptions to clients.
//
// # For applications
//
// An application uses the handlers of package sse (Server-Sent Events), ws
// (WebSocket) and poll (long-polling). This package has what they share: the
// [Authenticator] that says whose stream a request opens, the [Options],
// [Shutdown] and [ConnContext].
//
// # For authors of transports
//
// A transport of your own needs a [Conn], which writes one stream to one client,
// and an http.Handler of a few lines: it asks an [Acceptor] whether a request may
// open a stream, and gets a [Stream], which runs the loop between the hub and the
// Conn. The example of Acceptor is a complete transport, and package
// transporttest checks that yours keeps the hub's promises.
package transport

import (
	"errors"
	"net/http"

	"github.com/crier-go/crier/hub"
)

// An Authenticator says whose stream a request opens. It is called before
// anything of the stream is sent, and again later if Options.Recheck is set.
//
// [ErrUnauthenticated], wrapped or not, is answered with 401, and [ErrForbidden]
// with 403. Every other error means that the application could not tell, for
// instance because its database does not answer: the client is asked to come back
// later, in a way that does not end an EventSource for good, and the error is
// logged. An error's text never reaches the client.
//
// An Authenticator can add cookies to the response: see [ResponseHeader].
type Authenticator func(*http.Request) (hub.Session, error)

// ErrUnauthenticated is what an Authenticator returns for a request that has
// no valid session.
var ErrUnauthenticated = errors.New("transport: unauthenticated")

// ErrForbidden is what an Authenticator returns for a request whose session is
// valid, but may not open this stream. To log in again would not help.
var ErrForbidden = errors.New("transport: forbidden")
