package ws_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/transport/internal/fixture"
	"github.com/crier-go/crier/transport/ws"
)

// A wrong message is answered with what would be right, and the connection
// stays open.
func TestWrongMessageIsAnswered(t *testing.T) {
	const only = `only {\"categories\":[\"...\"]} and {\"topics\":[\"...\"]} are understood here`
	const valid = `valid categories are: notes, alerts`
	for message, want := range map[string]string{
		``:                                `{"error":"` + only + `"}`,
		`hello`:                           `{"error":"` + only + `"}`,
		`{"categories":["notes"]`:         `{"error":"` + only + `"}`,
		`[]`:                              `{"error":"` + only + `"}`,
		`{"categories":"notes"}`:          `{"error":"` + only + `"}`,
		`{"categories":null}`:             `{"error":"` + only + `"}`,
		`{"ref":"a"}`:                     `{"error":"` + only + `","ref":"a"}`,
		`{"categories":[]}`:               `{"error":"no category; ` + valid + `"}`,
		`{"categories":[""]}`:             `{"error":"an empty category; ` + valid + `"}`,
		`{"categories":["notes","x"]}`:    `{"error":"unknown category; ` + valid + `"}`,
		`{"categories":["x"],"ref":7}`:    `{"error":"unknown category; ` + valid + `","ref":7}`,
		`{"ref":{"a":[1, 2]},"x":"</a>"}`: `{"error":"` + only + `","ref":{"a":[1,2]}}`,
		// What comes back is the client's own, but still has to be a frame.
		`{"ref":"` + strings.Repeat("r", 300) + `"}`: `{"error":"` + only + `"}`,
	} {
		t.Run(fmt.Sprintf("%.30q", message), func(t *testing.T) {
			bubble(t, nil, func(t *testing.T, f *fixture.Fixture, connect func(string) *raw) {
				c := connect("")
				c.want(opening)
				c.send(text(message))
				c.want(`{"event":"stream.error","data":` + want + `}`)
				f.Publish("still here")
				c.want(note("still here"))
			})
		})
	}
}

func TestClientChangesFilter(t *testing.T) {
	bubble(t, nil, func(t *testing.T, f *fixture.Fixture, connect func(string) *raw) {
		c := connect("?categories=alerts")
		c.want(opening)
		f.Publish("unwanted")
		f.Alert("wanted")
		c.want(`{"id":"ID","event":"alert.raised","data":"wanted"}`)
		c.send(text(`{"categories":["notes","notes"],"ref":1}`))
		c.want(`{"id":"ID","event":"stream.filter","data":{"categories":["notes"],"ref":1}}`)
		f.Alert("unwanted now")
		f.Publish("wanted now")
		c.want(note("wanted now"))
	})
}

// A message may come in fragments, with control frames between them.
func TestFragmentedMessageIsJoined(t *testing.T) {
	echo := func(_ context.Context, c *ws.Client, data []byte) error { return c.Send("echo", string(data)) }
	bubble(t, &ws.Options{OnMessage: echo}, func(t *testing.T, f *fixture.Fixture, connect func(string) *raw) {
		c := connect("")
		c.want(opening)
		c.send(
			frame(opText, "a€"[:2]),
			frame(opContinuation, ""),
			frame(fin|opPing, "in between"),
			frame(fin|opContinuation, "a€"[2:]),
			text(""),
		)
		if op, payload, err := c.receive(); op != opPong || payload != "in between" || err != nil {
			t.Errorf("got %x, %q, %v; want a pong", op, payload, err)
		}
		c.want(`{"event":"echo","data":"a€"}`)
		c.want(`{"event":"echo","data":""}`)
	})
}

