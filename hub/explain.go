package hub

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub/internal/eventlog"
)

// An Explanation says what became of an event for one user.
type Explanation struct {
	ID uuid.UUID
	// Event is the event. It is nil if the hub does not retain it any more, or if
	// a later event has superseded it for all its audiences.
	Event *event.Event
	// Audience are those to whom it was published, as far as they are the user,
	// everyone, or topics that the user's streams follow or have followed; if it
	// is for none of these, others to whom it was published, 256 at most. It is
	// empty if the hub does not retain the event.
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
	// its place, for one of the audience at least.
	Superseded bool
	// Since is the time before which streams that have ended may have been
	// forgotten. It is zero if none was.
	Since time.Time
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
	VerdictSuperseded   Verdict = "superseded"    // a later value took its place: the stream is given that one, perhaps both
	VerdictDelivered    Verdict = "delivered"     // it was handed out to be written
	VerdictPending      Verdict = "pending"       // the stream has yet to take it
	VerdictEvicted      Verdict = "evicted"       // it was evicted before the stream took it; the client is told of a gap
	VerdictUnresolved   Verdict = "unresolved"    // the stream began behind it with a gap: its client's last id was unknown, or the backplane was replaced
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

// Verdicts returns all verdicts. Those that come first say more: if several apply,
// since the event is in several logs, the first is the answer.
func Verdicts() []Verdict {
	return []Verdict{
		VerdictSuperseded, VerdictDelivered, VerdictPending, VerdictEvicted, VerdictUnresolved,
		VerdictNotTaken, VerdictAlreadySeen, VerdictFiltered, VerdictForbidden, VerdictNotConnected,
		VerdictRevoked, VerdictEnded, VerdictNotFollowed, VerdictNotAddressed, VerdictUnknown,
	}
}

// Explain says what became of an event for a user: for each stream that is open,
// and for those that have ended and are remembered (see [Options].EndedStreams),
// whether it was given the event, or why not. Delivered means that a transport has
// taken the event to write it: whether it has arrived, only the client knows. A
// delivery leaves no record, so Explain does not say when it was.
//
// Explain works it out from the positions of the event and of the streams, so that
// it costs nothing until it is called. An event that is not retained any more has
// no position. Then its verdicts are inferred from the time in its id, and many
// are [VerdictUnknown]. Ephemeral events are not retained.
//
// An event that was published several times is explained for each stream by the
// publish that the stream was given, if there is one.
//
// With a backplane, the streams are those of this process. If it does not know the
// id, Explain first waits until the process has applied what the backplane holds,
// for Options.CatchUp at most.
//
// Errors: [ErrNoUser]; [ErrUnknownEvent]; the cause of ctx; and, with a backplane,
// [ErrUnavailable] if only the backplane could tell whether there is such an event.
func (h *Hub) Explain(ctx context.Context, user, id uuid.UUID) (Explanation, error) {
	if user == uuid.Nil {
		return Explanation{}, ErrNoUser
	}
	if id.Version() != 7 || id.Variant() != uuid.RFC4122 {
		return Explanation{}, ErrUnknownEvent
	}
	streams, since := h.explained(user)
	x := Explanation{ID: id, Created: time.UnixMilli(eventlog.Millis(id)), Since: since}
	held, err := h.search(ctx, user, id, streams)
	if err != nil {
		return Explanation{}, err
	}
	if len(held) == 0 {
		made, ok := h.estimate(user, eventlog.Millis(id), streams)
		if !ok {
			return Explanation{}, ErrUnknownEvent
		}
		for i := range streams {
			x.Streams = append(x.Streams, StreamExplanation{streams[i].status, streams[i].infer(made, h.kinds.every()), true})
		}
		return x, nil
	}
	newest := held[0]
	for _, one := range held {
		x.Audience = append(x.Audience, audienceOf(one.key))
		if one.position > newest.position || one.position == newest.position && one.superseded {
			newest = one
		}
	}
	x.Cursor = h.cursors.Load().encode(newest.position).String()
	if x.Superseded = newest.superseded; newest.item != nil {
		x.Event = newest.item.Message.event
		x.Published = h.began.Add(time.Duration(newest.item.Time))
	}
	for i := range streams {
		verdict := VerdictUnknown
		for _, one := range held {
			v := streams[i].judge(user, one, h.kinds.every())
			if (v == VerdictNotFollowed || v == VerdictNotAddressed) && h.mayHaveLost(user, one, &streams[i]) {
				v = VerdictUnknown
			}
			verdict = better(verdict, v)
		}
		x.Streams = append(x.Streams, StreamExplanation{streams[i].status, verdict, false})
	}
	return x, nil
}

// better returns the verdict that says more, of two about the same stream.
func better(a, b Verdict) Verdict {
	all := Verdicts()
	return all[min(slices.Index(all, a), slices.Index(all, b))]
}

// A found is an event in a log that holds it.
type found struct {
	key        eventlog.Key
	position   position
	item       *eventlog.Item[*Message] // nil if it was superseded, here and wherever else it was found
	superseded bool
}

// search finds an event in the logs that matter to a user, or else in all others.
func (h *Hub) search(ctx context.Context, user, id uuid.UUID, streams []explained) ([]found, error) {
	near := []eventlog.Key{{ID: user}, {}}
	for i := range streams {
		for _, topic := range streams[i].everFollowed() {
			near = append(near, eventlog.Key{Name: topic})
		}
	}
	near = unique(near)
	held, err := h.lookup(ctx, near, id)
	if len(held) > 0 || err != nil {
		return held, err
	}
	var unavailable error
	if h.cluster != nil {
		if _, _, unavailable = h.cluster.catchUp(ctx); unavailable == nil {
			if held, err = h.lookup(ctx, near, id); len(held) > 0 || err != nil {
				return held, err
			}
		}
	}
	held, err = h.lookup(ctx, h.store.Keys(), id)
	if len(held) == 0 && err == nil {
		err = unavailable
	}
	return held, err
}

// mostFound bounds how many logs a lookup finds an event in.
const mostFound = 256

// lookup finds an event in the logs with these keys.
func (h *Hub) lookup(ctx context.Context, keys []eventlog.Key, id uuid.UUID) (all []found, err error) {
	for i, key := range keys {
		if i%1024 == 0 && ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if held, ok := h.store.Lookup(key, id); ok && len(all) < mostFound {
			all = append(all, found{key, held.Position, held.Item, held.Item == nil})
		}
	}
	for i := range all {
		for j := range all {
			if all[i].item == nil && all[i].position == all[j].position {
				all[i].item = all[j].item
			}
		}
	}
	return all, nil
}

// mayHaveLost reports whether an event that is held in another log may have been in
// one that a stream follows, too, and was evicted there.
func (h *Hub) mayHaveLost(user uuid.UUID, f found, x *explained) bool {
	keys := []eventlog.Key{{}}
	if f.item == nil || f.item.Message.event.User() == user {
		keys = append(keys, eventlog.Key{ID: user})
	}
	for _, topic := range x.everFollowed() {
		keys = append(keys, eventlog.Key{Name: topic})
	}
	return slices.ContainsFunc(keys, func(key eventlog.Key) bool { return f.position <= h.store.Lost(key) })
}

func audienceOf(key eventlog.Key) Audience {
	return Audience{key: key, everyone: key == eventlog.Key{}}
}
