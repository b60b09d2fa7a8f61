package hub

import (
	"cmp"
	"iter"
	"slices"
	"time"
	intern "unique"

	"github.com/google/uuid"

	"github.com/crier-go/crier/hub/internal/eventlog"
)

// A StreamStatus says how a stream fares, or how it ended.
type StreamStatus struct {
	Stream
	// Cursor names the position up to which the stream has taken everything, as
	// its client would present it to resume. Cursors of one hub compare as
	// strings: the smaller one is the earlier position.
	Cursor string
	// Lag is how many events the stream has yet to take, of those that are meant
	// for it. It is zero for most streams at most times. It counts at most 4096.
	Lag int
	// LagBytes is what these events count for in a batch, about what they have
	// on the wire.
	LagBytes int64
	// Gap says that the next thing which the stream takes is a gap: an event was
	// evicted before the stream took it.
	Gap bool
	// LastWrite is when the transport last handed a batch of events or control
	// messages to the network, see [Subscription.Wrote]. Opening a stream and
	// heartbeats do not count. Zero means that there was none yet.
	LastWrite time.Time
	// Ended is when the stream ended. Zero means that it is open. A stream with
	// a Reason that is not Ended is being closed.
	Ended time.Time
}

// Streams returns the streams of a user: those that are open, the oldest first,
// then those that have ended, the latest first. The hub remembers the last
// Options.EndedStreams of all users. It holds no lock of the hub for long.
func (h *Hub) Streams(user uuid.UUID) []StreamStatus {
	var all []StreamStatus
	for _, s := range h.openStreams(user) {
		if one := s.status(); one.Ended.IsZero() {
			all = append(all, one)
		}
	}
	past, _ := h.ended.of(user)
	for i := range past {
		all = append(all, h.endedStatus(&past[i]))
	}
	return all
}

// openStreams returns the open subscriptions of a user, the oldest first.
func (h *Hub) openStreams(user uuid.UUID) []*Subscription {
	open := h.streamsOf(user)
	slices.SortFunc(open, func(a, b *Subscription) int { return cmp.Compare(a.id, b.id) })
	return open
}

// AllStreams returns the open streams with an ID above after, in order of ID. To
// show them in pages, stop after a number of them and continue with the last ID
// later; zero begins. A page costs a look at every stream and holds no lock while it
// looks, so that publishes and other streams go on. Streams that open or end
// meanwhile may be left out.
func (h *Hub) AllStreams(after uint64) iter.Seq[StreamStatus] {
	return func(yield func(StreamStatus) bool) {
		var all []*Subscription
		h.store.EachReader(func(r *eventlog.Reader[*Message]) {
			if s := r.Owner.(*Subscription); s.id > after {
				all = append(all, s)
			}
		})
		slices.SortFunc(all, func(a, b *Subscription) int { return cmp.Compare(a.id, b.id) })
		for _, s := range all {
			if one := s.status(); one.Ended.IsZero() && !yield(one) {
				return
			}
		}
	}
}

// status describes an open stream.
func (s *Subscription) status() StreamStatus {
	one := StreamStatus{Stream: s.info(), LastWrite: s.hub.writtenAt(s.lastWrite.Load())}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed { // it is among those that have ended, or will be at once
		one.Ended = time.Now()
		return one
	}
	head := min(s.hub.store.Head(), s.until)
	backlog := s.reader.Backlog(head)
	one.Lag, one.LagBytes, one.Gap = backlog.Messages, backlog.Bytes, backlog.Gap
	one.Cursor = s.cursorAt(backlog, head).String()
	return one
}

// writtenAt returns a Subscription's lastWrite as a time.
func (h *Hub) writtenAt(lastWrite int64) time.Time {
	if lastWrite == 0 {
		return time.Time{}
	}
	return h.began.Add(time.Duration(lastWrite))
}

// cursorAt returns the cursor of a subscription without moving it. The caller holds
// s.mu.
func (s *Subscription) cursorAt(b eventlog.Backlog, head position) uuid.UUID {
	codec := s.hub.cursors.Load()
	p := s.reader.Position()
	switch {
	case s.start.unknown:
		return codec.unknownCursor(s.start)
	case b == (eventlog.Backlog{}) && s.pending == nil:
		p = max(p, head) // what lies between is not for this stream
	}
	return codec.encode(p)
}

// lastCursor returns the cursor of a subscription that has ended.
func (s *Subscription) lastCursor() uuid.UUID {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cursorAt(eventlog.Backlog{Gap: true}, 0)
}

// remember adds a stream that has ended to those that are remembered.
func (h *Hub) remember(s *Subscription, info Stream) {
	if h.options.EndedStreams < 0 {
		return
	}
	s.mu.Lock()
	one := endedStream{
		id: s.id, delivered: s.delivered, user: s.session.User,
		session: s.session.ID, address: s.remoteAddr,
		transport: intern.Make(s.transport), agent: s.userAgent,
		started: info.Started, ended: time.Now(),
		allowed: s.allowed, position: s.reader.Position(), until: min(s.until, h.store.Head()),
		gaps: s.gaps, reason: s.over, start: info.Start, trail: s.trail.clone(), lastWrite: s.lastWrite.Load(),
		filter: s.reader.Filter(), sessionTopics: s.session.Topics,
	}
	s.mu.Unlock()
	one.cursor = s.lastCursor()
	if len(info.Topics) > 0 {
		one.topics = info.Topics
	}
	h.ended.add(one)
}

func (h *Hub) endedStatus(e *endedStream) StreamStatus {
	return StreamStatus{
		Stream: Stream{
			ID: e.id, User: e.user, SessionID: e.session, Transport: e.transport.Value(),
			RemoteAddr: e.address, UserAgent: e.agent.Value(),
			Filter: h.decompile(e.filter), Topics: e.topics, Started: e.started, Start: e.start,
			Delivered: e.delivered, Gaps: e.gaps, Reason: e.reason,
		},
		Cursor:    e.cursor.String(),
		LastWrite: h.writtenAt(e.lastWrite),
		Ended:     e.ended,
	}
}
