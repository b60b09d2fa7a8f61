package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/crier-go/crier/client"
	"github.com/crier-go/crier/event"
)

func TestMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log []string
		say := func(format string, args ...any) { log = append(log, fmt.Sprintf(format, args...)) }
		s, _, err := dial(t, &client.Options{
			OnOpen:  func() { say("open") },
			OnGap:   func(g client.Gap) { say("gap %+v", g) },
			OnRetry: func(err error, _ time.Duration) { say("retry: %v", err) },
		}, stream(
			opening, note("1"),
			frame("c1", "stream.gap", `{"reason":"evicted"}`), note("2"),
			frame("c2", "stream.cursor", `{}`), frame("", "typing.started", `{}`), "data: a\ndata: b\n\n",
			frame("c3", "stream.news", `[]`),
			frame("c4", "stream.end", `{"reason":"shutdown"}`), note("3"),
		), stream(opening, fail{errRefused}), refuse, stream(opening, note("4"), silence))
		if err != nil {
			t.Fatal(err)
		}
		for e, err := range s.Events() {
			if err != nil {
				t.Fatal(err)
			}
			say("%s %s %s", e.ID, e.Type, e.Data)
			if e.ID == "4" {
				break
			}
		}
		want := []string{
			"open", `1 note.added "x"`, "gap {Reason:evicted Cursor:c1}", `2 note.added "x"`, " typing.started {}", " message a\nb",
			`3 note.added "x"`,
			"retry: client: the server ended the stream: shutdown",
			"open", "retry: connection refused", `retry: client: Get "http://app.example.com/events": connection refused`,
			"open", `4 note.added "x"`,
		}
		if !reflect.DeepEqual(log, want) {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(log, "\n"), strings.Join(want, "\n"))
		}
	})
}

// Without OnGap, a gap is an error. The next loop goes on behind it.
func TestGapError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f, err := dial(t, nil, stream(opening, note("1"), frame("c1", "stream.gap", `{"reason":"unknown"}`), note("2"), silence))
		if err != nil {
			t.Fatal(err)
		}
		events, err := collect(s, 9)
		gap, ok := errors.AsType[*client.GapError](err)
		if len(events) != 1 || !ok || gap.Gap != (client.Gap{Reason: "unknown", Cursor: "c1"}) {
			t.Errorf("got %q, %v", events, err)
		}
		if events, err := collect(s, 1); len(events) != 1 || err != nil || len(f.attempts) != 1 {
			t.Errorf("got %q, %v, %d attempts", events, err, len(f.attempts))
		}
	})
}

// Close returns after the connection is closed, also if the context has ended
// just before and the stream is being closed for that.
func TestCloseAfterContext(t *testing.T) {
	began := make(chan struct{})
	var closed atomic.Bool
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s, err := client.Dial(ctx, "http://app.example.com/events", &client.Options{HTTPClient: &http.Client{
		Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			response, err := stream(opening, silence)(r.Context())
			response.Body = &closing{response.Body, sync.OnceFunc(func() {
				close(began)
				time.Sleep(20 * time.Millisecond) // in vain, unless Close waits
				closed.Store(true)
			})}
			return response, err
		}),
	}})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	<-began
	s.Close()
	if !closed.Load() {
		t.Error("Close returned before the connection was closed")
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestClose(t *testing.T) {
	for name, script := range map[string][]answer{
		"in silence":        {stream(opening, silence)},
		"while it waits":    {refuse},
		"while it connects": {refuse, hang},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, _, err := dial(t, &client.Options{Heartbeat: -1}, script...)
				if err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				time.AfterFunc(7*time.Second, func() { s.Close() })
				if events, err := collect(s, 1); len(events) > 0 || err != nil || time.Since(began) != 7*time.Second {
					t.Errorf("got %q, %v after %v", events, err, time.Since(began))
				}
				if events, err := collect(s, 1); len(events) > 0 || err != nil {
					t.Errorf("after Close: got %q, %v", events, err)
				}
				if s.Close() != nil || s.Send(1) != client.ErrClosed || s.SetFilter(client.Filter{Categories: []event.Category{"a"}}) != client.ErrClosed {
					t.Error("a closed stream does not say so")
				}
			})
		})
	}
}

func TestContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{t: t, script: []answer{stream(opening, silence)}}
		ctx, cancel := context.WithCancelCause(t.Context())
		o := &client.Options{HTTPClient: &http.Client{Transport: f}, Heartbeat: -1}
		s, err := client.Dial(ctx, "http://app.example.com/", o)
		if err != nil {
			t.Fatal(err)
		}
		why := errors.New("why")
		time.AfterFunc(time.Second, func() { cancel(why) })
		if _, err := collect(s, 1); err != why {
			t.Errorf("got %v", err)
		}
		synctest.Wait()
		if f.open != 0 {
			t.Error("the connection is still open")
		}
		if _, err := client.Dial(ctx, "http://app.example.com/", o); err != why {
			t.Errorf("Dial after the end: got %v", err)
		}
		ctx, stop := context.WithTimeoutCause(t.Context(), 5*time.Second, why)
		defer stop()
		f.script = []answer{hang}
		if _, err := client.Dial(ctx, "http://app.example.com/", o); err != why {
			t.Errorf("Dial at the end: got %v", err)
		}
	})
}

