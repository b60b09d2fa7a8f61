package hub

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/hub/internal/eventlog"
)

// An explained is what is known of a stream, open or ended, to tell what became of
// an event.
type explained struct {
	status   StreamStatus
	session  []string // Session.Topics
	allowed  categorySet
	present  era // without until
	position position
	until    position // nothing behind this is taken
	trail    trail
}

// explained returns the streams of a user in the order of Streams, and the time
// before which streams may have been forgotten.
func (h *Hub) explained(user uuid.UUID) (all []explained, since time.Time) {
	for _, s := range h.openStreams(user) {
		if one := s.explained(); one.status.Ended.IsZero() {
			all = append(all, one)
		}
	}
	past, since := h.ended.of(user)
	for i := range past {
		e := &past[i]
		all = append(all, explained{
			status: h.endedStatus(e), session: e.sessionTopics, allowed: e.allowed,
			present: era{filter: e.filter, topics: e.topics}, position: e.position, until: e.until, trail: e.trail,
		})
	}
	return all, since
}

func (s *Subscription) explained() explained {
	one := explained{status: s.status(), session: s.session.Topics, allowed: s.allowed}
	s.mu.Lock()
	defer s.mu.Unlock()
	one.present = era{filter: s.reader.Filter(), topics: s.topics()}
	one.position, one.until = s.reader.Position(), s.until
	one.trail = s.trail.clone()
	return one
}

// everFollowed returns the topics that the stream follows, has followed, or may
// follow. Some may be there twice.
func (x *explained) everFollowed() []string {
	all := slices.Concat(x.session, x.present.topics)
	if x.trail.changes != nil {
		for _, e := range x.trail.changes.past {
			all = append(all, e.topics...)
		}
	}
	return all
}

// judge says what became of an event that a log holds.
//
// What a log holds now it has held all the time. So a stream that follows the log
// and has a position behind the event was given it: it cannot have been missing.
func (x *explained) judge(user uuid.UUID, f found, every categorySet) Verdict {
	switch {
	case f.key.ID != uuid.Nil && f.key.ID != user:
		return VerdictNotAddressed
	case f.position > x.until:
		return x.over()
	case f.position <= x.trail.from:
		return x.beganBehind()
	}
	inForce, ok := x.trail.at(f.position, x.present)
	switch {
	case !ok:
		return VerdictUnknown
	case f.key.Name != "" && !slices.Contains(inForce.topics, f.key.Name):
		return VerdictNotFollowed
	case f.item == nil && inForce.filter == 0:
		return VerdictFiltered
	case f.item == nil && inForce.filter == every:
		return VerdictSuperseded
	case f.item == nil: // its category is not known any more
		return VerdictUnknown
	}
	category := categorySet(1) << f.item.Category
	switch {
	case x.allowed&category == 0:
		return VerdictForbidden
	case inForce.filter&category == 0:
		return VerdictFiltered
	case f.superseded:
		return VerdictSuperseded
	case f.position <= x.position:
		return VerdictDelivered
	case x.status.Ended.IsZero():
		return VerdictPending
	}
	return VerdictNotTaken
}

// over is the verdict on what was published after the stream ended.
func (x *explained) over() Verdict {
	if x.status.Reason == ReasonRevoked {
		return VerdictRevoked
	}
	return VerdictEnded
}

// beganBehind is the verdict on what was published before the position at which
// the stream began.
func (x *explained) beganBehind() Verdict {
	switch {
	case x.trail.unknown:
		return VerdictUnresolved
	case x.status.Start == StartNew:
		return VerdictNotConnected
	}
	return VerdictAlreadySeen
}

// An estimate is what is known of the position of an event that is not retained
// any more: it is behind after, and at most upTo.
type estimate struct{ after, upTo position }

// estimate estimates the position of an event for a user by the time at which it
// was made, in Unix milliseconds. It reports false if the hub cannot have published
// such an event, or not one that was retained.
//
// The positions of streams when they began and ended, and those of retained
// events, say where the head was at some time.
func (h *Hub) estimate(user uuid.UUID, millis int64, streams []explained) (e estimate, ok bool) {
	if h.cluster == nil && millis < h.store.OldestMade() {
		return e, false
	}
	made := time.UnixMilli(millis)
	// The event must have been evicted from a log.
	lost := max(h.store.Floor(), h.store.Lost(eventlog.Key{ID: user}), h.store.Lost(eventlog.Key{}))
	for i := range streams {
		for _, topic := range streams[i].everFollowed() {
			lost = max(lost, h.store.Lost(eventlog.Key{Name: topic}))
		}
	}
	e.upTo = lost
	// head notes where the head was at a time. An event is published after it was
	// made, and most often at once.
	head := func(at time.Time, p position) {
		if !at.After(made) {
			e.after = max(e.after, p)
		} else if at.Sub(made) >= time.Millisecond {
			e.upTo = min(e.upTo, p)
		}
	}
	head(time.Now(), h.store.Head())
	h.store.EachReader(func(r *eventlog.Reader[*Message]) {
		s := r.Owner.(*Subscription)
		s.mu.Lock()
		opened, known := s.trail.opened, !s.trail.unknown && s.trail.opened > 0
		s.mu.Unlock()
		if known {
			head(h.began.Add(time.Duration(s.started)), opened)
		}
	})
	h.ended.each(func(one *endedStream) {
		if !one.trail.unknown {
			head(one.started, one.trail.opened)
		}
		if !one.ended.After(made) {
			e.after = max(e.after, one.until) // the head may have been behind this
		}
	})
	for _, key := range [...]eventlog.Key{{ID: user}, {}} {
		for _, held := range h.store.Entries(key) {
			head(h.began.Add(time.Duration(held.Item.Time)), held.Position)
		}
	}
	if e.upTo <= e.after { // it was published later than it was made
		e.upTo = lost
	}
	return e, e.after < e.upTo
}

// infer says what probably became of an event that is not retained any more.
func (x *explained) infer(e estimate, every categorySet) Verdict {
	open := x.status.Ended.IsZero()
	switch {
	case x.until <= e.after:
		return x.over()
	case x.trail.unknown && x.status.Start != StartUnknown: // the backplane was replaced since
		return VerdictUnknown
	case e.upTo <= x.trail.from:
		return x.beganBehind()
	case e.after < x.trail.from || x.until < e.upTo:
		return VerdictUnknown
	}
	if covered, touched := x.trail.gap(e); covered {
		return VerdictEvicted
	} else if touched {
		return VerdictUnknown
	}
	switch {
	case x.position >= e.upTo:
		switch filters, ok := x.trail.filters(e, x.present.filter); {
		case ok && filters.all == every:
			return VerdictDelivered
		case ok && filters.any == 0:
			return VerdictFiltered
		}
	case x.position > e.after: // it may have passed the event
	case !open:
		return VerdictNotTaken
	case x.status.Gap:
		return VerdictEvicted // and it will be told so
	case x.present.filter != every: // nothing is missing of what it wants
		return VerdictFiltered
	}
	return VerdictUnknown
}
