package transport

import (
	"context"
	"errors"
	"net/http"
	"os"
	"runtime/debug"
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

	beatDue   atomic.Bool // set by the heartbeat's timer
	gone      atomic.Bool // Serve's context is over
	lastWrite time.Time   // when something was last written; belongs to the write loop

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
	for s.writeLoop() {
		<-ready
	}
	return s.reason()
}

// Start opens the stream and returns; from then on it runs in goroutines that
// come and go with the work. The owner of the connection calls Close when it is
// gone; before that it may call End, to have the client told why.
func (s *Stream) Start(c Conn) {
	s.loop = func() { s.writeLoop() }
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
	defer s.contain(nil)
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

// contain keeps a panic of the application's (in a function of hub.Observer, for
// instance, or in an encoding) to the stream that it happened in, whichever
// goroutine the stream runs in. It is deferred; goesOn may be nil.
func (s *Stream) contain(goesOn *bool) {
	r := recover()
	if r == nil {
		return
	}
	s.options.Logger.Error("crier: panic in a stream, which has ended", "panic", r, "stack", string(debug.Stack()))
	if goesOn != nil {
		*goesOn = false
		s.sub.End(hub.ReasonGone)
		s.conn.Abort()
	}
}

// open begins the stream, and reports whether it goes on.
func (s *Stream) open(c Conn) (goesOn bool) {
	defer s.contain(&goesOn)
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
	s.lastWrite = time.Now()
	s.scheduleBeat(s.options.beat())
	s.recheck.start(s)
	return true
}

// writeLoop writes until there is nothing more to write, and reports whether the
// stream goes on. Once Take has returned nothing, the subscription sleeps, and
// another goroutine may already run the next writeLoop: nothing may be touched
// after that.
func (s *Stream) writeLoop() (goesOn bool) {
	defer s.contain(&goesOn)
	buf := batches.Get().(*[]*hub.Message)
	defer batches.Put(buf)
	for {
		if s.gone.Load() {
			s.sub.End(hub.ReasonGone)
		}
		if s.beatDue.Load() {
			s.beatDue.Store(false)
			if err := s.heartbeat(); err != nil {
				return s.fail(err)
			}
		}
		batch, err := s.sub.Take(*buf)
		if err != nil {
			s.sendEnd(err)
			return false
		}
		if len(batch) == 0 {
			return true
		}
		err = s.conn.Send(batch)
		clear(batch) // the pool must not keep messages alive
		*buf = batch
		if err != nil {
			return s.fail(err)
		}
		s.lastWrite = time.Now()
	}
}

// batches are shared: an idle stream has none.
var batches = sync.Pool{New: func() any { return new([]*hub.Message) }}

// heartbeat sends what is due. A stream that has been written to since the last
// heartbeat needs no cursor yet; the next one is due early enough that no
// silence is longer than Options.Heartbeat.
func (s *Stream) heartbeat() error {
	next, cursor := s.options.beat(), ""
	now := time.Now()
	if silence := now.Sub(s.lastWrite); silence < s.options.shortestBeat() {
		next -= silence
	} else {
		cursor = s.sub.Cursor()
		s.lastWrite = now
	}
	if err := s.conn.Beat(cursor); err != nil {
		return err
	}
	s.scheduleBeat(next)
	return nil
}

// sendEnd tells the client why the stream is over.
func (s *Stream) sendEnd(err error) {
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

// scheduleBeat makes a heartbeat due after d.
func (s *Stream) scheduleBeat(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
	case s.beat == nil:
		s.beat = time.AfterFunc(d, func() {
			s.beatDue.Store(true)
			s.sub.Wake()
		})
	default:
		s.beat.Reset(d)
	}
}
