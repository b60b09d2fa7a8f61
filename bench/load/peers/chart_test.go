package peers

import (
	"fmt"
	"image/color"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/crier-go/crier/bench/load/internal/peer"
	"github.com/crier-go/crier/bench/load/internal/report"
	"github.com/crier-go/crier/bench/load/internal/rig"
)

// Measures of the picture in points.
const (
	chartWidth = 690
	chartLeft  = -0.45 // of the names, where bars begin at 0 and the longest ends at 1
	chartRow   = 15
	chartHead  = 70 // above the first group
	chartGroup = 42 // of each group, its rows aside
)

// Where low values win, bars longer than this many times the best are cut. Else a peer that is a thousand times slower
// would make the others invisible.
const chartCut = 8

// chart draws a group of horizontal bars for each scenario, the best first.
func (c *campaign) chart() []byte {
	height := chartHead
	for i := range c.results {
		height += chartGroup + chartRow*len(c.results[i].ranked())
	}
	p := report.NewPicture("Crier beside its peers", chartWidth, float64(height))
	p.Text(15, 22, 15, report.Ink, "Crier beside its peers")
	p.Text(15, 38, 8.5, report.Faint, fmt.Sprintf("%s · %s · medians, rounds: %d", rig.Describe(), c.began.UTC().Format("2006-01-02"), c.rounds))
	x := 15.0
	for _, l := range []struct {
		label string
		o     outcome
	}{
		{"Crier", outcome{peer: peer.Peer{Kind: peer.Ours}}},
		{"library or pattern", outcome{}},
		{"lost events", outcome{samples: []Sample{{Lost: 1}}}},
		{"floor: the least it can be done with", outcome{peer: peer.Peer{Kind: peer.Floor}}},
	} {
		thumb := p.Part(x, x+15, 50, 59)
		bar(&l.o, 1, 0).Thumbnail(&thumb)
		p.Text(x+20, 54.5, 8.5, report.Faint, l.label)
		x += 36 + 4.5*float64(len(l.label))
	}
	top := float64(chartHead)
	for i := range c.results {
		top = c.results[i].draw(p, top)
	}
	return p.SVG()
}

// draw draws one scenario and returns where the next begins.
func (r *result) draw(p report.Picture, top float64) float64 {
	bars := r.ranked()
	if len(bars) == 0 {
		return top
	}
	wins, longest := "shorter is better", bars[0].value().median*chartCut
	if r.scenario.higherWins {
		wins, longest = "longer is better", 0
	}
	most := 0.0
	for _, o := range bars {
		most = max(most, o.value().median)
	}
	if longest == 0 || longest > most {
		longest = most
	}
	p.StrokeLine2(draw.LineStyle{Color: report.Grid, Width: 0.75}, 15, p.Max.Y-vg.Length(top), chartWidth-15, p.Max.Y-vg.Length(top))
	p.Text(15, top+14, 10.5, report.Ink, r.scenario.title)
	p.Text(15, top+27, 8.5, report.Faint, r.scenario.unit+", "+wins)
	pl := report.NewPlot()
	pl.HideAxes()
	pl.X.Min, pl.X.Max, pl.Y.Min, pl.Y.Max = chartLeft, 1.4, 0.5-float64(len(bars)), 0.5
	for i, o := range bars {
		v, y := o.value(), -float64(i)
		end := min(v.median/longest, 1)
		pl.Add(bar(o, end, y))
		if v.median > longest { // a gap shows that the bar is cut
			pl.Add(line(report.Paper, 3, plotter.XY{X: 0.94, Y: y - 0.5}, plotter.XY{X: 0.95, Y: y + 0.5}))
		} else if len(o.samples) > 1 {
			high := min(v.max/longest, 1.1)
			pl.Add(line(report.Ink, 0.75, plotter.XY{X: v.min / longest, Y: y}, plotter.XY{X: high, Y: y}))
			end = max(end, high)
		}
		value := report.Number(v.median)
		if lost := remarks(o.samples); lost != "" {
			value += " · " + lost
		}
		style := report.Style(report.Ink)
		pl.Add(&plotter.Labels{
			XYs: plotter.XYs{{X: chartLeft, Y: y}, {X: end + 0.01, Y: y}}, Labels: []string{o.peer.Title, value}, TextStyle: []text.Style{style, style},
		})
	}
	bottom := top + 33 + float64(chartRow*len(bars))
	pl.Draw(p.Part(15, chartWidth-15, top+33, bottom))
	return bottom + chartGroup - 33
}

// bar returns a bar up to x, in the colour of the peer's kind, or dashed if it lost events.
func bar(o *outcome, x, y float64) *plotter.BarChart {
	b, err := plotter.NewBarChart(plotter.Values{x}, 9)
	if err != nil {
		panic(err) // fails for values that are no numbers
	}
	b.Horizontal, b.XMin, b.LineStyle.Width = true, y, 0
	b.Color = report.Grey
	switch o.peer.Kind {
	case peer.Ours:
		b.Color = report.Orange
	case peer.Floor:
		b.Color = report.Grid
	}
	if !o.lossless() {
		b.LineStyle = draw.LineStyle{Color: b.Color, Width: 1, Dashes: []vg.Length{3, 2}}
		b.Color = color.Transparent
	}
	return b
}

func line(c color.Color, width vg.Length, points ...plotter.XY) plot.Plotter {
	return &plotter.Line{XYs: points, LineStyle: draw.LineStyle{Color: c, Width: width}}
}
