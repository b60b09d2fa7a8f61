package client_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/crier-go/crier/client"
	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/transport"
)

// Events of all kinds arrive, the large ones too, and their payloads have types.
func TestReal(t *testing.T) {
	overAll(t, func(t *testing.T, w way) {
		srv := newServer(t, "", hub.Options{}, transport.Options{})
		opened := make(chan bool, 1)
		s := w.dial(t, srv.address(), client.Options{OnOpen: func() { opened <- true }})
		if n := srv.subscribed.Load(); n != 1 {
			t.Errorf("%d subscriptions after Dial", n)
		}
		large := strings.Repeat("é\u2028", 130_000)
		want := []*event.Event{publish(srv, added, "a"), publish(srv, raised, 7), publish(srv, added, large)}
		publish(srv, typing, "t")
		last := publish(srv, added, "b")
		i := 0
		for e, err := range s.Events() {
			if err != nil {
				t.Fatal(err)
			}
			if e.Type == typing.Info().Type {
				if text, err := client.Payload(typing, e); text != "t" || err != nil || e.ID != "" {
					t.Errorf("got %+v, %v", e, err)
				}
				continue
			}
			if e.ID == last.ID().String() {
				break
			}
			if i == len(want) || e.ID != want[i].ID().String() || e.Type != want[i].Type() || string(e.Data) != string(want[i].Data()) {
				t.Fatalf("event %d is %s %s with %d bytes", i, e.ID, e.Type, len(e.Data))
			}
			if e.Type == raised.Info().Type {
				if n, err := client.Payload(raised, e); n != 7 || err != nil {
					t.Errorf("got %d, %v", n, err)
				}
			}
			i++
		}
		if i != len(want) || len(opened) != 1 || s.LastID() != last.ID().String() {
			t.Errorf("got %d events, opened %d times, at %s", i, len(opened), s.LastID())
		}
	})
}

// Text is text over every transport, whatever it looks like.
func TestRealText(t *testing.T) {
	overAll(t, func(t *testing.T, w way) {
		srv := newServer(t, "", hub.Options{}, transport.Options{})
		s := w.dial(t, srv.address(), client.Options{})
		want := []string{"<p>\n1</p>", "7", `"quoted"`, "{"}
		for _, text := range want {
			publish(srv, html, text)
		}
		for e, err := range s.Events() {
			if err != nil {
				t.Fatal(err)
			}
			if got, err := client.Payload(html, e); got != want[0] || err != nil {
				t.Fatalf("got %q, %v, want %q", got, err, want[0])
			}
			if want = want[1:]; len(want) == 0 {
				break
			}
		}
	})
}

// Connections break at any byte; nothing is lost, doubled or out of order.
func TestRealResume(t *testing.T) {
	const events, cuts = 1500, 3
	overAll(t, func(t *testing.T, w way) {
		srv := newServer(t, "", hub.Options{UserEvents: events}, transport.Options{Retry: time.Millisecond})
		// More than a frame of HTTP/2, of which nothing is read unless it is whole.
		l := newLine(t, srv.address(), 24_001)
		s := w.dial(t, l.Addr().String(), client.Options{OnGap: func(g client.Gap) { t.Errorf("gap: %+v", g) }})
		var publisher sync.WaitGroup
		defer publisher.Wait()
		publisher.Go(func() {
			for i := range events {
				publish(srv, added, fmt.Sprint(i))
			}
		})
		next := 0
		for e, err := range s.Events() {
			if err != nil {
				t.Fatal(err)
			}
			if got, err := client.Payload(added, e); err != nil || got != fmt.Sprint(next) {
				t.Fatalf("got event %s, %v, want %d", got, err, next)
			}
			if next++; next == events {
				break
			}
		}
		if n := l.cuts.Load(); n < cuts {
			t.Errorf("the line was cut %d times", n)
		}
	})
}

