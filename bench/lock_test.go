package bench

import (
	"context"
	"math/rand/v2"
	"runtime"
	"runtime/metrics"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/crier-go/crier/bench/internal/reader"
	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
)

// BenchmarkLock estimates, from outside, how long a publish holds the lock that
// orders publishes. While one goroutine publishes, another visits the lock: it
// publishes an ephemeral event to a user without streams, which takes the lock and
// appends nothing. ns-wait/visit is how much longer a visit takes than without a
// publisher, and %-waiting is the part of visits that took over a microsecond. Both
// grow with the time that the lock is held. Compare them with each other only: part
// of them is that two processors share memory.
//
// hot=64 publishes to 64 users, whose memory is in the cache; hot=all to any user.
// idle-readers is the number of sleeping streams of other users, which must not matter.
// Publishing to many users holds the lock longest.
func BenchmarkLock(b *testing.B) {
	for _, c := range []struct {
		users, hot, readers, atOnce int
	}{
		{1_000, 64, 0, 1}, {1_000, 1_000, 0, 1}, {1_000, 1_000, 100_000, 1}, {1_000, 1_000, 0, 1_000},
		{1_000_000, 64, 0, 1}, {1_000_000, 1_000_000, 0, 1}, {1_000_000, 1_000_000, 0, 1_000},
	} {
		hot := "all"
		if c.hot < c.users {
			hot = count(c.hot)
		}
		name := "users=" + count(c.users) + "/hot=" + hot + "/at-once=" + count(c.atOnce) + "/idle-readers=" + count(c.readers)
		b.Run(name, func(b *testing.B) {
			needs(b, uint64(c.users)*2<<10+uint64(c.readers)*2<<10)
			if runtime.GOMAXPROCS(0) < 2 {
				skip(b, "one processor cannot publish and visit at a time")
			}
			// Two events for each user: then every publish evicts an old event, as in a hub
			// that has run for a while.
			h := newHub(b, &hub.Options{UserEvents: 2, Bytes: 8 << 30})
			e := newEvent(b, kinds[0])
			for range 2 {
				for user := range c.users {
					publishTo(b, h, e, user)
				}
			}
			for i := range c.readers {
				s := subscribe(b, h, -1-i, hub.Everything(), func() {})
				defer s.Close()
				if _, err := s.Take(nil); err != nil {
					b.Fatal(err)
				}
			}
			v := newVisitor(b, h)
			alone := v.during(func() { time.Sleep(20 * time.Millisecond) })
			random := rand.New(rand.NewPCG(1, 2))
			to := make([]hub.Audience, c.atOnce)
			published := 0
			var busy visits
			runtime.GC()
			for b.Loop() {
				busy.add(v.during(func() {
					for range max(1, 4096/c.atOnce) {
						for i := range to {
							to[i] = hub.User(userID(random.IntN(c.hot)))
						}
						if err := h.PublishTo(context.Background(), e, to...); err != nil {
							b.Fatal(err)
						}
						published++
					}
				}))
			}
			b.ReportMetric(float64(b.Elapsed())/float64(published*c.atOnce), "ns/user")
			b.ReportMetric(busy.mean()-alone.mean(), "ns-wait/visit")
			b.ReportMetric(100*float64(busy.waited)/float64(busy.n), "%-waiting")
			b.ReportMetric(0, "ns/op")
			want := uint64(2*c.users+published) + uint64(alone.n+busy.n)
			if st := h.Stats(); st.Retained != 2*c.users || st.Published != want {
				b.Fatalf("of %d publishes, %d arrived; %d events are retained, want %d", want, st.Published, st.Retained, 2*c.users)
			}
		})
	}
}

// A visitor takes a hub's lock for a moment.
type visitor struct {
	tb   testing.TB
	hub  *hub.Hub
	none *event.Event // ephemeral
}

func newVisitor(tb testing.TB, h *hub.Hub) *visitor {
	e, err := typing.New(userID(1<<30), payload(typical))
	if err != nil {
		tb.Fatal(err)
	}
	return &visitor{tb, h, e}
}

