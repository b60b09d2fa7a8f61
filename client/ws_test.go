package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"github.com/crier-go/crier/client"
	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/internal/memnet"
)

// A wsStep answers one attempt to open a WebSocket.
type wsStep func(w http.ResponseWriter, r *http.Request)

// socket upgrades and then does something with the connection, which is closed
// without a goodbye afterwards.
func socket(do func(c *websocket.Conn)) wsStep {
	return func(w http.ResponseWriter, r *http.Request) {
		c, err := (&websocket.Upgrader{}).Upgrade(w, r, nil)
		if err != nil {
			panic(err)
		}
		defer c.Close()
		do(c)
	}
}

const wsOpening = `{"id":"c0","event":"stream.cursor","data":{"retry":3000}}`

func text(c *websocket.Conn, messages ...string) {
	for _, m := range messages {
		c.WriteMessage(websocket.TextMessage, []byte(m))
	}
}

func goodbye(c *websocket.Conn, code int) {
	c.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, ""), time.Time{})
	c.ReadMessage()
}

// untilClosed reads until the client hangs up, and returns what it said.
func untilClosed(c *websocket.Conn) (messages []string) {
	for {
		_, m, err := c.ReadMessage()
		if err != nil {
			return messages
		}
		messages = append(messages, string(m))
	}
}

// A wsServer answers attempts by a script, the last step of which is repeated.
type wsServer struct {
	*memnet.Server
	mu       sync.Mutex
	attempts []attempt
}

func serveWS(t *testing.T, script ...wsStep) *wsServer {
	s := &wsServer{}
	s.Server = memnet.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		next := script[min(len(s.attempts), len(script)-1)]
		q := r.URL.Query()
		s.attempts = append(s.attempts, attempt{time.Now(), q.Get("last_event_id"), r.Header.Get("Authorization"), q.Get("categories"), q.Get("topics")})
		s.mu.Unlock()
		next(w, r)
	}))
	return s
}

func (s *wsServer) dial(t *testing.T, ctx context.Context, o client.Options) (*client.Stream, error) {
	o.Dialer = &websocket.Dialer{NetDialContext: func(context.Context, string, string) (net.Conn, error) { return s.Server.Dial(), nil }}
	stream, err := client.Dial(ctx, "ws://app.example.com/ws?v=1", &o)
	if stream != nil {
		t.Cleanup(func() { stream.Close() })
	}
	return stream, err
}

