package hub

import "time"

// Renew changes when the subscription ends with [ReasonExpired], to later or to
// earlier. Zero means never. It is for a session that was prolonged or shortened
// while its stream is open. If expires has passed, the subscription ends before
// Renew returns; what was published until then can still be taken. Renew has no
// effect on a subscription that has ended.
func (s *Subscription) Renew(expires time.Time) {
	s.mu.Lock()
	if s.over == "" && !s.session.Expires.Equal(expires) {
		s.session.Expires = expires
		s.scheduleExpiry()
	}
	s.mu.Unlock()
	s.expireIfDue()
}

// scheduleExpiry arms the timer for s.session.Expires. The caller holds s.mu.
func (s *Subscription) scheduleExpiry() {
	switch {
	case s.session.Expires.IsZero():
		if s.expiry != nil {
			s.expiry.Stop()
		}
	case s.expiry == nil:
		s.expiry = time.AfterFunc(time.Until(s.session.Expires), func() {
			if s.expireIfDue() {
				return
			}
			// Renewed while the timer fired, or the wall clock was set back.
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.over == "" {
				s.scheduleExpiry()
			}
		})
	default:
		s.expiry.Reset(time.Until(s.session.Expires))
	}
}

// expireIfDue ends the subscription if its time has come, and reports whether it
// has ended. A concurrent Renew comes before the check, or has no effect.
func (s *Subscription) expireIfDue() (ended bool) {
	head := s.hub.store.Head()
	s.mu.Lock()
	if s.over != "" {
		s.mu.Unlock()
		return true
	}
	if s.session.Expires.IsZero() || time.Now().Before(s.session.Expires) {
		s.mu.Unlock()
		return false
	}
	onEnd := s.setReason(ReasonExpired, true, head)
	s.mu.Unlock()
	if onEnd != nil {
		onEnd()
	}
	s.reader.Wake()
	return true
}
