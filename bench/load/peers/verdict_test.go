package peers

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/crier-go/crier/bench/load/internal/peer"
)

// A goal is what Crier is to reach in a scenario. It bounds the ratio of two medians of the values that the scenario
// ranks by, or one number of Crier alone.
type goal struct {
	ours  string
	times float64  // the ratio is at most this, or at least where higher values win; the number is at most this
	than  []string // the best of these peers, or of all libraries and patterns if nil; one that lost events only if all did
	in    string   // the scenario of than, if that is another

	number func(Sample) float64 // nil for a ratio
	what   string               // the number
	bound  string               // times in words
}

// A verdict is a goal's row in the report.
type verdict struct {
	measured string // what is compared
	goal     string
	result   string // the ratio or number
	reached  string // or why not
}

const (
	reached     = "reached"
	missed      = "**missed**"
	notMeasured = "not measured"
)

// judge decides whether the goal is reached in a scenario's result.
func (g goal) judge(r *result, all []result) verdict {
	o := r.outcome(g.ours)
	if g.number != nil {
		v := verdict{title(g.ours) + ", " + g.what, g.bound, "–", notMeasured}
		if o == nil {
			return v
		}
		if most := o.summary(g.number).max; most <= g.times {
			v.result, v.reached = g.bound, reached
		} else {
			v.result, v.reached = beside(most, g.times), missed
		}
		return v
	}
	than := g.reference(r, all)
	v := verdict{title(g.ours) + " / " + g.referenceTitle(than), "at most ", "–", notMeasured}
	if r.scenario.higherWins {
		v.goal = "at least "
	}
	v.goal += strconv.FormatFloat(g.times, 'f', -1, 64) + "×"
	if o == nil || than == nil || than.value().median == 0 {
		return v
	}
	ratio := o.value().median / than.value().median
	v.result, v.reached = beside(ratio, g.times)+"×", missed
	if lost := remarks(o.samples); lost != "" { // losing events makes no peer better
		v.reached += ": " + lost
	} else if ratio == g.times || (ratio > g.times) == r.scenario.higherWins {
		v.reached = reached
	}
	return v
}

// reference returns the outcome to compare with; nil if it was not measured.
func (g goal) reference(r *result, all []result) *outcome {
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
	for _, o := range r.ranked() {
		if slices.Contains(g.than, o.peer.Name) {
			return o
		}
	}
	return nil
}

func (g goal) referenceTitle(than *outcome) string {
	switch {
	case g.in != "":
		s, err := findScenario(g.in)
		if err != nil {
			return g.in
		}
		return title(g.than[0]) + ", " + strings.ToLower(s.title)
	case than == nil && g.than == nil:
		return "the best"
	case than == nil:
		var titles []string
		for _, name := range g.than {
			titles = append(titles, title(name))
		}
		return strings.Join(titles, " or ")
	case g.than == nil:
		return "the best: " + than.peer.Title
	case than.peer.Kind == peer.Floor:
		return "floor: " + than.peer.Title
	case !than.lossless():
		return than.peer.Title + ", which " + remarks(than.samples)
	}
	return than.peer.Title
}

// title returns a peer's title, or name if there is no such peer.
func title(name string) string {
	if p, err := find(name); err == nil {
		return p.Title
	}
	return name
}

// beside formats a number with as many digits as show on which side of the bound it is.
func beside(v, bound float64) string {
	for digits := 2; ; digits++ {
		s := strconv.FormatFloat(v, 'f', digits, 64)
		if rounded, err := strconv.ParseFloat(s, 64); err != nil || digits > 8 || cmp.Compare(rounded, bound) == cmp.Compare(v, bound) {
			return s
		}
	}
}

// judge returns a table of the goals of the measured scenarios, and how often there is each verdict.
func (c *campaign) judge() (rows [][]string, count map[string]int) {
	rows, count = [][]string{{"scenario", "measured", "goal", "came to", "result"}}, map[string]int{}
	for i := range c.results {
		r := &c.results[i]
		for _, g := range goals[r.scenario.name] {
			v := g.judge(r, c.results)
			word, _, _ := strings.Cut(v.reached, ":")
			count[word]++
			rows = append(rows, []string{r.scenario.title, v.measured, v.goal, v.result, v.reached})
		}
	}
	return rows, count
}
