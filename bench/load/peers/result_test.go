package peers

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/perf/benchmath"

	"github.com/crier-go/crier/bench/load/internal/peer"
	"github.com/crier-go/crier/bench/load/internal/report"
)

// An outcome has all rounds of one scenario for one peer.
type outcome struct {
	peer    peer.Peer
	samples []Sample
	err     error // of the first round that failed; later ones are skipped
}

// A result has one scenario's outcomes, in the order of the peers.
type result struct {
	scenario scenario
	outcomes []outcome
}

// A summary is of all rounds.
type summary struct{ median, min, max float64 }

// summary summarizes a number of each sample. It is zero if there are none.
func (o *outcome) summary(number func(Sample) float64) summary {
	if len(o.samples) == 0 {
		return summary{}
	}
	values := make([]float64, len(o.samples))
	for i, m := range o.samples {
		values[i] = number(m)
	}
	center := benchmath.AssumeNothing.Summary(benchmath.NewSample(values, &benchmath.DefaultThresholds), 0.95).Center
	return summary{center, slices.Min(values), slices.Max(values)}
}

func (o *outcome) value() summary { return o.summary(func(m Sample) float64 { return m.Value }) }

func (o *outcome) lossless() bool {
	return !slices.ContainsFunc(o.samples, func(m Sample) bool { return m.Lost > 0 })
}

// outcome returns a peer's outcome; nil if nothing was measured.
func (r *result) outcome(name string) *outcome {
	i := slices.IndexFunc(r.outcomes, func(o outcome) bool { return o.peer.Name == name && len(o.samples) > 0 })
	if i < 0 {
		return nil
	}
	return &r.outcomes[i]
}

// ranked returns the outcomes that have values, the best first, and those that lost events behind all others.
func (r *result) ranked() (all []*outcome) {
	for i := range r.outcomes {
		if len(r.outcomes[i].samples) > 0 {
			all = append(all, &r.outcomes[i])
		}
	}
	slices.SortStableFunc(all, func(a, b *outcome) int {
		switch {
		case a.lossless() && !b.lossless():
			return -1
		case b.lossless() && !a.lossless():
			return 1
		case r.scenario.higherWins:
			a, b = b, a
		}
		return cmp.Compare(a.value().median, b.value().median)
	})
	return all
}

// best returns the best library or pattern, other than Crier, of those that lost nothing; nil if there is none.
func (r *result) best() *outcome {
	for _, o := range r.ranked() {
		if o.peer.Kind == peer.Library && o.lossless() {
			return o
		}
	}
	return nil
}

// remarks says what else is to be known of samples, losses first.
func remarks(samples []Sample) string {
	most, least := Sample{}, 1.0
	for _, m := range samples {
		least = min(least, m.Lost)
		most = Sample{Lost: max(most.Lost, m.Lost), Closed: max(most.Closed, m.Closed), Disorder: max(most.Disorder, m.Disorder)}
	}
	var out []string
	if a, b := loss(least), loss(most.Lost); most.Lost > 0 && a == b {
		out = append(out, "lost "+b)
	} else if most.Lost > 0 {
		out = append(out, "lost "+a+" to "+b)
	}
	if most.Closed > 0 {
		out = append(out, fmt.Sprintf("disconnected %s clients", report.Count(int(most.Closed))))
	}
	if most.Disorder > 0 {
		out = append(out, fmt.Sprintf("%s doubled or out of order", report.Count(int(most.Disorder))))
	}
	return strings.Join(out, ", ")
}

// loss formats a loss. It rounds neither the loss away nor what is left.
func loss(part float64) string {
	switch p := part * 100; {
	case p == 0:
		return "0 %"
	case p < 0.01:
		return "< 0.01 %"
	case p < 1:
		return fmt.Sprintf("%.2f %%", p)
	case p > 99.9 && p < 100:
		return "> 99.9 %"
	case p > 99 && p < 100:
		return fmt.Sprintf("%.1f %%", p)
	default:
		return fmt.Sprintf("%.0f %%", p)
	}
}
