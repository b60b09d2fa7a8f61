// Package event says what happened: it defines the kinds of events that an
// application tells its users about, makes events, and turns them into bytes
// and back.
//
// Everything about a type of event stands in one place, its [Define]:
//
//	var registry event.Registry
//
//	type Posted struct {
//		From string `json:"from"`
//		Text string `json:"text"`
//	}
//
//	var MessagePosted = event.Define[Posted](&registry, "chat", "chat.message.posted",
//		"Somebody wrote a message.")
//
// The [Kind] that it returns makes events with a payload of that Go type
// ([Kind.New]) and reads the payload of received ones ([Kind.Payload]); a wrong
// payload does not compile. The [Registry] knows every kind, by type and by
// category, and is what a hub is made with. [Join] makes one of several: a
// ready vocabulary such as package catalog's, and an application's own.
//
// An [Event] never changes once it is made: its payload is marshalled once, by
// New, and these bytes serve every subscriber, transport and store.
//
// # Two forms
//
// On the wire a client sees an event's id, its type and its data:
// [Event.AppendSSE]. What is stored or sent between processes has five keys
// and is written by [Event.MarshalJSON] and read by [Registry.Decode]:
//
//	{
//		"event_id":    "01980d5e-9d2c-7cc1-8a51-5b2ab0e8f0c4",
//		"event_type":  "chat.message.posted",
//		"user_id":     "3f333df6-90a4-4fda-8dd3-9485d27cee36",
//		"data":        {"from":"ada","text":"hello"},
//		"occurred_at": "2026-03-14T15:09:26.535897Z"
//	}
package event

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// Errors that the functions of this package wrap; test for them with
// [errors.Is].
var (
	// ErrMissingField means that the storage form lacks one of its five keys,
	// or that the key is null where null is no value.
	ErrMissingField = errors.New("event: missing field")
	// ErrUnknownType means that the registry has no kind of that type.
	ErrUnknownType = errors.New("event: unknown type")
	// ErrInvalidValue means that a value is there and is not what it must be.
	ErrInvalidValue = errors.New("event: invalid value")
)

// An Event is something that happened, for one user or, published as a
// broadcast, for everyone.
//
// An Event is made by [Kind.New] or [Registry.Decode], used as a pointer, and
// never changes, so any number of goroutines may use it at once. The zero Event
// has no type: no hub publishes it, and it cannot be marshalled.
type Event struct {
	info *Info // shared with the kind; nil only in the zero Event
	id   uuid.UUID
	user uuid.UUID
	time time.Time
	// data is one JSON value: compact, so without CR or LF, and valid UTF-8.
	// AppendSSE relies on both.
	data json.RawMessage
}

// noInfo stands in for the kind that a zero Event does not have.
var noInfo Info

func (e *Event) kind() *Info {
	if e.info == nil {
		return &noInfo
	}
	return e.info
}

// ID returns the event's id, a version 7 UUID.
func (e *Event) ID() uuid.UUID { return e.id }

// Type returns the event's type, for instance "chat.message.posted".
func (e *Event) Type() Type { return e.kind().Type }

// Category returns the category of the event's type: what clients filter by.
func (e *Event) Category() Category { return e.kind().Category }

// Ephemeral reports whether the event's kind is [Ephemeral].
func (e *Event) Ephemeral() bool { return e.kind().Ephemeral }

// User returns the user whom the event is for. It is [uuid.Nil] in an event
// that was made for no one user, to be broadcast.
func (e *Event) User() uuid.UUID { return e.user }

// Data returns the event's payload: a JSON value, compact and valid UTF-8. The
// bytes are the event's own and must not be modified; appending to them copies.
func (e *Event) Data() json.RawMessage { return e.data }

// Time returns when the event occurred, in UTC. [Kind.New] keeps microseconds,
// [Registry.Decode] what it read.
func (e *Event) Time() time.Time { return e.time }

// An Option sets a field of a new event to something else than its default. The
// zero Option is not valid.
type Option struct{ apply func(*Event) error }

// WithID gives the event an id that it already has elsewhere, for instance in
// an outbox table, instead of a new one. The id must be a version 7 UUID, else
// [Kind.New] returns an error that wraps [ErrInvalidValue].
func WithID(id uuid.UUID) Option {
	return Option{func(e *Event) error {
		if !isV7(id) {
			return fmt.Errorf("%w: WithID: %s is not a version 7 UUID", ErrInvalidValue, id)
		}
		e.id = id
		return nil
	}}
}

// At sets the time at which the event occurred; without it that is the time of
// the call to [Kind.New]. The time is converted to UTC and cut to microseconds.
// A year outside 0 to 9999, which RFC 3339 cannot write, makes New return an
// error that wraps [ErrInvalidValue].
func At(t time.Time) Option {
	return Option{func(e *Event) error {
		u := t.UTC()
		if !writableYear(u) {
			return fmt.Errorf("%w: At: year %d is not within 0 to 9999", ErrInvalidValue, u.Year())
		}
		e.time = u.Truncate(time.Microsecond)
		return nil
	}}
}

func isV7(id uuid.UUID) bool {
	return id.Version() == 7 && id.Variant() == uuid.RFC4122
}

// writableYear reports whether RFC 3339, with its four digits, can write the
// year of t.
func writableYear(t time.Time) bool {
	return 0 <= t.Year() && t.Year() <= 9999
}
