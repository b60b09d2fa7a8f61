package debug_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/debug"
	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
)

func everyone(*http.Request) error { return nil }

func start(t *testing.T, o *hub.Options, opts ...debug.Option) (*hub.Hub, event.Kind[string], *debug.Handler) {
	t.Helper()
	r := new(event.Registry)
	k := event.Define[string](r, "notes", "note.added", "A note was added.")
	event.Define[string](r, "alerts", "alert.raised", "An alert was raised.")
	h := hub.New(r, o)
	d := debug.NewHandler(h, everyone, opts...)
	t.Cleanup(func() {
		d.Close()
		_ = h.Shutdown(context.Background()) // t's own context is over by now
	})
	return h, k, d
}

func get(t *testing.T, d http.Handler, query string) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	d.ServeHTTP(w, httptest.NewRequest("GET", "/debug/crier/?"+query, nil))
	return w.Code, w.Body.String()
}

func open(t *testing.T, h *hub.Hub, user uuid.UUID, f hub.Filter, session string) *hub.Subscription {
	t.Helper()
	s, err := h.Subscribe(hub.Request{Session: hub.Session{User: user, ID: session, Allowed: hub.Everything()}, Filter: f, Transport: "sse", RemoteAddr: "192.0.2.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func publish(t *testing.T, h *hub.Hub, k event.Kind[string], user uuid.UUID, text string) *event.Event {
	t.Helper()
	// An id of this moment by the clock of a synctest bubble, which package uuid may
	// have left behind.
	id := uuid.Must(uuid.NewV7())
	binary.BigEndian.PutUint64(id[:8], uint64(time.Now().UnixMilli())<<16|7<<12)
	e, err := k.New(user, text, event.WithID(id))
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Publish(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	return e
}

// The three support tickets.
func TestTickets(t *testing.T) {
	user := uuid.New()
	for want, make := range map[string]func(t *testing.T, h *hub.Hub, k event.Kind[string]) *event.Event{
		"filtered": func(t *testing.T, h *hub.Hub, k event.Kind[string]) *event.Event {
			open(t, h, user, hub.Categories("alerts"), "s")
			return publish(t, h, k, user, "secret")
		},
		"not_connected": func(t *testing.T, h *hub.Hub, k event.Kind[string]) *event.Event {
			time.Sleep(time.Second) // ids have milliseconds: let nothing happen within the same
			e := publish(t, h, k, user, "secret")
			time.Sleep(time.Second)
			publish(t, h, k, user, "the log holds one event")
			time.Sleep(time.Second)
			open(t, h, user, hub.Everything(), "s")
			return e
		},
		"revoked": func(t *testing.T, h *hub.Hub, k event.Kind[string]) *event.Event {
			s := open(t, h, user, hub.Everything(), "s")
			_, _ = h.RevokeUser(t.Context(), user)
			s.Close()
			return publish(t, h, k, user, "secret")
		},
	} {
		t.Run(want, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, k, d := start(t, &hub.Options{UserEvents: 1})
				e := make(t, h, k)
				query := "view=user&user=" + user.String() + "&event=" + e.ID().String()
				code, body := get(t, d, query)
				if code != 200 || !strings.Contains(body, "<b>"+want+"</b>") || strings.Contains(body, "secret") {
					t.Errorf("%d, want %s:\n%s", code, want, body)
				}
				code, body = get(t, d, query+"&format=json")
				var v struct {
					Answer struct{ Streams []struct{ Verdict string } }
				}
				if err := json.Unmarshal([]byte(body), &v); err != nil || code != 200 || len(v.Answer.Streams) != 1 || v.Answer.Streams[0].Verdict != want {
					t.Errorf("%d, %v:\n%s", code, err, body)
				}
			})
		})
	}
}

func TestBadInput(t *testing.T) {
	h, _, d := start(t, nil)
	user := uuid.New()
	open(t, h, user, hub.Everything(), "<script>alert(1)</script>")
	for query, want := range map[string]int{
		"":                                   200,
		"view=streams":                       200,
		"view=streams&q=192.0":               200,
		"view=streams&after=x":               400,
		"view=nothing":                       404,
		"view=user&user=x<script>":           400,
		"view=user&user=" + uuid.NewString(): 200,
		"view=user&user=" + user.String() + "&event=x":                   400,
		"view=user&user=" + user.String() + "&event=" + uuid.NewString(): 404,
		"asset=style": 200, "asset=script": 200, "format=json": 200,
	} {
		code, body := get(t, d, query)
		if code != want || strings.Contains(body, "<script>") {
			t.Errorf("%q: %d, want %d:\n%s", query, code, want, body)
		}
	}
}

func TestNotAllowed(t *testing.T) {
	h, _, _ := start(t, nil)
	d := debug.NewHandler(h, func(*http.Request) error { return errors.New("no") })
	defer d.Close()
	if code, _ := get(t, d, "asset=style"); code != 404 {
		t.Errorf("got %d", code)
	}
	w := httptest.NewRecorder()
	if d2 := debug.NewHandler(h, everyone); true {
		defer d2.Close()
		d2.ServeHTTP(w, httptest.NewRequest("POST", "/", nil))
	}
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST without the option: %d", w.Code)
	}
	defer func() {
		if recover() == nil {
			t.Error("no panic for a nil allow")
		}
	}()
	debug.NewHandler(h, nil)
}

func TestTestPublish(t *testing.T) {
	user := uuid.New()
	var k event.Kind[string]
	h, kind, d := start(t, nil, debug.WithTestPublish(func(*http.Request) (*event.Event, error) { return k.New(user, "test") }))
	k = kind
	for site, want := range map[string]int{"same-origin": 303, "cross-site": 403} {
		r := httptest.NewRequest("POST", "/", nil)
		r.Header.Set("Sec-Fetch-Site", site)
		w := httptest.NewRecorder()
		d.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%s: %d, want %d", site, w.Code, want)
		}
	}
	if n := len(h.Retained(hub.User(user))); n != 1 {
		t.Errorf("%d events were published", n)
	}
	if l := h.Largest(5); len(l) != 1 || l[0].Audience != hub.User(user) || l[0].Bytes <= 0 {
		t.Errorf("largest: %v", l)
	}
}

func TestPages(t *testing.T) {
	const n = 100_000
	h, _, d := start(t, nil)
	for range n {
		open(t, h, uuid.New(), hub.Everything(), "s")
	}
	for query, want := range map[string]int{"": 100, "&after=50": 100, "&q=nobody": 0} {
		began := time.Now()
		_, body := get(t, d, "view=streams&format=json"+query)
		took := time.Since(began)
		var v struct {
			Streams []struct{ ID uint64 }
			Next    uint64
		}
		if err := json.Unmarshal([]byte(body), &v); err != nil || len(v.Streams) != want || (v.Next != 0) != (want != 0) {
			t.Errorf("%q: %v, %d streams, next %d", query, err, len(v.Streams), v.Next)
		}
		t.Logf("%q of %d streams took %v", query, n, took)
	}
}
