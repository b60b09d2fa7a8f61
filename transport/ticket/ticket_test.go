package ticket_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/internal/memnet"
	"github.com/crier-go/crier/transport"
	"github.com/crier-go/crier/transport/internal/fixture"
	"github.com/crier-go/crier/transport/poll"
	"github.com/crier-go/crier/transport/sse"
	"github.com/crier-go/crier/transport/ticket"
	"github.com/crier-go/crier/transport/ws"
)

var (
	key   = bytes.Repeat([]byte("k"), 32)
	other = bytes.Repeat([]byte("o"), 32)
	bob   = uuid.MustParse("00000000-0000-4000-8000-00000000000b")
)

// valid agrees to every session.
func valid(_ context.Context, s hub.Session) (hub.Session, error) { return s, nil }

func session(user uuid.UUID) hub.Session {
	return hub.Session{User: user, ID: "laptop", Allowed: hub.Everything()}
}

func mint(t *testing.T, i *ticket.Issuer, purpose string, s hub.Session) string {
	t.Helper()
	token, err := i.Mint(purpose, s)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

var handlers = map[string]func(*hub.Hub, transport.Authenticator, transport.Options) http.Handler{
	"sse": func(h *hub.Hub, auth transport.Authenticator, o transport.Options) http.Handler {
		return sse.NewHandler(h, auth, &sse.Options{Common: o})
	},
	"sse lean": func(h *hub.Hub, auth transport.Authenticator, o transport.Options) http.Handler {
		return sse.NewHandler(h, auth, &sse.Options{Common: o, Lean: true})
	},
	"ws": func(h *hub.Hub, auth transport.Authenticator, o transport.Options) http.Handler {
		return ws.NewHandler(h, auth, &ws.Options{Common: o})
	},
	"poll": func(h *hub.Hub, auth transport.Authenticator, o transport.Options) http.Handler {
		return poll.NewHandler(h, auth, &poll.Options{Common: o})
	},
}

// A site is a server whose streams are opened by tickets.
type site struct {
	*fixture.Fixture
	t         *testing.T
	transport string
	server    *memnet.Server
	secrets   []string // that were sent
}

// everyTransport runs a test with a site for each transport, in a bubble. At the
// end, none of the tickets must stand in the log.
func everyTransport(t *testing.T, newIssuer func() *ticket.Issuer, next transport.Authenticator, o transport.Options, test func(t *testing.T, s *site, i *ticket.Issuer)) {
	for name, newHandler := range handlers {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				i := newIssuer()
				s := &site{Fixture: fixture.New(t, nil), t: t, transport: name}
				o.Logger = slog.New(slog.NewTextHandler(&s.Log, &slog.HandlerOptions{Level: slog.LevelDebug - 10}))
				s.server = memnet.Serve(t, newHandler(s.Hub, i.Authenticator("stream", next), o))
				test(t, s, i)
				log := s.Log.String()
				for _, secret := range append(s.secrets, "ticket=") {
					if strings.Contains(log, secret) {
						t.Errorf("%q was logged: %s", secret, log)
					}
				}
			})
		})
	}
}

// get asks for a stream, and hangs up at the end of the test.
func (s *site) get(url string, headers ...string) *http.Response {
	return s.send(fixture.Request(url, headers...))
}

func (s *site) send(r *http.Request) *http.Response {
	s.t.Helper()
	if s.transport == "ws" {
		fixture.Upgrade(r)
	}
	for _, token := range r.URL.Query()["ticket"] {
		if len(token) > 10 {
			s.secrets = append(s.secrets, token)
		}
	}
	for _, cookie := range r.Cookies() {
		if len(cookie.Value) > 10 {
			s.secrets = append(s.secrets, cookie.Value)
		}
	}
	conn := s.server.Dial()
	s.t.Cleanup(func() { conn.Close() })
	fixture.Send(s.t, conn, r)
	reader := bufio.NewReader(conn)
	resp, err := http.ReadResponse(reader, r)
	if err != nil {
		s.t.Fatal(err)
	}
	if resp.StatusCode == http.StatusSwitchingProtocols {
		resp.Body = io.NopCloser(reader)
	}
	return resp
}

