package debug_test

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/debug"
	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
)

// manyStreams is 100,000, or fewer with the race detector.
var manyStreams = 100_000

func init() {
	if race {
		manyStreams /= 10
	}
}

// A crowd is a hub with many streams of as many users, each with an event, and its
// page.
type crowd struct {
	hub   *hub.Hub
	kind  event.Kind[string]
	page  *debug.Handler
	user  uuid.UUID // one of them
	event uuid.UUID // one of theirs
}

func newCrowd(t testing.TB) crowd {
	t.Helper()
	h, k, d := start(t, &hub.Options{Bytes: int64(manyStreams) * 640}) // an event for each, and hardly more
	c := crowd{hub: h, kind: k, page: d, user: uuid.New()}
	for i := range manyStreams {
		user := uuid.New()
		if i == manyStreams/2 {
			user = c.user
		}
		open(t, h, user, hub.Everything(), "s")
		if e := publish(t, h, k, user, "text"); user == c.user {
			c.event = e.ID()
		}
	}
	return c
}

// views are what costs most of each view.
func (c crowd) views() map[string]string {
	return map[string]string{
		"overview": "",
		"first":    "view=streams",
		"middle":   "view=streams&after=" + strconv.Itoa(manyStreams/2),
		"search":   "view=streams&q=" + c.user.String(),
		"nobody":   "view=streams&q=nobody",
		"json":     "view=streams&q=nobody&format=json",
		"user":     "view=user&user=" + c.user.String(),
		"event":    "view=user&user=" + c.user.String() + "&event=" + c.event.String(),
		"unknown":  "view=user&user=" + c.user.String() + "&event=" + uuid.Must(uuid.NewV7()).String(),
	}
}

// A meanwhile is how long something took, and the longest that a publish and a
// Subscribe took at the same time.
type meanwhile struct{ took, publish, subscribe time.Duration }

// wait publishes and opens streams, one after the other, while do runs.
func (c crowd) wait(t testing.TB, do func()) (m meanwhile) {
	var done atomic.Int64
	go func() {
		began := time.Now()
		do()
		done.Store(int64(time.Since(began)))
	}()
	for done.Load() == 0 {
		began := time.Now()
		publish(t, c.hub, c.kind, uuid.New(), "text") // to a user of whom nothing is known yet
		published := time.Now()
		s, err := c.hub.Subscribe(hub.Request{Session: hub.Session{User: uuid.New(), Allowed: hub.Everything()}, Filter: hub.Everything()})
		if err != nil {
			t.Fatal(err)
		}
		m.publish, m.subscribe = max(m.publish, published.Sub(began)), max(m.subscribe, time.Since(published))
		s.Close()
	}
	m.took = time.Duration(done.Load())
	return m
}

// show makes a view while others publish, and then takes the processor for as long
// without a lock: what a publish and a Subscribe wait for then is the machine's.
func (c crowd) show(t testing.TB, query string) (page, idle meanwhile) {
	page = c.wait(t, func() { get(t, c.page, query) })
	idle = c.wait(t, func() {
		for began := time.Now(); time.Since(began) < page.took; {
		}
	})
	return page, idle
}

// With 100,000 streams open, every view is made in less than 200 ms, and holds no
// lock for long that a publish or a Subscribe needs.
//
// Whatever else the machine does makes single pages slower. What the page does itself
// makes all of them slower: so each view has some attempts, and one has to be good.
func TestManyStreams(t *testing.T) {
	longest, longestWait := 200*time.Millisecond, 10*time.Millisecond
	if race {
		longest *= 10
	}
	c := newCrowd(t)
	for name, query := range c.views() {
		took := time.Hour
		for n := 0; n < 30 && took > longest; n++ {
			began := time.Now()
			get(t, c.page, query)
			took = min(took, time.Since(began))
		}
		if took > longest {
			t.Errorf("%s takes %v at best", name, took)
		}
		var tried []string
		for good := false; !good; {
			page, idle := c.show(t, query)
			good = page.publish <= longestWait+2*idle.publish && page.subscribe <= longestWait+2*idle.subscribe
			tried = append(tried, fmt.Sprintf("%v and %v, without the page %v and %v", page.publish, page.subscribe, idle.publish, idle.subscribe))
			if len(tried) == 10 && !good {
				t.Errorf("%s: too slow are a publish and a Subscribe meanwhile: %s", name, strings.Join(tried, "; "))
				break
			}
		}
		t.Logf("%s: %v; a publish and a Subscribe meanwhile: at most %s", name, took, tried[len(tried)-1])
	}
}

// BenchmarkLocks makes each view of a hub with 100,000 streams. It reports, in
// microseconds, the longest that a publish and a Subscribe take meanwhile, as the
// median of some pages; "idle" is the same while the processor is taken for as long
// without any lock.
func BenchmarkLocks(b *testing.B) {
	c := newCrowd(b)
	views := c.views()
	for _, name := range slices.Sorted(maps.Keys(views)) {
		b.Run(name, func(b *testing.B) {
			all := map[string][]time.Duration{}
			for b.Loop() {
				page, idle := c.show(b, views[name])
				for unit, d := range map[string]time.Duration{
					"us-page": page.took, "us-publish": page.publish, "us-subscribe": page.subscribe,
					"us-publish-idle": idle.publish, "us-subscribe-idle": idle.subscribe,
				} {
					all[unit] = append(all[unit], d)
				}
			}
			b.ReportMetric(0, "ns/op")
			for unit, times := range all {
				slices.Sort(times)
				b.ReportMetric(float64(times[len(times)/2].Microseconds()), unit)
			}
		})
	}
}
