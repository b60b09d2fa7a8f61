package transport

import (
	"context"
	"errors"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/crier-go/crier/hub"
)

// A Stream is one open connection: a subscription, the Conn that it is written
// to, and the loop between them. The loop has one thing to wait for, its
// subscription's wake-up; cancellation, expiry, revocation and the heartbeat
// all come through it.
//
// There are two ways to run it. [Stream.Serve] does so in the caller's
// goroutine until the stream is over. [Stream.Start] takes a goroutine only
// while there is something to write, so that an idle connection has none.
type Stream struct {
	options *Options
	sub     *hub.Subscription
	refused hub.Reason // why there is no subscription
	conn    Conn
	loop    func()        // set by Start: runs in a goroutine of its own when there is work
	ready   chan struct{} // set by Serve
	recheck *recheck      // nil: the authenticator is not asked again

	due   atomic.Bool // a heartbeat is
	gone  atomic.Bool // Serve's context is over
	wrote bool        // since the last heartbeat; the loop's own

	mu     sync.Mutex
	closed bool
	beat   *time.Timer
}

// NewStream returns a stream for a subscription whose Notify is not set, for
// transports that do not begin with an HTTP request. Only Serve can run it.
func NewStream(sub *hub.Subscription, o *Options) *Stream {
	return &Stream{options: o.WithDefaults(), sub: sub}
}

// RefuseWithStatus answers a stream that was refused with an HTTP status, and
// reports whether it was: 503 with Retry-After, or 401 if the session was
// revoked or has expired in the meantime. It is for transports whose clients
// come back after an error status, which an EventSource does not. Serve and
// Start must not be called then.
func (s *Stream) RefuseWithStatus(w http.ResponseWriter) bool {
	switch s.refused {
	case "":
		return false
	case hub.ReasonRevoked, hub.ReasonExpired:
		WriteError(w, http.StatusUnauthorized, noSession)
	default:
		seconds := s.options.retryAfter(s.refused).Round(time.Second) / time.Second
		w.Header().Set("Retry-After", strconv.Itoa(int(max(seconds, 1))))
		WriteError(w, http.StatusServiceUnavailable, "come back later: "+string(s.refused))
	}
	return true
}

// Subscription returns what the stream reads from, to change its filter. It is
// nil if the stream was refused.
func (s *Stream) Subscription() *hub.Subscription { return s.sub }

// Serve runs the stream until it is over, and returns why: always a
// [hub.Reason]. If ctx ends, the reason is [hub.ReasonGone]. Serve closes the
// subscription; the connection behind c is its owner's.
func (s *Stream) Serve(ctx context.Context, c Conn) error {
	s.ready = make(chan struct{}, 1)
	ready := (<-chan struct{})(s.ready)
	if s.sub != nil && s.sub.Ready() != nil {
		ready = s.sub.Ready()
	}
	defer s.Close()
	if !s.open(c) {
		return s.reason()
	}
	// HTTP/2 cancels ctx also when it resets a stream for its write deadline. So
	// the loop is only woken: if a write is under way, its error says more.
	stop := context.AfterFunc(ctx, func() {
		s.gone.Store(true)
		s.sub.Wake()
	})
	defer stop()
	for s.pump() {
		<-ready
	}
	return s.reason()
}

// Start opens the stream and returns; from then on it runs in goroutines that
// come and go with the work. The owner of the connection calls Close when it is
// gone; before that it may call End, to have the client told why.
func (s *Stream) Start(c Conn) {
	s.loop = func() { s.pump() }
	if s.open(c) {
		go s.loop()
	}
}

// End ends the stream for a reason. Unless the client is gone, it is told.
func (s *Stream) End(reason hub.Reason) {
	if s.sub != nil {
		s.sub.End(reason)
	}
}

// Close releases the stream's subscription and timers, but not its connection.
// It may be called again.
func (s *Stream) Close() {
	s.mu.Lock()
	s.closed = true
	if s.beat != nil {
		s.beat.Stop()
	}
	s.mu.Unlock()
	s.recheck.stop()
	if s.sub != nil {
		s.sub.Close()
	}
}

// notified is the subscription's wake-up.
func (s *Stream) notified() {
	if s.loop != nil {
		go s.loop() // an idle goroutine's cost, without keeping one idle
		return
	}
	select {
	case s.ready <- struct{}{}:
	default:
	}
}

// open begins the stream, and reports whether there is anything to pump.
func (s *Stream) open(c Conn) bool {
	s.conn = c
	if s.sub == nil {
		c.End(s.refused, "", s.options.retryAfter(s.refused))
		return false
	}
	s.sub.OnAbort(s.abort)
	if err := c.Open(s.sub.Cursor(), s.options.Retry); err != nil {
		s.fail(err)
		return false
	}
	s.arm()
	s.recheck.start(s)
	return true
}

// pump writes until there is nothing more to write, and reports whether the
// stream goes on. From the moment that Take has returned nothing, the
// subscription sleeps, and another goroutine may be running the next pump: so
// that is the last thing a pump does.
func (s *Stream) pump() bool {
	buf := batches.Get().(*[]*hub.Message)
	defer batches.Put(buf)
	for {
		if s.gone.Load() {
			s.sub.End(hub.ReasonGone)
		}
		if s.due.Load() {
			s.due.Store(false)
			cursor := ""
			if !s.wrote {
				cursor = s.sub.Cursor()
			}
			s.wrote = false
			if err := s.conn.Beat(cursor); err != nil {
				return s.fail(err)
			}
			s.arm()
		}
		batch, err := s.sub.Take(*buf)
		if err != nil {
			s.tell(err)
			return false
		}
		if len(batch) == 0 {
			return true
		}
		s.wrote = true
		err = s.conn.Send(batch)
		clear(batch) // the pool must not keep messages alive
		*buf = batch
		if err != nil {
			return s.fail(err)
		}
	}
}

// batches are shared: an idle stream has none.
var batches = sync.Pool{New: func() any { return new([]*hub.Message) }}

// tell says goodbye.
func (s *Stream) tell(err error) {
	reason := hub.ReasonGone
	errors.As(err, &reason)
	s.conn.End(reason, s.sub.Cursor(), s.options.retryAfter(reason))
}

// fail ends the stream after a write that did not succeed.
func (s *Stream) fail(err error) bool {
	reason := hub.ReasonGone
	if errors.Is(err, os.ErrDeadlineExceeded) {
		reason = hub.ReasonSlow
	}
	s.sub.End(reason)
	s.conn.Abort()
	return false
}

// reason returns why the stream is over.
func (s *Stream) reason() error {
	if s.sub == nil {
		return s.refused
	}
	_, err := s.sub.Take(nil)
	return err
}

// abort unblocks the writer, unless its connection has passed on to others.
func (s *Stream) abort() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.conn.Abort()
	}
}

// arm sets the timer of the next heartbeat.
func (s *Stream) arm() {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
	case s.beat == nil:
		s.beat = time.AfterFunc(s.options.beat(), func() {
			s.due.Store(true)
			s.sub.Wake()
		})
	default:
		s.beat.Reset(s.options.beat())
	}
}