// opens checks that a request opens a stream.
func (s *site) opens(url string, headers ...string) *http.Response {
	s.t.Helper()
	resp := s.get(url, headers...)
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusSwitchingProtocols {
		s.t.Errorf("got %s, want a stream", resp.Status)
	}
	return resp
}

// refuses checks that a request is answered with a status and opens nothing.
func (s *site) refuses(status int, url string, headers ...string) {
	s.t.Helper()
	before := s.Subscribed()
	resp := s.get(url, headers...)
	if resp.StatusCode != status || s.Subscribed() != before {
		s.t.Errorf("got %s, %d streams opened, want %d and none", resp.Status, s.Subscribed()-before, status)
	}
	if got := resp.Header.Values("Set-Cookie"); len(got) > 0 {
		s.t.Errorf("a refusal sets %q", got)
	}
}

// cookieOf returns what a browser would send back.
func cookieOf(t *testing.T, resp *http.Response) string {
	t.Helper()
	cookies := resp.Cookies()
	if len(cookies) != 1 {
		t.Fatalf("%d cookies: %v", len(cookies), resp.Header["Set-Cookie"])
	}
	return cookies[0].Name + "=" + cookies[0].Value
}

// The answer to everything that is no valid ticket is 401, whatever id comes with
// it and whatever the application's own authenticator would say.
func TestBadTicket(t *testing.T) {
	newIssuer := func() *ticket.Issuer { return ticket.New(valid, nil, key) }
	everyTransport(t, newIssuer, fixture.Known, transport.Options{}, func(t *testing.T, s *site, i *ticket.Issuer) {
		good := mint(t, i, "stream", session(fixture.Alice))
		id := s.Publish("secret").ID().String()
		flip := func(n int) string {
			b := []byte(good)
			if b[n]++; b[n] == 'z'+1 || b[n] == '9'+1 || b[n] == 'Z'+1 {
				b[n] = 'a'
			}
			return string(b)
		}
		for name, bad := range map[string]string{
			"empty":                  "",
			"garbage":                "garbage",
			"not base64":             "%00%ff%25",
			"longer than any":        strings.Repeat("A", 100_000),
			"the signature changed":  flip(3),
			"the claims changed":     flip(60),
			"the end changed":        flip(len(good) - 3),
			"cut":                    good[:len(good)-4],
			"continued":              good + "AAAA",
			"only the signature":     good[:43],
			"padded":                 good + "==",
			"a line end in it":       good[:20] + "%0A" + good[20:],
			"of another key":         mint(t, ticket.New(valid, nil, other), "stream", session(fixture.Alice)),
			"of another purpose":     mint(t, i, "other", session(fixture.Alice)),
			"twice":                  good + "&ticket=" + good,
			"a good one and a bad":   good + "&ticket=x",
			"JSON without signature": "eyJwIjoic3RyZWFtIn0",
		} {
			for _, query := range []string{"", "&last_event_id=" + id, "&last_event_id=" + s.Hub.Cursor()} {
				s.refuses(http.StatusUnauthorized, "/?ticket="+bad+query)
				if t.Failed() {
					t.Fatalf("%s, %q", name, query)
				}
			}
		}
		s.opens("/?categories=notes&ticket=" + good)
		time.Sleep(29 * time.Second)
		s.opens("/?ticket=" + good)
		time.Sleep(time.Second)
		s.refuses(http.StatusUnauthorized, "/?ticket="+good)
		s.refuses(http.StatusUnauthorized, "/?ticket="+good, "Last-Event-ID", id)
		s.opens("/") // by the application's own authenticator
		s.refuses(http.StatusForbidden, "/?ticket="+mint(t, i, "stream", session(fixture.Alice)), "Origin", "https://evil.example.net")
		if !strings.Contains(s.Log.String(), "evil") {
			t.Error("nothing was logged that a ticket could be part of")
		}
	})
}

