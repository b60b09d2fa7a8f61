package transport_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/transport"
	"github.com/crier-go/crier/transport/internal/fixture"
)

type asking = func(*http.Request, *transport.Options) *http.Response

// A request without a valid session is refused before a stream or an upgrade,
// and the client never reads the authenticator's text.
func TestUnauthenticatedIs401(t *testing.T) {
	everyHandler(t, func(t *testing.T, f *fixture.Fixture, ask asking) {
		f.Authenticate(func(*http.Request) (hub.Session, error) {
			return hub.Session{}, fmt.Errorf("token hunter2: %w", transport.ErrUnauthenticated)
		})
		resp := ask(fixture.Request("/"), nil)
		if resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("got %s, want 401", resp.Status)
		}
		if text := errorOf(t, resp); strings.Contains(text, "hunter2") {
			t.Errorf("the authenticator's text reached the client: %q", text)
		}

		resp = ask(fixture.Request("/"), &transport.Options{GoneStatus204: true})
		if resp.StatusCode != http.StatusNoContent {
			t.Errorf("with GoneStatus204: got %s, want 204", resp.Status)
		}
		if f.Subscribed() != 0 {
			t.Error("a stream was opened")
		}
	})
}

// Who is known but may not is told so, before a stream or an upgrade.
func TestForbiddenIs403(t *testing.T) {
	everyHandler(t, func(t *testing.T, f *fixture.Fixture, ask asking) {
		f.Authenticate(func(*http.Request) (hub.Session, error) {
			return hub.Session{}, fmt.Errorf("the plan of hunter2: %w", transport.ErrForbidden)
		})
		for _, o := range []*transport.Options{nil, {GoneStatus204: true}} {
			resp := ask(fixture.Request("/"), o)
			if resp.StatusCode != http.StatusForbidden {
				t.Errorf("got %s, want 403", resp.Status)
			}
			if text := errorOf(t, resp); strings.Contains(text, "hunter2") {
				t.Errorf("the authenticator's text reached the client: %q", text)
			}
		}
		if f.Subscribed() != 0 {
			t.Error("a stream was opened")
		}
		if log := f.Log.String(); log != "" {
			t.Errorf("logged: %s", log)
		}
	})
}

// An Authenticator can set cookies, whether it lets the request in or not.
func TestAuthenticatorSetsCookie(t *testing.T) {
	for _, failure := range []error{nil, transport.ErrUnauthenticated, transport.ErrForbidden, errors.New("away")} {
		t.Run(fmt.Sprint(failure), func(t *testing.T) {
			everyHandler(t, func(t *testing.T, f *fixture.Fixture, ask asking) {
				f.Authenticate(func(r *http.Request) (hub.Session, error) {
					if _, ok := transport.OpenSession(r); ok {
						t.Error("there is an open stream already")
					}
					transport.ResponseHeader(r).Add("Set-Cookie", "a=b")
					session, _ := fixture.Known(r)
					return session, failure
				})
				if got := ask(fixture.Request("/"), nil).Header.Values("Set-Cookie"); len(got) != 1 || got[0] != "a=b" {
					t.Errorf("got %q", got)
				}
			})
		})
	}
	if h := transport.ResponseHeader(fixture.Request("/")); h != nil {
		t.Errorf("a request of nobody's has a response: %v", h)
	}
}

// A mistake of the application is logged, and the client is asked to come back
// later: it is no reason for an EventSource to give up.
func TestAuthenticatorMistakesAreShed(t *testing.T) {
	for name, session := range map[string]struct {
		hub.Session
		error
	}{
		"its own failure":  {error: errors.New("the mistake is here")},
		"no user":          {Session: hub.Session{Allowed: hub.Everything()}},
		"nothing allowed":  {Session: hub.Session{User: fixture.Alice}},
		"unknown category": {Session: hub.Session{User: fixture.Alice, Allowed: hub.Categories("mistake")}},
	} {
		t.Run(name, func(t *testing.T) {
			everyHandler(t, func(t *testing.T, f *fixture.Fixture, ask asking) {
				f.Authenticate(func(*http.Request) (hub.Session, error) { return session.Session, session.error })
				if resp := ask(fixture.Request("/"), nil); !opened(resp) && !comeBackLater(resp) {
					t.Errorf("got %s", resp.Status)
				}
				if !strings.Contains(f.Log.String(), "level=ERROR") {
					t.Errorf("not logged as an error: %s", f.Log.String())
				}
				if f.Subscribed() != 0 {
					t.Error("a stream was opened")
				}
			})
		})
	}
}

