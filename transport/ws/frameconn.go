package ws

import (
	"bufio"
	"errors"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/crier-go/crier/transport/internal/netwrite"
	"github.com/crier-go/crier/transport/internal/tcp"
)

// A frameConn is the net.Conn that gorilla is given in place of the client's
// connection. The stream's frames are written to it ready-made, past gorilla,
// which writes too: its answer to the handshake, pongs, and a close frame when
// the client breaks the protocol. A frameConn serialises whole frames, sets the
// deadlines itself (gorilla's would cut a long write short) and writes nothing
// after a close frame or after a write that failed.
type frameConn struct {
	net.Conn
	timeout time.Duration
	// onClosed is called once nothing more can be written. It may be nil, and
	// may be called more than once.
	onClosed func()

	mu sync.Mutex
	// writing is set while frames are written. Concurrent writers queue on
	// idle. (A mutex held during the write would do, but the clock of a
	// synctest bubble stands still while a goroutine waits for a mutex.)
	writing bool
	idle    sync.Cond
	out     netwrite.Writer // used by the goroutine that has set writing

	closed   bool   // a close frame has been written, or is being written
	err      error  // why writing has failed
	pinged   bool   // a ping has been sent, or is being sent, and no pong has come
	window   uint32 // the client's receive window at the beginning, where it is known
	extended uint8  // how often in a row the deadline for a pong has been extended
	waited   bool   // since the last heartbeat a write waited for the client and then went on
	// watching is set while OnMessage runs and conn.watch watches the
	// connection. There is no deadline for a pong then.
	watching, interrupted bool

	// What follows belongs to the reading goroutine.
	limiter limiter
	frames  frameScanner
	readErr error // final
	flooded bool  // the limiter has refused a fragment
}

// errFlood ends the reading of a message that comes in too many small
// fragments.
var errFlood = errors.New("ws: too many small fragments")

func newFrameConn(c net.Conn, timeout time.Duration) *frameConn {
	f := &frameConn{Conn: c, timeout: timeout, out: netwrite.New(c, timeout)}
	f.idle.L = &f.mu
	tcp.Limit(c)
	if info, ok := tcp.InfoOf(c); ok {
		f.window = info.Window
	}
	return f
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
	defer f.mu.Unlock()
	for f.writing {
		f.idle.Wait()
	}
	if f.closed || f.err != nil {
		return f.err
	}
	f.writing, f.closed = true, last
	f.mu.Unlock()
	if last && f.onClosed != nil {
		f.onClosed()
	}
	began := time.Now()
	err := f.out.Write(frames, began)
	f.mu.Lock()
	f.writing = false
	f.idle.Broadcast() // all of them, since each must return if nothing more may be written
	switch {
	case err != nil:
		f.err = err
		tcp.CloseNow(f.Conn) // half a frame may have been sent
		if f.onClosed != nil {
			f.mu.Unlock()
			f.onClosed()
			f.mu.Lock()
		}
	case last:
		f.resetReadDeadline()
	case time.Since(began) > f.timeout/100:
		f.waited = true
	}
	return err
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
	f.Conn.SetWriteDeadline(time.Now().Add(closeGrace))
	f.Conn.Write(frame)
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
		f.Conn.SetReadDeadline(time.Now().Add(closeGrace))
	case f.pinged:
		f.Conn.SetReadDeadline(time.Now().Add(f.timeout))
	default:
		f.Conn.SetReadDeadline(time.Time{})
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
	info, known := tcp.InfoOf(f.Conn)
	if !known || !info.Answers(f.timeout) || info.Outstanding == 0 && info.Window >= f.window/2 {
		return false
	}
	if f.extended++; f.extended >= netwrite.ClosedWindow {
		return false
	}
	f.resetReadDeadline()
	return true
}

// Read reads what the client sends, for gorilla and for conn.watch. It counts
// small fragments, which gorilla joins without reporting them. An error is final.
func (f *frameConn) Read(p []byte) (int, error) {
	switch {
	case f.readErr != nil:
		return 0, f.readErr
	case f.flooded: // now that what came before has been handled
		f.readErr = errFlood
		return 0, errFlood
	}
	n, err := f.Conn.Read(p)
	for n == 0 && errors.Is(err, os.ErrDeadlineExceeded) && f.extendPongDeadline() {
		n, err = f.Conn.Read(p)
	}
	for range f.frames.scan(p[:n]) {
		f.flooded = f.flooded || !f.limiter.allow(time.Now())
	}
	if err != nil && !f.wasInterrupted() {
		f.readErr = err
	}
	return n, err
}

// discardUntilClose reads until the client has sent its close frame or has hung
// up, or until the grace is over. It is for when gorilla reads no more.
func (f *frameConn) discardUntilClose() {
	buf := make([]byte, 512)
	for !f.frames.closed {
		n, err := f.Conn.Read(buf)
		if f.frames.scan(buf[:n]); err != nil {
			return
		}
	}
}

// beginWatching lets Read be called while OnMessage runs, without a deadline.
func (f *frameConn) beginWatching() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.interrupted {
		f.watching = true
		f.Conn.SetReadDeadline(time.Time{})
	}
}

// interrupt makes a Read that was begun by the watcher return.
func (f *frameConn) interrupt() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.interrupted = true
	f.Conn.SetReadDeadline(time.Unix(1, 0))
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

// SetDeadline and its halves are called by gorilla. A frameConn sets deadlines
// itself.
func (f *frameConn) SetDeadline(time.Time) error      { return nil }
func (f *frameConn) SetReadDeadline(time.Time) error  { return nil }
func (f *frameConn) SetWriteDeadline(time.Time) error { return nil }

// A hijacker gives gorilla a frameConn in place of the connection. It also finds
// the connection behind middleware's wrappers, which gorilla does not.
type hijacker struct {
	http.ResponseWriter
	timeout time.Duration
	conn    *frameConn    // once hijacked
	in      *bufio.Reader // of conn
}

func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, buf, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	c.SetDeadline(time.Time{}) // the server's
	h.conn = newFrameConn(c, h.timeout)
	h.in = bufio.NewReaderSize(h.conn, readBuffer)
	if buf.Reader.Buffered() == 0 { // else gorilla refuses the client, which did not wait for the handshake
		buf.Reader = h.in
	}
	return h.conn, buf, nil
}
