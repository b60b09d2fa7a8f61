package hub

import (
	"errors"
	"fmt"
)

// A Reason says why a stream ended, or why it was refused. It is an error, so
// that Take and Subscribe can return it. A client reads string(reason) in
// stream.end.
type Reason string

// The reasons for which streams end or are refused.
const (
	ReasonGone        Reason = "gone"        // the client went away, or the stream was closed
	ReasonSlow        Reason = "slow"        // a write made no progress within the write timeout
	ReasonRevoked     Reason = "revoked"     // RevokeUser or RevokeSession
	ReasonExpired     Reason = "expired"     // Session.Expires has passed
	ReasonOverloaded  Reason = "overloaded"  // over a limit on streams
	ReasonAbusive     Reason = "abusive"     // the client broke the protocol or its limits
	ReasonUnavailable Reason = "unavailable" // the application could not tell who the client is
	ReasonShutdown    Reason = "shutdown"    // the hub is shutting down
)

// Reasons returns all reasons, so that metrics can have every label from the
// start.
func Reasons() []Reason {
	return []Reason{
		ReasonGone, ReasonSlow, ReasonRevoked, ReasonExpired,
		ReasonOverloaded, ReasonAbusive, ReasonUnavailable, ReasonShutdown,
	}
}

func (r Reason) Error() string { return "hub: " + string(r) }

// ErrClosed is returned by everything that needs an open hub after Shutdown
// has been called.
var ErrClosed = errors.New("hub: closed")

// ErrNoUser is returned by Publish for an event without a user, and by PublishTo
// and Subscribe for the nil UUID.
var ErrNoUser = errors.New("hub: the nil UUID is not a user; name a user, or use Broadcast for everyone")

// ErrUnknownEvent is returned by Explain for an id of which nothing is known: the
// hub retains no event with it, and has evicted nothing that it could be.
var ErrUnknownEvent = errors.New("hub: nothing is known of an event with this id: it was not published here, was ephemeral, or was superseded long ago")

// ErrEmptyFilter is returned by Subscribe for a zero Session.Allowed or
// Request.Filter: most likely one was forgotten.
var ErrEmptyFilter = errors.New("hub: Session.Allowed or Request.Filter is the zero Filter, which includes nothing; use hub.Everything() or hub.Categories(...)")

// An EventTooLargeError says that an event is over Options.MaxEvent.
type EventTooLargeError struct {
	Size, Limit int // bytes, encoded
}

func (e *EventTooLargeError) Error() string {
	return fmt.Sprintf("hub: the event has %d bytes encoded; Options.MaxEvent allows %d", e.Size, e.Limit)
}
