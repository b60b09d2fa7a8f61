package e2e

import (
	"context"
	"errors"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/transport"
	"github.com/crier-go/crier/transport/sse"
)

// What a browser's EventSource does by itself, without a page that helps it,
// with answers that the chat never has to give.

var (
	user     = uuid.MustParse("6f1f2f0c-0a0e-5d0e-9b1c-000000000001")
	registry event.Registry
	tick     = event.Define[int](&registry, "test", "test.tick", "A number.")
)

// sourcePage opens EventSources that note what they hear, and when.
const sourcePage = `
	window.sources = [];
	window.newSource = (url) => {
		const source = new EventSource(url, {withCredentials: true}), log = [];
		for (const event of ['test.tick', 'stream.cursor', 'stream.gap', 'stream.end']) {
			source.addEventListener(event, (e) => log.push({event, data: JSON.parse(e.data), at: performance.now()}));
		}
		source.onerror = () => log.push({event: 'error', state: source.readyState, at: performance.now()});
		sources.push({source, log});
	};
`

// A source is a server with one stream and next to no page.
type source struct {
	hub      *hub.Hub
	server   *httptest.Server
	requests atomic.Int64 // for the stream

	mu       sync.Mutex
	denied   error           // what the authenticator answers
	from     map[string]bool // the addresses of clients
	protocol string          // of the last request
}

func newSource(t *testing.T, ho *hub.Options, so *sse.Options, serve func(*httptest.Server)) *source {
	t.Helper()
	s := &source{hub: hub.New(&registry, ho), from: map[string]bool{}}
	stream := sse.NewHandler(s.hub, s.authenticate, so)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, "<!doctype html><title>An EventSource</title><script>"+sourcePage+"</script>")
	})
	mux.HandleFunc("GET /events", func(w http.ResponseWriter, r *http.Request) {
		s.requests.Add(1)
		s.mu.Lock()
		s.from[r.RemoteAddr] = true
		s.protocol = r.Proto
		s.mu.Unlock()
		stream.ServeHTTP(w, r)
	})
	mux.HandleFunc("POST /tick", func(w http.ResponseWriter, r *http.Request) {
		if err := s.tick(r.Context(), 1); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	s.server = httptest.NewUnstartedServer(mux)
	s.server.Config.ErrorLog = log.New(io.Discard, "", 0) // of TLS handshakes: browsers open connections that they do not use
	serve(s.server)
	closeAfter(t, s.hub, s.server)
	return s
}

func (s *source) authenticate(*http.Request) (hub.Session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return hub.Session{User: user, Allowed: hub.Everything()}, s.denied
}

// deny has the authenticator answer everybody with err.
func (s *source) deny(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.denied = err
}

func (s *source) tick(ctx context.Context, n int) error {
	e, err := tick.New(user, n)
	if err != nil {
		return err
	}
	return s.hub.Publish(ctx, e)
}

func TestEventSourceOverload(t *testing.T) {
	t.Parallel()
	for name, lean := range map[string]bool{"net-http": false, "lean": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testOverload(t, lean)
		})
	}
}

func testOverload(t *testing.T, lean bool) {
	const retry = 100 * time.Millisecond // so that who is shed waits for 1 to 2 s
	s := newSource(t, &hub.Options{Streams: 1}, &sse.Options{Lean: lean, Common: transport.Options{Retry: retry}}, (*httptest.Server).Start)
	taken, err := s.hub.Subscribe(hub.Request{Session: hub.Session{User: user, Allowed: hub.Everything()}, Filter: hub.Everything()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(taken.Close) // also where there is no browser
	b := newPerson(t, "somebody")
	b.open(s.server.URL)
	eval[bool](b, `newSource('/events') ?? true`)
	b.wait("is told that the server has too many streams", `sources[0].log.some((e) => e.event === 'stream.end' && e.data.reason === 'overloaded')`)
	if n := s.requests.Load(); n != 1 {
		t.Errorf("%d requests before the EventSource was told to come back later", n)
	}
	taken.Close()
	b.wait("comes back", `sources[0].log.some((e) => e.event === 'stream.cursor')`)
	if err := s.tick(t.Context(), 7); err != nil {
		t.Fatal(err)
	}
	b.wait("hears", `sources[0].log.some((e) => e.event === 'test.tick' && e.data === 7)`)
	waited := eval[float64](b, `(() => {
		const at = (event) => sources[0].log.find((e) => e.event === event).at;
		return at('stream.cursor') - at('stream.end');
	})()`)
	if n := s.requests.Load(); n != 2 || waited < 1000 {
		t.Errorf("the EventSource came back after %v ms, with %d requests in all; it was asked to wait for a second at least", waited, n)
	}
}

func TestEventSourceRevocation(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]sse.Options{
		"401":  {},
		"204":  {Common: transport.Options{GoneStatus204: true}},
		"lean": {Lean: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o.Common.Retry = 50 * time.Millisecond
			s := newSource(t, nil, &o, (*httptest.Server).Start)
			b := newPerson(t, "somebody")
			b.open(s.server.URL)
			eval[bool](b, `newSource('/events') ?? true`)
			b.wait("listens", `sources[0].log.some((e) => e.event === 'stream.cursor')`)
			s.deny(transport.ErrUnauthenticated)
			if n, err := s.hub.RevokeUser(t.Context(), user); n != 1 || err != nil {
				t.Errorf("%d streams revoked, want 1 (%v)", n, err)
			}
			if err := s.tick(t.Context(), 13); err != nil {
				t.Fatal(err)
			}
			b.wait("is told why", `sources[0].log.some((e) => e.event === 'stream.end' && e.data.reason === 'revoked')`)
			b.wait("has stopped", `sources[0].source.readyState === EventSource.CLOSED`)
			if n := s.requests.Load(); n != 2 {
				t.Errorf("the EventSource asked %d times; it should have been refused once, and stopped", n)
			}
			if eval[bool](b, `sources[0].log.some((e) => e.event === 'test.tick')`) {
				t.Error("what was published after the revocation was heard")
			}
		})
	}
}

