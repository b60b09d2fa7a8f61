package dashtam_test

import (
	"bytes"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/backplane/redis/dashtam"
	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/hub/hubtest"
)

// What the Python service publishes arrives at a user's stream, whatever its
// times look like, and once, with retention or without.
func TestFromPython(t *testing.T) {
	r := newRig(t, &dashtam.Options{Retention: true})
	service := startPython(t, r.server, "publish")
	browser := hubtest.Subscribe(t, r.hub.Hub, ada)
	for i, order := range []map[string]any{
		{"user": ada, "data": "now"},
		{"user": ada, "data": "with microseconds", "time": "2026-03-14T15:09:26.535897+00:00"},
		{"user": ada, "data": "without", "time": "2026-03-14T15:09:26+00:00"},
		{"user": ada, "data": "with Z", "time": "2026-03-14T15:09:26.5Z"},
		{"user": ada, "data": "retained", "retain": true},
		{"user": bob, "data": "not for ada"},
		{"user": nil, "data": "for everyone"},
		{"user": ada, "data": "ünïcode \u2028 \U0001f600 <&>"},
	} {
		order["type"] = posted.Info().Type
		id := service.tell(t, order)
		if order["user"] == bob {
			continue
		}
		m := browser.Next()
		text, err := posted.Payload(m.Event())
		if err != nil || text != order["data"] || m.ID().String() != id {
			t.Errorf("%d: got %q (%v) with id %v, want %q with id %s", i, text, err, m.ID(), order["data"], id)
		}
		if at, ok := order["time"].(string); ok {
			want, err := time.Parse(time.RFC3339, at)
			if err != nil || !m.Event().Time().Equal(want) {
				t.Errorf("%d: got the time %v, want %v", i, m.Event().Time(), want)
			}
		}
	}
	if s := r.stats(t, 8); s.Received != 8 || s.Published != 8 || s.Dropped != nil || s.Repeated != 0 || s.Gaps != 0 {
		t.Errorf("%+v", s)
	}
}

// What Crier publishes is understood by the Python service, on its channels and
// in its streams, and comes back to the hub once.
func TestToPython(t *testing.T) {
	type message struct {
		Channel string    `json:"channel"`
		ID      uuid.UUID `json:"event_id"`
		Type    string    `json:"event_type"`
		User    uuid.UUID `json:"user_id"`
		Data    string    `json:"data"`
		Time    float64   `json:"timestamp"`
		Text    string    `json:"text"`
		TTL     int       `json:"ttl"`
	}
	r := newRig(t, &dashtam.Options{Retention: true})
	service := startPython(t, r.server, "listen")
	if got := hear[string](t, service); got != "listening" {
		t.Fatal(got)
	}
	browser := hubtest.Subscribe(t, r.hub.Hub, ada)
	check := func(got message, channel string, e *event.Event, user uuid.UUID) {
		t.Helper()
		text, _ := posted.Payload(e)
		want := message{Channel: channel, ID: e.ID(), Type: string(e.Type()), User: user, Data: text,
			Time: got.Time, Text: e.Time().Format("2006-01-02T15:04:05.000000+00:00"), TTL: got.TTL}
		if got != want {
			t.Errorf("Python understood %+v, want %+v", got, want)
		}
		if d := time.Unix(0, int64(got.Time*1e9)).Sub(e.Time()); d.Abs() > time.Millisecond {
			t.Errorf("Python understood a time that is off by %v", d)
		}
	}
	for _, text := range []string{"hello", "ünïcode \u2028 \U0001f600 <&>", ""} {
		e, err := posted.New(ada, text, event.At(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)))
		if err != nil {
			t.Fatal(err)
		}
		if err := r.bridge.Publish(ctx, e); err != nil {
			t.Fatal(err)
		}
		check(hear[message](t, service), "sse:user:"+ada.String(), e, ada)
		kept := hear[message](t, service)
		check(kept, "sse:stream:user:"+ada.String(), e, ada)
		if kept.TTL <= 3500 || kept.TTL > 3600 {
			t.Errorf("the stream expires in %d s, want 3600", kept.TTL)
		}
		if m := browser.Next(); m.ID() != e.ID() {
			t.Errorf("the browser heard %v, want %v", m.ID(), e.ID())
		}
	}
	e, err := posted.New(uuid.Nil, "for everyone")
	if err != nil {
		t.Fatal(err)
	}
	if err := r.bridge.Broadcast(ctx, e); err != nil {
		t.Fatal(err)
	}
	check(hear[message](t, service), "sse:broadcast", e, uuid.Nil)
	if m := browser.Next(); m.ID() != e.ID() {
		t.Errorf("the browser heard %v, want %v", m.ID(), e.ID())
	}
	if s := r.stats(t, 4); s.Published != 4 || s.Repeated != 0 || s.Dropped != nil {
		t.Errorf("%+v", s)
	}
}

