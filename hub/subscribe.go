package hub

import (
	"time"

	"github.com/google/uuid"
)

// Subscribe opens a subscription. Errors: [ErrNoUser]; [ErrClosed]; an
// [UnknownCategoryError]; [ErrHearsNothing]; and a [Reason] where the stream is
// refused: [ReasonExpired], [ReasonRevoked], [ReasonOverloaded], or [ReasonUnavailable] for a request
// that was authenticated more than a minute ago.
//
// A subscription that begins with Request.After stands where that id does; one
// that can't be placed begins with a gap, see [TypeGap].
func (h *Hub) Subscribe(r Request) (*Subscription, error) {
	s, err := h.subscribe(r)
	if err != nil {
		if reason, ok := err.(Reason); ok {
			h.observeRefusal(r, reason)
		}
		return nil, err
	}
	if f := h.options.Observer.Subscribed; f != nil {
		f(s.info())
	}
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
	hears, err := h.compile(r.Filter)
	if err != nil {
		return nil, err
	}
	if r.Session.Allowed.isZero() || r.Filter.isZero() {
		return nil, ErrHearsNothing
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
		session:    r.Session,
		id:         h.streams.Add(1),
		transport:  r.Transport,
		remoteAddr: r.RemoteAddr,
		userAgent:  r.UserAgent,
		started:    h.now(),
		allowed:    allowed,
		notify:     r.Notify,
	}
	if s.notify == nil {
		s.ready = make(chan struct{}, 1)
	}
	s.hears.Store(hears & allowed)
	if err := h.admit(s, r.After); err != nil {
		return nil, err
	}
	// Only now can a revocation find s; one that came before is on record.
	if reason := h.revocations.check(r.Session, r.Authenticated, now); reason != "" {
		s.End(reason)
		h.release(s)
		h.leave()
		return nil, reason
	}
	if !r.Session.Expires.IsZero() {
		s.mu.Lock()
		if !s.closed {
			s.expiry = time.AfterFunc(time.Until(r.Session.Expires), func() { s.End(ReasonExpired) })
		}
		s.mu.Unlock()
	}
	return s, nil
}

// admit registers s and sets where it starts. From here on no ephemeral event
// passes it by, which is why the head is read under the same lock.
func (h *Hub) admit(s *Subscription, after string) error {
	l := h.logOf(s.session.User)
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		return ErrClosed
	}
	if l.dropped {
		l = h.logOf(s.session.User)
	}
	oldest, err := h.room(l, after)
	if err != nil {
		h.dropIfUnused(l)
		h.mu.Unlock()
		return err
	}
	s.log = l
	h.open++
	l.attach(s)
	h.everyone.listeners.Add(1)
	h.index.add(s)
	head := h.head.Load()
	lostUser, lostEveryone := l.retained.lost.Load(), h.everyone.retained.lost.Load()
	h.mu.Unlock()

	st := h.place(after, l, head)
	s.mu.Lock() // a shutdown may have found s already
	s.position, s.from = st.after, [4]position{1: head, 3: head}
	if st.retained {
		// What the logs had lost before is covered by the gap of the unknown id.
		s.position = min(lostUser, lostEveryone)
		s.from[0], s.from[2] = lostUser, lostEveryone
	}
	if s.start = st; st.unknown {
		s.pending = append(s.pending, s.newGap(s.position, gapData.unknown))
	}
	s.mu.Unlock()
	if oldest != nil {
		oldest.End(ReasonOverloaded)
	}
	return nil
}

// room decides whether one more stream may open, and which other has to go for
// it, if any. Under h.mu.
func (h *Hub) room(l *log, after string) (oldest *Subscription, err error) {
	if most := h.options.Streams; most > 0 && h.index.count.Load() >= int64(most) {
		return nil, ReasonOverloaded
	}
	streams := 0
	for _, s := range l.all() {
		if s.live() {
			if streams++; oldest == nil {
				oldest = s
			}
		}
	}
	switch {
	case streams < h.options.StreamsPerUser:
		return nil, nil
	case h.options.CloseOldest && after == "":
		return oldest, nil
	}
	return nil, ReasonOverloaded
}

// live reports whether s has not ended.
func (s *Subscription) live() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.over == ""
}

// detach takes a closed subscription out of the hub and reports its end.
func (h *Hub) detach(s *Subscription) {
	defer h.leave() // also if the observer panics
	h.release(s)
	h.observeEnd(s)
}

// release undoes admit, but for leave.
func (h *Hub) release(s *Subscription) {
	h.index.remove(s)
	h.everyone.listeners.Add(-1)
	s.log.detach(s)
	h.mu.Lock()
	h.dropIfUnused(s.log)
	h.mu.Unlock()
}

// leave is the last that a subscription does: Shutdown may return then.
func (h *Hub) leave() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.open--
	if h.closed && h.open == 0 {
		h.closeDrained()
	}
}
