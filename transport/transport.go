// Package transport carries a hub's subscriptions to clients.
//
// What all transports share is here: who may open a stream ([Acceptor]), and
// the loop that every connection runs ([Stream]). A transport adds a [Conn],
// which knows how to write, and an http.Handler of a few lines that makes one:
// package sse writes Server-Sent Events, package ws speaks WebSocket, and the
// example of Acceptor is a third, complete.
package transport

import (
	"errors"
	"net/http"
	"time"

	"github.com/crier-go/crier/hub"
)

// An Authenticator says whose stream a request opens. It is called before
// anything of the stream is sent, and may be called again, see Options.Recheck.
//
// [ErrUnauthenticated], wrapped or not, is answered with 401. Every other error
// means that the application could not tell (its database is away): the client
// is then asked to come back later, in a way that does not end an EventSource
// for good, and the error is logged. An error's text never reaches the client.
type Authenticator func(*http.Request) (hub.Session, error)

// ErrUnauthenticated is what an Authenticator returns for a request that has
// no valid session.
var ErrUnauthenticated = errors.New("transport: unauthenticated")

// A Conn writes one stream to one client. [Stream] calls Open first, End at
// most once and last, and never two methods concurrently, but for Abort. A
// stream that is refused gets End alone.
//
// Every method but Abort returns once its bytes have been handed to the
// network, or fails: within Options.WriteTimeout of the last progress, with an
// error for which errors.Is(err, os.ErrDeadlineExceeded) holds if it was time
// that ran out. After an error nothing more is written.
type Conn interface {
	// Open begins the stream. The cursor is where it starts; retry is how long
	// the client should wait before it connects again.
	Open(cursor string, retry time.Duration) error
	// Send writes a batch and flushes it, in one system call where the protocol
	// allows. The slice may not be kept; the messages may.
	Send(batch []*hub.Message) error
	// Beat is called at each heartbeat. If cursor is not empty, nothing was
	// sent for most of Options.Heartbeat, and the client must be sent its new
	// position. If it is empty, a connection that can be tested (by a ping)
	// should be.
	Beat(cursor string) error
	// End tells the client why the stream is over, and how long to wait before
	// it connects again. The cursor is empty if the stream never began.
	End(reason hub.Reason, cursor string, retry time.Duration) error
	// Abort unblocks a write, which then fails. It may be called at any time.
	Abort()
}
