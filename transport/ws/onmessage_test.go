package ws_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/crier-go/crier/transport/internal/fixture"
	"github.com/crier-go/crier/transport/ws"
)

// What is no change of filter reaches the application as it came, and the
// application's answer goes to this client alone.
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
			"\xff":                   `{"you said":"\ufffd"}`, // the application's to check; a frame in any case
		} {
			c.send(text(message))
			c.want(`{"event":"echo.sent","data":` + want + `}`)
		}
		f.Publish("news")
		other.want(note("news"))
	})
}

// An error is the client's to read, and the connection stays.
func TestOnMessageError(t *testing.T) {
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

// What is not to be sent is an error for the application, and nothing is sent.
func TestClientSendRefuses(t *testing.T) {
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
// the request. A Client that is kept outlives neither.
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

// A panic of the application costs the connection that it came from, no more.
func TestMessagePanics(t *testing.T) {
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
