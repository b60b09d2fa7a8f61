package proof

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/gorilla/websocket"
)

// open opens a stream over a connection as a client does that has seen last:
// a WebSocket where the path is /ws, which is then returned too, or an event
// stream, which takes gzip as a browser's does. It returns how to read a frame.
func open(conn net.Conn, host, path string, query url.Values, last string) (next func() (frame, error), socket *websocket.Conn, err error) {
	u := url.URL{Scheme: "http", Host: host, Path: path, RawQuery: query.Encode()}
	if strings.HasPrefix(path, "/ws") {
		query.Set("last_event_id", last)
		u.Scheme, u.RawQuery = "ws", query.Encode()
		d := websocket.Dialer{NetDial: func(string, string) (net.Conn, error) { return conn, nil }, ReadBufferSize: 1024, WriteBufferSize: 1024}
		socket, resp, err := d.Dial(u.String(), nil)
		if errors.Is(err, websocket.ErrBadHandshake) {
			return nil, nil, &statusError{resp.StatusCode}
		}
		if err != nil {
			return nil, nil, err
		}
		return func() (f frame, err error) {
			err = socket.ReadJSON(&f)
			return f, err
		}, socket, nil
	}
	r, err := http.NewRequest("GET", u.String(), nil)
	if err != nil {
		return nil, nil, err
	}
	r.Header.Set("Last-Event-ID", last)
	r.Header.Set("Accept-Encoding", "gzip")
	if err := r.Write(conn); err != nil {
		return nil, nil, err
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), r)
	if err != nil {
		return nil, nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, nil, &statusError{resp.StatusCode}
	}
	body := bufio.NewReader(resp.Body)
	if resp.Header.Get("Content-Encoding") == "gzip" {
		plain, err := gzip.NewReader(body)
		if err != nil {
			return nil, nil, err
		}
		body = bufio.NewReader(plain)
	}
	return func() (frame, error) { return readSSE(body) }, nil, nil
}

// A statusError is the status with which a stream was refused.
type statusError struct{ status int }

func (e *statusError) Error() string { return http.StatusText(e.status) }

// readSSE reads one event of an event stream.
func readSSE(r *bufio.Reader) (f frame, err error) {
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return frame{}, err // what was begun is dropped, as the specification says
		}
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch name {
		case "id":
			f.ID = value
		case "event":
			f.Event = value
		case "data":
			f.Data = json.RawMessage(value)
		case "":
			if f.Data != nil {
				return f, nil
			}
		}
	}
}
