package hub

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub/internal/eventlog"
)

// Publish sends e to its user: to every stream that the user has open, and to
// those that resume from before it while it is retained.
//
// Publish never waits for a subscriber. A hub without a backplane does not look
// at ctx: a cancelled request is no reason to lose an event. With a backplane,
// Publish waits for the engine's acknowledgement, and an event that was not
// acknowledged was not published, or not for certain: see [ErrUnavailable].
//
// Errors: [ErrNoUser], [ErrClosed], an [EventTooLargeError], and
// event.ErrUnknownType for a type that the hub's registry does not have; with a
// backplane ErrUnavailable and a [RecordTooLargeError].
func (h *Hub) Publish(ctx context.Context, e *event.Event) error {
	if e.User() == uuid.Nil {
		return ErrNoUser
	}
	user := [1]eventlog.Key{{ID: e.User()}}
	return h.publish(ctx, e, user[:])
}

// PublishTo sends e to several audiences (users, topics, everyone) and ignores
// e's own user. It is encoded once for all of them. A stream that belongs to
// several of the audiences receives it once. Without audiences, PublishTo does
// nothing.
//
// A list of more than 256 users is published in parts, so that it never holds up
// other publishes for long. If the hub is shut down between two parts, PublishTo
// returns ErrClosed and the rest do not receive the event. A list with topics
// must not be longer than 256: [ErrTooManyAudiences]. Other errors are those of
// Publish and a [TopicError]; then nobody receives the event.
func (h *Hub) PublishTo(ctx context.Context, e *event.Event, to ...Audience) error {
	keys := make([]eventlog.Key, 0, len(to))
	topics := false
	for _, a := range to {
		if err := a.check(); err != nil {
			return err
		}
		keys = append(keys, a.key)
		topics = topics || a.key.Name != "" || a.everyone
	}
	if len(keys) > 1 {
		keys = unique(keys)
	}
	if topics && len(keys) > eventlog.AppendAtOnce {
		return ErrTooManyAudiences
	}
	return h.publish(ctx, e, keys)
}

// ErrTooManyAudiences is returned by PublishTo for a list of more than 256
// audiences that are not all users. A stream may belong to several of these, and
// would receive the event more than once if it were published in parts.
var ErrTooManyAudiences = fmt.Errorf("hub: topics cannot be published to together with more than %d audiences in all: publish to the topics and to the users apart, or to fewer topics", eventlog.AppendAtOnce)

// Broadcast sends e to every stream of the hub and ignores e's own user. Errors
// are those of Publish, except ErrNoUser.
func (h *Hub) Broadcast(ctx context.Context, e *event.Event) error {
	everyone := [1]eventlog.Key{}
	return h.publish(ctx, e, everyone[:])
}

// unique returns keys in their order without repetitions.
func unique(keys []eventlog.Key) []eventlog.Key {
	seen := make(map[eventlog.Key]struct{}, len(keys))
	return slices.DeleteFunc(keys, func(k eventlog.Key) bool {
		_, again := seen[k]
		seen[k] = struct{}{}
		return again
	})
}

func (h *Hub) publish(ctx context.Context, e *event.Event, keys []eventlog.Key) error {
	if !h.tracesPublishes() {
		return h.publishOnly(ctx, e, keys)
	}
	ctx, ends := h.observePublishing(ctx, e, len(keys))
	err := h.publishOnly(ctx, e, keys)
	for _, end := range ends {
		h.guard("Publishing", func() { end(err) })
	}
	return err
}

func (h *Hub) publishOnly(ctx context.Context, e *event.Event, keys []eventlog.Key) error {
	m, err := h.newEventMessage(e)
	if err != nil {
		return err
	}
	if h.cluster != nil {
		if err := h.cluster.publish(ctx, e, keys); err != nil {
			return err
		}
		h.observePublished(ctx, e, 0)
		return nil
	}
	woken := 0
	for len(keys) > 0 { // not slices.Chunk, which would have Publish's one key escape to the heap
		part := keys[:min(len(keys), eventlog.AppendAtOnce)]
		keys = keys[len(part):]
		n, err := h.store.Append(&m.item, part)
		woken += n
		if err != nil {
			return ErrClosed
		}
	}
	h.observePublished(ctx, e, woken)
	return nil
}
