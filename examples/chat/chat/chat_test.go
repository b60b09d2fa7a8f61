package chat

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/crier-go/crier/hub"
)

// A chat is a server under test, and requests to it without a network.
type chat struct {
	t *testing.T
	*server
	h http.Handler
}

func newChat(t *testing.T) chat {
	t.Helper()
	return newChatWithKey(t, bytes.Repeat([]byte("k"), keySize))
}

func newChatWithKey(t *testing.T, key []byte) chat {
	t.Helper()
	return openChat(t, key, nil)
}

func openChat(t *testing.T, key []byte, backplane hub.Backplane) chat {
	t.Helper()
	s, err := openServer(t.Context(), key, Options{Backplane: backplane, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	return chat{t, s, s.served}
}

// do sends a request; set may change it first.
func (c chat) do(method, path, body string, set ...func(*http.Request)) *http.Response {
	c.t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	for _, f := range set {
		f(r)
	}
	w := httptest.NewRecorder()
	c.h.ServeHTTP(w, r)
	return w.Result()
}

func header(key, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(key, value) }
}

func cookie(c *http.Cookie) func(*http.Request) {
	return func(r *http.Request) { r.AddCookie(c) }
}

var (
	asJSON = header("Content-Type", "application/json")
	asForm = header("Content-Type", "application/x-www-form-urlencoded")
)

// login enters a name and returns the session cookie.
func (c chat) login(name string) *http.Cookie {
	c.t.Helper()
	resp := c.do("POST", "/login", url.Values{"name": {name}}.Encode(), asForm)
	if resp.StatusCode != http.StatusSeeOther || len(resp.Cookies()) != 1 {
		c.t.Fatalf("login of %q: %s, %s", name, resp.Status, text(resp))
	}
	return resp.Cookies()[0]
}

// listen opens a subscription as the cookie's owner.
func (c chat) listen(as *http.Cookie) *hub.Subscription {
	c.t.Helper()
	r := httptest.NewRequest("GET", "/events", nil)
	r.AddCookie(as)
	session, err := c.authenticate(r)
	if err != nil {
		c.t.Fatal(err)
	}
	s, err := c.hub.Subscribe(hub.Request{Session: session, Filter: hub.Everything(), Transport: "test"})
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(s.Close)
	return s
}

// heard returns the types and data of what a subscription has to take.
func heard(t *testing.T, s *hub.Subscription) (got []string) {
	t.Helper()
	for {
		batch, err := s.Take(nil)
		if err != nil {
			return append(got, err.Error())
		}
		if len(batch) == 0 {
			return got
		}
		for _, m := range batch {
			got = append(got, string(m.Type())+" "+string(m.Data()))
		}
	}
}

func text(resp *http.Response) string {
	b, _ := io.ReadAll(resp.Body)
	return string(b)
}

// problemIn returns the error of a JSON answer.
func problemIn(t *testing.T, resp *http.Response) string {
	t.Helper()
	var v struct{ Error string }
	body := text(resp)
	if err := json.Unmarshal([]byte(body), &v); err != nil || v.Error == "" || resp.Header.Get("Content-Type") != "application/json" {
		t.Fatalf("%s: no JSON error: %q", resp.Status, body)
	}
	return v.Error
}
