package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/event"
)

// following opens a stream of a user that follows topics and everything else.
func following(t *testing.T, h *Hub, user uuid.UUID, after string, topics ...string) *Subscription {
	t.Helper()
	s, err := h.Subscribe(Request{
		Session: Session{User: user, ID: "s1", Allowed: Everything(), Topics: topics},
		Filter:  Everything(), Topics: topics, After: after,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func publishTo(t *testing.T, h *Hub, text string, to ...Audience) {
	t.Helper()
	if err := h.PublishTo(t.Context(), made(note, uuid.Nil, text), to...); err != nil {
		t.Fatal(err)
	}
}

func TestTopicReachesWhoFollowsIt(t *testing.T) {
	h := New(&kinds, &Options{UserEvents: 3})
	a, b := following(t, h, alice, "", "doc:1", "doc:2"), following(t, h, bob, "")
	start := h.Cursor()
	publishTo(t, h, "1", Topic("doc:1"))
	publishTo(t, h, "2", User(bob))
	publishTo(t, h, "once", User(alice), Topic("doc:1"), Topic("doc:2"), Everyone())
	publishTo(t, h, "nobody", Topic("doc:3"))
	expect(t, taken(t, a), "1", "once")
	expect(t, taken(t, b), "2", "once")

	// Resuming and gaps are those of a user's log.
	expect(t, taken(t, following(t, h, alice, start, "doc:1")), "1", "once")
	for i := range 4 {
		publishTo(t, h, fmt.Sprint("x", i), Topic("doc:2"))
	}
	expect(t, taken(t, following(t, h, alice, start, "doc:1")), "1", "once")
	expect(t, taken(t, following(t, h, alice, start, "doc:2")), gapEvicted, "once", "x1", "x2", "x3")
}

func TestTopicResumesFromItsEvent(t *testing.T) {
	h := New(&kinds, nil)
	first := made(note, uuid.Nil, "1")
	if err := h.PublishTo(t.Context(), first, Topic("doc:1")); err != nil {
		t.Fatal(err)
	}
	publishTo(t, h, "2", Topic("doc:1"))
	expect(t, taken(t, following(t, h, alice, first.ID().String(), "doc:1")), "2")
	// A client may come back without the topic.
	s := must(h.Subscribe(Request{Session: Session{User: alice, Allowed: Everything(), Topics: []string{"doc:1"}}, Filter: Everything(), After: first.ID().String()}))
	defer s.Close()
	expect(t, taken(t, s))
	// Who may not follow the topic does not learn that the event exists.
	expect(t, taken(t, following(t, h, alice, first.ID().String())), gapUnknown)
}

func TestSetTopicsStartsAtItsCursor(t *testing.T) {
	h := New(&kinds, nil)
	s := following(t, h, alice, "", "a")
	s.session.Topics = append(s.session.Topics, "b")
	publishTo(t, h, "before", Topic("b"))
	expect(t, taken(t, s))
	if err := s.SetTopics(t.Context(), "b"); err != nil {
		t.Fatal(err)
	}
	publishTo(t, h, "left", Topic("a"))
	publishTo(t, h, "after", Topic("b"))
	batch, err := s.Take(nil)
	if err != nil || len(batch) != 2 || text(batch[0]) != `filter:{"categories":["notes","alerts","typing"],"topics":["b"]}` || text(batch[1]) != "after" {
		t.Fatalf("%d messages, beginning %s; %v", len(batch), text(batch[0]), err)
	}
	expect(t, taken(t, following(t, h, alice, batch[0].ID().String(), "b")), "after")
	if err := s.SetTopics(t.Context()); err != nil {
		t.Fatal(err)
	}
	expect(t, taken(t, s), `filter:{"categories":["notes","alerts","typing"],"topics":[]}`)
}

// What a stream follows changes twice while it has events to take. Up to each cursor
// that it is told it gets what was in force before, and from there what is in force.
func TestSeveralChangesBetweenTwoTakes(t *testing.T) {
	h := New(&kinds, nil)
	s := following(t, h, alice, "", "a")
	start := h.cursors.Load().encode(h.store.Head())
	publish(t, h, made(note, alice, "note"))
	publish(t, h, made(alert, alice, "alert"))
	if err := s.SetFilter(Categories("alerts")); err != nil {
		t.Fatal(err)
	}
	if err := s.SetFilter(Categories("notes")); err != nil {
		t.Fatal(err)
	}
	batch := must(s.Take(nil))
	if len(batch) != 2 || batch[0].ID() != start || text(batch[1]) != "note" {
		t.Errorf("got %d messages, the first with cursor %s; the filter is in force from %s", len(batch), batch[0].ID(), start)
	}

	publishTo(t, h, "said", Topic("a"))
	must(h.Leave(t.Context(), alice, "a"))
	must(h.Join(t.Context(), alice, "a"))
	publishTo(t, h, "in", Topic("a"))
	expect(t, taken(t, s),
		`filter:{"categories":["notes"],"topics":[]}`, // or it would not know that it misses something
		`filter:{"categories":["notes"],"topics":["a"]}`,
		"in")
}

// A filter and topics that are changed at once are announced by one message, also if
// the stream is read at every moment.
func TestFilterAndTopicsAtOnce(t *testing.T) {
	h := New(&kinds, nil)
	s := following(t, h, alice, "", "a")
	s.session.Topics = []string{"a", "b"}
	read := make(chan []*Message)
	go func() {
		var all []*Message
		defer func() { read <- all }()
		for {
			batch, err := s.Take(nil)
			if err != nil {
				return
			}
			all = append(all, batch...)
			runtime.Gosched()
		}
	}()
	for i := range 500 {
		filter, topics := Categories("notes"), []string{"a", "b"}
		if i%2 == 1 {
			filter, topics = Categories("alerts"), []string{"b"}
		}
		if err := s.Change(t.Context(), Change{Filter: &filter, Topics: &topics}); err != nil {
			t.Fatal(err)
		}
	}
	s.End(ReasonGone)
	for _, m := range <-read {
		data := string(m.Data())
		if m.Type() == TypeFilter && strings.Contains(data, "notes") != strings.Contains(data, `"a"`) {
			t.Fatalf("half a change was announced: %s", data)
		}
	}
	narrow := following(t, h, alice, "", "a")
	narrow.allowed = must(h.compile(Categories("notes")))
	change := func(s *Subscription, f Filter, topic string) error {
		return s.Change(t.Context(), Change{Filter: &f, Topics: &[]string{topic}})
	}
	if err := change(narrow, Everything(), "a"); err != nil {
		t.Fatal(err)
	}
	publish(t, h, made(alert, alice, "alert"))
	if got := taken(t, narrow); len(got) != 1 {
		t.Errorf("it takes what is not allowed: %s", got)
	}
	if err := change(s, Categories("nothing"), "a"); !errors.As(err, new(*UnknownCategoryError)) {
		t.Errorf("an unknown category: %v", err)
	}
	if err := change(s, Everything(), "c"); !errors.Is(err, ErrForbiddenTopic) {
		t.Errorf("a forbidden topic: %v", err)
	}
}

// A client that asks for a change in the moment in which the server makes another can
// tell which message is the answer.
func TestChangeIsAnsweredWithItsRef(t *testing.T) {
	h := New(&kinds, nil)
	s := following(t, h, alice, "", "a", "b")
	taken(t, s)
	notes := Categories("notes")
	change := func(c Change) {
		t.Helper()
		if err := s.Change(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	told := func(want ...string) {
		t.Helper()
		var got []string
		for _, m := range must(s.Take(nil)) {
			got = append(got, string(m.Data()))
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %s\nwant %s", strings.Join(got, "\n    "), strings.Join(want, "\n     "))
		}
	}
	must(h.Leave(t.Context(), alice, "b"))
	change(Change{Topics: &[]string{"a"}, Ref: json.RawMessage(`1`)})
	must(h.Leave(t.Context(), alice, "a"))
	told(`{"categories":["notes","alerts","typing"],"topics":["a"]}`, `{"categories":["notes","alerts","typing"],"topics":["a"],"ref":1}`, `{"categories":["notes","alerts","typing"],"topics":[]}`)

	// One answer for several changes.
	change(Change{Filter: &notes, Ref: json.RawMessage(`2`)})
	change(Change{Ref: json.RawMessage(`{"n":3}`)})
	change(Change{})
	told(`{"categories":["notes"],"topics":[],"ref":{"n":3}}`)

	if err := s.Change(t.Context(), Change{Filter: &notes, Ref: json.RawMessage(`{`)}); err == nil {
		t.Error("half an object is a ref")
	}
	if s.announcing() {
		t.Error("an error has changed something")
	}
}

// Changes of a stream that is never taken do not pile up. It is told a gap, because
// what was in force in between is not told.
func TestManyChangesBetweenTwoTakes(t *testing.T) {
	h := New(&kinds, nil)
	s := following(t, h, alice, "", "a")
	for range 10 * mostPending {
		must(h.Leave(t.Context(), alice, "a"))
		publishTo(t, h, "out", Topic("a"))
		must(h.Join(t.Context(), alice, "a"))
	}
	publishTo(t, h, "in", Topic("a"))
	got := taken(t, s)
	if len(got) > mostPending+2 || got[0] != gapEvicted || got[len(got)-1] != "in" {
		t.Errorf("got %d messages: %s", len(got), got)
	}
}

func TestTopicsAreAuthorized(t *testing.T) {
	asked := 0
	h := New(&kinds, &Options{TopicsPerStream: 3, Authorize: func(_ context.Context, s Session, topic string) error {
		asked++
		if s.User != alice || topic != "open" {
			return errors.New("not a member")
		}
		return nil
	}})
	s := following(t, h, alice, "", "own")
	for name, c := range map[string]struct {
		topics []string
		want   error
	}{
		"own":        {[]string{"own"}, nil},
		"authorized": {[]string{"own", "open", "open"}, nil},
		"forbidden":  {[]string{"secret"}, ErrForbiddenTopic},
		"empty":      {[]string{""}, new(TopicError)},
		"long":       {[]string{strings.Repeat("x", 129)}, new(TopicError)},
		"not UTF-8":  {[]string{"\xff"}, new(TopicError)},
		"control":    {[]string{"a\nb"}, new(TopicError)},
		"too many":   {[]string{"own", "open", "a", "b"}, new(TooManyTopicsError)},
	} {
		for way, err := range map[string]error{
			"SetTopics": s.SetTopics(t.Context(), c.topics...),
			"Subscribe": func() error {
				s, err := h.Subscribe(Request{Session: Session{User: alice, Allowed: Everything(), Topics: []string{"own"}}, Filter: Everything(), Topics: c.topics})
				if err == nil {
					s.Close()
				}
				return err
			}(),
		} {
			switch want := c.want.(type) {
			case *TopicError:
				if _, ok := errors.AsType[*TopicError](err); !ok {
					t.Errorf("%s, %s: %v", way, name, err)
				}
			case *TooManyTopicsError:
				if e, ok := errors.AsType[*TooManyTopicsError](err); !ok || e.Limit != 3 {
					t.Errorf("%s, %s: %v", way, name, err)
				}
			default:
				if !errors.Is(err, want) {
					t.Errorf("%s, %s: %v", way, name, err)
				}
			}
		}
	}
	if asked == 0 {
		t.Error("Authorize was not asked")
	}
	if err := h.PublishTo(t.Context(), made(note, uuid.Nil, "x"), Topic("a\x00")); err == nil {
		t.Error("an event is published to a topic that cannot be")
	}
	many := append(Users(make([]uuid.UUID, 0)...), Topic("t"))
	for range 256 {
		many = append(many, User(uuid.New()))
	}
	if err := h.PublishTo(t.Context(), made(note, uuid.Nil, "x"), many...); err != ErrTooManyAudiences {
		t.Errorf("%d audiences with a topic: %v", len(many), err)
	}
}

// Leave is as effective as a revocation: nothing that is published after it
// reaches the streams, they cannot ask again, and neither can a request that was
// authenticated before.
func TestLeaveIsEffectiveAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := New(&kinds, nil)
		s, other := following(t, h, alice, "", "room"), following(t, h, bob, "", "room")
		publishTo(t, h, "last", Topic("room"))
		before := time.Now()
		time.Sleep(time.Second)
		if n, err := h.Leave(t.Context(), alice, "room"); n != 1 || err != nil {
			t.Errorf("%d streams left, %v", n, err)
		}
		publishTo(t, h, "after", Topic("room"))
		expect(t, taken(t, s), `filter:{"categories":["notes","alerts","typing"],"topics":[]}`)
		expect(t, taken(t, other), "last", "after")
		if err := s.SetTopics(t.Context(), "room"); !errors.Is(err, ErrForbiddenTopic) {
			t.Errorf("asks again: %v", err)
		}
		late := Request{Session: Session{User: alice, Allowed: Everything(), Topics: []string{"room"}}, Filter: Everything(), Topics: []string{"room"}, Authenticated: before}
		if _, err := h.Subscribe(late); !errors.Is(err, ErrForbiddenTopic) {
			t.Errorf("authenticated before: %v", err)
		}
		time.Sleep(time.Second)
		late.Authenticated = time.Now()
		must(h.Subscribe(late)).Close()
		if n, err := h.Join(t.Context(), alice, "room"); n != 1 || err != nil {
			t.Errorf("%d streams joined, %v", n, err)
		}
		publishTo(t, h, "again", Topic("room"))
		expect(t, taken(t, s), `filter:{"categories":["notes","alerts","typing"],"topics":["room"]}`, "again")
	})
}

// A phone that reconnects within the grace does not flicker; a second stream of a
// user is no news.
func TestPresence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var changes []string
		h := New(&kinds, &Options{Presence: &PresenceEvents{Event: func(c PresenceChange) (*event.Event, error) {
			changes = append(changes, fmt.Sprint(c.Topic, " ", c.Meta, " ", c.Joined))
			return typing.New(uuid.Nil, fmt.Sprint(c.Meta, c.Joined))
		}}})
		open := func(user uuid.UUID, name string) *Subscription {
			return must(h.Subscribe(Request{
				Session: Session{User: user, ID: name, Allowed: Everything(), Topics: []string{"room"}, Meta: name},
				Filter:  Everything(), Topics: []string{"room"},
			}))
		}
		watcher := open(bob, "Bob")
		defer watcher.Close()
		phone := open(alice, "Alice")
		tab := open(alice, "Alice")
		if got := h.Presence("room"); len(got) != 3 || got[1].User != alice || got[1].Meta != "Alice" || got[1].Since.IsZero() {
			t.Errorf("present are %+v", got)
		}
		if got := h.Listening(alice); len(got) != 2 || got[0].SessionID != "Alice" {
			t.Errorf("listening are %+v", got)
		}
		expect(t, taken(t, watcher), "Bobtrue", "Alicetrue")
		tab.Close()
		phone.Close()
		time.Sleep(4 * time.Second)
		phone = open(alice, "Alice")
		time.Sleep(time.Minute)
		phone.Close()
		time.Sleep(6 * time.Second)
		synctest.Wait()
		expect(t, changes, "room Bob true", "room Alice true", "room Alice false")
		expect(t, taken(t, watcher), "Alicefalse")
		open(alice, "Alice").Close()
		if err := h.Shutdown(func() context.Context { c, f := context.WithTimeout(t.Context(), time.Second); t.Cleanup(f); return c }()); err == nil {
			t.Error("the watcher is open, and the hub says that nothing is left")
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		expect(t, changes[3:], "room Alice true") // nobody leaves a hub that is closed
	})
}

