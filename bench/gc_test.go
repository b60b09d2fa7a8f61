package bench

import (
	"runtime"
	"runtime/metrics"
	"testing"
	"time"
)

// BenchmarkGC measures full cycles of the garbage collector with many idle
// subscribers. ns/op is from the beginning to the end of a cycle, ns-pause/cycle
// is how long the program is stopped, and cpu-ns/cycle is the collector's
// processor time. kind=goroutine is a reader with a goroutine, as net/http has it;
// kind=notify has none. Sockets of real streams are not included.
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
			// No stream was closed meanwhile.
			a.tally.Reset()
			a.greet(b, newEvent(b, kinds[0]))
		})
	}
}

func memory() (m runtime.MemStats) {
	runtime.ReadMemStats(&m)
	return m
}

// collectorCPU returns the processor time that the collector has used, including
// time on idle processors, which a busy server would not have.
func collectorCPU() time.Duration {
	s := []metrics.Sample{{Name: "/cpu/classes/gc/total:cpu-seconds"}}
	metrics.Read(s)
	return time.Duration(s[0].Value.Float64() * float64(time.Second))
}
