package hub

import (
	"context"
	"runtime/debug"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/event"
)

// An Observer is told what happens in a hub. Every field may be nil. The
// functions are called in the goroutine in which it happens, concurrently, and
// never under a lock. They must return quickly, and may call the hub. A panic in
// one is logged as an error and goes no further. A hub can have several
// observers, see [Hub.Observe].
//
// Where Ended, Refused or Gap is nil, what an operator must know (slow or
// abusive clients, streams refused as overloaded, evicted events) is logged to
// Options.Logger, each kind at most once a minute. docs/logs.md lists the lines.
type Observer struct {
	// Subscribed reports a stream that has opened.
	Subscribed func(Stream)
	// Ended reports a stream that has ended and released everything. Its
	// Reason says why.
	Ended func(Stream)
	// Refused reports a stream that was not opened.
	Refused func(Refusal)
	// Publishing reports that a publish begins: Publish, PublishTo or Broadcast,
	// to a number of audiences. The context that it returns replaces the
	// caller's for the rest of the publish, the backplane's Append included;
	// nil means the same. The function that it returns, if any, is called when
	// the publish returns, with its error. It is for tracing.
	Publishing func(ctx context.Context, e *event.Event, audiences int) (context.Context, func(error))
	// Published reports an event that was published. The context is that of
	// the publish.
	Published func(context.Context, Publication)
	// Written reports that events were written to a client. It is called for
	// each write, so it must take well below a microsecond and must not
	// allocate. While it blocks, so may the streams of up to 63 other clients.
	Written func(Write)
	// Gap reports a gap that a stream was told of.
	Gap func(Gap)
	// Backplane reports that the hub does not follow its backplane any more,
	// or follows it again.
	Backplane func(BackplaneStatus)
	// Error reports a failure that no caller could be told of. If it is nil,
	// the error is logged to Options.Logger.
	Error func(error)
}

// A Stream describes an open or ended stream.
type Stream struct {
	ID         uint64 // unique within the hub
	User       uuid.UUID
	SessionID  string
	Transport  string   // as in Request
	RemoteAddr string   // as in Request
	UserAgent  string   // as in Request
	Filter     Filter   // in force, within what the session allows
	Topics     []string // that it follows
	Started    time.Time
	Start      Start  // where it began to read
	Delivered  uint64 // events handed out so far
	Gaps       uint64 // gaps handed out so far
	Reason     Reason // why it ended; empty while it is open
	// Context is Request.Context in Observer.Subscribed, for instance with the
	// span of the request. It is nil everywhere else, so that a stream does not
	// keep its request alive.
	Context context.Context `json:"-"`
}

// A Refusal describes a request for a stream that was not opened.
type Refusal struct {
	Session    Session // zero if Options.OpenRate refused it, before it was authenticated
	Transport  string  // as in Request
	RemoteAddr string  // as in Request
	UserAgent  string  // as in Request
	Reason     Reason
}

// A Publication describes an event that was published.
type Publication struct {
	Event *event.Event
	// Woken is the number of sleeping streams that this publish woke. Streams
	// that were awake find the event without being woken. Of several
	// concurrent broadcasts, one wakes for all.
	Woken int
}

// A Gap describes a gap in a stream.
type Gap struct {
	Stream Stream
	Reason GapReason
}

// A GapReason says why a stream has a gap. A client reads it in stream.gap.
type GapReason string

// The reasons for gaps.
const (
	GapEvicted GapReason = "evicted" // the events were evicted before this stream took them
	GapUnknown GapReason = "unknown" // the client's last id could not be resolved to a position
)

// GapReasons returns all reasons for gaps.
func GapReasons() []GapReason { return []GapReason{GapEvicted, GapUnknown} }

func (s *Subscription) info() Stream {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Stream{
		ID:         s.id,
		User:       s.session.User,
		SessionID:  s.session.ID,
		Transport:  s.transport,
		RemoteAddr: s.remoteAddr,
		UserAgent:  s.userAgent.Value(),
		Filter:     s.hub.decompile(s.reader.Filter()),
		Topics:     s.topics(),
		Started:    s.hub.began.Add(time.Duration(s.started)),
		Start:      s.began,
		Delivered:  s.delivered,
		Gaps:       s.gaps,
		Reason:     s.over,
	}
}

// guard calls a function of the application. A panic in it is logged and goes no
// further: the hub's promises must not depend on the observer.
func (h *Hub) guard(name string, f func()) {
	defer func() {
		if p := recover(); p != nil {
			h.options.Logger.Error("crier: panic in Observer."+name, "panic", p, "stack", string(debug.Stack()))
		}
	}()
	f()
}

func (h *Hub) observeSubscribed(ctx context.Context, s *Subscription) {
	for _, o := range h.observing() {
		if f := o.Subscribed; f != nil {
			h.guard("Subscribed", func() {
				info := s.info()
				info.Context = ctx
				f(info)
			})
		}
	}
}

// observePublished counts an event and reports it.
func (h *Hub) observePublished(ctx context.Context, e *event.Event, woken int) {
	h.counters.published.Add(1)
	for _, o := range h.observing() {
		if f := o.Published; f != nil {
			h.guard("Published", func() { f(ctx, Publication{Event: e, Woken: woken}) })
		}
	}
}

// observeGaps counts and reports the gaps in a batch.
func (h *Hub) observeGaps(s *Subscription, batch []*Message) {
	for _, m := range batch {
		if m.Type() != TypeGap {
			continue
		}
		reason := m.gapReason()
		h.counters.gap(reason)
		for _, o := range h.observing() {
			if f := o.Gap; f != nil {
				h.guard("Gap", func() { f(Gap{Stream: s.info(), Reason: reason}) })
			}
		}
		if h.options.Observer.Gap == nil && reason == GapEvicted {
			h.warn("clients were told of a gap: events were evicted before they had read them", s.info)
		}
	}
}

// observeEnd counts and reports the end of a stream that holds nothing any more.
func (h *Hub) observeEnd(s *Subscription) {
	info := s.info()
	h.counters.end(info)
	h.remember(s, info)
	h.logEnd(s, info)
	h.mu.Lock()
	h.open--
	h.ending++
	h.signalDrained()
	h.mu.Unlock()
	for _, o := range h.observing() {
		if f := o.Ended; f != nil {
			h.guard("Ended", func() { f(info) })
		}
	}
	if h.options.Observer.Ended == nil && (info.Reason == ReasonSlow || info.Reason == ReasonAbusive) {
		h.warn("streams ended as "+string(info.Reason), func() Stream { return info })
	}
	h.mu.Lock()
	h.ending--
	h.signalDrained()
	h.mu.Unlock()
}

func (h *Hub) observeError(err error) {
	for _, o := range h.observing() {
		if f := o.Error; f != nil {
			h.guard("Error", func() { f(err) })
		}
	}
}

func (h *Hub) observeBackplane() {
	for _, o := range h.observing() {
		if f := o.Backplane; f != nil {
			h.guard("Backplane", func() { f(h.cluster.status()) })
		}
	}
}

// observeRefusal counts and reports a stream that was not opened.
func (h *Hub) observeRefusal(r Request, reason Reason) {
	h.counters.refuse(reason)
	h.logRefusal(r, reason)
	for _, o := range h.observing() {
		if f := o.Refused; f != nil {
			h.guard("Refused", func() { f(Refusal{r.Session, r.Transport, r.RemoteAddr, r.UserAgent, reason}) })
		}
	}
	if h.options.Observer.Refused == nil && reason == ReasonOverloaded {
		h.warn("streams were refused as overloaded", func() Stream { return refused(r, reason) })
	}
}
