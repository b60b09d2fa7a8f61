package event

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// A Type names a kind of event, for instance "chat.message.posted". It consists of
// segments joined by dots. A segment is a lower-case letter followed by lower-case
// letters, digits and underscores. A Type has at most 128 bytes. A browser's
// EventSource dispatches the event under this name.
type Type string

// A Category groups types. Clients filter their streams by category. It is in snake
// case, for instance "data_sync", and has at most 64 bytes.
type Category string

const (
	maxType       = 128 // bytes
	maxCategory   = 64  // bytes
	maxCategories = 64  // in a registry, so that a filter fits into one word

	typeRule     = `[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*`
	categoryRule = `[a-z][a-z0-9]*(_[a-z0-9]+)*`
)

var (
	typePattern     = regexp.MustCompile(`^` + typeRule + `$`)
	categoryPattern = regexp.MustCompile(`^` + categoryRule + `$`)
)

// An Info describes one kind of event. It is a plain value: changing a copy does
// not change the kind.
type Info struct {
	Type        Type
	Category    Category
	Description string
	Ephemeral   bool         // see the option [Ephemeral]
	Payload     reflect.Type // the T of its [Kind]
}

// A Kind makes and reads the events of one type, whose payload is a T.
//
// A Kind comes from [Define]. It is a small value that may be copied, and it is
// safe for concurrent use. New and Payload of the zero Kind return errors.
type Kind[T any] struct{ info *Info }

// A KindOption changes what [Define] defines. The zero KindOption is not valid.
type KindOption struct{ apply func(*Info) }

// Ephemeral marks a kind whose events matter only at the moment: typing, progress,
// or chunks of a text that a later event contains as a whole. Ephemeral events
// reach the clients that are connected. They are not retained, so they are never
// replayed to a client that reconnects, and they do not evict events that are.
// A client does not see their ids, so that its last id always names an event that
// it can resume from.
func Ephemeral() KindOption {
	return KindOption{func(i *Info) { i.Ephemeral = true }}
}

// Define adds a kind of event to a registry: its category, its type, the Go type T
// of its payload, and a description of what has happened when such an event is
// published. encoding/json marshals the payload. Define is meant for package
// variables:
//
//	var MessagePosted = event.Define[Posted](&registry, "chat", "chat.message.posted",
//		"Somebody wrote a message.")
//
// Like [net/http.ServeMux.Handle], Define panics on a mistake in the program: an
// invalid name of a type or category, a type that is already defined, an empty
// description, a 65th category, or a registry that is nil or is frozen because a
// hub uses it. Some types are reserved: "stream" and those that begin with
// "stream." are the hub's own messages; "error" and "open" are events that an
// EventSource fires itself.
func Define[T any](r *Registry, c Category, t Type, description string, opts ...KindOption) Kind[T] {
	info := &Info{
		Type:        t,
		Category:    c,
		Description: description,
		Payload:     reflect.TypeFor[T](),
	}
	for _, o := range opts {
		o.apply(info)
	}
	if err := r.define(info); err != nil {
		panic(fmt.Sprintf("event: Define: type %s: %v", quote(string(t)), err))
	}
	return Kind[T]{info}
}

// check validates a definition, apart from the registry.
func (i *Info) check() error {
	switch {
	case len(i.Type) > maxType:
		return fmt.Errorf("the name has %d bytes, at most %d are allowed", len(i.Type), maxType)
	case !typePattern.MatchString(string(i.Type)):
		return fmt.Errorf("the name must match %s", typeRule)
	case i.Type == "stream" || strings.HasPrefix(string(i.Type), "stream."):
		return errors.New(`"stream" and names that begin with "stream." are reserved for the hub`)
	case i.Type == "error" || i.Type == "open":
		return errors.New("the name is reserved: an EventSource fires events of this name itself")
	case len(i.Category) > maxCategory:
		return fmt.Errorf("category %s has %d bytes, at most %d are allowed",
			quote(string(i.Category)), len(i.Category), maxCategory)
	case !categoryPattern.MatchString(string(i.Category)):
		return fmt.Errorf("category %s must match %s", quote(string(i.Category)), categoryRule)
	case strings.TrimSpace(i.Description) == "":
		return errors.New("the description is empty")
	}
	return nil
}

// Info describes the kind. The zero Kind has the zero Info.
func (k Kind[T]) Info() Info {
	if k.info == nil {
		return Info{}
	}
	return *k.info
}

// New makes an event for a user. Its id is a new version 7 UUID and its time is
// now; [WithID] and [At] change that. For an event that will be broadcast, the user
// may be [uuid.Nil].
//
// New marshals the payload, so the payload may be changed afterwards. If
// encoding/json cannot marshal it, the error wraps encoding/json's. Bytes that are
// not UTF-8, which a payload's own MarshalJSON may return, become U+FFFD.
func (k Kind[T]) New(user uuid.UUID, payload T, opts ...Option) (*Event, error) {
	if k.info == nil {
		return nil, fmt.Errorf("event: New of a zero Kind[%s]: a Kind comes from Define", reflect.TypeFor[T]())
	}
	e := &Event{
		info: k.info,
		user: user,
		time: time.Now().UTC().Truncate(time.Microsecond),
	}
	for _, o := range opts {
		if err := o.apply(e); err != nil {
			return nil, err
		}
	}
	data, err := json.Marshal(payload)
	if err != nil {
		return nil, fmt.Errorf("event: cannot marshal the payload of %s: %w", k.info.Type, err)
	}
	e.data = slices.Clip(repairUTF8(data))
	if e.id == uuid.Nil {
		if e.id, err = uuid.NewV7(); err != nil {
			return nil, fmt.Errorf("event: cannot make an id: %w", err)
		}
	}
	return e, nil
}

// Payload reads the payload of an event of this kind. For an event of another type
// it returns an error that names both types. The data of a decoded event may not
// fit into a T; then the error wraps [ErrInvalidValue] and encoding/json's error.
//
// Types are compared by name, so a kind also reads events that a joined registry
// has decoded.
func (k Kind[T]) Payload(e *Event) (T, error) {
	var payload T
	if k.info == nil {
		return payload, fmt.Errorf("event: Payload of a zero Kind[%s]: a Kind comes from Define", reflect.TypeFor[T]())
	}
	if e.Type() != k.info.Type {
		return payload, fmt.Errorf("event: the event is of type %q, not %q", e.Type(), k.info.Type)
	}
	if err := json.Unmarshal(e.data, &payload); err != nil {
		var zero T // Unmarshal may have filled in a part of payload
		return zero, fmt.Errorf("%w: payload of %s: %w", ErrInvalidValue, k.info.Type, err)
	}
	return payload, nil
}
