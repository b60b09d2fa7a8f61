package eventlog

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
)

// BenchmarkScale calculates how many appends a second more processors make than this
// machine has. Appends to different logs share one lock and nothing else.
//
// It counts how often a visitor finds the lock taken while one goroutine appends: that
// part of an append's time is spent under the lock (ns-held). What follows from it is
// the throughput of a closed network of n processors, of which each works for a time
// and then visits the lock (mean value analysis; lock times are taken as exponentially
// distributed, which overstates the waiting). M/s@n is for processors that do nothing
// but append, the worst case; M/s@n,10us for 10 us of work to each append, as one
// delivery with its system call takes. measured@2 is what two processors do, for
// comparison with M/s@2.
//
// Left out is that memory gets slower where more processors share it.
func BenchmarkScale(b *testing.B) {
	if runtime.GOMAXPROCS(0) < 2 {
		b.Skip("one processor cannot append and look at the lock at a time")
	}
	for _, logs := range []int{1_000, 100_000} {
		b.Run(fmt.Sprintf("logs=%d", logs), func(b *testing.B) {
			s := newStore(2)
			defer s.Close()
			keys := make([][]Key, logs)
			for i := range keys {
				keys[i] = []Key{numbered(i)}
				for range 2 { // then each append evicts an entry, as in a hub that is full
					appendTo(b, s, i, keys[i]...)
				}
			}
			// The ids cost more than an append.
			ids := make([]uuid.UUID, 1<<12)
			for i := range ids {
				ids[i] = uuid.Must(uuid.NewV7())
			}
			appends := func(random *rand.Rand, n int) {
				for range n {
					item := &Item[int]{ID: ids[random.IntN(len(ids))], Size: 1, Cost: 1, Time: s.config.Now()}
					if _, err := s.Append(item, keys[random.IntN(logs)]); err != nil {
						b.Error(err)
					}
				}
			}
			var over atomic.Bool
			var looking sync.WaitGroup
			taken, looks := 0, 0
			looking.Go(func() {
				random := rand.New(rand.NewPCG(1, 2))
				for ; !over.Load(); looks++ {
					if !s.mu.TryLock() {
						taken++
					} else {
						s.mu.Unlock()
					}
					for range 200 + random.IntN(2000) { // seldom, and never in step
					}
				}
			})
			const atOnce = 1000
			random := rand.New(rand.NewPCG(3, 4))
			n := 0
			for b.Loop() {
				appends(random, atOnce)
				n += atOnce
			}
			each := float64(b.Elapsed()) / float64(n)
			over.Store(true)
			looking.Wait()
			if looks == 0 {
				b.Fatal("nobody has looked at the lock")
			}
			held := each * float64(taken) / float64(looks)

			const half = 300_000
			began := time.Now()
			var both sync.WaitGroup
			for i := range uint64(2) {
				both.Go(func() { appends(rand.New(rand.NewPCG(i, 5)), half) })
			}
			both.Wait()
			measured := 2 * half / float64(time.Since(began))

			b.ReportMetric(each, "ns/append")
			b.ReportMetric(held, "ns-held")
			b.ReportMetric(measured*1e3, "measured@2")
			for _, procs := range []int{2, 8, 32, 128} {
				b.ReportMetric(throughput(procs, held, each-held)*1e3, fmt.Sprintf("M/s@%d", procs))
				b.ReportMetric(throughput(procs, held, 10_000)*1e3, fmt.Sprintf("M/s@%d,10us", procs))
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

// throughput returns how often a nanosecond n processors visit a lock that is held for
// a time, in nanoseconds, if each works for another time between two visits.
func throughput(n int, held, work float64) (x float64) {
	waiting := 0.0 // processors at the lock, on average
	for i := range n {
		response := held * (1 + waiting)
		x = float64(i+1) / (work + response)
		waiting = x * response
	}
	return x
}

// One processor never waits, and many are as fast as the lock.
func TestThroughput(t *testing.T) {
	if got := throughput(1, 100, 900); got != 1.0/1000 {
		t.Errorf("one processor: %g", got)
	}
	if got := throughput(1000, 100, 900) * 100; got < 0.999 || got > 1 {
		t.Errorf("a thousand processors use the lock for %g of the time", got)
	}
	// Two that work as long as the lock is held: none, one and both are at the lock for
	// 1, 2 and 2 fifths of the time, so it is used for four.
	if got, want := throughput(2, 1, 1), 0.8; got < want-1e-9 || got > want+1e-9 {
		t.Errorf("two processors: %g, want %g", got, want)
	}
}
