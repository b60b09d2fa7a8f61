package ws_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/transport"
	"github.com/crier-go/crier/transport/internal/fixture"
	"github.com/crier-go/crier/transport/ws"
)

// expiring is the answer of an Authenticator to Alice, for a while from now.
func expiring(in time.Duration) hub.Session {
	return hub.Session{User: fixture.Alice, ID: "laptop", Allowed: hub.Everything(), Expires: time.Now().Add(in)}
}

const inForce = `{"id":"ID","event":"stream.filter","data":{"categories":["notes","alerts"]}}`

// A client prolongs its session with a fresh token. One that is not valid changes
// nothing, and says why.
func TestOnToken(t *testing.T) {
	const refused = `{"event":"stream.error","data":{"error":"this token is not valid for this stream","ref":7}}`
	answer := func(_ context.Context, s hub.Session, token string) (hub.Session, error) {
		if s.User != fixture.Alice || s.ID != "laptop" || s.Expires.IsZero() {
			return s, fmt.Errorf("asked about %v", s)
		}
		switch token {
		case "fresh":
			s = expiring(10 * time.Minute)
			s.Allowed = hub.Categories("alerts") // ignored
		case "endless":
			s.Expires = time.Time{}
		case "bob's":
			s.User = uuid.Max
			s.Expires = time.Time{}
		case "nobody's":
			return hub.Session{}, nil
		case "forbidden":
			return expiring(time.Hour), fmt.Errorf("hunter2: %w", transport.ErrForbidden)
		case "down":
			return expiring(time.Hour), errors.New("the database is away")
		default:
			return expiring(time.Hour), fmt.Errorf("hunter2: %w", transport.ErrUnauthenticated)
		}
		return s, nil
	}
	bubble(t, &ws.Options{OnToken: answer}, func(t *testing.T, f *fixture.Fixture, connect func(string) *raw) {
		f.Authenticate(func(*http.Request) (hub.Session, error) { return expiring(time.Minute), nil })
		c, lazy := connect(""), connect("")
		c.want(opening)
		lazy.want(opening)
		for _, token := range []string{"bob's", "nobody's", "expired", ""} {
			c.send(text(`{"token":"` + token + `","ref":7}`))
			c.want(refused)
		}
		c.send(text(`{"token":"bob's","categories":["notes"],"ref":7}`)) // whole, or not at all
		c.want(refused)
		c.send(text(`{"token":"forbidden"}`))
		c.want(`{"event":"stream.error","data":{"error":"the session of this token may not have this stream"}}`)
		c.send(text(`{"token":"down"}`))
		c.want(`{"event":"stream.error","data":{"error":"the token cannot be checked now: try again later"}}`)
		if log := f.Log.String(); !strings.Contains(log, "the database is away") || strings.Contains(log, "hunter2") {
			t.Errorf("logged: %s", log)
		}
		c.send(text(`{"token":"fresh"}`))
		c.want(inForce)
		f.Publish("1")
		c.want(note("1"))
		lazy.want(note("1"))
		time.Sleep(time.Minute + 5*time.Second)
		if n := f.Ended(hub.ReasonExpired); n != 1 {
			t.Errorf("%d streams have expired, want that of the lazy client", n)
		}
		c.send(text(`{"token":5}`))
		c.want(`{"event":"stream.error","data":{"error":"only {\"categories\":[\"...\"]} and {\"topics\":[\"...\"]} are understood here"}}`)
		c.send(text(`{"token":"fresh","categories":["notes"]}`))
		c.want(`{"id":"ID","event":"stream.filter","data":{"categories":["notes"]}}`)
		time.Sleep(9 * time.Minute)
		if n := f.Ended(hub.ReasonExpired); n != 1 {
			t.Error("ended although it was prolonged")
		}
		time.Sleep(time.Minute + 5*time.Second)
		if n := f.Ended(hub.ReasonExpired); n != 2 {
			t.Error("not ended when the renewed session had expired")
		}
	})
}

// A token of a session that has just expired ends the stream, and nobody waits
// for an answer that does not come.
func TestOnTokenExpired(t *testing.T) {
	o := &ws.Options{OnToken: func(context.Context, hub.Session, string) (hub.Session, error) { return expiring(0), nil }}
	bubble(t, o, func(t *testing.T, f *fixture.Fixture, connect func(string) *raw) {
		c := connect("")
		c.want(opening)
		c.send(text(`{"token":"x"}`))
		messages, code := c.answer(time.Minute)
		if len(messages) != 1 || !strings.Contains(messages[0], `"expired"`) {
			t.Errorf("got %q, closed with %v", messages, code)
		}
		c.Conn.Close()
		time.Sleep(time.Minute)
		synctest.Wait()
		if f.Ended(hub.ReasonExpired) != 1 || len(f.Hub.Stats().Streams) > 0 {
			t.Errorf("%+v", f.Hub.Stats())
		}
	})
}

// OnToken's context ends with the connection and with the stream, and a stream
// that was revoked meanwhile is not brought back.
func TestOnTokenContext(t *testing.T) {
	for name, end := range map[string]func(f *fixture.Fixture, c *raw){
		"hung up": func(_ *fixture.Fixture, c *raw) { c.Conn.Close() },
		"revoked": func(f *fixture.Fixture, _ *raw) { f.Hub.RevokeUser(context.Background(), fixture.Alice) },
	} {
		t.Run(name, func(t *testing.T) {
			done := make(chan bool)
			o := &ws.Options{OnToken: func(ctx context.Context, s hub.Session, _ string) (hub.Session, error) {
				<-ctx.Done()
				close(done)
				return s, nil
			}}
			bubble(t, o, func(t *testing.T, f *fixture.Fixture, connect func(string) *raw) {
				c := connect("")
				c.want(opening)
				c.send(text(`{"token":"x"}`))
				time.Sleep(time.Second)
				end(f, c)
				<-done
				time.Sleep(20 * time.Second)
				synctest.Wait()
				if n := len(f.Hub.Stats().Streams); n > 0 {
					t.Errorf("%d streams are open", n)
				}
			})
		})
	}
}

// Without OnToken, the application gets such a message as it came.
func TestTokenWithoutOnToken(t *testing.T) {
	o := &ws.Options{OnMessage: func(_ context.Context, c *ws.Client, data []byte) error { return c.Send("got", string(data)) }}
	bubble(t, o, func(t *testing.T, f *fixture.Fixture, connect func(string) *raw) {
		c := connect("")
		c.want(opening)
		c.send(text(`{"token":"x"}`))
		c.want(`{"event":"got","data":"{\"token\":\"x\"}"}`)
	})
}
