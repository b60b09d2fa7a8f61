package bench

import (
	"context"
	"testing"
	"time"

	"github.com/crier-go/crier/bench/internal/child"
	"github.com/crier-go/crier/bench/internal/machine"
	"github.com/crier-go/crier/bench/internal/rig"
	"github.com/crier-go/crier/bench/internal/swarm"
)

// BenchmarkLoopback is all of it: events are broadcast, written to sockets, and
// counted by clients in another process, which says when all have arrived; only
// then come the next. events=1 is a write for each delivery, the dearest way;
// of 64 in a row, a stream that is being written to finds several at once.
//
// The clients compete for the same processors, so deliveries/s is what both can
// do; cpu-ns/delivery is the server's alone. A -cpuprofile shows the server.
func BenchmarkLoopback(b *testing.B) {
	for _, transport := range rig.Transports {
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
	srv, err := rig.Start(1, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer srv.Close()
	s := startSwarm(b, swarm.Target{Addrs: srv.Addrs, Path: "/" + transport})
	if err := s.Connect(clients, patience); err != nil {
		b.Fatal(err)
	}
	all := uint64(0)
	once := func() {
		for range events {
			e, err := rig.New(0, time.Now(), typical)
			if err != nil {
				b.Fatal(err)
			}
			if err := srv.Hub.Broadcast(context.Background(), e); err != nil {
				b.Fatal(err)
			}
		}
		all += uint64(events * clients)
		if err := s.Await(all, patience); err != nil {
			b.Fatal(err)
		}
	}
	once()
	warm := all
	m := startMeter(b)
	for b.Loop() {
		once()
	}
	m.report(int(all - warm))
	m.reportCPU(int(all - warm))
	settled, err := s.Settle(all, patience)
	if err != nil {
		b.Fatal(err)
	}
	if c := settled.Counts; c.Delivered != all || c.Disorder > 0 || c.Closed > 0 {
		b.Fatalf("%d deliveries were due; the clients count %+v", all, c)
	}
	wantNoGaps(b, srv.Hub)
}

// startSwarm starts clients in a process of their own.
func startSwarm(b *testing.B, t swarm.Target) swarm.Remote {
	b.Helper()
	s := swarm.Remote{Process: startChild(b, swarm.RoleName)}
	if err := s.Target(t); err != nil {
		b.Fatal(err)
	}
	return s
}

func startChild(b *testing.B, role string) *child.Process {
	b.Helper()
	p, err := child.Start(b.Context(), role)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(p.Stop)
	return p
}

// files makes room for so many connections.
func files(b *testing.B, connections int) {
	b.Helper()
	want := uint64(connections + 200)
	if n, err := machine.RaiseFiles(want); err != nil || n < want {
		skip(b, "this wants %d open files; the system allows %d (%v)", want, n, err)
	}
}
