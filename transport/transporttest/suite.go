package transporttest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/internal/memnet"
	"github.com/crier-go/crier/transport"
)

// The users of every check.
var (
	alice = uuid.MustParse("00000000-0000-4000-8000-00000000000a")
	bob   = uuid.MustParse("00000000-0000-4000-8000-00000000000b")
)

// A suite is what one check runs in: a hub and a server.
type suite struct {
	*testing.T
	tr Transport

	note, alert event.Kind[string]
	draft       event.Kind[string] // ephemeral
	hub         *hub.Hub
	server      *memnet.Server
	auth        transport.Authenticator // called for each request; may be changed between requests
	published   map[string]*event.Event // by payload
}

// start makes the hub and the server. Every request is Alice's, unless
// s.auth says otherwise.
func (s *suite) start(ho *hub.Options, o *transport.Options) {
	var registry event.Registry
	s.note = event.Define[string](&registry, "notes", "note.added", "A note.")
	s.alert = event.Define[string](&registry, "alerts", "alert.raised", "An alert.")
	s.draft = event.Define[string](&registry, "notes", "note.typed", "Somebody types a note.", event.Ephemeral())
	if o == nil {
		o = &transport.Options{Heartbeat: time.Hour} // out of the way of most checks
	}
	o.Logger = slog.New(slog.DiscardHandler)
	s.hub = hub.New(&registry, ho)
	s.published = map[string]*event.Event{}
	s.auth = func(*http.Request) (hub.Session, error) {
		return hub.Session{User: alice, ID: "laptop", Allowed: hub.Everything()}, nil
	}
	s.server = memnet.Serve(s, s.tr.Handler(s.hub, func(r *http.Request) (hub.Session, error) { return s.auth(r) }, o))
	s.Cleanup(s.closed)
}

// closed checks that no stream is open once all clients have hung up.
func (s *suite) closed() {
	synctest.Wait() // the clients' connections are closed: their cleanups ran before
	time.Sleep(5 * time.Second)
	synctest.Wait()
	if n := s.hub.Stats().Streams; len(n) > 0 && !s.Failed() {
		s.Errorf("all clients hung up 5 s ago, and the hub still has open streams: %v; the caller of Accept must call the Stream's Serve, Start or Close", n)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	s.hub.Shutdown(ctx)
}

// position returns the cursor of a stream that starts now.
func (s *suite) position() string {
	s.Helper()
	sub, err := s.hub.Subscribe(hub.Request{Session: hub.Session{User: alice, Allowed: hub.Everything()}, Filter: hub.Everything()})
	if err != nil {
		s.Fatal(err)
	}
	defer sub.Close()
	return sub.Cursor()
}

// publish publishes a note to Alice; its payload is its name in s.want.
func (s *suite) publish(text string) *event.Event {
	return s.send(s.note, alice, text, s.hub.Publish)
}

// publishAlert publishes an alert to Alice.
func (s *suite) publishAlert(text string) *event.Event {
	return s.send(s.alert, alice, text, s.hub.Publish)
}

// broadcast publishes a note to everyone.
func (s *suite) broadcast(text string) *event.Event {
	return s.send(s.note, uuid.Nil, text, s.hub.Broadcast)
}

func (s *suite) send(k event.Kind[string], user uuid.UUID, text string, publish func(context.Context, *event.Event) error) *event.Event {
	s.Helper()
	e, err := k.New(user, text)
	if err != nil {
		s.Fatal(err)
	}
	s.published[text] = e
	if err := publish(context.Background(), e); err != nil {
		s.Fatalf("publishing %.20q: %v", text, err)
	}
	return e
}

// incompressible returns text that fills buffers whatever a transport makes of it: it
// compresses by a quarter.
func incompressible(n int) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	source := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, n)
	for i := range b {
		b[i] = letters[source.IntN(len(letters))]
	}
	return string(b)
}

// A client is the client's side of one open stream.
type client struct {
	*suite
	conn   *memnet.Conn
	next   func() (Frame, error)
	cursor string // the opening one
	lastID string // of the frames read, as a client keeps it
}

