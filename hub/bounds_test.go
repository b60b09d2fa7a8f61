package hub

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/crier-go/crier/hub/internal/eventlog"
)

// An event over the limit is refused, and the error says which limit.
func TestEventTooLarge(t *testing.T) {
	h := New(&kinds, &Options{MaxEvent: 1000})
	fits := made(note, alice, strings.Repeat("x", 1000-frameOverhead-len(note.Info().Type)-len(`""`)))
	publish(t, h, fits)
	over := made(note, alice, string(fits.Data()))
	for name, err := range map[string]error{
		"Publish":   h.Publish(context.Background(), over),
		"PublishTo": h.PublishTo(context.Background(), over, User(bob)),
		"Broadcast": h.Broadcast(context.Background(), over),
	} {
		var large *EventTooLargeError
		if !errors.As(err, &large) || large.Limit != 1000 || large.Size <= 1000 || !strings.Contains(err.Error(), "1000") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A message is charged once, however many users share it, and each log that it
// is in besides.
func TestSharedMessageCostsOnce(t *testing.T) {
	h := New(&kinds, nil)
	e := made(note, uuid.Nil, "x")
	m := must(h.newEventMessage(e))
	users := make([]uuid.UUID, 400) // more than one part of a publish
	for i := range users {
		users[i] = uuid.New()
	}
	if err := h.PublishTo(context.Background(), e, Users(users...)...); err != nil {
		t.Fatal(err)
	}
	if got, want := h.Stats().Bytes, m.item.Cost+400*(eventlog.EntryOverhead+eventlog.LogOverhead); got != want {
		t.Errorf("%d bytes, not %d", got, want)
	}
	h.store.Reset(h.store.Head()) // evicts everything
	if got := h.Stats().Bytes; got != 0 {
		t.Errorf("%d bytes are left when nothing is retained", got)
	}
}

// One chatty user evicts only itself, by bytes as by count.
func TestBusyUserEvictsOnlyItself(t *testing.T) {
	h := New(&kinds, &Options{UserBytes: 8 << 10, MaxEvent: 1 << 10})
	start := h.Cursor()
	publish(t, h, made(note, bob, "bob's"))
	for i := range 100 {
		publish(t, h, made(note, alice, fmt.Sprint(i, strings.Repeat("x", 500))))
		bytes := int64(0)
		for _, held := range h.store.Entries(eventlog.Key{ID: alice}) {
			bytes += held.Item.Cost + eventlog.EntryOverhead
		}
		if bytes > 8<<10 {
			t.Fatalf("%d bytes are retained for one user", bytes)
		}
	}
	expect(t, taken(t, subscribed(t, h, bob, start)), "bob's")
	if got := taken(t, subscribed(t, h, alice, start)); got[0] != gapEvicted || len(got) < 3 {
		t.Errorf("got %d messages, beginning %.40q", len(got), got[0])
	}
}

// Over the hub's own bound, the oldest goes first, whoever it belongs to.
func TestHubBytesEvictInOrder(t *testing.T) {
	const bytes = 64 << 10
	h := New(&kinds, &Options{Bytes: bytes})
	users := make([]uuid.UUID, 50) // or each would keep to its own bound
	for i := range users {
		users[i] = uuid.New()
	}
	for i := range 500 {
		publish(t, h, made(note, users[i%len(users)], fmt.Sprint(i)))
		if got := h.Stats().Bytes; got > bytes {
			t.Fatalf("%d bytes are retained", got)
		}
	}
	oldest := ^position(0)
	for _, user := range users {
		if held := h.store.Entries(eventlog.Key{ID: user}); len(held) > 0 {
			oldest = min(oldest, held[0].Position)
		}
	}
	if floor := h.store.Floor(); floor == 0 || oldest != floor+1 {
		t.Errorf("the oldest is at %d, the floor at %d", oldest, floor)
	}
}

// Whatever ephemeral events come, they take nothing from what is retained.
func TestEphemeralBytesAreSetApart(t *testing.T) {
	h := New(&kinds, &Options{Bytes: 64 << 10})
	start := h.Cursor()
	s := subscribed(t, h, alice, "")
	publish(t, h, made(note, alice, "kept"))
	for range 500 {
		publish(t, h, made(typing, alice, strings.Repeat("x", 1000)))
	}
	if got := h.Stats().Bytes; got > 64<<10 {
		t.Errorf("%d bytes are retained", got)
	}
	expect(t, taken(t, subscribed(t, h, alice, start)), "kept")
	got := taken(t, s)
	if len(got) < 2 || len(got) > 300 || got[0] != "kept" || got[1] == gapEvicted {
		t.Errorf("who listened got %d messages, beginning %.40q", len(got), got[:2])
	}
}

func TestOptionsRefuseWhatCannotWork(t *testing.T) {
	for name, o := range map[string]Options{
		"UserEvents": {UserEvents: -1},
		"MaxAge":     {MaxAge: -1},
		"MaxEvent":   {MaxEvent: 1 << 20, UserBytes: 1 << 10},
	} {
		func() {
			defer func() {
				if r := recover(); r == nil || !strings.Contains(fmt.Sprint(r), name) {
					t.Errorf("%s: %v", name, r)
				}
			}()
			New(&kinds, &o)
		}()
	}
}
