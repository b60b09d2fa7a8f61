package rig

import (
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/crier-go/crier/bench/internal/child"
	"github.com/crier-go/crier/bench/internal/swarm"
	"github.com/crier-go/crier/bench/load/internal/peer"
)

func TestMain(m *testing.M) {
	child.Main(map[string]child.Role{RoleClients: NewClients})
	// Under the race detector every process sleeps for a second when it ends; the children need not.
	os.Setenv("GORACE", os.Getenv("GORACE")+" atexit_sleep_ms=0")
	os.Exit(m.Run())
}

// An event for a user reaches this user's tabs, one for everyone reaches all,
// and the latency is that since the number's time.
func TestPairDelivers(t *testing.T) {
	for _, c := range []struct {
		peer      int
		transport peer.Transport
	}{{0, peer.SSE}, {1, peer.SSE}, {0, peer.WS}} {
		t.Run(peer.Crier[c.peer].Name+"/"+string(c.transport), func(t *testing.T) {
			const users, tabs = 20, 3
			p, err := Start(&peer.Crier[c.peer], c.transport, swarm.Target{Tabs: tabs, Slowest: true})
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			if err := p.Connect(users * tabs); err != nil {
				t.Fatal(err)
			}
			due := time.Now().Add(-time.Second)
			if _, err := p.StartWindow(due); err != nil {
				t.Fatal(err)
			}
			send := func(number int64, user int) { p.Target.Publish(p.Target.Event(number, 48, user), user) }
			send(due.UnixNano()-1, peer.Everyone) // not in the window
			send(due.UnixNano(), peer.Everyone)
			for user := range users / 2 {
				send(due.UnixNano()+1, user)
			}
			const all, window = 2*users*tabs + users/2*tabs, users*tabs + users/2*tabs
			p.Drain(all)
			if got := p.Delivered.Load(); got != all || p.Disorder.Load() != 0 || p.Closed.Load() != 0 {
				t.Errorf("%d deliveries, %d out of order, %d closed; want %d", got, p.Disorder.Load(), p.Closed.Load(), all)
			}
			if !await(time.Second, func() bool { return p.Slowest.Load() == due.UnixNano() }) {
				t.Errorf("the slowest is at %d, want %d", p.Slowest.Load(), due.UnixNano())
			}
			l, err := p.Latency()
			if err != nil || l.Events != window || math.Abs(l.P99.Seconds()-1) > 0.9 || l.CPU <= 0 {
				t.Errorf("%+v, %v; want %d events of a second", l, err, window)
			}
			if n := p.Target.Gaps(); n != 0 {
				t.Errorf("%d gaps", n)
			}
		})
	}
}

func TestStartRefuses(t *testing.T) {
	if _, err := Start(&peer.Crier[1], peer.WS, swarm.Target{}); err == nil || !strings.Contains(err.Error(), "does not support ws") {
		t.Errorf("lean over WebSocket: %v", err)
	}
}

func TestMachine(t *testing.T) {
	if m, err := Resident(); err != nil || m < 1<<20 {
		t.Errorf("%d bytes are resident, %v", m, err)
	}
	if Available() == 0 || Busy() == 0 {
		t.Errorf("%d bytes are available, processors worked for %v", Available(), Busy())
	}
	if d := Describe(); strings.Contains(d, "unknown") || !strings.Contains(d, "go1.") {
		t.Errorf("the machine is %q", d)
	}
}
