package hub

import (
	"math/bits"
	"slices"
	"sync"
	"sync/atomic"

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

// An index holds every subscription of the hub in a slot that never moves, and
// a bitmap of those that sleep, so that a broadcast finds the sleepers without
// looking at anybody who is awake: what it costs depends on how many it has to
// wake, and hardly on how many there are.
//
// (A list of sleepers behind a mutex was measured twice as slow, since every
// reader that goes to sleep contends for it; walking all subscriptions costs
// 2.5 us for each thousand that are awake.)
type index struct {
	mu     sync.Mutex // guards free, next and the growing of groups
	free   []uint32
	next   uint32
	groups atomic.Pointer[[]*group]
	count  atomic.Int64

	// Broadcasts that come together are woken for by one of them: wanted
	// collects their categories, and who holds walking goes on until it is
	// empty. So no publisher waits for another's walk, and a sleeper whose bit
	// is put back because it hears other categories is never overlooked.
	wanted  atomic.Uint64
	walking atomic.Bool
}

const groupSize = 64 * 64

// A group is 4096 slots, and a bit for each, set while its subscription
// sleeps (and, harmlessly, sometimes longer). Bit i of summary is set when
// word i may have one set.
type group struct {
	summary sleepers
	words   [64]sleepers
	slots   [groupSize]atomic.Pointer[Subscription]
}

// A sleepers is a word of the bitmap in a cache line of its own: readers on
// several processors go to sleep at the same time, mostly in other words, and in
// one line would wait for each other.
type sleepers struct {
	atomic.Uint64
	_ [56]byte
}

// add gives s a slot.
func (x *index) add(s *Subscription) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if n := len(x.free); n > 0 {
		s.slot, x.free = x.free[n-1], x.free[:n-1]
	} else {
		s.slot = x.next
		x.next++
	}
	groups := x.all()
	if g := int(s.slot / groupSize); g == len(groups) {
		groups = append(slices.Clip(slices.Clone(groups)), new(group))
		x.groups.Store(&groups)
	}
	groups[s.slot/groupSize].slots[s.slot%groupSize].Store(s)
	x.count.Add(1)
}

func (x *index) remove(s *Subscription) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.all()[s.slot/groupSize].slots[s.slot%groupSize].Store(nil)
	x.free = append(x.free, s.slot)
	x.count.Add(-1)
}

func (x *index) all() []*group {
	if p := x.groups.Load(); p != nil {
		return *p
	}
	return nil
}

// each calls f with every subscription.
func (x *index) each(f func(*Subscription)) {
	for _, g := range x.all() {
		for i := range g.slots {
			if s := g.slots[i].Load(); s != nil {
				f(s)
			}
		}
	}
}

// asleep marks s in the bitmap: its bit first, then the way to it. The caller
// has set s.asleep before, and looks at the head again afterwards.
func (x *index) asleep(s *Subscription) {
	g := x.all()[s.slot/groupSize]
	word := s.slot % groupSize / 64
	g.words[word].Or(1 << (s.slot % 64))
	if g.summary.Load()&(1<<word) == 0 { // most often another sleeper has set it
		g.summary.Or(1 << word)
	}
}

// wake wakes the sleepers that hear the category, and returns how many this
// call has woken.
func (x *index) wake(category uint8) (woken int) {
	x.wanted.Or(1 << category)
	for x.wanted.Load() != 0 && x.walking.CompareAndSwap(false, true) {
		if wanted := x.wanted.Swap(0); wanted != 0 {
			for _, g := range x.all() {
				woken += g.wake(wanted)
			}
		}
		x.walking.Store(false)
	}
	return woken
}

func (g *group) wake(wanted categorySet) (woken int) {
	if g.summary.Load() == 0 {
		return 0
	}
	for summary := g.summary.Swap(0); summary != 0; summary &= summary - 1 {
		w := bits.TrailingZeros64(summary)
		var back uint64
		for word := g.words[w].Swap(0); word != 0; word &= word - 1 {
			b := bits.TrailingZeros64(word)
			switch s := g.slots[w*64+b].Load(); {
			case s == nil:
			case s.hears.Load()&wanted == 0:
				back |= 1 << b
			case s.wakeUp():
				woken++
			}
		}
		if back != 0 {
			g.words[w].Or(back)
			g.summary.Or(1 << w)
		}
	}
	return woken
}
