package peers

import (
	"cmp"
	_ "embed"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/crier-go/crier/bench/load"
	"github.com/crier-go/crier/bench/load/internal/peer"
	"github.com/crier-go/crier/bench/load/internal/report"
	"github.com/crier-go/crier/bench/load/internal/rig"
)

//go:embed report.md.tmpl
var page string

// markdown returns the report: what was measured, which goals are reached, and a table for each scenario.
func (c *campaign) markdown(picture string) string {
	goals, count := c.judge()
	var tables []map[string]any
	for i := range c.results {
		r := &c.results[i]
		s := &r.scenario
		rows := [][]string{slices.Concat([]string{"", s.unit, "× best", "× floor"}, s.columns(s.extra, "lost"))}
		for i := range r.outcomes {
			rows = append(rows, r.row(&r.outcomes[i]))
		}
		tables = append(tables, map[string]any{"title": s.title, "about": s.about, "unit": s.unit, "higherWins": s.higherWins, "rows": rows})
	}
	return report.Render(page, map[string]any{
		"began": report.Time(c.began), "machine": rig.Describe(), "rounds": c.rounds, "length": c.length,
		"versions": strings.Join(versions(), ", "), "goals": goals, "of": len(goals) - 1,
		"reached": count[reached], "missed": count[missed], "notMeasured": count[notMeasured], "picture": picture, "scenarios": tables,
	})
}

// versions returns the modules that are measured, with their versions.
func versions() (lines []string) {
	for _, p := range all {
		m := regexp.MustCompile(`(?m)^\t` + regexp.QuoteMeta(p.Module) + ` (\S+)$`).FindStringSubmatch(load.GoMod)
		if p.Module == "" || m == nil {
			continue
		}
		if p.Kind == peer.Ours {
			m[1] = "this checkout"
		}
		if line := strings.TrimPrefix(p.Module, "github.com/") + " " + m[1]; !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	return lines
}

func (r *result) row(o *outcome) []string {
	name := map[peer.Kind]string{peer.Ours: "**%s**", peer.Floor: "*floor: %s*", peer.Library: "%s"}[o.peer.Kind]
	row := []string{fmt.Sprintf(name, o.peer.Title)}
	v := o.value()
	switch {
	case len(o.samples) == 0 && o.err != nil:
		return append(row, "failed: "+o.err.Error())
	case len(o.samples) == 0:
		return append(row, "not measured")
	case len(o.samples) == 1:
		row = append(row, report.Number(v.median))
	default:
		row = append(row, fmt.Sprintf("%s [%s to %s]", report.Number(v.median), report.Number(v.min), report.Number(v.max)))
	}
	for _, to := range []*outcome{r.best(), r.outcome(r.scenario.floor)} {
		ratio := "–"
		if to != nil && to.value().median > 0 {
			ratio = report.Number(v.median / to.value().median)
		}
		row = append(row, ratio)
	}
	extra := report.Number(o.summary(func(m Sample) float64 { return m.Extra }).median)
	return append(row, r.scenario.columns(extra, strings.TrimPrefix(cmp.Or(remarks(o.samples), "nothing"), "lost "))...)
}

// columns returns the columns behind those that all tables have.
func (s *scenario) columns(extra, lost string) (columns []string) {
	if s.extra != "" {
		columns = append(columns, extra)
	}
	if s.transport != "" && s.kind != idle {
		columns = append(columns, lost)
	}
	return columns
}
