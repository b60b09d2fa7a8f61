package hub

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/hub/internal/eventlog"
)

// authorize checks that a session may follow topics, and returns them without
// repetitions.
func (h *Hub) authorize(ctx context.Context, s Session, removed []string, topics []string) ([]string, error) {
	if len(topics) > h.options.TopicsPerStream {
		return nil, &TooManyTopicsError{h.options.TopicsPerStream}
	}
	var want []string
	var forbidden *ForbiddenTopicsError
	for _, topic := range topics {
		if err := checkTopic(topic); err != nil {
			return nil, err
		}
		if slices.Contains(want, topic) {
			continue
		}
		want = append(want, topic)
		switch {
		case slices.Contains(removed, topic):
			forbidden = forbidden.forbid(topic, nil)
		case slices.Contains(s.Topics, topic):
		case h.options.Authorize == nil:
			forbidden = forbidden.forbid(topic, nil)
		default:
			if err := h.options.Authorize(ctx, s, topic); err != nil {
				forbidden = forbidden.forbid(topic, err)
			}
		}
	}
	if forbidden != nil {
		return nil, forbidden
	}
	return want, nil
}

// MayFollow returns nil if a session may follow topics, and otherwise the error that
// Subscribe would return for them. It does not know of topics that [Hub.Leave] has
// taken from the user.
func (h *Hub) MayFollow(ctx context.Context, s Session, topics ...string) error {
	_, err := h.authorize(ctx, s, nil, topics)
	return err
}

// SetTopics changes which topics the subscription follows, to those given and no
// others. It is for what a client asks for: each topic must be one of the
// session's, or Options.Authorize must allow it. Nothing of a topic that is left
// out is taken any more. A topic that is added is followed from the position that
// the next message of [TypeFilter] names: events from there on are delivered, so a
// client takes that message, reads the state of the topic, and then the stream.
//
// Errors: a [ForbiddenTopicsError], a [TopicError] and a [TooManyTopicsError]. Then
// nothing changes.
func (s *Subscription) SetTopics(ctx context.Context, topics ...string) error {
	return s.Change(ctx, Change{Topics: &topics})
}

// A Change is what a client asks of its stream, for [Subscription.Change].
type Change struct {
	// Filter is the new filter, as in SetFilter; nil leaves the filter as it is.
	Filter *Filter
	// Topics are the topics to follow and no others, as in SetTopics; nil leaves
	// them as they are. It is a pointer, since a client may ask for no topics.
	Topics *[]string
	// Ref, if it is not empty, is JSON of the client's choice. The message of
	// [TypeFilter] that answers the change has it as its member "ref": without it a
	// client cannot tell the answer from what [Hub.Join] and [Hub.Leave] announce.
	Ref json.RawMessage
}

// Change is [Subscription.SetFilter] and [Subscription.SetTopics] at once: the client
// is told by one message of [TypeFilter]. A Change that leaves everything as it is has
// that message, too. When one message answers several changes, it has the Ref of the
// last that has one.
//
// Errors are those of SetFilter and SetTopics, and one for a Ref that is not JSON.
// Then nothing changes.
func (s *Subscription) Change(ctx context.Context, c Change) error {
	if len(c.Ref) > 0 && !json.Valid(c.Ref) {
		return errors.New("hub: Change.Ref is not JSON")
	}
	var filter *categorySet
	if c.Filter != nil {
		set, err := s.hub.compile(*c.Filter)
		if err != nil {
			return err
		}
		set &= s.allowed
		filter = &set
	}
	if c.Topics != nil {
		return s.setTopics(ctx, filter, *c.Topics, c.Ref)
	}
	s.mu.Lock()
	if s.over == "" {
		if !s.announcing() {
			s.skip() // what was unwanted until now stays so
		}
		if filter != nil {
			s.noteEra()
			s.reader.SetFilter(*filter)
		}
		s.announceFilter(true, c.Ref)
	}
	s.mu.Unlock()
	s.reader.Wake()
	return nil
}

// setTopics also changes the filter, unless it is nil.
func (s *Subscription) setTopics(ctx context.Context, filter *categorySet, topics []string, ref json.RawMessage) error {
	s.mu.Lock()
	removed := slices.Clone(s.removed)
	s.mu.Unlock()
	want, err := s.hub.authorize(ctx, s.Session(), removed, topics)
	if err != nil {
		return err
	}
	s.mu.Lock()
	for _, topic := range want {
		if slices.Contains(s.removed, topic) && !slices.Contains(removed, topic) { // by Leave, meanwhile
			s.mu.Unlock()
			var forbidden *ForbiddenTopicsError
			return forbidden.forbid(topic, nil)
		}
	}
	s.changeTopics(want, filter, ref)
	s.mu.Unlock()
	s.reader.Wake()
	s.hub.presence.update(s)
	return nil
}

