package chat

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
)

// errNotMember is the answer for a room that does not exist, too.
var errNotMember = problem{http.StatusForbidden, "You are not in a room of this name. Join it with POST /rooms/{name}."}

// A roomState is what the members of a room see of it, besides its messages.
type roomState struct {
	Name    string      `json:"name"`
	Members []person    `json:"members"`
	Here    []uuid.UUID `json:"here"` // the members who have it open now
}

// roomFor returns what a member sees of a room.
func (s *server) roomFor(name string) roomState {
	shown := roomState{Name: name, Members: []person{}, Here: []uuid.UUID{}}
	for _, user := range s.rooms.membersOf(name) {
		if who, ok := s.people.lookup(user); ok {
			shown.Members = append(shown.Members, who)
		}
	}
	byName(shown.Members)
	for _, who := range shown.Members {
		if s.presence.isHere(stay{name, who.ID}) {
			shown.Here = append(shown.Here, who.ID)
		}
	}
	return shown
}

// isMember reports whether a user is in a room. With a backplane, it first waits
// for what this process has yet to apply if the user does not seem to be: they may
// have joined at another process, just now.
func (s *server) isMember(ctx context.Context, user uuid.UUID, room string) bool {
	s.journal.catchUp()
	return s.rooms.has(room, user) || s.await(ctx) && s.rooms.has(room, user)
}

// authorize decides which topics a stream may follow: the rooms that its user is in.
func (s *server) authorize(ctx context.Context, v hub.Session, topic string) error {
	room, ok := strings.CutPrefix(topic, roomTopics)
	if !ok || !s.isMember(ctx, v.User, room) {
		return errNotMember
	}
	return nil
}

// join makes somebody a member of a room. Everyone in the room learns of it, and so
// do all streams of the user, which follow the room from then on.
func (s *server) join(ctx context.Context, p person, room string) error {
	s.journal.catchUp()
	if !s.rooms.has(room, p.ID) {
		release, ok := s.rooms.reserve(room, p.ID)
		if !ok {
			return problem{http.StatusConflict, fmt.Sprintf("You are in %d rooms, and more are not allowed. Leave one first.", maxRooms)}
		}
		defer release()
		if err := s.move(ctx, roomJoined, p, room); err != nil {
			return err
		}
	}
	if _, err := s.hub.Join(ctx, p.ID, roomTopic(room)); err != nil {
		return err
	}
	caughtUp := s.cluster == nil || s.await(ctx)
	s.journal.catchUp()
	if !caughtUp || s.rooms.has(room, p.ID) {
		return nil
	}
	// Another request of the same user has left it meanwhile.
	_, err := s.hub.Leave(ctx, p.ID, roomTopic(room))
	return errors.Join(err, errNotMember)
}

// leave ends a membership. The membership goes first: from then on no stream can
// begin to follow the room. Then Leave takes it from those that do.
func (s *server) leave(ctx context.Context, p person, room string) error {
	member := s.isMember(ctx, p.ID, room)
	if member {
		if err := s.move(ctx, roomLeft, p, room); err != nil {
			return err
		}
		s.journal.catchUp()
	}
	// In any case: an earlier request may have got only half the way.
	if _, err := s.hub.Leave(ctx, p.ID, roomTopic(room)); err != nil {
		return err
	}
	if !member {
		return errNotMember
	}
	s.await(ctx) // so that who asks this process next is answered by what was done
	return nil
}

// move publishes that somebody joins or leaves a room.
func (s *server) move(ctx context.Context, kind event.Kind[membership], p person, room string) error {
	e, err := kind.New(p.ID, membership{Room: room, User: p})
	if err != nil {
		return err
	}
	return s.hub.PublishTo(ctx, e, hub.User(p.ID), hub.Topic(roomTopic(room)), hub.Topic(journalTopic))
}

// renew keeps a user's memberships from lapsing. Only processes learn of it.
func (s *server) renew(ctx context.Context, p person) {
	for _, room := range s.rooms.aging(p.ID) {
		e, err := roomJoined.New(p.ID, membership{Room: room, User: p})
		if err == nil {
			err = s.hub.PublishTo(ctx, e, hub.Topic(journalTopic))
		}
		if err != nil {
			s.log.Warn("a membership is not renewed", "error", err)
			return
		}
	}
}

// withRoom runs next with the room that the path names.
func (s *server) withRoom(next func(ctx context.Context, p person, room string) error, answer func(http.ResponseWriter, string)) http.HandlerFunc {
	return s.loggedIn(func(w http.ResponseWriter, r *http.Request, p person) {
		name, err := roomName(r.PathValue("name"))
		if err == nil {
			err = next(r.Context(), p, name)
		}
		if err != nil {
			s.fail(w, r, err)
			return
		}
		answer(w, name)
	})
}

// see fails unless somebody is in a room.
func (s *server) see(ctx context.Context, p person, room string) error {
	if !s.isMember(ctx, p.ID, room) {
		return errNotMember
	}
	return nil
}

func (s *server) writeRoom(w http.ResponseWriter, room string) {
	writeJSON(w, http.StatusOK, s.roomFor(room))
}

func writeLeft(w http.ResponseWriter, _ string) { w.WriteHeader(http.StatusNoContent) }
