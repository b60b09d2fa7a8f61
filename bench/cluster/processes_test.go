//go:build unix

package cluster

import (
	"fmt"
	"testing"

	"github.com/crier-go/crier/hub"
)

// BenchmarkProcesses is what a record costs all processes together, from Publish
// until each has applied it. The hubs are in one process of the operating system
// and have a connection each, so that what grows from one line to the next is
// what a further process costs. An embedded server's own work is in it.
func BenchmarkProcesses(b *testing.B) {
	engines(b, func(b *testing.B, engineOf func(*testing.B) engine) {
		for _, n := range []int{1, 2, 4, 8} {
			b.Run(fmt.Sprint("n=", n), func(b *testing.B) {
				e := engineOf(b)
				var hubs []*hub.Hub
				for range n {
					hubs = append(hubs, open(b, e.connect(b)))
				}
				before := cpu(b)
				b.ResetTimer()
				fill(b, hubs[0], b.N)
				for _, h := range hubs {
					applied(b, h, uint64(b.N))
				}
				b.StopTimer()
				b.ReportMetric(float64(cpu(b)-before)/float64(b.N), "cpu-ns/record")
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
				b.ReportMetric(0, "ns/op")
			})
		}
	})
}
