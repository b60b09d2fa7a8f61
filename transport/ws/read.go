package ws

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"time"

	"github.com/gorilla/websocket"

	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/transport"
)

// read reads until the connection is over, and then releases everything.
func (c *conn) read(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer func() {
		cancel()
		c.Conn.Close()
		c.stream.Close()
	}()
	for {
		kind, r, err := c.socket.NextReader()
		if err != nil {
			c.over(err)
			return
		}
		switch {
		case !c.limiter.allow(time.Now()):
			c.abuse(websocket.ClosePolicyViolation, "too many messages")
		case kind != websocket.TextMessage:
			c.abuse(websocket.CloseUnsupportedData, "binary messages are not understood here")
		case c.closing(): // read on, for the client's own close
		default:
			c.receive(ctx, r)
		}
	}
}

// over records why reading is over, where that is not known already: the
// client hung up, or gorilla has closed on one that broke the protocol.
func (c *conn) over(err error) {
	var closed *websocket.CloseError
	if errors.As(err, &closed) || !c.closing() {
		c.stream.End(hub.Gone)
		return
	}
	c.stream.End(hub.Abusive)
	c.Conn.SetReadDeadline(time.Now().Add(closeGrace))
	io.Copy(io.Discard, c.Conn)
}

// receive reads one message and answers it if it was wrong.
func (c *conn) receive(ctx context.Context, r io.Reader) {
	data, err := io.ReadAll(r)
	if err != nil {
		return // the next NextReader returns it again
	}
	if problem := c.handle(ctx, data); problem != nil {
		c.reply(data, problem)
	}
}

// handle does what a client asks for. An error is for the client.
func (c *conn) handle(ctx context.Context, data []byte) error {
	var request struct {
		Categories *[]string `json:"categories"`
	}
	if err := json.Unmarshal(data, &request); err == nil && request.Categories != nil {
		sub := c.stream.Subscription()
		if sub == nil {
			return nil // refused, and about to be closed
		}
		f, err := transport.ParseCategories(c.handler.acceptor.Hub(), *request.Categories)
		if err != nil {
			return err
		}
		return sub.SetFilter(f)
	}
	if c.handler.options.OnMessage == nil {
		return errors.New(`only {"categories":["..."]} is understood here`)
	}
	return c.handler.options.OnMessage(ctx, &Client{c}, data)
}

// reply answers a message with stream.error.
func (c *conn) reply(message []byte, problem error) {
	answer := struct {
		Error string          `json:"error"`
		Ref   json.RawMessage `json:"ref,omitempty"`
	}{Error: problem.Error()}
	var request struct {
		Ref json.RawMessage `json:"ref"`
	}
	const longestRef = 256 // it is the client's, and comes back as it is
	if json.Unmarshal(message, &request) == nil && len(request.Ref) <= longestRef {
		answer.Ref = request.Ref
	}
	c.Write(appendMessage(nil, "", "stream.error", mustJSON(answer))) // the loop notices if it fails
}

// abuse ends the stream of a client that breaks the rules, and tells it how.
func (c *conn) abuse(code int, text string) {
	c.close(appendClose(nil, code, text))
	c.stream.End(hub.Abusive)
}

func (c *conn) onPing(data string) error {
	if !c.limiter.allow(time.Now()) {
		c.abuse(websocket.ClosePolicyViolation, "too many pings")
		return nil
	}
	// A failed pong is no reason to stop reading: the writer will notice.
	c.socket.WriteControl(websocket.PongMessage, []byte(data), time.Now().Add(c.timeout))
	return nil
}

func (c *conn) onPong(string) error {
	if !c.limiter.allow(time.Now()) {
		c.abuse(websocket.ClosePolicyViolation, "too many pongs")
		return nil
	}
	return c.expectWithin(0)
}

// A Client is the connection that a message came from. It is valid while the
// connection lives; its methods are safe for concurrent use.
type Client struct{ conn *conn }

// Session returns whose connection it is.
func (c *Client) Session() hub.Session {
	if sub := c.conn.stream.Subscription(); sub != nil {
		return sub.Session()
	}
	return hub.Session{}
}

var eventName = regexp.MustCompile(`^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$`)

// Send sends {"event":name,"data":data} to this connection alone. It has no id
// and no place among the hub's events: it is an answer, not news. It waits
// while the connection is being written to. The name must be like an event's
// type; data is marshalled to JSON.
func (c *Client) Send(name string, data any) error {
	if !eventName.MatchString(name) {
		return fmt.Errorf("ws: %.64q is no name for an event: lower case, with dots", name)
	}
	b, err := json.Marshal(data)
	if err != nil {
		return fmt.Errorf("ws: cannot send %s: %w", name, err)
	}
	_, err = c.conn.Write(appendMessage(nil, "", name, b))
	return err
}

// A limiter is a token bucket. It belongs to the reading goroutine.
type limiter struct {
	rate, burst, tokens float64
	last                time.Time
}

func newLimiter(rate float64, burst int) limiter {
	return limiter{rate: rate, burst: float64(burst), tokens: float64(burst), last: time.Now()}
}

func (l *limiter) allow(now time.Time) bool {
	l.tokens = min(l.burst, l.tokens+l.rate*now.Sub(l.last).Seconds())
	l.last = now
	if l.tokens < 1 {
		return false
	}
	l.tokens--
	return true
}
