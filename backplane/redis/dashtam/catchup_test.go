package dashtam_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	goredis "github.com/redis/go-redis/v9"

	"github.com/crier-go/crier/backplane/redis/dashtam"
	"github.com/crier-go/crier/backplane/redis/internal/redistest"
	"github.com/crier-go/crier/hub/backplanetest"
)

// retained is a service that has retention and no broadcasts.
var retained = &dashtam.Options{Retention: true, NoBroadcasts: true}

func (r *rig) check(t testing.TB, wantOrder []string, wantGaps ...[]uuid.UUID) {
	t.Helper()
	order, gaps := r.hub.told()
	if !slices.Equal(order, wantOrder) {
		t.Errorf("the hub was told %q, want %q", order, wantOrder)
	}
	if !slices.EqualFunc(gaps, wantGaps, func(a, b []uuid.UUID) bool { return slices.Equal(a, b) }) {
		t.Errorf("complete at the gaps were %v, want %v", gaps, wantGaps)
	}
}

// What was published while the connection was away comes from the streams of the
// hub's users, in its order and once, also what had come by the channel before.
// Nobody else's is complete.
func TestCatchUp(t *testing.T) {
	r := newRig(t, retained, ada, bob)
	r.publish(t, both, ada, "a1")
	r.publish(t, both, bob, "b1")
	r.heard(t, 2)
	r.settle(t)
	late := r.publish(t, live, ada, "a2") // its entry in the stream comes late
	r.heard(t, 3)
	r.outage(t, func() {
		r.write(t, kept, ada, late)
		for _, p := range []struct {
			user uuid.UUID
			text string
		}{{bob, "b2"}, {ada, "a3"}, {bob, "b3"}} {
			<-time.After(2 * time.Millisecond) // streams know milliseconds
			r.publish(t, both, p.user, p.text)
		}
	})
	r.publish(t, both, ada, "a4")
	r.heard(t, 8)
	r.check(t, []string{`"a1"`, `"b1"`, `"a2"`, "gap", `"b2"`, `"a3"`, `"b3"`, `"a4"`}, []uuid.UUID{ada, bob})
	if s := r.stats(t, 7); s.Recovered != 3 || s.Gaps != 1 || s.Published != 7 {
		t.Errorf("%+v", s)
	}
}

// An event whose entry stands in the stream, and whose message comes only after
// the connection was away, was not lost to either.
func TestCatchUpBetweenTheWrites(t *testing.T) {
	r := newRig(t, retained, ada)
	r.publish(t, both, ada, "a1")
	r.heard(t, 1)
	slow := r.publish(t, kept, ada, "a2")
	r.settle(t) // the checkpoint lies after the entry
	r.outage(t, func() { r.publish(t, both, ada, "a3") })
	r.write(t, live, ada, slow)
	r.publish(t, both, ada, "a4")
	r.heard(t, 5)
	r.check(t, []string{`"a1"`, "gap", `"a2"`, `"a3"`, `"a4"`}, []uuid.UUID{ada})
}

// If nothing was published meanwhile, nothing was missed.
func TestNothingMissed(t *testing.T) {
	for _, o := range []*dashtam.Options{nil, retained, {Retention: true}} {
		r := newRig(t, o, ada)
		r.publish(t, both, ada, "a1")
		r.heard(t, 1)
		r.settle(t)
		r.publish(t, both, ada, "a2")
		r.direct.Publish(ctx, "sse:user:x", "dropped, but heard")
		r.heard(t, 2)
		redistest.Eventually(t, "all three have come", func() error {
			if s := r.bridge.Stats(); s.Received != 3 {
				return fmt.Errorf("%+v", s)
			}
			return nil
		})
		r.outage(t, func() {})
		r.publish(t, both, ada, "a3")
		r.heard(t, 3)
		r.check(t, []string{`"a1"`, `"a2"`, `"a3"`})
	}
}

