package transport_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/transport/internal/fixture"
	"github.com/crier-go/crier/transport/sse"
)

// A topic that cannot be had is refused before the stream, and the answer names
// none of the topics that exist.
func TestTopicsInTheQuery(t *testing.T) {
	everyHandler(t, func(t *testing.T, f *fixture.Fixture, ask asking) {
		f.Authenticate(func(*http.Request) (hub.Session, error) {
			return hub.Session{User: fixture.Alice, Allowed: hub.Everything(), Topics: []string{"room:one", "room:two", "x;y"}}, nil
		})
		many := make([]string, 101)
		for i := range many {
			many[i] = fmt.Sprint("room:", i)
		}
		for query, want := range map[string]int{
			"topics=secret":                                  http.StatusForbidden,
			"topics=room:one,secret":                         http.StatusForbidden,
			"topics=":                                        http.StatusBadRequest,
			"topics=room:one,":                               http.StatusBadRequest,
			"topics=room%zz":                                 http.StatusBadRequest,
			"topics=room:one;":                               http.StatusBadRequest,
			"topics=a%0ab":                                   http.StatusBadRequest,
			"topics=%ff":                                     http.StatusBadRequest,
			"topics=" + strings.Repeat("x", 129):             http.StatusBadRequest,
			"topics=" + strings.Join(many, ","):              http.StatusBadRequest,
			"topics=" + strings.Repeat("a,", 1<<16):          http.StatusBadRequest,
			strings.Repeat("topics=a&", 1<<14):               http.StatusBadRequest,
			"topics=" + url.QueryEscape("x;y") + "&topics=&": http.StatusBadRequest,
		} {
			resp := ask(fixture.Request("/?"+query), nil)
			if resp.StatusCode != want {
				t.Errorf("%.40s: got %s, want %d", query, resp.Status, want)
			}
			if named := resp.Header.Get("Crier-Forbidden-Topics"); want != http.StatusForbidden && named != "" {
				t.Errorf("%.40s: %d names the topics %q", query, want, named)
			}
			if text := errorOf(t, resp); strings.Contains(text, "room:") || strings.Contains(text, "secret") {
				t.Errorf("%.40s: the answer names a topic: %s", query, text)
			}
		}
		// Which of the topics that were asked for are refused can be told.
		long := strings.Repeat("é", 60)
		for query, want := range map[string]string{
			"topics=a%2Cx,secret,room:one&topics=" + url.QueryEscape("ö ;"): "a,x,secret,%C3%B6%20%3B",
			"topics=room:one,secret":       "secret",
			"topics=" + numbered(long, 2):  url.PathEscape(long) + "0," + url.PathEscape(long) + "1",
			"topics=" + numbered(long, 20): "", // would be longer than clients accept
		} {
			if got := ask(fixture.Request("/?"+query), nil).Header.Get("Crier-Forbidden-Topics"); got != want {
				t.Errorf("%.40s: names the topics %q, want %q", query, got, want)
			}
		}
		if f.Subscribed() != 0 {
			t.Error("a stream was opened")
		}
		for n, query := range []string{"topics=room:one,room:two", "topics=room%3Aone&topics=room:two", "topics=x%3By"} {
			ask(fixture.Request("/?"+query), nil)
			if f.Subscribed() != n+1 {
				t.Errorf("%s: no stream", query)
			}
		}
	})
}

// numbered returns n names for a query.
func numbered(name string, n int) string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprint(name, i)
	}
	return url.QueryEscape(strings.Join(names, ","))
}

// HEAD answers what GET would.
func TestHEADRefusesForbiddenTopic(t *testing.T) {
	f := fixture.New(t, nil)
	h := sse.NewHandler(f.Hub, f.Auth, nil)
	for query, want := range map[string]int{"": http.StatusOK, "?topics=secret": http.StatusForbidden, "?topics=": http.StatusBadRequest} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodHead, "/"+query, nil))
		if w.Code != want {
			t.Errorf("%q: %d, want %d", query, w.Code, want)
		}
		if named := w.Header().Get("Crier-Forbidden-Topics"); (named == "secret") != (want == http.StatusForbidden) {
			t.Errorf("%q: names the topics %q", query, named)
		}
	}
}
