package bench

import (
	"runtime"
	"runtime/metrics"
	"testing"
	"time"
)

// BenchmarkGC measures full cycles of the garbage collector while many
// subscribers are idle. ns/op is from a cycle's begin to its end, while the
// program runs on; ns-pause/cycle is for how long it stood still, and
// cpu-ns/cycle the collector's processor time. kind=goroutine is a reader with
// a goroutine and its stack, as net/http has them; kind=notify one without. The
// sockets of real ones come on top.
func BenchmarkGC(b *testing.B) {
	for _, c := range []struct {
		kind string
		idle int
	}{
		{"none", 0}, {"notify", 100_000}, {"goroutine", 100_000},
	} {
		b.Run("idle="+count(c.idle)+"/kind="+c.kind, func(b *testing.B) {
			needs(b, uint64(c.idle)*perReader)
			h := newHub(b, nil)
			var a *audience
			if c.kind == "goroutine" {
				a = newAudience(b, h, c.idle, everything)
				a.listen(b)
			} else {
				a = notified(b, h, c.idle)
			}
			defer a.close()
			a.greet(b, newEvent(b, kinds[0]))
			runtime.GC()
			before, cpu := memory(), collectorCPU()
			turns := 0
			for b.Loop() {
				runtime.GC()
				turns++
			}
			after := memory()
			cycles := float64(after.NumGC - before.NumGC)
			if int(cycles) < turns {
				b.Fatalf("%v cycles in %d turns", cycles, turns)
			}
			b.ReportMetric(float64(after.PauseTotalNs-before.PauseTotalNs)/cycles, "ns-pause/cycle")
			b.ReportMetric(float64(collectorCPU()-cpu)/cycles, "cpu-ns/cycle")
			b.ReportMetric(float64(after.HeapInuse+after.StackInuse)/(1<<20), "MB")
			if c.idle > 0 {
				b.ReportMetric(float64(after.HeapInuse+after.StackInuse)/float64(c.idle), "B/conn")
			}
			// All that time nobody was lost.
			a.tally.Reset()
			a.greet(b, newEvent(b, kinds[0]))
		})
	}
}

func memory() (m runtime.MemStats) {
	runtime.ReadMemStats(&m)
	return m
}

// collectorCPU returns the processor time that the collector has used, also on
// processors that had nothing else to do: on a busy server they would have.
func collectorCPU() time.Duration {
	s := []metrics.Sample{{Name: "/cpu/classes/gc/total:cpu-seconds"}}
	metrics.Read(s)
	return time.Duration(s[0].Value.Float64() * float64(time.Second))
}
