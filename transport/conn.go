package transport

import (
	"time"

	"github.com/crier-go/crier/hub"
)

// A Conn writes one stream to one client. It is implemented by a transport and
// called by [Stream]: Open first, End at most once and last. Abort may be called
// at any time and from any goroutine; the other methods are never called
// concurrently with one another. If a stream was refused, only End is called.
//
// Every method but Abort returns once its bytes have been handed to the
// network. If a write makes no progress for Options.WriteTimeout, it must fail
// with an error for which errors.Is(err, os.ErrDeadlineExceeded) holds. After an
// error nothing more is written.
type Conn interface {
	// Open begins the stream. The cursor is where it starts; retry is how long
	// the client should wait before it reconnects.
	Open(cursor string, retry time.Duration) error
	// Send writes a batch and flushes it, in one system call where the protocol
	// allows. It must not keep the slice; it may keep the messages.
	Send(batch []*hub.Message) error
	// Beat is called at each heartbeat. If cursor is not empty, nothing was
	// sent for most of Options.Heartbeat, and the client must be sent its new
	// position. If it is empty, a connection that can be tested (by a ping)
	// should be.
	Beat(cursor string) error
	// End tells the client why the stream is over, and how long to wait before
	// it reconnects. The cursor is empty if the stream never began.
	End(reason hub.Reason, cursor string, retry time.Duration) error
	// Abort makes a write that is under way fail.
	Abort()
}
