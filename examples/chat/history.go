package main

import (
	"slices"
	"sync"

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
// loaded. A real application has a database here. (The hub's own retention is
// not for this: it is bounded by what a reconnecting client needs.)
type history struct {
	mu       sync.Mutex
	messages map[conversation][]*event.Event
}

// add keeps a message and then publishes it. In this order, a page that takes
// the hub's cursor before it reads the history can miss nothing: what the
// history does not have yet is published behind the cursor. It may see a
// message twice, and recognises it by its id.
//
// Both happen under one lock, so that history and streams have the same order.
func (h *history) add(c conversation, e *event.Event, publish func() error) error {
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
	return publish()
}

// of returns what a user may read: the lobby, and their own conversations.
func (h *history) of(user uuid.UUID) []*event.Event {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := slices.Clone(h.messages[lobby])
	for c, messages := range h.messages {
		if c != lobby && (c[0] == user || c[1] == user) {
			all = append(all, messages...)
		}
	}
	return all
}