// changeTopics makes the subscription follow topics and no others, with another
// filter unless that is nil, and lets the client know, with the ref of its change if
// it asked for this. The caller holds s.mu.
func (s *Subscription) changeTopics(topics []string, filter *categorySet, ref json.RawMessage) {
	if s.closed || s.over != "" {
		return
	}
	s.skip()
	s.noteEra()
	if filter != nil {
		s.reader.SetFilter(*filter)
	}
	for _, topic := range s.topics() {
		if !slices.Contains(topics, topic) {
			s.reader.Unfollow(eventlog.Key{Name: topic})
		}
	}
	for _, topic := range topics {
		s.reader.Follow(eventlog.Key{Name: topic})
	}
	s.topical = true
	s.announceFilter(false, ref) // a topic that was left and joined again has a hole
}

// topics returns the topics that the subscription follows. The caller holds s.mu.
func (s *Subscription) topics() []string {
	names := []string{}
	for _, key := range s.reader.Followed() {
		if key.Name != "" {
			names = append(names, key.Name)
		}
	}
	return names
}

// Join makes all open streams of a user follow a topic, and returns how many did
// not before. It asks nobody for permission. Each stream is told by a message of
// [TypeFilter], and follows the topic from there. A stream that follows as many
// topics as Options.TopicsPerStream allows is left as it is.
//
// Streams that are opened later follow the topics that their requests ask for, so
// let the sessions of the user have the topic, too. Errors: [ErrNoUser], a
// [TopicError] and, with a backplane, [ErrUnavailable].
func (h *Hub) Join(ctx context.Context, user uuid.UUID, topic string) (joined int, err error) {
	return h.move(ctx, recordJoin, user, topic)
}

func (h *Hub) join(user uuid.UUID, topic string) (joined int) {
	return h.moveStreams(user, func(s *Subscription) bool {
		s.removed = slices.DeleteFunc(s.removed, func(t string) bool { return t == topic })
		topics := s.topics()
		if slices.Contains(topics, topic) || len(topics) >= h.options.TopicsPerStream || s.over != "" {
			return false
		}
		s.changeTopics(append(topics, topic), nil, nil)
		return true
	})
}

// Leave takes a topic from all open streams of a user, and returns how many
// followed it. Nothing of the topic that is published after Leave has returned
// reaches them, and a client that asks these streams for it again is refused, until
// [Hub.Join] gives the topic back. Each stream is told by a message of [TypeFilter].
//
// Streams that are opened later follow what their sessions allow, so take the
// topic from the user's sessions first. A request that was authenticated before
// and subscribes only now is refused the topic. Errors are those of Join.
//
// With a backplane, Join and Leave return zero once the change is in the sequence:
// it reaches the streams of all processes, and what follows Leave in the sequence
// reaches none of them.
func (h *Hub) Leave(ctx context.Context, user uuid.UUID, topic string) (left int, err error) {
	return h.move(ctx, recordLeave, user, topic)
}

func (h *Hub) leaveTopic(user uuid.UUID, topic string) (left int) {
	h.revocations.note(revocation{user: user, topic: topic}, time.Now())
	return h.moveStreams(user, func(s *Subscription) bool {
		if !slices.Contains(s.removed, topic) {
			s.removed = append(s.removed, topic)
		}
		topics := s.topics()
		if !slices.Contains(topics, topic) || s.over != "" {
			return false
		}
		s.changeTopics(slices.DeleteFunc(topics, func(t string) bool { return t == topic }), nil, nil)
		return true
	})
}

// move lets a user's streams join or leave a topic, at all processes.
func (h *Hub) move(ctx context.Context, kind recordKind, user uuid.UUID, topic string) (changed int, err error) {
	if user == uuid.Nil {
		return 0, ErrNoUser
	}
	if err := checkTopic(topic); err != nil {
		return 0, err
	}
	if h.cluster == nil {
		return h.applyMove(kind == recordJoin, user, topic), nil
	}
	r, err := userRecord(kind, user, topic)
	if err != nil {
		return 0, err
	}
	return 0, h.cluster.append(ctx, r)
}

// applyMove is move for the streams of this process.
func (h *Hub) applyMove(join bool, user uuid.UUID, topic string) (changed int) {
	if join {
		return h.join(user, topic)
	}
	return h.leaveTopic(user, topic)
}

// moveStreams calls change, with s.mu held, for every stream of a user, and
// returns how many it changed.
func (h *Hub) moveStreams(user uuid.UUID, change func(*Subscription) bool) (changed int) {
	for _, s := range h.streamsOf(user) {
		s.mu.Lock()
		ok := change(s)
		s.mu.Unlock()
		if ok {
			changed++
			s.reader.Wake()
			h.presence.update(s)
		}
	}
	return changed
}

// streamsOf returns the open subscriptions of a user.
func (h *Hub) streamsOf(user uuid.UUID) (all []*Subscription) {
	h.store.EachReaderOf(eventlog.Key{ID: user}, func(r *eventlog.Reader[*Message]) {
		all = append(all, r.Owner.(*Subscription))
	})
	return all
}
