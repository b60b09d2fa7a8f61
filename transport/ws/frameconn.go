package ws

import (
	"errors"
	"net"
	"os"
	"sync"
	"time"

	"github.com/crier-go/crier/transport/internal/netwrite"
	"github.com/crier-go/crier/transport/internal/reactor"
	"github.com/crier-go/crier/transport/internal/tcp"
)

// A frameConn writes frames to a connection. Several goroutines write: the
// stream's, the one that reads, for pongs and answers, and the application's, by
// Client.Send. A frameConn serialises whole frames and writes nothing after a
// close frame or after a write that failed.
type frameConn struct {
	net net.Conn // a reactor.Conn if possible
	// onClosed is called once nothing more can be written. It may be nil, and
	// may be called more than once.
	onClosed func()

	mu sync.Mutex
	// idle is closed when a write has ended, and nil if no other writer waits for
	// that. (A mutex held during the write would do, but the clock of a synctest
	// bubble stands still while a goroutine waits for a mutex.)
	idle     chan struct{}
	out      netwrite.Writer // used by the goroutine that has set writing
	writing  bool            // frames are being written
	closed   bool            // a close frame has been written, or is being written
	pinged   bool            // a ping has been sent, or is being sent, and no pong has come
	extended uint8           // how often in a row the deadline for a pong has been extended
	window   uint32          // the client's receive window at the beginning, where it is known
	err      error           // why writing has failed
	waited   bool            // since the last heartbeat a write waited for the client and then went on
	// watching is set while OnMessage runs and conn.watch watches the
	// connection. There is no deadline for a pong then.
	watching, interrupted bool

	readErr error // final; belongs to whoever reads
}

// init prepares f. If the reactor can, it takes over the connection.
func (f *frameConn) init(c net.Conn, timeout time.Duration, onClosed func()) {
	if owned := reactor.Take(c); owned != nil {
		c = owned
	}
	f.net, f.onClosed, f.out = c, onClosed, netwrite.New(c, timeout)
	tcp.Limit(c)
	if info, ok := tcp.InfoOf(c); ok {
		f.window = info.Window
	}
}

// Write writes one or more whole frames. After a close frame it reports
// success and writes nothing: the connection is about to be closed.
func (f *frameConn) Write(p []byte) (int, error) {
	if err := f.write(p, isClose(p)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// closeGrace is how long the client's close frame is waited for after one has
// been sent. Closing TCP with unread bytes in it could destroy what the client
// has yet to read.
const closeGrace = time.Second

// write writes whole frames; the last of them is a close frame if last is set.
func (f *frameConn) write(frames []byte, last bool) error {
	f.mu.Lock()
	for f.writing {
		f.waitForIdle()
	}
	if f.closed || f.err != nil {
		defer f.mu.Unlock()
		return f.err
	}
	f.writing, f.closed = true, last
	f.mu.Unlock()
	if last && f.onClosed != nil {
		f.onClosed()
	}
	return f.finish(frames, nil, last)
}

// tryBegin is the beginning of write. It reports false if nothing may be written now.
func (f *frameConn) tryBegin() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.writing || f.closed || f.err != nil {
		return false
	}
	f.writing = true
	return true
}

// finish is the end of write: it writes the frames or what is left of them, unless
// that has failed with err.
func (f *frameConn) finish(frames []byte, err error, last bool) error {
	waited := false
	if len(frames) > 0 && err == nil {
		began := time.Now()
		err = f.out.Write(frames, began)
		waited = time.Since(began) > f.out.Timeout()/100
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.writing = false
	if f.idle != nil {
		close(f.idle) // all who wait go on, since each must return if nothing more may be written
		f.idle = nil
	}
	switch {
	case err != nil:
		f.err = err
		tcp.CloseNow(f.net) // half a frame may have been sent
		if f.onClosed != nil {
			f.mu.Unlock()
			f.onClosed()
			f.mu.Lock()
		}
	case last:
		f.resetReadDeadline()
	case waited:
		f.waited = true
	}
	return err
}

// waitForIdle waits until a write has ended. f.mu is held, but not meanwhile.
func (f *frameConn) waitForIdle() {
	if f.idle == nil {
		f.idle = make(chan struct{})
	}
	idle := f.idle
	f.mu.Unlock()
	<-idle
	f.mu.Lock()
}

// tryClose sends a close frame to a client that seems to have vanished, unless
// another write is under way. It does not wait for the client.
func (f *frameConn) tryClose(frame []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.writing || f.closed || f.err != nil {
		return
	}
	f.closed = true
	f.net.SetWriteDeadline(time.Now().Add(closeGrace))
	f.net.Write(frame)
}

// state reports whether a close frame has been written, and why writing has
// failed, if it has.
func (f *frameConn) state() (closed bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.closed, f.err
}

// writeBeat writes frames, if there are any, and a ping after them. It leaves the
// ping out if the client has kept a write waiting since the last beat and then
// let it go on: a client that reads is there, and on so slow a link the pong
// could take longer than it may.
func (f *frameConn) writeBeat(frames []byte) error {
	f.mu.Lock()
	waited, again := f.waited, f.pinged
	f.waited = false
	f.pinged = f.pinged || !waited
	f.mu.Unlock()
	if !waited {
		frames = appendPing(frames)
	}
	if len(frames) == 0 {
		return nil
	}
	if err := f.write(frames, false); err != nil {
		return err
	}
	if !again { // else the deadline for the first ping's pong is running
		f.restartPongDeadline()
	}
	return nil
}

// restartPongDeadline gives the client, from now on, the timeout to answer a
// ping that it has not answered yet. It is called when a ping has been sent and
// when a whole message has been handled: the pong may have waited behind it.
func (f *frameConn) restartPongDeadline() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.resetReadDeadline()
}

// resetReadDeadline sets the deadline that the present state asks for. f.mu is
// held.
func (f *frameConn) resetReadDeadline() {
	switch {
	case f.watching: // endWatching sets it
	case f.closed:
		f.net.SetReadDeadline(time.Now().Add(closeGrace))
	case f.pinged:
		f.net.SetReadDeadline(time.Now().Add(f.out.Timeout()))
	default:
		f.net.SetReadDeadline(time.Time{})
	}
}

// ponged notes that a pong has come.
func (f *frameConn) ponged() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pinged, f.extended = false, 0
	if !f.closed {
		f.resetReadDeadline()
	}
}

