package hub

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// A Backplane connects the hubs of several processes. It is an adapter to an
// engine (NATS JetStream, Redis, PostgreSQL) that keeps one totally ordered
// sequence of records. Every hub on the backplane follows the sequence from its
// beginning and applies each record to its own logs. Nothing is published
// locally first, so what the engine did not accept was not published.
//
// An implementation knows nothing of users, events or streams: a record's data
// is opaque to it. It must pass the suite in hub/backplanetest. All methods are
// safe for concurrent use. The hub does not close a backplane; its owner does,
// after Hub.Shutdown.
//
// # Errors
//
// An error that may pass (the engine cannot be reached, the connection broke,
// the outcome is unclear) wraps [ErrUnavailable]: the hub tries again. Any other
// error is one that trying again cannot mend, such as a stream that exists with
// settings that lose records. [Open] returns it.
type Backplane interface {
	// Append adds a record to the end of the sequence. It returns nil once the
	// engine has acknowledged the record: it will be delivered to every
	// Follow, and after every record whose Append had returned before this
	// Append was called.
	//
	// If the outcome is unclear, Append may try again with the same record
	// until ctx ends; a record may therefore stand in the sequence more than
	// once. Hubs drop the repetitions by Record.ID. An Append that failed may
	// still have succeeded.
	//
	// Errors: a [RecordTooLargeError]; ErrUnavailable; the cause of ctx,
	// wrapped together with ErrUnavailable. Append must not retain r.Data after
	// it has returned.
	Append(ctx context.Context, r Record) error

	// Tail asks the engine for the state of the sequence. It creates the
	// sequence if it does not exist, and checks its settings.
	Tail(ctx context.Context) (Tail, error)

	// Follow calls apply with every record behind position after, in order and
	// without omissions, in batches as they come. The first position may be
	// larger than after+1 if the engine no longer retains what was between.
	// Positions increase, but need not be dense: an engine may have removed
	// records that had a short life.
	//
	// Follow lasts as long as one connection to the engine. It returns an error
	// when ctx ends (its cause), when the connection breaks or may have
	// missed something (ErrUnavailable), or when apply fails (that error). It
	// must not reconnect by itself: the hub compares the sequence with what
	// it has applied, by Tail, before it follows again. A connection that is
	// dead without saying so must be noticed within 10 seconds.
	//
	// apply is called by one goroutine at a time and never blocks for long.
	// The batch and the data in it may be reused once apply has returned.
	Follow(ctx context.Context, after uint64, apply func(batch []SequencedRecord) error) error
}

// A Record is one entry of a backplane's sequence.
type Record struct {
	// ID identifies the record. A record that stands in the sequence twice is
	// applied once. An engine that drops repetitions by itself may do so by
	// this id.
	ID uuid.UUID
	// Data is opaque to the backplane. It may be any bytes.
	Data []byte
	// Life is how long the engine has to retain the record. Zero means as long
	// as the backplane retains records at all. It is a hint for ephemeral and
	// short-lived events: an engine that cannot retain single records for less
	// ignores it.
	Life time.Duration
}

// A SequencedRecord is a record at its position in the sequence.
//
// One with the zero Record says only that the sequence has reached its Position:
// a backplane hands it over where the newest records are gone because their Life
// is over, so that hubs do not wait for them.
type SequencedRecord struct {
	// Position is the engine's sequence number: at least 1, below 1<<61, and
	// larger than that of every record before.
	Position uint64
	Record
}

// A Tail describes a sequence at one moment.
type Tail struct {
	// Epoch identifies the sequence. It differs whenever records that were
	// acknowledged may be gone or positions may be given out again: after a
	// failover that can lose records, after the stream was created anew, after
	// a restore from a backup. Two equal epochs mean that positions still name
	// the same records.
	Epoch string
	// First is the position of the oldest record that the engine retains, or
	// Last+1 if it retains none.
	First uint64
	// Last is the position of the newest record that was ever acknowledged in
	// this epoch, or zero if there was none.
	Last uint64
}

// ErrUnavailable is wrapped by errors of a [Backplane] that may pass: the engine
// cannot be reached or did not answer in time. An event whose Publish failed
// with it may or may not have been published; publishing the same event again
// to the same users is safe, and delivers it once.
var ErrUnavailable = errors.New("hub: the backplane is unavailable")

// A RecordTooLargeError says that a record is over the engine's limit.
type RecordTooLargeError struct {
	Size, Limit int // bytes
}

func (e *RecordTooLargeError) Error() string {
	return fmt.Sprintf("hub: the event needs a record of %d bytes; the backplane's engine takes %d", e.Size, e.Limit)
}
