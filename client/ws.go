package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// A wsConn is a WebSocket.
type wsConn struct {
	socket *websocket.Conn
	cancel context.CancelFunc
	limit  int

	// The following fields belong to the reader.

	silence  time.Duration // zero: for ever
	asked    time.Duration
	hasAsked bool
	lastID   string
	hasID    bool

	mu sync.Mutex // serialises messages that are sent
}

// writeTimeout is how long sending a message may take.
const writeTimeout = 10 * time.Second

func newWSOpener(o *Options) opener {
	return func(ctx context.Context, u *url.URL, header http.Header, lastID string) (conn, error) {
		if lastID != "" {
			setQuery(u, "last_event_id", lastID)
		}
		dialer := websocket.Dialer{Proxy: http.ProxyFromEnvironment}
		if o.Dialer != nil {
			dialer = *o.Dialer
		}
		ctx, cancel := context.WithCancel(ctx)
		closeWith(ctx, &dialer)
		// A context of its own: when its time is over it must not close the
		// connection, which is there by then.
		attempt, done := context.WithTimeoutCause(ctx, attemptTimeout, errNoAnswer)
		defer done()
		socket, response, err := dialer.DialContext(attempt, u.String(), header)
		if err != nil {
			if attempt.Err() != nil {
				err = context.Cause(attempt)
			}
			cancel()
			if response != nil {
				return nil, newStatusError(response, response.Body)
			}
			return nil, fmt.Errorf("client: %w", err)
		}
		c := &wsConn{socket: socket, cancel: cancel, limit: o.MaxEvent, silence: o.silence()}
		socket.SetReadLimit(int64(o.MaxEvent))
		socket.SetPingHandler(c.onPing)
		return c, nil
	}
}

// closeWith has the dialer's connections closed when ctx ends. (Gorilla looks at
// a context only while it connects.)
func closeWith(ctx context.Context, d *websocket.Dialer) {
	watched := func(dial func(ctx context.Context, network, addr string) (net.Conn, error)) func(context.Context, string, string) (net.Conn, error) {
		return func(attempt context.Context, network, addr string) (net.Conn, error) {
			c, err := dial(attempt, network, addr)
			if err == nil {
				context.AfterFunc(ctx, func() { c.Close() })
			}
			return c, err
		}
	}
	switch {
	case d.NetDialContext != nil:
		d.NetDialContext = watched(d.NetDialContext)
	case d.NetDial != nil:
		dial := d.NetDial
		d.NetDialContext = watched(func(_ context.Context, network, addr string) (net.Conn, error) { return dial(network, addr) })
	default:
		d.NetDialContext = watched((&net.Dialer{}).DialContext)
	}
	if d.NetDialTLSContext != nil {
		d.NetDialTLSContext = watched(d.NetDialTLSContext)
	}
}

func (c *wsConn) next() (message, error) {
	c.alive()
	kind, r, err := c.socket.NextReader()
	if err != nil {
		return message{}, c.explain(err)
	}
	if kind != websocket.TextMessage {
		return message{}, errors.New("client: the server sent a binary message, which is not Crier's protocol")
	}
	text, err := io.ReadAll(&livelyReader{r, c})
	if err != nil {
		return message{}, c.explain(err)
	}
	var envelope struct {
		ID    *string         `json:"id"`
		Event string          `json:"event"`
		Data  json.RawMessage `json:"data"`
	}
	if json.Unmarshal(text, &envelope) != nil || envelope.Event == "" {
		return message{}, errors.New("client: the server sent a message that is not of Crier's protocol")
	}
	m := message{kind: envelope.Event, data: envelope.Data}
	if envelope.ID != nil {
		m.id, m.hasID = *envelope.ID, true
		c.lastID, c.hasID = m.id, true
	}
	if m.kind == "stream.cursor" || m.kind == "stream.end" {
		var data struct {
			Retry *int64 `json:"retry"`
		}
		if json.Unmarshal(m.data, &data) == nil && data.Retry != nil && *data.Retry >= 0 {
			c.asked, c.hasAsked = time.Duration(min(*data.Retry, longestWait.Milliseconds()))*time.Millisecond, true
		}
	}
	return m, nil
}

// explain returns an error that says more than the socket's.
func (c *wsConn) explain(err error) error {
	timeout, ok := errors.AsType[net.Error](err)
	switch {
	case ok && timeout.Timeout():
		return ErrSilent
	case errors.Is(err, websocket.ErrReadLimit):
		return fmt.Errorf("%w: more than %d bytes", ErrTooLarge, c.limit)
	}
	return err
}

// alive allows the connection to be silent from now on. The reader calls it
// whenever something arrives.
func (c *wsConn) alive() {
	if c.silence > 0 {
		c.socket.SetReadDeadline(time.Now().Add(c.silence)) // fails only if the next read does
	}
}

// A livelyReader reads a message.
type livelyReader struct {
	io.Reader
	conn *wsConn
}

func (r *livelyReader) Read(p []byte) (int, error) {
	r.conn.alive()
	return r.Reader.Read(p)
}

func (c *wsConn) onPing(data string) error {
	c.alive()
	// If this fails, the next read does.
	c.socket.WriteControl(websocket.PongMessage, []byte(data), time.Now().Add(writeTimeout))
	return nil
}

func (c *wsConn) retry() (time.Duration, bool) { return c.asked, c.hasAsked }
func (c *wsConn) position() (string, bool)     { return c.lastID, c.hasID }
func (c *wsConn) expectEnd()                   { c.silence = endTimeout }

func (c *wsConn) send(data []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.socket.SetWriteDeadline(time.Now().Add(writeTimeout))
	if err := c.socket.WriteMessage(websocket.TextMessage, data); err != nil {
		return fmt.Errorf("client: %w", err)
	}
	return nil
}

// close says goodbye, unless the server has closed already, and closes the
// connection.
func (c *wsConn) close() {
	const timeout = 100 * time.Millisecond // more only helps where the network hangs
	c.socket.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), time.Now().Add(timeout))
	c.socket.Close()
	c.cancel()
}