// A ticket opens what its session may have, for its user, and nothing else.
func TestTicketCarriesSession(t *testing.T) {
	s := hub.Session{
		User:    bob,
		ID:      "phone",
		Expires: time.Now().Add(time.Hour).Truncate(time.Millisecond),
		Topics:  []string{"room:1", "größe"},
		Allowed: hub.Categories("notes", "alerts"),
		Meta:    "not carried",
	}
	var checked hub.Session
	i := ticket.New(func(_ context.Context, s hub.Session) (hub.Session, error) {
		checked = s
		s.Meta = "looked up"
		return s, nil
	}, nil, key)
	got, err := i.Authenticator("a", nil)(fixture.Request("/?ticket=" + mint(t, i, "a", s)))
	if err != nil {
		t.Fatal(err)
	}
	cs, everything := got.Allowed.Categories()
	if got.User != bob || got.ID != "phone" || !got.Expires.Equal(s.Expires) || !slices.Equal(got.Topics, s.Topics) ||
		len(cs) != 2 || everything || checked.Meta != nil || got.Meta != "looked up" {
		t.Errorf("got %+v, checked %+v", got, checked)
	}
	got, err = i.Authenticator("a", nil)(fixture.Request("/?ticket=" + mint(t, i, "a", session(bob))))
	if _, everything := got.Allowed.Categories(); err != nil || !everything || !got.Expires.IsZero() || got.Topics != nil {
		t.Errorf("got %+v, %v", got, err)
	}
}

// Without a ticket, the application's own authenticator decides.
func TestNext(t *testing.T) {
	i := ticket.New(valid, nil, key)
	for query, want := range map[string]bool{"/": true, "/?tickets=x": true, "/?ticket": false, "/?ticket=": false, "/?%74icket=x": false} {
		s, err := i.Authenticator("a", fixture.Known)(fixture.Request(query))
		if want != (err == nil && s.User == fixture.Alice) || !want && !errors.Is(err, transport.ErrUnauthenticated) {
			t.Errorf("%s: %v, %v", query, s, err)
		}
	}
	if _, err := i.Authenticator("a", nil)(fixture.Request("/")); !errors.Is(err, transport.ErrUnauthenticated) {
		t.Errorf("without next: %v", err)
	}
}

// The first key signs, all of them are accepted, and one that was removed is not.
func TestKeyRotation(t *testing.T) {
	before, during, after := ticket.New(valid, nil, key), ticket.New(valid, nil, other, key), ticket.New(valid, nil, other)
	accepts := func(i *ticket.Issuer, token string) bool {
		_, err := i.Authenticator("a", nil)(fixture.Request("/?ticket=" + token))
		return err == nil
	}
	old, young := mint(t, before, "a", session(bob)), mint(t, during, "a", session(bob))
	if !accepts(during, old) || !accepts(during, young) || !accepts(after, young) {
		t.Error("a ticket of a valid key is refused")
	}
	if accepts(after, old) || accepts(before, young) {
		t.Error("a ticket of another key is accepted")
	}
}

// What Check answers, holds.
func TestCheck(t *testing.T) {
	var answer atomic.Value
	check := func(_ context.Context, s hub.Session) (hub.Session, error) {
		return answer.Load().(func(hub.Session) (hub.Session, error))(s)
	}
	newIssuer := func() *ticket.Issuer { return ticket.New(check, &ticket.Options{Once: true}, key) }
	everyTransport(t, newIssuer, nil, transport.Options{}, func(t *testing.T, s *site, i *ticket.Issuer) {
		url := "/?ticket=" + mint(t, i, "stream", session(fixture.Alice))
		fails := func(err error) func(hub.Session) (hub.Session, error) {
			return func(hub.Session) (hub.Session, error) { return hub.Session{}, err }
		}
		answer.Store(fails(transport.ErrUnauthenticated))
		s.refuses(http.StatusUnauthorized, url)
		answer.Store(fails(transport.ErrForbidden))
		s.refuses(http.StatusForbidden, url)
		answer.Store(func(s hub.Session) (hub.Session, error) { s.Expires = time.Now(); return s, nil })
		s.refuses(http.StatusUnauthorized, url)
		for text, f := range map[string]func(hub.Session) (hub.Session, error){
			"the database is away":    fails(errors.New("the database is away")),
			"session of another user": func(s hub.Session) (hub.Session, error) { s.User = bob; return s, nil },
		} {
			answer.Store(f)
			if s.get(url); s.Subscribed() != 0 || !strings.Contains(s.Log.String(), text) {
				t.Errorf("%s: %d streams, log %q", text, s.Subscribed(), s.Log.String())
			}
		}
		answer.Store(func(s hub.Session) (hub.Session, error) { return s, nil })
		s.opens(url) // none of that has used the ticket up
		s.refuses(http.StatusUnauthorized, url)
	})
}

