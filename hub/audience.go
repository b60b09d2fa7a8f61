package hub

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/crier-go/crier/hub/internal/eventlog"
)

// An Audience is whom an event is for: a user, a topic or everyone. The zero
// Audience is nobody; publishing to it is an error. Audiences may be copied and
// compared.
type Audience struct {
	key      eventlog.Key
	everyone bool
}

// User returns the audience of one user: every stream that the user has open.
func User(id uuid.UUID) Audience { return Audience{key: eventlog.Key{ID: id}} }

// Users returns the audiences of several users.
func Users(ids ...uuid.UUID) []Audience {
	to := make([]Audience, len(ids))
	for i, id := range ids {
		to[i] = User(id)
	}
	return to
}

// Topic returns the audience of a topic: every stream that follows it. A topic's
// name belongs to the application, for instance "document:42". It has 1 to 128
// bytes of UTF-8 without control characters; publishing to another name is a
// [TopicError]. A topic needs no creation, and costs nothing while nobody follows
// it and nothing is retained for it.
func Topic(name string) Audience { return Audience{key: eventlog.Key{Name: name}} }

// Everyone returns the audience of all streams of the hub.
func Everyone() Audience { return Audience{everyone: true} }

// check returns what is wrong with an audience.
func (a Audience) check() error {
	switch {
	case a.everyone:
		return nil
	case a.key.Name != "":
		return checkTopic(a.key.Name)
	case a.key.ID == uuid.Nil:
		return ErrNoUser
	}
	return nil
}

// String returns "user:", "topic:" and the id or name, or "everyone".
func (a Audience) String() string {
	switch {
	case a.everyone:
		return "everyone"
	case a.key.Name != "":
		return "topic:" + a.key.Name
	}
	return "user:" + a.key.ID.String()
}

// maxTopic is the length of the longest topic, in bytes.
const maxTopic = 128

// A TopicError says why a name cannot be that of a topic. Its text does not
// contain the name, which may come from a client.
type TopicError struct{ Problem string }

func (e *TopicError) Error() string {
	return "hub: a topic's name must have 1 to 128 bytes of UTF-8 without control characters; " + e.Problem
}

func checkTopic(name string) error {
	switch {
	case name == "":
		return &TopicError{"this one is empty"}
	case len(name) > maxTopic:
		return &TopicError{fmt.Sprintf("this one has %d bytes", len(name))}
	case !utf8.ValidString(name):
		return &TopicError{"this one is not UTF-8"}
	case strings.ContainsFunc(name, unicode.IsControl):
		return &TopicError{"this one has a control character"}
	}
	return nil
}

// A TooManyTopicsError says that a stream asks for more topics than
// Options.TopicsPerStream allows.
type TooManyTopicsError struct{ Limit int }

func (e *TooManyTopicsError) Error() string {
	return fmt.Sprintf("hub: a stream may follow at most %d topics", e.Limit)
}

// ErrForbiddenTopic is what a [ForbiddenTopicsError] is, by errors.Is. It names no
// topic, so that a client does not learn which exist.
var ErrForbiddenTopic = errors.New("hub: the session may not follow this topic")

// A ForbiddenTopicsError says that a session asks for topics that it may not follow.
// It is [ErrForbiddenTopic] and what Options.Authorize has returned, by errors.Is and
// errors.As.
type ForbiddenTopicsError struct {
	// Topics are those of the topics asked for that the session may not follow, in
	// their order. Some of them may not exist.
	Topics []string
	causes []error // ErrForbiddenTopic, and what Options.Authorize has returned
}

func (e *ForbiddenTopicsError) Error() string {
	texts := make([]string, len(e.causes))
	for i, cause := range e.causes {
		texts[i] = cause.Error()
	}
	return strings.Join(texts, ": ") // on one line, for logs
}

func (e *ForbiddenTopicsError) Unwrap() []error { return e.causes }

// forbid adds a topic to e, which may be nil. The cause may be nil, too.
func (e *ForbiddenTopicsError) forbid(topic string, cause error) *ForbiddenTopicsError {
	if e == nil {
		e = &ForbiddenTopicsError{causes: []error{ErrForbiddenTopic}}
	}
	e.Topics = append(e.Topics, topic)
	if cause != nil {
		e.causes = append(e.causes, cause)
	}
	return e
}
