package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/crier-go/crier/event"
)

// A Stream is a stream of events that reconnects by itself. It is made by
// [Dial].
//
// Events must not be ranged over by two goroutines at once. All other methods
// are safe for concurrent use.
type Stream struct {
	options Options // resolved
	url     *url.URL
	open    opener
	parent  context.Context // Dial's
	ctx     context.Context // ends with parent, and with Close
	cancel  context.CancelFunc
	unwatch func() bool // stops watching parent
	once    sync.Once   // for shut
	ranged  atomic.Bool

	// The following fields are used by Dial, and then by the goroutine that
	// ranges over Events.

	connected bool          // has ever been
	fresh     bool          // the first message of this connection has not arrived
	failures  int           // attempts and connections in a row that brought nothing
	asked     time.Duration // the server's reconnection time, zero if unknown
	ended     *EndError     // why the server is about to close this connection
	attempted time.Time     // when the last attempt began
	resume    time.Time     // when the next attempt may begin
	token     string
	hasToken  bool
	refusal   error // of token
	final     error // why the stream is over

	mu     sync.Mutex
	conn   conn // nil while there is none
	closed bool
	lastID string
	filter filterState
}

// A conn is one connection.
type conn interface {
	// next returns the next message.
	next() (message, error)
	// retry returns the reconnection time that the server has set on this
	// connection, if it has.
	retry() (time.Duration, bool)
	// position returns the last id that has arrived on this connection, if one
	// has. It may be newer than that of the last message.
	position() (id string, ok bool)
	// expectEnd limits the wait for the end of the connection.
	expectEnd()
	// send sends a message. It may be called concurrently.
	send(data []byte) error
	// close may be called again, and concurrently. It unblocks next.
	close()
}

// An opener makes one attempt to connect.
type opener func(ctx context.Context, u *url.URL, header http.Header, lastID string) (conn, error)

// A message is what both transports carry.
type message struct {
	id    string
	hasID bool
	kind  string // its type
	data  []byte
}

