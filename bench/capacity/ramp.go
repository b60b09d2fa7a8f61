package main

import (
	"fmt"
	"math"
	"time"
)

// A reading is what one step came to: so many clients, served so many events a
// second, for a second or so.
type reading struct {
	Users, Clients int
	Rate           float64 // events a second that were due, to all users together

	Deliveries float64       // a second
	P50, P99   time.Duration // from when an event was due until a client had it
	Server     float64       // the part of the machine's processors that the server used, 0 to 1
	Swarm      float64       // the part that the clients used
	Each       time.Duration // the server's processor time for each delivery
	Memory     uint64        // bytes that the server held

	Unpublished uint64 // events for which the publisher found no time
	Missing     uint64 // deliveries that had not arrived a while after the last event
	Gaps        uint64 // told to clients: events were dropped that they had not taken yet
	Closed      int    // connections that did not survive
}

// busy is the part of the machine that server and clients used together.
func (r *reading) busy() float64 { return r.Server + r.Swarm }

// Limits are where a machine counts as full.
type limits struct {
	p99  time.Duration
	busy float64
}

var full = limits{p99: 100 * time.Millisecond, busy: 0.8}

// over says why a step was too much, or nothing if the machine held it. What
// was lost comes first: then latencies are of what was not.
func (l limits) over(r *reading) string {
	switch {
	case r.Closed > 0:
		return fmt.Sprintf("%d connections were closed", r.Closed)
	case r.Gaps > 0:
		return fmt.Sprintf("events were dropped: %d gaps", r.Gaps)
	case r.Unpublished > 0:
		return "there was no time to publish all events"
	case r.Missing > 0:
		return fmt.Sprintf("%d deliveries were still missing", r.Missing)
	case r.P99 > l.p99:
		return "p99 is over " + l.p99.String()
	case r.busy() > l.busy:
		return fmt.Sprintf("CPU is over %.0f %%", 100*l.busy)
	}
	return ""
}

// easy reports whether a step was so far from the limits that the next may be
// much larger.
func (l limits) easy(r *reading) bool {
	return l.over(r) == "" && r.P99 < l.p99/4 && r.busy() < l.busy/4
}

// A ramp looks for the largest load that is held. It grows by doubling until a
// load is too much, and then closes in from both sides. A load counts as too
// much when it was so twice: on a machine that others use too, once is chance.
type ramp struct {
	start, most float64 // where it begins, and what it never exceeds

	held    float64 // the largest that was held; 0: none yet
	tooMuch float64 // the smallest that was not; 0: none yet
	doubt   float64 // was too much once
	factor  float64 // by which it grows next
}

const (
	closeEnough = 1.12     // the ratio between tooMuch and held at which a ramp ends
	tooSmall    = 1. / 256 // of start: less is not looked at
)

// next returns the load to try next, and false when there is none.
func (r *ramp) next() (load float64, ok bool) {
	switch {
	case r.doubt > 0:
		return r.doubt, true
	case r.held == 0 && r.tooMuch == 0:
		return min(r.start, r.most), true
	case r.held == 0:
		load = r.tooMuch / 4
		return load, load >= r.start*tooSmall
	case r.tooMuch == 0:
		load = min(r.held*r.factor, r.most)
		return load, load > r.held
	}
	return math.Sqrt(r.held * r.tooMuch), r.tooMuch/r.held > closeEnough
}

// note takes down how a load went.
func (r *ramp) note(load float64, held, easy bool) {
	switch {
	case held:
		r.held, r.doubt = max(r.held, load), 0
		if r.factor = 2; easy {
			r.factor = 4
		}
	case r.doubt == load:
		r.tooMuch, r.doubt = load, 0
	default:
		r.doubt = load
	}
}