// A request is what a client asks for.
type request struct {
	lastID     string
	param      string // where lastID goes: a query parameter, or, if empty, the header
	categories []string
	joined     bool // ?categories=a,b rather than ?categories=a&categories=b
}

func (r request) http() *http.Request {
	q := url.Values{}
	header := http.Header{}
	switch {
	case r.lastID == "":
	case r.param == "":
		header.Set("Last-Event-ID", r.lastID)
	default:
		q.Set(r.param, r.lastID)
	}
	if r.joined {
		q.Set("categories", strings.Join(r.categories, ","))
	} else if r.categories != nil {
		q["categories"] = r.categories
	}
	return &http.Request{
		Method: http.MethodGet,
		Host:   "app.example.com",
		URL:    &url.URL{Scheme: "http", Host: "app.example.com", Path: "/stream", RawQuery: q.Encode()},
		Header: header,
	}
}

// patience is how long, on the bubble's clock, a client waits for a frame.
const patience = 2 * time.Minute

// dial asks for a stream.
func (s *suite) dial(r request) (*client, error) {
	s.Helper()
	c := &client{suite: s, conn: s.server.Dial()}
	c.conn.SetReadDeadline(time.Now().Add(patience))
	var err error
	c.next, err = s.tr.Open(c.conn, r.http())
	return c, inTime(err)
}

// open opens a stream and reads its opening cursor.
func (s *suite) open(r request) *client {
	s.Helper()
	c, err := s.dial(r)
	if err != nil {
		s.Fatalf("a good request (GET %s) got no stream: %v", r.http().URL.RequestURI(), err)
	}
	if s.tr.Answers {
		synctest.Wait() // its first request that waits has come
		if r.lastID != "" {
			c.cursor, c.lastID = r.lastID, r.lastID
			return c
		}
	}
	f := c.frame("the opening cursor")
	if f.Event != "stream.cursor" {
		s.Fatalf("a stream must open with stream.cursor, so that a client that receives nothing for hours can resume; got %s", c.describe(f))
	}
	c.cursor = f.ID
	return c
}

// frame reads the next frame, which the caller hopes is what.
func (c *client) frame(what string) Frame {
	c.Helper()
	f, err := c.read()
	if err != nil {
		c.Fatalf("waiting for %s: %v", what, err)
	}
	return f
}

