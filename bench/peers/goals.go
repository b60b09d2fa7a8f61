package main

// goals says what Crier is to reach, by scenario: ratios that were set in advance, from measurements of the peers. One is
// changed when it was set wrongly, not when it is missed.
var goals = map[string][]goal{
	"encode": {
		beat{ours: "crier", than: []string{"go-sse"}, times: 0.33},
		// Not zero: among millions of events the runtime allocates a few times for itself.
		limit{ours: "crier", what: "allocs/event", pick: func(m sample) float64 { return m.extra }, bound: 0.001, goal: "none"},
	},
	"fanout": {
		beat{ours: "crier", than: []string{"handwritten"}, times: 0.45},
		beat{ours: "crier", than: []string{"wake"}, times: 1.2},
	},
	"route-1m": {
		beat{ours: "crier", than: []string{"handwritten"}, times: 1},
		beat{ours: "crier", than: []string{"crier"}, in: "route-1k", times: 8},
	},
	"sse-paced": {
		beat{ours: "crier", than: []string{"go-sse"}, times: 0.95},
		beat{ours: "crier-lean", than: []string{"raw"}, times: 1.15},
	},
	"ws-paced": {
		beat{ours: "crier", than: []string{"gws"}, times: 1},
		beat{ours: "crier", than: []string{"raw"}, times: 1.2},
	},
	"sse-full-1k": {beat{ours: "crier", than: []string{"centrifuge", "centrifuge-tuned"}, times: 2}},
	"ws-full-1k":  {beat{ours: "crier", times: 1.6}},
	"sse-full-5k": {beat{ours: "crier", times: 3.5}},
	"ws-full-5k":  {beat{ours: "crier", times: 1.8}},
	"sse-burst":   {beat{ours: "crier", times: 3}, nothingLost},
	"ws-burst":    {beat{ours: "crier", times: 2}, nothingLost},
	"sse-idle": {
		beat{ours: "crier", than: []string{"bare-http"}, times: 1.05},
		beat{ours: "crier-lean", than: []string{"bare-http"}, times: 0.3},
	},
	"ws-idle": {beat{ours: "crier", than: []string{"gws"}, times: 1}},
}

var nothingLost = limit{
	ours: "crier", what: "lost", pick: func(m sample) float64 { return m.lost }, goal: "nothing",
}
