package sse_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/internal/memnet"
	"github.com/crier-go/crier/transport"
	"github.com/crier-go/crier/transport/internal/fixture"
	"github.com/crier-go/crier/transport/sse"
)

// both runs a test over net/http and over connections that were taken over.
func both(t *testing.T, test func(t *testing.T, f *fixture.Fixture, handler func(transport.Options) http.Handler)) {
	for name, c := range map[string]struct {
		lean bool
		over func(http.Handler) http.Handler
	}{
		"net/http":               {false, plain},
		"lean":                   {true, plain},
		"lean, over the reactor": {true, memnet.OverReactor},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := fixture.New(t, nil)
				test(t, f, func(o transport.Options) http.Handler {
					o.Logger = f.Logger()
					return c.over(sse.NewHandler(f.Hub, f.Auth, &sse.Options{Common: o, Lean: c.lean}))
				})
			})
		})
	}
}

func plain(h http.Handler) http.Handler { return h }

// leanly runs a test with the connection of a lean stream, over the reactor and
// without it.
func leanly(t *testing.T, test func(t *testing.T, f *fixture.Fixture, conn *memnet.Conn)) {
	for name, over := range map[string]func(http.Handler) http.Handler{"plain": plain, "over the reactor": memnet.OverReactor} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := fixture.New(t, nil)
				test(t, f, memnet.Serve(t, over(sse.NewHandler(f.Hub, f.Auth, &sse.Options{Lean: true}))).Dial())
			})
		})
	}
}

// ask sends a request over a new connection, and reads the answer's head.
func ask(t *testing.T, handler http.Handler, r *http.Request) (*memnet.Conn, *http.Response) {
	t.Helper()
	conn := memnet.Serve(t, handler).Dial()
	fixture.Send(t, conn, r)
	resp, err := http.ReadResponse(bufio.NewReader(conn), r)
	if err != nil {
		t.Fatal(err)
	}
	return conn, resp
}

var streamHeaders = map[string]string{
	"Content-Type":           "text/event-stream",
	"Cache-Control":          "no-cache, no-transform",
	"X-Accel-Buffering":      "no",
	"X-Content-Type-Options": "nosniff",
}