// What was published to anybody may have been a broadcast, which is retained
// nowhere: everybody is told, before what the streams have.
func TestMissedBroadcast(t *testing.T) {
	r := newRig(t, &dashtam.Options{Retention: true}, ada)
	r.publish(t, both, ada, "a1")
	r.heard(t, 1)
	r.settle(t)
	r.outage(t, func() {
		r.direct.Publish(ctx, "sse:broadcast", "whatever")
		r.publish(t, both, ada, "a2")
	})
	r.heard(t, 3)
	r.check(t, []string{`"a1"`, "gap", `"a2"`}, nil)
}

// PUBLISH is counted in scripts and transactions, too.
func TestMissedInScript(t *testing.T) {
	for _, publish := range [][]any{
		{"EVAL", "return redis.call('PUBLISH', 'sse:broadcast', 'x')", 0},
		{"PUBLISH", "sse:broadcast", "x"},
	} {
		r := newRig(t, nil, ada)
		r.settle(t)
		r.outage(t, func() {
			p := r.direct.TxPipeline()
			p.Do(ctx, publish...)
			if _, err := p.Exec(ctx); err != nil {
				t.Fatal(err)
			}
		})
		r.check(t, []string{"gap"}, nil)
	}
}

func TestWithoutRetentionEverythingIsAGap(t *testing.T) {
	r := newRig(t, &dashtam.Options{NoBroadcasts: true}, ada)
	r.publish(t, both, ada, "a1")
	r.heard(t, 1)
	r.settle(t)
	r.outage(t, func() { r.publish(t, both, ada, "a2") })
	r.check(t, []string{`"a1"`, "gap"}, nil)
}

// Streams that may have lost something since are not complete, and what they
// have is published after the gap.
func TestIncomplete(t *testing.T) {
	key := "sse:stream:user:" + ada.String()
	for name, test := range map[string]struct {
		before, during func(t *testing.T, r *rig)
		want           []string
	}{
		"trimmed": {during: func(t *testing.T, r *rig) {
			r.publish(t, both, ada, "a2")
			r.publish(t, both, ada, "a3")
			r.direct.XTrimMaxLen(ctx, key, 1)
		}, want: []string{`"a1"`, "gap", `"a3"`}},
		"trimmed after it began": {before: func(t *testing.T, r *rig) {
			r.direct.Del(ctx, key)
		}, during: func(t *testing.T, r *rig) {
			r.publish(t, both, ada, "a2")
			r.publish(t, both, ada, "a3")
			r.direct.XTrimMaxLen(ctx, key, 1)
		}, want: []string{`"a1"`, "gap", `"a3"`}},
		// The TTL is set once, so that it takes the newest with it.
		"expired": {during: func(t *testing.T, r *rig) {
			r.publish(t, both, ada, "a2")
			r.direct.Del(ctx, key)
		}, want: []string{`"a1"`, "gap"}},
		"expired and begun again": {during: func(t *testing.T, r *rig) {
			r.publish(t, both, ada, "a2")
			r.direct.Del(ctx, key)
			r.publish(t, both, ada, "a3")
		}, want: []string{`"a1"`, "gap", `"a3"`}},
		"of another type": {during: func(t *testing.T, r *rig) {
			r.publish(t, both, ada, "a2")
			r.direct.Set(ctx, key, "x", 0)
		}, want: []string{`"a1"`, "gap"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, retained, ada)
			r.publish(t, both, ada, "a1")
			r.heard(t, 1)
			if test.before != nil {
				test.before(t, r)
			}
			r.settle(t)
			// The ids of what comes are to be later ones than the checkpoint's.
			<-time.After(5 * time.Millisecond)
			r.outage(t, func() { test.during(t, r) })
			r.heard(t, len(test.want))
			r.check(t, test.want, nil)
		})
	}
}

