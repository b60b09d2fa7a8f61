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
	Ephemeral   bool          // see the option [Ephemeral]
	RetainFor   time.Duration // see the option [RetainFor]; zero means as long as the hub retains events
	Text        bool          // see the option [Text]
	Latest      bool          // see the option [Latest]
	Payload     reflect.Type  // the T of its [Kind]

	key     *keyFunc // of Latest
	invalid error    // what is wrong with an option
}

// A keyFunc returns the key of a payload. It is used by a pointer, so that an Info
// can be compared.
type keyFunc struct{ of func(payload any) string }

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

// RetainFor marks a kind whose events matter for a short time: the pieces of a
// text that is being generated, the progress of an import. They are replayed to
// a client that reconnects within d, and their loss is reported as a gap, as for
// other events; but they are kept apart (the last 1,024 of each user and topic),
// so that they evict no others. Define panics if d is not positive or if the kind
// is also [Ephemeral].
func RetainFor(d time.Duration) KindOption {
	return KindOption{func(i *Info) {
		if d <= 0 {
			i.invalid = fmt.Errorf("RetainFor(%v): the duration must be positive", d)
		}
		i.RetainFor = d
	}}
}

// Text marks a kind whose payload is a string that Server-Sent Events carry as it
// is and not as JSON: HTML fragments for htmx, Turbo or Datastar. Each line of the
// text becomes a data line, so the text cannot forge another event. Over
// WebSocket and in the storage form the payload is a JSON string, as without
// Text. Define panics if the payload's type is not a string.
func Text() KindOption {
	return KindOption{func(i *Info) {
		if i.Payload.Kind() != reflect.String {
			i.invalid = fmt.Errorf("Text: the payload is a %v; it must be a string", i.Payload)
		}
		i.Text = true
	}}
}

// Latest marks a kind that states a value: a balance, a progress, a status. The
// key names the value that a payload states, for instance an account's id; a
// function that always returns "" means that the kind states one value. Of the
// events for one user (or topic) with the same type and key, only the newest is
// kept and delivered: a client that is behind does not receive those that it
// missed. The order among other events stays.
//
// An event that was published to several audiences can be superseded for one of
// them only: a stream that follows both is given the newer one, and may or may not
// be given the older one before it. Define panics if key is nil or
// takes another type than the kind's payload.
func Latest[T any](key func(T) string) KindOption {
	return KindOption{func(i *Info) {
		if key == nil {
			i.invalid = errors.New("Latest: the key function is nil")
			return
		}
		if t := reflect.TypeFor[T](); t != i.Payload {
			i.invalid = fmt.Errorf("Latest: the key is that of a %v; the payload is a %v", t, i.Payload)
			return
		}
		i.Latest = true
		i.key = &keyFunc{func(payload any) string { return key(payload.(T)) }}
	}}
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
	case i.invalid != nil:
		return i.invalid
	case i.Ephemeral && i.RetainFor > 0:
		return errors.New("it is both Ephemeral and RetainFor: an ephemeral event is not retained at all")
	case i.Ephemeral && i.Latest:
		return errors.New("it is both Ephemeral and Latest: an ephemeral event is not kept, so nothing can take its place")
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
	if k.info.Latest {
		e.key = k.info.key.of(payload)
	}
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
