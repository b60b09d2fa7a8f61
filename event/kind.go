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

// A Type names a kind of event, for instance "chat.message.posted": lower-case
// segments joined by dots, each a letter followed by letters, digits and
// underscores; at most 128 bytes. It is also the name under which a browser's
// EventSource dispatches the event.
type Type string

// A Category groups types; it is what clients filter their streams by. It is
// written in snake case, for instance "data_sync", in at most 64 bytes.
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

// A Info describes one kind of event. It is a plain value: changing it changes
// nothing elsewhere.
type Info struct {
	Type        Type
	Category    Category
	Description string
	Ephemeral   bool         // see the option [Ephemeral]
	Payload     reflect.Type // the T of the kind's [Kind]
}

// A Kind makes and reads the events of one type, whose payload is a T.
//
// A Kind comes from [Define]. It is a small value to copy and to use from any
// number of goroutines. The zero Kind makes and reads nothing: its methods
// return errors.
type Kind[T any] struct{ info *Info }

// A KindOption changes what [Define] defines. The zero KindOption is not valid.
type KindOption struct{ apply func(*Info) }

// Ephemeral marks a kind whose events matter only while they are fresh: typing,
// progress, the pieces of a text that is complete elsewhere later. They reach
// whoever listens, are never replayed to a client that comes back, and push
// nothing out of what is retained for replay. A client does not see their ids,
// so the last id that it has always names an event that can be replayed from.
func Ephemeral() KindOption {
	return KindOption{func(i *Info) { i.Ephemeral = true }}
}

// Define adds a kind of event to a registry: its type, its category, the Go type
// of its payload, which is marshalled by encoding/json, and a description of
// what has happened when such an event is published. It is meant for package
// variables:
//
//	var MessagePosted = event.Define[Posted](&registry, "chat", "chat.message.posted",
//		"Somebody wrote a message.")
//
// As in [net/http.ServeMux.Handle], a mistake here is one in the program and
// panics: a type or category whose name breaks its rule, a type that is defined
// already, an empty description, a 65th category, a registry that is nil or
// frozen because a hub uses it. Some types are taken: "stream" and all that
// begins with "stream." are the hub's own; "error" and "open" are what an
// EventSource fires by itself, so that a page could not tell them apart.
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

// check returns what is wrong with a definition by itself.
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

// Info describes the kind. Of a zero Kind it is the zero Info.
func (k Kind[T]) Info() Info {
	if k.info == nil {
		return Info{}
	}
	return *k.info
}

// New makes an event for a user. Its id is a new version 7 UUID and its time is
// now, unless [WithID] and [At] say otherwise. The user may be [uuid.Nil] in an
// event that is to be broadcast.
//
// New marshals the payload, the only time that this happens, so the payload may
// be changed afterwards. What encoding/json cannot marshal is an error that
// wraps encoding/json's; bytes that are not UTF-8, which a payload's own
// MarshalJSON may return, become U+FFFD.
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

// Payload reads the payload of an event of this kind. An event of another type
// is an error that names both; data that does not fit into a T, which a decoded
// event can have, is one that wraps [ErrInvalidValue] and encoding/json's.
//
// Types are compared by name, so an event that was decoded by a joined registry
// is read by the kind as it was defined.
func (k Kind[T]) Payload(e *Event) (T, error) {
	var payload T
	if k.info == nil {
		return payload, fmt.Errorf("event: Payload of a zero Kind[%s]: a Kind comes from Define", reflect.TypeFor[T]())
	}
	if e.Type() != k.info.Type {
		return payload, fmt.Errorf("event: the event is of type %q, not %q", e.Type(), k.info.Type)
	}
	if err := json.Unmarshal(e.data, &payload); err != nil {
		var zero T // not what was filled in before the mistake
		return zero, fmt.Errorf("%w: payload of %s: %w", ErrInvalidValue, k.info.Type, err)
	}
	return payload, nil
}
