package hub

import (
	"context"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/hub/internal/eventlog"
)

// RevokeUser ends all streams of a user with [ReasonRevoked] and returns how many
// it ended. They are still given what was published before, so that an event
// that says why reaches the device that it is about. An event that is published
// after RevokeUser has returned never reaches them. A request that was
// authenticated before RevokeUser was called, and subscribes afterwards, is
// refused.
//
// The error is nil for a hub without a backplane, which does not look at ctx.
func (h *Hub) RevokeUser(_ context.Context, user uuid.UUID) (ended int, err error) {
	return h.revoke(user, ""), nil
}

// RevokeSession is RevokeUser for the streams of one session: those whose
// [Session].ID is id. An empty id names no session, so that nothing is revoked.
func (h *Hub) RevokeSession(_ context.Context, user uuid.UUID, id string) (ended int, err error) {
	if id == "" {
		return 0, nil
	}
	return h.revoke(user, id), nil
}

func (h *Hub) revoke(user uuid.UUID, session string) (ended int) {
	// The record comes first: a subscription that is not yet among the user's
	// finds it when it is.
	h.revocations.note(revocation{user: user, session: session}, time.Now())
	h.store.EachReaderOf(eventlog.Key{ID: user}, func(r *eventlog.Reader[*Message]) {
		s := r.Owner.(*Subscription)
		if session == "" || s.session.ID == session {
			if s.live() {
				ended++
			}
			s.end(ReasonRevoked, true)
		}
	})
	return ended
}

// A revocation names what was revoked: a user's session, or all of them if the
// session is empty; or a topic that was taken from the user.
type revocation struct {
	user    uuid.UUID
	session string
	topic   string
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
	switch {
	case at.Sub(authenticated) > authenticationAge:
		return ReasonUnavailable
	case r.since(authenticated, at, revocation{user: s.User}), r.since(authenticated, at, revocation{user: s.User, session: s.ID}):
		return ReasonRevoked
	}
	return ""
}

// since reports whether something was revoked after a request was authenticated.
func (r *revocations) since(authenticated, at time.Time, v revocation) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.turn(at)
	for _, generation := range [...]map[revocation]time.Time{r.now, r.past} {
		if revoked, ok := generation[v]; ok && !revoked.Before(authenticated) {
			return true
		}
	}
	return false
}

func (r *revocations) turn(at time.Time) {
	switch age := at.Sub(r.turned); {
	case age > 2*authenticationAge:
		r.now, r.past, r.turned = nil, nil, at
	case age > authenticationAge:
		r.now, r.past, r.turned = nil, r.now, at
	}
}
