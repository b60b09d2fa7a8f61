package transport

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/transport/internal/netwrite"
)

// A Stream is one open connection: a subscription, the Conn that it is written
// to, and the write loop between them. The loop waits for one thing only, the
// subscription's wake-up: cancellation, expiry, revocation and heartbeats wake
// the subscription, too.
//
// [Stream.Serve] runs the loop in the caller's goroutine until the stream is
// over. [Stream.Start] runs it in a goroutine that exists only while there is
// something to write, so an idle connection needs none. On Linux, over plain TCP, a
// few goroutines that all streams share make the writes that need not wait.
type Stream struct {
	*group
	sub     *hub.Subscription
	refused hub.Reason    // why there is no subscription
	wait    time.Duration // how long the client should wait that was refused; zero for the usual
	conn    Conn
	loop    func()        // set by Start: runs the write loop
	ready   chan struct{} // set by Serve: signalled by wake
	recheck *recheck      // nil without Options.Recheck

	beatDue   atomic.Bool   // set by the schedule
	canceled  atomic.Bool   // Serve's context is over
	lastWrite time.Duration // when something was last written, by schedule.now; belongs to the write loop

	beatNext, beatPrev *Stream // in the schedule's list; the schedule's mu guards them
	beatStep           int64   // of the list; zero if s is in none

	next *Stream // in the crew's queue; the crew's mu guards it

	resumes bool
	joined  bool // the crew writes; set by Start
	closed  bool // guarded by mu
	mu      sync.Mutex
}

// A group is what the streams of one Acceptor share.
type group struct {
	hub      *hub.Hub
	options  *Options  // resolved
	schedule *schedule // of heartbeats
	crew     *crew
}

// NewStream returns a stream for a subscription, for transports that do not begin
// with an HTTP request. The subscription's request must not have had a Notify.
// Such a stream can be run by Serve only.
func NewStream(sub *hub.Subscription, o *Options) *Stream {
	o = o.WithDefaults()
	return &Stream{group: &group{hub: sub.Hub(), options: o, schedule: newSchedule(o, 1)}, sub: sub}
}

// RefuseWithStatus reports whether the stream was refused, and if so answers the
// request: with 503 and Retry-After, or with 401 if the session has expired or
// was revoked in the meantime. Then Serve and Start must not be called. It is for
// transports whose clients come back after an error status, which an EventSource
// does not.
func (s *Stream) RefuseWithStatus(w http.ResponseWriter) bool {
	switch s.refused {
	case "":
		return false
	case hub.ReasonRevoked, hub.ReasonExpired:
		WriteError(w, http.StatusUnauthorized, noSession)
	default:
		seconds := s.retryAfter(s.refused).Round(time.Second) / time.Second
		w.Header().Set("Retry-After", strconv.Itoa(int(max(seconds, 1))))
		WriteError(w, http.StatusServiceUnavailable, "come back later: "+string(s.refused))
	}
	return true
}

// Resumes reports whether the client has named a last id, known or not.
func (s *Stream) Resumes() bool { return s.resumes }

// Subscription returns the stream's subscription, for instance to change its
// filter. It is nil if the stream was refused.
func (s *Stream) Subscription() *hub.Subscription { return s.sub }

// Serve runs the stream until it is over and returns the reason, which always is
// a [hub.Reason]. If ctx ends, that is [hub.ReasonGone]. Serve closes the
// subscription, but not the connection behind c.
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
	// The end of ctx only wakes the loop: HTTP/2 also cancels ctx when a write
	// deadline passes, and then the error of the write says more.
	stop := context.AfterFunc(ctx, func() {
		s.canceled.Store(true)
		s.sub.Wake()
	})
	defer stop()
	for s.writeLoop() {
		<-ready
	}
	return s.reason()
}

// Start opens the stream and returns. From then on the stream is written by
// goroutines that exist only while there is something to write. The owner of the
// connection must call Close when the connection is closed. It may call End
// before, to tell the client why.
func (s *Stream) Start(c Conn) {
	s.loop = func() { s.writeLoop() }
	joint, ok := c.(netwrite.Joint)
	s.joined = ok && joint.Joint() != nil
	if s.open(c) {
		s.wake()
	}
}

// End ends the stream for a reason, which the client is told if it can be.
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
	s.schedule.remove(s)
	s.mu.Unlock()
	s.recheck.stop()
	if s.sub != nil {
		s.sub.Close()
	}
}

// wake is the subscription's Notify.
func (s *Stream) wake() {
	switch {
	case s.joined && !s.beatDue.Load():
		s.crew.add(s)
	case s.loop != nil:
		go s.loop()
	default:
		select {
		case s.ready <- struct{}{}:
		default:
		}
	}
}

