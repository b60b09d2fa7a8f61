package ws_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/crier-go/crier/transport/internal/fixture"
	"github.com/crier-go/crier/transport/ws"
)

// A message that does not change the filter is passed to the application as it
// came, and the application's answer is sent to this client only.
func TestOnMessage(t *testing.T) {
	answer := func(_ context.Context, c *ws.Client, data []byte) error {
		if c.Session().User != fixture.Alice {
			return errors.New("who is this?")
		}
		return c.Send("echo.sent", map[string]string{"you said": string(data)})
	}
	bubble(t, &ws.Options{OnMessage: answer}, func(t *testing.T, f *fixture.Fixture, connect func(string) *raw) {
		c, other := connect(""), connect("")
		c.want(opening)
		other.want(opening)
		for message, want := range map[string]string{
			`hello`:                  `{"you said":"hello"}`,
			`{"categories":"notes"}`: `{"you said":"{\"categories\":\"notes\"}"}`,
		} {
			c.send(text(message))
			c.want(`{"event":"echo.sent","data":` + want + `}`)
		}
		f.Publish("news")
		other.want(note("news"))
	})
}

// The error is sent to the client, and the connection stays open.
func TestOnMessageErrorIsSentToClient(t *testing.T) {
	refuse := func(context.Context, *ws.Client, []byte) error { return errors.New("not \"now\", \xff\r\n") }
	bubble(t, &ws.Options{OnMessage: refuse}, func(t *testing.T, f *fixture.Fixture, connect func(string) *raw) {
		c := connect("")
		c.want(opening)
		for range 2 {
			c.send(text(`{"ref":"r1"}`))
			c.want(`{"event":"stream.error","data":{"error":"not \"now\", \ufffd\r\n","ref":"r1"}}`)
		}
	})
}

// What must not be sent is an error for the application, and nothing is sent.
func TestClientSendRefusesBadName(t *testing.T) {
	bad := map[string]any{"Bad": 1, "": 1, "a..b": 1, `a","data":1}`: 1, "a\n": 1, "ok": func() {},
		"stream.end": 1, "stream": 1} // the hub's own, which a client relies on
	try := func(_ context.Context, c *ws.Client, _ []byte) error {
		for name, data := range bad {
			if c.Send(name, data) == nil {
				return errors.New("sent " + name)
			}
		}
		return c.Send("ok", 1)
	}
	bubble(t, &ws.Options{OnMessage: try}, func(t *testing.T, f *fixture.Fixture, connect func(string) *raw) {
		c := connect("")
		c.want(opening)
		c.send(text("go"))
		c.want(`{"event":"ok","data":1}`)
	})
}

// The context has the request's values and ends with the connection, not with
// the request. A Client that is kept can be used until then.
func TestOnMessageContext(t *testing.T) {
	type key struct{}
	kept := make(chan *ws.Client, 1)
	done := make(chan time.Time, 1)
	o := &ws.Options{OnMessage: func(ctx context.Context, c *ws.Client, _ []byte) error {
		if ctx.Value(key{}) != "value" || ctx.Err() != nil {
			return errors.New("not the request's values")
		}
		context.AfterFunc(ctx, func() { done <- time.Now() })
		kept <- c
		return nil
	}}
	synctest.Test(t, func(t *testing.T) {
		f := fixture.New(t, nil)
		inner := ws.NewHandler(f.Hub, f.Auth, o)
		c := connectTo(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			inner.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), key{}, "value")))
		}))
		c.want(opening)
		c.send(text("x"))
		time.Sleep(10 * time.Second)
		client := <-kept
		if err := client.Send("still.there", nil); err != nil {
			t.Error(err)
		}
		c.want(`{"event":"still.there","data":null}`)
		closed := time.Now()
		c.Close()
		if at := <-done; at.Sub(closed) > time.Second {
			t.Errorf("the context ended %v after the connection", at.Sub(closed))
		}
		synctest.Wait()
		if err := client.Send("too.late", nil); err == nil {
			t.Error("sent to a connection that is closed")
		}
	})
}

