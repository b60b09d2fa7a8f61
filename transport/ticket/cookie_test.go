package ticket_test

import (
	"crypto/tls"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/transport"
	"github.com/crier-go/crier/transport/internal/fixture"
	"github.com/crier-go/crier/transport/ticket"
)

// With the cookie that its opening has set, an expired ticket opens the stream
// again, for as long as the cookie lives; each opening prolongs it.
func TestReconnectByCookie(t *testing.T) {
	newIssuer := func() *ticket.Issuer {
		return ticket.New(valid, &ticket.Options{Once: true, CookieLife: time.Hour}, key)
	}
	everyTransport(t, newIssuer, nil, transport.Options{}, func(t *testing.T, s *site, i *ticket.Issuer) {
		url := "/?ticket=" + mint(t, i, "stream", session(fixture.Alice))
		cookie := cookieOf(t, s.opens(url))
		s.refuses(http.StatusUnauthorized, url) // used
		s.opens(url, "Cookie", cookie)
		time.Sleep(50 * time.Minute)
		s.refuses(http.StatusUnauthorized, url) // expired
		prolonged := cookieOf(t, s.opens(url, "Cookie", "a=b; "+cookie))
		time.Sleep(10*time.Minute + time.Second)
		s.refuses(http.StatusUnauthorized, url, "Cookie", cookie)
		s.opens(url, "Cookie", cookie+"; "+prolonged) // of two paths
		time.Sleep(time.Hour)
		s.refuses(http.StatusUnauthorized, url, "Cookie", prolonged)
	})
}

// A cookie opens nothing but the stream of its login, together with its ticket.
func TestBadCookie(t *testing.T) {
	newIssuer := func() *ticket.Issuer { return ticket.New(valid, nil, key) }
	everyTransport(t, newIssuer, nil, transport.Options{}, func(t *testing.T, s *site, i *ticket.Issuer) {
		phone := session(fixture.Alice)
		phone.ID = "phone"
		token := func(s hub.Session) string { return mint(t, i, "stream", s) }
		laptop, second := token(session(fixture.Alice)), token(session(fixture.Alice))
		others := map[string]string{"another user": token(session(bob)), "another session": token(phone)}
		cookie := cookieOf(t, s.opens("/?ticket="+laptop))
		name, value, _ := strings.Cut(cookie, "=")
		stolen := map[string]string{}
		for who, token := range others {
			stolen[who] = cookieOf(t, s.opens("/?ticket="+token))
		}
		time.Sleep(time.Minute)
		s.refuses(http.StatusUnauthorized, "/", "Cookie", cookie)
		for who, token := range others {
			s.refuses(http.StatusUnauthorized, "/?ticket="+token, "Cookie", cookie)
			s.refuses(http.StatusUnauthorized, "/?ticket="+laptop, "Cookie", stolen[who])
			_, theirs, _ := strings.Cut(stolen[who], "=")
			s.refuses(http.StatusUnauthorized, "/?ticket="+laptop, "Cookie", name+"="+theirs)
		}
		for _, bad := range []string{"", "x", laptop, value[:len(value)-4], strings.Repeat("A", 5000)} {
			s.refuses(http.StatusUnauthorized, "/?ticket="+laptop, "Cookie", name+"="+bad)
		}
		s.refuses(http.StatusUnauthorized, "/?ticket="+value, "Cookie", cookie) // a cookie is no ticket
		s.refuses(http.StatusUnauthorized, "/?ticket="+laptop+"x", "Cookie", cookie)
		s.opens("/?ticket="+second, "Cookie", cookie) // another tab of the same login
		if got := cookieOf(t, s.opens("/?ticket="+laptop, "Cookie", cookie)); !strings.HasPrefix(got, name+"=") {
			t.Errorf("a second cookie, %q, beside %q", got, name)
		}
	})
}

// A cookie is for the purpose of its ticket.
func TestCookiePurpose(t *testing.T) {
	i := ticket.New(valid, nil, key)
	open := func(purpose string) *http.Response {
		r := fixture.Request("/?ticket=" + mint(t, i, purpose, session(fixture.Alice)))
		w := answered(t, i.Authenticator(purpose, nil), r)
		return &http.Response{Header: w}
	}
	if a, b := cookieOf(t, open("a")), cookieOf(t, open("b")); strings.Split(a, "=")[0] == strings.Split(b, "=")[0] {
		t.Errorf("%q and %q overwrite each other", a, b)
	}
}

// answered returns the header of the answer to a request, which must open a stream.
func answered(t *testing.T, auth transport.Authenticator, r *http.Request) http.Header {
	t.Helper()
	f := fixture.New(t, nil)
	w := &recorder{header: http.Header{}}
	s := transport.NewAcceptor(f.Hub, auth, "test", nil).Accept(w, r)
	if s == nil {
		t.Fatalf("refused with %d", w.status)
	}
	s.Close()
	return w.header
}

type recorder struct {
	header http.Header
	status int
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) Write(b []byte) (int, error) { return len(b), nil }
func (r *recorder) WriteHeader(status int)      { r.status = status }

func TestCookieAttributes(t *testing.T) {
	for name, c := range map[string]struct {
		options ticket.Options
		change  func(r *http.Request)
		want    string // behind the name and the value; empty means no cookie
	}{
		"plain":             {want: "Path=/events; Max-Age=86400; HttpOnly; SameSite=Strict"},
		"over TLS":          {change: func(r *http.Request) { r.TLS = &tls.ConnectionState{} }, want: "Path=/events; Max-Age=86400; HttpOnly; Secure; SameSite=Strict"},
		"a proxy ends TLS":  {options: ticket.Options{Secure: true}, want: "Path=/events; Max-Age=86400; HttpOnly; Secure; SameSite=Strict"},
		"a short life":      {options: ticket.Options{CookieLife: time.Millisecond}, want: "Path=/events; Max-Age=1; HttpOnly; SameSite=Strict"},
		"none":              {options: ticket.Options{CookieLife: -1}},
		"a path of its own": {options: ticket.Options{CookiePath: "/app/events"}, want: "Path=/app/events; Max-Age=86400; HttpOnly; SameSite=Strict"},
		"StripPrefix":       {change: func(r *http.Request) { r.URL.Path = "/"; r.RequestURI = "/a%20b/events?ticket=x" }, want: "Path=/a%20b/events; Max-Age=86400; HttpOnly; SameSite=Strict"},
		"absolute form":     {change: func(r *http.Request) { r.RequestURI = "http://app.example.com/events?ticket=x" }, want: "Path=/events; Max-Age=86400; HttpOnly; SameSite=Strict"},
		"a path with ;":     {change: func(r *http.Request) { r.RequestURI = "/events;Domain=example.com?ticket=x" }},
		"not ASCII":         {change: func(r *http.Request) { r.RequestURI = "/\xff" }},
		"HEAD":              {change: func(r *http.Request) { r.Method = http.MethodHead }},
	} {
		t.Run(name, func(t *testing.T) {
			i := ticket.New(valid, &c.options, key)
			r := fixture.Request("/events?ticket=" + mint(t, i, "stream", session(fixture.Alice)))
			if c.change != nil {
				c.change(r)
			}
			got := answered(t, i.Authenticator("stream", nil), r).Get("Set-Cookie")
			if _, attributes, _ := strings.Cut(got, "; "); attributes != c.want {
				t.Errorf("got %q, want %q", attributes, c.want)
			}
		})
	}
}
