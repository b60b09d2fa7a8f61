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

	"github.com/crier-go/crier/transport/internal/tcp"
)

const (
	// maxWrite is how much is written in one call.
	maxWrite = 64 << 10
	// maxTLSWrite is that over TLS. It is the size of a TLS record, so smaller
	// writes would only cost more.
	maxTLSWrite = 16 << 10
	// attempts is how many times within the timeout a write that hangs is
	// interrupted, to see whether it has made progress.
	attempts = 4
)

// A Writer writes to one connection. Make one with New. Nothing else may set the
// connection's write deadline. Write must not be called concurrently.
type Writer struct {
	conn     net.Conn
	timeout  time.Duration
	deadline time.Time // that is set
	extender *Extender // nil without TLS
}

// New returns a Writer for c.
func New(c net.Conn, timeout time.Duration) Writer {
	w := Writer{conn: c, timeout: timeout}
	if t, ok := c.(*tls.Conn); ok {
		w.extender = &Extender{Conn: t, SetDeadline: t.SetWriteDeadline, Timeout: timeout}
	}
	return w
}

// Write writes p; now is the current time. It fails with os.ErrDeadlineExceeded
// if there is no progress for the timeout, or up to a third longer.
//
// Where the kernel tells (package tcp), progress is what the client's kernel
// acknowledges, and a client whose kernel answers has ClosedWindow times as long.
// Elsewhere it is what this kernel accepts: over TLS, all of 16 KiB.
//
// Write and its callers use little stack. A stream writes in a new goroutine with
// a stack of 2 KiB, of which package net needs half; growing it was measured as a
// seventh of the cost of a small write.
func (w *Writer) Write(p []byte, now time.Time) error {
	if len(p) > maxTLSWrite || w.isTLS() {
		return w.writeLarge(p)
	}
	// Setting a deadline was measured as a fourteenth of the cost of a small
	// write. So it is set somewhat later than needed, and not for each write.
	if wait := w.timeout / attempts; w.deadline.Sub(now) < wait {
		if err := w.setDeadline(now.Add(wait + w.timeout/16)); err != nil {
			return err
		}
	}
	n, err := w.conn.Write(p)
	if err == nil {
		return nil
	}
	return w.writeRest(p[n:], n, err)
}

// Timeout returns how long a write may make no progress.
func (w *Writer) Timeout() time.Duration { return w.timeout }

// Stop releases the Writer's timer, if it has one. It may be called at any time.
func (w *Writer) Stop() { w.extender.Stop() }

func (w *Writer) isTLS() bool { return w.extender != nil }

func (w *Writer) setDeadline(t time.Time) error {
	w.deadline = t
	return w.conn.SetWriteDeadline(t)
}

// writeLarge writes what may take more than one call. (A common loop for both
// was tried: Write's stack then grows, and a stream of batches takes a sixth more
// CPU.)
func (w *Writer) writeLarge(p []byte) error {
	if w.isTLS() {
		return w.writeTLS(p)
	}
	for len(p) > 0 {
		part := p[:min(len(p), maxWrite)]
		if err := w.setDeadline(time.Now().Add(w.timeout / attempts)); err != nil {
			return err
		}
		if n, err := w.conn.Write(part); err != nil {
			if err := w.writeRest(part[n:], n, err); err != nil {
				return err
			}
		}
		p = p[len(part):]
	}
	return nil
}

// writeTLS writes in parts that each have a deadline of their own.
func (w *Writer) writeTLS(p []byte) error {
	for len(p) > 0 {
		part := p[:min(len(p), maxTLSWrite)]
		due := time.Until(w.deadline) < w.timeout
		if due {
			if err := w.setDeadline(time.Now().Add(w.timeout * 5 / 4)); err != nil {
				return err
			}
		}
		w.extender.Begin(due)
		_, err := w.conn.Write(part)
		w.extender.End()
		if err != nil {
			return err
		}
		p = p[len(part):]
	}
	return nil
}

// writeRest continues a write that was interrupted by its deadline, for as long
// as there is progress. n bytes were accepted before err.
func (w *Writer) writeRest(rest []byte, n int, err error) error {
	var acked uint64
	for idle := 0; ; {
		if err == nil {
			return nil
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		info, known := tcp.InfoOf(w.conn)
		if n > 0 || known && acked != 0 && info.Acked != acked {
			idle = 0
		} else if idle++; idle >= w.maxIdle(info, known) {
			return err
		}
		acked = info.Acked
		if err := w.setDeadline(time.Now().Add(w.timeout / attempts)); err != nil {
			return err
		}
		n, err = w.conn.Write(rest)
		rest = rest[n:]
	}
}

// maxIdle returns how many attempts in a row may find no progress.
func (w *Writer) maxIdle(info tcp.Info, known bool) int {
	if known && info.Answers(w.timeout) {
		return attempts * ClosedWindow
	}
	return attempts
}

// ClosedWindow is how many timeouts a write may make no progress if the client's
// kernel answers. Then the client is there, but its kernel has no room. If the
// client reads slowly, its kernel announces room only after much has been read:
// every 20 to 60 s were measured for 1 KB/s over loopback with default buffers.
const ClosedWindow = 9

// PieceBytes is how much of a batch is joined into one write. It bounds what a
// client that does not read holds beyond the kernel's buffers.
const PieceBytes = 16 << 10

// A Buffer joins frames, so that they are one write. (Writev was measured as no
// faster at the usual size of frames, and needs a slice of slices.)
type Buffer struct{ B []byte }

var buffers = sync.Pool{New: func() any { return new(Buffer) }}

// Get returns an empty buffer. An idle connection should hold none.
func Get() *Buffer { return buffers.Get().(*Buffer) }

// Put returns a buffer to the pool.
func Put(b *Buffer) {
	if cap(b.B) > 2*PieceBytes {
		return // a large message has passed; do not keep its memory
	}
	b.B = b.B[:0]
	buffers.Put(b)
}
