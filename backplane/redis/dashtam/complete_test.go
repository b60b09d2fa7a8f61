package dashtam

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
)

// Which streams cannot have lost anything between a checkpoint and now.
func TestIsComplete(t *testing.T) {
	const life = time.Hour
	user := uuid.New()
	mark := time.UnixMilli(1_700_000_000_000)
	stream := func(first time.Duration, length, added int64) *redis.XInfoStream {
		return &redis.XInfoStream{Length: length, EntriesAdded: added,
			FirstEntry: redis.XMessage{ID: fmt.Sprintf("%d-0", mark.Add(first).UnixMilli())}}
	}
	for _, test := range []struct {
		name             string
		info             *redis.XInfoStream
		outage, coverage time.Duration // coverage: how long we had listened
		heard            time.Duration // how long ago; 0: never
		want             bool
	}{
		{"reaches back", stream(-time.Second, 10, 10), time.Second, 0, time.Second, true},
		{"reaches back, trimmed before", stream(-time.Second, 10, 1000), time.Second, 0, time.Second, true},
		{"reaches back, just", stream(0, 10, 10), time.Second, 0, time.Second, true},
		{"trimmed since", stream(time.Second, 10, 11), time.Minute, 2 * life, 0, false},
		{"of a Redis that does not count", stream(time.Second, 10, 0), time.Minute, 2 * life, 0, false},
		{"began since", stream(time.Second, 10, 10), time.Minute, 2 * life, 0, true},
		{"began since, after one that ended", stream(time.Second, 10, 10), time.Minute, 2 * life, life, false},
		{"began since, after one that ended long ago", stream(time.Second, 10, 10), time.Minute, 2 * life, life + time.Minute, true},
		{"began since, perhaps after one that ended", stream(time.Second, 10, 10), time.Minute, life, 0, false},
		{"began since, in a long outage", stream(time.Second, 10, 10), life, 3 * life, 0, false},
		{"absent", nil, time.Minute, 2 * life, 0, true},
		{"absent, ended", nil, time.Minute, 2 * life, life / 2, false},
		{"absent, perhaps ended", nil, time.Minute, life / 2, 0, false},
		{"absent, in a long outage", nil, life, 3 * life, 0, false},
		{"empty", &redis.XInfoStream{}, time.Minute, 2 * life, life / 2, false},
		{"foreign ids", &redis.XInfoStream{Length: 1, EntriesAdded: 1, FirstEntry: redis.XMessage{ID: "x"}}, time.Minute, 2 * life, 0, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			now := time.Now()
			was := checkpoint{look: look{at: mark}, local: now.Add(-test.outage)}
			b := &Bridge{options: Options{StreamLife: life}, coverage: was.local.Add(-test.coverage), heard: map[uuid.UUID]time.Time{}}
			if test.heard != 0 {
				b.heard[user] = was.local.Add(-test.heard)
			}
			if got := b.isComplete(user, test.info, was, now); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

// A recent forgets what is before the horizon, and more only for want of room.
func TestRecent(t *testing.T) {
	var r recent
	at := time.Now()
	horizon := at
	next := func() bool {
		at = at.Add(time.Millisecond)
		return r.add(delivery{event: uuid.New()}, at, horizon)
	}
	d := delivery{event: uuid.New()}
	if !r.add(d, at, horizon) || r.add(d, at, horizon) {
		t.Error("a delivery is not new once, and then known")
	}
	if !r.add(delivery{event: d.event, user: uuid.New()}, at, horizon) {
		t.Error("a delivery of the same event to another user is not new")
	}
	for range 100 {
		next()
	}
	if r.add(d, at, horizon) {
		t.Error("a delivery was forgotten")
	}
	horizon = at
	if next(); len(r.queue) != 2 || len(r.known) != 2 || !r.forgotten.IsZero() {
		t.Errorf("%d and %d deliveries are known, forgotten %v, want 2 and 2 and never", len(r.queue), len(r.known), r.forgotten)
	}
	for range maxSeen {
		next()
	}
	if len(r.queue) != maxSeen || len(r.known) != maxSeen || r.forgotten.IsZero() {
		t.Errorf("%d and %d deliveries are known, forgotten %v", len(r.queue), len(r.known), r.forgotten)
	}
}