// A database that is away for a moment must not end anybody's stream for good.
func TestEventSourceOutage(t *testing.T) {
	t.Parallel()
	s := newSource(t, nil, &sse.Options{Common: transport.Options{Retry: 50 * time.Millisecond, Logger: slog.New(slog.DiscardHandler)}}, (*httptest.Server).Start)
	s.deny(errors.New("the database is away"))
	b := newPerson(t, "somebody")
	b.open(s.server.URL)
	eval[bool](b, `newSource('/events') ?? true`)
	b.wait("is told twice that nobody can be asked", `sources[0].log.filter((e) => e.event === 'stream.end' && e.data.reason === 'unavailable').length === 2`)
	s.deny(nil)
	b.wait("listens", `sources[0].log.some((e) => e.event === 'stream.cursor')`)
}

// A page of another site opens a stream with this site's cookies.
func TestForeignOrigin(t *testing.T) {
	t.Parallel()
	page := newSource(t, nil, nil, (*httptest.Server).Start)
	closed := newSource(t, nil, nil, (*httptest.Server).Start)
	open := newSource(t, nil, &sse.Options{Common: transport.Options{AllowedOrigins: []string{page.server.URL}}}, (*httptest.Server).Start)
	b := newPerson(t, "somebody")
	b.expected = "blocked by CORS policy"
	b.open(page.server.URL)
	eval[bool](b, `[%s, %s].forEach(newSource) ?? true`, closed.server.URL+"/events", open.server.URL+"/events")
	b.wait("is refused by one", `sources[0].source.readyState === EventSource.CLOSED`)
	b.wait("is let in by the other", `sources[1].log.some((e) => e.event === 'stream.cursor')`)
	st := closed.hub.Stats()
	var ended uint64
	for _, n := range st.Ended {
		ended += n
	}
	if closed.requests.Load() != 1 || ended > 0 || st.Streams["sse"] > 0 {
		t.Errorf("a stream was opened for a page of another site, or it was asked for more than once: %+v", st)
	}
}

func TestTwentyStreamsOverHTTP2(t *testing.T) {
	t.Parallel()
	s := newSource(t, &hub.Options{StreamsPerUser: 20}, nil, func(server *httptest.Server) {
		server.EnableHTTP2 = true
		server.StartTLS()
	})
	b := newPerson(t, "somebody")
	b.open(s.server.URL)
	eval[bool](b, `Array.from({length: 20}, () => newSource('/events')).length === 20`)
	b.wait("has twenty streams", `sources.every(({log}) => log.some((e) => e.event === 'stream.cursor'))`)
	if status := eval[int](b, `fetch('/tick', {method: 'POST'}).then((r) => r.status)`); status != http.StatusOK {
		t.Errorf("a POST beside twenty streams is answered %d", status)
	}
	b.wait("hears it on each", `sources.every(({log}) => log.filter((e) => e.event === 'test.tick').length === 1)`)
	if n := s.hub.Stats().Streams["sse"]; n != 20 {
		t.Errorf("the hub has %d streams, and not 20", n)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.from) != 1 || s.protocol != "HTTP/2.0" {
		t.Errorf("twenty streams over %d connections, with %s; all should share one, over HTTP/2.0", len(s.from), s.protocol)
	}
}