// A revoked session stays out, by its cookie too.
func TestRevokedSessionDoesNotReconnect(t *testing.T) {
	var revoked atomic.Bool
	check := func(_ context.Context, s hub.Session) (hub.Session, error) {
		if revoked.Load() {
			return s, transport.ErrUnauthenticated
		}
		return s, nil
	}
	newIssuer := func() *ticket.Issuer { revoked.Store(false); return ticket.New(check, nil, key) }
	everyTransport(t, newIssuer, nil, transport.Options{}, func(t *testing.T, s *site, i *ticket.Issuer) {
		url := "/?ticket=" + mint(t, i, "stream", session(fixture.Alice))
		cookie := cookieOf(t, s.opens(url))
		revoked.Store(true)
		s.Hub.RevokeUser(context.Background(), fixture.Alice)
		s.refuses(http.StatusUnauthorized, url, "Cookie", cookie)
	})
}

// A ticket that opens once opens once, also if it is used by many at once.
func TestOnce(t *testing.T) {
	newIssuer := func() *ticket.Issuer { return ticket.New(valid, &ticket.Options{Once: true}, key) }
	everyTransport(t, newIssuer, nil, transport.Options{}, func(t *testing.T, s *site, i *ticket.Issuer) {
		a, b := mint(t, i, "stream", session(fixture.Alice)), mint(t, i, "stream", session(fixture.Alice))
		if a == b {
			t.Error("two tickets are equal")
		}
		if s.transport != "ws" {
			r := fixture.Request("/?ticket=" + a)
			r.Method = http.MethodHead
			s.send(r)
		}
		s.opens("/?ticket=" + a)
		for range 3 {
			s.refuses(http.StatusUnauthorized, "/?ticket="+a)
			time.Sleep(10 * time.Second)
		}
		b = mint(t, i, "stream", session(fixture.Alice))
		s.opens("/?ticket=" + b)
		s.refuses(http.StatusUnauthorized, "/?ticket="+b, "Last-Event-ID", s.Hub.Cursor())
	})
	synctest.Test(t, func(t *testing.T) {
		i := newIssuer()
		auth, token := i.Authenticator("a", nil), mint(t, i, "a", session(bob))
		var opened atomic.Int64
		for range 100 {
			go func() {
				if _, err := auth(fixture.Request("/?ticket=" + token)); err == nil {
					opened.Add(1)
				}
			}()
		}
		synctest.Wait()
		if n := opened.Load(); n != 1 {
			t.Errorf("%d streams by one ticket", n)
		}
		// Another start of the process has forgotten what was used.
		time.Sleep(time.Second)
		if _, err := newIssuer().Authenticator("a", nil)(fixture.Request("/?ticket=" + mint(t, i, "a", session(bob)))); err != nil {
			t.Errorf("minted after the other issuer was made: %v", err)
		}
		unused := mint(t, i, "a", session(bob))
		time.Sleep(time.Second)
		if _, err := newIssuer().Authenticator("a", nil)(fixture.Request("/?ticket=" + unused)); !errors.Is(err, transport.ErrUnauthenticated) {
			t.Errorf("minted before the issuer was made: %v", err)
		}
	})
}

// Claim is asked in place of the process's own memory.
func TestClaim(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var used []uuid.UUID
		var failure error
		claim := func(_ context.Context, id uuid.UUID, until time.Time) (bool, error) {
			if want := time.Now().Add(30 * time.Second); !until.Equal(want) {
				t.Errorf("until %v, want %v", until, want)
			}
			if failure != nil {
				return false, failure
			}
			first := !slices.Contains(used, id)
			used = append(used, id)
			return first, nil
		}
		o := &ticket.Options{Once: true, Claim: claim}
		a, b := ticket.New(valid, o, key), ticket.New(valid, o, key)
		r := fixture.Request("/?ticket=" + mint(t, a, "a", session(bob)))
		failure = errors.New("away")
		if _, err := b.Authenticator("a", nil)(r); err != failure {
			t.Errorf("got %v", err)
		}
		failure = nil
		if _, err := b.Authenticator("a", nil)(r); err != nil {
			t.Error(err)
		}
		if _, err := a.Authenticator("a", nil)(r); !errors.Is(err, transport.ErrUnauthenticated) {
			t.Errorf("used at another process: %v", err)
		}
	})
}