// A deploy: the old process ends the streams, for a while there is nobody, and
// the new process does not know the old one's events, and says so.
func TestRealRestart(t *testing.T) {
	overAll(t, func(t *testing.T, w way) {
		o := transport.Options{Retry: 10 * time.Millisecond}
		srv := newServer(t, "", hub.Options{}, o)
		var log []string
		heard, away := make(chan bool), make(chan bool, 1)
		s := w.dial(t, srv.address(), client.Options{
			OnGap: func(g client.Gap) { log = append(log, "gap "+g.Reason) },
			OnRetry: func(err error, _ time.Duration) {
				if end, ok := errors.AsType[*client.EndError](err); ok {
					log = append(log, "end "+end.Reason)
				}
				if end, ok := errors.AsType[*client.EndError](err); !ok || end.Reason != "shutdown" {
					select {
					case away <- true: // an attempt has failed
					default:
					}
				}
			},
		})
		publish(srv, added, "before")
		go func() {
			<-heard
			srv.stop()
			<-away
			again := newServer(t, srv.address(), hub.Options{}, o)
			publish(again, added, "after")
		}()
		for e, err := range s.Events() {
			if err != nil {
				t.Fatal(err)
			}
			text, _ := client.Payload(added, e)
			log = append(log, text)
			if text == "before" {
				close(heard)
			}
			if text == "after" {
				break
			}
		}
		if want := []string{"before", "end shutdown", "gap unknown", "after"}; !slices.Equal(log, want) {
			t.Errorf("got %q, want %q", log, want)
		}
	})
}

// One stream too many comes back when there is room. A WebSocket is told by a
// status before it is opened, Server-Sent Events by stream.end.
func TestRealOverload(t *testing.T) {
	overAll(t, func(t *testing.T, w way) {
		srv := newServer(t, "", hub.Options{Streams: 1}, transport.Options{Retry: 10 * time.Millisecond})
		first := w.dial(t, srv.address(), client.Options{})
		var told error
		second := w.dial(t, srv.address(), client.Options{OnRetry: func(err error, _ time.Duration) {
			if told == nil {
				told = err
				first.Close()
			}
		}, OnOpen: func() { publish(srv, added, "room") }})
		if events, err := collect(second, 1); err != nil || len(events) != 1 {
			t.Errorf("got %q, %v", events, err)
		}
		end, ok := errors.AsType[*client.EndError](told)
		status, shed := errors.AsType[*client.StatusError](told)
		if w.name == "ws" && !(shed && status.Status == 503 && status.RetryAfter > 0) || w.name != "ws" && !(ok && end.Reason == "overloaded") {
			t.Errorf("the second stream was told %v", told)
		}
	})
}

// A revoked session ends the stream for good, unless there is another token.
func TestRealRevocation(t *testing.T) {
	overAll(t, func(t *testing.T, w way) {
		for _, another := range []bool{false, true} {
			srv := newServer(t, "", hub.Options{}, transport.Options{Retry: 10 * time.Millisecond})
			tokens := []string{"new", "old"}
			if another {
				tokens = append(tokens, "newer")
			}
			asked := 0
			s := w.dial(t, srv.address(), client.Options{
				Token: func(context.Context) (string, error) {
					asked++
					return tokens[min(asked, len(tokens))-1], nil
				},
				OnOpen: func() {
					if asked == 1 {
						srv.hub.RevokeUser(context.Background(), alice)
					} else {
						publish(srv, added, "x")
					}
				},
			})
			events, err := collect(s, 1)
			status, ok := errors.AsType[*client.StatusError](err)
			switch {
			case another && (err != nil || len(events) != 1):
				t.Errorf("with another token: got %q, %v", events, err)
			case !another && (!ok || status.Status != 401 || status.Message == ""):
				t.Errorf("without: got %q, %v", events, err)
			}
		}
	})
}

func TestRealGap(t *testing.T) {
	overAll(t, func(t *testing.T, w way) {
		srv := newServer(t, "", hub.Options{UserEvents: 1}, transport.Options{})
		cursor := srv.hub.Cursor()
		publish(srv, added, "a")
		publish(srv, added, "b")
		s := w.dial(t, srv.address(), client.Options{LastID: cursor})
		_, err := collect(s, 1)
		if gap, ok := errors.AsType[*client.GapError](err); !ok || gap.Reason != "evicted" || gap.Cursor == "" || gap.Cursor == cursor {
			t.Errorf("got %v", err)
		}
		if events, err := collect(s, 1); err != nil || !strings.HasSuffix(events[0], `note.added "b"`) {
			t.Errorf("got %q, %v", events, err)
		}
	})
}

