package ws

import (
	"bufio"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/crier-go/crier/transport/internal/netwrite"
)

// A wire is the one way onto a connection. The stream's frames are written to
// it ready-made, past gorilla, which also writes: its answer to the handshake,
// pongs, and a close when the client breaks the protocol. So gorilla is given
// this in place of the connection. It keeps frames whole, keeps its own
// deadlines (gorilla's would cut a long write short), and lets nothing follow
// a close frame, or a frame that got stuck half way.
type wire struct {
	net.Conn
	timeout time.Duration

	mu sync.Mutex
	// busy is set while whole frames are written, for as long as a client takes
	// to read them. Who writes next waits for its turn. (A mutex would do, but
	// the clock of a synctest bubble stands still while somebody waits for one.)
	busy bool
	turn sync.Cond
	out  netwrite.Writer // belongs to whoever is busy

	closed bool  // a close frame is written, or being written
	err    error // a write has failed
	pinged bool  // a ping has been sent, or is being sent, and no pong has come
	ended  error // why reading has; belongs to the reader
	waited bool  // since the last heartbeat, a write had to wait for the client, and went on
}

func newWire(c net.Conn, timeout time.Duration) *wire {
	w := &wire{Conn: c, timeout: timeout, out: netwrite.Writer{Conn: c, Timeout: timeout}}
	w.turn.L = &w.mu
	return w
}

// Write writes one or more whole frames. After a close frame it pretends: who
// still writes then is about to notice.
func (w *wire) Write(p []byte) (int, error) {
	if err := w.write(p, isClose(p)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// closeGrace is how long the client is read on after a close has been sent: to
// close TCP with unread bytes in it could destroy what it has yet to read.
const closeGrace = time.Second

// write writes whole frames; if they are the last, they end with a close.
func (w *wire) write(frames []byte, last bool) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.busy {
		w.turn.Wait()
	}
	if w.closed || w.err != nil {
		return w.err
	}
	w.busy, w.closed = true, last
	w.mu.Unlock()
	began := time.Now()
	err := w.out.Write(frames, began)
	w.mu.Lock()
	w.busy = false
	w.turn.Broadcast() // if nothing more may be written, it is everybody's turn to hear so
	switch {
	case err != nil:
		w.err = err
		w.Conn.Close() // half a frame may be out
	case last:
		w.Conn.SetReadDeadline(time.Now().Add(closeGrace))
	case time.Since(began) > w.timeout/100:
		w.waited = true
	}
	return err
}

// state reports whether a close frame has been written, and why writing has
// failed, if it has.
func (w *wire) state() (closed bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.closed, w.err
}

// beat writes frames, if there are any, and a ping behind them. It leaves the
// ping out if the client has kept a write waiting since the last beat, and then
// let it go on: who reads is there, and on so slow a link the pong could take
// longer than it may.
func (w *wire) beat(frames []byte) error {
	w.mu.Lock()
	waited, again := w.waited, w.pinged
	w.waited = false
	w.pinged = w.pinged || !waited
	w.mu.Unlock()
	if !waited {
		frames = appendPing(frames)
	}
	if len(frames) == 0 {
		return nil
	}
	if err := w.write(frames, false); err != nil {
		return err
	}
	if !again { // else the time for the first ping's answer is running
		w.expect()
	}
	return nil
}

// expect gives the client, from now on, its time to answer a ping that it has
// not answered yet.
func (w *wire) expect() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.pinged && !w.closed {
		w.Conn.SetReadDeadline(time.Now().Add(w.timeout))
	}
}

// answered notes that a pong has come.
func (w *wire) answered() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pinged = false
	if !w.closed {
		w.Conn.SetReadDeadline(time.Time{})
	}
}

// Read begins the time for a pong anew: the reader was busy with a message
// until now, and the pong may have come in meanwhile. (Who talks is there.) An
// error is final.
func (w *wire) Read(p []byte) (n int, err error) {
	if w.ended == nil {
		w.expect()
		n, w.ended = w.Conn.Read(p)
	}
	return n, w.ended
}

// SetDeadline and its halves are for gorilla; the wire has its own.
func (w *wire) SetDeadline(time.Time) error      { return nil }
func (w *wire) SetReadDeadline(time.Time) error  { return nil }
func (w *wire) SetWriteDeadline(time.Time) error { return nil }

// A hijacker gives gorilla a wire in place of the connection. It also finds
// the connection behind middleware's wrappers, which gorilla does not.
type hijacker struct {
	http.ResponseWriter
	timeout time.Duration
	wire    *wire         // once hijacked
	in      *bufio.Reader // from the wire
}

func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, buf, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	c.SetDeadline(time.Time{}) // the server's
	h.wire = newWire(c, h.timeout)
	h.in = bufio.NewReaderSize(h.wire, readBuffer)
	if buf.Reader.Buffered() == 0 { // else gorilla refuses the client, which did not wait for the handshake
		buf.Reader = h.in
	}
	return h.wire, buf, nil
}