// How the ends of WebSockets are taken, as servers of both versions say them.
func TestWSReconnect(t *testing.T) {
	end := socket(func(c *websocket.Conn) { text(c, wsOpening, `{"id":"end","event":"x","data":1}`); untilClosed(c) })
	shed := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(503)
	}
	ended := func(reason string, retry, code int) wsStep {
		return socket(func(c *websocket.Conn) {
			text(c, wsOpening, fmt.Sprintf(`{"id":"c1","event":"stream.end","data":{"reason":%q,"retry":%d}}`, reason, retry))
			goodbye(c, code)
		})
	}
	for name, c := range map[string]struct {
		first  wsStep
		pause  bound
		resume string
		told   string
	}{
		"shutdown, 1012": {ended("shutdown", 5000, 1012), seconds(5, 6.25), "c1", "the server ended the stream: shutdown"},
		"shutdown, 1001": {ended("shutdown", 5000, 1001), seconds(5, 6.25), "c1", "the server ended the stream: shutdown"},
		"slow, 1000":     {ended("slow", 3000, 1000), seconds(3, 3.75), "c1", "slow"},
		"overloaded, upgraded": {socket(func(c *websocket.Conn) {
			text(c, `{"event":"stream.end","data":{"reason":"overloaded","retry":40000}}`)
			goodbye(c, 1013)
		}), seconds(40, 50), "", "overloaded"},
		"overloaded, not upgraded": {shed, seconds(7, 8.75), "", "503"},
		"1012 alone":               {socket(func(c *websocket.Conn) { text(c, wsOpening); goodbye(c, 1012) }), seconds(3, 3.75), "c0", "close 1012"},
		"1011 at once":             {socket(func(c *websocket.Conn) { goodbye(c, 1011) }), seconds(.5, 2), "", "close 1011"},
		"cut":                      {socket(func(c *websocket.Conn) { text(c, wsOpening) }), seconds(3, 3.75), "c0", "EOF"},
		"cut in the middle of a message": {socket(func(c *websocket.Conn) {
			text(c, wsOpening)
			c.NetConn().Write([]byte("\x81\x30" + `{"id":"1","event":`))
		}), seconds(3, 3.75), "c0", "EOF"},
		"silence": {socket(func(c *websocket.Conn) { text(c, wsOpening); untilClosed(c) }), seconds(40.5, 41.25), "c0", "silent"},
		"silence after the end": {socket(func(c *websocket.Conn) {
			text(c, wsOpening, `{"event":"stream.end","data":{"reason":"slow"}}`)
			untilClosed(c)
		}), seconds(4, 4.75), "c0", "slow"},
		"pings break silence": {socket(func(c *websocket.Conn) {
			text(c, wsOpening)
			go untilClosed(c)
			for range 3 {
				time.Sleep(30 * time.Second)
				c.WriteControl(websocket.PingMessage, []byte("x"), time.Time{})
			}
		}), seconds(93, 93.75), "c0", ""},
		"not JSON": {socket(func(c *websocket.Conn) { text(c, wsOpening, `hello`); untilClosed(c) }), seconds(3, 3.75), "c0", "not of Crier's protocol"},
		"no event": {socket(func(c *websocket.Conn) { text(c, wsOpening, `{"id":"x"}`); untilClosed(c) }), seconds(3, 3.75), "c0", "not of Crier's protocol"},
		"binary": {socket(func(c *websocket.Conn) {
			text(c, wsOpening)
			c.WriteMessage(websocket.BinaryMessage, nil)
			untilClosed(c)
		}), seconds(3, 3.75), "c0", "binary"},
		"retry is no number": {socket(func(c *websocket.Conn) {
			text(c, `{"id":"c0","event":"stream.cursor","data":{"retry":"x"}}`)
			goodbye(c, 1000)
		}), seconds(.5, 1), "c0", "close 1000"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := serveWS(t, c.first, end)
				var told []error
				stream, err := s.dial(t, t.Context(), client.Options{
					Heartbeat: 25 * time.Second,
					OnRetry:   func(err error, _ time.Duration) { told = append(told, err) },
				})
				if err != nil {
					t.Fatal(err)
				}
				if events, err := collect(stream, 1); err != nil || !slices.Equal(events, []string{"end x 1"}) {
					t.Fatalf("got %q, %v", events, err)
				}
				if len(told) != 1 || !strings.Contains(told[0].Error(), c.told) {
					t.Errorf("OnRetry got %v, want %s", told, c.told)
				}
				if p := s.attempts[1].at.Sub(s.attempts[0].at); p < c.pause.min || p > c.pause.max {
					t.Errorf("came back after %v, want %v to %v", p, c.pause.min, c.pause.max)
				}
				if got := s.attempts[1].lastID; got != c.resume {
					t.Errorf("came back after %q, want %q", got, c.resume)
				}
			})
		})
	}
}

func TestWSFinal(t *testing.T) {
	for _, c := range []struct {
		step wsStep
		want string
	}{
		{func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, `{"error":"log in first"}`, http.StatusUnauthorized)
		}, "401 Unauthorized: log in first"},
		{func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(403) }, "403"},
		{func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }, "204"},
		{func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("<html>")) }, "200"},
		{socket(func(c *websocket.Conn) {
			text(c, `{"event":"x","data":"`+strings.Repeat("x", 1000)+`"}`)
			untilClosed(c)
		}), "too large: more than 1000 bytes"},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := serveWS(t, c.step)
			stream, err := s.dial(t, t.Context(), client.Options{MaxEvent: 1000})
			if err == nil {
				_, err = collect(stream, 1)
			}
			if err == nil || !strings.Contains(err.Error(), c.want) || len(s.attempts) != 1 {
				t.Errorf("got %v after %d attempts, want %s", err, len(s.attempts), c.want)
			}
		})
	}
}