// The life of a ticket bounds the opening: what is open is rechecked by Check
// alone, and lives as long as its session.
func TestRecheckAsksCheck(t *testing.T) {
	var asked atomic.Int64
	var gone atomic.Bool
	check := func(_ context.Context, s hub.Session) (hub.Session, error) {
		asked.Add(1)
		if gone.Load() {
			return s, transport.ErrUnauthenticated
		}
		s.Expires = time.Now().Add(10 * time.Minute)
		return s, nil
	}
	newIssuer := func() *ticket.Issuer {
		gone.Store(false)
		return ticket.New(check, &ticket.Options{Once: true, CookieLife: -1}, key)
	}
	o := transport.Options{Recheck: time.Minute, Heartbeat: 10 * time.Hour, WriteTimeout: 10 * time.Hour}
	everyTransport(t, newIssuer, nil, o, func(t *testing.T, s *site, i *ticket.Issuer) {
		if s.transport == "poll" {
			return // each request is answered once
		}
		login := session(fixture.Alice)
		login.Expires = time.Now().Add(5 * time.Minute)
		asked.Store(0)
		resp := s.opens("/?ticket=" + mint(t, i, "stream", login) + "&last_event_id=" + s.Hub.Cursor())
		time.Sleep(time.Hour + time.Second)
		if n := asked.Load(); n != 61 {
			t.Errorf("asked %d times in an hour", n)
		}
		gone.Store(true)
		rest := make(chan string)
		go func() {
			b, _ := io.ReadAll(resp.Body)
			rest <- string(b)
		}()
		time.Sleep(2 * time.Minute)
		if s.Ended(hub.ReasonRevoked) != 1 {
			t.Errorf("ended: %v", s.Hub.Stats().Ended)
		}
		resp.Body.Close()
		if got := <-rest; !strings.Contains(got, "revoked") {
			t.Errorf("got %q", got)
		}
	})
}

func TestMintErrors(t *testing.T) {
	i := ticket.New(valid, nil, key)
	for name, s := range map[string]hub.Session{
		"no user":        {Allowed: hub.Everything()},
		"nothing":        {User: bob},
		"expired":        {User: bob, Allowed: hub.Everything(), Expires: time.Now()},
		"epoch":          {User: bob, Allowed: hub.Everything(), Expires: time.Unix(0, 0)},
		"bad id":         {User: bob, Allowed: hub.Everything(), ID: "\xff"},
		"bad topic":      {User: bob, Allowed: hub.Everything(), Topics: []string{"a", "\xff"}},
		"a long id":      {User: bob, Allowed: hub.Everything(), ID: strings.Repeat("x", 4000)},
		"too many topic": {User: bob, Allowed: hub.Everything(), Topics: slices.Repeat([]string{strings.Repeat("x", 100)}, 100)},
	} {
		if token, err := i.Mint("a", s); err == nil || token != "" {
			t.Errorf("%s: %q, %v", name, token, err)
		}
	}
}

func TestPanics(t *testing.T) {
	i := ticket.New(valid, nil, key)
	for name, f := range map[string]func(){
		"no check":        func() { ticket.New(nil, nil, key) },
		"no key":          func() { ticket.New(valid, nil) },
		"a short key":     func() { ticket.New(valid, nil, key, key[:31]) },
		"a negative life": func() { ticket.New(valid, &ticket.Options{Life: -1}, key) },
		"a long life":     func() { ticket.New(valid, &ticket.Options{Life: time.Hour}, key) },
		"a relative path": func() { ticket.New(valid, &ticket.Options{CookiePath: "events"}, key) },
		"a path with ;":   func() { ticket.New(valid, &ticket.Options{CookiePath: "/events; Domain=x"}, key) },
		"no purpose":      func() { i.Mint("", session(bob)) },
		"a bad purpose":   func() { i.Authenticator("a b", nil) },
		"an endless name": func() { i.Authenticator(strings.Repeat("a", 65), nil) },
		"a control char":  func() { i.Authenticator("a\x00", nil) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if text, ok := recover().(string); !ok || !strings.HasPrefix(text, "ticket: ") {
					t.Errorf("got %q, want a panic of this package", text)
				}
			}()
			f()
		})
	}
}
