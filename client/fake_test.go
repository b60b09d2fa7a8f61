package client_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/crier-go/crier/client"
)

// A fake is a server that is not there: it answers each attempt by the next
// step of a script. The last step is repeated.
type fake struct {
	t      *testing.T
	script []answer

	mu       sync.Mutex
	attempts []attempt
	open     int // responses whose body is not closed
}

type answer func(ctx context.Context) (*http.Response, error)

// An attempt is what the server sees of one.
type attempt struct {
	at                    time.Time
	lastID, authorization string
	categories, topics    string
}

func (f *fake) RoundTrip(r *http.Request) (*http.Response, error) {
	if got := r.Header.Get("Accept"); got != "text/event-stream" {
		f.t.Errorf("Accept is %q", got)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	next := f.script[min(len(f.attempts), len(f.script)-1)]
	f.attempts = append(f.attempts, attempt{
		time.Now(), r.Header.Get("Last-Event-ID"), r.Header.Get("Authorization"), r.URL.Query().Get("categories"), r.URL.Query().Get("topics"),
	})
	response, err := next(r.Context())
	if err == nil {
		if f.open++; f.open > 1 {
			f.t.Error("two connections at once")
		}
		response.Body = &closing{response.Body, sync.OnceFunc(func() {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.open--
		})}
	}
	return response, err
}

type closing struct {
	io.ReadCloser
	closed func()
}

func (c *closing) Close() error {
	c.closed()
	return c.ReadCloser.Close()
}

// pauses returns the time between attempts.
func (f *fake) pauses() []time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []time.Duration
	for i := 1; i < len(f.attempts); i++ {
		all = append(all, f.attempts[i].at.Sub(f.attempts[i-1].at))
	}
	return all
}

// dial opens a stream to a fake server, with what it reports put into a log.
func dial(t *testing.T, o *client.Options, script ...answer) (*client.Stream, *fake, error) {
	t.Helper()
	f := &fake{t: t, script: script}
	if o == nil {
		o = &client.Options{}
	}
	o.HTTPClient = &http.Client{Transport: f}
	s, err := client.Dial(t.Context(), "http://app.example.com/events", o)
	t.Cleanup(func() {
		if s != nil {
			s.Close()
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.open != 0 {
			t.Errorf("%d connections are still open", f.open)
		}
	})
	return s, f, err
}

var errRefused = errors.New("connection refused")

// refuse is a server that is away.
func refuse(context.Context) (*http.Response, error) { return nil, errRefused }

// hang is a server that never answers.
func hang(ctx context.Context) (*http.Response, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// status answers with a status and headers, given as name, value, ...
func status(code int, body string, header ...string) answer {
	return func(context.Context) (*http.Response, error) {
		h := http.Header{}
		for i := 0; i+1 < len(header); i += 2 {
			h.Set(header[i], header[i+1])
		}
		return &http.Response{StatusCode: code, Header: h, Body: io.NopCloser(strings.NewReader(body))}, nil
	}
}

// The things that a stream's body is made of, beside text.
type (
	pause    time.Duration
	stubborn time.Duration // a pause that does not notice that the connection is closed
	fail     struct{ error }
)

var silence = pause(1 << 62)

// stream answers with an event stream that ends after the last part.
func stream(parts ...any) answer {
	return func(ctx context.Context) (*http.Response, error) {
		return &http.Response{
			StatusCode: 200,
			Header:     http.Header{"Content-Type": {"text/event-stream; charset=utf-8"}},
			Body:       &body{ctx: ctx, parts: parts},
		}, nil
	}
}

type body struct {
	ctx   context.Context
	parts []any
}

func (b *body) Read(p []byte) (int, error) {
	for len(b.parts) > 0 {
		switch part := b.parts[0].(type) {
		case string:
			n := copy(p, part)
			if n == len(part) {
				b.parts = b.parts[1:]
			} else {
				b.parts[0] = part[n:]
			}
			return n, nil
		case pause:
			timer := time.NewTimer(time.Duration(part))
			defer timer.Stop()
			select {
			case <-timer.C:
				b.parts = b.parts[1:]
			case <-b.ctx.Done():
				return 0, b.ctx.Err()
			}
		case stubborn:
			time.Sleep(time.Duration(part))
			b.parts = b.parts[1:]
		case fail:
			return 0, part.error
		}
	}
	return 0, io.EOF
}

func (b *body) Close() error { return nil }

// The frames of a Crier server.
const opening = "retry: 3000\nid: c0\nevent: stream.cursor\ndata: {}\n\n"

func frame(id, kind, data string) string {
	s := "event: " + kind + "\ndata: " + data + "\n\n"
	if id != "" {
		s = "id: " + id + "\n" + s
	}
	return s
}

// collect ranges over a stream until it ends, or has brought n events.
func collect(s *client.Stream, n int) (events []string, err error) {
	for e, err := range s.Events() {
		if err != nil {
			return events, err
		}
		events = append(events, e.ID+" "+string(e.Type)+" "+string(e.Data))
		if len(events) == n {
			break
		}
	}
	return events, nil
}
