package ticket

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/transport"
)

// What was used is remembered for as long as it could be used again, and
// forgotten then; the memory has a bound, beyond which nothing is accepted.
func TestUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := &used{period: time.Minute, max: 1000}
		claim := func(id uuid.UUID) (bool, error) { return u.claim(context.Background(), id, time.Time{}) }
		for range 3 {
			for range 20 {
				id := uuid.New()
				if first, err := claim(id); !first || err != nil {
					t.Fatalf("first: %v, %v", first, err)
				}
				for range 3 {
					time.Sleep(19 * time.Second)
					if first, err := claim(id); first || err != nil {
						t.Fatalf("again: %v, %v", first, err)
					}
				}
			}
			time.Sleep(time.Hour)
			claim(uuid.New())
			if n := len(u.now) + len(u.past); n != 1 {
				t.Errorf("%d ids are remembered after an hour", n)
			}
		}
		for range 999 {
			claim(uuid.New())
		}
		if first, err := claim(uuid.New()); first || err != errTooManyUsed || errors.Is(err, transport.ErrUnauthenticated) {
			t.Errorf("beyond the bound: %v, %v", first, err)
		}
		time.Sleep(3 * time.Minute)
		if first, err := claim(uuid.New()); !first || err != nil {
			t.Errorf("after that: %v, %v", first, err)
		}
	})
}

// Processes whose clocks or whose Life differ do not prolong a ticket.
func TestOpens(t *testing.T) {
	i := New(func(_ context.Context, s hub.Session) (hub.Session, error) { return s, nil }, nil, make([]byte, minKey))
	now := time.UnixMilli(1_000_000_000)
	for name, c := range map[string]struct {
		issued, until time.Duration
		want          bool
	}{
		"fresh":                   {0, 30 * time.Second, true},
		"nearly expired":          {-30*time.Second + time.Millisecond, time.Millisecond, true},
		"expired":                 {-30 * time.Second, 0, false},
		"of a longer Life":        {-time.Minute, time.Hour, false},
		"of a shorter Life":       {-10 * time.Second, 0, false},
		"of a clock that is fast": {20 * time.Second, 50 * time.Second, true},
		"of the future":           {31 * time.Second, time.Hour, false},
	} {
		got := i.opens(&claims{Issued: now.Add(c.issued).UnixMilli(), Until: now.Add(c.until).UnixMilli()}, now)
		if got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// Whatever a client sends as a ticket or as a cookie, it opens nothing unless it
// was signed, and nothing panics.
func FuzzAuthenticator(f *testing.F) {
	key := bytes.Repeat([]byte("k"), minKey)
	i := New(func(_ context.Context, s hub.Session) (hub.Session, error) { return s, nil }, nil, key)
	login := hub.Session{User: uuid.Max, ID: "laptop", Allowed: hub.Everything(), Topics: []string{"a"}}
	good, err := i.Mint("sse", login)
	if err != nil {
		f.Fatal(err)
	}
	c, err := unseal([][]byte{key}, kindTicket, good)
	if err != nil {
		f.Fatal(err)
	}
	other, err := i.Mint("ws", login)
	if err != nil {
		f.Fatal(err)
	}
	for _, token := range []string{good, other, "", good[1:], good + "A", good[:43], "\n" + good, "=", "%"} {
		f.Add(token, cookieName(c)+"="+token)
	}
	auth := i.Authenticator("sse", nil)
	f.Fuzz(func(t *testing.T, token, cookie string) {
		r := &http.Request{
			Method: http.MethodGet,
			URL:    &url.URL{Path: "/", RawQuery: url.Values{parameter: {token}}.Encode()},
			Header: http.Header{"Cookie": {cookie}},
		}
		s, err := auth(r)
		switch {
		case err == nil:
			// Mint has made it, in this process or in another of the fuzzer's.
			c, err := unseal([][]byte{key}, kindTicket, token)
			if err != nil || c.Purpose != "sse" || s.User != uuid.Max {
				t.Fatalf("%q has opened a stream for %v: %v", token, s, err)
			}
			if again, err := seal(key, kindTicket, *c); again != token {
				t.Errorf("%q has opened a stream, and is another form of %q (%v)", token, again, err)
			}
		case !errors.Is(err, transport.ErrUnauthenticated):
			t.Error(err)
		}
	})
}

// What was signed is interpreted: with the key in other hands than these, it must
// not do harm either.
func FuzzClaims(f *testing.F) {
	key := bytes.Repeat([]byte("k"), minKey)
	for _, body := range []string{`{}`, `{"p":"sse","u":"00000000-0000-4000-8000-00000000000b","a":true}`, `{"e":-1e9}`, `null`, `[]`, `{"c":[""],"x":9223372036854775807}`} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		token := encoding.EncodeToString(append(sign(key, kindTicket, body), body...))
		c, err := unseal([][]byte{key}, kindTicket, token)
		if err != nil {
			return
		}
		s := c.session()
		again, err := claim(c.Purpose, s)
		if err != nil {
			return
		}
		if !again.sameLogin(c) || again.Expires != c.Expires && c.Expires > 0 {
			t.Errorf("%+v became %+v", c, again)
		}
	})
}