// The context ends with the connection and with the stream while OnMessage
// runs, also if the writer is blocked.
func TestOnMessageContextEndsDuringCall(t *testing.T) {
	stall := func(f *fixture.Fixture) {
		for range 10 {
			f.Publish(strings.Repeat("x", 10_000))
		}
		synctest.Wait()
	}
	revoke := func(f *fixture.Fixture) { f.Hub.RevokeUser(context.Background(), fixture.Alice) }
	for name, end := range map[string]func(f *fixture.Fixture, c *raw){
		"the client hangs up":         func(_ *fixture.Fixture, c *raw) { c.Conn.Close() },
		"it does, having pipelined":   func(_ *fixture.Fixture, c *raw) { c.send(text("y"), text("z")); c.Conn.Close() },
		"it closes its half":          func(_ *fixture.Fixture, c *raw) { c.Conn.CloseWrite() },
		"revoked":                     func(f *fixture.Fixture, _ *raw) { revoke(f) },
		"revoked, and nothing moves":  func(f *fixture.Fixture, _ *raw) { stall(f); revoke(f) },
		"shutdown":                    func(f *fixture.Fixture, _ *raw) { go f.Hub.Shutdown(context.Background()) },
		"shutdown, and nothing moves": func(f *fixture.Fixture, _ *raw) { stall(f); go f.Hub.Shutdown(context.Background()) },
	} {
		t.Run(name, func(t *testing.T) {
			var began, ended time.Time
			calls := 0
			var done chan bool
			o := &ws.Options{OnMessage: func(ctx context.Context, _ *ws.Client, _ []byte) error {
				if calls++; calls == 1 {
					<-ctx.Done()
					ended = time.Now()
					close(done)
				}
				return nil
			}}
			bubble(t, o, func(t *testing.T, f *fixture.Fixture, connect func(string) *raw) {
				calls, done = 0, make(chan bool)
				c := connect("")
				c.want(opening)
				c.send(text("x"))
				time.Sleep(3 * time.Second)
				began = time.Now()
				end(f, c)
				<-done
				if took := ended.Sub(began); took > 0 {
					t.Errorf("the context ended %v later", took)
				}
				time.Sleep(20 * time.Second)
				synctest.Wait()
				if st := f.Hub.Stats(); len(st.Streams) > 0 {
					t.Errorf("still open: %v", st.Streams)
				}
			})
		})
	}
}

// Messages that come while OnMessage runs are passed on after it. The watch
// over the connection loses none of them.
func TestMessagesWaitForSlowOnMessage(t *testing.T) {
	o := &ws.Options{OnMessage: func(_ context.Context, c *ws.Client, data []byte) error {
		time.Sleep(time.Minute)
		return c.Send("done", string(data[:1]))
	}, MessagesPerSecond: 100}
	o.Common.Heartbeat = 25 * time.Second
	bubble(t, o, func(t *testing.T, f *fixture.Fixture, connect func(string) *raw) {
		c := connect("")
		var want []string
		for i := range 20 {
			c.send(text(fmt.Sprintf("%c%s", 'a'+i, strings.Repeat("x", i*20))), frame(fin|opPong, ""))
			want = append(want, fmt.Sprintf(`{"event":"done","data":"%c"}`, 'a'+i))
			time.Sleep(time.Second)
		}
		var got []string
		messages, _ := c.answer(25 * time.Minute)
		for _, m := range messages {
			if strings.Contains(m, "done") {
				got = append(got, m)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %q", got)
		}
	})
}

// After a revocation the application gets no more messages of the session, also
// if the stream's writer is blocked.
func TestOnMessageNotCalledAfterRevocation(t *testing.T) {
	var heard atomic.Int64
	o := &ws.Options{OnMessage: func(context.Context, *ws.Client, []byte) error { heard.Add(1); return nil }}
	bubble(t, o, func(t *testing.T, f *fixture.Fixture, connect func(string) *raw) {
		heard.Store(0)
		c := connect("")
		c.want(opening)
		c.send(text("x"))
		synctest.Wait()
		for range 10 {
			f.Publish(strings.Repeat("x", 10_000)) // unread: the writer hangs
		}
		synctest.Wait()
		f.Hub.RevokeUser(context.Background(), fixture.Alice)
		for range 8 {
			c.send(text("y"))
			time.Sleep(time.Second)
		}
		if n := heard.Load(); n != 1 {
			t.Errorf("%d messages were passed on, %d of them after the revocation", n, n-1)
		}
		time.Sleep(10 * time.Second)
	})
}

// A panic in OnMessage closes its connection and no other.
func TestOnMessagePanicClosesConnection(t *testing.T) {
	o := &ws.Options{OnMessage: func(context.Context, *ws.Client, []byte) error { panic("a bug") }}
	bubble(t, o, func(t *testing.T, f *fixture.Fixture, connect func(string) *raw) {
		c, other := connect(""), connect("")
		c.want(opening)
		other.want(opening)
		c.send(text("x"))
		c.wantClose(1011, "internal error")
		f.Publish("news")
		other.want(note("news"))
		if log := f.Log.String(); !strings.Contains(log, "a bug") || !strings.Contains(log, "onmessage_test.go") {
			t.Errorf("logged: %s", log)
		}
	})
}
