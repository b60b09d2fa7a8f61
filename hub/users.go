package hub

import (
	"slices"
	"sync"

	"github.com/google/uuid"
)

// users finds the log of a user. A user who listens or has something retained
// has one; all others cost nothing.
//
// Lock order: Hub.mu, then users.mu, then a log's own locks.
type users struct {
	mu   sync.RWMutex
	logs map[uuid.UUID]*log
}

func (u *users) lookup(user uuid.UUID) *log {
	u.mu.RLock()
	defer u.mu.RUnlock()
	return u.logs[user]
}

// logOf returns the user's log, made if need be. Called without Hub.mu it may
// return a log that has been dropped by the time the lock is held: look at
// log.dropped then, and call again under the lock.
func (h *Hub) logOf(user uuid.UUID) *log {
	if l := h.users.lookup(user); l != nil {
		return l
	}
	h.users.mu.Lock()
	defer h.users.mu.Unlock()
	l := h.users.logs[user]
	if l == nil {
		l = &log{user: user, maxEvents: h.options.UserEvents, maxBytes: h.options.UserBytes}
		// Whatever this user once had and lost lies at or below the floor: an
		// earlier log of the user was dropped only after its last entry had
		// moved the floor there.
		l.retained.floor = h.floor.Load()
		l.retained.lost.Store(l.retained.floor)
		l.newest.Store(l.retained.floor)
		h.users.logs[user] = l
	}
	return l
}

// dropIfUnused forgets a log that is empty and that nobody listens to. Under
// Hub.mu.
func (h *Hub) dropIfUnused(l *log) {
	if l == h.everyone || l.dropped || l.listeners.Load() > 0 || l.retained.len()+l.ephemeral.Load().len() > 0 {
		return
	}
	l.dropped = true
	h.users.mu.Lock()
	delete(h.users.logs, l.user)
	h.users.mu.Unlock()
}

// wake wakes the user's sleepers that hear the category, and returns how many.
func (l *log) wake(category uint8) (woken int) {
	l.subsMu.RLock()
	defer l.subsMu.RUnlock()
	for _, s := range l.subscriptions {
		if s.hears.Load()&(1<<category) != 0 && s.wakeUp() {
			woken++
		}
	}
	return woken
}

func (l *log) attach(s *Subscription) {
	l.subsMu.Lock()
	if len(l.subscriptions) == 0 {
		l.subscriptions = l.first[:0]
	}
	l.subscriptions = append(l.subscriptions, s)
	l.listeners.Add(1)
	l.subsMu.Unlock()
}

func (l *log) detach(s *Subscription) {
	l.subsMu.Lock()
	if i := slices.Index(l.subscriptions, s); i >= 0 {
		l.subscriptions = slices.Delete(l.subscriptions, i, i+1)
		l.listeners.Add(-1)
	}
	l.subsMu.Unlock()
}

// all returns the user's subscriptions, oldest first.
func (l *log) all() []*Subscription {
	l.subsMu.RLock()
	defer l.subsMu.RUnlock()
	return slices.Clone(l.subscriptions)
}
