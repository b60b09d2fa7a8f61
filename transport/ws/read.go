package ws

import (
	"compress/flate"
	"encoding/json"
	"errors"
	"io"
	"os"
	"runtime/debug"
	"time"
	"unicode/utf8"

	"github.com/gorilla/websocket"

	"github.com/crier-go/crier/hub"
)

// await waits until the client sends something, and then starts a goroutine to
// read it. So an idle connection has a small stack. (Reading needs one of 4 KiB,
// half of what an idle connection takes.)
func (c *conn) await() {
	c.in.Peek(1) // if it fails, the next read does
	go c.read()
}

// read reads what has come and goes back to waiting. When the connection has
// ended, it releases everything.
func (c *conn) read() {
	if c.messages() {
		go c.await()
		return
	}
	c.onWriteClosed()
	c.Conn.Close()
	c.out.Stop()
	c.stream.Close()
}

// messages reads until nothing more has come, and reports whether the
// connection goes on.
func (c *conn) messages() bool {
	defer c.recover()
	for {
		kind, r, err := c.socket.NextReader()
		if err != nil {
			c.readEnded(err)
			return false
		}
		closed, _ := c.state()
		switch {
		case closed: // read on, for the client's own close frame
		case !c.limiter.allow(time.Now()):
			c.abuse(websocket.ClosePolicyViolation, "too many messages")
		case kind != websocket.TextMessage:
			c.abuse(websocket.CloseUnsupportedData, "binary messages are not understood here")
		default:
			if err := c.receive(r); err != nil {
				c.readEnded(err)
				return false
			}
		}
		if c.in.Buffered() == 0 {
			return true
		}
	}
}

// recover recovers from a panic in OnMessage or OnToken, as net/http does for handlers: only
// this connection ends.
func (c *conn) recover() {
	if r := recover(); r != nil {
		c.handler.acceptor.Options().Logger.Error("crier: panic in OnMessage or OnToken", c.stream.Subscription().LogAttr(), "panic", r, "stack", string(debug.Stack()))
		c.write(appendClose(nil, websocket.CloseInternalServerErr, "internal error"), true)
		c.stream.End(hub.ReasonGone)
		c.discardUntilClose()
	}
}

// readEnded ends the stream after reading has failed, with a better reason than
// that the client is gone where there is one.
func (c *conn) readEnded(err error) {
	switch {
	case errors.Is(err, websocket.ErrReadLimit):
		c.abuse(websocket.CloseMessageTooBig, "") // gorilla sends no close frame for absurd sizes
	case errors.Is(err, errFlood):
		c.abuse(websocket.ClosePolicyViolation, "too many messages") // fragments count as such
	case c.pongMissing():
		c.tryClose(appendClose(nil, websocket.CloseInternalServerErr, "no pong"))
		return
	}
	var hungUp *websocket.CloseError
	switch closed, failed := c.state(); {
	case errors.Is(failed, os.ErrDeadlineExceeded):
		c.stream.End(hub.ReasonSlow)
	case closed && failed == nil && !errors.As(err, &hungUp):
		c.stream.End(hub.ReasonAbusive) // the client broke the protocol, and a close frame has been sent
		c.discardUntilClose()
	}
}

// receive reads one message and handles it. What answers it has been written
// when receive returns, so that nothing overtakes the answer: not a close frame
// for what comes behind the message either.
func (c *conn) receive(r io.Reader) error {
	limit := c.handler.options.ReadLimit
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	var corrupt flate.CorruptInputError
	switch {
	case errors.As(err, &corrupt):
		c.abuse(websocket.CloseInvalidFramePayloadData, "this is not DEFLATE")
		return nil
	case err != nil:
		return err
	case int64(len(data)) > limit: // gorilla has only limited what came compressed
		c.abuse(websocket.CloseMessageTooBig, "")
		return nil
	}
	if !utf8.Valid(data) {
		c.abuse(websocket.CloseInvalidFramePayloadData, "text must be UTF-8")
		return nil
	}
	if problem := c.handle(data); problem != nil {
		c.reply(data, problem)
	}
	c.restartPongDeadline()
	return nil
}

// handle does what a client asks for. An error is for the client.
func (c *conn) handle(data []byte) error {
	if c.ended.Load() {
		return nil // the session may have been revoked
	}
	var request struct {
		Categories *[]string `json:"categories"`
		Topics     *[]string `json:"topics"`
		Token      *string   `json:"token"`
	}
	err := json.Unmarshal(data, &request)
	renews := request.Token != nil && c.handler.options.OnToken != nil
	if err == nil && (request.Categories != nil || request.Topics != nil || renews) {
		if renews {
			if err := c.renew(*request.Token); err != nil {
				return err
			}
		}
		return c.change(request.Categories, request.Topics)
	}
	if c.handler.options.OnMessage == nil {
		return errors.New(`only {"categories":["..."]} and {"topics":["..."]} are understood here`)
	}
	return c.watched(func() error { return c.handler.options.OnMessage(c.ctx, &Client{c}, data) })
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
	const longestRef = 256 // it is sent back as it came
	if json.Unmarshal(message, &request) == nil && len(request.Ref) <= longestRef && utf8.Valid(request.Ref) {
		answer.Ref = request.Ref
	}
	c.Write(appendMessage(nil, "", "stream.error", mustJSON(answer))) // if it fails, the next read does
}

// abuse ends the stream of a client that breaks the protocol or exceeds a limit.
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
	c.ponged()
	return nil
}
