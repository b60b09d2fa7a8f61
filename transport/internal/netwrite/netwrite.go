// Package netwrite writes batches of frames to a network connection that this
// module owns, in few system calls and with a deadline on progress.
package netwrite

import (
	"errors"
	"net"
	"os"
	"sync"
	"time"
)

// chunk is how much is written under one deadline.
const chunk = 64 << 10

// Write writes p. It fails with os.ErrDeadlineExceeded once nothing has been
// accepted for as long as timeout: a slow link that still moves bytes goes on.
func Write(c net.Conn, p []byte, timeout time.Duration) error {
	for len(p) > 0 {
		if err := c.SetWriteDeadline(time.Now().Add(timeout)); err != nil {
			return err
		}
		n, err := c.Write(p[:min(len(p), chunk)])
		p = p[n:]
		if err != nil && !(n > 0 && errors.Is(err, os.ErrDeadlineExceeded)) {
			return err
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
