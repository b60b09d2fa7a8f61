package transport_test

import (
	"bufio"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/crier-go/crier/internal/memnet"
	"github.com/crier-go/crier/transport"
	"github.com/crier-go/crier/transport/internal/fixture"
	"github.com/crier-go/crier/transport/sse"
)

// The server is app.example.com. AllowedOrigins has friend.example.org.
func TestOrigin(t *testing.T) {
	const no, yes, byOption = "no", "yes", "by option"
	for name, c := range map[string]struct {
		headers []string
		allowed string
	}{
		"no browser":                {nil, yes},
		"same origin":               {[]string{"Origin", "https://app.example.com"}, yes},
		"same origin, in capitals":  {[]string{"Origin", "https://APP.example.com"}, yes},
		"behind a TLS proxy":        {[]string{"Origin", "http://app.example.com"}, yes},
		"fetched by its own page":   {[]string{"Sec-Fetch-Site", "same-origin", "Origin", "https://app.example.com"}, yes},
		"typed into the bar":        {[]string{"Sec-Fetch-Site", "none"}, yes},
		"another host":              {[]string{"Origin", "https://evil.example.net"}, no},
		"another port":              {[]string{"Origin", "https://app.example.com:8443"}, no},
		"a subdomain":               {[]string{"Origin", "https://x.app.example.com"}, no},
		"begins like ours":          {[]string{"Origin", "https://app.example.com.evil.example.net"}, no},
		"begins like a friend's":    {[]string{"Origin", "https://friend.example.org.evil.example.net"}, no},
		"a friend's, without TLS":   {[]string{"Origin", "http://friend.example.org"}, no},
		"a sandboxed frame":         {[]string{"Origin", "null"}, no},
		"no origin at all":          {[]string{"Origin", "app.example.com"}, no},
		"garbage":                   {[]string{"Origin", "https://%zz"}, no},
		"cross-site, no Origin":     {[]string{"Sec-Fetch-Site", "cross-site"}, no},
		"same-site, no Origin":      {[]string{"Sec-Fetch-Site", "same-site"}, no},
		"cross-site, forged Origin": {[]string{"Sec-Fetch-Site", "cross-site", "Origin", "https://app.example.com"}, no},
		"http's port in Host":       {[]string{"Host", "app.example.com:80", "Origin", "http://app.example.com"}, yes},
		"https's port in Host":      {[]string{"Host", "app.example.com:443", "Origin", "https://app.example.com"}, yes},
		"the other's port in Host":  {[]string{"Host", "app.example.com:80", "Origin", "https://app.example.com"}, no},
		"two Origins":               {[]string{"Origin", "https://app.example.com", "Origin", "https://evil.example.net"}, no},
		"two Origins, one a friend": {[]string{"Origin", "https://friend.example.org", "Origin", "https://evil.example.net"}, no},
		"friend, in capitals":       {[]string{"Origin", "https://FRIEND.example.org"}, byOption},
		"friend":                    {[]string{"Origin", "https://friend.example.org"}, byOption},
		"friend, cross-site":        {[]string{"Sec-Fetch-Site", "cross-site", "Origin", "https://friend.example.org"}, byOption},
	} {
		t.Run(name, func(t *testing.T) {
			everyHandler(t, func(t *testing.T, f *fixture.Fixture, ask asking) {
				friends := &transport.Options{AllowedOrigins: []string{"https://other.example.org", "HTTPS://Friend.Example.Org:443"}}
				for _, o := range []*transport.Options{{}, friends} {
					before := f.Subscribed()
					want := c.allowed == yes || c.allowed == byOption && o == friends
					resp := ask(fixture.Request("/", c.headers...), o)
					if opened(resp) != want {
						t.Errorf("got %s", resp.Status)
					}
					if !want {
						if resp.StatusCode != http.StatusForbidden {
							t.Errorf("got %s, want 403", resp.Status)
						}
						errorOf(t, resp)
						if f.Subscribed() != before {
							t.Error("a stream was opened")
						}
					}
				}
			})
		})
	}
}