// A server that was restarted or replaced may have lost anything, whatever it
// still has.
func TestServerRestarted(t *testing.T) {
	r := newRig(t, retained, ada)
	r.publish(t, both, ada, "a1")
	r.heard(t, 1)
	r.settle(t)
	r.direct.Save(ctx)
	r.outage(t, func() {
		r.server.Restart(t)
		r.direct.Publish(ctx, "another", "x") // counts as many as before
	})
	if n := r.direct.DBSize(ctx).Val(); n != 1 {
		t.Errorf("the server has %d keys, want its stream", n)
	}
	r.publish(t, both, ada, "a2")
	r.heard(t, 3)
	r.check(t, []string{`"a1"`, "gap", `"a2"`}, nil)
}

// Entries that are malformed are counted, and do not stop the others.
func TestMalformedEntries(t *testing.T) {
	r := newRig(t, retained, ada)
	r.publish(t, both, ada, "a1")
	r.heard(t, 1)
	r.settle(t)
	key := "sse:stream:user:" + ada.String()
	r.outage(t, func() {
		good := map[string]string{"event_id": "", "event_type": string(posted.Info().Type), "data": `"x"`, "occurred_at": "2026-03-14T15:09:26+00:00"}
		for _, change := range []map[string]string{
			{"data": "not JSON"}, {"data": ""}, {"data": `"x", "user_id": "y"`}, {"event_id": "x"}, {"event_type": ""},
			{"event_type": "chat.message.burned"}, {"occurred_at": "now"}, {"other": "x"},
		} {
			values := []any{}
			for k, v := range good {
				if c, ok := change[k]; ok {
					v = c
				} else if k == "event_id" {
					v = uuid.Must(uuid.NewV7()).String()
				}
				values = append(values, k, v)
			}
			if change["other"] != "" { // a field too many does no harm
				values = append(values, "other", "x")
			}
			if err := r.direct.Do(ctx, append([]any{"XADD", key, "*"}, values...)...).Err(); err != nil {
				t.Fatal(err)
			}
		}
		r.direct.Do(ctx, "XADD", key, "*", "nothing", "of it")
		r.publish(t, both, ada, "a2")
	})
	r.heard(t, 4)
	r.check(t, []string{`"a1"`, "gap", `"x"`, `"a2"`}, []uuid.UUID{ada})
	if d := r.bridge.Stats().Dropped; d[dashtam.DroppedMalformed] != 6 || d[dashtam.DroppedUnknownType] != 2 {
		t.Errorf("dropped %v", d)
	}
}

// A connection on which nothing comes any more is noticed and replaced.
func TestSilentConnection(t *testing.T) {
	r := newRig(t, retained, ada)
	r.publish(t, both, ada, "a1")
	r.heard(t, 1)
	r.settle(t)
	r.proxy.SetSilent(true)
	r.publish(t, both, ada, "a2")
	began := time.Now()
	redistest.Eventually(t, "it is noticed", func() error {
		if r.bridge.Stats().Listening {
			return errors.New("it listens")
		}
		return nil
	})
	if d := time.Since(began); d > 10*time.Second {
		t.Errorf("it was noticed after %v", d)
	}
	r.proxy.SetSilent(false)
	r.heard(t, 3)
	r.check(t, []string{`"a1"`, "gap", `"a2"`}, []uuid.UUID{ada})
}

