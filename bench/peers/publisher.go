package main

import (
	"fmt"
	"runtime"
	"time"

	"github.com/crier-go/crier/bench/internal/machine"
)

// A publisher runs in the server's process, as an application that uses the library would, and publishes to everyone
// from one goroutine.
type publisher struct {
	board   *board
	target  *target
	clients uint64
	seq     uint64
}

// next makes the next event, in the form that the peer publishes.
func (p *publisher) next() item {
	p.seq++
	return p.make(p.seq)
}

func (p *publisher) make(seq uint64) item {
	it := newItem(seq)
	if p.target.prepare != nil {
		it.made = p.target.prepare(it)
	}
	return it
}

// A mark is the state of the measurement at one moment.
type mark struct {
	at        time.Time
	cpu       time.Duration
	delivered uint64
}

func (p *publisher) mark() mark {
	return mark{time.Now(), machine.CPU(), p.board.Delivered.Load()}
}

// since is the reply for the stretch from m until now.
func (p *publisher) since(m mark) reply {
	n := p.mark()
	return reply{
		Window:     n.delivered - m.delivered,
		WindowTime: n.at.Sub(m.at),
		WindowCPU:  n.cpu - m.cpu,
	}
}

// probe publishes sequence number 0 until so many connections have received one: only then is it known that each is
// subscribed, whatever a peer does between answering a request and adding the client to its list.
func (p *publisher) probe(o order) (reply, error) {
	p.clients = uint64(o.Clients)
	const timeout = 20 * time.Second
	for end := time.Now().Add(timeout); ; {
		p.target.publish(p.make(probeSeq))
		if await(250*time.Millisecond, func() bool { return p.board.Ready.Load() >= p.clients }) {
			return reply{}, nil
		}
		if time.Now().After(end) {
			return reply{}, fmt.Errorf("only %d of %d connections received an event within %v (%d were closed)",
				p.board.Ready.Load(), p.clients, timeout, p.board.Closed.Load())
		}
	}
}

// memory returns what the server holds once all that is garbage is gone.
func (p *publisher) memory(o order) (reply, error) {
	r := reply{Memory: machine.Settled().Resident}
	if o.Profile != "" {
		return r, profileHeap(o.Profile)
	}
	return r, nil
}

// paced publishes at a steady rate, for so long. The measured stretch ends when the last event has arrived everywhere, or when
// nothing more comes.
func (p *publisher) paced(o order) (reply, error) {
	runtime.GC()
	every := time.Duration(float64(time.Second) / o.Rate)
	events := max(1, int(o.For/every))
	begin := p.mark()
	for i := range events {
		time.Sleep(time.Until(begin.at.Add(time.Duration(i) * every)))
		p.target.publish(p.next())
	}
	p.drain(begin.delivered+uint64(events)*p.clients, time.Second)
	r := p.since(begin)
	r.Published = events
	return r, nil
}

// saturate publishes as fast as the clients can follow: at most o.Window events are on their way to the slowest of
// them. Without such a window a peer whose queues are bounded would lose most events, one whose queues are not would
// only fill its memory, and neither would show what it can do. The stretch that counts begins when that state has
// become steady, and ends while the publisher still runs.
func (p *publisher) saturate(o order) (reply, error) {
	runtime.GC()
	window := uint64(o.Window)
	first, base := p.seq, p.board.Delivered.Load()
	var (
		r         reply
		begin     mark
		measuring bool
	)
	start := time.Now()
	slowest := func() uint64 { return min(p.board.MinSeq.Load(), p.seq) } // past p.seq when all are closed
	seen, progress := slowest(), start
	floor := first // what a lossy peer never delivered is given up, or the window would stay shut
	for {
		now := time.Now()
		if s := slowest(); s != seen {
			seen, progress = s, now
		}
		steady := seen >= first+2*window && now.Sub(start) > 300*time.Millisecond
		if !measuring && (steady || now.Sub(start) > 3*time.Second) {
			measuring, begin = true, p.mark()
		}
		if measuring && now.Sub(begin.at) >= o.For {
			r = p.since(begin)
			break
		}
		if p.seq-max(seen, floor) < window {
			p.target.publish(p.next())
			continue
		}
		if now.Sub(progress) > 500*time.Millisecond {
			floor, progress = p.seq, now
		}
		time.Sleep(200 * time.Microsecond)
	}
	r.Published = int(p.seq - first)
	p.drain(base+uint64(r.Published)*p.clients, time.Second)
	return r, nil
}

// burst publishes so many events without a pause and waits until all has arrived. The stretch ends with the last event that did.
// The events are made beforehand.
func (p *publisher) burst(o order) (reply, error) {
	events := make([]item, o.Events)
	for i := range events {
		events[i] = p.next()
	}
	runtime.GC()
	begin := p.mark()
	start := nanos()
	for i := range events {
		p.target.publish(events[i])
	}
	p.drain(begin.delivered+uint64(o.Events)*p.clients, time.Second)
	r := p.since(begin)
	r.Published = o.Events
	r.WindowTime = time.Duration(p.board.LastNanos.Load() - start)
	return r, nil
}

// drain waits until so many deliveries are counted, or until none has come for so long.
func (p *publisher) drain(delivered uint64, quiet time.Duration) {
	seen, progress := uint64(0), time.Now()
	await(time.Minute, func() bool {
		if n := p.board.Delivered.Load(); n != seen {
			seen, progress = n, time.Now()
		}
		return seen >= delivered || time.Since(progress) > quiet
	})
}