// Messages may be fragmented, and a ping may come in between.
func TestWSFragments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveWS(t, socket(func(c *websocket.Conn) {
			text(c, wsOpening)
			n := c.NetConn()
			for _, f := range []string{"\x01\x0a" + `{"event":"`, "\x89\x01p", "\x00\x00", "\x80\x0c" + `x","data":1}`} {
				for i := range f {
					n.Write([]byte(f[i : i+1]))
				}
			}
			untilClosed(c)
		}))
		stream, err := s.dial(t, t.Context(), client.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if events, err := collect(stream, 1); err != nil || events[0] != " x 1" {
			t.Errorf("got %q, %v", events, err)
		}
	})
}

// A handshake that hangs is given up, and does not hold up the end.
func TestWSHangingHandshake(t *testing.T) {
	hanging := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	synctest.Test(t, func(t *testing.T) {
		s := serveWS(t, hanging)
		var told error
		began := time.Now()
		stream, err := s.dial(t, t.Context(), client.Options{OnRetry: func(err error, _ time.Duration) { told = err }})
		if err != nil || told == nil || time.Since(began) != 20*time.Second {
			t.Errorf("got %v, %v after %v", err, told, time.Since(began))
		}
		time.AfterFunc(5*time.Second, func() { stream.Close() })
		if _, err := collect(stream, 1); err != nil || time.Since(began) != 25*time.Second {
			t.Errorf("got %v after %v", err, time.Since(began))
		}
	})
	synctest.Test(t, func(t *testing.T) {
		s := serveWS(t, hanging)
		why := errors.New("why")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(why) })
		began := time.Now()
		if stream, err := s.dial(t, ctx, client.Options{}); err == nil {
			if _, err := collect(stream, 1); err != why || time.Since(began) != time.Second {
				t.Errorf("got %v after %v", err, time.Since(began))
			}
		}
	})
}

// The client's words: resuming, filters, messages, and a goodbye.
func TestWSSends(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		said := make(chan []string, 1)
		s := serveWS(t,
			socket(func(c *websocket.Conn) {
				text(c, wsOpening)
				for i := range 2 { // answers the first change of filter, and then the connection is gone
					_, m, _ := c.ReadMessage()
					said <- []string{string(m)}
					if i == 0 {
						text(c, `{"id":"c1","event":"stream.filter","data":{"categories":["a"],"ref":"crier-client-filter:1"}}`, `{"id":"1","event":"x","data":1}`)
					}
				}
			}),
			socket(func(c *websocket.Conn) {
				text(c, wsOpening, `{"id":"2","event":"x","data":2}`)
				said <- untilClosed(c)
			}))
		var confirmed []string
		stream, err := s.dial(t, t.Context(), client.Options{LastID: "x&y", OnFilter: func(f client.Filter) { confirmed = append(confirmed, fmt.Sprint(f.Categories)) }})
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []string{"a", "b"} {
			if err := stream.SetFilter(client.Filter{Categories: []event.Category{"a", event.Category(want)}}); err != nil {
				t.Fatal(err)
			}
			if got := <-said; !strings.HasPrefix(got[0], `{"categories":["a","`+want+`"]`) {
				t.Errorf("said %q", got)
			}
			if events, err := collect(stream, 1); err != nil || events[0] != fmt.Sprintf("%d x %d", i+1, i+1) {
				t.Errorf("got %q, %v", events, err)
			}
		}
		if err := stream.Send("hello"); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		stream.Close()
		if got := <-said; !slices.Equal(got, []string{`"hello"`}) {
			t.Errorf("said %q", got)
		}
		if !slices.Equal(confirmed, []string{"[a]", "[a b]"}) {
			t.Errorf("confirmed %q", confirmed)
		}
		if a := s.attempts; a[0].lastID != "x&y" || a[0].categories != "" || a[1].lastID != "1" || a[1].categories != "a,b" {
			t.Errorf("attempts: %+v", a)
		}
	})
}

