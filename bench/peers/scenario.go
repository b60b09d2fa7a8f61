package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A scenario is one thing that is measured for each peer that can do it.
type scenario struct {
	name  string // for -scenarios
	title string
	about string // one sentence under the title
	kind  scenarioKind

	transport protocol // of those over a network
	size      int      // clients, readers or users

	unit       string // of the value that peers are ranked by
	higherWins bool
	extra      string // the second column's heading; empty for none
	floor      string // the floor's peer
	onceOnly   bool   // too long to set up for more than one round
}

type scenarioKind int

const (
	encodeEvent scenarioKind = iota
	fanOut
	routeEvent
	paced
	saturated
	burst
	idle
)

// pacedRate is how many events a second the paced scenarios publish.
const pacedRate = 20

// burstEvents is how many events a burst consists of.
const burstEvents = 10_000

// scenarios is everything there is to measure, in the order of the report.
var scenarios = []scenario{
	{
		name: "encode", title: "Encode one event", kind: encodeEvent, floor: "append",
		about: "From an id, a type and 150 bytes of JSON to the bytes that go out over SSE, in memory.",
		unit:  "ns/event", extra: "allocs/event",
	},
	{
		name: "fanout", title: "Fan-out in memory, 10,000 sleeping readers", kind: fanOut, size: 10_000, floor: "wake",
		about: "One event is published and every reader, asleep in a goroutine of its own, receives it. No network.",
		unit:  "ns/delivery", extra: "ns CPU/delivery",
	},
	route(1_000), route(100_000), route(1_000_000),
	overNetwork(sse, paced, 1000), overNetwork(ws, paced, 1000),
	overNetwork(sse, saturated, 1000), overNetwork(ws, saturated, 1000),
	overNetwork(sse, saturated, 5000), overNetwork(ws, saturated, 5000),
	overNetwork(sse, burst, 100), overNetwork(ws, burst, 100),
	overNetwork(sse, idle, 2000), overNetwork(ws, idle, 2000),
}

func route(users int) scenario {
	return scenario{
		name: fmt.Sprintf("route-%s", short(users)), kind: routeEvent, size: users, floor: "wake",
		title: fmt.Sprintf("Publish to one of %s users", grouped(users)),
		about: "Each user has one sleeping reader; users are picked at random. No network.",
		unit:  "ns/event", extra: "ns CPU/event",
		onceOnly: users >= 1_000_000,
	}
}

func overNetwork(tr protocol, kind scenarioKind, clients int) scenario {
	label := map[protocol]string{sse: "SSE", ws: "WebSocket"}[tr]
	s := scenario{transport: tr, kind: kind, size: clients, floor: "raw"}
	switch kind {
	case paced:
		s.name = fmt.Sprintf("%s-paced", tr)
		s.title = fmt.Sprintf("%s, %s clients, %d events/s", label, grouped(clients), pacedRate)
		s.about = "The server's CPU time, user and system, for each event that a client received."
		s.unit = "µs CPU/delivery"
	case saturated:
		s.name = fmt.Sprintf("%s-full-%s", tr, short(clients))
		s.title = fmt.Sprintf("%s saturated, %s clients", label, grouped(clients))
		s.about = fmt.Sprintf("Events are published as fast as the slowest client follows, at most %d ahead of it.",
			saturationWindow)
		s.unit, s.higherWins, s.extra = "deliveries/s", true, "µs CPU/delivery"
	case burst:
		s.name = fmt.Sprintf("%s-burst", tr)
		s.title = fmt.Sprintf("%s, a burst of %s events to %s clients", label, grouped(burstEvents), grouped(clients))
		s.about = "All are published without a pause. Rates of peers that lost events are of what did arrive."
		s.unit, s.higherWins, s.extra = "deliveries/s", true, "µs CPU/delivery"
	case idle:
		s.name = fmt.Sprintf("%s-idle", tr)
		s.title = fmt.Sprintf("%s, memory of an idle connection", label)
		s.about = fmt.Sprintf("The server's resident memory, by which %s connections that have received one event raise it.",
			grouped(clients))
		s.unit, s.floor = "KB/connection", map[protocol]string{sse: "bare-http", ws: "bare-gorilla"}[tr]
	}
	return s
}

// saturationWindow is how far a saturating publisher may be ahead of the slowest client, in events: far enough that
// whoever can batch has something to batch, near enough that an event still arrives within some tens of milliseconds
// at the rates reached here. An application whose clients are further behind is past saturation. A wider window
// lifts everyone who queues, because then even single writes come in runs on one connection; the bursts show that.
const saturationWindow = 8

// short is a number for a name: 1k, 1m.
func short(n int) string {
	switch {
	case n >= 1_000_000 && n%1_000_000 == 0:
		return fmt.Sprintf("%dm", n/1_000_000)
	case n >= 1_000 && n%1_000 == 0:
		return fmt.Sprintf("%dk", n/1_000)
	}
	return fmt.Sprint(n)
}

// grouped is a number for a reader: 10,000.
func grouped(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func findScenario(name string) (scenario, error) {
	i := slices.IndexFunc(scenarios, func(s scenario) bool { return s.name == name })
	if i < 0 {
		return scenario{}, fmt.Errorf("unknown scenario %q; the scenarios are %s",
			name, strings.Join(scenarioNames(), ", "))
	}
	return scenarios[i], nil
}

func scenarioNames() []string {
	var names []string
	for _, s := range scenarios {
		names = append(names, s.name)
	}
	return names
}

// overWire reports whether the scenario runs between two processes.
func (s *scenario) overWire() bool { return s.kind >= paced }

// includes reports whether the peer takes part.
func (s *scenario) includes(p *peer) bool {
	if p.kind == floor && p.name != s.floor {
		return false
	}
	switch s.kind {
	case encodeEvent:
		return p.encode != nil
	case fanOut:
		return p.fanout != nil
	case routeEvent:
		return p.route != nil
	}
	return p.setup(s.transport) != nil
}

// A sample is what one round of one scenario came to for one peer.
type sample struct {
	value    float64 // in the scenario's unit
	extra    float64 // in the unit of the scenario's second column
	lost     float64 // the part of all deliveries that did not arrive, 0 to 1
	closed   uint64  // connections that the server closed
	disorder uint64  // events that came doubled or out of order
}

// read turns what the server measured into a sample.
func (s *scenario) read(r reply) sample {
	n := float64(max(r.Window, 1))
	cpu := float64(r.WindowCPU) / n / float64(time.Microsecond)
	switch s.kind {
	case encodeEvent:
		return sample{value: float64(r.WindowTime) / n, extra: float64(r.Allocs) / n}
	case fanOut, routeEvent:
		return sample{value: float64(r.WindowTime) / n, extra: float64(r.WindowCPU) / n}
	case paced:
		return sample{value: cpu}
	case idle:
		return sample{value: float64(r.Memory) / 1024 / float64(s.size)}
	}
	return sample{value: float64(r.Window) / r.WindowTime.Seconds(), extra: cpu}
}
