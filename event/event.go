// Package event defines the kinds of events that an application sends to its
// users. It makes events, encodes them and decodes them.
//
// Everything about a type of event is in one place, its call of [Define]:
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
// Define returns a [Kind]. [Kind.New] makes events whose payload has that Go type,
// so a wrong payload does not compile. [Kind.Payload] reads the payload of a
// received event. A [Registry] holds all kinds, and a hub is made with one. [Join]
// makes a registry of several, for instance of package catalog's and an
// application's own.
//
// An [Event] is immutable. New marshals its payload once, and every subscriber,
// transport and store uses these bytes.
//
// # Two forms
//
// On the wire, a client sees an event's id, type and data; see [Event.AppendSSE].
// The storage form, for databases and between processes, has five keys.
// [Event.MarshalJSON] writes it and [Registry.Decode] reads it:
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

// Errors that the functions of this package wrap. Test for them with [errors.Is].
var (
	// ErrMissingField means that the storage form lacks one of its five keys, or
	// that a key other than data is null.
	ErrMissingField = errors.New("event: missing field")
	// ErrUnknownType means that the registry has no kind of that type.
	ErrUnknownType = errors.New("event: unknown type")
	// ErrInvalidValue means that a value is present and invalid.
	ErrInvalidValue = errors.New("event: invalid value")
)

// An Event is something that happened. It is for one user or, if it is published
// as a broadcast, for everyone.
//
// Events come from [Kind.New] and [Registry.Decode] and are used as pointers. An
// Event is immutable and safe for concurrent use. The zero Event has no type: it
// cannot be published or marshalled.
type Event struct {
	info *Info // shared with the kind; nil only in the zero Event
	id   uuid.UUID
	user uuid.UUID
	time time.Time
	// data is one JSON value. It is compact, so it contains no CR or LF, and it is
	// valid UTF-8. AppendSSE relies on both.
	data json.RawMessage
	key  string // of a Latest kind
}

// noInfo is the kind of the zero Event.
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

// Category returns the category of the event's type. Clients filter by it.
func (e *Event) Category() Category { return e.kind().Category }

// Ephemeral reports whether the event's kind is [Ephemeral].
func (e *Event) Ephemeral() bool { return e.kind().Ephemeral }

// Key returns the key of the value that an event of a [Latest] kind states. For
// other kinds it is empty. An event that [Registry.Decode] has read has the key of
// its decoded payload, or "" if the data is not a payload of the kind.
func (e *Event) Key() string { return e.key }

// Info describes the event's kind.
func (e *Event) Info() Info { return *e.kind() }

// User returns the user that the event is for. It is [uuid.Nil] if the event was
// made for no single user, to be broadcast.
func (e *Event) User() uuid.UUID { return e.user }

// Data returns the event's payload: a JSON value, compact and valid UTF-8. The
// bytes belong to the event and must not be modified. Appending to them copies.
func (e *Event) Data() json.RawMessage { return e.data }

// Time returns when the event occurred, in UTC. It has microseconds if the event
// comes from [Kind.New], and the precision of the storage form if it comes from
// [Registry.Decode].
func (e *Event) Time() time.Time { return e.time }

// An Option sets a field of a new event. The zero Option is not valid.
type Option struct{ apply func(*Event) error }

// WithID sets the event's id, for instance to the one that it has in an outbox
// table. The default is a new id. If the id is not a version 7 UUID, [Kind.New]
// returns an error that wraps [ErrInvalidValue].
func WithID(id uuid.UUID) Option {
	return Option{func(e *Event) error {
		if !isV7(id) {
			return fmt.Errorf("%w: WithID: %s is not a version 7 UUID", ErrInvalidValue, id)
		}
		e.id = id
		return nil
	}}
}

// At sets the time at which the event occurred. The default is the time of the
// call of [Kind.New]. The time is converted to UTC and truncated to microseconds.
// If its year is outside 0 to 9999, which RFC 3339 cannot express, New returns an
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

// writableYear reports whether the year of t fits into RFC 3339's four digits.
func writableYear(t time.Time) bool {
	return 0 <= t.Year() && t.Year() <= 9999
}
