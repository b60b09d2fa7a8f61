package peers

import (
	"errors"
	"strings"
	"testing"

	"github.com/crier-go/crier/bench/load/internal/peer"
)

// Goals name scenarios and peers that exist, and peers that take part.
func TestGoalsAreMeasurable(t *testing.T) {
	for name, all := range goals {
		s, err := findScenario(name)
		if err != nil {
			t.Error(err)
			continue
		}
		for _, g := range all {
			in := s
			if g.in != "" {
				if in, err = findScenario(g.in); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
			if p, err := find(g.ours); err != nil || p.Kind != peer.Ours || !s.includes(&p) {
				t.Errorf("%s: %s is not ours or takes no part: %v", name, g.ours, err)
			}
			for _, than := range g.than {
				if p, err := find(than); err != nil || !in.includes(&p) {
					t.Errorf("%s: %s takes no part: %v", in.name, than, err)
				}
			}
		}
	}
}

// of returns a made-up outcome of a real peer, with a round for each value.
func of(name string, values ...float64) outcome {
	p, err := find(name)
	if err != nil {
		panic(err)
	}
	o := outcome{peer: p}
	for _, v := range values {
		o.samples = append(o.samples, Sample{Value: v})
	}
	return o
}

// losing returns the same of a peer that lost events.
func losing(o outcome, part float64) outcome {
	o.samples[len(o.samples)-1].Lost = part
	return o
}

func madeUp(name string, outcomes ...outcome) result {
	s, err := findScenario(name)
	if err != nil {
		panic(err)
	}
	return result{s, outcomes}
}

func TestVerdicts(t *testing.T) {
	centrifuges := []string{"centrifuge", "centrifuge-tuned"}
	lean := of("crier", 40)
	lean.samples[0].Extra = 0.0001
	dear := of("crier", 40, 40)
	dear.samples[1].Extra = 2
	cut := of("crier", 900)
	cut.samples[0].Closed = 1200
	allocs := goals["encode"][1]
	for name, c := range map[string]struct {
		goal goal
		all  []result // the first is the goal's scenario
		want verdict
	}{
		"lower wins, median to median": {
			goal{ours: "crier", than: []string{"go-sse"}, times: 0.33},
			[]result{madeUp("encode", of("crier", 900, 30, 10), of("go-sse", 100, 100, 1))},
			verdict{"Crier / go-sse", "at most 0.33×", "0.30×", reached},
		},
		"lower wins, missed by a hair": {
			goal{ours: "crier", than: []string{"go-sse"}, times: 0.33},
			[]result{madeUp("encode", of("crier", 33.04), of("go-sse", 100))},
			verdict{"Crier / go-sse", "at most 0.33×", "0.3304×", missed},
		},
		"exactly": {
			goal{ours: "crier", than: []string{"gws"}, times: 1},
			[]result{madeUp("ws-idle", of("crier", 7), of("gws", 7))},
			verdict{"Crier / gws Broadcaster", "at most 1×", "1.00×", reached},
		},
		"higher wins": {
			goal{ours: "crier", times: 2},
			[]result{madeUp("ws-burst", of("crier", 900), losing(of("melody", 800), 0.7), of("raw", 700), of("gws", 300), of("gorilla-chat", 400))},
			verdict{"Crier / the best: gorilla, chat pattern", "at least 2×", "2.25×", reached},
		},
		"higher wins, missed": {
			goal{ours: "crier", times: 2},
			[]result{madeUp("ws-burst", of("crier", 599.9), of("gws", 300))},
			verdict{"Crier / the best: gws Broadcaster", "at least 2×", "1.9997×", missed},
		},
		"all others lost": {
			goal{ours: "crier", times: 2},
			[]result{madeUp("ws-burst", of("crier", 900), losing(of("gws", 300), 0.1))},
			verdict{"Crier / the best", "at least 2×", "–", notMeasured},
		},
		"ours lost": {
			goal{ours: "crier", times: 2},
			[]result{madeUp("ws-burst", losing(of("crier", 900, 900, 900), 0.1), of("gws", 300))},
			verdict{"Crier / the best: gws Broadcaster", "at least 2×", "3.00×", missed + ": lost 0 % to 10 %"},
		},
		"ours cut clients off": {
			goal{ours: "crier", times: 2},
			[]result{madeUp("ws-burst", cut, of("gws", 300))},
			verdict{"Crier / the best: gws Broadcaster", "at least 2×", "3.00×", missed + ": disconnected 1,200 clients"},
		},
		"the better of two": {
			goal{ours: "crier", than: centrifuges, times: 2},
			[]result{madeUp("sse-full-1k", of("crier", 900), of("r3labs", 850), of("centrifuge", 400), of("centrifuge-tuned", 300))},
			verdict{"Crier / centrifuge", "at least 2×", "2.25×", reached},
		},
		"the better of two lost": {
			goal{ours: "crier", than: centrifuges, times: 2},
			[]result{madeUp("sse-full-1k", of("crier", 900), losing(of("centrifuge", 400), 0.5), of("centrifuge-tuned", 300))},
			verdict{"Crier / centrifuge, tuned", "at least 2×", "3.00×", reached},
		},
		"both lost": {
			goal{ours: "crier", than: centrifuges, times: 2},
			[]result{madeUp("sse-full-1k", of("crier", 900), losing(of("centrifuge", 600), 0.5))},
			verdict{"Crier / centrifuge, which lost 50 %", "at least 2×", "1.50×", missed},
		},
		"neither was measured": {
			goal{ours: "crier", than: centrifuges, times: 2},
			[]result{madeUp("sse-full-1k", of("crier", 900), of("centrifuge"))},
			verdict{"Crier / centrifuge or centrifuge, tuned", "at least 2×", "–", notMeasured},
		},
		"ours was not measured": {
			goal{ours: "crier-lean", than: []string{"raw"}, times: 1.15},
			[]result{madeUp("sse-paced", of("crier", 1), of("raw", 1))},
			verdict{"Crier, lean / floor: raw, one write per event", "at most 1.15×", "–", notMeasured},
		},
		"another scenario": {
			goal{ours: "crier", than: []string{"crier"}, in: "route-1k", times: 8},
			[]result{madeUp("route-1m", of("crier", 90)), madeUp("route-1k", of("crier", 10))},
			verdict{"Crier / Crier, publish to one of 1,000 users", "at most 8×", "9.00×", missed},
		},
		"another scenario, not measured": {
			goal{ours: "crier", than: []string{"crier"}, in: "route-1k", times: 8},
			[]result{madeUp("route-1m", of("crier", 90))},
			verdict{"Crier / Crier, publish to one of 1,000 users", "at most 8×", "–", notMeasured},
		},
		"nothing lost":   {nothingLost, []result{madeUp("ws-burst", of("crier", 1, 2))}, verdict{"Crier, lost", "nothing", "nothing", reached}},
		"something lost": {nothingLost, []result{madeUp("ws-burst", losing(of("crier", 1, 2), 1e-6))}, verdict{"Crier, lost", "nothing", "0.000001", missed}},
		"who knows":      {nothingLost, []result{madeUp("ws-burst")}, verdict{"Crier, lost", "nothing", "–", notMeasured}},
		"no allocation":  {allocs, []result{madeUp("encode", lean)}, verdict{"Crier, allocs/event", "none", "none", reached}},
		"an allocation":  {allocs, []result{madeUp("encode", dear)}, verdict{"Crier, allocs/event", "none", "2.00", missed}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.goal.judge(&c.all[0], c.all); got != c.want {
				t.Errorf("the verdict is\n%+v\nwant\n%+v", got, c.want)
			}
		})
	}
}

