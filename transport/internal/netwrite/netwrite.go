// Package netwrite writes batches of frames to a network connection that this
// module owns, in few system calls and with a deadline on progress.
package netwrite

import (
	"crypto/tls"
	"errors"
	"net"
	"os"
	"sync"
	"time"
)

const (
	// chunk is how much is handed over in one call.
	chunk = 64 << 10
	// tlsChunk is that over TLS, which cannot go on after a deadline has
	// passed: it is as much as one record holds, so smaller ones would cost.
	tlsChunk = 16 << 10
	// looks is how many times within the timeout a write that hangs is looked
	// at, to see whether it has moved.
	looks = 4
)

// Write writes p. It fails with os.ErrDeadlineExceeded once nothing has been
// accepted for as long as timeout, and up to a quarter more: a slow link that
// still moves bytes goes on. (Over TLS, one that moves 16 KiB in that time.)
func Write(c net.Conn, p []byte, timeout time.Duration) error {
	size, wait, patience := chunk, timeout/looks, looks
	if _, ok := c.(*tls.Conn); ok {
		size, wait, patience = tlsChunk, timeout, 1
	}
	for still := 0; len(p) > 0; {
		if err := c.SetWriteDeadline(time.Now().Add(wait)); err != nil {
			return err
		}
		n, err := c.Write(p[:min(len(p), size)])
		p = p[n:]
		if n > 0 {
			still = 0
		}
		switch {
		case err == nil:
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return err
		case n == 0:
			if still++; still == patience {
				return err
			}
		}
	}
	return nil
}

// A Buffer joins the frames of a batch, so that they are one write. (writev
// was measured level with joining at this frame size, and needs a slice of
// slices per batch.)
type Buffer struct{ B []byte }

var buffers = sync.Pool{New: func() any { return new(Buffer) }}

// Get returns an empty buffer; an idle connection should hold none.
func Get() *Buffer { return buffers.Get().(*Buffer) }

// Put gives a buffer back.
func Put(b *Buffer) {
	if cap(b.B) > 2*chunk {
		return // a huge message came through; don't keep its room
	}
	b.B = b.B[:0]
	buffers.Put(b)
}
