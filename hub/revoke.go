package hub

import (
	"sync"
	"time"

	"github.com/google/uuid"
)

// RevokeUser ends all streams of a user with reason [Revoked] and returns how
// many. Nothing that is published after it returns reaches them; nor does a
// request that was authenticated before and subscribes only now.
func (h *Hub) RevokeUser(user uuid.UUID) int {
	return h.revoke(user, "")
}

// RevokeSession does the same for the streams of one session of the user. A
// session without an id cannot be revoked by it.
func (h *Hub) RevokeSession(user uuid.UUID, id string) int {
	if id == "" {
		return 0
	}
	return h.revoke(user, id)
}

func (h *Hub) revoke(user uuid.UUID, session string) (ended int) {
	// First the record, then the streams: a subscription that is not among
	// them yet will find the record when it is.
	h.revocations.note(revocation{user, session}, time.Now())
	l := h.users.lookup(user)
	if l == nil {
		return 0
	}
	for _, s := range l.all() {
		if session == "" || s.session.ID == session {
			if s.live() {
				ended++
			}
			s.End(Revoked)
		}
	}
	return ended
}

// A revocation names what was revoked: a user's session, or all of them if the
// session is empty.
type revocation struct {
	user    uuid.UUID
	session string
}

// revocations remembers what was revoked for as long as a request may be on
// its way from the authenticator to Subscribe, and that much longer: records
// go in two generations.
type revocations struct {
	mu        sync.Mutex
	turned    time.Time
	now, past map[revocation]time.Time
}

// authenticationAge is the longest that a request may be on that way.
const authenticationAge = time.Minute

func (r *revocations) note(v revocation, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.turn(at)
	if r.now == nil {
		r.now = map[revocation]time.Time{}
	}
	r.now[v] = at
}

// check says why a session that was authenticated at a certain time may not
// open a stream, if it may not.
func (r *revocations) check(s Session, authenticated, at time.Time) Reason {
	if at.Sub(authenticated) > authenticationAge {
		return Unavailable
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.turn(at)
	for _, generation := range [...]map[revocation]time.Time{r.now, r.past} {
		for _, v := range [...]revocation{{s.User, ""}, {s.User, s.ID}} {
			if revoked, ok := generation[v]; ok && !revoked.Before(authenticated) {
				return Revoked
			}
		}
	}
	return ""
}

func (r *revocations) turn(at time.Time) {
	switch age := at.Sub(r.turned); {
	case age > 2*authenticationAge:
		r.now, r.past, r.turned = nil, nil, at
	case age > authenticationAge:
		r.now, r.past, r.turned = nil, r.now, at
	}
}