// Publishers on all sides, and connections that break all the time: every event
// of every user arrives once and in its order.
func TestManyCuts(t *testing.T) {
	const users, each, cuts = 20, 200, 8
	var all []uuid.UUID
	for range users {
		all = append(all, uuid.New())
	}
	r := newRig(t, retained, all...)
	for _, user := range all { // streams that reach back to before the first cut
		r.publish(t, both, user, "begin")
	}
	r.heard(t, users)
	r.settle(t)
	var publishers sync.WaitGroup
	done := make(chan struct{})
	for _, user := range all {
		publishers.Go(func() {
			for i := range each {
				r.publish(t, both, user, fmt.Sprintf("%s %d", user, i))
				<-time.After(10 * time.Millisecond)
			}
		})
	}
	go func() {
		publishers.Wait()
		close(done)
	}()
	for range cuts {
		<-time.After(150 * time.Millisecond)
		r.proxy.Cut()
	}
	<-done
	redistest.Eventually(t, "all have come", func() error {
		if s := r.bridge.Stats(); s.Published < users*(each+1) {
			return fmt.Errorf("%+v", s)
		}
		return nil
	})
	s := r.bridge.Stats()
	t.Logf("%+v", s)
	if s.Published != users*(each+1) || s.Dropped != nil || s.Connections < 2 {
		t.Errorf("%+v", s)
	}
	next := map[string]int{}
	order, gaps := r.hub.told()
	for _, what := range order[users:] {
		if what == "gap" {
			continue
		}
		var user string
		var i int
		if _, err := fmt.Sscanf(what, `"%s %d"`, &user, &i); err != nil {
			t.Fatal(err)
		}
		if i != next[user] {
			t.Fatalf("after %d came %d", next[user]-1, i)
		}
		next[user]++
	}
	for _, complete := range gaps {
		if len(complete) != users {
			t.Errorf("%d of %d users were complete", len(complete), users)
		}
	}
}

// What the Python service retains is read as well as what it publishes.
func TestCatchUpFromPython(t *testing.T) {
	r := newRig(t, retained, ada)
	service := startPython(t, r.server, "publish")
	order := func(text, time string) map[string]any {
		o := map[string]any{"user": ada, "type": posted.Info().Type, "data": text, "retain": true}
		if time != "" {
			o["time"] = time
		}
		return o
	}
	service.tell(t, order("before", ""))
	r.heard(t, 1)
	r.settle(t)
	r.outage(t, func() {
		service.tell(t, order("with microseconds", "2026-03-14T15:09:26.535897+00:00"))
		service.tell(t, order("without", "2026-03-14T15:09:26+00:00"))
		service.tell(t, order("ünïcode", ""))
	})
	service.tell(t, order("after", ""))
	r.heard(t, 6)
	r.check(t, []string{`"before"`, "gap", `"with microseconds"`, `"without"`, `"\u00fcn\u00efcode"`, `"after"`}, []uuid.UUID{ada})
	if s := r.stats(t, 5); s.Dropped != nil || s.Recovered != 3 {
		t.Errorf("%+v", s)
	}
}

// The permissions that the package comment names are enough.
func TestPermissions(t *testing.T) {
	s := redistest.Start(t)
	proxy, err := backplanetest.NewProxy(s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	rule := "~sse:stream:user:* &sse:user:* &sse:broadcast -@all +publish +subscribe +psubscribe +xadd +xrange +xinfo +ttl +expire +eval +evalsha +info +time +ping +hello +auth +select +client"
	args := []any{"ACL", "SETUSER", "app", "on", ">app"}
	for a := range strings.FieldsSeq(rule) {
		args = append(args, a)
	}
	direct := s.Client(t)
	if err := direct.Do(ctx, args...).Err(); err != nil {
		t.Fatal(err)
	}
	c := goredis.NewClient(&goredis.Options{Addr: proxy.Addr(), Username: "app", Password: "app"})
	defer c.Close()
	r := &rig{server: s, proxy: proxy, direct: direct, hub: newHub(ada)}
	r.run(t, c, &dashtam.Options{Retention: true})
	send := func(text string) {
		t.Helper()
		e, err := posted.New(ada, text)
		if err == nil {
			err = r.bridge.Publish(ctx, e)
		}
		if err == nil {
			err = r.bridge.Broadcast(ctx, e)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	send("a1")
	r.heard(t, 2)
	r.settle(t)
	r.outage(t, func() { r.publish(t, both, ada, "a2") })
	send("a3")
	r.heard(t, 6)
	r.check(t, []string{`"a1"`, `all "a1"`, "gap", `"a2"`, `"a3"`, `all "a3"`}, nil)
}
