package main

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// Goals speak of scenarios and peers that there are, and of peers that take part.
func TestGoalsAreMeasurable(t *testing.T) {
	for name, all := range goals {
		s, err := findScenario(name)
		if err != nil {
			t.Error(err)
			continue
		}
		measured := func(s scenario, name string) {
			p, err := findPeer(name)
			if err != nil {
				t.Errorf("%s: %v", s.name, err)
			} else if !s.includes(&p) {
				t.Errorf("%s: %s takes no part", s.name, name)
			}
		}
		for _, g := range all {
			measured(s, g.of())
			if p, _ := findPeer(g.of()); p.kind != ours {
				t.Errorf("%s: %s is not ours", s.name, g.of())
			}
			b, ok := g.(beat)
			if !ok {
				continue
			}
			in := s
			if b.in != "" {
				if in, err = findScenario(b.in); err != nil {
					t.Errorf("%s: %v", s.name, err)
				}
			}
			for _, name := range b.than {
				measured(in, name)
			}
		}
	}
}

// of makes up what was measured of a real peer: a round for each value.
func of(name string, values ...float64) outcome {
	p, err := findPeer(name)
	if err != nil {
		panic(err)
	}
	o := outcome{peer: p}
	for _, v := range values {
		o.samples = append(o.samples, sample{value: v})
	}
	return o
}

// losing is the same of a peer that lost events.
func losing(o outcome, part float64) outcome {
	o.samples[len(o.samples)-1].lost = part
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
	lean.samples[0].extra = 0.0001
	dear := of("crier", 40, 40)
	dear.samples[1].extra = 2
	cut := of("crier", 900)
	cut.samples[0].closed = 1200
	allocs, _ := goals["encode"][1].(limit)
	for name, c := range map[string]struct {
		goal goal
		all  []result // the first is the goal's scenario
		want verdict
	}{
		"lower wins, median to median": {
			beat{ours: "crier", than: []string{"go-sse"}, times: 0.33},
			[]result{madeUp("encode", of("crier", 900, 30, 10), of("go-sse", 100, 100, 1))},
			verdict{"Crier / go-sse", "at most 0.33×", "0.30×", reached},
		},
		"lower wins, missed by a hair": {
			beat{ours: "crier", than: []string{"go-sse"}, times: 0.33},
			[]result{madeUp("encode", of("crier", 33.04), of("go-sse", 100))},
			verdict{"Crier / go-sse", "at most 0.33×", "0.3304×", missed},
		},
		"exactly": {
			beat{ours: "crier", than: []string{"gws"}, times: 1},
			[]result{madeUp("ws-idle", of("crier", 7), of("gws", 7))},
			verdict{"Crier / gws Broadcaster", "at most 1×", "1.00×", reached},
		},
		"higher wins": {
			beat{ours: "crier", times: 2},
			[]result{madeUp("ws-burst", of("crier", 900), losing(of("melody", 800), 0.7), of("raw", 700), of("gws", 300), of("gorilla-chat", 400))},
			verdict{"Crier / the best measured: gorilla, chat pattern", "at least 2×", "2.25×", reached},
		},
		"higher wins, missed": {
			beat{ours: "crier", times: 2},
			[]result{madeUp("ws-burst", of("crier", 599.9), of("gws", 300))},
			verdict{"Crier / the best measured: gws Broadcaster", "at least 2×", "1.9997×", missed},
		},
		"all others lost": {
			beat{ours: "crier", times: 2},
			[]result{madeUp("ws-burst", of("crier", 900), losing(of("gws", 300), 0.1))},
			verdict{"Crier / the best", "at least 2×", "–", notMeasured},
		},
		"ours lost": {
			beat{ours: "crier", times: 2},
			[]result{madeUp("ws-burst", losing(of("crier", 900, 900, 900), 0.1), of("gws", 300))},
			verdict{"Crier / the best measured: gws Broadcaster", "at least 2×", "3.00×", missed + ": lost 0 % to 10 %"},
		},
		"ours cut clients off": {
			beat{ours: "crier", times: 2},
			[]result{madeUp("ws-burst", cut, of("gws", 300))},
			verdict{"Crier / the best measured: gws Broadcaster", "at least 2×", "3.00×", missed + ": cut off 1,200 clients"},
		},
		"the better of two": {
			beat{ours: "crier", than: centrifuges, times: 2},
			[]result{madeUp("sse-full-1k", of("crier", 900), of("r3labs", 850), of("centrifuge", 400), of("centrifuge-tuned", 300))},
			verdict{"Crier / centrifuge, the better one", "at least 2×", "2.25×", reached},
		},
		"the better of two lost": {
			beat{ours: "crier", than: centrifuges, times: 2},
			[]result{madeUp("sse-full-1k", of("crier", 900), losing(of("centrifuge", 400), 0.5), of("centrifuge-tuned", 300))},
			verdict{"Crier / centrifuge, tuned, the better one", "at least 2×", "3.00×", reached},
		},
		"both lost": {
			beat{ours: "crier", than: centrifuges, times: 2},
			[]result{madeUp("sse-full-1k", of("crier", 900), losing(of("centrifuge", 600), 0.5))},
			verdict{"Crier / centrifuge, which lost 50 %", "at least 2×", "1.50×", missed},
		},
		"neither was measured": {
			beat{ours: "crier", than: centrifuges, times: 2},
			[]result{madeUp("sse-full-1k", of("crier", 900), of("centrifuge"))},
			verdict{"Crier / centrifuge or centrifuge, tuned", "at least 2×", "–", notMeasured},
		},
		"ours was not measured": {
			beat{ours: "crier-lean", than: []string{"raw"}, times: 1.15},
			[]result{madeUp("sse-paced", of("crier", 1), of("raw", 1))},
			verdict{"Crier, lean / floor: raw, one write per event", "at most 1.15×", "–", notMeasured},
		},
		"another scenario": {
			beat{ours: "crier", than: []string{"crier"}, in: "route-1k", times: 8},
			[]result{madeUp("route-1m", of("crier", 90)), madeUp("route-1k", of("crier", 10))},
			verdict{"Crier / Crier, publish to one of 1,000 users", "at most 8×", "9.00×", missed},
		},
		"another scenario, not measured": {
			beat{ours: "crier", than: []string{"crier"}, in: "route-1k", times: 8},
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
	r := report{testEnvironment(), []result{
		madeUp("encode", of("crier", 30), of("go-sse", 100)),
		madeUp("route-1k", of("crier", 10)), // has no goal
		madeUp("route-1m", of("crier", 90), of("handwritten", 100)),
		madeUp("ws-idle", of("crier", 4), failed),
	}}
	text := r.markdown(2, "")
	for _, want := range []string{
		"\n## Goals\n\nOf 5 goals 3 are reached, 1 missed, 1 not measured. ",
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
	r.results = slices.Clone(r.results[1:2])
	if text := r.markdown(2, ""); strings.Contains(text, "Goals") {
		t.Errorf("there are no goals, but:\n%s", text)
	}
}