func TestGoalsTable(t *testing.T) {
	failed := of("gws")
	failed.err = errors.New("broken")
	c := testCampaign(
		madeUp("encode", of("crier", 30), of("go-sse", 100)),
		madeUp("route-1k", of("crier", 10)), // has no goal
		madeUp("route-1m", of("crier", 90), of("handwritten", 100)),
		madeUp("ws-idle", of("crier", 4), failed),
	)
	text := c.markdown("")
	for _, want := range []string{
		"\n### Goals\n\nOf 5 goals 3 are reached, 1 missed, 1 not measured. ",
		"| scenario | measured | goal | came to | result |\n|---|---|---|---:|---|\n",
		"| Encode one event | Crier / go-sse | at most 0.33× | 0.30× | reached |\n",
		"| Publish to one of 1,000,000 users | Crier / Crier, publish to one of 1,000 users | at most 8× | 9.00× | **missed** |\n",
		"| WebSocket, memory of an idle connection | Crier / gws Broadcaster | at most 1× | – | not measured |\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing", want)
		}
	}
	if strings.Contains(text, "a burst") {
		t.Error("a goal is there of a scenario that is not")
	}
	if strings.Index(text, "## Goals") > strings.Index(text, "## Encode") {
		t.Error("the goals are not at the top")
	}
	if t.Failed() {
		t.Log(text)
	}
	c.results = c.results[1:2]
	if text := c.markdown(""); strings.Contains(text, "Goals") {
		t.Errorf("there are no goals, but:\n%s", text)
	}
}
