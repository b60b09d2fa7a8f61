package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/crier-go/crier/client"
)

// note is an event that a script ends with, so that a test has one to wait for.
func note(id string) string { return frame(id, "note.added", `"x"`) }

// A bound is how long a pause may take.
type bound struct{ min, max time.Duration }

func seconds(min, max float64) bound {
	return bound{time.Duration(min * float64(time.Second)), time.Duration(max * float64(time.Second))}
}

// What comes between attempts. Every script ends with an event that has the id
// "end".
func TestPauses(t *testing.T) {
	end := stream(opening, note("end"), silence)
	for name, c := range map[string]struct {
		o      client.Options
		script []answer
		want   []bound
	}{
		"as the server asks": {
			script: []answer{stream(opening), end},
			want:   []bound{seconds(3, 3.75)},
		},
		"as the server asks at the end": {
			script: []answer{stream(opening, "retry: 9000\n"+frame("c1", "stream.end", `{"reason":"shutdown"}`)), end},
			want:   []bound{seconds(9, 11.25)},
		},
		"at the end, and the connection stays open": {
			script: []answer{stream(opening, "retry: 9000\n"+frame("c1", "stream.end", `{"reason":"shutdown"}`), silence), end},
			want:   []bound{seconds(10, 12.25)}, // a second for the server to close
		},
		"what was asked at an end counts once": {
			script: []answer{stream(opening, "retry: 9000\n"+frame("c1", "stream.end", `{"reason":"shutdown"}`)), refuse, refuse, end},
			want:   []bound{seconds(9, 11.25), seconds(3, 3.75), seconds(3, 4)},
		},
		"overloaded": {
			script: []answer{stream("retry: 45000\nevent: stream.end\ndata: {\"reason\":\"overloaded\"}\n\n"), end},
			want:   []bound{seconds(45, 56.25)},
		},
		"a proxy says when": {
			script: []answer{stream("retry: 4000\n\n"), end},
			want:   []bound{seconds(4, 5)},
		},
		"what a proxy says lasts": {
			script: []answer{stream("retry: 4000\n\n"), refuse, end},
			want:   []bound{seconds(4, 5), seconds(4, 5)},
		},
		"nobody says when": {
			script: []answer{stream(note("1")), end},
			want:   []bound{seconds(.5, 1)},
		},
		"an absurd time": {
			script: []answer{stream("retry: 99999999999999999999\n\n"), end},
			want:   []bound{seconds(3600, 4500)},
		},
		"retry of zero": {
			script: []answer{stream("retry: 0\n\n" + note("1")), stream("retry: 0\n\n" + note("2")), end},
			want:   []bound{seconds(.5, 1), seconds(.5, 1)},
		},
		"retry that is not a number": {
			script: []answer{stream(opening, "retry: 1s\n\n"), end},
			want:   []bound{seconds(3, 3.75)},
		},
		"refused": {
			script: []answer{refuse, refuse, refuse, refuse, refuse, refuse, end},
			want:   []bound{seconds(.5, 2), seconds(.5, 4), seconds(.5, 8), seconds(.5, 16), seconds(.5, 20), seconds(.5, 20)},
		},
		"503": {
			script: []answer{status(503, "")},
			want:   []bound{seconds(.5, 2), seconds(.5, 4)},
		},
		"503 with Retry-After": {
			script: []answer{status(503, "", "Retry-After", "7"), status(429, "", "Retry-After", "8"), end},
			want:   []bound{seconds(7, 8.75), seconds(8, 10)},
		},
		"empty streams": {
			script: []answer{stream(), stream(), stream(), end},
			want:   []bound{seconds(.5, 2), seconds(.5, 4), seconds(.5, 8)},
		},
		"no answer": {
			script: []answer{hang, end},
			want:   []bound{seconds(20.5, 22)},
		},
		"silence": {
			o:      client.Options{Heartbeat: 10 * time.Second},
			script: []answer{stream(opening, silence), end},
			want:   []bound{seconds(18, 18.75)},
		},
		"silence in the middle of a frame": {
			o:      client.Options{Heartbeat: 10 * time.Second},
			script: []answer{stream(opening, pause(14*time.Second), "id: 1\ndata", silence), end},
			want:   []bound{seconds(32, 32.75)},
		},
		"comments break silence": {
			o:      client.Options{Heartbeat: 10 * time.Second},
			script: []answer{stream(opening, pause(14*time.Second), ":\n", pause(14*time.Second), ":\n", pause(14*time.Second), ":\n"), end},
			want:   []bound{seconds(45, 45.75)},
		},
		"any silence": {
			o:      client.Options{Heartbeat: -1},
			script: []answer{stream(opening, pause(time.Hour)), end},
			want:   []bound{seconds(3603, 3603.75)},
		},
		"HTML after it has worked": {
			script: []answer{stream(opening), status(200, "<html>", "Content-Type", "text/html"), status(404, ""), end},
			want:   []bound{seconds(3, 3.75), seconds(3, 3.75), seconds(3, 4)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := c.o
				s, f, err := dial(t, &o, c.script...)
				if err != nil {
					t.Fatal(err)
				}
				stop := time.AfterFunc(3*time.Hour, func() { s.Close() })
				defer stop.Stop()
				for e := range s.Events() {
					if e.ID == "end" {
						break
					}
					if len(f.pauses()) >= 10 {
						break
					}
				}
				got := f.pauses()
				if len(got) < len(c.want) {
					t.Fatalf("attempts came after %v, want %v", got, c.want)
				}
				for i, b := range c.want {
					if got[i] < b.min || got[i] > b.max {
						t.Errorf("attempt %d came after %v, want %v to %v", i+2, got[i], b.min, b.max)
					}
				}
			})
		})
	}
}

