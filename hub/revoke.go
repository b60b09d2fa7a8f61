package hub

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/google/uuid"
)

// RevokeUser ends all streams of a user with [ReasonRevoked] and returns how many
// it ended. They are still given what was published before, so that an event
// that says why reaches the device that it is about. An event that is published
// after RevokeUser has returned never reaches them. A request that was
// authenticated before RevokeUser was called, and subscribes afterwards, is
// refused.
//
// With a backplane, RevokeUser returns once the revocation is in the sequence.
// What follows it there reaches none of the user's streams, at any process; the
// number is that of the streams of this process. The error is then
// [ErrUnavailable] or the cause of ctx. Without a backplane it is nil, and ctx is
// not looked at.
func (h *Hub) RevokeUser(ctx context.Context, user uuid.UUID) (ended int, err error) {
	return h.revoke(ctx, user, "")
}

// RevokeSession is RevokeUser for the streams of one session: those whose
// [Session].ID is id. An empty id names no session, so that nothing is revoked.
func (h *Hub) RevokeSession(ctx context.Context, user uuid.UUID, id string) (ended int, err error) {
	if id == "" {
		return 0, nil
	}
	return h.revoke(ctx, user, id)
}

func (h *Hub) revoke(ctx context.Context, user uuid.UUID, session string) (ended int, err error) {
	if h.cluster == nil {
		return h.applyRevocation(user, session, 0), nil
	}
	r, err := userRecord(recordRevocation, user, session)
	if err == nil {
		err = h.cluster.append(ctx, r)
	}
	if err != nil {
		return 0, err
	}
	for _, s := range h.streamsOf(user) {
		if (session == "" || s.session.ID == session) && s.live() {
			ended++
		}
	}
	return ended, nil
}

// applyRevocation revokes a session, or all of a user if it is empty, in this
// process. The streams are still given what was published up to a position; zero
// means the head.
func (h *Hub) applyRevocation(user uuid.UUID, session string, at position) (ended int) {
	// The record comes first: a subscription that is not yet among the user's
	// finds it when it is.
	h.revocations.note(revocation{user: user, session: session}, time.Now())
	for _, s := range h.streamsOf(user) {
		if session == "" || s.session.ID == session {
			if s.live() {
				ended++
			}
			s.endAt(ReasonRevoked, at)
		}
	}
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

// recent returns what is remembered.
func (r *revocations) recent(at time.Time) map[revocation]time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.turn(at)
	all := map[revocation]time.Time{}
	maps.Copy(all, r.past)
	maps.Copy(all, r.now)
	return all
}

func (r *revocations) turn(at time.Time) {
	switch age := at.Sub(r.turned); {
	case age > 2*authenticationAge:
		r.now, r.past, r.turned = nil, nil, at
	case age > authenticationAge:
		r.now, r.past, r.turned = nil, r.now, at
	}
}