func checkHeaders(t *testing.T, h http.Header, want map[string]string) {
	t.Helper()
	for name, want := range want {
		if got := h.Values(name); len(got) != 1 || got[0] != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestHeadAnswersHeaders(t *testing.T) {
	both(t, func(t *testing.T, f *fixture.Fixture, handler func(transport.Options) http.Handler) {
		r := fixture.Request("/")
		r.Method = http.MethodHead
		_, resp := ask(t, handler(transport.Options{}), r)
		if resp.StatusCode != http.StatusOK {
			t.Errorf("got %s", resp.Status)
		}
		checkHeaders(t, resp.Header, streamHeaders)
		r = fixture.Request("/?categories=x")
		r.Method = http.MethodHead
		if _, resp := ask(t, handler(transport.Options{}), r); resp.StatusCode != http.StatusBadRequest {
			t.Errorf("with an unknown category: got %s, want 400", resp.Status)
		}
		if f.Subscribed() != 0 {
			t.Error("a HEAD request opened a stream")
		}
	})
}

func TestOtherMethodsAreRefused(t *testing.T) {
	both(t, func(t *testing.T, f *fixture.Fixture, handler func(transport.Options) http.Handler) {
		for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "PROPFIND"} {
			r := fixture.Request("/")
			r.Method = method
			_, resp := ask(t, handler(transport.Options{}), r)
			if resp.StatusCode != http.StatusMethodNotAllowed {
				t.Errorf("%s: got %s, want 405", method, resp.Status)
			}
			checkHeaders(t, resp.Header, map[string]string{"Allow": "GET, HEAD, OPTIONS", "Content-Type": "application/json"})
		}
		if f.Subscribed() != 0 {
			t.Error("a stream was opened")
		}
	})
}

func TestAcceptHeader(t *testing.T) {
	for accept, want := range map[string]bool{
		"":                                  true,
		",":                                 true,
		" , ,, ":                            true,
		",,text/event-stream,":              true,
		"*/*":                               true,
		"text/*":                            true,
		"text/event-stream":                 true,
		"Text/Event-Stream":                 true,
		"text/html, text/event-stream":      true,
		"text/event-stream;q=0.1":           true,
		"text/event-stream;q=0.001":         true,
		"text/event-stream; charset=utf-8":  true,
		"text/html;q=0, */*":                true,
		"*/*;q=0, text/event-stream":        true,
		"text/*;q=0, text/event-stream;q=1": true,
		"text/html":                         false,
		"text/event-streams":                false,
		"application/json, text/html;q=0.9": false,
		"*/*;q=0":                           false,
		"*/*; q=0.0":                        false,
		"*/*; Q=0.000":                      false,
		"text/event-stream;q=0":             false,
		"text/event-stream;q=0, */*":        false,
		"text/*;q=0, */*":                   false,
		"nonsense":                          false,
	} {
		t.Run(accept, func(t *testing.T) {
			both(t, func(t *testing.T, f *fixture.Fixture, handler func(transport.Options) http.Handler) {
				r := fixture.Request("/")
				if accept != "" {
					r.Header.Set("Accept", accept)
				}
				_, resp := ask(t, handler(transport.Options{}), r)
				switch {
				case want && resp.StatusCode != http.StatusOK:
					t.Errorf("got %s, want a stream", resp.Status)
				case !want && resp.StatusCode != http.StatusNotAcceptable:
					t.Errorf("got %s, want 406", resp.Status)
				case !want && f.Subscribed() != 0:
					t.Error("a stream was opened")
				}
			})
		})
	}
}

// Headers that middleware has set are sent with the stream, except those that
// would break it.
func TestMiddlewareHeadersAreSent(t *testing.T) {
	both(t, func(t *testing.T, f *fixture.Fixture, handler func(transport.Options) http.Handler) {
		inner := handler(transport.Options{})
		_, resp := ask(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Request-Id", "7\r\nX-Forged: yes")
			w.Header().Set("Content-Type", "text/html")
			w.Header().Set("Content-Length", "5")
			w.Header().Set("Set-Cookie", "a=b")
			w.Header().Set("Transfer-Encoding", "gzip")
			w.Header().Set("Trailer", "X-Sum")
			inner.ServeHTTP(w, r)
		}), fixture.Request("/"))
		checkHeaders(t, resp.Header, streamHeaders)
		checkHeaders(t, resp.Header, map[string]string{"Set-Cookie": "a=b"})
		if resp.Header.Get("X-Forged") != "" || resp.Header.Get("Date") == "" || resp.ContentLength >= 0 {
			t.Errorf("got %v", resp.Header)
		}
	})
}

// The head announces chunks and the end of the connection.
func TestLeanResponseHead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fixture.New(t, nil)
		conn := memnet.Serve(t, sse.NewHandler(f.Hub, f.Auth, &sse.Options{Lean: true})).Dial()
		fixture.Send(t, conn, fixture.Request("/"))
		synctest.Wait()
		buf := make([]byte, 4<<10)
		n, err := conn.Read(buf) // the head and the opening are one write
		if err != nil {
			t.Fatal(err)
		}
		const want = "HTTP/1.1 200 OK\r\n" +
			"Cache-Control: no-cache, no-transform\r\n" +
			"Connection: close\r\n" +
			"Content-Type: text/event-stream\r\n" +
			"Date: Sat, 01 Jan 2000 00:00:00 GMT\r\n" +
			"Transfer-Encoding: chunked\r\n" +
			"X-Accel-Buffering: no\r\n" +
			"X-Content-Type-Options: nosniff\r\n\r\n" +
			"54\r\n" // the first chunk
		if head, _, _ := strings.Cut(string(buf[:n]), "retry"); head != want {
			t.Errorf("got\n%s\nwant\n%s", head, want)
		}
	})
}

