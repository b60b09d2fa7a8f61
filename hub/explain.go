package hub

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/event"
)

// An Explanation says what became of an event for one user.
type Explanation struct {
	ID uuid.UUID
	// Event is the event. It is nil if the hub does not retain it any more, or if
	// a later event has superseded it.
	Event *event.Event
	// Audience are those to whom it was published, as far as they are the user,
	// everyone, or topics that the user's streams follow or have followed; if it
	// is for none of these, all to whom it was published. It is empty if the hub
	// does not retain the event.
	Audience []Audience
	// Cursor names the event's position. Cursors of one hub compare as strings,
	// see StreamStatus. It is empty if the hub does not retain the event.
	Cursor string
	// Created is the time in the event's id.
	Created time.Time
	// Published is when this hub published the event. It is zero if the hub does
	// not retain the event.
	Published time.Time
	// Superseded says that a later event of the same [event.Latest] key has taken
	// its place.
	Superseded bool
	// Streams are the user's streams in the order of [Hub.Streams].
	Streams []StreamExplanation
}

// A StreamExplanation says what became of an event for one stream.
type StreamExplanation struct {
	StreamStatus
	Verdict Verdict
	// Inferred says that the hub does not retain the event any more. Then the
	// verdict relies on the time in the event's id, and assumes that the event was
	// published at that time, to this user.
	Inferred bool
}

// A Verdict says whether a stream was given an event, or why not.
type Verdict string

// What can become of an event for a stream.
const (
	VerdictDelivered    Verdict = "delivered"     // it was handed out to be written
	VerdictPending      Verdict = "pending"       // the stream has yet to take it
	VerdictSuperseded   Verdict = "superseded"    // a later value took its place: the stream was given that one, perhaps both
	VerdictEvicted      Verdict = "evicted"       // it was evicted before the stream took it; the client was told of a gap
	VerdictUnresolved   Verdict = "unresolved"    // the stream began behind it with a gap: its client's last id was unknown
	VerdictNotTaken     Verdict = "not_taken"     // the stream ended before it took it
	VerdictAlreadySeen  Verdict = "already_seen"  // the stream began with a last id from behind it
	VerdictFiltered     Verdict = "filtered"      // the stream's filter did not include its category
	VerdictForbidden    Verdict = "forbidden"     // the session did not allow its category
	VerdictNotConnected Verdict = "not_connected" // the stream was opened later, without a last id
	VerdictRevoked      Verdict = "revoked"       // the stream had been revoked before
	VerdictEnded        Verdict = "ended"         // the stream had ended before for another reason
	VerdictNotFollowed  Verdict = "not_followed"  // it was published to topics that the stream did not follow
	VerdictNotAddressed Verdict = "not_addressed" // it was published to other users
	VerdictUnknown      Verdict = "unknown"       // what is remembered does not say
)

// Verdicts returns all verdicts.
func Verdicts() []Verdict {
	return []Verdict{
		VerdictDelivered, VerdictPending, VerdictSuperseded, VerdictEvicted, VerdictUnresolved,
		VerdictNotTaken, VerdictAlreadySeen, VerdictFiltered, VerdictForbidden, VerdictNotConnected,
		VerdictRevoked, VerdictEnded, VerdictNotFollowed, VerdictNotAddressed, VerdictUnknown,
	}
}

// Explain says what became of an event for a user: for each stream that is open,
// and for those that have ended and are remembered (see [Options].EndedStreams),
// whether it was given the event, or why not.
//
// Errors: [ErrNoUser], [ErrUnknownEvent], and with a backplane [ErrUnavailable] or
// the cause of ctx.
func (h *Hub) Explain(ctx context.Context, user, id uuid.UUID) (Explanation, error) {
	return Explanation{}, ErrUnknownEvent
}