// Dial opens a stream. The scheme of rawURL chooses the transport: http or
// https, ws or wss. Nil options mean the defaults. The stream lives until ctx
// ends or Close is called.
//
// Dial makes the first attempt. It returns an error if waiting would not help:
// if the URL or the options are invalid, if the host does not exist or has an
// invalid certificate, if the server refuses this client (401, 403, 204) or
// answers with another 4xx or with something that is not an event stream, and
// if ctx has ended. If the server is only away, Dial returns a stream, and
// Events goes on trying.
func Dial(ctx context.Context, rawURL string, o *Options) (*Stream, error) {
	options, err := o.resolved()
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	if u.Host == "" {
		return nil, fmt.Errorf("client: the URL %q has no host", u.Redacted())
	}
	s := &Stream{options: options, url: u, lastID: options.LastID, filter: filterState{wanted: options.Filter, confirmed: options.Filter}}
	switch u.Scheme {
	case "http", "https":
		s.open = newSSEOpener(&s.options)
	case "ws", "wss":
		s.open = newWSOpener(&s.options)
	default:
		return nil, fmt.Errorf("client: the scheme of the URL is %q; http, https, ws and wss are supported", u.Scheme)
	}
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	s.parent = ctx
	s.ctx, s.cancel = context.WithCancel(ctx)
	s.unwatch = context.AfterFunc(ctx, s.shut)
	s.attempt()
	if s.refusal != nil {
		s.attempt() // with another token, if there is one
	}
	err = context.Cause(ctx)
	if s.final != nil {
		err = s.final
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// Close ends the stream: it closes the connection and releases everything that
// belongs to the stream. A loop over Events ends without an error. Close may be
// called again.
func (s *Stream) Close() error {
	s.unwatch()
	s.shut()
	return nil
}

// shut does the work of Close. Close and the end of the parent context may call
// it at the same time: then each call returns after the connection is closed.
func (s *Stream) shut() {
	s.once.Do(func() {
		s.mu.Lock()
		s.closed = true
		c := s.conn
		s.conn = nil
		s.mu.Unlock()
		if c != nil {
			c.close()
		}
		s.cancel()
	})
}

// LastID returns the id after which the stream would resume: that of the last
// event that was handed out, or of a cursor that has arrived since. Within a
// loop over Events it includes the present event.
func (s *Stream) LastID() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lastID
}

// Events returns the events of the stream, in order, each once. The sequence
// ends when the stream does. Then the last pair has an error, which is final,
// except after Close. After a [GapError], or after leaving the loop, Events may
// be ranged over again to go on with the next event.
//
// The connection is read only while the loop asks for the next event. A loop
// that takes longer than the server's write timeout for its events is
// disconnected as slow. It then resumes, so it loses nothing that the server
// still has.
func (s *Stream) Events() iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		if !s.ranged.CompareAndSwap(false, true) {
			yield(Event{}, errors.New("client: two loops range over the events of one stream at once"))
			return
		}
		defer s.ranged.Store(false)
		for {
			e, err := s.next()
			if err == ErrClosed || !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// next returns the next event, or the error that ends a loop.
func (s *Stream) next() (Event, error) {
	for {
		c, err := s.connect()
		if err != nil {
			return Event{}, err
		}
		m, err := c.next()
		if err != nil {
			s.disconnected(c, err)
			continue
		}
		if e, ok, err := s.receive(c, m); ok || err != nil {
			return e, err
		}
	}
}

// receive handles a message, and reports whether it is an event for the loop.
func (s *Stream) receive(c conn, m message) (_ Event, ok bool, _ error) {
	s.mu.Lock()
	if c != s.conn { // closed, or replaced by SetFilter: what it still says will come again
		s.mu.Unlock()
		return Event{}, false, nil
	}
	if m.hasID {
		s.lastID = m.id
	}
	s.mu.Unlock()
	var data struct {
		Reason     string           `json:"reason"`
		Categories []event.Category `json:"categories"`
		Topics     []string         `json:"topics"`
		Error      string           `json:"error"`
		Ref        json.RawMessage  `json:"ref"`
	}
	own := strings.HasPrefix(m.kind, "stream.")
	if own && json.Unmarshal(m.data, &data) != nil {
		data.Reason = "unknown" // not an object, which is all that matters here
	}
	if m.kind == "stream.end" {
		s.ended = &EndError{Reason: data.Reason}
		c.expectEnd()
		return Event{}, false, nil
	}
	if asked, ok := c.retry(); ok {
		s.asked = asked
	}
	if s.fresh {
		s.fresh, s.failures = false, 0
		if s.options.OnOpen != nil {
			s.options.OnOpen()
		}
		s.reopened()
	}
	switch {
	case m.kind == "stream.gap":
		gap := Gap{Reason: data.Reason, Cursor: m.id}
		if s.options.OnGap == nil {
			return Event{}, false, &GapError{gap}
		}
		s.options.OnGap(gap)
	case m.kind == "stream.filter":
		s.confirmed(Filter{data.Categories, data.Topics}, data.Ref)
	case m.kind == "stream.error":
		s.rejected(ServerError{Message: data.Error, Ref: data.Ref})
	case own: // stream.cursor, and what servers to come may add
	default:
		_, sse := c.(*sseConn)
		e := Event{Type: event.Type(m.kind), Data: m.data, sse: sse}
		if m.hasID {
			e.ID = m.id
		}
		return e, true, nil
	}
	return Event{}, false, nil
}

// Send sends a message, as JSON, to the function ws.Options.OnMessage of the
// server. The answer, if there is one, comes as an event without an id, or to
// Options.OnError. An error means that the message was not sent, or that it is
// not known whether it was: a message is not sent again on the next connection.
// Over Server-Sent Events the error wraps [errors.ErrUnsupported].
func (s *Stream) Send(message any) error {
	data, err := json.Marshal(message)
	if err != nil {
		return fmt.Errorf("client: %w", err)
	}
	c, err := s.current()
	if err != nil {
		return err
	}
	return c.send(data)
}

// current returns the connection that there is.
func (s *Stream) current() (conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return nil, ErrClosed
	case s.conn == nil:
		return nil, errors.New("client: the stream is not connected at present")
	}
	return s.conn, nil
}

// setQuery sets a parameter of a URL's query.
func setQuery(u *url.URL, key, value string) {
	q := u.Query()
	q.Set(key, value)
	u.RawQuery = q.Encode()
}
