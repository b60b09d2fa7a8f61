package hub

import (
	"context"
	"slices"
	"time"

	"github.com/crier-go/crier/event"
)

// Observe adds an observer to the one in Options.Observer. It is for packages
// that export metrics or traces, so that an application keeps its own observer.
// The observers are called one after the other: first that of the options, then
// the others in the order in which they were added.
//
// The observer sees what happens from now on: add it before the hub serves its
// first stream. It must not be modified afterwards. It does not replace any log
// line: what is logged depends on Options.Observer alone.
//
// The returned function removes the observer. A call that is under way may still
// reach it afterwards. Observe may be called at any time, from any goroutine.
func (h *Hub) Observe(o *Observer) (remove func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	added := *o // its address tells two observers with equal functions apart
	h.setObservers(append(slices.Clone(h.observing()), &added))
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.setObservers(slices.DeleteFunc(slices.Clone(h.observing()), func(o *Observer) bool { return o == &added }))
	}
}

// setObservers replaces the observers. The caller holds h.mu, or is alone.
func (h *Hub) setObservers(all []*Observer) { h.observers.Store(&all) }

// observing returns the observers, that of the options first.
func (h *Hub) observing() []*Observer { return *h.observers.Load() }

// observePublishing reports that a publish begins. It returns the context for
// the rest of the publish, and what to call at its end, in this order.
func (h *Hub) observePublishing(ctx context.Context, e *event.Event, audiences int) (context.Context, []func(error)) {
	var ends []func(error)
	for _, o := range h.observing() {
		if o.Publishing == nil {
			continue
		}
		h.guard("Publishing", func() {
			next, end := o.Publishing(ctx, e, audiences)
			if next != nil {
				ctx = next
			}
			if end != nil {
				ends = append(ends, end)
			}
		})
	}
	slices.Reverse(ends)
	return ctx, ends
}

// tracesPublishes reports whether any observer has a Publishing.
func (h *Hub) tracesPublishes() bool {
	for _, o := range h.observing() {
		if o.Publishing != nil {
			return true
		}
	}
	return false
}

// A Write describes a batch that was written to a client at once.
type Write struct {
	Transport string // as in Request
	Events    int    // in the batch, without control messages; at least 1
	Replayed  int    // how many of them were published before the stream was opened
	// Latency is the time from the publish of the batch's oldest event that is
	// not replayed until the batch was handed to the network. It is zero if all
	// are replayed. With a backplane, it includes the engine and the difference
	// between the clocks of the publishing process and of this one.
	Latency time.Duration
}

// Wrote reports that a batch of Take was handed to the network, and when. It
// must be called before the next Take. StreamStatus.LastWrite, Observer.Written and
// the metrics depend on it. It costs a few nanoseconds if nobody observes writes.
func (s *Subscription) Wrote(batch []*Message, at time.Time) {
	s.lastWrite.Store(max(int64(at.Sub(s.hub.began)), 1))
	for _, o := range s.hub.observing() {
		if o.Written != nil {
			s.observeWritten(batch, at)
			return
		}
	}
}

// observeWritten is not inlined, to keep the stack of Wrote's callers small.
//
//go:noinline
func (s *Subscription) observeWritten(batch []*Message, at time.Time) {
	w := Write{Transport: s.transport}
	for _, m := range batch {
		switch {
		case m.event == nil:
			continue
		case m.item.Time < s.started:
			w.Replayed++
		case w.Latency == 0:
			w.Latency = max(at.Sub(s.hub.began)-time.Duration(m.item.Time), 1)
		}
		w.Events++
	}
	if w.Events == 0 {
		return
	}
	for _, o := range s.hub.observing() {
		if f := o.Written; f != nil {
			s.hub.guard("Written", func() { f(w) })
		}
	}
}

// A Start says where a stream began to read.
type Start string

// Where streams begin.
const (
	StartNew     Start = "new"     // without a last id: with what is published from now on
	StartPage    Start = "page"    // with the cursor of a page, see Hub.Cursor
	StartCursor  Start = "cursor"  // it resumed from a cursor, and nothing was missing
	StartEvent   Start = "event"   // it resumed from an event's id, and nothing was missing
	StartEvicted Start = "evicted" // it resumed, and events were evicted meanwhile: a gap
	StartUnknown Start = "unknown" // its last id could not be resolved: a gap
)

// Starts returns all values of Start, so that metrics can have every label from
// the beginning.
func Starts() []Start {
	return []Start{StartNew, StartPage, StartCursor, StartEvent, StartEvicted, StartUnknown}
}

// startOf returns how a stream with this last id began. The caller holds s.mu.
func (s *Subscription) startOf(l lastID, at start) Start {
	switch {
	case at.unknown:
		return StartUnknown
	case l.kind == 0:
		return StartNew
	case s.reader.Missing():
		return StartEvicted
	case l.fresh:
		return StartPage
	case l.kind == 7:
		return StartEvent
	}
	return StartCursor
}