// However a server fails, attempts are 500 ms apart at the least, and no two
// connections are open at once. (The fake says so.)
func TestNoTightLoop(t *testing.T) {
	token := 0
	for name, c := range map[string]struct {
		o client.Options
		a answer
	}{
		"refused":                   {a: refuse},
		"empty":                     {a: stream()},
		"cut at once":               {a: stream(fail{errRefused})},
		"opens and ends, retry 0":   {a: stream("retry: 0\n", note("1"))},
		"ends with retry 0":         {a: stream("retry: 0\nevent: stream.end\ndata: {}\n\n")},
		"ends with an absurd retry": {a: stream("retry: -5\nevent: stream.end\ndata: {}\n\n")},
		"500":                       {a: status(500, "")},
		"Retry-After 0":             {a: status(503, "", "Retry-After", "0")},
		"Retry-After long ago":      {a: status(503, "", "Retry-After", "Sun, 06 Nov 1994 08:49:37 GMT")},
		"another token each time":   {a: status(401, ""), o: client.Options{Token: func(context.Context) (string, error) { token++; return fmt.Sprint(token), nil }}},
		"revoked each time":         {a: stream(opening, "retry: 0\nevent: stream.end\ndata: {\"reason\":\"revoked\"}\n\n"), o: client.Options{Token: func(context.Context) (string, error) { return "same", nil }}},
		"no token":                  {a: refuse, o: client.Options{Token: func(context.Context) (string, error) { return "", errRefused }}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				asked := 0
				o := c.o
				if o.Token != nil {
					o.Token = func(ctx context.Context) (string, error) { asked++; return c.o.Token(ctx) }
				}
				s, f, err := dial(t, &o, c.a)
				if err != nil {
					t.Fatal(err)
				}
				stop := time.AfterFunc(10*time.Minute, func() { s.Close() })
				defer stop.Stop()
				for range s.Events() {
				}
				for i, p := range f.pauses() {
					if p < 500*time.Millisecond {
						t.Errorf("attempt %d came after %v", i+2, p)
					}
				}
				if n := len(f.attempts) + asked; n < 10 || n > 2400 {
					t.Errorf("%d attempts and questions for a token in ten minutes", n)
				}
			})
		})
	}
}

