package peers

// goals says what Crier is to reach, by scenario: ratios that were set in advance, from measurements of the peers. A goal
// is changed when it was set wrongly, not when it is missed.
var goals = map[string][]goal{
	"encode": {
		{ours: "crier", than: []string{"go-sse"}, times: 0.33},
		// Not zero: among millions of events the runtime allocates a few times for itself.
		{ours: "crier", number: func(m Sample) float64 { return m.Extra }, what: "allocs/event", times: 0.001, bound: "none"},
	},
	"fanout": {
		{ours: "crier", than: []string{"handwritten"}, times: 0.45},
		{ours: "crier", than: []string{"wake"}, times: 1.2},
	},
	"route-1m": {
		{ours: "crier", than: []string{"handwritten"}, times: 1},
		{ours: "crier", than: []string{"crier"}, in: "route-1k", times: 8},
	},
	"sse-paced": {
		{ours: "crier", than: []string{"go-sse"}, times: 0.95},
		{ours: "crier-lean", than: []string{"raw"}, times: 1.15},
		{ours: "crier-ring", than: []string{"raw"}, times: 0.95},
	},
	"ws-paced": {
		{ours: "crier", than: []string{"gws"}, times: 1},
		{ours: "crier", than: []string{"raw"}, times: 1.2},
		{ours: "crier-ring", than: []string{"raw"}, times: 0.95},
	},
	"sse-full-1k": {{ours: "crier", than: []string{"centrifuge", "centrifuge-tuned"}, times: 2}},
	"ws-full-1k":  {{ours: "crier", times: 1.6}},
	"sse-full-5k": {{ours: "crier", times: 3.5}},
	"ws-full-5k":  {{ours: "crier", times: 1.8}},
	"sse-burst":   {{ours: "crier", times: 3}, nothingLost},
	"ws-burst":    {{ours: "crier", times: 2}, nothingLost},
	"sse-idle": {
		{ours: "crier", than: []string{"bare-http"}, times: 1.05},
		{ours: "crier-lean", than: []string{"bare-http"}, times: 0.3},
	},
	"ws-idle": {{ours: "crier", than: []string{"gws"}, times: 1}},
}

var nothingLost = goal{ours: "crier", number: func(m Sample) float64 { return m.Lost }, what: "lost", bound: "nothing"}
