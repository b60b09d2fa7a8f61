package hub

import (
	"context"
	"encoding/json"
	"math"
	"slices"
	"time"
	intern "unique"

	"github.com/google/uuid"

	"github.com/crier-go/crier/hub/internal/eventlog"
)

// Subscribe opens a subscription. Errors: [ErrNoUser]; [ErrClosed]; an
// [UnknownCategoryError]; [ErrEmptyFilter]; a [ForbiddenTopicsError], a [TopicError]
// or a [TooManyTopicsError]; and a [Reason] if the stream is
// refused: [ReasonExpired], [ReasonRevoked], [ReasonOverloaded], or
// [ReasonUnavailable] for a request that was authenticated more than a minute
// ago. With a backplane, a stream is also refused as unavailable while a hub that
// was just opened catches up, and if the backplane is unavailable and Request.After
// is an id that this process does not know: another may have published it.
//
// A subscription with a Request.After resumes behind that id. If the id cannot
// be resolved to a position, the subscription begins with a gap; see [TypeGap].
func (h *Hub) Subscribe(r Request) (*Subscription, error) {
	s, err := h.subscribe(r)
	if err != nil {
		if reason, ok := err.(Reason); ok {
			h.observeRefusal(r, reason)
		}
		return nil, err
	}
	h.presence.update(s)
	h.observeSubscribed(r.Context, s)
	return s, nil
}

func (h *Hub) subscribe(r Request) (*Subscription, error) {
	if r.Session.User == uuid.Nil {
		return nil, ErrNoUser
	}
	allowed, err := h.compile(r.Session.Allowed)
	if err != nil {
		return nil, err
	}
	filter, err := h.compile(r.Filter)
	if err != nil {
		return nil, err
	}
	if r.Session.Allowed.isZero() || r.Filter.isZero() {
		return nil, ErrEmptyFilter
	}
	ctx := r.Context
	if ctx == nil {
		ctx = context.Background()
	}
	topics, err := h.authorize(ctx, r.Session, nil, r.Topics)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	if r.Authenticated.IsZero() {
		r.Authenticated = now
	}
	if !r.Session.Expires.IsZero() && !r.Session.Expires.After(now) {
		return nil, ReasonExpired
	}

	s := &Subscription{
		hub:        h,
		id:         h.ids.Add(1),
		session:    r.Session,
		transport:  r.Transport,
		remoteAddr: r.RemoteAddr,
		userAgent:  intern.Make(r.UserAgent),
		started:    h.now(),
		allowed:    allowed,
		until:      math.MaxUint64,
	}
	s.reader.Init(r.Notify)
	s.reader.Owner = s
	s.reader.SetFilter(filter & allowed)
	s.topical = len(topics) > 0
	if h.cluster != nil {
		select {
		case <-h.cluster.ready:
		default:
			return nil, ReasonUnavailable
		}
	}
	after := h.parseLastID(r.After)
	if err := h.admit(ctx, s, after, r.FromOldest, topics); err != nil {
		return nil, err
	}
	// From here on a revocation finds s; one that came before is on record.
	if reason := h.revocations.check(r.Session, r.Authenticated, now); reason != "" {
		s.withdraw(reason)
		return nil, reason
	}
	var forbidden *ForbiddenTopicsError
	for _, topic := range topics {
		if h.revocations.since(r.Authenticated, now, revocation{user: r.Session.User, topic: topic}) {
			forbidden = forbidden.forbid(topic, nil)
		}
	}
	if forbidden != nil {
		s.withdraw(ReasonGone)
		return nil, forbidden
	}
	if !r.Session.Expires.IsZero() {
		s.mu.Lock()
		s.scheduleExpiry()
		s.mu.Unlock()
	}
	if after.foreign {
		h.warnForeign(s)
	}
	return s, nil
}

