package main

import (
	"fmt"
	"runtime"
	"time"

	"github.com/crier-go/crier/bench/internal/swarm"
	"github.com/crier-go/crier/bench/load/internal/peer"
	"github.com/crier-go/crier/bench/load/internal/report"
	"github.com/crier-go/crier/bench/load/internal/rig"
)

// roleServer is the role of the server's process.
const roleServer = "server"

// A Server is the receiver of the server's process.
type Server struct {
	pair   *rig.Pair
	tabs   int
	before uint64 // resident memory before the idle clients came
}

// A Service says what the server serves.
type Service struct {
	Peer      int // of peer.Crier
	Transport peer.Transport
	Tabs      int // connections of each user
}

// Serve starts to serve.
func (s *Server) Serve(to Service, _ *struct{}) (err error) {
	s.tabs = to.Tabs
	s.pair, err = rig.Start(&peer.Crier[to.Peer], to.Transport, swarm.Target{Tabs: to.Tabs})
	return err
}

// Idle connects idle clients and returns the memory that the server holds for each in bytes.
func (s *Server) Idle(clients int, each *float64) (err error) {
	*each, s.before, err = s.pair.IdleMemory(clients)
	return err
}

// A Load is what one step asks of the server: events at a steady rate, each to one user; users take turns.
type Load struct {
	Users int
	Rate  float64 // events a second, to all users together
	Size  int     // bytes of an event's data
}

const (
	warming   = 300 * time.Millisecond // nothing is measured
	measuring = time.Second
)

// A Reading is the result of one step.
type Reading struct {
	Users, Clients int
	Rate           float64 // events a second that were due, to all users together

	Deliveries float64       // a second
	P99        time.Duration // from when an event was due until a client had it
	Server     float64       // the part of the machine's processors that the server used, 0 to 1
	Swarm      float64       // the part that the clients used
	Each       time.Duration // the server's processor time for each delivery
	Memory     float64       // bytes that the server held for each client; 0 if it is not known

	Unpublished int64 // events for which the publisher had no time
	Missing     int64 // deliveries that never arrived
	Gaps        int64 // told to clients: the server dropped events that they had not received
	Closed      int64 // connections that ended
}

// Step serves a load for a while.
func (s *Server) Step(l Load, r *Reading) error {
	*r = Reading{Users: l.Users, Clients: l.Users * s.tabs, Rate: l.Rate}
	if err := s.pair.Connect(r.Clients); err != nil {
		return err
	}
	count := func(d time.Duration) int64 { return int64(d.Seconds() * l.Rate) }
	start := time.Now()
	// An event's number is when it was due, not when it was published. Else a server that delays its publisher would
	// look fast.
	due := func(n int64) time.Time { return start.Add(time.Duration(float64(n) / l.Rate * float64(time.Second))) }
	warm, all := count(warming), count(warming+measuring)
	used, err := s.pair.StartWindow(due(warm))
	if err != nil {
		return err
	}
	began, delivered := s.pair.Mark(), s.pair.Delivered.Load()
	published := int64(0)
	for end := start.Add(warming + 3*measuring/2); published < all && time.Now().Before(end); {
		for ready := min(all, count(time.Since(start))); published < ready; published++ {
			if published == warm {
				began = s.pair.Mark()
			}
			user := int(published % int64(l.Users))
			s.pair.Target.Publish(s.pair.Target.Event(due(published).UnixNano(), l.Size, user), user)
		}
		time.Sleep(time.Millisecond) // part of what the latencies show
	}
	spent := s.pair.Since(began)
	tabs := int64(s.tabs)
	s.pair.Drain(delivered + published*tabs)
	latency, err := s.pair.Latency()
	if err != nil {
		return err
	}
	if n := s.pair.Disorder.Load(); n > 0 {
		return fmt.Errorf("%d events came twice or out of order: that is a bug in the library", n)
	}
	cores := float64(runtime.NumCPU())
	r.Unpublished = all - published
	r.Missing = (max(published, warm)-warm)*tabs - latency.Events
	r.Gaps, r.Closed = int64(s.pair.Target.Gaps()), s.pair.Closed.Load()
	r.P99 = latency.P99
	r.Deliveries = float64(latency.Events) / spent.Wall.Seconds()
	r.Server = spent.CPU.Seconds() / spent.Wall.Seconds() / cores
	r.Swarm = (latency.CPU - used).Seconds() / time.Since(start).Seconds() / cores
	r.Each = spent.CPU / time.Duration(max(latency.Events, 1))
	held, err := rig.Resident()
	if s.before > 0 && held > s.before {
		r.Memory = float64(held-s.before) / float64(r.Clients)
	}
	return err
}

// The limits at which a machine counts as full.
const (
	fullP99  = 100 * time.Millisecond
	fullBusy = 0.8 // of the processors
)

func (r *Reading) busy() float64 { return r.Server + r.Swarm }

// over says why a load was too much; it is empty if the machine held the load. Losses come first, because a latency is
// only of what arrived.
func (r *Reading) over() string {
	switch {
	case r.Closed > 0:
		return fmt.Sprintf("%d connections were closed", r.Closed)
	case r.Gaps > 0:
		return fmt.Sprintf("events were dropped: %d gaps", r.Gaps)
	case r.Unpublished > 0:
		return "there was no time to publish all events"
	case r.Missing > 0:
		return fmt.Sprintf("%d deliveries are missing", r.Missing)
	case r.P99 > fullP99:
		return "p99 is over " + fullP99.String()
	case r.busy() > fullBusy:
		return "CPU is over " + report.Percent(fullBusy)
	}
	return ""
}

// easy reports whether a load was so far from the limits that the next may be much larger.
func (r *Reading) easy() bool {
	return r.over() == "" && r.P99 < fullP99/4 && r.busy() < fullBusy/4
}
