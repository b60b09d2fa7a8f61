package hub

import (
	"errors"
	"fmt"
)

// A Reason says why a stream ended. It is an error, so that Take can return
// it. What a client reads in stream.end is string(reason); its Error, which fmt
// prints, says more.
type Reason string

// The reasons for which streams end.
const (
	Gone        Reason = "gone"        // the client went away, or the stream was closed
	Slow        Reason = "slow"        // it could not be written to within the write deadline
	Revoked     Reason = "revoked"     // RevokeUser or RevokeSession
	Expired     Reason = "expired"     // Session.Expires has come
	Overloaded  Reason = "overloaded"  // over a limit on streams
	Abusive     Reason = "abusive"     // the client broke the protocol or its limits
	Unavailable Reason = "unavailable" // the application could not say who this is
	Shutdown    Reason = "shutdown"    // the hub is shutting down
)

func (r Reason) Error() string { return "hub: stream ended: " + string(r) }

// ErrClosed is returned by everything that needs an open hub after Shutdown
// has been called.
var ErrClosed = errors.New("hub: closed")

// ErrNoUser is returned by Publish for an event without a user, and by
// PublishTo and Subscribe for the nil UUID. Broadcast is the way to everyone.
var ErrNoUser = errors.New("hub: the nil UUID is nobody; name a user, or use Broadcast for everyone")

// ErrHearsNothing is returned by Subscribe for a zero Session.Allowed or
// Request.Filter: most likely one was forgotten.
var ErrHearsNothing = errors.New("hub: Session.Allowed or Request.Filter is the zero Filter, which hears nothing; use hub.Everything() or hub.Categories(...)")

// An EventTooLargeError says that an event is over Options.MaxEvent.
type EventTooLargeError struct {
	Size, Limit int // bytes, encoded
}

func (e *EventTooLargeError) Error() string {
	return fmt.Sprintf("hub: the event has %d bytes encoded; Options.MaxEvent allows %d", e.Size, e.Limit)
}