// timedOut reports whether reading failed because nothing came. Not everybody
// passes on os.ErrDeadlineExceeded.
func timedOut(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// inTime words the error of a read that timed out.
func inTime(err error) error {
	if timedOut(err) {
		return fmt.Errorf("nothing came for %v", patience)
	}
	return err
}

// read reads the next frame and checks what holds for every one.
func (c *client) read() (Frame, error) {
	c.Helper()
	c.conn.SetReadDeadline(time.Now().Add(patience))
	f, err := c.next()
	if err != nil {
		return f, inTime(err)
	}
	if !json.Valid(f.Data) {
		c.Fatalf("the data of a frame must be JSON; %s has %.100q", f.Event, f.Data)
	}
	switch id, err := uuid.Parse(f.ID); {
	case !strings.HasPrefix(f.Event, "stream."):
		c.checkEvent(f)
	case f.Event == "stream.end" && f.ID == "" && c.lastID == "":
		// refused: there is no place to resume from
	case err != nil || id.Version() != 8:
		c.Fatalf("the id of %s must be a cursor of the hub, a UUID of version 8; got %q", f.Event, f.ID)
	}
	if f.ID != "" {
		c.lastID = f.ID
	}
	return f, nil
}

// checkEvent checks that an event arrived as it was published.
func (c *client) checkEvent(f Frame) {
	c.Helper()
	var text string
	if err := json.Unmarshal(f.Data, &text); err != nil {
		c.Fatalf("the data of an event did not arrive as it was published: %s has %.100q", f.Event, f.Data)
	}
	switch e := c.published[text]; {
	case e == nil:
		c.Fatalf("an event arrived that was never published: %.100v", f)
	case e.Ephemeral() && f.ID != "":
		c.Fatalf("an ephemeral event must have no id, since a client that resumed from it would find nothing; got %s", f.ID)
	case e.Ephemeral() && f.Event == string(e.Type()) && string(f.Data) == string(e.Data()):
		// as it must be
	case f.ID != e.ID().String() || f.Event != string(e.Type()) || string(f.Data) != string(e.Data()):
		c.Fatalf("an event was changed on the way: published id %s, type %s, data %.100s; arrived %s, %s, %.100s",
			e.ID(), e.Type(), e.Data(), f.ID, f.Event, f.Data)
	}
}

// describe names a frame as want does: an event by its payload, the stream's
// own by type and reason.
func (c *client) describe(f Frame) string {
	var text string
	var data struct{ Reason string }
	switch {
	case json.Unmarshal(f.Data, &text) == nil:
		return fmt.Sprintf("%.40s", text)
	case json.Unmarshal(f.Data, &data) == nil && data.Reason != "":
		return f.Event + " " + data.Reason
	}
	return f.Event
}

// want reads as many frames as it is given, and checks what they are.
func (c *client) want(when string, frames ...string) {
	c.Helper()
	for i, want := range frames {
		f := c.frame(fmt.Sprintf("%q, %s", want, when))
		if got := c.describe(f); got != want {
			c.Fatalf("%s, a client must read %q; after the first %d of them it read %q", when, frames, i, got)
		}
	}
	if c.tr.Answers {
		synctest.Wait() // its next request has come
	}
}

// wantQuiet checks that nothing more comes, for some seconds.
func (c *client) wantQuiet(when string) {
	c.Helper()
	c.conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	switch f, err := c.next(); {
	case err == nil:
		c.Fatalf("%s, nothing more must come; a client read %q", when, c.describe(f))
	case !timedOut(err):
		c.Fatalf("%s, the stream must stay open; it was closed: %v", when, err)
	}
	c.conn.Close() // it read half a frame, perhaps
}

// wantEnd checks that the stream is told of its end, and then closed.
func (c *client) wantEnd(when string, reason hub.Reason) Frame {
	c.Helper()
	f, err := c.read()
	var refused *Refused
	if s := c.suite; s.tr.Answers && errors.As(err, &refused) && refused.Status == http.StatusServiceUnavailable && reason == hub.ReasonShutdown {
		return f // it was answered before the shutdown, and came back
	}
	if err != nil {
		c.Fatalf("waiting for stream.end, %s: %v", when, err)
	}
	if got, want := c.describe(f), "stream.end "+string(reason); got != want {
		c.Fatalf("%s, a client must read %q; it read %q", when, want, got)
	}
	began := time.Now()
	if f, err := c.read(); err == nil {
		c.Fatalf("%s, nothing may follow stream.end; a client read %q", when, c.describe(f))
	}
	if took := time.Since(began); took > 2*time.Second {
		c.Fatalf("%s, the connection must be closed after stream.end; it stayed open for %v", when, took)
	}
	c.conn.Close()
	return f
}

// ended checks that so many streams have ended, all for one reason.
func (s *suite) ended(when string, reason hub.Reason, n uint64) {
	s.Helper()
	synctest.Wait()
	st := s.hub.Stats()
	if s.tr.Answers { // every answer has ended a stream
		if reason != hub.ReasonGone && st.Ended[reason] != n || len(st.Streams) > 0 {
			s.Fatalf("%s, the hub must have recorded %d ends, as %q, and no stream may be open; it has %v, and %v", when, n, string(reason), st.Ended, st.Streams)
		}
		return
	}
	if st.Ended[reason] != n || ends(st) != n {
		s.Fatalf("%s, the hub must have recorded %d ends, as %q; it has %v", when, n, string(reason), st.Ended)
	}
}

// ends returns how many streams have ended, for any reason.
func ends(st hub.Stats) (n uint64) {
	for _, of := range st.Ended {
		n += of
	}
	return n
}
