package poll_test

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"regexp"
	"testing"
	"testing/synctest"
	"time"

	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/internal/memnet"
	"github.com/crier-go/crier/transport"
	"github.com/crier-go/crier/transport/internal/fixture"
	"github.com/crier-go/crier/transport/poll"
)

// The answers to requests, with an event's id (version 7) as EVENT and a cursor
// (version 8) as CURSOR. A change here is a change of the protocol.
func TestGolden(t *testing.T) {
	for name, c := range map[string]struct {
		hub    hub.Options
		query  string
		fresh  bool                                     // the request has no id
		before func(f *fixture.Fixture) (lastID string) // by default the hub's cursor
		during func(f *fixture.Fixture)                 // while the request waits
		after  time.Duration                            // when the answer comes
		want   string
	}{
		"first request": {
			fresh: true,
			want:  `{"events":[],"cursor":"CURSOR"}`,
		},
		"nothing new": {
			after: time.Minute,
			want:  `{"events":[],"cursor":"CURSOR"}`,
		},
		"something new already": {
			before: func(f *fixture.Fixture) string {
				cursor := f.Hub.Cursor()
				f.Publish("a")
				f.Alert("b")
				return cursor
			},
			want: `{"events":[{"id":"EVENT","event":"note.added","data":"a"},{"id":"EVENT","event":"alert.raised","data":"b"}],"cursor":"CURSOR"}`,
		},
		"something new meanwhile": {
			during: func(f *fixture.Fixture) { time.Sleep(7 * time.Second); f.Publish("a") },
			after:  7 * time.Second,
			want:   `{"events":[{"id":"EVENT","event":"note.added","data":"a"}],"cursor":"CURSOR"}`,
		},
		"ephemeral": {
			during: func(f *fixture.Fixture) { f.Ephemeral("a") },
			want:   `{"events":[{"event":"note.typed","data":"a"}],"cursor":"CURSOR"}`,
		},
		"filter": {
			query:  "&categories=alerts",
			during: func(f *fixture.Fixture) { f.Publish("a"); time.Sleep(time.Second); f.Alert("b") },
			after:  time.Second,
			want:   `{"events":[{"id":"EVENT","event":"alert.raised","data":"b"}],"cursor":"CURSOR"}`,
		},
		"text": { // is a JSON string here
			during: func(f *fixture.Fixture) { f.HTML("<p>\n\"a\"</p>") },
			want:   `{"events":[{"id":"EVENT","event":"note.rendered","data":"\u003cp\u003e\n\"a\"\u003c/p\u003e"}],"cursor":"CURSOR"}`,
		},
		"joined": { // answered at once, so that the client knows what to ask for next
			during: func(f *fixture.Fixture) { f.Hub.Join(context.Background(), fixture.Alice, "room:one") },
			want:   `{"events":[{"id":"CURSOR","event":"stream.filter","data":{"categories":["notes","alerts"],"topics":["room:one"]}}],"cursor":"CURSOR"}`,
		},
		"evicted": {
			hub: hub.Options{UserEvents: 1},
			before: func(f *fixture.Fixture) string {
				cursor := f.Hub.Cursor()
				f.Publish("a")
				f.Publish("b")
				return cursor
			},
			want: `{"events":[{"id":"CURSOR","event":"stream.gap","data":{"reason":"evicted"}},{"id":"EVENT","event":"note.added","data":"b"}],"cursor":"CURSOR"}`,
		},
		"unknown": {
			before: func(*fixture.Fixture) string { return "anything" },
			want:   `{"events":[{"id":"CURSOR","event":"stream.gap","data":{"reason":"unknown"}}],"cursor":"CURSOR"}`,
		},
		"revoked": {
			during: func(f *fixture.Fixture) { f.Hub.RevokeUser(context.Background(), fixture.Alice) },
			want:   `{"events":[{"id":"CURSOR","event":"stream.end","data":{"reason":"revoked"}}],"cursor":"CURSOR","retry":3000}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				options := c.hub
				f := fixture.New(t, &options)
				lastID := f.Hub.Cursor()
				if c.before != nil {
					lastID = c.before(f)
				}
				url := "/?last_event_id=" + lastID + c.query
				if c.fresh {
					url = "/"
				}
				o := transport.Options{Heartbeat: time.Minute}
				conn := memnet.Serve(t, poll.NewHandler(f.Hub, f.Auth, &poll.Options{Common: o})).Dial()
				began := time.Now()
				r := fixture.Request(url)
				fixture.Send(t, conn, r)
				synctest.Wait()
				if c.during != nil {
					c.during(f)
				}
				resp, err := http.ReadResponse(bufio.NewReader(conn), r)
				if err != nil {
					t.Fatal(err)
				}
				body, err := io.ReadAll(resp.Body)
				if err != nil {
					t.Fatal(err)
				}
				if took := time.Since(began); took < c.after*4/5 || took > c.after {
					t.Errorf("answered after %v, want %v", took, c.after)
				}
				got := cursorID.ReplaceAllString(eventID.ReplaceAllString(string(body), "EVENT"), "CURSOR")
				if got != c.want+"\n" {
					t.Errorf("got\n%s\nwant\n%s", got, c.want)
				}
				for name, want := range map[string]string{
					"Content-Type": "application/json", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
				} {
					if got := resp.Header.Get(name); got != want {
						t.Errorf("%s: %q, want %q", name, got, want)
					}
				}
				if resp.ContentLength != int64(len(body)) || resp.Close {
					t.Errorf("length %d of %d, close %v", resp.ContentLength, len(body), resp.Close)
				}
			})
		})
	}
}

var (
	eventID  = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}`)
	cursorID = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}`)
)
