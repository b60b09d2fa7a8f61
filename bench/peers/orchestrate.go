package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/crier-go/crier/bench/internal/child"
)

// A campaign is one run of the benchmark: which scenarios, which peers, how often and how long.
type campaign struct {
	scenarios []scenario
	peers     []peer
	rounds    int
	length    time.Duration // of each measured stretch
	progress  io.Writer
	profiles  string // a directory for CPU profiles of the servers; empty for none
}

// An outcome is what all rounds of one scenario came to for one peer.
type outcome struct {
	peer    peer
	samples []sample
	err     error // of the first round that failed; the peer's later rounds are skipped
}

// A result is one scenario's outcomes, in the order of the peers.
type result struct {
	scenario scenario
	outcomes []outcome
}

// run measures. When the context ends, it returns what there is so far.
func (c *campaign) run(ctx context.Context) []result {
	var results []result
	begin := time.Now()
	for i, s := range c.scenarios {
		r := result{scenario: s}
		for _, p := range c.peers {
			if s.includes(&p) {
				r.outcomes = append(r.outcomes, outcome{peer: p})
			}
		}
		if len(r.outcomes) == 0 {
			continue
		}
		fmt.Fprintf(c.progress, "[%d/%d, %s] %s\n",
			i+1, len(c.scenarios), time.Since(begin).Round(time.Second), s.title)
		rounds := c.rounds
		if s.onceOnly {
			rounds = 1
		}
		for round := range rounds {
			for j := range r.outcomes {
				if round%2 == 1 { // and back again, so that what drifts with time favours nobody
					j = len(r.outcomes) - 1 - j
				}
				c.measure(ctx, &s, &r.outcomes[j], round)
				if ctx.Err() != nil {
					return append(results, r)
				}
			}
		}
		results = append(results, r)
	}
	return results
}

func (c *campaign) measure(ctx context.Context, s *scenario, o *outcome, round int) {
	if o.err != nil {
		return
	}
	m, err := c.once(ctx, s, &o.peer)
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		o.err = err
		fmt.Fprintf(c.progress, "  round %d  %-28s failed: %v\n", round+1, o.peer.title, err)
		return
	}
	o.samples = append(o.samples, m)
	fmt.Fprintf(c.progress, "  round %d  %-28s %12s %s%s\n",
		round+1, o.peer.title, number(m.value), s.unit, remarks(o.samples[len(o.samples)-1:]))
}

// once makes one measurement, with processes of its own.
func (c *campaign) once(ctx context.Context, s *scenario, p *peer) (sample, error) {
	// Whatever happens, nothing of this measurement outlives it.
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	b, file, err := newBoard()
	if err != nil {
		return sample{}, err
	}
	defer b.unmap()
	defer file.Close()

	server, err := child.Start(ctx, roleServer, file)
	if err != nil {
		return sample{}, err
	}
	defer server.Stop()
	if !s.overWire() {
		var r reply
		err := server.Call(2*time.Minute, "measure", job{Peer: p.name, Scenario: s.name, For: c.length, Profile: c.profile(s, p)}, &r)
		return s.read(r), err
	}
	var to clientConfig
	if err := server.Call(20*time.Second, "serve", job{Peer: p.name, Transport: s.transport}, &to); err != nil {
		return sample{}, err
	}
	client, err := child.Start(ctx, roleClient, file)
	if err != nil {
		return sample{}, err
	}
	defer client.Stop()
	if err := client.Call(10*time.Second, "target", to, nil); err != nil {
		return sample{}, err
	}
	r, err := c.drive(s, p, server, client)
	if err != nil {
		return sample{}, err
	}
	if err := client.Call(10*time.Second, "check", nil, nil); err != nil {
		return sample{}, err
	}
	m := s.read(r)
	m.closed, m.disorder = b.Closed.Load(), b.Disorder.Load()
	if want := uint64(r.Published) * uint64(s.size); want > 0 {
		got := b.Delivered.Load()
		if got > want {
			return sample{}, fmt.Errorf("%d deliveries of %d events to %d clients: the count is wrong",
				got, r.Published, s.size)
		}
		m.lost = float64(want-got) / float64(want)
	}
	return m, nil
}

// drive takes server and client through one measurement.
func (c *campaign) drive(s *scenario, p *peer, server, client *child.Process) (r reply, err error) {
	connect := func(n, total int) error {
		if err := client.Call(40*time.Second, "connect", n, nil); err != nil {
			return err
		}
		return server.Call(40*time.Second, "probe", order{Clients: total}, nil)
	}
	if s.kind == idle {
		// The first connections pay for what all of them share.
		const warm = 100
		if err := connect(warm, warm); err != nil {
			return r, err
		}
		var before, after reply
		if err := server.Call(10*time.Second, "memory", order{}, &before); err != nil {
			return r, err
		}
		if err := connect(s.size, warm+s.size); err != nil {
			return r, err
		}
		if err := server.Call(10*time.Second, "memory", order{Profile: c.profile(s, p)}, &after); err != nil {
			return r, err
		}
		if after.Memory < before.Memory {
			return r, errors.New("the server's memory shrank while clients connected")
		}
		return reply{Memory: after.Memory - before.Memory}, nil
	}
	if err := connect(s.size, s.size); err != nil {
		return r, err
	}
	do, with := "paced", order{Rate: pacedRate, For: c.length}
	switch s.kind {
	case saturated:
		do, with = "saturate", order{Window: saturationWindow, For: c.length}
	case burst:
		do, with = "burst", order{Events: burstEvents}
	}
	with.Profile = c.profile(s, p)
	err = server.Call(c.length+90*time.Second, do, with, &r)
	return r, err
}
