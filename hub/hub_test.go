package hub

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/event"
)

// The kinds that this package's tests publish.
var (
	kinds  event.Registry
	note   = event.Define[string](&kinds, "notes", "note.added", "A note.")
	alert  = event.Define[string](&kinds, "alerts", "alert.raised", "An alert.")
	number = event.Define[int](&kinds, "notes", "note.numbered", "A number.")
	typing = event.Define[string](&kinds, "typing", "typing.started", "Somebody types.", event.Ephemeral())
	alice  = uuid.MustParse("00000000-0000-4000-8000-00000000000a")
	bob    = uuid.MustParse("00000000-0000-4000-8000-00000000000b")
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// made returns an event whose payload is text.
func made(k event.Kind[string], user uuid.UUID, text string) *event.Event {
	return must(k.New(user, text))
}

// subscribed opens a subscription that hears everything.
func subscribed(t *testing.T, h *Hub, user uuid.UUID, after string) *Subscription {
	t.Helper()
	s, err := h.Subscribe(Request{Session: Session{User: user, ID: "s1", Allowed: Everything()}, Filter: Everything(), After: after, Transport: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// taken returns all that can be taken, as texts: payloads of events, and
// "gap:reason" and "filter:..." for the hub's own messages.
func taken(t *testing.T, s *Subscription) []string {
	t.Helper()
	var got []string
	for {
		batch, err := s.Take(nil)
		if err != nil {
			return append(got, err.Error())
		}
		if len(batch) == 0 {
			return got
		}
		for _, m := range batch {
			got = append(got, text(m))
		}
	}
}

func text(m *Message) string {
	data := string(m.Data())
	if m.Event() == nil {
		return strings.TrimPrefix(string(m.Type()), "stream.") + ":" + data
	}
	return strings.Trim(data, `"`)
}

const gapEvicted, gapUnknown = `gap:{"reason":"evicted"}`, `gap:{"reason":"unknown"}`

func expect(t *testing.T, got []string, want ...string) {
	t.Helper()
	if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

func publish(t *testing.T, h *Hub, e *event.Event) {
	t.Helper()
	if err := h.Publish(context.Background(), e); err != nil {
		t.Fatal(err)
	}
}

func broadcast(t *testing.T, h *Hub, e *event.Event) {
	t.Helper()
	if err := h.Broadcast(context.Background(), e); err != nil {
		t.Fatal(err)
	}
}

func TestPublishReachesOwnUserOnly(t *testing.T) {
	h := New(&kinds, nil)
	a, a2, b := subscribed(t, h, alice, ""), subscribed(t, h, alice, ""), subscribed(t, h, bob, "")
	publish(t, h, made(note, alice, "1"))
	publish(t, h, made(note, bob, "2"))
	broadcast(t, h, made(alert, uuid.Nil, "3"))
	if err := h.PublishTo(context.Background(), made(note, uuid.Nil, "4"), Users(alice, bob, alice)...); err != nil {
		t.Fatal(err)
	}
	expect(t, taken(t, a), "1", "3", "4")
	expect(t, taken(t, a2), "1", "3", "4")
	expect(t, taken(t, b), "2", "3", "4")
}

func TestResume(t *testing.T) {
	h := New(&kinds, &Options{UserEvents: 3})
	e1, e2 := made(note, alice, "1"), made(note, alice, "2")
	start := h.Cursor()
	publish(t, h, e1)
	publish(t, h, e2)
	foreign := made(note, bob, "x")
	publish(t, h, foreign)
	broadcast(t, h, made(alert, uuid.Nil, "3"))
	publish(t, h, made(typing, alice, "nobody listens"))

	other := New(&kinds, nil)
	beyond := h.cursors.Load().encode(h.store.Head() + 1).String()
	stranger := event.WithID(uuid.Must(uuid.NewV7()))
	old := uuid.MustParse("01890000-0000-7000-8000-000000000000")
	for _, c := range []struct {
		name, after string
		want        []string
	}{
		{"nothing", "", nil},
		{"page cursor", start, []string{"1", "2", "3"}},
		{"own event", e1.ID().String(), []string{"2", "3"}},
		{"newest own event", e2.ID().String(), []string{"3"}},
		{"another user's event", foreign.ID().String(), []string{gapUnknown}},
		{"never published", must(note.New(alice, "", stranger)).ID().String(), []string{gapUnknown}},
		{"another process's cursor", other.Cursor(), []string{gapUnknown, "1", "2", "3"}},
		{"older than the hub", old.String(), []string{gapUnknown, "1", "2", "3"}},
		{"beyond the head", beyond, []string{gapUnknown}},
		{"garbage", "garbage\r\n", []string{gapUnknown}},
		{"over-long", strings.Repeat("9", 1<<20), []string{gapUnknown}},
		{"braces", "{" + e1.ID().String() + "}", []string{gapUnknown}},
		{"version 4", uuid.NewString(), []string{gapUnknown}},
	} {
		t.Run(c.name, func(t *testing.T) {
			expect(t, taken(t, subscribed(t, h, alice, c.after)), c.want...)
		})
	}

	publish(t, h, made(note, alice, "4"))
	publish(t, h, made(note, alice, "5"))
	expect(t, taken(t, subscribed(t, h, alice, start)), gapEvicted, "2", "3", "4", "5")
	expect(t, taken(t, subscribed(t, h, alice, e1.ID().String())), gapUnknown) // e1 is gone
}

func TestOverrunIsAGap(t *testing.T) {
	h := New(&kinds, &Options{UserEvents: 2})
	s := subscribed(t, h, alice, "")
	for i := range 5 {
		publish(t, h, made(note, alice, fmt.Sprint(i)))
	}
	expect(t, taken(t, s), gapEvicted, "3", "4")
}

func TestGapsPerCategory(t *testing.T) {
	h := New(&kinds, &Options{UserEvents: 2})
	s := must(h.Subscribe(Request{Session: Session{User: alice, Allowed: Everything()}, Filter: Categories("alerts")}))
	defer s.Close()
	for i := range 5 {
		publish(t, h, made(note, alice, fmt.Sprint(i)))
	}
	expect(t, taken(t, s)) // no false gap
	cursor := s.Cursor()
	publish(t, h, made(alert, alice, "a"))
	publish(t, h, made(note, alice, "5"))
	publish(t, h, made(note, alice, "6"))
	publish(t, h, made(note, alice, "7"))
	expect(t, taken(t, s), gapEvicted)
	late := must(h.Subscribe(Request{Session: Session{User: alice, Allowed: Everything()}, Filter: Categories("typing"), After: cursor}))
	defer late.Close()
	expect(t, taken(t, late))
}

func TestEphemeral(t *testing.T) {
	h := New(&kinds, &Options{UserEvents: 2})
	s := subscribed(t, h, alice, "")
	publish(t, h, made(note, alice, "1"))
	publish(t, h, made(note, alice, "2"))
	publish(t, h, made(typing, alice, "t"))
	expect(t, taken(t, s), "1", "2", "t")
	cursor := s.Cursor()
	publish(t, h, made(note, alice, "3"))
	publish(t, h, made(typing, alice, "t2"))
	expect(t, taken(t, subscribed(t, h, alice, cursor)), "3") // none is replayed
	const many = 1000                                         // more than the hub keeps
	for range many {
		publish(t, h, made(typing, alice, "x"))
	}
	got := taken(t, s)
	if len(got) < 2 || len(got) > many || got[0] != "3" || got[1] != "x" {
		t.Errorf("an overrun of ephemeral events: got %d, starting %q", len(got), got[:2])
	}
}

func TestSetFilter(t *testing.T) {
	h := New(&kinds, nil)
	s := must(h.Subscribe(Request{Session: Session{User: alice, Allowed: Categories("notes", "alerts")}, Filter: Categories("notes")}))
	defer s.Close()
	publish(t, h, made(alert, alice, "unwanted"))
	if err := s.SetFilter(Everything()); err != nil {
		t.Fatal(err)
	}
	publish(t, h, made(alert, alice, "wanted"))
	publish(t, h, made(typing, alice, "not allowed"))
	expect(t, taken(t, s), `filter:{"categories":["notes","alerts"]}`, "wanted")
	var unknown *UnknownCategoryError
	if err := s.SetFilter(Categories("nonsense\r\n")); !errors.As(err, &unknown) || len(unknown.Valid) != 3 {
		t.Errorf("unknown category: got %v", err)
	}
}

func TestWakeOnlySleepersThatWantIt(t *testing.T) {
	h := New(&kinds, nil)
	s := must(h.Subscribe(Request{Session: Session{User: alice, Allowed: Everything()}, Filter: Categories("notes")}))
	defer s.Close()
	signalled := func() bool {
		select {
		case <-s.Ready():
			return true
		default:
			return false
		}
	}
	publish(t, h, made(note, alice, "1"))
	if signalled() {
		t.Error("signalled although it had not gone to sleep")
	}
	expect(t, taken(t, s), "1")
	publish(t, h, made(alert, alice, "2"))
	broadcast(t, h, made(alert, alice, "3"))
	if signalled() {
		t.Error("signalled for a category that it does not hear")
	}
	broadcast(t, h, made(note, alice, "4"))
	if !signalled() {
		t.Error("not signalled for a broadcast")
	}
	broadcast(t, h, made(note, alice, "5"))
	if signalled() {
		t.Error("signalled although it was awake")
	}
	expect(t, taken(t, s), "4", "5")
	s.Wake()
	if !signalled() {
		t.Error("Wake did not wake")
	}
	s.Wake()
	if taken(t, s); !signalled() {
		t.Error("a Wake while awake was lost")
	}
	if taken(t, s); signalled() {
		t.Error("one Wake signalled twice")
	}
}

func TestAgeing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := New(&kinds, &Options{MaxAge: time.Minute})
		start := h.Cursor()
		publish(t, h, made(note, alice, "1"))
		time.Sleep(30 * time.Second)
		publish(t, h, made(note, alice, "2"))
		time.Sleep(31 * time.Second)
		synctest.Wait()
		expect(t, taken(t, subscribed(t, h, alice, start)), gapEvicted, "2")
		time.Sleep(time.Hour)
		synctest.Wait()
		if st := h.Stats(); st.Retained != 0 || st.Bytes != 0 {
			t.Errorf("after an hour: %+v", st)
		}
	})
}

func TestUnusedLogsAreDropped(t *testing.T) {
	h := New(&kinds, &Options{UserEvents: 1, Bytes: 64 << 10})
	for range 1000 {
		user := uuid.New()
		s := subscribed(t, h, user, "")
		publish(t, h, made(typing, user, "x"))
		publish(t, h, made(note, user, "x"))
		s.Close()
		publish(t, h, made(typing, uuid.New(), "nobody"))
	}
	st := h.Stats()
	if logs := h.store.Usage().Logs; st.Bytes > 64<<10 || st.Users != 0 || logs > st.Retained+1 {
		t.Errorf("%d logs for %d entries; %+v", logs, st.Retained, st)
	}
}

// A client that is cut after the opening cursor, and before it has heard of
// the gap, must hear of it when it comes back.
func TestUnknownGapIsToldAgainAfterACut(t *testing.T) {
	h := New(&kinds, nil)
	publish(t, h, made(note, alice, "1"))
	for after, want := range map[string][]string{
		"garbage":                           {gapUnknown},
		newCursorCodec().encode(9).String(): {gapUnknown, "1"},
	} {
		opening := subscribed(t, h, alice, after).Cursor()
		expect(t, taken(t, subscribed(t, h, alice, opening)), want...)
		s := subscribed(t, h, alice, opening)
		expect(t, taken(t, s), want...)
		expect(t, taken(t, subscribed(t, h, alice, s.Cursor())))
	}
}

// A client that is for ever slower than its stream does not loop: each Take
// hands out the gap and then what is still there, and goes forward.
func TestSlowReaderMovesForward(t *testing.T) {
	h := New(&kinds, &Options{UserEvents: 5})
	s := subscribed(t, h, alice, "")
	large := strings.Repeat("x", 30_000) // two fit into a Take
	last := position(0)
	for round := range 100 {
		for range 7 {
			publish(t, h, made(note, alice, large))
		}
		batch, err := s.Take(nil)
		if err != nil || len(batch) != 3 || text(batch[0]) != gapEvicted {
			t.Fatalf("round %d: %d messages, %v", round, len(batch), err)
		}
		if s.reader.Position() <= last {
			t.Fatalf("round %d: from position %d to %d", round, last, s.reader.Position())
		}
		last = s.reader.Position()
	}
}

// Whatever a client says its last id was: no panic, no position beyond the
// head, and nothing of anybody else's.
func FuzzAfter(f *testing.F) {
	h := New(&kinds, &Options{UserEvents: 3})
	for _, user := range []uuid.UUID{alice, bob} {
		for i := range 5 {
			e := must(note.New(user, fmt.Sprint(user, i)))
			if err := h.Publish(context.Background(), e); err != nil {
				f.Fatal(err)
			}
			f.Add(e.ID().String())
		}
	}
	for p := range position(12) {
		f.Add(h.cursors.Load().encode(p).String())
	}
	for _, after := range []string{"", "garbage", "\x00\r\n", uuid.NewString(), newCursorCodec().encode(2).String(), h.cursors.Load().encode(lastPosition).String(), strings.Repeat("0", 36)} {
		f.Add(after)
	}
	f.Fuzz(func(t *testing.T, after string) {
		s, err := h.Subscribe(Request{Session: Session{User: alice, Allowed: Everything()}, Filter: Everything(), After: after})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if p := s.reader.Position(); p > h.store.Head() {
			t.Errorf("%q begins at %d, beyond the head", after, p)
		}
		got := taken(t, s)
		for i, e := range got {
			if !strings.HasPrefix(e, alice.String()) && (i > 0 || e != gapUnknown && e != gapEvicted) {
				t.Errorf("%q gets %q", after, got)
			}
		}
	})
}
