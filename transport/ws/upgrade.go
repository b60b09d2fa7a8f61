package ws

import (
	"context"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/crier-go/crier/transport"
)

// upgrade hijacks the connection and answers the handshake. If it fails, the
// client has been answered, or its connection closed.
func (h *handler) upgrade(w http.ResponseWriter, r *http.Request) (*conn, error) {
	net, buf, err := http.NewResponseController(w).Hijack()
	if err != nil {
		transport.WriteError(w, http.StatusInternalServerError, "this server cannot upgrade to WebSocket")
		return nil, err
	}
	if buf.Reader.Buffered() > 0 {
		net.Close()
		return nil, errors.New("ws: the client did not wait for the handshake")
	}
	buf.Writer.Reset(nil) // release net/http's buffers
	buf.Reader.Reset(nil)
	net.SetDeadline(time.Time{}) // the server's
	c := h.newConn(net, r)
	c.encoding = encoding
	if h.options.Compress && offersDeflate(r.Header.Values("Sec-WebSocket-Extensions")) {
		c.encoding, c.parser.deflate = deflated(), true
	}
	if err := c.out.Write(handshakeResponse(w, r, c.parser.deflate), time.Now()); err != nil {
		c.net.Close()
		return nil, err
	}
	return c, nil
}

// newConn returns a conn that has not been started.
func (h *handler) newConn(net net.Conn, r *http.Request) *conn {
	c := &conn{handler: h, limiter: limiter{tokens: float64(h.options.MessageBurst), last: time.Since(h.began)}, ctx: context.Background()}
	calls := h.options.OnMessage != nil || h.options.OnToken != nil
	if calls || h.acceptor.Hub().Authorizes() { // nobody else needs it, and it takes half a kilobyte
		c.ctx = context.WithoutCancel(r.Context()) // which ends when its handler returns; its values are kept
	}
	if calls {
		c.ctx, c.cancel = context.WithCancel(c.ctx)
	}
	c.init(net, h.acceptor.Options().WriteTimeout, c.onWriteClosed)
	return c
}

// handshakeResponse returns the answer to a handshake (RFC 6455, section 4.2.2).
// Of w.Header() only cookies are sent.
func handshakeResponse(w http.ResponseWriter, r *http.Request, deflate bool) []byte {
	const guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
	sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + guid))
	var b strings.Builder
	b.WriteString("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ")
	b.WriteString(base64.StdEncoding.EncodeToString(sum[:]))
	b.WriteString("\r\n")
	if deflate {
		b.WriteString("Sec-WebSocket-Extensions: " + agreed + "\r\n")
	}
	http.Header{"Set-Cookie": w.Header()["Set-Cookie"]}.Write(&b) // leaves line breaks out of values
	b.WriteString("\r\n")
	return []byte(b.String())
}