// What ends a stream for good, on the first attempt and on a later one.
func TestFinal(t *testing.T) {
	html := status(200, "<html>", "Content-Type", "text/html")
	for name, c := range map[string]struct {
		answer       answer
		first, later bool
		want         string
	}{
		"204":            {status(204, ""), true, true, "204 No Content"},
		"401":            {status(401, `{"error":"no valid session: log in first"}`), true, true, "401 Unauthorized: no valid session: log in first"},
		"403":            {status(403, "<html>"), true, true, "403 Forbidden"},
		"400":            {status(400, `{"error":"unknown category"}`), true, false, "unknown category"},
		"404":            {status(404, ""), true, false, "404 Not Found"},
		"408":            {status(408, ""), false, false, ""},
		"429":            {status(429, ""), false, false, ""},
		"500":            {status(500, ""), false, false, ""},
		"502":            {status(502, ""), false, false, ""},
		"HTML":           {html, true, false, `"text/html"`},
		"no type":        {status(200, ""), true, false, `""`},
		"refused":        {refuse, false, false, ""},
		"no such host":   {func(context.Context) (*http.Response, error) { return nil, &net.DNSError{IsNotFound: true} }, true, false, "lookup"},
		"too large":      {stream("data: " + strings.Repeat("x", 2000) + "\n\n"), false, true, "event too large"},
		"too many lines": {stream(strings.Repeat("data: x\n", 2000)), false, true, "event too large"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := func() *client.Options { return &client.Options{MaxEvent: 1000} }
				_, _, err := dial(t, o(), c.answer)
				if c.first != (err != nil) || err != nil && !strings.Contains(err.Error(), c.want) {
					t.Errorf("Dial: got %v", err)
				}
				s, f, err := dial(t, o(), stream(opening), c.answer, stream(opening, note("end"), silence))
				if err != nil {
					t.Fatal(err)
				}
				events, err := collect(s, 1)
				if c.later != (err != nil) || err != nil && !strings.Contains(err.Error(), c.want) {
					t.Errorf("Events: got %q, %v", events, err)
				}
				if c.later {
					if _, again := collect(s, 1); again != err {
						t.Errorf("Events after the end: got %v, and not %v again", again, err)
					}
					if len(f.attempts) != 2 {
						t.Errorf("%d attempts", len(f.attempts))
					}
				}
			})
		})
	}
}

func TestToken(t *testing.T) {
	end := stream(opening, note("end"), silence)
	revoked := stream(opening, frame("c1", "stream.end", `{"reason":"revoked"}`))
	for name, c := range map[string]struct {
		tokens []string // "!" stands for an error
		script []answer
		want   []string // authorizations
		err    string
	}{
		"is kept":                              {[]string{"a", "b"}, []answer{stream(opening), stream(opening), end}, []string{"a", "a", "a"}, ""},
		"is renewed after 401":                 {[]string{"a", "b"}, []answer{stream(opening), status(401, ""), end}, []string{"a", "a", "b"}, ""},
		"is renewed after 204":                 {[]string{"a", "b"}, []answer{stream(opening), status(204, ""), end}, []string{"a", "a", "b"}, ""},
		"is renewed at first":                  {[]string{"a", "b"}, []answer{status(403, ""), end}, []string{"a", "b"}, ""},
		"is the same":                          {[]string{"a", "a"}, []answer{status(401, "")}, []string{"a"}, "401"},
		"is none":                              {[]string{"a", ""}, []answer{status(401, "")}, []string{"a"}, "401"},
		"is none at first":                     {[]string{"", ""}, []answer{status(401, "")}, []string{""}, "401"},
		"cannot be had for now":                {[]string{"a", "!", "!", "b"}, []answer{status(401, ""), end}, []string{"a", "b"}, ""},
		"cannot be sent":                       {[]string{"a\n", "b"}, []answer{end}, []string{"b"}, ""},
		"is refused twice":                     {[]string{"a", "b", "c"}, []answer{status(401, ""), status(401, ""), end}, []string{"a", "b", "c"}, ""},
		"is renewed when revoked":              {[]string{"a", "b"}, []answer{revoked, end}, []string{"a", "b"}, ""},
		"is the same after revocation":         {[]string{"a", "a", "a"}, []answer{revoked, end}, []string{"a", "a"}, ""},
		"is the same after revocation and 401": {[]string{"a", "a", "a"}, []answer{revoked, status(401, "")}, []string{"a", "a"}, "401"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := 0
				s, f, err := dial(t, &client.Options{Token: func(context.Context) (string, error) {
					token := c.tokens[min(n, len(c.tokens)-1)]
					n++
					if token == "!" {
						return "", errors.New("the token service is away")
					}
					return token, nil
				}}, c.script...)
				if err == nil {
					_, err = collect(s, 1)
				}
				if c.err == "" != (err == nil) || err != nil && !strings.Contains(err.Error(), c.err) {
					t.Errorf("got %v", err)
				}
				var got []string
				for _, a := range f.attempts {
					got = append(got, strings.TrimPrefix(a.authorization, "Bearer "))
				}
				if !slices.Equal(got, c.want) {
					t.Errorf("attempts came with %q, want %q", got, c.want)
				}
			})
		})
	}
}

