package hub

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
)

func TestStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := New(&kinds, &Options{UserEvents: 3, EndedStreams: 2})
		r := Request{
			Session:   Session{User: alice, ID: "phone", Allowed: Everything(), Topics: []string{"room"}},
			Filter:    Categories("notes"),
			Topics:    []string{"room"},
			Transport: "sse", RemoteAddr: "192.0.2.1:1234", UserAgent: "Browser/1",
		}
		s := must(h.Subscribe(r))
		taken(t, s)
		publish(t, h, made(note, bob, "not for alice"))
		publish(t, h, made(alert, alice, "filtered"))
		got := h.Streams(alice)
		if len(got) != 1 {
			t.Fatalf("got %d streams", len(got))
		}
		one := got[0]
		if one.ID != s.id || one.User != alice || one.SessionID != "phone" || one.Transport != "sse" || one.RemoteAddr != r.RemoteAddr ||
			one.UserAgent != r.UserAgent || fmt.Sprint(one.Topics) != "[room]" || !one.Filter.Includes("notes") || one.Filter.Includes("alerts") {
			t.Errorf("%+v", one)
		}
		if one.Lag != 0 || one.Gap || !one.Ended.IsZero() || one.Cursor != s.Cursor() || one.Cursor != h.cursors.Load().encode(h.store.Head()).String() {
			t.Errorf("a stream that has taken everything: %+v", one)
		}
		publish(t, h, made(note, alice, "1"))
		if err := h.PublishTo(context.Background(), made(note, alice, "2"), User(alice), Topic("room")); err != nil {
			t.Fatal(err)
		}
		if one = h.Streams(alice)[0]; one.Lag != 2 || one.LagBytes == 0 || one.Gap || one.Cursor != s.Cursor() {
			t.Errorf("two events to take, one of them in two logs: %+v", one)
		}
		for range 4 {
			publish(t, h, made(note, alice, "more"))
		}
		if one = h.Streams(alice)[0]; one.Lag != 4 || !one.Gap {
			t.Errorf("an event was evicted, one is in the topic: %+v", one)
		}
		time.Sleep(time.Minute)
		s.End(ReasonSlow)
		s.Close()
		if one = h.Streams(alice)[0]; one.Reason != ReasonSlow || !one.Ended.Equal(time.Now()) || time.Since(one.Started) != time.Minute || one.SessionID != "phone" || one.UserAgent != "Browser/1" {
			t.Errorf("an ended stream: %+v", one)
		}
		for range 2 { // the memory is bounded
			must(h.Subscribe(r)).Close()
		}
		if got := h.Streams(alice); len(got) != 2 || got[0].ID != 3 || got[1].ID != 2 {
			t.Errorf("got %+v", got)
		}
	})
}

func TestEndedStreamsOff(t *testing.T) {
	h := New(&kinds, &Options{EndedStreams: -1})
	subscribed(t, h, alice, "").Close()
	if got := h.Streams(alice); len(got) != 0 {
		t.Errorf("got %+v", got)
	}
}

func TestAllStreams(t *testing.T) {
	h := New(&kinds, nil)
	for range 100 {
		subscribed(t, h, uuid.New(), "")
	}
	var ids []uint64
	for after := uint64(0); ; {
		n := 0
		for one := range h.AllStreams(after) {
			ids = append(ids, one.ID)
			after = one.ID
			if n++; n == 7 {
				break
			}
		}
		if n < 7 {
			break
		}
	}
	if len(ids) != 100 {
		t.Fatalf("got %d", len(ids))
	}
	for i, id := range ids {
		if id != uint64(i+1) {
			t.Fatalf("got %v", ids)
		}
	}
}

// BenchmarkAllStreams is a page of 100 of 100,000 open streams.
func BenchmarkAllStreams(b *testing.B) {
	h := New(&kinds, nil)
	for range 100_000 {
		must(h.Subscribe(Request{Session: Session{User: uuid.New(), Allowed: Everything()}, Filter: Everything()}))
	}
	b.Run("page", func(b *testing.B) {
		for b.Loop() {
			n := 0
			for range h.AllStreams(50_000) {
				if n++; n == 100 {
					break
				}
			}
		}
	})
	b.Run("all", func(b *testing.B) {
		for b.Loop() {
			for range h.AllStreams(0) {
			}
		}
	})
}

// A stream says when it was last written to, open or ended.
func TestLastWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := New(&kinds, nil)
		s := subscribed(t, h, alice, "")
		check := func(want time.Time) {
			t.Helper()
			if got := h.Streams(alice)[0].LastWrite; !got.Equal(want) {
				t.Errorf("got %v, want %v", got, want)
			}
		}
		check(time.Time{})
		s.Wrote(nil, time.Now()) // within the hub's first nanosecond
		if h.Streams(alice)[0].LastWrite.IsZero() {
			t.Error("it was written to")
		}
		for range 2 {
			publish(t, h, made(note, alice, "1"))
			time.Sleep(time.Minute)
			batch := must(s.Take(nil))
			s.Wrote(batch, time.Now())
			written := time.Now()
			time.Sleep(time.Minute)
			check(written)
		}
		written := h.Streams(alice)[0].LastWrite
		s.Close()
		check(written)
	})
}

// What a batch costs beside its deliveries: a subscription notes the time.
func BenchmarkWrote(b *testing.B) {
	h := New(&kinds, nil)
	s := must(h.Subscribe(Request{Session: Session{User: alice, Allowed: Everything()}, Filter: Everything()}))
	defer s.Close()
	at := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		s.Wrote(nil, at)
	}
}

// A user's streams are counted to admit one more, and visited only if the user has as
// many as may be open.
func BenchmarkSubscribeManyOfUser(b *testing.B) {
	for _, n := range []int{1, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			h := New(&kinds, &Options{StreamsPerUser: 2 * n})
			r := Request{Session: Session{User: alice, Allowed: Everything()}, Filter: Everything()}
			for range n {
				must(h.Subscribe(r))
			}
			for b.Loop() {
				must(h.Subscribe(r)).Close()
			}
		})
	}
}