func TestRealFilter(t *testing.T) {
	overAll(t, func(t *testing.T, w way) {
		srv := newServer(t, "", hub.Options{}, transport.Options{Retry: time.Millisecond})
		confirmed := make(chan string, 9)
		rejected := make(chan client.ServerError, 9)
		s := w.dial(t, srv.address(), client.Options{
			Filter:   client.Filter{Categories: []event.Category{"notes"}},
			OnFilter: func(f client.Filter) { confirmed <- fmt.Sprint(f.Categories) },
			OnError:  func(e client.ServerError) { rejected <- e },
		})
		publish(srv, raised, 1)
		publish(srv, added, "a")
		if events, err := collect(s, 1); err != nil || !strings.HasSuffix(events[0], `"a"`) {
			t.Fatalf("got %q, %v", events, err)
		}
		if err := s.SetFilter(client.Filter{Categories: []event.Category{"alerts"}}); err != nil {
			t.Fatal(err)
		}
		// What is published before the change arrives belongs to either filter,
		// so both kinds are published until an alert has come.
		var publisher sync.WaitGroup
		over := make(chan bool)
		publisher.Go(func() {
			tick := time.NewTicker(10 * time.Millisecond)
			defer tick.Stop()
			for i := 2; ; i++ {
				select {
				case <-tick.C:
					publish(srv, raised, i)
				case <-over:
					return
				}
			}
		})
		defer publisher.Wait()
		defer close(over)
		if events, err := collect(s, 1); err != nil || !strings.Contains(events[0], "alert.raised") {
			t.Fatalf("got %q, %v", events, err)
		}
		if w.name == "ws" {
			if got := <-confirmed; got != "[alerts]" {
				t.Errorf("confirmed %s", got)
			}
		}
		if err := s.SetFilter(client.Filter{Categories: []event.Category{"nonsense"}}); err != nil {
			t.Fatal(err)
		}
		for len(rejected) == 0 {
			if events, err := collect(s, 1); err != nil || !strings.Contains(events[0], "alert.raised") {
				t.Fatalf("got %q, %v", events, err)
			}
		}
		if e := <-rejected; !strings.Contains(e.Message, "valid categories are: notes, alerts") || e.Ref != nil {
			t.Errorf("rejected: %+v", e)
		}
	})
}

// Topics are followed from the first connection on, and others after a change. A
// topic that the session may not follow is rejected, and the filter stays.
func TestRealTopics(t *testing.T) {
	overAll(t, func(t *testing.T, w way) {
		srv := newServer(t, "", hub.Options{}, transport.Options{Retry: time.Millisecond})
		say := func(topic, text string) {
			e, err := added.New(alice, text)
			if err == nil {
				err = srv.hub.PublishTo(context.Background(), e, hub.Topic(topic))
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		changed := make(chan client.Filter, 9)
		rejected := make(chan client.ServerError, 9)
		s := w.dial(t, srv.address(), client.Options{
			Filter: client.Filter{Topics: []string{"a"}},
			OnFilter: func(f client.Filter) {
				changed <- f
				say("b", "2")
			},
			OnError: func(e client.ServerError) {
				rejected <- e
				say("b", "3")
			},
		})
		say("b", "not heard")
		say("a", "1")
		for i, f := range []client.Filter{{}, {Topics: []string{"a", "b"}}, {Topics: []string{"a", "b", "secret"}}} {
			if i > 0 {
				if err := s.SetFilter(f); err != nil {
					t.Fatal(err)
				}
			}
			if events, err := collect(s, 1); err != nil || !strings.HasSuffix(events[0], fmt.Sprintf(`note.added "%d"`, i+1)) {
				t.Fatalf("got %q, %v", events, err)
			}
		}
		if f := <-changed; !slices.Equal(f.Topics, []string{"a", "b"}) {
			t.Errorf("the filter in effect is %+v", f)
		}
		if e := <-rejected; e.Message == "" {
			t.Error("the server does not say why it rejects a topic")
		}
	})
}

// Over TLS, with HTTP/2 and as wss. A certificate that is not trusted is an
// error of Dial, which no waiting mends.
func TestRealTLS(t *testing.T) {
	srv := newServer(t, "", hub.Options{}, transport.Options{})
	var protocols sync.Map
	secure := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		protocols.Store(r.URL.Path+" over "+r.Proto, true)
		srv.Config.Handler.ServeHTTP(w, r)
	}))
	secure.EnableHTTP2 = true
	secure.Config.ErrorLog = log.New(io.Discard, "", 0) // of the handshakes that fail
	secure.StartTLS()
	defer secure.Close()
	roots := x509.NewCertPool()
	roots.AddCert(secure.Certificate())
	for url, o := range map[string]client.Options{
		secure.URL + "/sse": {HTTPClient: secure.Client()},
		strings.Replace(secure.URL, "https", "wss", 1) + "/ws": {Dialer: &websocket.Dialer{TLSClientConfig: &tls.Config{RootCAs: roots}}},
	} {
		if _, err := client.Dial(t.Context(), url, nil); err == nil || !strings.Contains(err.Error(), "certificate") {
			t.Errorf("%s, not trusted: got %v", url, err)
		}
		s, err := client.Dial(t.Context(), url, &o)
		if err != nil {
			t.Fatal(err)
		}
		publish(srv, added, "x")
		if events, err := collect(s, 1); err != nil || len(events) != 1 {
			t.Errorf("%s: got %q, %v", url, events, err)
		}
		s.Close()
	}
	for _, want := range []string{"/sse over HTTP/2.0", "/ws over HTTP/1.1"} {
		if _, ok := protocols.Load(want); !ok {
			t.Errorf("no request came to %s", want)
		}
	}
}

