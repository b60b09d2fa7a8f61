package netwrite

import (
	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/transport/internal/reactor"
)

// A Joint is a connection whose writes can be made together with those of others,
// without waiting. Its methods do not wait, except for Finish with a rest.
type Joint interface {
	// Joint returns the connection to write to, or nil if it is not the reactor's.
	Joint() reactor.Conn
	// Begin begins a write of the first n messages of a batch and returns its bytes,
	// which may be in b. If n is zero, no write has begun: what is first in the batch
	// cannot be written now, or not in this way.
	Begin(batch []*hub.Message, b *Buffer) (p []byte, n int)
	// Finish ends a write that has begun: after it has failed with err, or else
	// after it has written the rest of its bytes, which may wait for the client.
	Finish(rest []byte, err error) error
}