func TestCategoriesQuery(t *testing.T) {
	for query, ok := range map[string]bool{
		"":                                   true,
		"?categories=notes":                  true,
		"?categories=notes,alerts":           true,
		"?categories=notes,+alerts":          true, // "+" is a space
		"?categories=notes&categories=notes": true,
		"?categories":                        false,
		"?categories=":                       false,
		"?categories=,":                      false,
		"?categories=notes,":                 false,
		"?categories=Notes":                  false,
		"?categories=hunter2":                false,
		"?categories=notes&categories=x%0a":  false,
		"?categories=*":                      false,
		// Malformed, so the filter must not silently be all that there is.
		"?categories=notes;":                          false,
		"?categories=notes;alerts":                    false,
		"?categories=notes%zz":                        false,
		"?categories=notes&categories=%":              false,
		"?x=1;categories=notes":                       false,
		"?%63ategories=notes%zz":                      false,
		"?x=1;y=2":                                    true, // not ours
		"?x=%zz&categories=notes":                     true,
		"?%63ategories=notes":                         true,
		"?categories=" + list("notes", 64):            true,
		"?categories=" + list("notes", 65):            false,
		"?" + strings.Repeat("categories=notes&", 65): false,
	} {
		t.Run(fmt.Sprintf("%.40s", query), func(t *testing.T) {
			everyHandler(t, func(t *testing.T, f *fixture.Fixture, ask asking) {
				resp := ask(fixture.Request("/"+query), nil)
				if ok {
					if !opened(resp) {
						t.Errorf("got %s", resp.Status)
					}
					return
				}
				if resp.StatusCode != http.StatusBadRequest {
					t.Errorf("got %s, want 400", resp.Status)
				}
				text := errorOf(t, resp)
				if !strings.Contains(text, "notes") || !strings.Contains(text, "alerts") {
					t.Errorf("the valid categories are not named: %q", text)
				}
				if strings.Contains(text, "hunter2") {
					t.Errorf("the client's value is echoed: %q", text)
				}
				if f.Subscribed() != 0 {
					t.Error("a stream was opened")
				}
			})
		})
	}
}

func list(name string, n int) string { return strings.TrimSuffix(strings.Repeat(name+",", n), ",") }

