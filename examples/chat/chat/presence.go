package chat

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/hub"
)

// grace is how long somebody without a stream still counts as online, so that
// a reload or a change of transport is not a farewell.
const grace = 2 * time.Second

// A presence knows who is online: whoever has a stream open, in any number of
// tabs, here or at another process. The hub's observer tells it of streams here
// that begin and end; reports tell it of those elsewhere.
type presence struct {
	grace time.Duration
	// announce tells everyone that somebody came (true) or left. It is called
	// under mu: what is announced must have the order in which it happened. It
	// must not wait.
	announce func(user uuid.UUID, here bool)

	mu        sync.Mutex
	here      map[uuid.UUID]*visit
	elsewhere map[uuid.UUID]*report // by process
	changed   bool                  // here is not what was reported last
	closed    bool
}

type visit struct {
	streams int
	leaving *time.Timer // runs while streams is 0
}

func newPresence(grace time.Duration, announce func(uuid.UUID, bool)) *presence {
	return &presence{grace: grace, announce: announce, here: map[uuid.UUID]*visit{}, elsewhere: map[uuid.UUID]*report{}}
}

// began notes that a stream of a user has opened.
func (p *presence) began(user uuid.UUID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	v := p.here[user]
	if v == nil {
		v = &visit{}
		p.here[user] = v
		p.changed = true
		if !p.isElsewhere(user) {
			p.announce(user, true)
		}
	}
	v.streams++
	if v.leaving != nil {
		v.leaving.Stop()
		v.leaving = nil
	}
}

// ended notes that a stream of a user has ended.
func (p *presence) ended(user uuid.UUID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	v := p.here[user]
	v.streams--
	if v.streams > 0 || p.closed {
		return
	}
	var t *time.Timer
	t = time.AfterFunc(p.grace, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if v.leaving != t || p.closed { // a stream opened while the timer fired
			return
		}
		delete(p.here, user)
		p.changed = true
		if !p.isElsewhere(user) {
			p.announce(user, false)
		}
	})
	v.leaving = t
}

// online returns who is here, in no order.
func (p *presence) online() []uuid.UUID {
	p.mu.Lock()
	defer p.mu.Unlock()
	users := p.elsewhereLocked()
	for user := range p.here {
		users[user] = struct{}{}
	}
	return slices.Collect(maps.Keys(users))
}

// close stops the timers. Nothing is announced any more.
func (p *presence) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, v := range p.here {
		if v.leaving != nil {
			v.leaving.Stop()
		}
	}
}

// announce broadcasts that somebody came or left. In memory, that never waits.
func (s *server) announce(user uuid.UUID, here bool) { s.announceNow(context.Background(), user, here) }

func (s *server) announceNow(ctx context.Context, user uuid.UUID, here bool) {
	who, ok := s.people.lookup(user)
	if !ok {
		return // impossible: whoever has a stream has been authenticated
	}
	kind := userLeft
	if here {
		kind = userJoined
	}
	e, err := kind.New(user, presenceChange{User: who})
	if err == nil {
		err = s.hub.Broadcast(ctx, e)
	}
	if err != nil && !errors.Is(err, hub.ErrClosed) { // closed: nobody is left to hear it
		s.log.Error("presence is not announced", "error", err)
	}
}
