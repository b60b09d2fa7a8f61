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

// A Writer writes to one connection. Nobody else may set its write deadline.
// One write at a time.
type Writer struct {
	Conn    net.Conn
	Timeout time.Duration

	deadline time.Time // that is set
}

// Write writes p. It fails with os.ErrDeadlineExceeded once nothing has been
// accepted for as long as the timeout, and up to a third more: a slow link
// that still moves bytes goes on. (Over TLS, one that moves 16 KiB in that
// time.)
func (w *Writer) Write(p []byte) error {
	size, wait, patience := chunk, w.Timeout/looks, looks
	if _, ok := w.Conn.(*tls.Conn); ok {
		size, wait, patience = tlsChunk, w.Timeout, 1
	}
	// Setting a deadline was measured as a fourteenth of what a small write
	// costs, so it is set a little further off than needed, and not each time.
	for still, ahead := 0, w.Timeout/16; len(p) > 0; {
		if now := time.Now(); w.deadline.Sub(now) < wait {
			w.deadline = now.Add(wait + ahead)
			if err := w.Conn.SetWriteDeadline(w.deadline); err != nil {
				return err
			}
		}
		n, err := w.Conn.Write(p[:min(len(p), size)])
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
			fallthrough
		default:
			ahead = 0 // it hangs: from here on the looks are exact
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