// A lean stream is not compressed, so it must not have the Content-Encoding of
// a compressing middleware.
func TestLeanDropsContentEncoding(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fixture.New(t, nil)
		inner := sse.NewHandler(f.Hub, f.Auth, &sse.Options{Lean: true})
		_, resp := ask(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			inner.ServeHTTP(w, r)
		}), fixture.Request("/"))
		if got := resp.Header.Get("Content-Encoding"); got != "" {
			t.Errorf("Content-Encoding: %s", got)
		}
		if frame, err := readFrame(bufio.NewReader(resp.Body)); err != nil || frame.Event != "stream.cursor" {
			t.Errorf("got %v, %v", frame, err)
		}
	})
}

// A lazyCompressor keeps what is written until it is much, and does not flush
// before, unless the response has an encoding already: as NYTimes/gziphandler
// and CAFxX/httpcompression do.
type lazyCompressor struct {
	w    http.ResponseWriter
	kept []byte
}

func (l *lazyCompressor) Header() http.Header    { return l.w.Header() }
func (l *lazyCompressor) WriteHeader(status int) {}
func (l *lazyCompressor) Flush() {
	if l.kept == nil {
		l.w.(http.Flusher).Flush()
	}
}
func (l *lazyCompressor) Write(p []byte) (int, error) {
	if l.Header().Get("Content-Encoding") != "" {
		return l.w.Write(p)
	}
	l.kept = append(l.kept, p...)
	return len(p), nil
}

// A wrapper that hides what it wraps may flush nothing. The log names it once,
// and a compressor is told not to compress.
func TestOpaqueWriterIsNamedInTheLog(t *testing.T) {
	both(t, func(t *testing.T, f *fixture.Fixture, handler func(transport.Options) http.Handler) {
		inner := handler(transport.Options{})
		compressed := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			inner.ServeHTTP(unwrapped{&lazyCompressor{w: w}}, r)
		})
		for range 3 {
			_, resp := ask(t, compressed, fixture.Request("/"))
			if frame, err := readFrame(bufio.NewReader(resp.Body)); err != nil || frame.Event != "stream.cursor" {
				t.Errorf("got %v, %v", frame, err)
			}
		}
		for _, want := range []string{"hides the one", "no write deadlines"} {
			if log := f.Log.String(); strings.Count(log, want) != 1 || !strings.Contains(log, "*sse_test.lazyCompressor") {
				t.Errorf("logged: %s", log)
			}
		}
	})
}

// A wrapper whose Flush panics because it wraps what cannot flush, as echo's
// does around http.TimeoutHandler, is found out before the stream begins.
type panickingFlush struct{ unwrapped }

func (p panickingFlush) Flush() { panic("response writer flushing is not supported") }

func TestWriterWhoseFlushPanicsIsRefused(t *testing.T) {
	both(t, func(t *testing.T, f *fixture.Fixture, handler func(transport.Options) http.Handler) {
		inner := handler(transport.Options{})
		_, resp := ask(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			inner.ServeHTTP(panickingFlush{unwrapped{mute{w}}}, r)
		}), fixture.Request("/"))
		if resp.StatusCode != http.StatusInternalServerError || f.Subscribed() != 0 {
			t.Errorf("got %s, want 500", resp.Status)
		}
		if !strings.Contains(f.Log.String(), "sse_test.mute") {
			t.Errorf("the log does not name the wrapper: %s", f.Log.String())
		}
	})
}

// Writers as middleware wraps them.
type (
	mute      struct{ w http.ResponseWriter } // can only write
	unwrapped struct{ http.ResponseWriter }   // says what it wraps
)

func (m mute) Header() http.Header              { return m.w.Header() }
func (m mute) Write(p []byte) (int, error)      { return m.w.Write(p) }
func (m mute) WriteHeader(status int)           { m.w.WriteHeader(status) }
func (u unwrapped) Unwrap() http.ResponseWriter { return u.ResponseWriter }

