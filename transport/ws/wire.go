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
// a close frame.
type wire struct {
	net.Conn
	timeout time.Duration

	mu     sync.Mutex // held while whole frames are written
	closed bool       // a close frame has been written
}

// Write writes one or more whole frames. After a close frame it pretends: who
// still writes then is about to notice.
func (w *wire) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return len(p), nil
	}
	w.closed = isClose(p)
	if err := netwrite.Write(w.Conn, p, w.timeout); err != nil {
		return 0, err
	}
	return len(p), nil
}

// SetDeadline and SetWriteDeadline are for gorilla; writing has its own.
func (w *wire) SetDeadline(t time.Time) error    { return w.Conn.SetReadDeadline(t) }
func (w *wire) SetWriteDeadline(time.Time) error { return nil }

// closing reports whether a close frame has been written.
func (w *wire) closing() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.closed
}

// A hijacker gives gorilla a wire in place of the connection. It also finds
// the connection behind middleware's wrappers, which gorilla does not.
type hijacker struct {
	http.ResponseWriter
	timeout time.Duration
	wire    *wire // once hijacked
}

func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, buf, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	c.SetDeadline(time.Time{}) // the server's
	h.wire = &wire{Conn: c, timeout: h.timeout}
	return h.wire, buf, nil
}