// Large fragments do not count as messages. Options.ReadLimit bounds them.
func TestLargeFragmentsAreOneMessage(t *testing.T) {
	got := make(chan int, 1)
	o := &ws.Options{MessageBurst: 3, MessagesPerSecond: 1, OnMessage: func(_ context.Context, _ *ws.Client, data []byte) error {
		got <- len(data)
		return nil
	}}
	bubble(t, o, func(t *testing.T, f *fixture.Fixture, connect func(string) *raw) {
		c := connect("")
		kilobyte := strings.Repeat("x", 1<<10)
		c.send(frame(opText, kilobyte))
		for range 50 {
			c.send(frame(opContinuation, kilobyte))
		}
		c.send(frame(fin|opContinuation, kilobyte))
		if n := <-got; n != 52<<10 {
			t.Errorf("got %d bytes", n)
		}
	})
}

// A message is answered before the frame behind it closes the connection.
func TestAnswerComesBeforeClose(t *testing.T) {
	echo := func(_ context.Context, c *ws.Client, data []byte) error {
		if string(data) == "wrong" {
			return errors.New("wrong")
		}
		return c.Send("echo", string(data))
	}
	for message, answer := range map[string]string{
		`{"categories":["notes"]}`: `{"id":"ID","event":"stream.filter","data":{"categories":["notes"]}}`,
		`hello`:                    `{"event":"echo","data":"hello"}`,
		`wrong`:                    `{"event":"stream.error","data":{"error":"wrong"}}`,
	} {
		for name, behind := range map[string][]byte{
			"protocol error": frame(fin|0x3, "x"),
			"binary":         frame(fin|opBinary, "x"),
			"close":          closeFrame(1000, ""),
		} {
			t.Run(message+" "+name, func(t *testing.T) {
				bubble(t, &ws.Options{OnMessage: echo}, func(t *testing.T, f *fixture.Fixture, connect func(string) *raw) {
					c := connect("")
					c.want(opening)
					c.send(append(text(message), behind...)) // in one segment
					c.want(answer)
					if op, _, err := c.receive(); op != opClose || err != nil {
						t.Errorf("got %x, %v; want a close frame", op, err)
					}
				})
			})
		}
	}
}

// A change of filter whose answer cannot be written does not block the end of
// the connection.
func TestFilterOfStalledClient(t *testing.T) {
	bubble(t, nil, func(t *testing.T, f *fixture.Fixture, connect func(string) *raw) {
		c := connect("")
		c.want(opening)
		for range 10 {
			f.Publish(strings.Repeat("x", 10_000)) // unread
		}
		c.send(text(`{"categories":["notes"]}`))
		time.Sleep(15 * time.Second)
		synctest.Wait()
		if f.Ended(hub.ReasonSlow) != 1 || len(f.Hub.Stats().Streams) != 0 {
			t.Errorf("got %+v", f.Hub.Stats())
		}
	})
}

