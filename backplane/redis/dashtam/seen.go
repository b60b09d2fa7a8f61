package dashtam

import (
	"time"

	"github.com/google/uuid"
)

// maxSeen bounds how many events are remembered (about 15 MB).
const maxSeen = 1 << 17

// A delivery is an event for a user, or for everyone (the nil user).
type delivery struct {
	user, event uuid.UUID
}

// A recent remembers the deliveries of late, to know one that comes again.
type recent struct {
	known map[delivery]struct{}
	queue []seenAt // oldest first
	// forgotten is when the newest delivery came that was forgotten for want
	// of room. What came until then may be taken for new.
	forgotten time.Time
}

type seenAt struct {
	delivery
	at time.Time
}

// add reports whether d is new. Deliveries before horizon are forgotten.
func (r *recent) add(d delivery, now, horizon time.Time) bool {
	if _, ok := r.known[d]; ok {
		return false
	}
	if r.known == nil {
		r.known = map[delivery]struct{}{}
	}
	for len(r.queue) > 0 && (r.queue[0].at.Before(horizon) || len(r.queue) >= maxSeen) {
		if oldest := r.queue[0].at; !oldest.Before(horizon) {
			r.forgotten = oldest
		}
		delete(r.known, r.queue[0].delivery)
		r.queue = r.queue[1:]
	}
	r.known[d] = struct{}{}
	r.queue = append(r.queue, seenAt{d, now})
	return true
}
