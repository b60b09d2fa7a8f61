package hub

import (
	"slices"
	"testing"

	"github.com/google/uuid"
)

func TestTellGapReachesEveryoneWhoMayHaveMissedSomething(t *testing.T) {
	h := New(&kinds, nil)
	carol := uuid.New()
	start := h.Cursor()
	a, b := subscribed(t, h, alice, ""), subscribed(t, h, bob, "")
	publish(t, h, made(note, alice, "1"))
	publish(t, h, made(note, bob, "1"))
	expect(t, taken(t, a), "1")
	if err := h.TellGap(t.Context(), bob); err != nil {
		t.Fatal(err)
	}
	select {
	case <-a.Ready():
	default:
		t.Error("a stream that sleeps is not told")
	}
	publish(t, h, made(note, alice, "2"))
	after := h.Cursor()
	expect(t, taken(t, a), gapEvicted, "2")
	expect(t, taken(t, b), "1")
	expect(t, taken(t, subscribed(t, h, alice, start)), "1", gapEvicted, "2")
	expect(t, taken(t, subscribed(t, h, carol, start)), gapEvicted) // the hub retains nothing of hers
	expect(t, taken(t, subscribed(t, h, carol, after)))
	expect(t, taken(t, subscribed(t, h, bob, start)), "1")
	users := h.Users()
	if !slices.Contains(users, alice) || !slices.Contains(users, bob) || len(users) != 3 {
		t.Errorf("%d users", len(users))
	}
	for _, user := range users {
		for _, s := range h.streamsOf(user) {
			s.Close()
		}
	}
	h2 := restarted(t, h, nil)
	expect(t, taken(t, subscribed(t, h2, alice, start)), "1", gapEvicted, "2")
	if err := h.TellGap(t.Context()); err != ErrClosed {
		t.Errorf("after Shutdown: %v", err)
	}
}

// A gap that is told must not make the hub believe that it has published something
// ancient: a client from before the hub would miss what is retained.
func TestTellGapLeavesTheAgeOfTheHub(t *testing.T) {
	h := New(&kinds, nil)
	publish(t, h, made(note, alice, "1"))
	before := h.store.OldestMade()
	if err := h.TellGap(t.Context()); err != nil {
		t.Fatal(err)
	}
	if after := h.store.OldestMade(); after != before {
		t.Errorf("the oldest event was made at %d ms, before the gap at %d", after, before)
	}
	expect(t, taken(t, subscribed(t, h, alice, "01890000-0000-7000-8000-000000000000")), gapUnknown, "1", gapEvicted)
}