// Visits are how long some visits took.
type visits struct {
	n, waited int
	took      time.Duration
}

func (v *visits) add(w visits) { v.n, v.waited, v.took = v.n+w.n, v.waited+w.waited, v.took+w.took }

func (v *visits) mean() float64 { return float64(v.took) / float64(max(v.n, 1)) }

// during visits the lock repeatedly while f runs.
func (v *visitor) during(f func()) (all visits) {
	var over atomic.Bool
	var visiting sync.WaitGroup
	visiting.Go(func() {
		for !over.Load() {
			began := time.Now()
			if err := v.hub.Publish(context.Background(), v.none); err != nil {
				v.tb.Error(err)
				return
			}
			took := time.Since(began)
			all.n++
			if took > time.Microsecond {
				all.waited++
			}
			const descheduled = 20 * time.Microsecond // after longer the visitor was not running
			all.took += min(took, descheduled)
			for range 20 { // a pause between visits
				runtime.Gosched()
			}
		}
	})
	f()
	over.Store(true)
	visiting.Wait()
	return all
}

// BenchmarkPublishParallel publishes from many goroutines at once. The lock wait is
// what the runtime counts as blocked on any mutex of the process; it does not count
// spinning.
func BenchmarkPublishParallel(b *testing.B) {
	e := newEvent(b, kinds[0])
	b.Run("to=user", func(b *testing.B) {
		const users = 1000
		h := newHub(b, nil)
		a := newAudience(b, h, users, everything)
		a.listen(b)
		defer a.close()
		var next atomic.Int64
		inParallel(b, a.tally, 1, paced(a.tally, 1, 500, func() error {
			return h.PublishTo(context.Background(), e, hub.User(userID(int(next.Add(1)%users))))
		}))
		wantNoGaps(b, h)
	})
	b.Run("to=user-not-listening", func(b *testing.B) {
		const users = 1000
		h := newHub(b, nil)
		var next atomic.Int64
		inParallel(b, nil, 0, func() error {
			return h.PublishTo(context.Background(), e, hub.User(userID(int(next.Add(1)%users))))
		})
		if got := h.Stats().Published; got != uint64(next.Load()) {
			b.Fatalf("%d of %d events were published", got, next.Load())
		}
	})
	b.Run("to=everyone", func(b *testing.B) {
		const readers = 100
		h := newHub(b, nil)
		a := newAudience(b, h, readers, everything)
		a.listen(b)
		defer a.close()
		inParallel(b, a.tally, readers, paced(a.tally, readers, 8192, func() error { return h.Broadcast(context.Background(), e) }))
		wantNoGaps(b, h)
	})
}

// paced limits publishers so that no reader falls behind and gets a gap. The tally
// counts all readers together, so the limit must hold even if one reader is behind
// by all of it: half of what a hub retains for a user, or for everyone.
func paced(t *reader.Tally, readers, missing int, publish func() error) func() error {
	var published atomic.Int64
	return func() error {
		for n := int(published.Add(1)) * readers; n-t.N() > missing; {
			runtime.Gosched()
		}
		return publish()
	}
}

// inParallel measures publishing from eight goroutines for each processor, until
// all deliveries are made.
func inParallel(b *testing.B, t *reader.Tally, perPublish int, publish func() error) {
	runtime.GC()
	b.SetParallelism(8)
	b.ReportAllocs()
	waited := lockWait()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := publish(); err != nil {
				b.Error(err)
				return
			}
		}
	})
	if t != nil {
		received(b, t, b.N*perPublish) // waiting for the last is part of the time
	}
	b.ReportMetric(float64(lockWait()-waited)/float64(b.N), "ns-lock-wait/op")
	if perPublish > 0 {
		b.ReportMetric(float64(b.Elapsed())/float64(b.N*perPublish), "ns/delivery")
	}
}

// lockWait returns how long goroutines have been blocked on mutexes.
func lockWait() time.Duration {
	sample := []metrics.Sample{{Name: "/sync/mutex/wait/total:seconds"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindFloat64 {
		return 0
	}
	return time.Duration(sample[0].Value.Float64() * float64(time.Second))
}
