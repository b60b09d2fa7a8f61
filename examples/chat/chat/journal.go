package chat

import (
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
)

// Retention is how long the history keeps messages. With a backplane, the hub
// retains its events as long, and the backplane should do so with its records.
const Retention = 24 * time.Hour

// retained is how many direct messages the hub retains in all with a backplane,
// and how many events of each user. (The hub bounds their bytes besides.)
const retained = 1 << 14

// journalTopic receives what processes must know and clients must not, and every
// direct message. No session may follow it.
const journalTopic = "chat.journal"

// A journal derives what the chat knows (messages, people, rooms) from the events
// themselves, by a stream of its own. Processes that share a backplane know the
// same for that reason, also one that was started later than the others. A real
// application has a database here.
type journal struct {
	hub     *hub.Hub
	history *history
	people  *people
	rooms   *rooms
	// shared says that other processes derive the same from the same events.
	shared bool
	// reported takes reports of processes about who is online there.
	reported func(processReport)
	log      *slog.Logger

	mu     sync.Mutex
	stream *hub.Subscription
	buf    []*hub.Message
	// restored says that what was published until now is in the history already.
	restored bool
	ended    bool // the hub was shut down, and everything was applied
}

const journalTransport = "journal" // its stream's name in Stats and to the observer

// catchUp applies what was published until now. It must be called before history
// or people are read: a page that takes the hub's cursor first, then calls
// catchUp, then reads, misses nothing, since everything up to the cursor has
// been applied.
func (j *journal) catchUp() {
	j.mu.Lock()
	defer j.mu.Unlock()
	for {
		if j.stream == nil && !j.open() {
			return
		}
		batch, err := j.stream.Take(j.buf)
		if err != nil { // the hub is shut down
			j.close()
			j.ended = true
			return
		}
		if len(batch) == 0 {
			return
		}
		j.buf = batch
		for _, m := range batch {
			if m.Type() == hub.TypeGap {
				// Events are gone. The state must be one that other processes
				// have too, so it is derived anew from what is left.
				j.close()
				break
			}
			if e := m.Event(); e != nil {
				j.apply(e)
			}
		}
		clear(batch) // the buffer keeps no message alive
	}
}

// complete reports whether the hub was shut down and everything that was published
// before has been applied.
func (j *journal) complete() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.ended
}

// open begins the stream, and the history anew, unless that was restored. It reports
// false while the hub serves no streams: before it has caught up with the backplane,
// and after it was shut down. The caller holds j.mu.
func (j *journal) open() bool {
	stream, err := j.hub.Subscribe(hub.Request{
		Session:    hub.Session{User: uuid.New(), Allowed: hub.Everything(), Topics: []string{journalTopic}},
		Filter:     hub.Everything(),
		Topics:     []string{journalTopic},
		FromOldest: !j.restored,
		Transport:  journalTransport,
		Notify:     func() { go j.catchUp() }, // or the hub would evict what nobody has read
	})
	if err != nil {
		return false
	}
	j.stream = stream
	if j.restored {
		j.restored = false // after a gap it is as everywhere
		return true
	}
	j.history.clear()
	if j.shared {
		j.rooms.clear()
	}
	return true
}

// close ends the stream. The caller holds j.mu.
func (j *journal) close() {
	j.stream.Close()
	j.stream = nil
}

func (j *journal) apply(e *event.Event) {
	var err error
	switch e.Type() {
	case messagePosted.Info().Type:
		var m posted
		if m, err = messagePosted.Payload(e); err == nil {
			j.people.enter(m.From)
			j.history.add(lobby, e)
		}
	case messageDirect.Info().Type:
		var m direct
		if m, err = messageDirect.Payload(e); err == nil {
			j.people.enter(m.From)
			j.history.add(between(m.From.ID, m.To.ID), e)
		}
	case messageRoom.Info().Type:
		var m roomMessage
		if m, err = messageRoom.Payload(e); err == nil {
			j.people.enter(m.From)
			j.history.add(inRoom(m.Room), e)
		}
	case roomJoined.Info().Type:
		var m membership
		if m, err = roomJoined.Payload(e); err == nil {
			j.people.recall(m.User)
			j.rooms.enter(m.Room, m.User.ID, e.Time())
		}
	case roomLeft.Info().Type:
		var m membership
		if m, err = roomLeft.Payload(e); err == nil {
			j.rooms.leave(m.Room, m.User.ID)
		}
	case userEntered.Info().Type, userJoined.Info().Type:
		var p presenceChange
		if p, err = userEntered.Payload(e); e.Type() == userJoined.Info().Type {
			p, err = userJoined.Payload(e)
		}
		if err == nil {
			j.people.enter(p.User)
		}
	case processReported.Info().Type:
		var r processReport
		if r, err = processReported.Payload(e); err == nil {
			for _, p := range r.Online {
				j.people.recall(p)
			}
			j.reported(r)
		}
	}
	if err != nil { // another release's
		j.log.Warn("an event cannot be read", "type", e.Type(), "error", err)
	}
}
