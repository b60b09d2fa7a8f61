// Package rig runs a server and its clients on one machine: the server in this
// process, which a parent has started for it, and the clients in a child. So
// neither's memory and processor time is taken for the other's.
package rig

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/crier-go/crier/bench/internal/child"
	"github.com/crier-go/crier/bench/internal/machine"
	"github.com/crier-go/crier/bench/internal/swarm"
	"github.com/crier-go/crier/bench/load/internal/peer"
)

// Ports is how many ports a server listens on: enough for as many clients as a
// machine has memory for.
const Ports = 4

const (
	grace      = 10 * time.Second // for an answer that needs no waiting, on a busy machine
	connecting = 30 * time.Second // for all new clients
)

// A Pair is a server in this process and its clients.
type Pair struct {
	*swarm.Board
	Target  *peer.Target
	Clients int // connected

	process *child.Process
}

// Start serves a peer and starts the process of its clients. The caller chooses
// the target's Tabs and Slowest.
func Start(p *peer.Peer, t peer.Transport, to swarm.Target) (_ *Pair, err error) {
	log.SetOutput(io.Discard) // or a peer that logs each dropped event would be measured logging
	setup := p.Setup(t)
	if setup == nil {
		return nil, fmt.Errorf("%s does not support %s", p.Title, t)
	}
	pair := &Pair{}
	if pair.Target, err = setup(); err != nil {
		return nil, err
	}
	path := pair.Target.Path
	if path == "" {
		path = "/"
	}
	to.Request, to.Hello = swarm.Request(path, t == peer.WS), pair.Target.Hello
	srv := &http.Server{Handler: pair.Target.Handler, ErrorLog: log.Default()}
	for range Ports {
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("listening on loopback: %w", err)
		}
		to.Addrs = append(to.Addrs, l.Addr().String())
		go srv.Serve(l) //nolint:errcheck // until the process ends
	}
	file, err := newBoard()
	if err != nil {
		return nil, fmt.Errorf("creating the board: %w", err)
	}
	defer file.Close()
	if pair.Board, err = mapBoard(file); err != nil {
		return nil, err
	}
	if pair.process, err = child.Start(context.Background(), RoleClients, file); err != nil {
		return nil, err
	}
	return pair, pair.process.Call(grace, "Target", to, nil)
}

// Close ends the clients.
func (p *Pair) Close() { p.process.Stop() }

// Connect connects clients until there are total, and publishes probes until
// each has received one: then each is subscribed.
func (p *Pair) Connect(total int) error {
	if total <= p.Clients {
		return nil
	}
	if err := p.process.Call(connecting+grace, "Connect", total, nil); err != nil {
		return err
	}
	for end := time.Now().Add(connecting); ; {
		p.Target.Publish(p.Target.Event(swarm.Probe, peer.TypicalSize, peer.Everyone), peer.Everyone)
		if await(250*time.Millisecond, func() bool { return p.Ready.Load() >= int64(total) }) {
			p.Clients = total
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("%d of %d clients received an event within %v (%d were disconnected)",
				p.Ready.Load(), total, connecting, p.Closed.Load())
		}
	}
}

// IdleMemory connects clients that have received one event, and returns the
// memory that the server holds for each, and in all before they came.
func (p *Pair) IdleMemory(clients int) (each float64, before uint64, err error) {
	const warm = 100 // the first clients pay for what all share
	if err := p.Connect(warm); err != nil {
		return 0, 0, err
	}
	machine.Settle()
	if before, err = Resident(); err != nil {
		return 0, 0, err
	}
	if err := p.Connect(warm + clients); err != nil {
		return 0, 0, err
	}
	machine.Settle()
	after, err := Resident()
	if err == nil && after < before {
		err = errors.New("the server's memory shrank while clients connected")
	}
	return (float64(after) - float64(before)) / float64(clients), before, err
}

// A Mark is the state of a measurement at one moment.
type Mark struct {
	At        time.Time
	Wall, CPU time.Duration // that have passed, and that the server has used
	Delivered int64
}

// Mark returns the present state.
func (p *Pair) Mark() Mark { return Mark{time.Now(), 0, machine.CPU(), p.Delivered.Load()} }

// Since returns what has changed since an earlier mark.
func (p *Pair) Since(m Mark) Mark {
	now := p.Mark()
	return Mark{now.At, now.At.Sub(m.At), now.CPU - m.CPU, now.Delivered - m.Delivered}
}

// Drain waits until so many events have been delivered in all, or until none
// has been for a second.
func (p *Pair) Drain(delivered int64) {
	seen, progress := int64(-1), time.Now()
	await(time.Minute, func() bool {
		if n := p.Delivered.Load(); n != seen {
			seen, progress = n, time.Now()
		}
		return seen >= delivered || time.Since(progress) > time.Second
	})
}

// StartWindow has the clients record the latency of events whose number is at
// least due, in nanoseconds of Unix time. It returns the processor time that
// the clients have used.
func (p *Pair) StartWindow(due time.Time) (used time.Duration, err error) {
	err = p.process.Call(grace, "Since", due.UnixNano(), &used)
	return used, err
}

// Latency returns what the clients have recorded.
func (p *Pair) Latency() (l Latency, err error) {
	err = p.process.Call(grace, "Latency", nil, &l)
	return l, err
}

// await polls until cond returns true, and reports whether it did within the
// timeout. Polling takes a few thousandths of a core, the same for every peer.
func await(timeout time.Duration, cond func() bool) bool {
	for end := time.Now().Add(timeout); !cond(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}
