package ws

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"runtime/debug"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gorilla/websocket"

	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/transport"
)

// await waits until the client says something, and leaves it to another
// goroutine to read it: for as long as the connection lives, only the small
// stack is there that waiting takes. (Reading takes one of 4 KiB, half of what
// an idle connection costs.)
func (c *conn) await() {
	c.in.Peek(1) // if it fails, the next read does
	go c.read()
}

// read reads what there is, and goes back to waiting. When the connection is
// over, it releases everything.
func (c *conn) read() {
	if c.messages() {
		go c.await()
		return
	}
	if c.cancel != nil {
		c.cancel()
	}
	c.Conn.Close()
	c.stream.Close()
}

// messages reads until nothing more has come, and reports whether the
// connection goes on.
func (c *conn) messages() bool {
	defer c.recover()
	for {
		kind, r, err := c.socket.NextReader()
		if err != nil {
			c.over(err)
			return false
		}
		closed, _ := c.state()
		switch {
		case closed: // read on, for the client's own close
		case !c.limiter.allow(time.Now()):
			c.abuse(websocket.ClosePolicyViolation, "too many messages")
		case kind != websocket.TextMessage:
			c.abuse(websocket.CloseUnsupportedData, "binary messages are not understood here")
		default:
			if err := c.receive(r); err != nil {
				c.over(err)
				return false
			}
		}
		if c.in.Buffered() == 0 {
			return true
		}
	}
}

// recover does for OnMessage what net/http does for handlers: a panic costs the
// connection that it came from, and not the process.
func (c *conn) recover() {
	if r := recover(); r != nil {
		c.handler.acceptor.Options().Logger.Error("crier: panic in OnMessage", "panic", r, "stack", string(debug.Stack()))
		c.write(appendClose(nil, websocket.CloseInternalServerErr, "internal error"), true)
		c.stream.End(hub.ReasonGone)
		io.Copy(io.Discard, c.Conn) // until the grace is over
	}
}

// over records why reading is over, where that is not known already, and not
// just that the client is gone.
func (c *conn) over(err error) {
	if errors.Is(err, websocket.ErrReadLimit) {
		c.abuse(websocket.CloseMessageTooBig, "") // gorilla leaves it out for sizes that no one could mean
	}
	var hungUp *websocket.CloseError
	switch closed, failed := c.state(); {
	case errors.Is(failed, os.ErrDeadlineExceeded):
		c.stream.End(hub.ReasonSlow)
	case closed && failed == nil && !errors.As(err, &hungUp):
		c.stream.End(hub.ReasonAbusive) // the client broke the protocol, and gorilla has closed
		io.Copy(io.Discard, c.Conn)     // until the grace is over
	}
}

// receive reads one message and answers it if it was wrong.
func (c *conn) receive(r io.Reader) error {
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if problem := c.handle(data); problem != nil {
		c.reply(data, problem)
	}
	return nil
}

// handle does what a client asks for. An error is for the client.
func (c *conn) handle(data []byte) error {
	var request struct {
		Categories *[]string `json:"categories"`
	}
	if err := json.Unmarshal(data, &request); err == nil && request.Categories != nil {
		f, err := transport.ParseCategories(c.handler.acceptor.Hub(), *request.Categories)
		if err != nil {
			return err
		}
		return c.stream.Subscription().SetFilter(f)
	}
	if c.handler.options.OnMessage == nil {
		return errors.New(`only {"categories":["..."]} is understood here`)
	}
	return c.handler.options.OnMessage(c.ctx, &Client{c}, data)
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
	if json.Unmarshal(message, &request) == nil && len(request.Ref) <= longestRef && utf8.Valid(request.Ref) {
		answer.Ref = request.Ref
	}
	c.Write(appendMessage(nil, "", "stream.error", mustJSON(answer))) // if it fails, the next read does
}

// abuse ends the stream of a client that breaks the rules, and tells it how.
func (c *conn) abuse(code int, text string) {
	c.write(appendClose(nil, code, text), true)
	c.stream.End(hub.ReasonAbusive)
}

func (c *conn) onPing(data string) error {
	if !c.limiter.allow(time.Now()) {
		c.abuse(websocket.ClosePolicyViolation, "too many pings")
		return nil
	}
	// If that fails, the connection is closed, and the next read says so.
	c.socket.WriteControl(websocket.PongMessage, []byte(data), time.Now().Add(c.timeout))
	return nil
}

func (c *conn) onPong(string) error {
	if !c.limiter.allow(time.Now()) {
		c.abuse(websocket.ClosePolicyViolation, "too many pongs")
		return nil
	}
	c.answered()
	return nil
}

// A Client is the connection that a message came from. It is valid while the
// connection lives; its methods are safe for concurrent use.
type Client struct{ conn *conn }

// Session returns whose connection it is.
func (c *Client) Session() hub.Session { return c.conn.stream.Subscription().Session() }

var eventName = regexp.MustCompile(`^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$`)

// Send sends {"event":name,"data":data} to this connection alone. It has no id
// and no place among the hub's events: it is an answer, not news. It waits
// while the connection is being written to. The name must be like an event's
// type, so none of "stream."; data is marshalled to JSON.
func (c *Client) Send(name string, data any) error {
	if !eventName.MatchString(name) || strings.HasPrefix(name+".", "stream.") {
		return fmt.Errorf("ws: %.64q is no name for an event: lower case, with dots, and not the stream's own", name)
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