// Leaving the loop keeps the connection and the place. The time outside it is
// not silence.
func TestLeaveLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f, err := dial(t, nil, stream(opening, note("1"), note("2"), pause(time.Second), note("3"), silence))
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"1", "2", "3"} {
			if events, err := collect(s, 1); err != nil || !strings.HasPrefix(events[0], want) {
				t.Errorf("got %q, %v, want %s", events, err, want)
			}
			time.Sleep(time.Hour)
		}
		if len(f.attempts) != 1 {
			t.Errorf("%d attempts", len(f.attempts))
		}
	})
}

func TestTwoLoops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _, err := dial(t, nil, stream(opening, note("1"), note("2"), silence))
		if err != nil {
			t.Fatal(err)
		}
		for range s.Events() {
			if _, err := collect(s, 1); err == nil || !strings.Contains(err.Error(), "two loops") {
				t.Errorf("got %v", err)
			}
			break
		}
		if _, err := collect(s, 1); err != nil {
			t.Errorf("got %v", err)
		}
	})
}

// Over Server-Sent Events a change of filter is another connection.
func TestSetFilterReconnects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var problems []string
		var filters []string
		o := &client.Options{
			Filter:   client.Filter{Categories: []event.Category{"a"}},
			OnError:  func(e client.ServerError) { problems = append(problems, e.Message) },
			OnFilter: func(f client.Filter) { filters = append(filters, fmt.Sprint(f.Categories)) },
			OnRetry:  func(err error, _ time.Duration) { t.Errorf("retries for %v", err) },
		}
		s, f, err := dial(t, o,
			stream(opening, note("1"), note("not handed out"), silence),
			stream(opening, note("2"), silence),
			status(400, `{"error":"unknown category"}`),
			stream(opening, note("3"), silence))
		if err != nil {
			t.Fatal(err)
		}
		collect(s, 1)
		s.SetFilter(client.Filter{Categories: []event.Category{"a", "b"}})
		collect(s, 1)
		s.SetFilter(client.Filter{Categories: []event.Category{"none"}})
		if events, err := collect(s, 1); err != nil || events[0] != `3 note.added "x"` {
			t.Errorf("got %q, %v", events, err)
		}
		var got []string
		for _, a := range f.attempts {
			got = append(got, a.categories+" after "+a.lastID)
		}
		want := []string{"a after ", "a,b after 1", "none after 2", "a,b after 2"}
		if !slices.Equal(got, want) || !slices.Equal(problems, []string{"unknown category"}) {
			t.Errorf("got %q, %q", got, problems)
		}
		if !slices.Equal(filters, []string{"[a b]"}) {
			t.Errorf("filters in effect: %q", filters)
		}
		for _, p := range f.pauses() {
			if p != 500*time.Millisecond {
				t.Errorf("an attempt came after %v", p)
			}
		}
		if err := s.Send("x"); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("Send: got %v", err)
		}
	})
}

// What a connection still says when it has been replaced comes again on the next
// one, so it must not be handed out.
func TestReplacedConnectionIsNotHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f, err := dial(t, nil,
			stream(opening, note("1"), stubborn(2*time.Second), note("2")),
			stream(opening, note("2"), note("3"), silence))
		if err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(time.Second, func() { s.SetFilter(client.Filter{Categories: []event.Category{"a"}}) })
		events, err := collect(s, 3)
		if want := []string{`1 note.added "x"`, `2 note.added "x"`, `3 note.added "x"`}; err != nil || !slices.Equal(events, want) {
			t.Errorf("got %q, %v", events, err)
		}
		if got := f.attempts[1].lastID; got != "1" {
			t.Errorf("came back after %q", got)
		}
	})
}

func TestDialChecksArguments(t *testing.T) {
	for _, c := range []struct {
		url  string
		o    client.Options
		want string
	}{
		{"ftp://app.example.com/", client.Options{}, `scheme of the URL is "ftp"`},
		{"/events", client.Options{}, "no host"},
		{"http://app example.com/%zz", client.Options{}, "invalid"},
		{"http://app.example.com/", client.Options{MaxEvent: -1}, "MaxEvent"},
		{"http://app.example.com/", client.Options{Header: http.Header{"X-A": {"a", "b\n"}}}, `"X-A" contains control`},
		{"http://app.example.com/", client.Options{HTTPClient: &http.Client{Timeout: 1}}, "Timeout"},
	} {
		if _, err := client.Dial(t.Context(), c.url, &c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.url, err, c.want)
		}
	}
}
