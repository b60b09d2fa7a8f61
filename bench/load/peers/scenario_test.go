package peers

import (
	"fmt"
	"slices"
	"strings"

	"github.com/crier-go/crier/bench/load/internal/peer"
)

// A scenario is one thing that is measured for each peer that can do it.
type scenario struct {
	name  string // for -scenarios
	title string
	*kind
	transport peer.Transport // of those over a network
	size      int            // clients, readers or users
	floor     string         // the floor's peer
}

// A kind has what the scenarios of a kind share.
type kind struct {
	about      string // one sentence under the title
	unit       string // of the value that peers are ranked by
	higherWins bool
	extra      string // the second column's heading; empty for none
}

const (
	pacedRate   = 20     // events a second
	burstEvents = 10_000 // in a burst

	// saturationWindow is how many events a saturating publisher may be ahead of the slowest client: enough for a peer
	// that batches to have a batch, and few enough that an event still arrives within some tens of milliseconds at the
	// rates reached here. A wider window favours every peer that queues, because then even single writes come in runs
	// on one connection; the bursts show that.
	saturationWindow = 8
)

var (
	encode = &kind{"From an id, a type and 150 bytes of JSON to the bytes that go out over SSE, in memory.", "ns/event", false, "allocs/event"}
	fanOut = &kind{"One event is published and every reader, asleep in a goroutine of its own, receives it. No network.",
		"ns/delivery", false, "ns CPU/delivery"}
	route     = &kind{"Each user has one sleeping reader; users are picked at random. No network.", "ns/event", false, "ns CPU/event"}
	paced     = &kind{"The server's CPU time, user and system, for each event that a client received.", "µs CPU/delivery", false, ""}
	saturated = &kind{fmt.Sprintf("Events are published as fast as the slowest client follows, at most %d ahead of it.", saturationWindow),
		"deliveries/s", true, "µs CPU/delivery"}
	burst = &kind{"All are published without a pause. Rates of peers that lost events are of what did arrive.",
		"deliveries/s", true, "µs CPU/delivery"}
	idle = &kind{"The server's resident memory, by which 2,000 connections that have received one event raise it.", "KB/connection", false, ""}
)

// scenarios has all scenarios, in the order of the report.
var scenarios = []scenario{
	{"encode", "Encode one event", encode, "", 0, "append"},
	{"fanout", "Fan-out in memory, 10,000 sleeping readers", fanOut, "", 10_000, "wake"},
	{"route-1k", "Publish to one of 1,000 users", route, "", 1_000, "wake"},
	{"route-100k", "Publish to one of 100,000 users", route, "", 100_000, "wake"},
	{"route-1m", "Publish to one of 1,000,000 users", route, "", 1_000_000, "wake"},
	{"sse-paced", "SSE, 1,000 clients, 20 events/s", paced, peer.SSE, 1_000, "raw"},
	{"ws-paced", "WebSocket, 1,000 clients, 20 events/s", paced, peer.WS, 1_000, "raw"},
	{"sse-full-1k", "SSE saturated, 1,000 clients", saturated, peer.SSE, 1_000, "raw"},
	{"ws-full-1k", "WebSocket saturated, 1,000 clients", saturated, peer.WS, 1_000, "raw"},
	{"sse-full-5k", "SSE saturated, 5,000 clients", saturated, peer.SSE, 5_000, "raw"},
	{"ws-full-5k", "WebSocket saturated, 5,000 clients", saturated, peer.WS, 5_000, "raw"},
	{"sse-burst", "SSE, a burst of 10,000 events to 100 clients", burst, peer.SSE, 100, "raw"},
	{"ws-burst", "WebSocket, a burst of 10,000 events to 100 clients", burst, peer.WS, 100, "raw"},
	{"sse-idle", "SSE, memory of an idle connection", idle, peer.SSE, 2_000, "bare-http"},
	{"ws-idle", "WebSocket, memory of an idle connection", idle, peer.WS, 2_000, "bare-gorilla"},
}

// includes reports whether a peer takes part.
func (s *scenario) includes(p *peer.Peer) bool {
	switch {
	case p.Kind == peer.Floor && p.Name != s.floor:
		return false
	case s.kind == encode:
		return p.Encode != nil
	case s.kind == fanOut:
		return p.Fanout != nil
	case s.kind == route:
		return p.Route != nil
	}
	return p.Setup(s.transport) != nil
}

func findScenario(name string) (scenario, error) {
	i := slices.IndexFunc(scenarios, func(s scenario) bool { return s.name == name })
	if i < 0 {
		return scenario{}, fmt.Errorf("unknown scenario %q; the scenarios are %s", name, strings.Join(scenarioNames(), " "))
	}
	return scenarios[i], nil
}

func scenarioNames() (names []string) {
	for _, s := range scenarios {
		names = append(names, s.name)
	}
	return names
}