// A filter of a megabyte is refused before anything is built from it.
func TestCategoriesAreCountedBeforeParsing(t *testing.T) {
	f := fixture.New(t, nil)
	a := transport.NewAcceptor(f.Hub, f.Auth, "test", nil)
	for name, query := range map[string]string{
		"names":   "categories=" + list("a", 1<<19),
		"escaped": "categories=" + strings.Repeat("%2c", 1<<18),
		"values":  strings.Repeat("categories=a&", 1<<16),
	} {
		r := fixture.Request("/?" + query)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		w := httptest.NewRecorder()
		a.Check(w, r)
		runtime.ReadMemStats(&after)
		if w.Code != http.StatusBadRequest {
			t.Errorf("%s: got %d, want 400", name, w.Code)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > 64<<10 {
			t.Errorf("%s: a filter of %d bytes allocated %d bytes", name, len(query), n)
		}
	}
}

// A malformed last id is an unknown one. If it were ignored, the stream would
// start at the head and the client would not learn that it has missed
// something.
func TestMalformedLastEventIDIsUnknown(t *testing.T) {
	for _, query := range []string{
		"?last_event_id=hello%zz", "?last_event_id=%", "?last_event_id=a;b", "?lastEventId=%zz",
		"?last_event_id=" + uuid.NewString() + ";", "?x=1;last_event_id=" + uuid.NewString(),
		"?last_event_id=" + strings.Repeat("a", 20<<10),
	} {
		t.Run(fmt.Sprintf("%.40s", query), func(t *testing.T) {
			everyHandler(t, func(t *testing.T, f *fixture.Fixture, ask asking) {
				resp := ask(fixture.Request("/"+query), nil)
				if !opened(resp) {
					t.Fatalf("got %s", resp.Status)
				}
				if got := readUntil(t, resp, "stream.gap"); !strings.Contains(got, "unknown") {
					t.Errorf("got %q", got)
				}
			})
		})
	}
}

// Whatever a client sends as its last id, it gets a stream, and the value is
// neither sent back nor logged.
func TestHostileLastEventID(t *testing.T) {
	for name, id := range map[string]string{
		"text":          "hunter2",
		"quotes":        `hunter2","event":"x`,
		"no UTF-8":      "hunter2\xff\xfe",
		"8 kB":          strings.Repeat("hunter2 ", 1<<10),
		"nil UUID":      uuid.Nil.String(),
		"max UUID":      uuid.Max.String(),
		"UUID, braces":  "{" + uuid.NewString() + "}",
		"UUID, URN":     "urn:uuid:" + uuid.NewString(),
		"two of them":   uuid.NewString() + "," + uuid.NewString(),
		"from tomorrow": "ffffffff-ffff-7fff-bfff-ffffffffffff",
	} {
		t.Run(name, func(t *testing.T) {
			everyHandler(t, func(t *testing.T, f *fixture.Fixture, ask asking) {
				resp := ask(fixture.Request("/", "Last-Event-ID", id), nil)
				if !opened(resp) {
					t.Fatalf("got %s", resp.Status)
				}
				got := readUntil(t, resp, "stream.gap")
				if strings.Contains(got, "hunter2") || strings.Contains(f.Log.String(), "hunter2") {
					t.Errorf("the value came back, or was logged: %q, %s", got, f.Log.String())
				}
			})
		})
	}
}

// The header takes precedence over the query: an EventSource keeps the header
// up to date, and the URL as it was made.
func TestLastEventIDHeaderTakesPrecedence(t *testing.T) {
	everyHandler(t, func(t *testing.T, f *fixture.Fixture, ask asking) {
		first, second := f.Publish("first"), f.Publish("second")
		f.Publish("third")
		for _, query := range []string{"?last_event_id=", "?lastEventId="} {
			resp := ask(fixture.Request("/"+query+first.ID().String(), "Last-Event-ID", second.ID().String()), nil)
			if got := readUntil(t, resp, "third"); strings.Contains(got, "second") {
				t.Errorf("replayed from the query's id: %q", got)
			}
		}
	})
}

// A session that has expired when it is used opens no stream.
func TestExpiredSessionOpensNoStream(t *testing.T) {
	everyHandler(t, func(t *testing.T, f *fixture.Fixture, ask asking) {
		f.Authenticate(func(*http.Request) (hub.Session, error) {
			return hub.Session{User: fixture.Alice, Allowed: hub.Everything(), Expires: time.Now()}, nil
		})
		if resp := ask(fixture.Request("/"), nil); !opened(resp) && resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("got %s", resp.Status)
		}
		if f.Subscribed() != 0 {
			t.Error("a stream was opened")
		}
	})
}

// A session that is revoked between authentication and subscription opens no
// stream.
func TestSubscribeRefusedWhenRevoked(t *testing.T) {
	everyHandler(t, func(t *testing.T, f *fixture.Fixture, ask asking) {
		f.Authenticate(func(r *http.Request) (hub.Session, error) {
			time.Sleep(time.Second) // looks it up
			f.Hub.RevokeUser(context.Background(), fixture.Alice)
			time.Sleep(time.Second) // is slow to return
			return fixture.Known(r)
		})
		resp := ask(fixture.Request("/"), nil)
		if resp.StatusCode == http.StatusUnauthorized && f.Subscribed() == 0 {
			return // of a transport that refuses with a status
		}
		got := readUntil(t, resp, "stream.end")
		if strings.Contains(got, "stream.cursor") || f.Subscribed() != 0 {
			t.Errorf("a stream was opened: %q", got)
		}
	})
}
