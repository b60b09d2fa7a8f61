package hub

import (
	"bytes"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/event"
)

// An Observer is told what happens in a hub. Every field may be nil. The
// functions are called in the goroutine in which it happens, never under a
// lock, and concurrently: they should be quick, and may call the hub.
//
// Where Ended, Refused or Gap is nil, what an operator must know of it (clients
// that are slow or abusive, streams refused as overloaded, evicted events) goes
// to Options.Logger, each kind at most once a minute.
type Observer struct {
	// Subscribed: a stream has opened.
	Subscribed func(Stream)
	// Ended: a stream has ended and released everything.
	Ended func(Stream)
	// Refused: a stream was not opened, for this reason.
	Refused func(s Session, transport string, reason Reason)
	// Published: an event has been published, and this many sleeping streams
	// were woken for it. (Streams that were awake find it by themselves, and
	// concurrent broadcasts may be woken for by one of them.)
	Published func(e *event.Event, woken int)
	// Gap: a stream was told of a gap, "evicted" or "unknown".
	Gap func(s Stream, reason string)
	// Error: something failed that no caller could be told of. Without it,
	// Options.Logger is.
	Error func(error)
}

// Report tells the observer, or else the logger, of a failure that is nobody's
// to handle. It is for packages around the hub, such as bridge.
func (h *Hub) Report(err error) {
	if f := h.options.Observer.Error; f != nil {
		f(err)
		return
	}
	h.options.Logger.Error("crier", "error", err)
}

// A Stream describes an open or ended stream to the observer.
type Stream struct {
	User      uuid.UUID
	SessionID string
	Transport string // as in Request
	Started   time.Time
	Delivered uint64 // events handed out so far
	Gaps      uint64 // gaps told so far
	Reason    Reason // why it ended; empty while it is open
}

func (s *Subscription) info() Stream {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Stream{
		User:      s.session.User,
		SessionID: s.session.ID,
		Transport: s.transport,
		Started:   s.hub.began.Add(time.Duration(s.started)),
		Delivered: s.delivered,
		Gaps:      s.gaps,
		Reason:    s.over,
	}
}

// observeGaps counts and reports the gaps in a batch.
func (h *Hub) observeGaps(s *Subscription, batch []*Message) {
	for _, m := range batch {
		if m.Type() != TypeGap {
			continue
		}
		reason := "evicted"
		if bytes.Equal(m.own.data, gapReasons.unknown) {
			reason = "unknown"
		}
		h.counters.gap(reason)
		if f := h.options.Observer.Gap; f != nil {
			f(s.info(), reason)
		} else if reason == "evicted" {
			h.notice("clients were told of a gap: events were evicted before they had read them")
		}
	}
}

// observeEnd counts and reports the end of a stream.
func (h *Hub) observeEnd(s *Subscription) {
	info := s.info()
	h.counters.end(info)
	switch f := h.options.Observer.Ended; {
	case f != nil:
		f(info)
	case info.Reason == Slow || info.Reason == Abusive:
		h.notice("streams ended as " + string(info.Reason))
	}
}

// observeRefusal counts and reports a stream that was not opened.
func (h *Hub) observeRefusal(r Request, reason Reason) {
	h.counters.refuse(reason)
	switch f := h.options.Observer.Refused; {
	case f != nil:
		f(r.Session, r.Transport, reason)
	case reason == Overloaded:
		h.notice("streams were refused as overloaded")
	}
}
