package sse_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
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
	"github.com/crier-go/crier/transport/sse"
)

// The bytes of streams, with an event's id (version 7) as EVENT and a cursor
// (version 8) as CURSOR. A change here is a change of the protocol.
func TestGolden(t *testing.T) {
	const opening = "retry: 3000\nid: CURSOR\nevent: stream.cursor\ndata: {}\n\n"
	for name, c := range map[string]struct {
		hub    hub.Options
		o      transport.Options
		url    string
		before func(f *fixture.Fixture) (lastID string)
		during func(f *fixture.Fixture)
		want   string
	}{
		"opening": {
			want: opening,
		},
		"another retry": {
			o:    transport.Options{Retry: 1500 * time.Millisecond},
			want: "retry: 1500\nid: CURSOR\nevent: stream.cursor\ndata: {}\n\n",
		},
		"events": {
			during: func(f *fixture.Fixture) { f.Publish("a"); f.Alert("b") },
			want: opening +
				"id: EVENT\nevent: note.added\ndata: \"a\"\n\n" +
				"id: EVENT\nevent: alert.raised\ndata: \"b\"\n\n",
		},
		"ephemeral": { // has no id: a client must not resume from it
			during: func(f *fixture.Fixture) { f.Ephemeral("a") },
			want:   opening + "event: note.typed\ndata: \"a\"\n\n",
		},
		"what could forge a frame": {
			during: func(f *fixture.Fixture) { f.Publish("a\r\n\ndata: b\x00<\u2028é") },
			want:   opening + "id: EVENT\nevent: note.added\ndata: \"a\\r\\n\\ndata: b\\u0000\\u003c\\u2028é\"\n\n",
		},
		"heartbeat": {
			o:      transport.Options{Heartbeat: time.Minute},
			during: func(*fixture.Fixture) { time.Sleep(time.Minute) },
			want:   opening + "id: CURSOR\nevent: stream.cursor\ndata: {}\n\n",
		},
		"no heartbeat in traffic": {
			o: transport.Options{Heartbeat: time.Minute},
			during: func(f *fixture.Fixture) {
				time.Sleep(45 * time.Second)
				f.Publish("a")
				time.Sleep(45 * time.Second)
			},
			want: opening + "id: EVENT\nevent: note.added\ndata: \"a\"\n\n",
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
				"id: CURSOR\nevent: stream.gap\ndata: {\"reason\":\"evicted\"}\n\n" +
				"id: EVENT\nevent: note.added\ndata: \"b\"\n\n",
		},
		"unknown": {
			before: func(*fixture.Fixture) string { return "anything" },
			want:   opening + "id: CURSOR\nevent: stream.gap\ndata: {\"reason\":\"unknown\"}\n\n",
		},
		"filter": {
			url:    "?categories=alerts",
			during: func(f *fixture.Fixture) { f.Publish("a"); f.Alert("b") },
			want:   opening + "id: EVENT\nevent: alert.raised\ndata: \"b\"\n\n",
		},
		"text": { // one data line for each of its lines, and nothing that could forge a frame
			during: func(f *fixture.Fixture) { f.HTML("<p>\n a &amp; b</p>\r\n\revent: x\n") },
			want:   opening + "id: EVENT\nevent: note.rendered\ndata: <p>\ndata:  a &amp; b</p>\ndata: \ndata: event: x\ndata: \n\n",
		},
		"joined": {
			during: func(f *fixture.Fixture) {
				f.Hub.Join(context.Background(), fixture.Alice, "room:one")
				f.PublishTo(hub.Topic("room:one"), "a")
				synctest.Wait() // it has been written: Leave also takes what has not
				f.Hub.Leave(context.Background(), fixture.Alice, "room:one")
				f.PublishTo(hub.Topic("room:one"), "b")
			},
			want: opening +
				"id: CURSOR\nevent: stream.filter\ndata: {\"categories\":[\"notes\",\"alerts\"],\"topics\":[\"room:one\"]}\n\n" +
				"id: EVENT\nevent: note.added\ndata: \"a\"\n\n" +
				"id: CURSOR\nevent: stream.filter\ndata: {\"categories\":[\"notes\",\"alerts\"],\"topics\":[]}\n\n",
		},
		"revoked": {
			during: func(f *fixture.Fixture) { f.Hub.RevokeUser(context.Background(), fixture.Alice) },
			want:   opening + "retry: 3000\nid: CURSOR\nevent: stream.end\ndata: {\"reason\":\"revoked\"}\n\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, o := range []sse.Options{{}, {Lean: true}, {Compress: true}, {Lean: true, Compress: true}} {
				t.Run(fmt.Sprintf("lean=%t,gzip=%t", o.Lean, o.Compress), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						options := c.hub
						f := fixture.New(t, &options)
						r := fixture.Request("/" + c.url)
						if c.before != nil {
							r.Header.Set("Last-Event-ID", c.before(f))
						}
						o.Common = c.o
						if o.Common.Heartbeat == 0 {
							o.Common.Heartbeat = time.Hour
						}
						if o.Compress {
							r.Header.Set("Accept-Encoding", "gzip")
						}
						server := memnet.Serve(t, sse.NewHandler(f.Hub, f.Auth, &o))
						if got := stream(t, server.Dial(), r, func() {
							if c.during != nil {
								c.during(f)
							}
						}); got != c.want {
							t.Errorf("got\n%s\nwant\n%s", got, c.want)
						}
					})
				})
			}
		})
	}
}

var (
	eventID  = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}`)
	cursorID = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}`)
)

// stream returns what comes in a stream while something is done. It is decompressed.
func stream(t *testing.T, conn *memnet.Conn, r *http.Request, do func()) string {
	t.Helper()
	fixture.Send(t, conn, r)
	resp, err := http.ReadResponse(bufio.NewReader(conn), r)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Wait() // it has opened
	do()
	conn.SetReadDeadline(time.Now().Add(time.Second))
	body := decompressed(t, resp)
	var b strings.Builder
	io.Copy(&b, body) // until the deadline, or the end
	return cursorID.ReplaceAllString(eventID.ReplaceAllString(b.String(), "EVENT"), "CURSOR")
}