// contain recovers from a panic in the application's code, for instance in an
// encoding, so that only this stream ends, whichever goroutine it runs in. It is
// to be deferred; goesOn may be nil.
func (s *Stream) contain(goesOn *bool) {
	r := recover()
	if r == nil {
		return
	}
	s.options.Logger.Error("crier: panic in a stream, which has ended", s.logAttr(), "panic", r, "stack", string(debug.Stack()))
	if goesOn != nil {
		*goesOn = false
		s.sub.End(hub.ReasonGone)
		s.conn.Abort()
	}
}

// logAttr names the stream in log lines.
func (s *Stream) logAttr() slog.Attr {
	if s.sub == nil {
		return slog.String("reason", string(s.refused))
	}
	return s.sub.LogAttr()
}

// open begins the stream, and reports whether it goes on.
func (s *Stream) open(c Conn) (goesOn bool) {
	defer s.contain(&goesOn)
	s.conn = c
	if s.sub == nil {
		c.End(s.refused, "", s.retryAfter(s.refused))
		return false
	}
	s.sub.OnAbort(s.abort)
	if err := c.Open(s.sub.Cursor(), s.options.Retry); err != nil {
		s.fail(err)
		return false
	}
	s.lastWrite = s.schedule.now()
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
	for {
		if s.canceled.Load() {
			s.sub.End(hub.ReasonGone)
		}
		if s.beatDue.Load() && !s.heartbeat() {
			break
		}
		batch, err := s.sub.Take(*buf)
		if err != nil {
			s.sendEnd(err)
			break
		}
		if len(batch) == 0 {
			goesOn = true
			break
		}
		if err = s.conn.Send(batch); err == nil {
			s.wrote(batch, time.Now())
		}
		clear(batch) // the pool must not keep messages alive
		*buf = batch
		if err != nil {
			s.fail(err)
			break
		}
	}
	batches.Put(buf)
	return goesOn
}

// wrote notes that a batch was written, and reports it. It is not inlined, to keep
// writeLoop's stack small; see netwrite.Writer.Write. If an observer ends the goroutine
// (runtime.Goexit), a stream that was started goes on in another.
//
//go:noinline
func (s *Stream) wrote(batch []*hub.Message, now time.Time) {
	s.lastWrite = now.Sub(s.schedule.start)
	returned := false
	defer func() {
		if !returned && s.loop != nil {
			go s.loop()
		}
	}()
	s.sub.Wrote(batch, now)
	returned = true
}

// batches holds the buffers for Take. An idle stream has none.
var batches = sync.Pool{New: func() any { return new([]*hub.Message) }}

// heartbeat calls Beat and schedules the next heartbeat. It reports whether the
// stream goes on. If the stream has been written to since the last heartbeat, no
// cursor is sent yet, and the next heartbeat comes early enough for the silence
// not to exceed Options.Heartbeat.
func (s *Stream) heartbeat() (goesOn bool) {
	s.beatDue.Store(false)
	next, cursor := s.options.beat(), ""
	now := s.schedule.now()
	if silence := now - s.lastWrite; silence < s.options.shortestBeat() {
		next -= silence
	} else {
		cursor = s.sub.Cursor()
		s.lastWrite = now
	}
	if err := s.conn.Beat(cursor); err != nil {
		s.fail(err)
		return false
	}
	s.scheduleBeat(next)
	return true
}

// retryAfter returns how long the client should wait whose stream ends or was refused
// for a reason.
func (s *Stream) retryAfter(reason hub.Reason) time.Duration {
	if s.wait > 0 {
		return s.wait
	}
	return s.options.retryAfter(reason, s.hub.ReconnectSpread())
}

// sendEnd tells the client why the stream is over.
func (s *Stream) sendEnd(err error) {
	reason := hub.ReasonGone
	errors.As(err, &reason)
	s.conn.End(reason, s.sub.Cursor(), s.retryAfter(reason))
}

// fail ends the stream after a write that failed.
func (s *Stream) fail(err error) {
	reason := hub.ReasonGone
	if errors.Is(err, os.ErrDeadlineExceeded) {
		reason = hub.ReasonSlow
	}
	s.sub.End(reason)
	s.conn.Abort()
}

// reason returns why the stream is over.
func (s *Stream) reason() error {
	if s.sub == nil {
		return s.refused
	}
	_, err := s.sub.Take(nil)
	return err
}

// abort makes a write fail. After Close it does nothing: net/http may be using the
// connection for another request.
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
	if !s.closed {
		s.schedule.add(s, d)
	}
}
