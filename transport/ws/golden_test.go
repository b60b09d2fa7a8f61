package ws_test

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/internal/memnet"
	"github.com/crier-go/crier/transport"
	"github.com/crier-go/crier/transport/internal/fixture"
	"github.com/crier-go/crier/transport/ws"
)

// The frames of streams, with an event's id (version 7) as EVENT and a cursor
// (version 8) as CURSOR. A change here is a change of the protocol.
func TestGolden(t *testing.T) {
	const opening = `text {"id":"CURSOR","event":"stream.cursor","data":{"retry":3000}}` + "\n"
	for name, c := range map[string]struct {
		hub    hub.Options
		o      transport.Options
		query  string
		before func(f *fixture.Fixture) (lastID string)
		during func(f *fixture.Fixture, c *raw)
		want   string
	}{
		"opening": {
			want: opening,
		},
		"events": {
			during: func(f *fixture.Fixture, _ *raw) { f.Publish("a"); f.Alert("b") },
			want: opening +
				`text {"id":"EVENT","event":"note.added","data":"a"}` + "\n" +
				`text {"id":"EVENT","event":"alert.raised","data":"b"}` + "\n",
		},
		"ephemeral": { // has no id: a client must not resume from it
			during: func(f *fixture.Fixture, _ *raw) { f.Ephemeral("a") },
			want:   opening + `text {"event":"note.typed","data":"a"}` + "\n",
		},
		"heartbeat": {
			o:      transport.Options{Heartbeat: time.Minute, WriteTimeout: time.Minute},
			during: func(*fixture.Fixture, *raw) { time.Sleep(time.Minute) },
			want:   opening + `text {"id":"CURSOR","event":"stream.cursor","data":{}}` + "\nping\n",
		},
		"heartbeat in traffic": {
			o: transport.Options{Heartbeat: time.Minute, WriteTimeout: time.Minute}, // the client does not answer
			during: func(f *fixture.Fixture, _ *raw) {
				time.Sleep(45 * time.Second)
				f.Publish("a")
				time.Sleep(15 * time.Second)
			},
			want: opening + `text {"id":"EVENT","event":"note.added","data":"a"}` + "\nping\n",
		},
		"evicted": {
			hub: hub.Options{UserEvents: 1},
			before: func(f *fixture.Fixture) string {
				cursor := f.Hub.Cursor()
				f.Publish("a")
				f.Publish("b")
				return cursor
			},
			want: opening +
				`text {"id":"CURSOR","event":"stream.gap","data":{"reason":"evicted"}}` + "\n" +
				`text {"id":"EVENT","event":"note.added","data":"b"}` + "\n",
		},
		"unknown": {
			before: func(*fixture.Fixture) string { return "anything" },
			want:   opening + `text {"id":"CURSOR","event":"stream.gap","data":{"reason":"unknown"}}` + "\n",
		},
		"filter": {
			during: func(_ *fixture.Fixture, c *raw) { c.send(text(`{"categories":["alerts"]}`)) },
			want:   opening + `text {"id":"CURSOR","event":"stream.filter","data":{"categories":["alerts"]}}` + "\n",
		},
		"error": {
			during: func(_ *fixture.Fixture, c *raw) { c.send(text(`{"categories":["x"],"ref":[1]}`)) },
			want: opening +
				`text {"event":"stream.error","data":{"error":"unknown category; valid categories are: notes, alerts","ref":[1]}}` + "\n",
		},
		"text": { // is a JSON string here
			during: func(f *fixture.Fixture, _ *raw) { f.HTML("<p>\n\"a\"</p>") },
			want:   opening + `text {"id":"EVENT","event":"note.rendered","data":"\u003cp\u003e\n\"a\"\u003c/p\u003e"}` + "\n",
		},
		"pong": {
			during: func(_ *fixture.Fixture, c *raw) { c.send(frame(fin|opPing, "payload")) },
			want:   opening + "pong payload\n",
		},
		"revoked": {
			during: func(f *fixture.Fixture, _ *raw) { f.Hub.RevokeUser(context.Background(), fixture.Alice) },
			want: opening +
				`text {"id":"CURSOR","event":"stream.end","data":{"reason":"revoked","retry":3000}}` + "\n" +
				"close 1008 revoked\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				options := c.hub
				f := fixture.New(t, &options)
				o := c.o
				if o.Heartbeat == 0 {
					o.Heartbeat = time.Hour
				}
				query := c.query
				if c.before != nil {
					query += "?last_event_id=" + c.before(f)
				}
				client := connect(t, memnet.Serve(t, ws.NewHandler(f.Hub, f.Auth, &ws.Options{Common: o})), query)
				synctest.Wait() // it has opened
				if c.during != nil {
					c.during(f, client)
				}
				if got := client.transcript(time.Second); got != c.want {
					t.Errorf("got\n%s\nwant\n%s", got, c.want)
				}
			})
		})
	}
}

