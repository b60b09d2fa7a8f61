package hub

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/crier-go/crier/hub/internal/eventlog"
)

// Options set a hub's bounds. The zero value of every field means its default,
// and nil Options mean all defaults. Where a comment does not say otherwise, a
// negative value is a programming error: New panics.
type Options struct {
	// UserEvents is how many events the hub retains for each user, and for each
	// topic, so that a client can resume. Default 1000.
	UserEvents int
	// BroadcastEvents is how many broadcast events it retains. Default 16,384:
	// enough for a burst of 10,000 to find everyone still reading.
	BroadcastEvents int
	// MaxAge is how long an event is retained. Default 1 hour.
	MaxAge time.Duration
	// Bytes bounds what the hub retains in all: payloads, frames and the
	// hub's own overhead. A message that several users share counts once. An
	// eighth of it is set apart for ephemeral events and another for
	// short-lived ones, so that they never evict others. Default 64 MiB.
	Bytes int64
	// UserBytes is the same bound for each user, and for each topic. Default
	// 4 MiB, or an eighth of Bytes if that is less. (Broadcasts may fill half of
	// Bytes.)
	UserBytes int64
	// MaxEvent is the largest event, in bytes of its encoded form. Publish
	// refuses a larger one with an [EventTooLargeError]. What such an event
	// costs, its data and a frame for each transport that the program imports,
	// must fit into UserBytes and into an eighth of Bytes. Default 1 MiB, or
	// the most that fits.
	MaxEvent int
	// StreamsPerUser bounds the streams that one user may have open. Default 16.
	StreamsPerUser int
	// RefuseNewest chooses what happens when a user opens one stream too many.
	// By default, the user's oldest stream ends with [ReasonOverloaded], so
	// that loading a page always works. With RefuseNewest, the new one is
	// refused. In both cases a stream that resumes (its last id is that of an
	// event or of an open stream) is refused and ends no other, since streams
	// that end each other and reconnect would never settle. The cursor of a
	// page, see [Hub.Cursor], counts as a new stream.
	RefuseNewest bool
	// TopicsPerStream bounds the topics that one stream may follow. Default 100.
	TopicsPerStream int
	// Authorize decides about topics that a client asks for and that are not in
	// its Session.Topics: nil allows the topic, any error forbids it. It is
	// called once for each topic, without a lock, and may look into a database.
	// Default: they are all forbidden.
	Authorize func(ctx context.Context, s Session, topic string) error
	// Presence, if set, publishes who comes to a topic and who leaves it.
	Presence *PresenceEvents
	// Streams bounds the streams of the whole hub. Default: no bound.
	Streams int
	// EndedStreams is how many streams that have ended the hub remembers, for
	// [Hub.Streams] and [Hub.Explain]. Each takes about 350 bytes, and what its
	// topics take. Default 10,000. A negative number turns the memory off.
	EndedStreams int
	// Restore is a state that [Hub.Save] has written. New reads it to its end,
	// and does not close it. If it cannot be used (see [ErrNotSaved] and the
	// errors beside it), New logs an error, reports it to Observer.Error, and
	// the hub starts empty. Default: the hub starts empty.
	Restore io.Reader
	// Backplane connects the hub to those of other processes. Use it with
	// [Open]. Default: the hub is alone, and in memory.
	Backplane Backplane
	// CatchUp bounds how long Subscribe waits, with a backplane, for this
	// process to apply what a client's last id refers to. Default 2 s.
	CatchUp time.Duration
	// Observer is told what happens in the hub. Default: nobody.
	Observer *Observer
	// Logger receives what the Observer has no function for and an operator
	// must know: errors and, at most once a minute each, warnings. If debug
	// lines are enabled, it also receives one for each stream that has ended or
	// was refused. docs/logs.md lists all lines and their keys. Default
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
	set(&r.UserBytes, min(defaultUserBytes, r.Bytes/8), "UserBytes")
	most := largestEvent(min(r.UserBytes, r.Bytes/8))
	set(&r.MaxEvent, min(defaultMaxEvent, most), "MaxEvent")
	set(&r.StreamsPerUser, defaultStreamsPerUser, "StreamsPerUser")
	set(&r.TopicsPerStream, 100, "TopicsPerStream")
	if r.EndedStreams >= 0 {
		set(&r.EndedStreams, 10_000, "EndedStreams")
	}
	set(&r.Streams, 0, "Streams")
	set(&r.CatchUp, 2*time.Second, "CatchUp")
	if r.MaxEvent > most {
		panic(fmt.Sprintf("hub: Options.MaxEvent is %d; with its frames, UserBytes and an eighth of Bytes hold events of %d bytes at most", r.MaxEvent, most))
	}
	if r.Observer == nil {
		r.Observer = &Observer{}
	}
	if r.Logger == nil {
		r.Logger = slog.Default()
	}
	return r
}

// largestEvent returns the size of the largest event that costs no more than
// bytes.
func largestEvent(bytes int64) int {
	return int(max(1, (bytes-messageCost(0, 0)-eventlog.EntryOverhead-eventlog.LogOverhead)/(1+encodings.Load())))
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
