package main

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A goal is what Crier is to reach in a scenario.
type goal interface {
	// judge says whether it is reached, by what was measured in the scenario and in the others.
	judge(r *result, all []result) verdict

	// of is the peer of ours that is to reach it.
	of() string
}

// A verdict is a goal's row in the report.
type verdict struct {
	measured string // what is compared
	goal     string
	came     string // to what it came
	result   string // reached, or why not
}

const (
	reached     = "reached"
	missed      = "**missed**"
	notMeasured = "not measured"
)

// A beat is a goal for the ratio of two medians, of the values that the scenario ranks by: at most times, or, where
// higher values win, at least.
type beat struct {
	ours  string
	than  []string // the best of these peers; of all libraries and patterns if nil. One that lost events is no match
	in    string   // than's scenario, if that is another
	times float64
}

func (g beat) of() string { return g.ours }

func (g beat) judge(r *result, all []result) verdict {
	s := &r.scenario
	than := g.reference(r, all)
	v := verdict{
		measured: peerTitle(g.ours) + " / " + g.referenceTitle(than),
		goal:     "at most " + factor(g.times), came: "–", result: notMeasured,
	}
	if s.higherWins {
		v.goal = "at least " + factor(g.times)
	}
	ours := r.outcome(g.ours)
	if ours == nil || than == nil || than.value().Median == 0 {
		return v
	}
	ratio := ours.value().Median / than.value().Median
	won := ratio <= g.times
	if s.higherWins {
		won = ratio >= g.times
	}
	v.came, v.result = near(ratio, g.times)+"×", missed
	switch what := remarks(ours.samples); {
	case what != "": // nobody is ahead by what it lost
		v.result = missed + ": " + strings.TrimSpace(what)
	case won:
		v.result = reached
	}
	return v
}

// reference returns what is to be beaten; nil if it was not measured.
func (g beat) reference(r *result, all []result) *outcome {
	if g.in != "" {
		i := slices.IndexFunc(all, func(r result) bool { return r.scenario.name == g.in })
		if i < 0 {
			return nil
		}
		r = &all[i]
	}
	if g.than == nil {
		return r.best()
	}
	var best *outcome
	for _, o := range r.ranked() { // the best first, those that lost events last
		if best == nil && slices.Contains(g.than, o.peer.name) {
			best = o
		}
	}
	return best
}

// referenceTitle names what is to be beaten, as far as it is known.
func (g beat) referenceTitle(than *outcome) string {
	switch {
	case g.in != "":
		other, err := findScenario(g.in)
		if err != nil {
			return g.in
		}
		return peerTitle(g.than[0]) + ", " + strings.ToLower(other.title)
	case g.than == nil && than == nil:
		return "the best"
	case g.than == nil:
		return "the best measured: " + than.peer.title
	case than == nil:
		var titles []string
		for _, name := range g.than {
			titles = append(titles, peerTitle(name))
		}
		return strings.Join(titles, " or ")
	case than.peer.kind == floor:
		return "floor: " + than.peer.title
	case !than.lossless():
		return than.peer.title + ", which" + strings.TrimPrefix(remarks(than.samples), " ")
	case len(g.than) > 1:
		return than.peer.title + ", the better one"
	}
	return than.peer.title
}

// A limit is a goal for a number of one of ours alone.
type limit struct {
	ours  string
	what  string // the number
	pick  func(sample) float64
	bound float64 // at most, in every round
	goal  string  // the bound, in words
}

func (g limit) of() string { return g.ours }

func (g limit) judge(r *result, _ []result) verdict {
	v := verdict{measured: peerTitle(g.ours) + ", " + g.what, goal: g.goal, came: "–", result: notMeasured}
	o := r.outcome(g.ours)
	if o == nil {
		return v
	}
	most := o.values(g.pick).Max
	v.came, v.result = near(most, g.bound), missed
	if most <= g.bound {
		v.came, v.result = g.goal, reached
	}
	return v
}

// outcome returns what was measured of a peer; nil if nothing was.
func (r *result) outcome(name string) *outcome {
	for i := range r.outcomes {
		if o := &r.outcomes[i]; o.peer.name == name && len(o.samples) > 0 {
			return o
		}
	}
	return nil
}

func peerTitle(name string) string {
	if p, err := findPeer(name); err == nil {
		return p.title
	}
	return name
}

func factor(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) + "×" }

// near is a number beside a bound: with as many digits as it takes to see on which side of it the number is.
func near(v, bound float64) string {
	for digits := 2; ; digits++ {
		s := strconv.FormatFloat(v, 'f', digits, 64)
		if rounded, err := strconv.ParseFloat(s, 64); err != nil || digits > 8 ||
			cmp.Compare(rounded, bound) == cmp.Compare(v, bound) {
			return s
		}
	}
}

// writeGoals writes the table of all goals of the measured scenarios, and how many are reached; nothing if they have
// none.
func writeGoals(b *strings.Builder, level int, results []result) {
	var rows strings.Builder
	count := map[string]int{}
	for i := range results {
		r := &results[i]
		for _, g := range goals[r.scenario.name] {
			v := g.judge(r, results)
			word, _, _ := strings.Cut(v.result, ":")
			count[word]++
			fmt.Fprintf(&rows, "| %s | %s | %s | %s | %s |\n", r.scenario.title, v.measured, v.goal, v.came, v.result)
		}
	}
	if rows.Len() == 0 {
		return
	}
	fmt.Fprintf(b, "\n%s Goals\n\n", heading(level))
	fmt.Fprintf(b, "Of %d goals %d are reached", count[reached]+count[missed]+count[notMeasured], count[reached])
	for _, word := range []string{missed, notMeasured} {
		if n := count[word]; n > 0 {
			fmt.Fprintf(b, ", %d %s", n, strings.Trim(word, "*"))
		}
	}
	b.WriteString(". A ratio is that of two medians of this run. " +
		"What lost events, doubled them or cut clients off has reached no goal for its rate.\n\n" +
		"| scenario | measured | goal | came to | result |\n|---|---|---|---:|---|\n")
	b.WriteString(rows.String())
}