func TestRealSend(t *testing.T) {
	srv := newServer(t, "", hub.Options{}, transport.Options{})
	s := ways[3].dial(t, srv.address(), client.Options{})
	if err := s.Send(map[string]int{"n": 1}); err != nil {
		t.Fatal(err)
	}
	for e, err := range s.Events() {
		var text string
		if err != nil || json.Unmarshal(e.Data, &text) != nil || e.ID != "" || e.Type != "echo" || text != `{"n":1}` {
			t.Errorf("got %+v, %v", e, err)
		}
		break
	}
	if s.Send(func() {}) == nil {
		t.Error("a function is sent")
	}
}

// Close leaves no goroutine behind, and neither does the end of the context.
func TestRealCloseFreesEverything(t *testing.T) {
	for _, w := range ways {
		for _, end := range []string{"Close", "context"} {
			srv := newServer(t, "", hub.Options{}, transport.Options{})
			var owned []func()
			for range 5 {
				ctx, cancel := context.WithCancel(t.Context())
				o := w.o()
				s, err := client.Dial(ctx, w.scheme+"://"+srv.address()+w.path, &o)
				if err != nil {
					t.Fatal(err)
				}
				publish(srv, added, "x")
				if _, err := collect(s, 1); err != nil {
					t.Error(err)
				}
				if end == "Close" {
					s.Close()
				}
				cancel()
				if o.HTTPClient != nil { // its connections are its owner's
					owned = append(owned, o.HTTPClient.CloseIdleConnections)
				}
			}
			awaitNoGoroutines(t, w.name+", "+end, owned...)
		}
	}
	// A refusal leaves a connection that could be used again.
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "later", http.StatusServiceUnavailable)
	}))
	defer srv.Close()
	s, err := client.Dial(t.Context(), srv.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	awaitNoGoroutines(t, "503")
}

// awaitNoGoroutines waits until the goroutines of clients have ended, which
// takes them a moment. The tests that run at the same time must have none.
func awaitNoGoroutines(t *testing.T, what string, first ...func()) {
	t.Helper()
	for began := time.Now(); ; time.Sleep(time.Millisecond) {
		for _, f := range first {
			f()
		}
		var all strings.Builder
		pprof.Lookup("goroutine").WriteTo(&all, 1)
		left := 0
		for _, trace := range []string{"crier/client.", "net/http.(*persistConn)", "ClientConn).readLoop"} {
			left += strings.Count(all.String(), trace)
		}
		if left == 0 {
			return
		}
		if time.Since(began) > 10*time.Second {
			t.Fatalf("%s: %d traces are left:\n%s", what, left, &all)
		}
	}
}
