package chat

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
)

// grace is how long somebody without a stream still counts as online, so that
// a reload or a change of transport is not a farewell.
const grace = 2 * time.Second

// A stay is somebody's presence: in a room, or in the chat at all if the room is
// empty.
type stay struct {
	Room string    `json:"room,omitempty"`
	User uuid.UUID `json:"user"`
}

// A presence knows who is online: whoever has a stream open, in any number of
// tabs, here or at another process. The hub's observer tells it of streams here
// that begin and end; reports tell it of those elsewhere. For rooms, the hub tells
// it who comes and goes: see roompresence.go.
type presence struct {
	grace time.Duration
	// announce tells everyone, or everyone in a room, that somebody came (true) or
	// left. It is called under mu: what is announced must have the order in which
	// it happened. It must not wait.
	announce func(at stay, here bool)

	mu        sync.Mutex
	here      map[uuid.UUID]*visit
	inRooms   map[stay]struct{}     // who is in a room here, as far as was announced
	elsewhere map[uuid.UUID]*report // by process
	expected  map[stay]struct{}     // of those here: who has yet to come back, see expect
	returning *time.Timer           // runs after expect
	changed   bool                  // what is here is not what was reported last
	closed    bool
}

type visit struct {
	streams int
	leaving *time.Timer // runs while streams is 0
}

func newPresence(grace time.Duration, announce func(stay, bool)) *presence {
	return &presence{
		grace:     grace,
		announce:  announce,
		here:      map[uuid.UUID]*visit{},
		inRooms:   map[stay]struct{}{},
		elsewhere: map[uuid.UUID]*report{},
	}
}

// began notes that a stream of a user has opened.
func (p *presence) began(user uuid.UUID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.expected, stay{User: user})
	v := p.here[user]
	if v == nil {
		v = &visit{}
		p.here[user] = v
		p.changed = true
		if !p.isElsewhere(stay{User: user}) {
			p.announce(stay{User: user}, true)
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
		if at := (stay{User: user}); !p.isElsewhere(at) {
			p.announce(at, false)
		}
	})
	v.leaving = t
}

// returnTime is how long those who were here before a restart may take to come back.
// The JavaScript client waits 20 s at most between two attempts.
const returnTime = 30 * time.Second

// expect lets those who were here before a restart count as here, so that coming back
// is no news. Who has not come back after returnTime has left.
func (p *presence) expect(before []stay) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expected = map[stay]struct{}{}
	for _, at := range before {
		p.expected[at] = struct{}{}
		if at.Room == "" {
			p.here[at.User] = &visit{}
		} else {
			p.inRooms[at] = struct{}{}
		}
	}
	p.returning = time.AfterFunc(returnTime, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.closed {
			return
		}
		for at := range p.expected {
			if at.Room == "" {
				delete(p.here, at.User)
			} else {
				delete(p.inRooms, at)
			}
			p.announce(at, false)
		}
		p.expected = nil
	})
}

// stays returns who is here, in no order.
func (p *presence) stays() []stay {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]stay{}, p.staysLocked()...)
}

// staysLocked returns who is at this process, in no order. The caller holds p.mu.
func (p *presence) staysLocked() (all []stay) {
	for user := range p.here {
		all = append(all, stay{User: user})
	}
	return slices.AppendSeq(all, maps.Keys(p.inRooms))
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
	if p.returning != nil {
		p.returning.Stop()
	}
	for _, v := range p.here {
		if v.leaving != nil {
			v.leaving.Stop()
		}
	}
}

// announce publishes that somebody came or left. In memory, that never waits.
func (s *server) announce(at stay, here bool) { s.announceNow(context.Background(), at, here) }

func (s *server) announceNow(ctx context.Context, at stay, here bool) {
	who, ok := s.people.lookup(at.User)
	if !ok {
		return // impossible: whoever has a stream has been authenticated
	}
	kind, to := userLeft, hub.Everyone()
	if here {
		kind = userJoined
	}
	var e *event.Event
	var err error
	if at.Room == "" {
		e, err = kind.New(at.User, presenceChange{User: who})
	} else {
		to = hub.Topic(roomTopic(at.Room))
		e, err = roomPresence.New(at.User, roomVisit{Room: at.Room, User: who, Here: here})
	}
	if err == nil {
		err = s.hub.PublishTo(ctx, e, to)
	}
	if err != nil && !errors.Is(err, hub.ErrClosed) { // closed: nobody is left to hear it
		s.log.Error("presence is not announced", "error", err)
	}
}
