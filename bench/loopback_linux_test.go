package bench

import (
	"testing"

	"github.com/crier-go/crier/bench/internal/machine"
)

// BenchmarkLoopback measures the whole path: events are broadcast, written to
// sockets, and counted by clients in another process. The next events follow when
// all have arrived. events=1 is one write for each delivery, the most expensive
// case; of 64 in a row, a stream writes several at once.
//
// The clients use the same processors, so deliveries/s is what both can do;
// cpu-ns/delivery is the server's alone. A -cpuprofile shows the server.
func BenchmarkLoopback(b *testing.B) {
	for _, transport := range transports {
		for _, clients := range []int{100, 1_000} {
			for _, events := range []int{1, 64} {
				b.Run("transport="+transport+"/clients="+count(clients)+"/events="+count(events), func(b *testing.B) {
					overLoopback(b, transport, clients, events)
				})
			}
		}
	}
}

func overLoopback(b *testing.B, transport string, clients, events int) {
	files(b, clients)
	srv, err := startServer()
	if err != nil {
		b.Fatal(err)
	}
	defer srv.close()
	c := startClients(b, srv.addr, transport)
	c.call(b, "Connect", clients, nil)
	all := int64(0)
	once := func() {
		for range events {
			if err := srv.broadcast(); err != nil {
				b.Fatal(err)
			}
		}
		all += int64(events * clients)
		c.call(b, "Await", all, nil)
	}
	once()
	warm := all
	m, cpu := startMeter(b), machine.CPU()
	for b.Loop() {
		once()
	}
	cpu = machine.CPU() - cpu
	m.report(int(all - warm))
	b.ReportMetric(float64(cpu)/float64(all-warm), "cpu-ns/delivery")
	c.call(b, "Check", all, nil)
	wantNoGaps(b, srv.hub)
}

// files skips the benchmark if the system does not allow enough open files.
func files(b *testing.B, connections int) {
	b.Helper()
	want := uint64(connections + 200)
	if n := machine.Files(); n < want {
		skip(b, "this wants %d open files; the system allows %d", want, n)
	}
}
