package conformance

import (
	"bufio"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/gorilla/websocket"

	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/transport/sse"
	"github.com/crier-go/crier/transport/ws"
)

var (
	kinds event.Registry
	added = event.Define[string](&kinds, "notes", "note.added", "A note.")
	typed = event.Define[string](&kinds, "notes", "note.typed", "Somebody types.", event.Ephemeral())
)

// What the cases send is what the handlers send, byte for byte.
func TestFramesAreThoseOfTheHandlers(t *testing.T) {
	id, retry := "ID", 3000
	frames := []Frame{
		{ID: &id, Event: "stream.cursor", Data: json.RawMessage(`{}`), Retry: &retry},
		{ID: &id, Event: "stream.gap", Data: json.RawMessage(`{"reason": "evicted"}`)},
		{ID: &id, Event: "note.added", Data: json.RawMessage(`"é"`)},
		{Event: "note.typed", Data: json.RawMessage(`"x"`)},
		{ID: &id, Event: "stream.end", Data: json.RawMessage(`{"reason":"revoked"}`), Retry: &retry},
	}
	var wantSSE, wantWS string
	for _, f := range frames {
		wantSSE += string(f.sse())
		wantWS += string(f.message(nil)) + "\n"
	}
	for name, c := range map[string]struct {
		read func(t *testing.T, url string, saw func(text string)) string
		want string
	}{
		"sse": {readSSE, wantSSE},
		"ws":  {readWS, wantWS},
	} {
		t.Run(name, func(t *testing.T) {
			user := uuid.New()
			h := hub.New(&kinds, &hub.Options{UserEvents: 1, Logger: slog.New(slog.DiscardHandler)})
			session := func(*http.Request) (hub.Session, error) {
				return hub.Session{User: user, Allowed: hub.Everything()}, nil
			}
			mux := http.NewServeMux()
			mux.Handle("/sse", sse.NewHandler(h, session, nil))
			mux.Handle("/ws", ws.NewHandler(h, session, nil))
			srv := httptest.NewServer(mux)
			defer srv.Close()
			cursor := h.Cursor()
			for range 2 {
				e, err := added.New(user, "é")
				if err == nil {
					err = h.Publish(context.Background(), e)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			got := c.read(t, srv.URL+"/"+name+"?last_event_id="+cursor, func(text string) {
				switch {
				case strings.Contains(text, `"é"`): // what it has missed has come
					if e, err := typed.New(user, "x"); err != nil || h.Publish(context.Background(), e) != nil {
						t.Error("cannot publish")
					}
				case strings.Contains(text, `"x"`):
					h.RevokeUser(context.Background(), user)
				}
			})
			if got := anyID.ReplaceAllString(got, "ID"); got != c.want {
				t.Errorf("the handler sends\n%s\nthe cases send\n%s", got, c.want)
			}
		})
	}
}

var anyID = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

func readSSE(t *testing.T, url string, saw func(text string)) string {
	r, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	var b strings.Builder
	for lines := bufio.NewScanner(r.Body); lines.Scan(); {
		b.WriteString(lines.Text() + "\n")
		saw(lines.Text())
	}
	return b.String()
}

func readWS(t *testing.T, url string, saw func(text string)) string {
	c, _, err := websocket.DefaultDialer.Dial(strings.Replace(url, "http", "ws", 1), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var b strings.Builder
	for {
		_, m, err := c.ReadMessage()
		if err != nil {
			return b.String()
		}
		b.WriteString(string(m) + "\n")
		saw(string(m))
	}
}
