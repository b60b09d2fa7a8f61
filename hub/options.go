package hub

import (
	"fmt"
	"log/slog"
	"time"
)

// Options set a hub's bounds. The zero value of every field means its default,
// and nil Options mean all defaults. A negative value is a programming error:
// New panics.
type Options struct {
	// UserEvents is how many events the hub retains for each user, so that a
	// client can resume. Default 1000.
	UserEvents int
	// BroadcastEvents is how many broadcast events it retains. Default 16,384:
	// enough for a burst of 10,000 to find everyone still reading.
	BroadcastEvents int
	// MaxAge is how long an event is retained. Default 1 hour.
	MaxAge time.Duration
	// Bytes bounds what the hub retains in all: payloads, frames and the
	// hub's own overhead, a message that several users share once. An eighth
	// of it is set apart for ephemeral events, which therefore never push out
	// retained ones. Default 64 MiB.
	Bytes int64
	// UserBytes is the same bound for each user. Default 4 MiB. (Broadcasts
	// may fill half of Bytes.) The newest event always stays.
	UserBytes int64
	// MaxEvent is the largest event, in bytes of its encoded form. Publish
	// refuses a larger one with an [EventTooLargeError]. Default 1 MiB; it
	// must fit into UserBytes and into an eighth of Bytes.
	MaxEvent int
	// StreamsPerUser bounds the streams that one user may have open. Default 16.
	StreamsPerUser int
	// CloseOldest chooses what happens when a user opens one stream too many.
	// By default the new one is refused as [ReasonOverloaded]. With CloseOldest, the
	// user's oldest ends as Overloaded in its place, which suits tabs. Only a
	// stream that starts afresh pushes another out; one that resumes (it has a
	// last id) is refused, since otherwise streams that push each other out
	// and reconnect would never come to rest. (A page that begins from a
	// cursor has one, too: it cannot be told from a tab that comes back.)
	CloseOldest bool
	// Streams bounds the streams of the whole hub. Default: no bound.
	Streams int
	// Observer is told what happens in the hub. Default: nobody.
	Observer *Observer
	// Logger receives what the Observer has no function for and an operator
	// must know: errors and, at most once a minute each, warnings. Default
	// slog.Default().
	Logger *slog.Logger
}

const (
	defaultUserEvents      = 1000
	defaultBroadcastEvents = 16_384
	defaultMaxAge          = time.Hour
	defaultBytes           = 64 << 20
	defaultUserBytes       = 4 << 20
	defaultMaxEvent        = 1 << 20
	defaultStreamsPerUser  = 16
)

// resolved returns a copy of o in which every zero is its default. It panics
// on values that cannot work, naming them.
func (o *Options) resolved() Options {
	var r Options
	if o != nil {
		r = *o
	}
	set(&r.UserEvents, defaultUserEvents, "UserEvents")
	set(&r.BroadcastEvents, defaultBroadcastEvents, "BroadcastEvents")
	set(&r.MaxAge, defaultMaxAge, "MaxAge")
	set(&r.Bytes, defaultBytes, "Bytes")
	set(&r.UserBytes, min(defaultUserBytes, r.Bytes/ephemeralShare), "UserBytes")
	set(&r.MaxEvent, int(min(defaultMaxEvent, r.UserBytes, r.Bytes/ephemeralShare)), "MaxEvent")
	set(&r.StreamsPerUser, defaultStreamsPerUser, "StreamsPerUser")
	set(&r.Streams, 0, "Streams")
	if most := min(r.UserBytes, r.Bytes/ephemeralShare); int64(r.MaxEvent) > most {
		panic(fmt.Sprintf("hub: Options.MaxEvent is %d: more than UserBytes or an eighth of Bytes could hold (%d)", r.MaxEvent, most))
	}
	if r.Observer == nil {
		r.Observer = &Observer{}
	}
	if r.Logger == nil {
		r.Logger = slog.Default()
	}
	return r
}

// set replaces zero by the default.
func set[T int | int64 | time.Duration](field *T, def T, name string) {
	if *field < 0 {
		panic(fmt.Sprintf("hub: Options.%s is %v; it must be positive, or zero for the default", name, *field))
	}
	if *field == 0 {
		*field = def
	}
}
