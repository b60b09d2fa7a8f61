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

func start(t testing.TB, o *hub.Options, opts ...debug.Option) (*hub.Hub, event.Kind[string], *debug.Handler) {
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

func get(t testing.TB, d http.Handler, query string) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	d.ServeHTTP(w, httptest.NewRequest("GET", "/debug/crier/?"+query, nil))
	return w.Code, w.Body.String()
}

func open(t testing.TB, h *hub.Hub, user uuid.UUID, f hub.Filter, session string) *hub.Subscription {
	t.Helper()
	s, err := h.Subscribe(hub.Request{Session: hub.Session{User: user, ID: session, Allowed: hub.Everything()}, Filter: f, Transport: "sse", RemoteAddr: "192.0.2.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func publish(t testing.TB, h *hub.Hub, k event.Kind[string], user uuid.UUID, text string) *event.Event {
	t.Helper()
	e := made(t, k, user, text)
	if err := h.Publish(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	return e
}

// made returns an event with an id of this moment by the clock of a synctest bubble,
// which package uuid may have left behind.
func made(t testing.TB, k event.Kind[string], user uuid.UUID, text string) *event.Event {
	t.Helper()
	id := uuid.New()
	binary.BigEndian.PutUint64(id[:8], uint64(time.Now().UnixMilli())<<16|7<<12)
	e, err := k.New(user, text, event.WithID(id))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// The three support tickets, and the sentences that answer them.
func TestTickets(t *testing.T) {
	user := uuid.New()
	for want, ticket := range map[hub.Verdict]struct {
		words []string
		make  func(t *testing.T, h *hub.Hub, k event.Kind[string]) *event.Event
	}{
		hub.VerdictFiltered: {[]string{"Not delivered: filtered out.", "asked for alerts only", "category notes"}, func(t *testing.T, h *hub.Hub, k event.Kind[string]) *event.Event {
			open(t, h, user, hub.Categories("alerts"), "s")
			return publish(t, h, k, user, "secret")
		}},
		hub.VerdictNotConnected: {[]string{"Probably not delivered: not connected.", "opened at 00:00:02.000, after the event was made at 00:00:01.000", "evicted since"}, func(t *testing.T, h *hub.Hub, k event.Kind[string]) *event.Event {
			time.Sleep(time.Second) // ids have milliseconds: let nothing happen within the same
			e := publish(t, h, k, user, "secret")
			time.Sleep(time.Second / 2)
			publish(t, h, k, user, "the log holds one event")
			time.Sleep(time.Second / 2)
			open(t, h, user, hub.Everything(), "s")
			return e
		}},
		hub.VerdictRevoked: {[]string{"Not delivered: revoked before.", "ended at 00:00:00.000 (revoked), before the event was published at 00:00:01.000"}, func(t *testing.T, h *hub.Hub, k event.Kind[string]) *event.Event {
			s := open(t, h, user, hub.Everything(), "s")
			_, _ = h.RevokeUser(t.Context(), user)
			s.Close()
			time.Sleep(time.Second)
			return publish(t, h, k, user, "secret")
		}},
	} {
		t.Run(string(want), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, k, d := start(t, &hub.Options{UserEvents: 1})
				e := ticket.make(t, h, k)
				query := "view=user&user=" + user.String() + "&event=" + e.ID().String()
				code, body := get(t, d, query)
				for _, words := range ticket.words {
					if !strings.Contains(body, words) {
						t.Errorf("the page does not say %q", words)
					}
				}
				if code != 200 || strings.Contains(body, "secret") || t.Failed() {
					t.Errorf("%d:\n%s", code, body)
				}
				var v struct {
					Answer struct {
						Summary string
						Streams []struct{ Verdict hub.Verdict }
					}
				}
				getJSON(t, d, query, &v)
				if len(v.Answer.Streams) != 1 || v.Answer.Streams[0].Verdict != want || v.Answer.Summary != ticket.words[0] {
					t.Errorf("got %+v", v)
				}
			})
		})
	}
}

// The summary claims no more than is known.
func TestSummary(t *testing.T) {
	user := uuid.New()
	for name, c := range map[string]struct {
		want string
		make func(t *testing.T, h *hub.Hub, k event.Kind[string]) *event.Event
	}{
		"nobody": {"Not delivered: the user has no stream open, and none that ended is remembered.", func(t *testing.T, h *hub.Hub, k event.Kind[string]) *event.Event {
			return publish(t, h, k, user, "text")
		}},
		"one of one": {"Delivered to the user's only stream.", func(t *testing.T, h *hub.Hub, k event.Kind[string]) *event.Event {
			s := open(t, h, user, hub.Everything(), "s")
			defer s.Take(nil)
			return publish(t, h, k, user, "text")
		}},
		"all of several": {"Delivered to all 2 streams of the user.", func(t *testing.T, h *hub.Hub, k event.Kind[string]) *event.Event {
			defer open(t, h, user, hub.Everything(), "s").Take(nil)
			defer open(t, h, user, hub.Everything(), "s").Take(nil)
			return publish(t, h, k, user, "text")
		}},
		"some of several": {"Delivered to 1 of the user's 2 streams.", func(t *testing.T, h *hub.Hub, k event.Kind[string]) *event.Event {
			defer open(t, h, user, hub.Everything(), "s").Take(nil)
			open(t, h, user, hub.Categories("alerts"), "s")
			return publish(t, h, k, user, "text")
		}},
		"beside some that had ended": {"Delivered to the user's only stream; 2 more had ended before.", func(t *testing.T, h *hub.Hub, k event.Kind[string]) *event.Event {
			defer open(t, h, user, hub.Everything(), "s").Take(nil)
			open(t, h, user, hub.Everything(), "s").Close()
			open(t, h, user, hub.Everything(), "s").Close()
			return publish(t, h, k, user, "text")
		}},
		"none of several": {"Not delivered to any of the user's 2 streams.", func(t *testing.T, h *hub.Hub, k event.Kind[string]) *event.Event {
			open(t, h, user, hub.Categories("alerts"), "s")
			e := publish(t, h, k, user, "text")
			open(t, h, user, hub.Everything(), "s") // too late
			return e
		}},
		"one, and another had ended": {"Not delivered: filtered out; 1 more had ended before.", func(t *testing.T, h *hub.Hub, k event.Kind[string]) *event.Event {
			open(t, h, user, hub.Everything(), "s").Close()
			open(t, h, user, hub.Categories("alerts"), "s")
			return publish(t, h, k, user, "text")
		}},
		"seen before": {"Not delivered by these streams: a client says that it has seen it before.", func(t *testing.T, h *hub.Hub, k event.Kind[string]) *event.Event {
			e := publish(t, h, k, user, "text")
			s, err := h.Subscribe(hub.Request{Session: hub.Session{User: user, Allowed: hub.Everything()}, Filter: hub.Everything(), After: e.ID().String()})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(s.Close)
			return e
		}},
	} {
		t.Run(name, func(t *testing.T) {
			h, k, d := start(t, nil)
			e := c.make(t, h, k)
			var v struct{ Answer struct{ Summary string } }
			getJSON(t, d, "view=user&user="+user.String()+"&event="+e.ID().String(), &v)
			if v.Answer.Summary != c.want {
				t.Errorf("got %q, want %q", v.Answer.Summary, c.want)
			}
		})
	}
}

func getJSON(t *testing.T, d http.Handler, query string, v any) {
	t.Helper()
	code, body := get(t, d, query+"&format=json")
	if err := json.Unmarshal([]byte(body), v); err != nil || code != 200 {
		t.Fatalf("%s: %d, %v:\n%s", query, code, err, body)
	}
}

func TestBadInput(t *testing.T) {
	h, k, d := start(t, nil)
	user := uuid.New()
	open(t, h, user, hub.Everything(), "<script>alert(1)</script>")
	e := publish(t, h, k, user, "text")
	one := "view=user&user=" + user.String()
	for query, want := range map[string]int{
		"":                               200,
		"view=streams":                   200,
		"view=streams&q=192.0":           200,
		"view=streams&q=%3Cscript%3E":    200,
		"view=streams&after=x":           400,
		"view=streams&after=-1":          400,
		"view=streams&after=1e9":         400,
		"view=streams&after=99999999999": 200,
		"view=streams&after=99999999999999999999999": 400,
		"view=nothing":                        404,
		"view=user":                           400,
		"view=user&user=x%3Cscript%3E":        400,
		"view=user&user=" + uuid.Nil.String(): 400,
		"view=user&user=" + uuid.NewString():  200,
		"view=user&user=" + uuid.NewString() + "&event=" + e.ID().String(): 200,
		one + "&event=x":                   400,
		one + "&event=%3Cscript%3E":        400,
		one + "&event=" + uuid.NewString(): 404,
		one + "&before=x":                  400,
		one + "&after=-1":                  400,
		one + "&before=" + h.Cursor() + "&after=" + h.Cursor(): 400,
		one + "&before=" + uuid.NewString():                    200,
		one + "&after=" + uuid.Max.String():                    200,
		one + "&event=%zz&user=%00":                            200, // what cannot be parsed is not there
		"asset=style":                                          200,
		"asset=script":                                         200,
		"format=json":                                          200,
		"view=user&user=x&format=json":                         400,
	} {
		code, body := get(t, d, query)
		if code != want || strings.Contains(body, "<script>") {
			t.Errorf("%q: %d, want %d:\n%s", query, code, want, body)
		}
		if strings.HasPrefix(query, one+"&event=") && code != 200 && !strings.Contains(body, "1 open stream") {
			t.Errorf("%q: the user is not shown:\n%s", query, body)
		}
		if strings.Contains(query, "view=") && code != 200 && !strings.Contains(query, "format") && !strings.Contains(body, `role="alert"`) {
			t.Errorf("%q: no error is shown:\n%s", query, body)
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

// The list of streams is shown in pages.
func TestPages(t *testing.T) {
	h, _, d := start(t, nil)
	for range 250 {
		open(t, h, uuid.New(), hub.Everything(), "s")
	}
	for query, want := range map[string]struct {
		streams int
		next    uint64
	}{
		"": {100, 100}, "&after=100": {100, 200}, "&after=200": {50, 0}, "&after=18446744073709551615": {}, "&q=nobody": {}, "&q=192.0.2&after=150": {100, 0},
	} {
		_, body := get(t, d, "view=streams&format=json"+query)
		var v struct {
			Streams []struct{ ID uint64 }
			Next    uint64
		}
		if err := json.Unmarshal([]byte(body), &v); err != nil || len(v.Streams) != want.streams || v.Next != want.next {
			t.Errorf("%q: %v, %d streams, next %d; want %v", query, err, len(v.Streams), v.Next, want)
		}
	}
}

// A user's log is shown in pages, and an event for several audiences once.
func TestLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, k, d := start(t, nil)
		user := uuid.New()
		s, err := h.Subscribe(hub.Request{Session: hub.Session{User: user, Allowed: hub.Everything(), Topics: []string{"room"}}, Filter: hub.Everything(), Topics: []string{"room"}})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		const n = 120
		var ids []uuid.UUID // the newest first
		for i := range n {
			time.Sleep(time.Millisecond)
			e := made(t, k, user, "text")
			to := [][]hub.Audience{{hub.User(user)}, {hub.Topic("room")}, {hub.User(user), hub.Topic("room")}}[i%3]
			if i == 7 {
				to = []hub.Audience{hub.Everyone()}
			}
			if err := h.PublishTo(t.Context(), e, to...); err != nil {
				t.Fatal(err)
			}
			ids = append([]uuid.UUID{e.ID()}, ids...)
		}
		type page struct {
			Events []struct {
				ID       uuid.UUID
				Cursor   string
				Audience []string
				Verdicts []struct {
					Stream  uint64
					Verdict hub.Verdict
				}
			}
			Older, Newer string
		}
		see := func(query string, first, last int) (p page) {
			t.Helper()
			getJSON(t, d, "view=user&user="+user.String()+query, &p)
			if len(p.Events) != last-first {
				t.Fatalf("%q: %d events, want %d", query, len(p.Events), last-first)
			}
			for i, e := range p.Events {
				if e.ID != ids[first+i] || len(e.Audience) == 0 || len(e.Verdicts) != 1 || e.Verdicts[0].Verdict != hub.VerdictPending {
					t.Errorf("%q: event %d is %+v", query, i, e)
				}
			}
			if (p.Newer != "") != (first > 0) || (p.Older != "") != (last < n) {
				t.Errorf("%q: newer %q, older %q", query, p.Newer, p.Older)
			}
			return p
		}
		newest := see("", 0, 50)
		if a := newest.Events[0].Audience; len(a) != 2 {
			t.Errorf("one event for two audiences: %q", a)
		}
		middle := see("&before="+newest.Older, 50, 100)
		oldest := see("&before="+middle.Older, 100, 120)
		beyond := see("&before="+oldest.Events[19].Cursor, 120, 120)
		see("&after="+beyond.Newer, 69, 119)
		see("&after="+oldest.Newer, 50, 100)
		see("&after="+middle.Newer, 0, 50)
		see("&before="+uuid.Max.String(), 0, 50)
		if _, body := get(t, d, "view=user&user="+user.String()+"&before="+middle.Older); !strings.Contains(body, ">Newest</a>") || !strings.Contains(body, ">Newer</a>") || strings.Contains(body, ">Older</a>") {
			t.Errorf("no way back from the last page:\n%s", body)
		}
	})
}

// The page says when each stream was last written to, and what has yet to be.
func TestLastWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, k, d := start(t, nil)
		user := uuid.New()
		s := open(t, h, user, hub.Everything(), "s")
		query := "view=streams"
		time.Sleep(time.Second)
		if _, body := get(t, d, query); !strings.Contains(body, `data-label="last write">never`) {
			t.Errorf("nothing was written:\n%s", body)
		}
		publish(t, h, k, user, "text")
		batch, err := s.Take(nil)
		if err != nil {
			t.Fatal(err)
		}
		s.Wrote(batch, time.Now())
		written := time.Now()
		time.Sleep(65 * time.Second)
		publish(t, h, k, user, "text")
		if _, body := get(t, d, query); !strings.Contains(body, ">1 min 5 s ago</time>") || !strings.Contains(body, "<b>1 event</b><br>") {
			t.Errorf("it was written to, and one event has come:\n%s", body)
		}
		var v struct {
			Streams []struct {
				LastWrite time.Time `json:"last_write"`
				Lag       int
			}
		}
		getJSON(t, d, query, &v)
		if len(v.Streams) != 1 || !v.Streams[0].LastWrite.Equal(written) || v.Streams[0].Lag != 1 {
			t.Errorf("got %+v", v)
		}
	})
}

