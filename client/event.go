package client

import (
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/crier-go/crier/event"
)

// An Event is one event of a stream.
type Event struct {
	// ID is the event's id. A stream can resume after it. It is empty for
	// events that cannot be replayed: those of ephemeral kinds, and a server's
	// answers to [Stream.Send].
	ID string
	// Type is the event's type.
	Type event.Type
	// Data is the payload as it arrived. From a Crier server it is JSON, except
	// for [event.Text] kinds over Server-Sent Events: theirs is the text as it
	// is. It belongs to the receiver.
	Data json.RawMessage

	sse bool // it came over Server-Sent Events
}

// Payload returns the payload of an event as the kind's Go type. It does for a
// received event what [event.Kind.Payload] does for an [event.Event], and its
// errors are the same: an event of another type is an error that names both
// types, and data that does not fit is one that wraps [event.ErrInvalidValue].
func Payload[T any](k event.Kind[T], e Event) (T, error) {
	var payload, zero T
	switch t := k.Info().Type; {
	case t == "":
		return zero, fmt.Errorf("client: Payload of a zero Kind[%s]: a Kind comes from event.Define", reflect.TypeFor[T]())
	case e.Type != t:
		return zero, fmt.Errorf("client: the event is of type %q, not %q", e.Type, t)
	}
	if e.sse && k.Info().Text {
		reflect.ValueOf(&payload).Elem().SetString(string(e.Data)) // Define sees to it that T is a string
		return payload, nil
	}
	if err := json.Unmarshal(e.Data, &payload); err != nil {
		return zero, fmt.Errorf("%w: payload of %s: %w", event.ErrInvalidValue, e.Type, err)
	}
	return payload, nil
}
