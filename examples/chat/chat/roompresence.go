package chat

import (
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
)

// The hub knows which of this process's streams follow a room, and tells who comes
// and goes. What it tells is noted here, because others may be in the room at other
// processes, and because a page that is loaded must show what was announced: a
// member who is gone for less than the grace still counts.

// roomEvent makes the event that the hub publishes to a room when somebody comes or
// goes. It is nil if that is no news.
func (s *server) roomEvent(change hub.PresenceChange) (*event.Event, error) {
	room, isRoom := strings.CutPrefix(change.Topic, roomTopics)
	who, isPerson := change.Meta.(person)
	if !isRoom || !isPerson {
		return nil, nil
	}
	if !change.Joined && s.follows(change.User, change.Topic) {
		return nil, nil // back while the hub was about to say so
	}
	at := stay{room, change.User}
	if !s.presence.moved(at, change.Joined) {
		return nil, nil
	}
	if s.cluster != nil { // there, publishing waits for an engine
		s.cluster.announce(at, change.Joined)
		return nil, nil
	}
	return roomPresence.New(change.User, roomVisit{Room: room, User: who, Here: change.Joined})
}

// follows reports whether a stream of a user follows a topic here.
func (s *server) follows(user uuid.UUID, topic string) bool {
	return slices.ContainsFunc(s.hub.Presence(topic), func(p hub.Present) bool { return p.User == user })
}

// moved notes that the hub says that somebody has come into a room or has gone. It
// reports whether that is news to anybody.
func (p *presence) moved(at stay, here bool) (news bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	delete(p.expected, at)
	_, was := p.inRooms[at]
	if was == here {
		return false
	}
	if here {
		p.inRooms[at] = struct{}{}
	} else {
		delete(p.inRooms, at)
	}
	p.changed = true
	return !p.isElsewhere(at)
}

// isHere reports whether somebody is in a room, at any process.
func (p *presence) isHere(at stay) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.isHereLocked(at) || p.isElsewhere(at)
}

// isHereLocked reports whether somebody is in a room, or online, at this process.
func (p *presence) isHereLocked(at stay) bool {
	if at.Room == "" {
		return p.here[at.User] != nil
	}
	_, here := p.inRooms[at]
	return here
}