// Who comes back while it is being said that they have left is there in the end.
func TestPresenceIsToldInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h *Hub
		open := func(user uuid.UUID) *Subscription {
			return must(h.Subscribe(Request{
				Session: Session{User: user, Allowed: Everything(), Topics: []string{"room"}},
				Filter:  Everything(), Topics: []string{"room"},
			}))
		}
		h = New(&kinds, &Options{Presence: &PresenceEvents{Event: func(c PresenceChange) (*event.Event, error) {
			if !c.Joined {
				defer open(alice)
			}
			return typing.New(uuid.Nil, fmt.Sprint(c.Joined))
		}}})
		watcher := open(bob)
		open(alice).Close()
		if got := h.Presence("room"); len(got) != 2 || got[1].User != alice {
			t.Errorf("within the grace, present are %+v", got)
		}
		expect(t, taken(t, watcher), "true", "true")
		time.Sleep(6 * time.Second)
		synctest.Wait()
		expect(t, taken(t, watcher), "false", "true")
		if got := h.Presence("room"); len(got) != 2 {
			t.Errorf("present are %+v", got)
		}
	})
}

func TestShortLivedEventsAreReplayedForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var kinds event.Registry
		keep := event.Define[string](&kinds, "notes", "note.added", "A note.")
		chunk := event.Define[string](&kinds, "ai", "ai.chunk", "A piece.", event.RetainFor(time.Minute))
		h := New(&kinds, &Options{UserEvents: 5})
		start := h.Cursor()
		publish(t, h, made(keep, alice, "kept"))
		var ids []string
		for i := range 300 {
			e := made(chunk, alice, fmt.Sprint(i))
			ids = append(ids, e.ID().String())
			publish(t, h, e)
		}
		for cut, id := range ids { // cut at any token
			got := taken(t, subscribed(t, h, alice, id))
			if len(got) != 299-cut || len(got) > 0 && got[0] != fmt.Sprint(cut+1) {
				t.Fatalf("cut at %d: %d pieces follow, beginning %.20q", cut, len(got), got[:1])
			}
			for _, s := range h.streamsOf(alice) {
				s.Close()
			}
		}
		time.Sleep(61 * time.Second)
		synctest.Wait()
		expect(t, taken(t, subscribed(t, h, alice, start)), gapEvicted, "kept")
		for range 1100 {
			publish(t, h, made(chunk, alice, "x"))
		}
		got := taken(t, subscribed(t, h, alice, start))
		if got[0] != gapEvicted || len(got) != 1024+2 || got[1] != "kept" {
			t.Errorf("%d messages, beginning %q", len(got), got[:2])
		}
	})
}

