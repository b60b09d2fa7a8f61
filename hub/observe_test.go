package hub

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/event"
)

// An added observer is called after that of the options, and not any more once it
// is removed. A panic in one does not keep the next from being called.
func TestObserve(t *testing.T) {
	var told []string
	tell := func(name string) *Observer {
		return &Observer{Published: func(context.Context, Publication) {
			told = append(told, name)
			if name == "second" {
				panic("on purpose")
			}
		}}
	}
	h := New(&kinds, &Options{Observer: tell("first"), Logger: slog.New(slog.DiscardHandler)})
	remove := h.Observe(tell("second"))
	h.Observe(tell("third"))
	publish(t, h, made(note, alice, "1"))
	remove()
	remove()
	publish(t, h, made(note, alice, "2"))
	expect(t, told, "first", "second", "third", "first", "third")
}

// What is logged depends on the observer of the options alone.
func TestObserveReplacesNoLog(t *testing.T) {
	var reported []error
	var log strings.Builder
	h := New(&kinds, &Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	h.Observe(&Observer{Error: func(err error) { reported = append(reported, err) }})
	h.Report(errors.New("a failure"))
	if len(reported) != 1 || !strings.Contains(log.String(), "a failure") {
		t.Errorf("%v was reported, and logged: %s", reported, &log)
	}
}

// A publish goes on with the context that Publishing returns, and the function is
// told of its error. Of several observers, the first is outside.
func TestObservePublishing(t *testing.T) {
	var told []string
	type key struct{}
	observer := func(name string) *Observer {
		return &Observer{
			Publishing: func(ctx context.Context, e *event.Event, audiences int) (context.Context, func(error)) {
				told = append(told, fmt.Sprintf("%s begins %s to %d after %v", name, e.Type(), audiences, ctx.Value(key{})))
				return context.WithValue(ctx, key{}, name), func(err error) { told = append(told, fmt.Sprintf("%s ends: %v", name, err)) }
			},
			Published: func(ctx context.Context, p Publication) {
				told = append(told, fmt.Sprintf("%s published after %v", name, ctx.Value(key{})))
			},
		}
	}
	h := New(&kinds, &Options{Observer: observer("outer"), MaxEvent: 200})
	h.Observe(observer("inner"))
	h.Observe(&Observer{Publishing: func(context.Context, *event.Event, int) (context.Context, func(error)) { return nil, nil }})
	if err := h.PublishTo(context.Background(), made(note, alice, "1"), User(alice), User(bob)); err != nil {
		t.Fatal(err)
	}
	expect(t, told, "outer begins note.added to 2 after <nil>", "inner begins note.added to 2 after outer",
		"outer published after inner", "inner published after inner", "inner ends: <nil>", "outer ends: <nil>")
	told = nil
	if err := h.Broadcast(context.Background(), made(note, alice, strings.Repeat("x", 200))); err == nil {
		t.Error("a large event was published")
	}
	if len(told) != 4 || !strings.HasPrefix(told[2], "inner ends: hub: the event has") {
		t.Errorf("%q", told)
	}
}

// A write reports the latency of its oldest event, and events from before the
// stream as replayed.
func TestObserveWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []Write
		h := New(&kinds, &Options{Observer: &Observer{Written: func(w Write) { told = append(told, w) }}})
		cursor := h.Cursor()
		publish(t, h, made(note, alice, "old"))
		time.Sleep(time.Hour / 2)
		s := subscribed(t, h, alice, cursor)
		defer s.Close()
		write := func() {
			batch, err := s.Take(nil)
			if err != nil {
				t.Fatal(err)
			}
			s.Wrote(batch, time.Now())
		}
		write() // replayed
		publish(t, h, made(note, alice, "1"))
		time.Sleep(2 * time.Second)
		publish(t, h, made(note, alice, "2"))
		time.Sleep(time.Second)
		write()
		s.Change(t.Context(), Change{})
		write() // a control message only
		want := []Write{{Transport: "test", Events: 1, Replayed: 1}, {Transport: "test", Events: 2, Latency: 3 * time.Second}}
		if len(told) != 2 || told[0] != want[0] || told[1] != want[1] {
			t.Errorf("got %+v, want %+v", told, want)
		}
	})
}

// Every stream says where it began.
func TestStart(t *testing.T) {
	var got Start
	type contextKey struct{}
	h := New(&kinds, &Options{UserEvents: 2, Logger: slog.New(slog.DiscardHandler), Observer: &Observer{
		Subscribed: func(s Stream) {
			if got = s.Start; s.Context.Value(contextKey{}) != "request" {
				t.Error("Subscribed has not the context of the request")
			}
		},
		Ended: func(s Stream) {
			if s.Context != nil {
				t.Error("an ended stream has a context")
			}
		},
	}})
	page, cursor := h.Cursor(), h.cursors.Load().encode(0).String()
	first := made(note, alice, "1")
	publish(t, h, first)
	check := func(after string, filter Filter, want Start) {
		t.Helper()
		r := request(alice, "s1")
		r.After, r.Filter, r.Context = after, filter, context.WithValue(context.Background(), contextKey{}, "request")
		s, err := h.Subscribe(r)
		if err != nil {
			t.Fatal(err)
		}
		s.Close()
		if got != want {
			t.Errorf("after %q: %s, want %s", after, got, want)
		}
	}
	check("", Everything(), StartNew)
	check(page, Everything(), StartPage)
	check(cursor, Everything(), StartCursor)
	check(first.ID().String(), Everything(), StartEvent)
	check("garbage", Everything(), StartUnknown)
	check(must(uuid.NewV7()).String(), Everything(), StartUnknown)
	publish(t, h, made(note, alice, "2"))
	publish(t, h, made(note, alice, "3")) // evicts the first
	check(page, Everything(), StartEvicted)
	check(cursor, Everything(), StartEvicted)
	check(cursor, Categories("alerts"), StartCursor) // nothing of it was evicted
}
