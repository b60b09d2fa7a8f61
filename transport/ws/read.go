package ws

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"os"
	"runtime/debug"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/transport/internal/deflate"
	"github.com/crier-go/crier/transport/internal/reactor"
)

// A readBuffer is what is read into. A connection has one only while something
// comes, or while it waits for the rest of a message.
type readBuffer [4 << 10]byte

var readBuffers = sync.Pool{New: func() any { return new(readBuffer) }}

// await lets respond be called when the client has sent something. If the reactor
// has the connection, nothing of it runs meanwhile. Otherwise a goroutine waits. It
// is a new one because reading needs a stack of 4 KiB, and a small buffer does,
// since most clients send pongs and nothing else.
func (c *conn) await() {
	if owned, ok := c.net.(reactor.Conn); ok {
		owned.Await(c.respond)
		return
	}
	go func() {
		first := make([]byte, 64)
		n, err := c.read(first)
		go c.respondTo(first[:n], err)
	}()
}

// respond reads what has come and handles it, and goes back to waiting.
func (c *conn) respond() { c.respondTo(nil, nil) }

// respondTo is respond after something has been read, with an error or without.
func (c *conn) respondTo(first []byte, err error) {
	owned, _ := c.net.(reactor.Conn)
	goesOn := c.received(first)
	buf := readBuffers.Get().(*readBuffer)
	for goesOn && err == nil {
		var n int
		switch {
		case owned != nil:
			n, err = c.readBy(owned.TryRead, buf[:])
		case c.parser.between():
			err = reactor.ErrNotReady // to read could block
		default:
			n, err = c.read(buf[:])
		}
		goesOn = c.received(buf[:n])
	}
	readBuffers.Put(buf)
	if goesOn && err == reactor.ErrNotReady {
		c.await()
		return
	}
	if goesOn {
		c.readFailed()
	}
	c.onWriteClosed()
	c.net.Close()
	c.out.Stop()
	c.stream.Close()
}

// received handles what has been read, and reports whether to read on.
func (c *conn) received(b []byte) (goesOn bool) {
	for {
		closed, _ := c.state()
		if closed { // read on, for the client's own close frame
			c.parser.skim()
		}
		m, rest, ok, err := c.parser.next(b, c.handler.options.ReadLimit)
		b = rest
		for ; c.parser.small > 0; c.parser.small-- {
			if !closed && !c.allow() {
				c.abuse(closePolicy, "too many messages")
				ok = false
			}
		}
		switch {
		case err != nil:
			c.violated(err)
		case ok && m.opcode == opClose:
			c.closedBy(m)
			return false
		case ok:
			c.respondToMessage(m)
		case len(c.ahead) > 0: // read while a message before was handled
			b, c.ahead = c.ahead, nil
		case len(b) == 0:
			return true
		}
	}
}

// readFailed ends the stream after reading has failed, with a better reason than
// that the client is gone where there is one.
func (c *conn) readFailed() {
	if c.pongMissing() {
		c.tryClose(appendClose(nil, closeInternalError, "no pong"))
		return
	}
	if _, err := c.state(); errors.Is(err, os.ErrDeadlineExceeded) {
		c.stream.End(hub.ReasonSlow)
	}
}

// violated ends the stream of a client whose frames cannot be parsed.
func (c *conn) violated(err error) {
	if errors.Is(err, errReadLimit) {
		c.abuse(closeTooBig, "")
		return
	}
	c.abuse(closeProtocolError, err.Error())
}

// closedBy answers the client's close frame.
func (c *conn) closedBy(m message) {
	code, text := 0, []byte(nil)
	if len(m.payload) >= 2 {
		code, text = int(binary.BigEndian.Uint16(m.payload)), m.payload[2:]
	}
	switch {
	case len(m.payload) > 0 && !validCloseCode(code):
		c.abuse(closeProtocolError, "a close frame with a wrong code")
	case !utf8.Valid(text):
		c.abuse(closeProtocolError, "a close frame with text that is not UTF-8")
	case len(m.payload) == 0:
		c.write(appendHeader(nil, opClose, 0), true)
	default:
		c.write(appendClose(nil, code, ""), true)
	}
}

// validCloseCode reports whether a client may send a code (RFC 6455, section
// 7.4, and the IANA registry).
func validCloseCode(code int) bool {
	switch code {
	case 1004, 1005, 1006:
		return false
	}
	return code >= 1000 && code <= 1014 || code >= 3000 && code <= 4999
}

// respondToMessage handles a message or a control frame. What answers it has been
// written when it returns, so that nothing overtakes the answer: not a close frame
// for what comes behind the message either.
func (c *conn) respondToMessage(m message) {
	defer c.recover()
	switch {
	case !c.allow():
		c.abuse(closePolicy, tooMany[m.opcode])
	case m.opcode == opPing:
		c.write(append(appendHeader(nil, opPong, uint64(len(m.payload))), m.payload...), false) // if it fails, the next read does
	case m.opcode == opPong:
		c.ponged()
	case m.opcode != opText:
		c.abuse(closeUnsupported, "binary messages are not understood here")
	default:
		c.respondToText(m)
		c.restartPongDeadline()
	}
}

// respondToText handles a text message.
func (c *conn) respondToText(m message) {
	text := m.payload
	if m.compressed {
		var err error
		switch text, err = deflate.Inflate(text, c.handler.options.ReadLimit); {
		case errors.Is(err, deflate.ErrTooLong):
			c.abuse(closeTooBig, "")
			return
		case err != nil:
			c.abuse(closeInvalidPayload, "this is not DEFLATE")
			return
		}
	}
	if !utf8.Valid(text) {
		c.abuse(closeInvalidPayload, "text must be UTF-8")
	} else if problem := c.handle(text); problem != nil {
		c.reply(text, problem)
	}
}

// tooMany has the texts for clients that exceed the limit on messages.
var tooMany = map[byte]string{
	opText:   "too many messages",
	opBinary: "too many messages",
	opPing:   "too many pings",
	opPong:   "too many pongs",
}

// allow reports whether the client keeps to the limit on messages.
func (c *conn) allow() bool {
	o := &c.handler.options
	return c.limiter.allow(time.Since(c.handler.began), o.MessagesPerSecond, o.MessageBurst)
}

// recover recovers from a panic in OnMessage or OnToken, as net/http does for
// handlers: only this connection ends.
func (c *conn) recover() {
	if r := recover(); r != nil {
		c.handler.acceptor.Options().Logger.Error("crier: panic in OnMessage or OnToken", c.stream.Subscription().LogAttr(), "panic", r, "stack", string(debug.Stack()))
		c.write(appendClose(nil, closeInternalError, "internal error"), true)
		c.stream.End(hub.ReasonGone)
	}
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
		return c.change(request.Categories, request.Topics, refOf(data))
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
	}{problem.Error(), refOf(message)}
	c.Write(appendMessage(nil, "", "stream.error", mustJSON(answer))) // if it fails, the next read does
}

// refOf returns the ref of a message, which its answer has, too, as it came. It
// returns nil if the message has none, or one that is too long.
func refOf(message []byte) json.RawMessage {
	const longest = 256
	var request struct {
		Ref json.RawMessage `json:"ref"`
	}
	if json.Unmarshal(message, &request) != nil || len(request.Ref) > longest || !utf8.Valid(request.Ref) {
		return nil
	}
	return request.Ref
}

// abuse ends the stream of a client that breaks the protocol or exceeds a limit.
func (c *conn) abuse(code int, text string) {
	c.write(appendClose(nil, code, text), true)
	c.stream.End(hub.ReasonAbusive)
}