// Where each attempt resumes.
func TestResumePosition(t *testing.T) {
	end := stream(opening, note("end"), silence)
	for name, c := range map[string]struct {
		lastID string
		script []answer
		want   []string
	}{
		"nothing is known at first":            {"", []answer{end}, []string{""}},
		"as the options say":                   {"x", []answer{end}, []string{"x"}},
		"kept by failures":                     {"x", []answer{refuse, status(503, ""), stream(), end}, []string{"x", "x", "x", "x"}},
		"opening cursor":                       {"", []answer{stream(opening), end}, []string{"", "c0"}},
		"event":                                {"", []answer{stream(opening, note("1")), end}, []string{"", "1"}},
		"heartbeat":                            {"", []answer{stream(opening, frame("c1", "stream.cursor", "{}")), end}, []string{"", "c1"}},
		"gap":                                  {"", []answer{stream(opening, frame("c1", "stream.gap", `{"reason":"evicted"}`)), end}, []string{"", "c1"}},
		"end":                                  {"", []answer{stream(opening, frame("c1", "stream.end", `{"reason":"slow"}`)), end}, []string{"", "c1"}},
		"end without an id":                    {"x", []answer{stream(frame("", "stream.end", `{"reason":"overloaded"}`)), end}, []string{"x", "x"}},
		"ephemeral event":                      {"", []answer{stream(opening, note("1"), note("")), end}, []string{"", "1"}},
		"ephemeral event after it has resumed": {"x", []answer{stream(note("")), end}, []string{"x", "x"}},
		"half an event":                        {"", []answer{stream(opening, note("1"), "id: 2\nevent: note.added\ndata: 1\n"), end}, []string{"", "1"}},
		"half an event, cut":                   {"", []answer{stream(opening, note("1"), "id: 2\nevent: note.added\ndata: 1\n", fail{io.ErrUnexpectedEOF}), end}, []string{"", "1"}},
		"block without data":                   {"", []answer{stream(opening, "id: 7\n\n"), end}, []string{"", "7"}},
		"unknown type of the protocol":         {"", []answer{stream(opening, frame("c1", "stream.news", `1`)), end}, []string{"", "c1"}},
		"empty id":                             {"", []answer{stream(opening, "id\ndata: 1\n\n"), end}, []string{"", ""}},
		"id that no header carries":            {"", []answer{stream("id: \x01\ndata: 1\n\n"), end}, []string{"", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, f, err := dial(t, &client.Options{LastID: c.lastID, OnGap: func(client.Gap) {}}, c.script...)
				if err != nil {
					t.Fatal(err)
				}
				for e, err := range s.Events() {
					if err != nil {
						t.Fatal(err)
					}
					if e.ID == "end" {
						break
					}
				}
				var got []string
				for _, a := range f.attempts {
					got = append(got, a.lastID)
				}
				if !slices.Equal(got, c.want) {
					t.Errorf("attempts resumed after %q, want %q", got, c.want)
				}
				if s.LastID() != "end" {
					t.Errorf("LastID is %q", s.LastID())
				}
			})
		})
	}
}
