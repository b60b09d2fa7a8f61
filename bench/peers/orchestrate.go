package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// A campaign is one run of the benchmark: which scenarios, which peers, how often and how long.
type campaign struct {
	scenarios []scenario
	peers     []peer
	rounds    int
	length    time.Duration // of each measured stretch
	progress  io.Writer
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

	args := []string{"-peer", p.name}
	if s.overWire() {
		args = append(args, "-transport", string(s.transport))
	} else {
		args = append(args, "-scenario", s.name, "-seconds", fmt.Sprint(c.length.Seconds()))
	}
	server, err := start(ctx, file, roleServer, args...)
	if err != nil {
		return sample{}, err
	}
	defer server.stop()
	first, err := server.wait("starting", 2*time.Minute)
	if err != nil {
		return sample{}, err
	}
	if !s.overWire() {
		return s.read(first), nil
	}

	config, err := json.Marshal(first.Connect)
	if err != nil {
		return sample{}, err
	}
	client, err := start(ctx, file, roleClient, string(config))
	if err != nil {
		return sample{}, err
	}
	defer client.stop()
	r, err := c.drive(s, server, client)
	if err != nil {
		return sample{}, err
	}
	if err := client.idle(); err != nil {
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
func (c *campaign) drive(s *scenario, server, client *process) (reply, error) {
	connect := func(n, total int) error {
		if _, err := client.ask(command{Do: doConnect, Clients: n}, 40*time.Second); err != nil {
			return err
		}
		_, err := server.ask(command{Do: doProbe, Clients: total}, 40*time.Second)
		return err
	}
	if s.kind == idle {
		// The first connections pay for what all of them share.
		const warm = 100
		if err := connect(warm, warm); err != nil {
			return reply{}, err
		}
		before, err := server.ask(command{Do: doMemory}, 10*time.Second)
		if err != nil {
			return reply{}, err
		}
		if err := connect(s.size, warm+s.size); err != nil {
			return reply{}, err
		}
		after, err := server.ask(command{Do: doMemory}, 10*time.Second)
		if err != nil {
			return reply{}, err
		}
		if after.Memory < before.Memory {
			return reply{}, errors.New("the server's memory shrank while clients connected")
		}
		return reply{Memory: after.Memory - before.Memory}, nil
	}
	if err := connect(s.size, s.size); err != nil {
		return reply{}, err
	}
	var cmd command
	switch s.kind {
	case paced:
		cmd = command{Do: doPaced, Rate: pacedRate, For: c.length}
	case saturated:
		cmd = command{Do: doSaturate, Window: saturationWindow, For: c.length}
	case burst:
		cmd = command{Do: doBurst, Events: burstEvents}
	}
	return server.ask(cmd, c.length+90*time.Second)
}
