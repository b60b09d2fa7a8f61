package poll

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/transport"
)

// A conn answers one request. Its methods return errAnswered once they have, so
// that the stream ends.
type conn struct {
	w       http.ResponseWriter
	rc      *http.ResponseController
	http1   bool
	timeout time.Duration
	stream  *transport.Stream
}

// errAnswered ends a stream whose request has been answered.
var errAnswered = errors.New("poll: answered")

func (c *conn) Open(cursor string, _ time.Duration) error {
	if c.stream.Resumes() {
		return nil // wait for something new
	}
	return c.answer(nil, cursor, 0)
}

func (c *conn) Send(batch []*hub.Message) error {
	var events []byte
	for i, m := range batch {
		if i > 0 {
			events = append(events, ',')
		}
		events = append(events, m.Frame(encoding)...)
	}
	return c.answer(events, c.stream.Subscription().Cursor(), 0)
}

func (c *conn) Beat(cursor string) error {
	if cursor == "" {
		cursor = c.stream.Subscription().Cursor()
	}
	return c.answer(nil, cursor, 0)
}

func (c *conn) End(reason hub.Reason, cursor string, retry time.Duration) error {
	if reason == hub.ReasonGone {
		return nil // there is nobody to tell
	}
	data, err := json.Marshal(map[string]string{"reason": string(reason)})
	if err != nil { // a string always marshals
		panic(err)
	}
	return c.answer(appendMessage(nil, cursor, "stream.end", data), cursor, retry)
}

func (c *conn) Abort() { c.rc.SetWriteDeadline(time.Unix(1, 0)) }

// answer writes the response. Zero retry is left out.
func (c *conn) answer(events []byte, cursor string, retry time.Duration) error {
	p := append([]byte(`{"events":[`), events...)
	p = append(p, `],"cursor":"`...)
	p = append(p, cursor...)
	p = append(p, '"')
	if retry > 0 {
		p = append(p, `,"retry":`...)
		p = strconv.AppendInt(p, retry.Milliseconds(), 10)
	}
	p = append(p, "}\n"...)

	h := c.w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Length", strconv.Itoa(len(p)))
	c.rc.SetWriteDeadline(time.Now().Add(c.timeout)) // a server's own counts from the request
	_, err := c.w.Write(p)
	if err == nil {
		err = c.rc.Flush()
	}
	if err != nil && !errors.Is(err, http.ErrNotSupported) { // without Flush, the end of the handler flushes
		return err
	}
	if c.http1 {
		c.rc.SetWriteDeadline(time.Time{}) // the next request would inherit it
	}
	return errAnswered
}

// encoding is this transport's encoding of a message: a JSON object.
var encoding = hub.NewEncoding(func(dst []byte, m *hub.Message) []byte {
	id := ""
	if e := m.Event(); e == nil || !e.Ephemeral() { // an ephemeral event has no id on the wire
		id = m.ID().String()
	}
	return appendMessage(dst, id, string(m.Type()), m.Data())
})

// appendMessage appends {"id":...,"event":...,"data":...}, without an id if that
// is empty. Ids are UUIDs and types plain ASCII, so neither needs escaping.
func appendMessage(dst []byte, id, event string, data []byte) []byte {
	dst = append(dst, '{')
	if id != "" {
		dst = append(dst, `"id":"`...)
		dst = append(dst, id...)
		dst = append(dst, `",`...)
	}
	dst = append(dst, `"event":"`...)
	dst = append(dst, event...)
	dst = append(dst, `","data":`...)
	dst = append(dst, data...)
	return append(dst, '}')
}
