package hub

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// A Session is on whose behalf a stream is opened, as the application's
// authenticator found it. It is a plain value; the hub keeps a copy.
type Session struct {
	// User is the user whose events the stream receives. Required.
	User uuid.UUID
	// ID names the login that the stream belongs to, for RevokeSession. Empty
	// means that only RevokeUser can end it. It is a name and must not be a
	// secret: it appears in log lines, in Hub.Streams and to observers. If all
	// that a login has is the token in its cookie, use a hash of that.
	ID string
	// Expires is when the stream ends with reason [ReasonExpired]. Zero means
	// never. [Subscription.Renew] changes it for an open stream.
	Expires time.Time
	// Topics are the topics that this session may follow. A stream follows those
	// of them that its request names. For topics that are not known beforehand,
	// see Options.Authorize.
	Topics []string
	// Meta is whatever the application wants to see of this session in
	// [Hub.Presence] and [Hub.Listening], such as a name. The hub does not look
	// at it.
	Meta any
	// Allowed are the categories that this session may receive at all. A
	// client's filter narrows them and never widens them. Required: the zero
	// value is refused, so that it cannot be forgotten. Use [Everything] for no
	// limit.
	Allowed Filter
}

// A Request asks for a subscription.
type Request struct {
	Session Session
	// Filter are the categories that this stream wants, within Session.Allowed.
	// Required: use [Everything] for all that is allowed.
	Filter Filter
	// Topics are what this stream follows besides its user's events and
	// broadcasts. Each must be one of Session.Topics, or Options.Authorize must
	// allow it. Nil means none.
	Topics []string
	// Context is given to Options.Authorize. Nil means context.Background.
	Context context.Context
	// After is the last id that the client has seen: an event's own, or a
	// cursor. Empty means from now on. It may be anything at all: what cannot
	// be placed opens the stream with a gap of reason "unknown".
	After string
	// FromOldest lets a stream without After begin with everything that the hub
	// retains for it. It is for streams of the application's own that derive
	// state from events: with a backplane, a process that starts late learns so
	// what others have published. What the hub does not retain any more is no
	// gap.
	FromOldest bool
	// Transport names who carries the stream, for Stats and the observer:
	// "sse", "ws", or a name of your own.
	Transport string
	// RemoteAddr and UserAgent describe the client to the observer. The hub
	// does not interpret them.
	RemoteAddr string
	UserAgent  string
	// Authenticated is when the session was looked up, or a moment before.
	// Subscribe refuses it if the user or the session has been revoked since,
	// and if it is older than a minute. Zero means now.
	Authenticated time.Time
	// Notify, if set, is called in place of a signal on Subscription.Ready, each
	// time that a sleeping subscription is woken, in the goroutine that wakes
	// it. It must not block and must not call the hub. Starting a goroutine is
	// what it is for.
	Notify func()
}
