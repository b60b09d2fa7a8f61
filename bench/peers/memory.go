package main

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/crier-go/crier/bench/internal/machine"
	"github.com/crier-go/crier/bench/internal/reader"
)

// An inMemory is a peer's set of readers without a network: goroutines, or what the peer has in their place, that
// wait for events and tell the tally of each that they get.
type inMemory struct {
	prepare func(it item, user int) any // makes the peer's own type of event, for item.made; nil if it has none
	publish func(it item, user int)     // user is 0 in a fan-out
}

func (m *inMemory) make(seq uint64, user int) item {
	it := newItem(seq)
	if m.prepare != nil {
		it.made = m.prepare(it, user)
	}
	return it
}

// patience is how long a measurement waits for the last delivery before it fails.
const patience = 20 * time.Second

// measureInMemory makes one measurement of a peer without a network.
func measureInMemory(j job) (any, error) {
	p, err := findPeer(j.Peer)
	if err != nil {
		return nil, err
	}
	s, err := findScenario(j.Scenario)
	if err != nil {
		return nil, err
	}
	switch s.kind {
	case encodeEvent:
		return profiled(j.Profile, func() (reply, error) { return measureEncode(p, j.For) })
	case fanOut:
		return profiled(j.Profile, func() (reply, error) { return measureFanout(p, s.size, j.For) })
	case routeEvent:
		return profiled(j.Profile, func() (reply, error) { return measureRoute(p, s.size, j.For) })
	}
	return nil, fmt.Errorf("%s is not measured in memory", s.name)
}

func measureEncode(p peer, length time.Duration) (reply, error) {
	encode, err := p.encode(newItem(1))
	if err != nil {
		return reply{}, err
	}
	encode()
	var before, after runtime.MemStats
	for n := 1000; ; n *= 2 {
		runtime.GC()
		runtime.ReadMemStats(&before)
		begin := time.Now()
		for range n {
			encode()
		}
		took := time.Since(begin)
		if took < length/4 {
			continue
		}
		runtime.ReadMemStats(&after)
		return reply{Window: uint64(n), WindowTime: took, Allocs: after.Mallocs - before.Mallocs}, nil
	}
}

// measureFanout times publishing one event until the last of the sleeping readers has it.
func measureFanout(p peer, readers int, length time.Duration) (reply, error) {
	t := reader.NewTally(patience)
	m, err := p.fanout(readers, t)
	if err != nil {
		return reply{}, err
	}
	var r reply
	for begin, seq := time.Now(), uint64(1); ; seq++ {
		// The readers of the last event go back to sleep; that is not in the time.
		time.Sleep(3 * time.Millisecond)
		it := m.make(seq, 0)
		start, cpu := time.Now(), machine.CPU()
		m.publish(it, 0)
		if err := t.Wait(int(seq) * readers); err != nil {
			return reply{}, err
		}
		if seq <= 2 { // the first events find cold caches and stacks that still have to grow
			begin = time.Now()
			continue
		}
		r.WindowTime += time.Since(start)
		r.WindowCPU += machine.CPU() - cpu
		r.Window += uint64(readers)
		if time.Since(begin) > length {
			return r, nil
		}
	}
}

// measureRoute times publishing events to users at random, a few at a time, until all have arrived.
func measureRoute(p peer, users int, length time.Duration) (reply, error) {
	const perUser = 8 << 10 // the dearest peer's clients take about this much
	need := uint64(users) * perUser
	if free, err := machine.Available(); err == nil && free < need {
		return reply{}, fmt.Errorf("%d users want about %d MB of free memory, more than there is", users, need>>20)
	}
	t := reader.NewTally(patience)
	collect := debug.SetGCPercent(400) // setting up a million clients would be one collection after the other
	m, err := p.route(users, t)
	if err != nil {
		return reply{}, err
	}
	debug.SetGCPercent(collect)
	runtime.GC()
	var (
		random = rand.New(rand.NewPCG(1, 2))
		events [64]item
		to     [len(events)]int
		r      reply
	)
	for begin, sent := time.Now(), uint64(0); time.Since(begin) < length; {
		for i := range events {
			to[i] = random.IntN(users)
			events[i] = m.make(sent+uint64(i)+1, to[i])
		}
		start, cpu := time.Now(), machine.CPU()
		for i := range events {
			m.publish(events[i], to[i])
			sent++
			if time.Since(begin) > length { // where one takes a second, 64 would take a minute
				break
			}
		}
		if err := t.Wait(int(sent)); err != nil {
			return reply{}, err
		}
		r.WindowTime += time.Since(start)
		r.WindowCPU += machine.CPU() - cpu
		r.Window = sent
	}
	return r, nil
}
