package hub

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub/internal/eventlog"
)

// A Present is an open stream, as [Hub.Presence] and [Hub.Listening] list it.
type Present struct {
	User      uuid.UUID
	SessionID string
	Since     time.Time // when the stream was opened
	Meta      any       // of the Session
}

// Presence returns the streams that follow a topic now, the oldest first. A user
// with several streams is listed several times. With Options.Presence, a user whose
// last stream has been gone for less than the grace is listed, too, with that
// stream: nobody was told that the user had left.
func (h *Hub) Presence(topic string) []Present {
	leaving := h.presence.leaving(topic) // first: who comes back meanwhile is listed twice and not left out
	present := h.present(eventlog.Key{Name: topic})
	for _, one := range leaving {
		if !slices.ContainsFunc(present, func(p Present) bool { return p.User == one.User }) {
			present = append(present, one)
		}
	}
	slices.SortStableFunc(present, func(a, b Present) int { return a.Since.Compare(b.Since) })
	return present
}

// Listening returns the streams that a user has open now, the oldest first.
func (h *Hub) Listening(user uuid.UUID) []Present { return h.present(eventlog.Key{ID: user}) }

func (h *Hub) present(key eventlog.Key) []Present {
	var all []*Subscription
	if key != (eventlog.Key{}) {
		h.store.EachReaderOf(key, func(r *eventlog.Reader[*Message]) {
			if s := r.Owner.(*Subscription); s.live() {
				all = append(all, s)
			}
		})
	}
	slices.SortFunc(all, func(a, b *Subscription) int { return cmp.Compare(a.id, b.id) })
	present := make([]Present, len(all))
	for i, s := range all {
		present[i] = s.present()
	}
	return present
}

func (s *Subscription) present() Present {
	return Present{s.session.User, s.session.ID, s.hub.began.Add(time.Duration(s.started)), s.session.Meta}
}

// PresenceEvents tells the followers of a topic who comes and who leaves. With a
// backplane, each process tells of its own streams.
type PresenceEvents struct {
	// Event makes the event that is published to the topic, most often of an
	// Ephemeral kind. It is called without a lock. Nil publishes nothing.
	Event func(PresenceChange) (*event.Event, error)
	// Grace is how long a user's last stream may be gone before the user has
	// left, so that a reconnect is no news. Default 5 s.
	Grace time.Duration
}

// A PresenceChange says that a user's first stream has begun to follow a topic,
// or that the last one has been gone for PresenceEvents.Grace.
type PresenceChange struct {
	Topic  string
	User   uuid.UUID
	Meta   any // of the Session that came, or that left last
	Joined bool
}

const defaultGrace = 5 * time.Second

// A presence finds out who comes to a topic and who leaves it. The zero value
// does nothing.
type presence struct {
	hub    *Hub
	events *PresenceEvents

	mu     sync.Mutex
	closed bool
	stays  map[stayKey]*stay
	topics map[*Subscription][]string // that are counted for a subscription

	// Changes are published in the order in which they were found, without mu.
	changes    []PresenceChange
	publishing bool // somebody publishes them
}

type stayKey struct {
	topic string
	user  uuid.UUID
}

// A stay is a user's presence at a topic.
type stay struct {
	streams int
	leaving *time.Timer // set while streams is zero
	last    Present     // the stream that has left last
}

// update counts what has changed since the subscription was last looked at. The
// caller holds no lock.
func (p *presence) update(s *Subscription) {
	if p.events == nil || p.events.Event == nil {
		return
	}
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return
	}
	s.mu.Lock()
	var now []string
	if !s.closed {
		now = s.topics()
	}
	s.mu.Unlock()
	before := p.topics[s]
	for _, topic := range now {
		if !slices.Contains(before, topic) && p.join(stayKey{topic, s.session.User}) {
			p.changes = append(p.changes, PresenceChange{Topic: topic, User: s.session.User, Meta: s.session.Meta, Joined: true})
		}
	}
	for _, topic := range before {
		if !slices.Contains(now, topic) {
			p.leave(stayKey{topic, s.session.User}, s.present())
		}
	}
	if p.topics == nil {
		p.topics = map[*Subscription][]string{}
	}
	if p.topics[s] = now; len(now) == 0 {
		delete(p.topics, s)
	}
	p.mu.Unlock()
	p.publishChanges()
}

// join counts a stream, and reports whether its user was not there. The caller
// holds p.mu.
func (p *presence) join(k stayKey) bool {
	if p.stays == nil {
		p.stays = map[stayKey]*stay{}
	}
	one := p.stays[k]
	if one == nil {
		p.stays[k] = &stay{streams: 1}
		return true
	}
	one.streams++
	if one.leaving != nil { // back within the grace
		one.leaving.Stop()
		one.leaving = nil
	}
	return false
}

// leave counts a stream that is gone. The caller holds p.mu.
func (p *presence) leave(k stayKey, last Present) {
	one := p.stays[k]
	one.last = last
	if one.streams--; one.streams > 0 {
		return
	}
	grace := p.events.Grace
	if grace == 0 {
		grace = defaultGrace
	}
	var timer *time.Timer
	timer = time.AfterFunc(grace, func() {
		p.mu.Lock()
		if !p.closed && p.stays[k] == one && one.leaving == timer {
			delete(p.stays, k)
			p.changes = append(p.changes, PresenceChange{Topic: k.topic, User: k.user, Meta: last.Meta})
		}
		p.mu.Unlock()
		p.publishChanges()
	})
	one.leaving = timer
}

// leaving returns who has left a topic for less than the grace.
func (p *presence) leaving(topic string) (all []Present) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for k, one := range p.stays {
		if k.topic == topic && one.streams == 0 {
			all = append(all, one.last)
		}
	}
	return all
}

// publishChanges publishes what was found, unless another goroutine does: a join
// must not overtake the leave before it, or followers would believe the leave.
func (p *presence) publishChanges() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.publishing {
		return
	}
	p.publishing = true
	for len(p.changes) > 0 {
		next := p.changes[0]
		p.changes = p.changes[1:]
		p.mu.Unlock()
		p.publish(next)
		p.mu.Lock()
	}
	p.changes, p.publishing = nil, false
}

func (p *presence) publish(c PresenceChange) {
	p.hub.guard("Presence", func() {
		e, err := p.events.Event(c)
		if err == nil && e != nil {
			err = p.hub.PublishTo(context.Background(), e, Topic(c.Topic))
		}
		if err != nil && err != ErrClosed {
			p.hub.Report(err)
		}
	})
}

// close stops everything that waits.
func (p *presence) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, one := range p.stays {
		if one.leaving != nil {
			one.leaving.Stop()
		}
	}
	p.stays, p.topics = nil, nil
}
