package bench

import (
	"runtime"
	"testing"
	"time"

	"github.com/crier-go/crier/bench/internal/reader"
)

// A meter reports what a benchmark's loop took for each delivery.
type meter struct {
	b       *testing.B
	mallocs uint64
}

// startMeter must be called right before the loop.
func startMeter(b *testing.B) *meter {
	b.Helper()
	runtime.GC() // so that the loop does not pay for the setup's garbage
	return &meter{b: b, mallocs: mallocs()}
}

// report must be called right after the loop. It does not report ns/op, which
// depends on how much one iteration does.
func (m *meter) report(deliveries int) {
	n := float64(deliveries)
	elapsed := m.b.Elapsed()
	m.b.ReportMetric(float64(elapsed)/n, "ns/delivery")
	m.b.ReportMetric(n/elapsed.Seconds(), "deliveries/s")
	m.b.ReportMetric(float64(mallocs()-m.mallocs)/n, "allocs/delivery")
	m.b.ReportMetric(0, "ns/op")
}

func mallocs() uint64 {
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return s.Mallocs
}

// patience is how long a benchmark waits for anything before it fails.
const patience = 30 * time.Second

// received waits until readers have received exactly n events in all.
func received(tb testing.TB, t *reader.Tally, n int) {
	tb.Helper()
	if err := t.Wait(n); err != nil {
		tb.Fatal(err)
	}
	if got := t.N(); got != n {
		tb.Fatalf("%d deliveries, want %d: some came twice", got, n)
	}
}
