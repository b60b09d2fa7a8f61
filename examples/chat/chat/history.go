package chat

import (
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/event"
)

// keptMessages is how many messages each conversation keeps.
const keptMessages = 200

// A conversation is named by the two who have it, in the order of their ids, or by
// its room. The zero conversation is the lobby.
type conversation struct {
	a, b uuid.UUID
	room string
}

var lobby conversation

func between(a, b uuid.UUID) conversation {
	if slices.Compare(a[:], b[:]) > 0 {
		a, b = b, a
	}
	return conversation{a: a, b: b}
}

func inRoom(room string) conversation { return conversation{room: room} }

// A history keeps the last messages of every conversation, for pages that are
// loaded. The journal fills it. (A page could not read the hub's own retention,
// which is one bound for all conversations, and is there for clients that
// reconnect.)
type history struct {
	mu       sync.Mutex
	messages map[conversation][]*event.Event
}

// add keeps a message.
func (h *history) add(c conversation, e *event.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.messages == nil {
		h.messages = map[conversation][]*event.Event{}
	}
	kept := append(h.messages[c], e)
	if len(kept) > keptMessages {
		kept = slices.Delete(kept, 0, len(kept)-keptMessages)
	}
	h.messages[c] = kept
}

// clear forgets everything.
func (h *history) clear() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.messages = nil
}

// of returns what a user may read: the lobby, their own conversations, and the
// rooms that they are in.
func (h *history) of(user uuid.UUID, rooms []string) (all []*event.Event) {
	return h.where(func(c conversation) bool {
		return c == lobby || c.a == user || c.b == user || c.room != "" && slices.Contains(rooms, c.room)
	})
}

// where returns the messages of some conversations.
func (h *history) where(wanted func(conversation) bool) (all []*event.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	// A process that starts now would not know what is older.
	oldest := time.Now().Add(-Retention)
	for c, messages := range h.messages {
		messages = slices.DeleteFunc(messages, func(e *event.Event) bool { return e.Time().Before(oldest) })
		if h.messages[c] = messages; len(messages) == 0 {
			delete(h.messages, c)
		}
		if wanted(c) {
			all = append(all, messages...)
		}
	}
	return all
}