// Categories that the server rejects are not asked for again.
func TestWSRejectedFilter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serveWS(t,
			socket(func(c *websocket.Conn) {
				text(c, wsOpening)
				_, m, _ := c.ReadMessage()
				var change struct{ Ref json.RawMessage }
				json.Unmarshal(m, &change)
				text(c, `{"event":"stream.error","data":{"error":"not yours","ref":1}}`,
					`{"event":"stream.error","data":{"error":"unknown","ref":`+string(change.Ref)+`}}`)
				goodbye(c, 1012)
			}),
			socket(func(c *websocket.Conn) { text(c, wsOpening, `{"id":"1","event":"x","data":1}`); untilClosed(c) }))
		var problems []string
		stream, err := s.dial(t, t.Context(), client.Options{
			Filter:  client.Filter{Categories: []event.Category{"a"}},
			OnError: func(e client.ServerError) { problems = append(problems, e.Message+" "+string(e.Ref)) },
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := stream.SetFilter(client.Filter{Categories: []event.Category{"none"}}); err != nil {
			t.Fatal(err)
		}
		if _, err := collect(stream, 1); err != nil {
			t.Fatal(err)
		}
		if got := s.attempts[1].categories; got != "a" {
			t.Errorf("came back for the categories %q", got)
		}
		if want := []string{"not yours 1", "unknown "}; !slices.Equal(problems, want) {
			t.Errorf("got %q, want %q", problems, want)
		}
	})
}

// The server takes a topic in the moment in which the client asks for another. What
// it announces is no answer; and what it rejects is asked for without that topic.
func TestWSTopicTakenWhileFilterChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said []string
		s := serveWS(t,
			socket(func(c *websocket.Conn) {
				text(c, wsOpening)
				for _, answer := range []string{
					`{"id":"c1","event":"stream.filter","data":{"categories":["x"],"topics":["b"]}}`,
					`{"event":"stream.error","data":{"error":"forbidden","ref":"crier-client-filter:1"}}`,
					`{"id":"c2","event":"stream.filter","data":{"categories":["x"],"topics":["c"],"ref":"crier-client-filter:2"}}`,
				} {
					if !strings.Contains(answer, "error") {
						_, m, _ := c.ReadMessage()
						said = append(said, string(m))
					}
					text(c, answer)
				}
				goodbye(c, 1012)
			}),
			socket(func(c *websocket.Conn) { text(c, wsOpening, `{"id":"1","event":"x","data":1}`); untilClosed(c) }))
		var told []string
		stream, err := s.dial(t, t.Context(), client.Options{
			Filter:   client.Filter{Topics: []string{"a", "b"}},
			OnFilter: func(f client.Filter) { told = append(told, fmt.Sprint(f.Topics)) },
			OnError:  func(e client.ServerError) { told = append(told, e.Message) },
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := stream.SetFilter(client.Filter{Topics: []string{"a", "c"}}); err != nil {
			t.Fatal(err)
		}
		if _, err := collect(stream, 1); err != nil {
			t.Fatal(err)
		}
		if want := []string{`{"ref":"crier-client-filter:1","topics":["a","c"]}`, `{"ref":"crier-client-filter:2","topics":["c"]}`}; !slices.Equal(said, want) {
			t.Errorf("said %q, want %q", said, want)
		}
		if want := []string{"[b]", "[c]"}; !slices.Equal(told, want) {
			t.Errorf("told %q, want %q", told, want)
		}
		if got := s.attempts[1].topics; got != "c" {
			t.Errorf("came back for the topics %q", got)
		}
	})
}