// Of a user with very many streams, the first are shown, and all are counted.
func TestUserWithManyStreams(t *testing.T) {
	h, k, d := start(t, &hub.Options{StreamsPerUser: 1000})
	user := uuid.New()
	for range 250 {
		open(t, h, user, hub.Everything(), "s")
	}
	open(t, h, user, hub.Categories("alerts"), "s")
	e := publish(t, h, k, user, "text")
	query := "view=user&user=" + user.String() + "&event=" + e.ID().String()
	var v struct {
		Open    int
		LeftOut int `json:"streams_left_out"`
		Streams []struct{}
		Answer  struct {
			Verdicts map[hub.Verdict]int
			Streams  []struct{}
		}
	}
	getJSON(t, d, query, &v)
	if v.Open != 251 || v.LeftOut != 151 || len(v.Streams) != 100 || len(v.Answer.Streams) != 100 || v.Answer.Verdicts[hub.VerdictPending] != 250 || v.Answer.Verdicts[hub.VerdictFiltered] != 1 {
		t.Errorf("got %+v", v)
	}
	for _, want := range []string{"151 more streams are not shown", "too many streams for a verdict on each", "Not yet delivered: 250 streams have to take it."} {
		if _, body := get(t, d, query); !strings.Contains(body, want) {
			t.Errorf("the page does not say %q:\n%s", want, body)
		}
	}
}

// People search by the application's own ids.
func TestUserIDs(t *testing.T) {
	ids := event.NewUserIDs("app.example.com")
	h, k, d := start(t, nil, debug.WithUserIDs(ids.FromString))
	ada := ids.FromString("ada")
	open(t, h, ada, hub.Everything(), "s")
	publish(t, h, k, ada, "text")
	for _, query := range []string{"view=user&user=ada", "view=user&user=" + ada.String(), "view=streams&q=ada"} {
		if code, body := get(t, d, query); code != 200 || !strings.Contains(body, ada.String()) || !strings.Contains(body, ">open</span>") {
			t.Errorf("%q: %d\n%s", query, code, body)
		}
	}
	if code, _ := get(t, d, "view=user&user="); code != 400 {
		t.Errorf("nobody: %d", code)
	}
}
