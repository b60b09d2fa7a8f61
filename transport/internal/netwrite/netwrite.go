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

// Write writes p; now is the time. It fails with os.ErrDeadlineExceeded once
// nothing has moved for as long as the timeout, or up to a third longer: a slow
// link goes on. Where the kernel tells (package tcp), what moves is what the
// client's kernel acknowledges, and a client whose kernel answers has
// ClosedWindow times as long. Over TLS, which cannot go on after a deadline, a
// link must move 16 KiB within the timeout.
//
// Write and its callers take little stack. A stream writes in a goroutine
// that has just begun, with 2 KiB, of which net's own functions need half: to
// grow it was measured as a seventh of what a small write costs.
func (w *Writer) Write(p []byte, now time.Time) error {
	if len(p) > tlsChunk {
		return w.writeLarge(p)
	}
	// Setting a deadline was measured as a fourteenth of what a small write
	// costs, so it is set a little further off than needed, and not each time.
	if wait := w.wait(); w.deadline.Sub(now) < wait {
		if err := w.setDeadline(now.Add(wait + w.Timeout/16)); err != nil {
			return err
		}
	}
	n, err := w.Conn.Write(p)
	if err == nil {
		return nil
	}
	return w.goOn(p[n:], n, err)
}

// wait is for how long one call may hang.
func (w *Writer) wait() time.Duration {
	if w.secure() {
		return w.Timeout
	}
	return w.Timeout / looks
}

func (w *Writer) secure() bool {
	_, ok := w.Conn.(*tls.Conn)
	return ok
}

func (w *Writer) setDeadline(t time.Time) error {
	w.deadline = t
	return w.Conn.SetWriteDeadline(t)
}

// writeLarge writes what may be more than one call takes. (One loop for both was
// tried: with it, Write's stack no longer fits, and a stream of batches takes a
// sixth more CPU.)
func (w *Writer) writeLarge(p []byte) error {
	size := chunk
	if w.secure() {
		size = tlsChunk
	}
	for len(p) > 0 {
		part := p[:min(len(p), size)]
		if err := w.setDeadline(time.Now().Add(w.wait())); err != nil {
			return err
		}
		if n, err := w.Conn.Write(part); err != nil {
			if err := w.goOn(part[n:], n, err); err != nil {
				return err
			}
		}
		p = p[len(part):]
	}
	return nil
}

// goOn writes the rest of what has hung, for as long as it moves: n bytes were
// accepted before err.
func (w *Writer) goOn(rest []byte, n int, err error) error {
	var acked uint64
	for still := 0; ; {
		if err == nil {
			return nil
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		info, known := tcp.InfoOf(w.Conn)
		if n > 0 || known && acked != 0 && info.Acked != acked {
			still = 0
		} else if still++; still >= w.patience(info, known) {
			return err
		}
		acked = info.Acked
		if err := w.setDeadline(time.Now().Add(w.wait())); err != nil {
			return err
		}
		n, err = w.Conn.Write(rest)
		rest = rest[n:]
	}
}

// patience is how many looks in a row may find that a write has not moved.
func (w *Writer) patience(info tcp.Info, known bool) int {
	switch {
	case w.secure():
		return 1
	case known && info.Answers(w.Timeout):
		return looks * ClosedWindow
	}
	return looks
}

// ClosedWindow is by how much longer a write may hang, as a multiple of the
// timeout, if the peer's kernel answers. Then the client is there, and its
// kernel's buffer is full. That of a client that reads slowly announces room only
// once much has been read: at 1 KB a second every 20 to 60 s were measured over
// loopback, with the kernel's default buffers.
const ClosedWindow = 9

// PieceBytes is how much of a batch is joined into one write. It bounds what a
// client that does not read holds beyond the kernel's buffers.
const PieceBytes = 16 << 10

// A Buffer joins the frames of a batch, so that they are one write. (writev
// was measured level with joining at this frame size, and needs a slice of
// slices per batch.)
type Buffer struct{ B []byte }

var buffers = sync.Pool{New: func() any { return new(Buffer) }}

// Get returns an empty buffer; an idle connection should hold none.
func Get() *Buffer { return buffers.Get().(*Buffer) }

// Put gives a buffer back.
func Put(b *Buffer) {
	if cap(b.B) > 2*PieceBytes {
		return // a huge message came through; don't keep its room
	}
	b.B = b.B[:0]
	buffers.Put(b)
}
