package peers

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"testing"
	"time"

	"github.com/crier-go/crier/bench/internal/machine"
	"github.com/crier-go/crier/bench/internal/reader"
	"github.com/crier-go/crier/bench/internal/swarm"
	"github.com/crier-go/crier/bench/load/internal/peer"
	"github.com/crier-go/crier/bench/load/internal/rig"
)

// A Server is the receiver of the process that has the peer which is measured.
type Server struct{}

// A Job is one measurement.
type Job struct {
	Peer, Scenario string
	Size           int // clients, readers or users
	Length         time.Duration
	Profile        string // a file for a CPU profile, or a heap profile of idle connections; empty for none
}

// A Sample is the result of a measurement: one round of one scenario for one peer.
type Sample struct {
	Value    float64 // in the scenario's unit
	Extra    float64 // in the unit of the scenario's second column
	Lost     float64 // the part of all deliveries that did not arrive, 0 to 1
	Closed   int64   // connections that the server closed
	Disorder int64   // events that came twice or out of order
}

// Measure makes one measurement.
func (Server) Measure(j Job, m *Sample) error {
	p, err := find(j.Peer)
	if err != nil {
		return err
	}
	s, err := findScenario(j.Scenario)
	if err != nil {
		return err
	}
	switch s.kind {
	case encode:
		return profiled(j.Profile, func() error { return measureEncode(&p, m) })
	case fanOut, route:
		return profiled(j.Profile, func() error { return measureInMemory(&p, s.kind == route, j.Size, j.Length, m) })
	}
	pair, err := rig.Start(&p, s.transport, swarm.Target{Slowest: true})
	if err != nil {
		return err
	}
	defer pair.Close()
	if s.kind == idle {
		each, _, err := pair.IdleMemory(j.Size)
		if m.Value = each / 1024; err != nil || j.Profile == "" {
			return err
		}
		return create(j.Profile, func(f *os.File) error { return pprof.Lookup("heap").WriteTo(f, 0) })
	}
	if err := pair.Connect(j.Size); err != nil {
		return err
	}
	pub := publisher{pair, 0}
	runtime.GC()
	err = profiled(j.Profile, func() error {
		map[*kind]func(time.Duration, *Sample){paced: pub.paced, saturated: pub.saturate, burst: pub.burst}[s.kind](j.Length, m)
		return nil
	})
	m.Closed, m.Disorder = pair.Closed.Load(), pair.Disorder.Load()
	due, got := pub.due(), pair.Delivered.Load()
	if got > due {
		return fmt.Errorf("%d deliveries of %d events to %d clients: the count is wrong", got, pub.number, pair.Clients)
	}
	m.Lost = float64(due-got) / float64(due)
	return err
}

// create creates a file and writes it.
func create(file string, write func(*os.File) error) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer f.Close()
	return write(f)
}

// profiled makes a measurement and writes its CPU profile, which costs some percent, to the file.
func profiled(file string, measure func() error) error {
	if file == "" {
		return measure()
	}
	return create(file, func(f *os.File) error {
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
		return measure()
	})
}

// A publisher publishes to everyone from one goroutine, as an application does.
type publisher struct {
	*rig.Pair
	number int64 // of the newest event
}

func (p *publisher) next() peer.Item {
	p.number++
	return p.Target.Event(p.number, peer.TypicalSize, peer.Everyone)
}

// due returns how many deliveries there must be of all that was published.
func (p *publisher) due() int64 { return p.number * int64(p.Clients) }

// read turns what has changed since a mark into a sample: deliveries a second, and CPU for each.
func (p *publisher) read(m *Sample, begin rig.Mark) {
	d := p.Since(begin)
	m.Value = float64(d.Delivered) / d.Wall.Seconds()
	m.Extra = d.CPU.Seconds() * 1e6 / float64(max(d.Delivered, 1))
}

// paced publishes at a steady rate. It measures until the last event has arrived everywhere, or nothing more arrives.
func (p *publisher) paced(length time.Duration, m *Sample) {
	const every = time.Second / pacedRate
	begin := p.Mark()
	for i := range max(1, length/every) {
		time.Sleep(time.Until(begin.At.Add(i * every)))
		p.Target.Publish(p.next(), peer.Everyone)
	}
	p.Drain(p.due())
	p.read(m, begin)
	m.Value, m.Extra = m.Extra, 0
}