// A topic that was taken while there was no connection is given up, and the stream goes
// on. What the client has never followed is refused for good.
func TestTopicTakenWhileAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		forbidden := func(topics string) wsStep {
			return func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Crier-Forbidden-Topics", topics)
				w.WriteHeader(http.StatusForbidden)
			}
		}
		s := serveWS(t,
			socket(func(c *websocket.Conn) { text(c, wsOpening) }),
			forbidden("a,%C3%B6"),
			socket(func(c *websocket.Conn) { text(c, wsOpening, `{"id":"1","event":"x","data":1}`) }),
			forbidden("a"), // which was not asked for
		)
		var told []string
		stream, err := s.dial(t, t.Context(), client.Options{
			Filter:   client.Filter{Topics: []string{"a", "b", "ö"}},
			OnFilter: func(f client.Filter) { told = append(told, fmt.Sprint(f.Topics)) },
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := collect(stream, 1); err != nil {
			t.Fatal(err)
		}
		if _, err := collect(stream, 1); err == nil {
			t.Error("goes on after a refusal that is about nothing it has followed")
		}
		var topics []string
		for _, a := range s.attempts {
			topics = append(topics, a.topics)
		}
		if want := []string{"a,b,ö", "a,b,ö", "b", "b"}; !slices.Equal(topics, want) || !slices.Equal(told, []string{"[b]"}) {
			t.Errorf("asked for %q, told %q", topics, told)
		}
		first := serveWS(t, forbidden("a"))
		if _, err := first.dial(t, t.Context(), client.Options{Filter: client.Filter{Topics: []string{"a"}}}); err == nil {
			t.Error("opened without a topic that it has never followed")
		}
	})
}

// What a message can say of a filter, it says; for all categories again it takes
// another connection.
func TestWSFilterMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		said := make(chan string, 9)
		s := serveWS(t,
			socket(func(c *websocket.Conn) {
				text(c, wsOpening)
				for {
					_, m, err := c.ReadMessage()
					if err != nil {
						return
					}
					said <- string(m)
				}
			}),
			socket(func(c *websocket.Conn) { text(c, wsOpening, `{"id":"1","event":"x","data":1}`); untilClosed(c) }))
		stream, err := s.dial(t, t.Context(), client.Options{Filter: client.Filter{Topics: []string{"a"}}})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			f    client.Filter
			want string
		}{
			{client.Filter{Topics: []string{"a", "b"}}, `{"ref":"crier-client-filter:1","topics":["a","b"]}`},
			{client.Filter{Categories: []event.Category{"x"}, Topics: []string{"b"}}, `{"categories":["x"],"ref":"crier-client-filter:2","topics":["b"]}`},
			{client.Filter{Categories: []event.Category{"x"}}, `{"categories":["x"],"ref":"crier-client-filter:3","topics":[]}`},
			{client.Filter{Categories: []event.Category{"y"}}, `{"categories":["y"],"ref":"crier-client-filter:4"}`},
		} {
			if err := stream.SetFilter(c.f); err != nil {
				t.Fatal(err)
			}
			if got := <-said; got != c.want {
				t.Errorf("said %s, want %s", got, c.want)
			}
		}
		if err := stream.SetFilter(client.Filter{Categories: []event.Category{"y"}}); err != nil || len(said) > 0 {
			t.Errorf("the same filter again: %v, said %d messages", err, len(said))
		}
		if err := stream.SetFilter(client.Filter{}); err != nil {
			t.Fatal(err)
		}
		if _, err := collect(stream, 1); err != nil {
			t.Fatal(err)
		}
		if a := s.attempts; len(a) != 2 || a[1].categories != "" {
			t.Errorf("attempts: %+v", a)
		}
	})
}
