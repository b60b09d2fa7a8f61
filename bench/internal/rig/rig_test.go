package rig

import (
	"testing"
	"time"

	"github.com/crier-go/crier/bench/internal/swarm"
)

const patience = 20 * time.Second

// Whatever is published reaches a swarm's clients on every transport: each
// event its own user's tabs, a broadcast everyone.
func TestDelivery(t *testing.T) {
	for _, transport := range Transports {
		t.Run(transport, func(t *testing.T) {
			srv, err := Start(2, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer srv.Close()
			const users, tabs = 20, 3
			s, err := swarm.New(swarm.Target{Addrs: srv.Addrs, Path: "/" + transport, Tabs: tabs})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if err := s.Connect(users*tabs, patience); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if err := srv.Broadcast(100); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.Await(2*users*tabs, patience); err != nil {
				t.Fatal(err)
			}
			p := Pace{Users: users, Rate: 2000, Size: 300, Start: time.Now().UnixNano(), Warm: 50 * time.Millisecond, For: 100 * time.Millisecond}
			s.Since(p.Measured().UnixNano())
			paced, err := p.Run(srv.Hub)
			if err != nil {
				t.Fatal(err)
			}
			// A busy machine may not keep the pace; what is published arrives.
			if p.Due() != 200 || paced.Published == 0 || paced.Published > p.Due() || paced.Gaps != 0 {
				t.Errorf("published: %+v, want at most %d", paced, p.Due())
			}
			c, latency := s.Settle(paced.Published*tabs, patience)
			if c.Window != paced.Published*tabs || latency.Total != c.Window {
				t.Errorf("%d deliveries, %d latencies; want %d", c.Window, latency.Total, paced.Published*tabs)
			}
			if c.Disorder != 0 || c.Closed != 0 || c.Clients != users*tabs {
				t.Errorf("the clients' numbers: %+v", c)
			}
			if streams := srv.Hub.Stats().Streams; streams["sse"]+streams["ws"] != users*tabs {
				t.Errorf("the hub's streams: %v, want %d", streams, users*tabs)
			}
		})
	}
}

func TestNew(t *testing.T) {
	for _, size := range []int{0, 150, 2048} {
		e, err := New(1, time.Now(), size)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(e.Data()); n != size && size > 0 {
			t.Errorf("an event of %d bytes has %d", size, n)
		}
		if got := string(e.Data()[:len(swarm.Stamp)]); got != swarm.Stamp {
			t.Errorf("the data begins with %q, want %q", got, swarm.Stamp)
		}
	}
}