// saturate publishes as fast as the clients follow: at most saturationWindow events are on their way to the slowest of
// them. Without the window a peer with bounded queues would lose most events, and one with unbounded queues would only
// fill its memory. It measures from when this state is steady, and ends while it still publishes.
func (p *publisher) saturate(length time.Duration, m *Sample) {
	var begin rig.Mark
	start := time.Now()
	slowest := func() int64 { return min(p.Slowest.Load(), p.number) } // beyond number when all are closed
	seen, progress := slowest(), start
	given := int64(0) // events up to here are given up: they are lost, or the window would stay shut
	for measuring := false; ; {
		now := time.Now()
		if s := slowest(); s != seen {
			seen, progress = s, now
		}
		steady := seen >= 2*saturationWindow && now.Sub(start) > 300*time.Millisecond
		if !measuring && (steady || now.Sub(start) > 3*time.Second) {
			measuring, begin = true, p.Mark()
		}
		if measuring && now.Sub(begin.At) >= length {
			break
		}
		if p.number-max(seen, given) < saturationWindow {
			p.Target.Publish(p.next(), peer.Everyone)
			continue
		}
		if now.Sub(progress) > 500*time.Millisecond {
			given, progress = p.number, now
		}
		time.Sleep(200 * time.Microsecond)
	}
	p.read(m, begin)
	p.Drain(p.due())
}

// burst publishes events that it has made before, without a pause. It measures until the last of them has arrived.
func (p *publisher) burst(_ time.Duration, m *Sample) {
	events := make([]peer.Item, burstEvents)
	for i := range events {
		events[i] = p.next()
	}
	runtime.GC()
	begin := p.Mark()
	for i := range events {
		p.Target.Publish(events[i], peer.Everyone)
	}
	p.Drain(p.due())
	p.read(m, begin)
	m.Value = float64(p.Delivered.Load()) / time.Unix(0, p.Last.Load()).Sub(begin.At).Seconds()
}

func measureEncode(p *peer.Peer, m *Sample) error {
	encode, err := p.Encode(peer.NewItem(1, peer.TypicalSize))
	if err != nil {
		return err
	}
	r := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			encode()
		}
	})
	m.Value, m.Extra = float64(r.T)/float64(r.N), float64(r.MemAllocs)/float64(r.N)
	return nil
}

// measureInMemory times publishing until the last of the sleeping readers has what is meant for it: one event for all
// of them, or 64 events for users at random.
func measureInMemory(p *peer.Peer, routed bool, readers int, length time.Duration, m *Sample) error {
	const perReader = 8 << 10 // bytes, for the peer that takes most
	if free := rig.Available(); free > 0 && free < uint64(readers)*perReader {
		return fmt.Errorf("%d users take about %d MB of memory, and only %d MB are free", readers, readers*perReader>>20, free>>20)
	}
	setup, batch, perEvent, warm, pause := p.Fanout, 1, readers, 2, 3*time.Millisecond // in the pause readers go back to sleep
	if routed {
		setup, batch, perEvent, warm, pause = p.Route, 64, 1, 0, 0
	}
	t := reader.NewTally(20 * time.Second)
	gc := debug.SetGCPercent(400) // setting up a million clients would be one collection after the other
	target, err := setup(readers, t)
	if err != nil {
		return err
	}
	debug.SetGCPercent(gc)
	runtime.GC()
	random := rand.New(rand.NewPCG(1, 2))
	events, to := make([]peer.Item, batch), make([]int, batch)
	var wall, cpu time.Duration
	measured := 0
	for begin, sent := time.Now(), 0; measured == 0 || time.Since(begin) < length; {
		time.Sleep(pause)
		for i := range events {
			if to[i] = peer.Everyone; routed {
				to[i] = random.IntN(readers)
			}
			events[i] = target.Event(int64(sent+i+1), peer.TypicalSize, to[i])
		}
		start, used, before := time.Now(), machine.CPU(), sent
		for i := range events {
			target.Publish(events[i], to[i])
			if sent++; time.Since(begin) > length { // where one takes a second, 64 would take a minute
				break
			}
		}
		if err := t.Wait(sent * perEvent); err != nil {
			return err
		}
		if sent <= warm { // caches are cold, and stacks have to grow
			begin = time.Now()
			continue
		}
		wall, cpu, measured = wall+time.Since(start), cpu+machine.CPU()-used, measured+(sent-before)*perEvent
	}
	m.Value, m.Extra = float64(wall)/float64(measured), float64(cpu)/float64(measured)
	return nil
}