// A refused origin is logged with what was compared and with the option that
// would allow it, on every transport, and at most once a minute.
func TestRefusedOriginIsLogged(t *testing.T) {
	everyHandler(t, func(t *testing.T, f *fixture.Fixture, ask asking) {
		r := fixture.Request("/", "Origin", "http://localhost:5173")
		if resp := ask(r, nil); resp.StatusCode != http.StatusForbidden {
			t.Errorf("got %s, want 403", resp.Status)
		}
		for _, want := range []string{"http://localhost:5173", "app.example.com", "AllowedOrigins", "level=WARN"} {
			if log := f.Log.String(); !strings.Contains(log, want) {
				t.Errorf("the log does not say %q: %s", want, log)
			}
		}
	})
	f := fixture.New(t, nil)
	a := transport.NewAcceptor(f.Hub, f.Auth, "test", &transport.Options{Logger: f.Logger()})
	for range 1000 {
		a.Check(httptest.NewRecorder(), fixture.Request("/", "Origin", "https://"+strings.Repeat("x", 10_000)))
	}
	if log := f.Log.String(); strings.Count(log, "\n") != 1 || len(log) > 2000 {
		t.Errorf("1000 refusals were logged in %d lines of %d bytes", strings.Count(log, "\n"), len(log))
	}
}

// A page of an allowed origin can read the response, also a refusal, and caches
// keep the responses to different origins apart.
func TestCORS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fixture.New(t, nil)
		server := memnet.Serve(t, sse.NewHandler(f.Hub, f.Auth, &sse.Options{
			Common: transport.Options{AllowedOrigins: []string{"https://friend.example.org"}, Logger: f.Logger()},
		}))
		ask := func(r *http.Request) *http.Response {
			conn := server.Dial()
			fixture.Send(t, conn, r)
			resp, err := http.ReadResponse(bufio.NewReader(conn), r)
			if err != nil {
				t.Fatal(err)
			}
			return resp
		}
		check := func(what string, resp *http.Response, status int, header ...string) {
			t.Helper()
			if resp.StatusCode != status {
				t.Errorf("%s: got %s, want %d", what, resp.Status, status)
			}
			for i := 0; i < len(header); i += 2 {
				if got := resp.Header.Get(header[i]); got != header[i+1] {
					t.Errorf("%s: %s: %q, want %q", what, header[i], got, header[i+1])
				}
			}
		}
		friend, ours, evil := "https://friend.example.org", "https://app.example.com", "https://evil.example.net"
		const origin, credentials = "Access-Control-Allow-Origin", "Access-Control-Allow-Credentials"

		check("a friend's stream", ask(fixture.Request("/", "Origin", friend)), 200, origin, friend, credentials, "true", "Vary", "Origin")
		check("a friend's mistake", ask(fixture.Request("/?categories=x", "Origin", friend)), 400, origin, friend, credentials, "true")
		check("our own", ask(fixture.Request("/", "Origin", ours)), 200, origin, "", credentials, "", "Vary", "Origin")
		check("a stranger's", ask(fixture.Request("/", "Origin", evil)), 403, origin, "", credentials, "", "Vary", "Origin")

		preflight := func(from string) *http.Response {
			r := fixture.Request("/", "Origin", from, "Access-Control-Request-Method", "GET", "Access-Control-Request-Headers", "last-event-id")
			r.Method = http.MethodOptions
			return ask(r)
		}
		check("a friend's preflight", preflight(friend), 204, origin, friend, credentials, "true",
			"Access-Control-Allow-Methods", "GET", "Access-Control-Allow-Headers", "Last-Event-ID, Cache-Control")
		check("a stranger's preflight", preflight(evil), 403, origin, "", "Access-Control-Allow-Headers", "")
	})
}
