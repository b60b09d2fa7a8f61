package main

import (
	"fmt"
	"slices"
	"strings"
)

// number is a value as people read it: three significant digits, thousands as k and M.
func number(v float64) string {
	switch {
	case v >= 999_500:
		return significant(v/1e6) + "M"
	case v >= 9_995:
		return significant(v/1e3) + "k"
	}
	return significant(v)
}

func significant(v float64) string {
	switch {
	case v == 0:
		return "0"
	case v >= 99.95:
		return fmt.Sprintf("%.0f", v)
	case v >= 9.995:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// remarks says what else is to be known of these samples: losses first of all.
func remarks(samples []sample) string {
	var lost, least float64 = 0, 1
	var closed, disorder uint64
	for _, m := range samples {
		lost, least = max(lost, m.lost), min(least, m.lost)
		closed, disorder = max(closed, m.closed), max(disorder, m.disorder)
	}
	var out []string
	switch {
	case lost == 0:
	case percent(least) == percent(lost):
		out = append(out, "lost "+percent(lost))
	default:
		out = append(out, "lost "+percent(least)+" to "+percent(lost))
	}
	if closed > 0 {
		out = append(out, fmt.Sprintf("cut off %s clients", grouped(int(closed))))
	}
	if disorder > 0 {
		out = append(out, fmt.Sprintf("%s doubled or out of order", grouped(int(disorder))))
	}
	if len(out) == 0 {
		return ""
	}
	return "  " + strings.Join(out, ", ")
}

// percent never rounds a loss away, nor what was left of it.
func percent(part float64) string {
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

// values picks one number from each sample.
func (o *outcome) values(pick func(sample) float64) summary {
	v := make([]float64, 0, len(o.samples))
	for _, m := range o.samples {
		v = append(v, pick(m))
	}
	return summarize(v)
}

func (o *outcome) value() summary { return o.values(func(m sample) float64 { return m.value }) }

func (o *outcome) lossless() bool {
	return !slices.ContainsFunc(o.samples, func(m sample) bool { return m.lost > 0 })
}

// best returns the library or pattern, other than Crier, that came out best of those that lost nothing; nil if there is
// none.
func (r *result) best() *outcome {
	ranked := r.ranked()
	i := slices.IndexFunc(ranked, func(o *outcome) bool { return o.peer.kind == library && o.lossless() })
	if i < 0 {
		return nil
	}
	return ranked[i]
}

// bottom returns the floor; nil if there is none.
func (r *result) bottom() *outcome { return r.outcome(r.scenario.floor) }

// A report is what a campaign came to.
type report struct {
	env     environment
	results []result
}

// markdown is the whole report, under headings of this level: what was measured on, which goals are reached, then a
// table for each scenario. The picture is shown where it is, if it is anywhere.
func (r *report) markdown(level int, picture string) string {
	var b strings.Builder
	r.env.markdown(&b)
	b.WriteString("\nServer and client are two processes on one machine, over loopback, and share its cores. " +
		"A value is the median of the rounds, [lowest to highest]; rounds alternate the peers. " +
		"Absolute values belong to this machine and this hour: the ratios are what carries over. " +
		"\"× best\" is the ratio to the best library or pattern, other than Crier, that lost nothing; " +
		"\"× floor\" that to the floor, which does the least that the task can be done with.\n")
	writeGoals(&b, level, r.results)
	if picture != "" {
		fmt.Fprintf(&b, "\n%s All scenarios\n\n![The values of the tables below, as bars](%s)\n", heading(level), picture)
	}
	for i := range r.results {
		r.results[i].markdown(&b, level)
	}
	return b.String()
}

func heading(level int) string { return strings.Repeat("#", level) }

func (r *result) markdown(b *strings.Builder, level int) {
	s := &r.scenario
	wins := "lower is better"
	if s.higherWins {
		wins = "higher is better"
	}
	fmt.Fprintf(b, "\n%s %s\n\n%s In %s; %s.\n\n", heading(level), s.title, s.about, s.unit, wins)
	head := []string{"", s.unit, "× best", "× floor"}
	if s.extra != "" {
		head = append(head, s.extra)
	}
	if s.overWire() && s.kind != idle {
		head = append(head, "lost")
	}
	fmt.Fprintf(b, "| %s |\n|---%s|\n", strings.Join(head, " | "), strings.Repeat("|---:", len(head)-1))
	best, bottom := r.best(), r.bottom()
	for i := range r.outcomes {
		o := &r.outcomes[i]
		title := o.peer.title
		switch o.peer.kind {
		case ours:
			title = "**" + title + "**"
		case floor:
			title = "*floor: " + title + "*"
		}
		row := []string{title}
		switch {
		case len(o.samples) > 0:
			v := o.value()
			row = append(row, interval(v, len(o.samples)), ratio(o, best), ratio(o, bottom))
			if s.extra != "" {
				row = append(row, number(o.values(func(m sample) float64 { return m.extra }).Median))
			}
			if s.overWire() && s.kind != idle {
				what := strings.TrimSpace(remarks(o.samples))
				if what == "" {
					what = "nothing"
				}
				row = append(row, strings.TrimPrefix(what, "lost "))
			}
		case o.err != nil:
			row = append(row, "failed: "+oneLine(o.err.Error()))
		default:
			row = append(row, "not measured")
		}
		for len(row) < len(head) {
			row = append(row, "")
		}
		fmt.Fprintf(b, "| %s |\n", strings.Join(row, " | "))
	}
}

func interval(v summary, n int) string {
	if n < 2 {
		return number(v.Median)
	}
	return fmt.Sprintf("%s [%s to %s]", number(v.Median), number(v.Min), number(v.Max))
}

// ratio is that of two medians, for a table.
func ratio(o, to *outcome) string {
	if to == nil || to.value().Median == 0 {
		return "–"
	}
	return significant(o.value().Median / to.value().Median)
}

// oneLine makes a text fit for a table's cell.
func oneLine(s string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(s), " "), "|", "/")
}