// A writer that cannot flush is refused before a stream is opened, and the log
// says what to do.
func TestWriterThatCannotFlushIsRefused(t *testing.T) {
	both(t, func(t *testing.T, f *fixture.Fixture, handler func(transport.Options) http.Handler) {
		inner := handler(transport.Options{})
		_, resp := ask(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			inner.ServeHTTP(unwrapped{mute{unwrapped{w}}}, r)
		}), fixture.Request("/"))
		if resp.StatusCode != http.StatusInternalServerError {
			t.Errorf("got %s, want 500", resp.Status)
		}
		checkHeaders(t, resp.Header, map[string]string{"Content-Type": "application/json"})
		if !strings.Contains(f.Log.String(), "Unwrap") {
			t.Errorf("the log does not say what to do: %s", f.Log.String())
		}
		if f.Subscribed() != 0 {
			t.Error("a stream was opened")
		}
	})
}

// Wrappers with an Unwrap method work like the writer that they wrap.
func TestWriterIsUnwrapped(t *testing.T) {
	both(t, func(t *testing.T, f *fixture.Fixture, handler func(transport.Options) http.Handler) {
		inner := handler(transport.Options{})
		_, resp := ask(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			inner.ServeHTTP(unwrapped{unwrapped{w}}, r)
		}), fixture.Request("/"))
		body := bufio.NewReader(resp.Body)
		for _, text := range []string{"stream.cursor", "note.added"} {
			if frame, err := readFrame(body); err != nil || frame.Event != text {
				t.Fatalf("got %v, %v", frame, err)
			}
			f.Publish("a note")
		}
	})
}

// A writer without deadlines is used without.
func TestStreamRunsWithoutDeadlines(t *testing.T) {
	both(t, func(t *testing.T, f *fixture.Fixture, handler func(transport.Options) http.Handler) {
		w := httptest.NewRecorder() // flushes, and has no deadlines
		done := make(chan bool)
		go func() {
			handler(transport.Options{}).ServeHTTP(w, fixture.Request("/"))
			close(done)
		}()
		synctest.Wait()
		f.Publish("a note")
		synctest.Wait()
		f.Hub.RevokeUser(context.Background(), fixture.Alice)
		<-done
		body := bufio.NewReader(w.Body)
		for _, want := range []string{"stream.cursor", "note.added", "stream.end"} {
			if frame, err := readFrame(body); err != nil || frame.Event != want {
				t.Fatalf("got %v, %v; want %s", frame, err, want)
			}
		}
		if !w.Flushed {
			t.Error("not flushed")
		}
	})
}

// A request that cannot be served now gets a stream with one event that says
// when to come back: every other status would end an EventSource for good.
func TestShed(t *testing.T) {
	both(t, func(t *testing.T, f *fixture.Fixture, handler func(transport.Options) http.Handler) {
		f.Authenticate(func(*http.Request) (hub.Session, error) { return hub.Session{}, errors.New("away") })
		h := handler(transport.Options{})
		retries := map[int]bool{}
		for range 20 {
			_, resp := ask(t, h, fixture.Request("/"))
			checkHeaders(t, resp.Header, streamHeaders)
			b, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			retry, rest, _ := strings.Cut(strings.TrimPrefix(string(b), "retry: "), "\n")
			if want := "event: stream.end\ndata: {\"reason\":\"unavailable\"}\n\n"; resp.StatusCode != http.StatusOK || rest != want {
				t.Fatalf("got %s, %q", resp.Status, b)
			}
			ms, err := strconv.Atoi(retry)
			if err != nil || ms < 30_000 || ms >= 60_000 {
				t.Errorf("retry: %s; want 30000 to 60000, ten to twenty times Options.Retry", retry)
			}
			retries[ms] = true
		}
		if len(retries) < 10 {
			t.Errorf("20 clients that were sent away together come back at %d times", len(retries))
		}
	})
}

func TestNewHandlerPanicsOnBadOptions(t *testing.T) {
	f := fixture.New(t, nil)
	for name, newHandler := range map[string]func(){
		"no hub":            func() { sse.NewHandler(nil, f.Auth, nil) },
		"no authenticator":  func() { sse.NewHandler(f.Hub, nil, nil) },
		"negative duration": func() { sse.NewHandler(f.Hub, f.Auth, &sse.Options{Common: transport.Options{Heartbeat: -1}}) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			newHandler()
		})
	}
}
