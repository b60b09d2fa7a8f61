package chat

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/transport/ws"
)

// maxText is the longest message, in bytes.
const maxText = 4 << 10

// A target is where somebody writes: to one person, in a room, or in the lobby if
// both are empty.
type target struct {
	To   string `json:"to"`
	Room string `json:"room"`
}

// room checks a target's room. It must be one that somebody is in.
func (s *server) room(ctx context.Context, from person, t target) (string, error) {
	if t.To != "" {
		return "", problem{http.StatusBadRequest, `Name "to" or "room", not both.`}
	}
	name, err := roomName(t.Room)
	if err == nil && !s.isMember(ctx, from.ID, name) {
		err = errNotMember
	}
	return name, err
}

// post sends a message to everyone, to one room or to one person.
func (s *server) post(ctx context.Context, from person, where target, text string) (*event.Event, error) {
	switch text = strings.TrimSpace(text); {
	case text == "":
		return nil, problem{http.StatusUnprocessableEntity, `The message is empty. Send JSON like {"text":"hello","to":""}.`}
	case len(text) > maxText:
		return nil, problem{http.StatusRequestEntityTooLarge, fmt.Sprintf("The message has %d bytes; at most %d are allowed.", len(text), maxText)}
	}
	if where.Room != "" {
		room, err := s.room(ctx, from, where)
		if err != nil {
			return nil, err
		}
		e, err := messageRoom.New(uuid.Nil, roomMessage{From: from, Room: room, Text: text})
		if err != nil {
			return nil, err
		}
		return e, s.hub.PublishTo(ctx, e, hub.Topic(roomTopic(room)), hub.Topic(journalTopic))
	}
	if where.To == "" {
		e, err := messagePosted.New(uuid.Nil, posted{From: from, Text: text})
		if err != nil {
			return nil, err
		}
		return e, s.hub.Broadcast(ctx, e)
	}
	recipient, err := s.recipient(ctx, where.To)
	if err != nil {
		return nil, err
	}
	e, err := messageDirect.New(recipient.ID, direct{From: from, To: recipient, Text: text})
	if err != nil {
		return nil, err
	}
	// To both: every tab of the sender shows it too.
	return e, s.hub.PublishTo(ctx, e, hub.User(from.ID), hub.User(recipient.ID), hub.Topic(journalTopic))
}

// tell lets others know that somebody types: everyone, one room or one person.
func (s *server) tell(ctx context.Context, from person, where target) error {
	if where.Room != "" {
		room, err := s.room(ctx, from, where)
		if err != nil {
			return err
		}
		e, err := typingStarted.New(uuid.Nil, typing{From: from, Room: room})
		if err != nil {
			return err
		}
		return s.hub.PublishTo(ctx, e, hub.Topic(roomTopic(room)))
	}
	if where.To == "" {
		e, err := typingStarted.New(uuid.Nil, typing{From: from})
		if err != nil {
			return err
		}
		return s.hub.Broadcast(ctx, e)
	}
	recipient, err := s.recipient(ctx, where.To)
	if err != nil {
		return err
	}
	e, err := typingStarted.New(recipient.ID, typing{From: from, To: &recipient})
	if err != nil {
		return err
	}
	return s.hub.Publish(ctx, e)
}

func (s *server) recipient(ctx context.Context, name string) (person, error) {
	s.journal.catchUp()
	p, ok := s.people.named(name)
	if !ok && s.await(ctx) {
		p, ok = s.people.named(name) // they entered at another process, just now
	}
	if !ok {
		return p, problem{http.StatusUnprocessableEntity, `Nobody of that name has been here. "to" is the name of somebody who has entered, or empty for the lobby.`}
	}
	return p, nil
}

// postMessage answers POST /messages.
func (s *server) postMessage(w http.ResponseWriter, r *http.Request, from person) {
	var m struct {
		target
		Text string `json:"text"`
	}
	err := readJSON(w, r, false, &m)
	if err == nil {
		var e *event.Event
		if e, err = s.post(r.Context(), from, m.target, m.Text); err == nil {
			writeJSON(w, http.StatusAccepted, map[string]string{"id": e.ID().String()})
			return
		}
	}
	s.fail(w, r, err)
}

// postTyping answers POST /typing.
func (s *server) postTyping(w http.ResponseWriter, r *http.Request, from person) {
	var m target
	err := readJSON(w, r, true, &m)
	if err == nil {
		err = s.tell(r.Context(), from, m)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// receive takes what a client sends over its WebSocket: a message as it would
// be posted, or {"typing":true}. An error goes back to that client.
func (s *server) receive(ctx context.Context, c *ws.Client, data []byte) error {
	from, ok := s.people.lookup(c.Session().User)
	if !ok {
		return errors.New("this stream is about to end")
	}
	var m struct {
		target
		Text   string          `json:"text"`
		Typing bool            `json:"typing"`
		Ref    json.RawMessage `json:"ref"` // comes back in the answer to a mistake
	}
	err := decode(data, &m)
	switch {
	case err != nil:
	case m.Typing:
		err = s.tell(ctx, from, m.target)
	default:
		_, err = s.post(ctx, from, m.target, m.Text)
	}
	if err != nil {
		return s.public(err, "transport", "ws")
	}
	return nil
}
