package transport_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/transport"
)

// lines is a transport of its own: JSON lines, over a plain HTTP response.
type lines struct{ *transport.Acceptor }

func newLines(h *hub.Hub, auth transport.Authenticator, o *transport.Options) http.Handler {
	return lines{transport.NewAcceptor(h, auth, "lines", o)}
}

func (l lines) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	stream := l.Accept(w, r)
	if stream == nil {
		return // refused, and answered
	}
	w.Header().Set("Content-Type", "application/jsonl")
	stream.Serve(r.Context(), &lineConn{w, http.NewResponseController(w), l.Options().WriteTimeout})
}

// lineEncoding makes a message's line once, for all streams. An ephemeral event
// has no id, since no client can resume from it.
var lineEncoding = hub.NewEncoding(func(dst []byte, m *hub.Message) []byte {
	if e := m.Event(); e != nil && e.Ephemeral() {
		return fmt.Appendf(dst, `{"event":%q,"data":%s}`+"\n", e.Type(), e.Data())
	}
	return fmt.Appendf(dst, `{"id":%q,"event":%q,"data":%s}`+"\n", m.ID(), m.Type(), m.Data())
})

type lineConn struct {
	w       http.ResponseWriter
	rc      *http.ResponseController
	timeout time.Duration
}

func (c *lineConn) Open(cursor string, retry time.Duration) error {
	return c.write(fmt.Appendf(nil, `{"id":%q,"event":"stream.cursor","data":{"retry":%d}}`+"\n", cursor, retry.Milliseconds()))
}

func (c *lineConn) Send(batch []*hub.Message) error {
	var p []byte
	for _, m := range batch {
		p = append(p, m.Frame(lineEncoding)...)
	}
	return c.write(p)
}

func (c *lineConn) Beat(cursor string) error {
	if cursor == "" {
		return nil // what was sent has kept the connection alive
	}
	return c.write(fmt.Appendf(nil, `{"id":%q,"event":"stream.cursor","data":{}}`+"\n", cursor))
}

func (c *lineConn) End(reason hub.Reason, cursor string, retry time.Duration) error {
	return c.write(fmt.Appendf(nil, `{"id":%q,"event":"stream.end","data":{"reason":%q,"retry":%d}}`+"\n", cursor, string(reason), retry.Milliseconds()))
}

func (c *lineConn) Abort() { c.rc.SetWriteDeadline(time.Unix(1, 0)) }

func (c *lineConn) write(p []byte) error {
	c.rc.SetWriteDeadline(time.Now().Add(c.timeout))
	if _, err := c.w.Write(p); err != nil {
		return err
	}
	return c.rc.Flush()
}

// A transport of one's own needs a handler that asks an Acceptor, and a Conn.
// This one writes JSON lines.
func ExampleAcceptor() {
	var kinds event.Registry
	posted := event.Define[string](&kinds, "chat", "chat.message.posted", "Somebody wrote a message.")
	ada := uuid.NewSHA1(uuid.NameSpaceURL, []byte("ada"))
	h := hub.New(&kinds, nil)
	server := httptest.NewServer(newLines(h, func(*http.Request) (hub.Session, error) {
		return hub.Session{User: ada, Allowed: hub.Everything()}, nil
	}, nil))
	defer server.Close()

	response, err := http.Get(server.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer response.Body.Close()
	client := bufio.NewScanner(response.Body)
	read := func() {
		client.Scan()
		fmt.Println(uuids.ReplaceAllString(client.Text(), "..."))
	}
	read()
	e, err := posted.New(ada, "hello")
	if err != nil {
		fmt.Println(err)
		return
	}
	h.Publish(context.Background(), e)
	read()
	h.RevokeUser(context.Background(), ada)
	read()
	// Output:
	// {"id":"...","event":"stream.cursor","data":{"retry":3000}}
	// {"id":"...","event":"chat.message.posted","data":"hello"}
	// {"id":"...","event":"stream.end","data":{"reason":"revoked","retry":3000}}
}

var uuids = regexp.MustCompile(`[0-9a-f-]{36}`)