// The TTL of a stream is set once, when the stream begins.
func TestTTLOnce(t *testing.T) {
	r := newRig(t, &dashtam.Options{Retention: true})
	key := "sse:stream:user:" + ada.String()
	send := func() {
		t.Helper()
		e, err := posted.New(ada, "x")
		if err == nil {
			err = r.bridge.Publish(ctx, e)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	send()
	r.direct.Expire(ctx, key, 100*time.Second)
	send()
	if ttl := r.direct.TTL(ctx, key).Val(); ttl > 100*time.Second || ttl <= 0 {
		t.Errorf("the TTL is %v, want what is left of 100 s", ttl)
	}
	r.direct.Persist(ctx, key)
	send()
	if ttl := r.direct.TTL(ctx, key).Val(); ttl != time.Hour {
		t.Errorf("the TTL is %v, want 1 h", ttl)
	}
}

func TestWithoutRetention(t *testing.T) {
	r := newRig(t, nil)
	e, err := posted.New(ada, "x")
	if err != nil {
		t.Fatal(err)
	}
	if err := r.bridge.Publish(ctx, e); err != nil {
		t.Fatal(err)
	}
	r.heard(t, 1)
	if n := r.direct.DBSize(ctx).Val(); n != 0 {
		t.Errorf("the server has %d keys, want none", n)
	}
}

// Messages that cannot be published are counted by kind, and logged once.
func TestDropped(t *testing.T) {
	var log bytes.Buffer
	r := newRig(t, &dashtam.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	mine, everyone := "sse:user:"+ada.String(), "sse:broadcast"
	good := func(change string, to string) string {
		e, err := posted.New(ada, "secret")
		if err != nil {
			t.Fatal(err)
		}
		b, err := e.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		return strings.Replace(string(b), change, to, 1)
	}
	want := map[string]uint64{}
	for _, m := range []struct{ channel, payload, kind string }{
		{mine, "", dashtam.DroppedMalformed},
		{mine, "not JSON", dashtam.DroppedMalformed},
		{mine, "null", dashtam.DroppedMalformed},
		{mine, "[]", dashtam.DroppedMalformed},
		{mine, "{}", dashtam.DroppedMalformed},
		{mine, "\xff\xfe", dashtam.DroppedMalformed},
		{mine, good(`"secret"`, `NaN`), dashtam.DroppedMalformed},
		{mine, good("event_id", "id"), dashtam.DroppedMalformed},
		{mine, good("Z", " CET"), dashtam.DroppedMalformed},
		{mine, good("chat.message.posted", "chat.message.burned"), dashtam.DroppedUnknownType},
		{everyone, good("chat.message.posted", "chat.message.burned"), dashtam.DroppedUnknownType},
		{everyone, "{", dashtam.DroppedMalformed},
		{everyone, "null", dashtam.DroppedMalformed},
		{mine, good(ada.String(), bob.String()), dashtam.DroppedUser},
		{mine, good(`"`+ada.String()+`"`, "null"), dashtam.DroppedMalformed},
		{"sse:user:", good("", ""), dashtam.DroppedChannel},
		{"sse:user:ada", good("", ""), dashtam.DroppedChannel},
		{"sse:user:" + uuid.Nil.String(), good("", ""), dashtam.DroppedChannel},
		{"sse:user:{" + ada.String() + "}", good("", ""), dashtam.DroppedChannel},
		{mine, good("secret", strings.Repeat("x", 2<<20)), dashtam.DroppedRefused},
	} {
		if err := r.direct.Publish(ctx, m.channel, m.payload).Err(); err != nil {
			t.Fatal(err)
		}
		want[m.kind]++
	}
	for _, m := range []struct{ channel, payload string }{ // these are good
		{mine, good("", "")},
		{everyone, good("", "")},
		{everyone, good(`"`+ada.String()+`"`, "null")},
		{everyone, good(`"user_id":"`+ada.String()+`",`, "")},
	} {
		if err := r.direct.Publish(ctx, m.channel, m.payload).Err(); err != nil {
			t.Fatal(err)
		}
	}
	r.heard(t, 4)
	if got := r.bridge.Stats().Dropped; !maps.Equal(got, want) {
		t.Errorf("dropped %v, want %v", got, want)
	}
	for kind := range want {
		if n := strings.Count(log.String(), "a message was dropped: "+kind); n != 1 {
			t.Errorf("%q was logged %d times, want once", kind, n)
		}
	}
	if strings.Contains(log.String(), "secret") || strings.Contains(log.String(), "CET") {
		t.Errorf("the log repeats what came from outside: %s", log.String())
	}
}

// An event that comes twice is published once; to two users it is two.
func TestRepeated(t *testing.T) {
	r := newRig(t, &dashtam.Options{Retention: true})
	e := r.publish(t, both, ada, "one")
	r.write(t, both, ada, e)
	f, err := posted.New(bob, "one", event.WithID(e.ID()))
	if err != nil {
		t.Fatal(err)
	}
	r.write(t, both, bob, f)
	r.publish(t, both, ada, "two")
	if got := r.heard(t, 3); !slices.Equal(got, []string{`"one"`, `"one"`, `"two"`}) {
		t.Errorf("the hub was told %q", got)
	}
	if s := r.bridge.Stats(); s.Repeated != 1 {
		t.Errorf("%+v", s)
	}
}

func TestPublishErrors(t *testing.T) {
	r := newRig(t, &dashtam.Options{NoBroadcasts: true})
	e, err := posted.New(uuid.Nil, "x")
	if err != nil {
		t.Fatal(err)
	}
	if err := r.bridge.Publish(ctx, e); !errors.Is(err, hub.ErrNoUser) {
		t.Errorf("Publish without a user returned %v", err)
	}
	if err := r.bridge.Broadcast(ctx, e); err == nil {
		t.Error("Broadcast returned nil with NoBroadcasts")
	}
	var other event.Registry
	foreign, err := event.Define[string](&other, "chat", "chat.other", "Another.").New(ada, "x")
	if err != nil {
		t.Fatal(err)
	}
	if err := r.bridge.Publish(ctx, foreign); !errors.Is(err, event.ErrUnknownType) {
		t.Errorf("Publish of a foreign type returned %v", err)
	}
	if err := r.bridge.Run(ctx); err == nil {
		t.Error("a second Run returned nil")
	}
	e, err = posted.New(ada, "x")
	if err != nil {
		t.Fatal(err)
	}
	r.outage(t, func() {
		if err := r.bridge.Publish(ctx, e); !errors.Is(err, hub.ErrUnavailable) {
			t.Errorf("Publish to a server that is away returned %v", err)
		}
	})
}

// Run ends when its hub is closed.
func TestHubClosed(t *testing.T) {
	r := newRig(t, nil)
	if err := r.hub.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	r.publish(t, live, ada, "x")
	if err := <-r.done; !errors.Is(err, hub.ErrClosed) {
		t.Errorf("Run returned %v, want hub.ErrClosed", err)
	}
	r.done <- nil
}
