package poll_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"

	"github.com/crier-go/crier/transport/transporttest"
)

// An answer is what a client reads.
type answer struct {
	Events []struct {
		ID    string          `json:"id"`
		Event string          `json:"event"`
		Data  json.RawMessage `json:"data"`
	} `json:"events"`
	Cursor string `json:"cursor"`
	Retry  int    `json:"retry"`
}

// A client polls over one connection. It sends the next request as soon as it
// has read an answer.
type client struct {
	conn    net.Conn
	reader  *bufio.Reader
	request *http.Request
	frames  []transporttest.Frame // read and not returned yet
	ended   bool
}

// open is transporttest's Open for long-polling.
func open(conn net.Conn, r *http.Request) (func() (transporttest.Frame, error), error) {
	c := &client{conn: conn, reader: bufio.NewReader(conn), request: r}
	if err := r.Write(conn); err != nil {
		return nil, err
	}
	q := r.URL.Query()
	if r.Header.Get("Last-Event-ID") == "" && q.Get("last_event_id") == "" && q.Get("lastEventId") == "" {
		if err := c.read(); err != nil { // it is answered at once
			return nil, err
		}
	}
	return c.next, nil
}

func (c *client) next() (f transporttest.Frame, err error) {
	if len(c.frames) == 0 {
		if c.ended {
			return f, io.EOF
		}
		if err := c.read(); err != nil {
			return f, err
		}
	}
	f, c.frames = c.frames[0], c.frames[1:]
	return f, nil
}

// read reads an answer and sends the next request.
func (c *client) read() error {
	resp, err := http.ReadResponse(c.reader, c.request)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return &transporttest.Refused{Status: resp.StatusCode, Header: resp.Header, Body: body}
	}
	var a answer
	if err := json.Unmarshal(body, &a); err != nil || a.Events == nil || a.Cursor == "" {
		return fmt.Errorf("not an answer: %.100q, %v", body, err)
	}
	for _, e := range a.Events {
		c.frames = append(c.frames, transporttest.Frame{ID: e.ID, Event: e.Event, Data: e.Data})
		c.ended = e.Event == "stream.end"
	}
	if len(a.Events) == 0 {
		c.frames = append(c.frames, transporttest.Frame{ID: a.Cursor, Event: "stream.cursor", Data: json.RawMessage("{}")})
	}
	if c.ended {
		return nil
	}
	next := c.request.Clone(c.request.Context())
	next.Header.Del("Last-Event-ID")
	q := next.URL.Query()
	q.Del("lastEventId")
	q.Set("last_event_id", a.Cursor)
	next.URL.RawQuery = q.Encode()
	c.request = next
	return next.Write(c.conn)
}
