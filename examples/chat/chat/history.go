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

// A conversation is named by the two who have it, in the order of their ids.
// The zero conversation is the lobby.
type conversation [2]uuid.UUID

var lobby conversation

func between(a, b uuid.UUID) conversation {
	if slices.Compare(a[:], b[:]) > 0 {
		a, b = b, a
	}
	return conversation{a, b}
}

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

// of returns what a user may read: the lobby, and their own conversations.
func (h *history) of(user uuid.UUID) (all []*event.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	// A process that starts now would not know what is older.
	oldest := time.Now().Add(-Retention)
	for c, messages := range h.messages {
		messages = slices.DeleteFunc(messages, func(e *event.Event) bool { return e.Time().Before(oldest) })
		if h.messages[c] = messages; len(messages) == 0 {
			delete(h.messages, c)
		}
		if c == lobby || c[0] == user || c[1] == user {
			all = append(all, messages...)
		}
	}
	return all
}
