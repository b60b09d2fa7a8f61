package bench

import (
	"context"
	"math/rand/v2"
	"runtime"
	"runtime/metrics"
	"sync/atomic"
	"testing"
	"time"

	"github.com/crier-go/crier/bench/internal/rig"
	"github.com/crier-go/crier/hub"
)

// BenchmarkUnderLock finds out what a publish does while it holds the lock that
// numbers and appends, without a look inside: it publishes to users who do not
// listen, by turns a retained event and an ephemeral one to users who have no
// log. The latter does all that the former does, from the look-up to the lock,
// but it appends nothing. So ns-under-lock/publish is the difference; it is an
// upper bound, since to look up what is not there is a little quicker.
//
// hot=64 turns among 64 users, whose memory is warm; hot=all takes any of them.
// With idle readers, so many others listen and sleep meanwhile: the lock must
// not notice.
func BenchmarkUnderLock(b *testing.B) {
	for _, c := range []struct {
		users, hot, readers int
	}{
		{1_000, 64, 0}, {1_000, 1_000, 0}, {1_000, 1_000, 100_000},
		{1_000_000, 64, 0}, {1_000_000, 1_000_000, 0},
	} {
		hot := "all"
		if c.hot < c.users {
			hot = count(c.hot)
		}
		b.Run("users="+count(c.users)+"/hot="+hot+"/idle-readers="+count(c.readers), func(b *testing.B) {
			needs(b, uint64(c.users)*2<<10+uint64(c.readers)*2<<10)
			// Two events for each: every publish pushes out an old one, as in a
			// hub that has run for a while.
			h := newHub(b, &hub.Options{UserEvents: 2, Bytes: 8 << 30})
			e := newEvent(b, kinds[0])
			nothing, err := typing.New(rig.User(0), payload(typical))
			if err != nil {
				b.Fatal(err)
			}
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
			random := rand.New(rand.NewPCG(1, 2))
			const turn = 256
			var retained, ephemeral time.Duration
			turns := 0
			runtime.GC()
			for b.Loop() {
				began := time.Now()
				for range turn {
					publishTo(b, h, e, random.IntN(c.hot))
				}
				between := time.Now()
				for range turn {
					publishTo(b, h, nothing, c.users+random.IntN(c.hot))
				}
				ended := time.Now()
				retained += between.Sub(began)
				ephemeral += ended.Sub(between)
				turns++
			}
			n := float64(turns * turn)
			b.ReportMetric(float64(retained)/n, "ns/publish")
			b.ReportMetric(float64(retained-ephemeral)/n, "ns-under-lock/publish")
			b.ReportMetric(0, "ns/op")
			if st := h.Stats(); st.Retained != 2*c.users || st.Published != uint64(2*(c.users+turns*turn)) {
				b.Fatalf("of %d publishes, %d arrived; %d events are retained, want %d",
					2*(c.users+turns*turn), st.Published, st.Retained, 2*c.users)
			}
		})
	}
}

// BenchmarkPublishParallel publishes from many goroutines at once. Lock waits
// are what the runtime counts as blocked on mutexes, of all kinds, in the whole
// process; it does not count spinning.
func BenchmarkPublishParallel(b *testing.B) {
	e := newEvent(b, kinds[0])
	b.Run("to=user", func(b *testing.B) {
		const users = 1000
		h := newHub(b, nil)
		a := newAudience(b, h, users, everything)
		a.listen(b)
		defer a.close()
		var next atomic.Int64
		inParallel(b, a.tally, 1, func() error {
			return h.PublishTo(context.Background(), e, rig.User(int(next.Add(1)%users)))
		})
		wantNoGaps(b, h)
	})
	b.Run("to=user-not-listening", func(b *testing.B) {
		const users = 1000
		h := newHub(b, nil)
		var next atomic.Int64
		inParallel(b, nil, 0, func() error {
			return h.PublishTo(context.Background(), e, rig.User(int(next.Add(1)%users)))
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
		inParallel(b, a.tally, readers, paced(a.tally, readers, func() error { return h.Broadcast(context.Background(), e) }))
		wantNoGaps(b, h)
	})
}

// paced keeps publishers from being further ahead of readers than a log is
// long. That would lose nothing silently, but the gaps would be measured.
func paced(t *tally, perPublish int, publish func() error) func() error {
	var published atomic.Int64
	const window = 4096
	return func() error {
		for n := published.Add(1); n-t.n.Load()/int64(perPublish) > window; {
			runtime.Gosched()
		}
		return publish()
	}
}

// inParallel measures publishing from eight goroutines for each processor,
// until each publish has made so many deliveries.
func inParallel(b *testing.B, t *tally, perPublish int, publish func() error) {
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
		t.wait(b, b.N*perPublish) // the last of them: part of the time
	}
	b.ReportMetric(float64(lockWait()-waited)/float64(b.N), "ns-lock-wait/op")
	if perPublish > 0 {
		b.ReportMetric(float64(b.Elapsed())/float64(b.N*perPublish), "ns/delivery")
	}
}

// lockWait returns for how long goroutines have been blocked on mutexes.
func lockWait() time.Duration {
	sample := []metrics.Sample{{Name: "/sync/mutex/wait/total:seconds"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindFloat64 {
		return 0
	}
	return time.Duration(sample[0].Value.Float64() * float64(time.Second))
}