// Streams end with the close code of their reason. TestCloseCode has the
// reasons that cannot be provoked here.
func TestCloseCodes(t *testing.T) {
	for reason, c := range map[hub.Reason]struct {
		code int
		end  func(f *fixture.Fixture)
	}{
		hub.ReasonRevoked:  {1008, func(f *fixture.Fixture) { f.Hub.RevokeUser(context.Background(), fixture.Alice) }},
		hub.ReasonExpired:  {1008, func(*fixture.Fixture) { time.Sleep(time.Minute) }},
		hub.ReasonShutdown: {1012, func(f *fixture.Fixture) { go f.Hub.Shutdown(context.Background()) }},
	} {
		bubble(t, nil, func(t *testing.T, f *fixture.Fixture, connect func(string) *raw) {
			f.Authenticate(func(r *http.Request) (hub.Session, error) {
				s, err := fixture.Known(r)
				s.Expires = time.Now().Add(time.Minute)
				return s, err
			})
			c1 := connect("")
			c1.want(opening)
			c.end(f)
			if _, message, err := c1.receive(); err != nil || !strings.Contains(message, `{"reason":"`+string(reason)+`","retry":`) {
				t.Errorf("got %q, %v", message, err)
			}
			c1.wantClose(c.code, string(reason))
		})
	}
	// A newer stream takes the place of the oldest.
	synctest.Test(t, func(t *testing.T) {
		f := fixture.New(t, &hub.Options{StreamsPerUser: 1})
		server := memnet.Serve(t, ws.NewHandler(f.Hub, f.Auth, nil))
		oldest := connect(t, server, "")
		oldest.want(opening)
		connect(t, server, "").want(opening)
		oldest.receive()
		oldest.wantClose(1013, "overloaded")
	})
}

// Payloads on both sides of the limits between the forms of a length.
func TestFrameLengths(t *testing.T) {
	const envelope = `{"id":"ID","event":"note.added","data":""}`
	least := len(envelope) - len("ID") + 36
	for _, size := range []int{least, 125, 126, 127, 65535, 65536, 65537, 200_000} {
		bubble(t, nil, func(t *testing.T, f *fixture.Fixture, connect func(string) *raw) {
			c := connect("")
			c.want(opening)
			f.Publish(strings.Repeat("x", size-least))
			if _, message, err := c.receive(); err != nil || len(message) != size {
				t.Errorf("a message of %d bytes came with %d, %v", size, len(message), err)
			}
			f.Publish("next")
			c.want(note("next"))
		})
	}
}

var (
	eventID  = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}`)
	cursorID = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}`)
)

// transcript returns the frames that come for some time, a line for each.
func (c *raw) transcript(until time.Duration) string {
	c.SetReadDeadline(time.Now().Add(until))
	names := map[byte]string{opText: "text", opPing: "ping", opPong: "pong", opClose: "close"}
	var b strings.Builder
	for {
		op, payload, err := c.receive()
		if err != nil {
			return cursorID.ReplaceAllString(eventID.ReplaceAllString(b.String(), "EVENT"), "CURSOR")
		}
		if op == opClose && len(payload) >= 2 {
			payload = fmt.Sprint(int(payload[0])<<8|int(payload[1]), " ", payload[2:])
		}
		fmt.Fprintln(&b, strings.TrimSpace(names[op]+" "+payload))
	}
}
