package chat

import (
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
)

// A room is a topic of the hub, and the people who may follow it: its members.
// Whoever knows its name may join. A room needs no creation, and there is no list
// of rooms: who is not a member does not learn which ones exist.

// roomTopics begins the topic of every room; its name follows.
const roomTopics = "room:"

func roomTopic(room string) string { return roomTopics + room }

// maxRooms is how many rooms one person can be in. Their page follows them all, by
// one stream.
const maxRooms = 50

var errRoomName = problem{http.StatusBadRequest, "A room's name has " + nameRule + "."}

// roomName checks a room's name. "garden" and "Garden" are two rooms: a name is part
// of a topic, and topics are compared byte by byte.
func roomName(name string) (string, error) {
	clean, ok := cleanName(name)
	if !ok {
		return "", errRoomName
	}
	return clean, nil
}

// rooms remembers who is in which room. The journal fills it. A real application
// has its memberships in a database.
type rooms struct {
	// lapse is how long a membership lasts that nobody renews; zero is for ever.
	// With a backplane, a process that starts does not know older ones, so none
	// may count them.
	lapse time.Duration

	mu      sync.Mutex
	members map[string]map[uuid.UUID]time.Time // by room: when each was entered last
	joining map[uuid.UUID]map[string]int       // by user and room: requests that are under way
}

// reserve lets a user join a room that is within maxRooms, and reports whether there
// is one left. Call release once the journal has applied that they joined, or when
// they did not. Other processes do not know of it, so a user who joins rooms at several
// processes at the same moment can get a few more.
func (r *rooms) reserve(room string, user uuid.UUID) (release func(), ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	others := 0
	for other, members := range r.members {
		if since, in := members[user]; in && r.valid(since) && other != room && r.joining[user][other] == 0 {
			others++
		}
	}
	for other := range r.joining[user] {
		if other != room {
			others++
		}
	}
	if others >= maxRooms {
		return nil, false
	}
	if r.joining == nil {
		r.joining = map[uuid.UUID]map[string]int{}
	}
	if r.joining[user] == nil {
		r.joining[user] = map[string]int{}
	}
	r.joining[user][room]++
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.joining[user][room]--; r.joining[user][room] > 0 {
			return
		}
		if delete(r.joining[user], room); len(r.joining[user]) == 0 {
			delete(r.joining, user)
		}
	}, true
}

// enter notes that somebody is a member, since a time.
func (r *rooms) enter(room string, user uuid.UUID, since time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.members == nil {
		r.members = map[string]map[uuid.UUID]time.Time{}
	}
	if r.members[room] == nil {
		r.members[room] = map[uuid.UUID]time.Time{}
	}
	r.members[room][user] = since
}

// leave notes that somebody is not a member any more.
func (r *rooms) leave(room string, user uuid.UUID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if delete(r.members[room], user); len(r.members[room]) == 0 {
		delete(r.members, room)
	}
}

// has reports whether somebody is a member.
func (r *rooms) has(room string, user uuid.UUID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	since, ok := r.members[room][user]
	return ok && r.valid(since)
}

// of returns the rooms that a user is in, sorted.
func (r *rooms) of(user uuid.UUID) []string { return r.where(user, r.valid) }

// aging returns the rooms in which a user's membership has to be renewed.
func (r *rooms) aging(user uuid.UUID) []string {
	if r.lapse == 0 {
		return nil
	}
	return r.where(user, func(since time.Time) bool { return r.valid(since) && time.Since(since) > r.lapse/2 })
}

func (r *rooms) where(user uuid.UUID, wanted func(since time.Time) bool) (found []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for room, members := range r.members {
		if since, ok := members[user]; ok && wanted(since) {
			found = append(found, room)
		}
	}
	slices.Sort(found)
	return found
}

// membersOf returns who is in a room, in no order.
func (r *rooms) membersOf(room string) (users []uuid.UUID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for user, since := range r.members[room] {
		if r.valid(since) {
			users = append(users, user)
		}
	}
	return users
}

// all returns a copy of everything.
func (r *rooms) all() map[string]map[uuid.UUID]time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	copied := map[string]map[uuid.UUID]time.Time{}
	for room, members := range r.members {
		copied[room] = maps.Clone(members)
	}
	return copied
}

func (r *rooms) valid(since time.Time) bool { return r.lapse == 0 || time.Since(since) < r.lapse }

// clear forgets everything.
func (r *rooms) clear() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.members = nil
}