// pongMissing reports whether reading has ended because no pong came in time.
func (f *frameConn) pongMissing() bool {
	closed, err := f.state()
	return !closed && err == nil && errors.Is(f.readErr, os.ErrDeadlineExceeded)
}

// extendPongDeadline gives a client more time for its pong if, according to the
// kernel, the client is there and has not read everything before the ping yet:
// some of it is not acknowledged, or the client's receive window has shrunk.
func (f *frameConn) extendPongDeadline() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.pinged || f.closed || f.err != nil || f.interrupted {
		return false
	}
	info, known := tcp.InfoOf(f.net)
	if !known || !info.Answers(f.out.Timeout()) || info.Outstanding == 0 && info.Window >= f.window/2 {
		return false
	}
	if f.extended++; f.extended >= netwrite.ClosedWindow {
		return false
	}
	f.resetReadDeadline()
	return true
}

// read reads what the client sends. An error is final.
func (f *frameConn) read(p []byte) (int, error) { return f.readBy(f.net.Read, p) }

// readBy is read by means of a function of the connection: its Read, or TryRead if
// it is the reactor's.
func (f *frameConn) readBy(read func([]byte) (int, error), p []byte) (int, error) {
	if f.readErr != nil {
		return 0, f.readErr
	}
	n, err := read(p)
	for n == 0 && errors.Is(err, os.ErrDeadlineExceeded) && f.extendPongDeadline() {
		n, err = read(p)
	}
	if err != nil && err != reactor.ErrNotReady && !f.wasInterrupted() {
		f.readErr = err
	}
	return n, err
}

// beginWatching lets Read be called while OnMessage runs, without a deadline.
func (f *frameConn) beginWatching() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.interrupted {
		f.watching = true
		f.net.SetReadDeadline(time.Time{})
	}
}

// interrupt makes a Read that was begun by the watcher return.
func (f *frameConn) interrupt() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.interrupted = true
	f.net.SetReadDeadline(time.Unix(1, 0))
}

// endWatching restores the deadline, after the watcher has returned.
func (f *frameConn) endWatching() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.watching, f.interrupted = false, false
	f.resetReadDeadline()
}

func (f *frameConn) wasInterrupted() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.interrupted
}