// admit registers s and sets where it starts. No event that is published from
// here on passes it by.
func (h *Hub) admit(ctx context.Context, s *Subscription, after lastID, fromOldest bool, topics []string) error {
	user := eventlog.Key{ID: s.session.User}
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		return ErrClosed
	}
	oldest, err := h.checkLimits(user, after.fresh)
	if err != nil {
		h.mu.Unlock()
		return err
	}
	h.open++
	keys := append(make([]eventlog.Key, 0, 8), user, eventlog.Key{})
	for _, topic := range topics {
		keys = append(keys, eventlog.Key{Name: topic})
	}
	// Others find s once it is in a log. A Join that does waits until s has a
	// position.
	s.mu.Lock()
	head := h.store.Open(&s.reader, keys...)
	if h.cluster != nil {
		head = max(head, h.cluster.end.Load())
	}
	h.mu.Unlock()

	at := h.resolve(after, &s.reader, s.session.Topics, head)
	if fromOldest && after.kind == 0 {
		at = start{retained: true}
	}
	if at.unknown && h.cluster != nil && after.kind != lastIDInvalid {
		// The id may be of something that this process has yet to apply.
		s.mu.Unlock() // applying it may need s
		end, caughtUp, err := h.cluster.catchUp(ctx)
		if err != nil {
			s.withdraw(ReasonUnavailable)
			return ReasonUnavailable
		}
		s.mu.Lock()
		if caughtUp {
			at = h.resolve(after, &s.reader, s.session.Topics, max(h.store.Head(), h.cluster.end.Load()))
		} else {
			// The client may have seen anything up to the end.
			at = start{after: max(head, end), unknown: true}
		}
	}
	s.begin(at)
	s.began = s.startOf(after, at)
	s.mu.Unlock()
	if oldest != nil {
		oldest.End(ReasonOverloaded)
	}
	return nil
}

// withdraw takes back a subscription that was admitted and is refused after all.
// It was never handed out, so it is not observed.
func (s *Subscription) withdraw(reason Reason) {
	s.End(reason)
	s.reader.Close()
	s.hub.leave()
}

// begin sets where a subscription that was just opened begins to read. The caller
// holds s.mu.
func (s *Subscription) begin(at start) {
	if at.retained {
		s.reader.StartAtOldest()
	} else {
		s.reader.Start(at.after)
	}
	s.trail = trail{from: s.reader.Position(), opened: s.hub.store.Head(), unknown: at.unknown}
	// If a topic was joined during a catch-up, there was no position to announce.
	announce := s.announcing()
	var ref json.RawMessage
	if announce {
		ref = s.pending[len(s.pending)-1].control.ref
	}
	s.pending = slices.DeleteFunc(s.pending, func(m *Message) bool { return m.Type() == TypeFilter })
	if s.start = at; at.unknown {
		s.pending = append(s.pending, newControlMessage(s.hub.cursors.Load().encode(s.reader.Position()), TypeGap, gapData.unknown))
	}
	if announce {
		s.announceFilter(false, ref)
	}
}

// checkLimits decides whether one more stream may open, and which other one has
// to end for it, if any. The caller holds h.mu.
func (h *Hub) checkLimits(user eventlog.Key, fresh bool) (oldest *Subscription, err error) {
	if most := h.options.Streams; most > 0 && h.open >= most {
		return nil, ReasonOverloaded
	}
	if h.store.Readers(user) < h.options.StreamsPerUser {
		return nil, nil // as for nearly all users: no stream needs to be looked at
	}
	streams := 0 // without those that have ended and are being closed
	h.store.EachReaderOf(user, func(r *eventlog.Reader[*Message]) {
		if s := r.Owner.(*Subscription); s.live() {
			if streams++; oldest == nil || s.id < oldest.id {
				oldest = s
			}
		}
	})
	switch {
	case streams < h.options.StreamsPerUser:
		return nil, nil
	case fresh && !h.options.RefuseNewest:
		return oldest, nil
	}
	return nil, ReasonOverloaded
}

// leave counts a subscription that holds nothing any more. Shutdown may return
// after the last.
func (h *Hub) leave() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.open--
	h.signalDrained()
}
