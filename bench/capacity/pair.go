package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/crier-go/crier/bench/internal/child"
	"github.com/crier-go/crier/bench/internal/machine"
	"github.com/crier-go/crier/bench/internal/rig"
	"github.com/crier-go/crier/bench/internal/swarm"
)

// A pair is a server and its clients, each in a process of its own, so that the
// memory and the processor time of one is not taken for the other's.
type pair struct {
	server  rig.Remote
	swarm   swarm.Remote
	tabs    int
	clients int // connected
	base    machine.Use
}

// start starts a pair of processes. They end with ctx at the latest.
func start(ctx context.Context, transport string, tabs int) (_ *pair, err error) {
	p := &pair{tabs: tabs}
	defer func() {
		if err != nil {
			p.stop()
		}
	}()
	if p.server.Process, err = child.Start(ctx, rig.RoleName); err != nil {
		return nil, err
	}
	if p.swarm.Process, err = child.Start(ctx, swarm.RoleName); err != nil {
		return nil, err
	}
	addrs, err := p.server.Addrs()
	if err != nil {
		return nil, err
	}
	return p, p.swarm.Target(swarm.Target{Addrs: addrs, Path: "/" + transport, Tabs: tabs})
}

func (p *pair) stop() {
	if p.swarm.Process != nil {
		p.swarm.Stop()
	}
	if p.server.Process != nil {
		p.server.Stop()
	}
}

// connect makes sure that so many clients are connected.
func (p *pair) connect(clients int, timeout time.Duration) error {
	if clients <= p.clients {
		return nil
	}
	if err := p.swarm.Connect(clients, timeout); err != nil {
		return err
	}
	p.clients = clients
	return nil
}

const (
	connecting = 20 * time.Second // that all clients of a step may take
	settling   = time.Second      // until what has not arrived counts as missing
)

// idle connects clients who have nothing to hear, and returns the memory that
// the server holds for each.
func (p *pair) idle(clients int) (float64, error) {
	const warm = 100 // the first pay for what all share
	if err := p.connect(warm, connecting); err != nil {
		return 0, err
	}
	var err error
	if p.base, err = p.server.Settled(); err != nil {
		return 0, err
	}
	if err := p.connect(warm+clients, connecting); err != nil {
		return 0, err
	}
	use, err := p.server.Settled()
	if err != nil {
		return 0, err
	}
	if use.Resident < p.base.Resident {
		return 0, errors.New("the server shrank while clients connected")
	}
	return float64(use.Resident-p.base.Resident) / float64(clients), nil
}

// A load is what one step asks of a pair.
type load struct {
	users     int
	rate      float64 // events a second, to all users together
	size      int     // bytes of each event's data
	warm, len time.Duration
}

// step serves a load for a while, and reads what it took.
func (p *pair) step(l load) (reading, error) {
	r := reading{Users: l.users, Clients: l.users * p.tabs, Rate: l.rate}
	if err := p.connect(r.Clients, connecting); err != nil {
		return r, err
	}
	cpu, err := p.swarm.CPU()
	if err != nil {
		return r, err
	}
	began := time.Now()
	pace := rig.Pace{
		Users: l.users, Rate: l.rate, Size: l.size, Warm: l.warm, For: l.len,
		Start: began.Add(20 * time.Millisecond).UnixNano(), // by then the request is there
	}
	if err := p.swarm.Since(pace.Measured().UnixNano()); err != nil {
		return r, err
	}
	paced, err := p.server.Pace(pace)
	if err != nil {
		return r, err
	}
	ended := time.Now()
	cpuAfter, err := p.swarm.CPU()
	if err != nil {
		return r, err
	}
	due := pace.Due() * uint64(p.tabs)
	settled, err := p.swarm.Settle(paced.Published*uint64(p.tabs), settling)
	if err != nil {
		return r, err
	}
	if settled.Counts.Disorder > 0 {
		return r, fmt.Errorf("%d events came twice or out of order: that is a mistake in the library", settled.Counts.Disorder)
	}
	if r.Memory, err = p.server.Memory(); err != nil {
		return r, err
	}
	cores := float64(runtime.NumCPU())
	arrived := settled.Counts.Window
	r.Unpublished = pace.Due() - paced.Published
	r.Missing = due - r.Unpublished*uint64(p.tabs) - arrived
	r.Gaps, r.Closed = paced.Gaps, settled.Counts.Closed
	r.P50, r.P99 = settled.Latency.Quantile(0.5), settled.Latency.Quantile(0.99)
	r.Deliveries = float64(arrived) / paced.Wall.Seconds()
	r.Server = paced.CPU.Seconds() / paced.Wall.Seconds() / cores
	r.Swarm = (cpuAfter - cpu).Seconds() / ended.Sub(began).Seconds() / cores
	if arrived > 0 {
		r.Each = paced.CPU / time.Duration(arrived)
	}
	return r, nil
}

// active returns the memory that the server held for each client in a step.
func (p *pair) active(r *reading) float64 {
	if r.Memory <= p.base.Resident || r.Clients == 0 {
		return 0
	}
	return float64(r.Memory-p.base.Resident) / float64(r.Clients)
}
