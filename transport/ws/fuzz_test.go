package ws_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/crier-go/crier/transport/internal/fixture"
	"github.com/crier-go/crier/transport/ws"
)

// Whatever a client sends after its handshake, the server does not panic, hang
// or leave anything behind, and writes whole frames that end with a close
// frame.
func FuzzInbound(f *testing.F) {
	for _, frames := range [][][]byte{
		{text(`{"categories":["notes"],"ref":1}`)},
		{text(`{"categories":["x"],"ref":{}}`), closeFrame(1000, "bye")},
		{frame(opText, "a"), frame(opContinuation, "b"), frame(fin|opPing, "c"), frame(fin|opContinuation, "d")},
		{frame(fin|opPing, strings.Repeat("p", 125)), frame(fin|opPong, "")},
		{frame(fin|opBinary, "x")},
		{frame(fin|rsv1|opText, "x")},
		{{fin | opText, 1, 'x'}},
		{{fin | opText, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4}},
		{text(strings.Repeat("x", 3000)), text("y")},
		{text("half of a frame")[:7]},
		{closeFrame(1005, "\xff")},
		{[]byte("GET / HTTP/1.1\r\n\r\n")},
	} {
		var all []byte
		for _, b := range frames {
			all = append(all, b...)
		}
		f.Add(all)
	}
	echo := func(_ context.Context, c *ws.Client, data []byte) error { return c.Send("echo", string(data)) }
	f.Fuzz(func(t *testing.T, sent []byte) {
		over := ways[[...]string{"plain", "over the reactor"}[len(sent)%2]]
		bubbleOver(t, over, &ws.Options{ReadLimit: 2000, OnMessage: echo}, func(t *testing.T, f *fixture.Fixture, connect func(string) *raw) {
			c := connect("")
			c.want(opening)
			done := make(chan bool)
			go func() {
				defer close(done)
				closed := false
				for {
					op, payload, err := c.receive()
					switch {
					case errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET):
						return
					case err != nil || closed:
						t.Errorf("got %x, %q, %v; after a close: %v", op, payload, err, closed)
						return
					}
					closed = op == opClose
				}
			}()
			c.Write(sent) // fails if it is closed on early
			time.Sleep(3 * time.Second)
			c.CloseWrite()
			<-done
			time.Sleep(time.Second)
			if st := f.Hub.Stats(); len(st.Streams) > 0 {
				t.Errorf("still open: %v", st.Streams)
			}
		})
	})
}