func TestLatestValueIsEnough(t *testing.T) {
	var kinds event.Registry
	value := event.Define[[2]string](&kinds, "values", "value.updated", "A value.", event.Latest(func(v [2]string) string { return v[0] }))
	h := New(&kinds, nil)
	s := subscribed(t, h, alice, "")
	var first *event.Event
	for _, v := range [][2]string{{"a", "1"}, {"b", "1"}, {"a", "2"}, {"a", "3"}, {"b", "2"}} {
		e := must(value.New(alice, v))
		if first == nil {
			first = e
		}
		publish(t, h, e)
	}
	expect(t, taken(t, s), `["a","3"]`, `["b","2"]`)
	expect(t, taken(t, subscribed(t, h, alice, first.ID().String())), `["a","3"]`, `["b","2"]`)
}

// A user joins a topic while one of the user's streams is on its way into the hub:
// it has a place in the logs, and not yet a position. The position that the stream
// is told of must not be one from which it would get events again.
func TestJoinWhileSubscribing(t *testing.T) {
	h := New(&kinds, nil)
	for range 3 {
		publish(t, h, made(note, alice, "x"))
	}
	at := h.cursors.Load().encode(h.store.Head())
	r := request(alice, "")
	r.After = at.String()
	for range 5000 {
		var both sync.WaitGroup
		var s *Subscription
		both.Go(func() { s = must(h.Subscribe(r)) })
		both.Go(func() { must(h.Join(context.Background(), alice, "room")) })
		both.Wait()
		for _, m := range must(s.Take(nil)) {
			if m.Type() != TypeFilter || m.ID() != at {
				t.Fatalf("it gets %s, id %v; it resumed after %v", text(m), m.ID(), at)
			}
		}
		s.Close()
	}
}

func TestFromOldest(t *testing.T) {
	h := New(&kinds, &Options{UserEvents: 2})
	for i := range 3 {
		publishTo(t, h, fmt.Sprint(i), Topic("doc:1"), User(alice))
	}
	r := Request{
		Session: Session{User: bob, Allowed: Everything(), Topics: []string{"doc:1"}},
		Filter:  Everything(), Topics: []string{"doc:1"}, FromOldest: true,
	}
	s := must(h.Subscribe(r))
	defer s.Close()
	expect(t, taken(t, s), "1", "2")
	r.After = h.Cursor()
	publishTo(t, h, "3", Topic("doc:1"))
	resumed := must(h.Subscribe(r))
	defer resumed.Close()
	expect(t, taken(t, resumed), "3")
}