// A client that breaks the protocol or a limit gets a close frame with the code
// for it.
func TestProtocolViolationClosesWithCode(t *testing.T) {
	const protocolError = 1002
	many := func(n int, f []byte) (frames [][]byte) {
		for range n {
			frames = append(frames, f)
		}
		return frames
	}
	for name, c := range map[string]struct {
		frames [][]byte
		code   int
		reason string // checked where it is this package's own
	}{
		"text that is not UTF-8":    {[][]byte{text("a\xff")}, 1007, "text must be UTF-8"},
		"that in pieces":            {[][]byte{frame(opText, "€"[:2]), frame(fin|opContinuation, "x")}, 1007, "text must be UTF-8"},
		"endless empty fragments":   {append(many(1, frame(opText, "")), many(12, frame(opContinuation, ""))...), 1008, "too many messages"},
		"endless small fragments":   {append(many(1, frame(opText, "")), many(12, frame(opContinuation, "x"))...), 1008, "too many messages"},
		"binary":                    {[][]byte{frame(fin|opBinary, "x")}, 1003, "binary messages are not understood here"},
		"over the read limit":       {[][]byte{text(strings.Repeat("x", 1001))}, 1009, ""},
		"over it in pieces":         {[][]byte{frame(opText, strings.Repeat("x", 600)), frame(fin|opContinuation, strings.Repeat("x", 600))}, 1009, ""},
		"a size of 2^62":            {[][]byte{{fin | opText, 0xff, 0x40, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4}}, 1009, ""},
		"a size of 2^63":            {[][]byte{{fin | opText, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4}}, 1009, ""},
		"too many messages":         {many(11, text("x")), 1008, "too many messages"},
		"too many pings":            {many(11, frame(fin|opPing, "x")), 1008, "too many pings"},
		"too many pongs":            {many(11, frame(fin|opPong, "x")), 1008, "too many pongs"},
		"compressed":                {[][]byte{frame(fin|rsv1|opText, "x")}, protocolError, ""},
		"not masked":                {[][]byte{{fin | opText, 1, 'x'}}, protocolError, ""},
		"unknown opcode":            {[][]byte{frame(fin|0x3, "x")}, protocolError, ""},
		"continuation of nothing":   {[][]byte{frame(fin|opContinuation, "x")}, protocolError, ""},
		"a message within another":  {[][]byte{frame(opText, "x"), text("y")}, protocolError, ""},
		"a ping in pieces":          {[][]byte{frame(opPing, "x")}, protocolError, ""},
		"a ping of 126 bytes":       {[][]byte{frame(fin|opPing, strings.Repeat("x", 126))}, protocolError, ""},
		"close with a wrong code":   {[][]byte{closeFrame(1005, "")}, protocolError, ""},
		"close with text not UTF-8": {[][]byte{closeFrame(1000, "\xff")}, protocolError, ""},
	} {
		t.Run(name, func(t *testing.T) {
			silent := func(context.Context, *ws.Client, []byte) error { return nil }
			o := &ws.Options{ReadLimit: 1000, MessageBurst: 10, MessagesPerSecond: 1, OnMessage: silent}
			bubble(t, o, func(t *testing.T, f *fixture.Fixture, connect func(string) *raw) {
				client := connect("")
				client.want(opening)
				began := time.Now()
				client.send(c.frames...)
				client.skipPongs()
				if last := c.frames[len(c.frames)-1]; last[0]&0xf == opClose {
					client.wantCloseFrame(c.code, c.reason) // the client has sent its own
					client.wantNothing()
				} else {
					client.wantClose(c.code, c.reason)
				}
				if took := time.Since(began); took > 0 && !strings.HasPrefix(name, "a size of") {
					t.Errorf("the connection was closed %v after both close frames", took)
				}
				synctest.Wait()
				if got := f.Hub.Stats().Ended; got[hub.ReasonAbusive] != 1 {
					t.Errorf("ended: %v; want one as abusive", got)
				}
			})
		})
	}
}

// After a close frame the client may send anything, and nothing more is sent to
// it.
func TestNothingIsSentAfterClose(t *testing.T) {
	bubble(t, nil, func(t *testing.T, f *fixture.Fixture, connect func(string) *raw) {
		c := connect("")
		c.want(opening)
		c.send(frame(fin|opBinary, "x"))
		synctest.Wait()
		f.Publish("too late")
		c.send(frame(fin|opPing, "x"), text(`{"categories":["x"]}`), frame(fin|opBinary, "x"), text("x"))
		synctest.Wait()
		c.wantClose(1003, "binary messages are not understood here")
	})
}

// The server answers a client's close frame with the same code and closes the
// connection.
func TestClientCloseIsAnswered(t *testing.T) {
	for name, c := range map[string]struct {
		frame  []byte
		answer string
	}{
		"normally":       {closeFrame(1000, "bye"), "\x03\xe8"},
		"going away":     {closeFrame(1001, ""), "\x03\xe9"},
		"own code":       {closeFrame(4321, ""), "\x10\xe1"},
		"without a code": {frame(fin|opClose, ""), ""},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, nil, func(t *testing.T, f *fixture.Fixture, connect func(string) *raw) {
				client := connect("")
				client.want(opening)
				began := time.Now()
				client.send(c.frame)
				if op, payload, err := client.receive(); op != opClose || payload != c.answer || err != nil {
					t.Errorf("got %x, %q, %v; want a close with %q", op, payload, err, c.answer)
				}
				client.wantNothing()
				synctest.Wait()
				if took := time.Since(began); took > 0 {
					t.Errorf("took %v", took)
				}
				if f.Ended(hub.ReasonGone) != 1 {
					t.Errorf("ended: %v; want one as gone", f.Hub.Stats().Ended)
				}
			})
		})
	}
}

