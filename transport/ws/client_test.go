package ws_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"

	"github.com/gorilla/websocket"

	"github.com/crier-go/crier/transport/transporttest"
)

// dial opens a WebSocket over a connection. (With gorilla's own client: what
// its server half does is not used for writing, so the two are independent
// where it matters.)
func dial(conn net.Conn, r *http.Request, compress bool) (*websocket.Conn, error) {
	u := *r.URL
	u.Scheme = "ws"
	dialer := websocket.Dialer{NetDial: func(string, string) (net.Conn, error) { return conn, nil }, EnableCompression: compress}
	c, resp, err := dialer.Dial(u.String(), r.Header)
	if errors.Is(err, websocket.ErrBadHandshake) {
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			return nil, err
		}
		return nil, &transporttest.Refused{Status: resp.StatusCode, Header: resp.Header, Body: body}
	}
	return c, err
}

// readFrame reads one message, strictly as it is promised.
func readFrame(c *websocket.Conn) (f transporttest.Frame, err error) {
	kind, message, err := c.ReadMessage()
	if err != nil {
		return f, err
	}
	if kind != websocket.TextMessage {
		return f, errors.New("not a text message")
	}
	var m struct {
		ID    *string         `json:"id"`
		Event string          `json:"event"`
		Data  json.RawMessage `json:"data"`
	}
	d := json.NewDecoder(bytes.NewReader(message))
	d.DisallowUnknownFields()
	if err := d.Decode(&m); err != nil {
		return f, err
	}
	if m.ID != nil {
		f.ID = *m.ID
		if f.ID == "" || !strings.HasPrefix(string(message), `{"id":`) {
			return f, errors.New("an id is first, or not there at all")
		}
	}
	f.Event, f.Data = m.Event, m.Data
	return f, nil
}
