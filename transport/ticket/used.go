package ticket

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/google/uuid"
)

// maxUsed bounds how many used tickets are remembered, at about 50 bytes each.
const maxUsed = 1 << 20

// errTooManyUsed is not transport.ErrUnauthenticated: the client is asked to come
// back later.
var errTooManyUsed = errors.New("ticket: too many tickets were used within the life of one; no more are accepted for now")

// used remembers the ids of used tickets until these expire. Ids go in two
// generations, so that forgetting takes no time.
type used struct {
	period time.Duration // no ticket is accepted for longer
	max    int

	mu        sync.Mutex
	turned    time.Time
	now, past map[uuid.UUID]struct{}
}

// claim is an Options.Claim.
func (u *used) claim(_ context.Context, id uuid.UUID, _ time.Time) (first bool, err error) {
	at := time.Now()
	u.mu.Lock()
	defer u.mu.Unlock()
	switch age := at.Sub(u.turned); {
	case age > 2*u.period:
		u.now, u.past, u.turned = nil, nil, at
	case age > u.period:
		u.now, u.past, u.turned = nil, u.now, at
	}
	_, inNow := u.now[id]
	_, inPast := u.past[id]
	switch {
	case inNow, inPast:
		return false, nil
	case len(u.now)+len(u.past) >= u.max:
		return false, errTooManyUsed
	case u.now == nil:
		u.now = map[uuid.UUID]struct{}{}
	}
	u.now[id] = struct{}{}
	return true, nil
}