// If the client does not answer a close frame, the server reads on for a
// second: closing the connection with unread bytes could destroy what the
// client has yet to read.
func TestCloseGraceWithoutAnswer(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(f *fixture.Fixture, c *raw)
		code int
	}{
		"revoked":          {func(f *fixture.Fixture, _ *raw) { f.Hub.RevokeUser(context.Background(), fixture.Alice) }, 1008},
		"abusive":          {func(_ *fixture.Fixture, c *raw) { c.send(frame(fin|opBinary, "x")) }, 1003},
		"protocol error":   {func(_ *fixture.Fixture, c *raw) { c.send(frame(fin|0x3, "x")) }, 1002},
		"over a limit":     {func(_ *fixture.Fixture, c *raw) { c.send(text(strings.Repeat("x", 100<<10))[:8<<10]) }, 1009},
		"goes on talking":  {func(f *fixture.Fixture, c *raw) { f.Hub.RevokeUser(context.Background(), fixture.Alice); chatter(c) }, 1008},
		"abusive, chatter": {func(_ *fixture.Fixture, c *raw) { c.send(frame(fin|opBinary, "x")); chatter(c) }, 1003},
		"pongs late": {func(f *fixture.Fixture, c *raw) {
			f.Hub.RevokeUser(context.Background(), fixture.Alice)
			synctest.Wait()
			c.send(frame(fin|opPong, ""))
		}, 1008},
		"owes a pong, chatter": {func(f *fixture.Fixture, c *raw) {
			for op := byte(0); op != opPing; {
				op, _, _ = c.receive()
			}
			f.Hub.RevokeUser(context.Background(), fixture.Alice)
			chatter(c)
		}, 1008},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, nil, func(t *testing.T, f *fixture.Fixture, connect func(string) *raw) {
				client := connect("")
				client.want(opening)
				c.end(f, client)
				began := time.Now()
				for {
					op, payload, err := client.receive()
					if err != nil {
						t.Fatal(err)
					}
					if op == opClose {
						if got := int(payload[0])<<8 | int(payload[1]); got != c.code {
							t.Errorf("closed with %d, want %d", got, c.code)
						}
						break
					}
				}
				client.wantNothing()
				if took := time.Since(began); took != time.Second {
					t.Errorf("closed the connection after %v; want 1s", took)
				}
				time.Sleep(time.Second) // for chatter to notice
			})
		})
	}
}

// chatter sends a message every 130 ms until that fails.
func chatter(c *raw) {
	go func() {
		for {
			time.Sleep(130 * time.Millisecond)
			if _, err := c.Write(text("and another thing")); err != nil {
				return
			}
		}
	}()
}

// The limit is an average: a client that keeps to it can go on for ever.
func TestMessageRateLimit(t *testing.T) {
	silent := func(context.Context, *ws.Client, []byte) error { return nil }
	o := &ws.Options{MessageBurst: 3, MessagesPerSecond: 2, OnMessage: silent}
	bubble(t, o, func(t *testing.T, f *fixture.Fixture, connect func(string) *raw) {
		c := connect("")
		c.want(opening)
		for range 100 {
			time.Sleep(500 * time.Millisecond)
			c.send(text("x"))
		}
		time.Sleep(30 * time.Minute) // does not add up to more than the burst
		c.send(text("1"), text("2"), text("3"))
		synctest.Wait()
		f.Publish("still here")
		c.want(note("still here"))
		c.send(text("4"))
		c.wantClose(1008, "too many messages")
	})
}
