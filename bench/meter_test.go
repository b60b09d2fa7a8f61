package bench

import (
	"math"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/crier-go/crier/bench/internal/machine"
)

// A meter reports what a benchmark's loop took for each delivery.
type meter struct {
	b       *testing.B
	mallocs uint64
	cpu     time.Duration
}

// startMeter is called right before the loop.
func startMeter(b *testing.B) *meter {
	b.Helper()
	runtime.GC() // what was set up is no longer garbage that the loop would pay for
	return &meter{b: b, mallocs: mallocs(), cpu: machine.CPU()}
}

// report is called right behind the loop. The time for one turn is left out: it
// depends on how much a turn happens to do.
func (m *meter) report(deliveries int) {
	n := float64(deliveries)
	elapsed := m.b.Elapsed()
	m.b.ReportMetric(float64(elapsed)/n, "ns/delivery")
	m.b.ReportMetric(n/elapsed.Seconds(), "deliveries/s")
	m.b.ReportMetric(float64(mallocs()-m.mallocs)/n, "allocs/delivery")
	m.b.ReportMetric(0, "ns/op")
}

// reportCPU adds the processor time of this process, which is the server's.
func (m *meter) reportCPU(deliveries int) {
	m.b.ReportMetric(float64(machine.CPU()-m.cpu)/float64(deliveries), "cpu-ns/delivery")
}

func mallocs() uint64 {
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return s.Mallocs
}

// A tally counts what readers have received, and wakes who waits for a number
// to be reached. It is the same for all ways, and costs two atomic operations.
type tally struct {
	n, goal atomic.Int64
	reached chan struct{}
	late    *time.Timer // kept, so that waiting allocates nothing
}

func newTally() *tally {
	t := &tally{reached: make(chan struct{}, 1), late: time.NewTimer(patience)}
	t.goal.Store(math.MaxInt64)
	return t
}

// got notes k deliveries to a reader that is about to sleep again.
func (t *tally) got(k int) {
	if t.n.Add(int64(k)) >= t.goal.Load() {
		select {
		case t.reached <- struct{}{}:
		default:
		}
	}
}

// patience is how long is waited for anything before the benchmark fails.
const patience = 30 * time.Second

// wait waits until exactly n have been received in all.
func (t *tally) wait(tb testing.TB, n int) {
	t.goal.Store(int64(n))
	t.late.Reset(patience)
	defer t.late.Stop()
	for t.n.Load() < int64(n) {
		select {
		case <-t.reached:
		case <-t.late.C:
			tb.Fatalf("%d of %d deliveries came within %v", t.n.Load(), n, patience)
		}
	}
	t.goal.Store(math.MaxInt64)
	if got := t.n.Load(); got != int64(n) {
		tb.Fatalf("%d deliveries, want %d: some came twice", got, n)
	}
}
