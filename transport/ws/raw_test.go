package ws_test

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"testing"
	"testing/synctest"
	"time"

	"github.com/crier-go/crier/internal/memnet"
	"github.com/crier-go/crier/transport"
	"github.com/crier-go/crier/transport/internal/fixture"
	"github.com/crier-go/crier/transport/ws"
)

// The opcodes of RFC 6455, section 5.2.
const (
	opContinuation = 0x0
	opText         = 0x1
	opBinary       = 0x2
	opClose        = 0x8
	opPing         = 0x9
	opPong         = 0xA

	fin  = 0x80
	rsv1 = 0x40 // a compressed message, where that was agreed on
)

// A raw client speaks frames, and shares no code with the server.
type raw struct {
	t testing.TB
	*memnet.Conn
	reader *bufio.Reader
}

// ways are how the handler finds the connection: as it comes, and as if the
// reactor had taken it.
var ways = map[string]func(http.Handler) http.Handler{
	"plain":            func(h http.Handler) http.Handler { return h },
	"over the reactor": memnet.OverReactor,
}

// A bubble runs a test, in each way, with a server and a function that connects
// to it.
func bubble(t *testing.T, o *ws.Options, test func(t *testing.T, f *fixture.Fixture, connect func(query string) *raw)) {
	for name, over := range ways {
		t.Run(name, func(t *testing.T) { bubbleOver(t, over, o, test) })
	}
}

func bubbleOver(t *testing.T, over func(http.Handler) http.Handler, o *ws.Options, test func(t *testing.T, f *fixture.Fixture, connect func(query string) *raw)) {
	synctest.Test(t, func(t *testing.T) {
		f := fixture.New(t, nil)
		var options ws.Options
		if o != nil {
			options = *o
		}
		options.Common.Logger = f.Logger()
		if options.Common.Heartbeat == 0 {
			options.Common.Heartbeat = time.Hour
		}
		server := memnet.Serve(t, over(ws.NewHandler(f.Hub, f.Auth, &options)))
		test(t, f, func(query string) *raw {
			t.Helper()
			return connect(t, server, query)
		})
	})
}

// connectTo opens a WebSocket to a handler of its own.
func connectTo(t testing.TB, handler http.Handler) *raw {
	t.Helper()
	return connect(t, memnet.Serve(t, handler), "")
}

// connect opens a WebSocket. The opening cursor is the first frame.
func connect(t testing.TB, server *memnet.Server, query string) *raw {
	t.Helper()
	c := &raw{t: t, Conn: server.Dial()}
	c.reader = bufio.NewReader(c.Conn)
	r := fixture.Upgrade(fixture.Request("/" + query))
	fixture.Send(t, c, r)
	resp, err := http.ReadResponse(c.reader, r)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("got %s", resp.Status)
	}
	return c
}

// frame returns a masked frame, as clients must send them.
func frame(first byte, payload string) []byte { return fixture.ClientFrame(first, payload) }

// send sends frames, one after the other.
func (c *raw) send(frames ...[]byte) {
	c.t.Helper()
	for _, f := range frames {
		if _, err := c.Write(f); err != nil {
			c.t.Fatal(err)
		}
	}
}

func text(s string) []byte { return frame(fin|opText, s) }

func closeFrame(code uint16, reason string) []byte {
	return frame(fin|opClose, string(binary.BigEndian.AppendUint16(nil, code))+reason)
}

// receive reads the next frame, which must be whole and as servers send them.
func (c *raw) receive() (opcode byte, payload string, err error) {
	var head [2]byte
	if _, err := io.ReadFull(c.reader, head[:]); err != nil {
		return 0, "", err
	}
	if head[0]&0xf0 != fin || head[1]&0x80 != 0 {
		return 0, "", fmt.Errorf("a frame begins with %x: it must be final, unmasked and without extensions", head)
	}
	size := uint64(head[1])
	if size >= 126 {
		extended := make([]byte, map[uint64]int{126: 2, 127: 8}[size])
		if _, err := io.ReadFull(c.reader, extended); err != nil {
			return 0, "", err
		}
		least := map[uint64]uint64{126: 126, 127: 1 << 16}[size]
		if size = binary.BigEndian.Uint64(append(make([]byte, 8-len(extended)), extended...)); size < least {
			return 0, "", errors.New("a length is not in its shortest form")
		}
	}
	b := make([]byte, size)
	_, err = io.ReadFull(c.reader, b)
	return head[0] & 0xf, string(b), err
}

// ids are replaced where they do not matter.
var anyID = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

// want reads a text message, in which ids are replaced by "ID".
func (c *raw) want(message string) {
	c.t.Helper()
	op, got, err := c.receive()
	if got = anyID.ReplaceAllString(got, "ID"); err != nil || op != opText || got != message {
		c.t.Fatalf("got opcode %x, %.200q, %v\nwant %s", op, got, err, message)
	}
}

const opening = `{"id":"ID","event":"stream.cursor","data":{"retry":3000}}`

func note(text string) string {
	return fmt.Sprintf(`{"id":"ID","event":"note.added","data":%q}`, text)
}

// wantClose reads a close frame, answers it, and checks that nothing follows.
func (c *raw) wantClose(code int, reason string) {
	c.t.Helper()
	c.wantCloseFrame(code, reason)
	c.Write(closeFrame(uint16(code), ""))
	c.wantNothing()
}

func (c *raw) wantCloseFrame(code int, reason string) {
	c.t.Helper()
	op, payload, err := c.receive()
	if err != nil || op != opClose || len(payload) < 2 {
		c.t.Fatalf("got opcode %x, %.200q, %v; want a close frame", op, payload, err)
	}
	got := int(binary.BigEndian.Uint16([]byte(payload)))
	if got != code || reason != "" && payload[2:] != reason {
		c.t.Errorf("closed with %d %q; want %d %q", got, payload[2:], code, reason)
	}
}

// skipPongs reads up to the first frame that is no pong.
func (c *raw) skipPongs() {
	c.t.Helper()
	for {
		b, err := c.reader.Peek(1)
		if err != nil {
			c.t.Fatal(err)
		}
		if b[0] != fin|opPong {
			return
		}
		c.receive()
	}
}

// wantNothing checks that the connection is closed and nothing comes before.
func (c *raw) wantNothing() {
	c.t.Helper()
	if b, err := io.ReadAll(c.reader); err != nil || len(b) > 0 {
		c.t.Errorf("the connection must just end; got %q, %v", b, err)
	}
}

func options(o transport.Options) *ws.Options { return &ws.Options{Common: o} }
