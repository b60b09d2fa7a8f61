package bench

import "testing"

// BenchmarkIdle measures the memory of an idle connection: the growth of a server's
// resident memory, in a process of its own, when clients in another process
// connect, receive one event each, and then are idle. Kernel memory of the sockets
// is not included. heap-B/conn and stack-B/conn are the parts of B/conn that the
// runtime reports.
//
// One iteration is one such pair of processes.
func BenchmarkIdle(b *testing.B) {
	const warm, clients = 200, 2_000 // the first connections pay for what all share
	for _, transport := range transports {
		b.Run("transport="+transport+"/clients="+count(clients), func(b *testing.B) {
			files(b, warm+clients)
			var grown Use
			turns := 0
			for b.Loop() {
				srv := startChild(b, serverRole)
				call := func(method string, reply any) {
					if err := srv.Call(patience, method, nil, reply); err != nil {
						b.Fatal(err)
					}
				}
				var addr string
				call("Addr", &addr)
				c := startClients(b, addr, transport)
				delivered := int64(0)
				idle := func(connections int) (u Use) {
					c.call(b, "Connect", connections, nil)
					call("Broadcast", nil)
					delivered += int64(connections)
					c.call(b, "Await", delivered, nil)
					call("Memory", &u)
					return u
				}
				before := idle(warm)
				after := idle(warm + clients)
				if after.Resident < before.Resident {
					b.Fatalf("the server shrank from %+v to %+v while clients connected", before, after)
				}
				grown.Resident += after.Resident - before.Resident
				grown.Heap += after.Heap - before.Heap
				grown.Stacks += after.Stacks - before.Stacks
				turns++
				c.Stop()
				srv.Stop()
			}
			n := float64(turns * clients)
			b.ReportMetric(float64(grown.Resident)/n, "B/conn")
			b.ReportMetric(float64(grown.Heap)/n, "heap-B/conn")
			b.ReportMetric(float64(grown.Stacks)/n, "stack-B/conn")
			b.ReportMetric(0, "ns/op")
		})
	}
}
