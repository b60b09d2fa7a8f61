package bench

import (
	"testing"

	"github.com/crier-go/crier/bench/internal/machine"
	"github.com/crier-go/crier/bench/internal/rig"
	"github.com/crier-go/crier/bench/internal/swarm"
)

// BenchmarkIdle measures the memory of an idle connection: by how much the
// resident memory of a server, in a process of its own, grows when clients of
// another process connect, hear one event each, and then are quiet. What the
// kernel holds for its sockets is not in it. Of B/conn, heap-B/conn and
// stack-B/conn are the parts that the runtime can name.
//
// One turn is one such pair of processes.
func BenchmarkIdle(b *testing.B) {
	const warm, clients = 200, 2_000 // the first connections pay for what all share
	for _, transport := range rig.Transports {
		b.Run("transport="+transport+"/clients="+count(clients), func(b *testing.B) {
			files(b, warm+clients)
			var grown machine.Use
			turns := 0
			for b.Loop() {
				srv := rig.Remote{Process: startChild(b, rig.RoleName)}
				addrs, err := srv.Addrs()
				if err != nil {
					b.Fatal(err)
				}
				s := startSwarm(b, swarm.Target{Addrs: addrs, Path: "/" + transport})
				heard := uint64(0)
				idle := func(connections int) machine.Use {
					if err := s.Connect(connections, patience); err != nil {
						b.Fatal(err)
					}
					if err := srv.Broadcast(typical); err != nil {
						b.Fatal(err)
					}
					heard += uint64(connections)
					if err := s.Await(heard, patience); err != nil {
						b.Fatal(err)
					}
					use, err := srv.Settled()
					if err != nil {
						b.Fatal(err)
					}
					return use
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
				s.Stop()
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
