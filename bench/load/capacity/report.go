package main

import (
	_ "embed"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/crier-go/crier/bench/load/internal/report"
	"github.com/crier-go/crier/bench/load/internal/rig"
)

//go:embed report.md.tmpl
var page string

// markdown returns the report, the sentence first.
func (c *campaign) markdown(picture string) string {
	crowd := ""
	if c.others > 0.1 {
		crowd = report.Percent(c.others)
	}
	return report.Render(page, map[string]any{
		"sentence": c.sentence(), "began": report.Time(c.began), "took": c.took.Round(time.Second), "machine": rig.Describe(), "streams": c.streams(),
		"often": c.often(), "size": c.size, "p99": fullP99, "busy": fullBusy, "crowd": crowd, "picture": picture, "results": c.results,
	})
}

// sentence returns the result in one line.
func (c *campaign) sentence() string {
	var parts []string
	for _, r := range c.results {
		if r.Held == nil {
			parts = append(parts, "none over "+r.Transport.Title)
			continue
		}
		atLeast := ""
		if r.Early {
			atLeast = "at least "
		}
		parts = append(parts, fmt.Sprintf("%s%s users with %s at %s events/s of %d bytes over %s", atLeast, report.Count(r.Held.Users),
			c.streams(), report.Count(int(r.Held.Rate)), c.size, r.Transport.Title))
	}
	return "This machine holds " + strings.Join(parts, "; ") + "."
}

func (c *campaign) streams() string {
	if c.tabs == 1 {
		return "1 tab"
	}
	return fmt.Sprintf("%d tabs", c.tabs)
}

// often says how many events each user is sent.
func (c *campaign) often() string {
	switch {
	case c.rate == 1:
		return "one event a second"
	case c.rate > 1:
		return fmt.Sprintf("%.3g events a second", c.rate)
	}
	return fmt.Sprintf("one event every %.3g seconds", 1/c.rate)
}

// lines says how each transport is drawn. The dashes are for readers who do not see the colours.
var lines = map[string]draw.LineStyle{
	"sse":  {Color: report.Orange, Width: 1.5},
	"lean": {Color: report.Blue, Width: 1.5, Dashes: []vg.Length{5, 2}},
	"ws":   {Color: report.Green, Width: 1.5, Dashes: []vg.Length{2, 2}},
}

// chart draws latency and processor time, against clients and against events.
func (c *campaign) chart() []byte {
	p := report.NewPicture("What this machine holds", 690, 525)
	p.Text(18, 24, 15, report.Ink, "What this machine holds")
	p.Text(18, 40, 8.5, report.Faint, rig.Describe()+" · "+c.began.UTC().Format("2006-01-02")+
		" · CPU is of server and clients; dots: held")
	for i := range c.results {
		r := &c.results[i]
		y := 58 + 14*float64(i)
		p.StrokeLine2(lines[r.Transport.Name], 18, p.Max.Y-vg.Length(y), 50, p.Max.Y-vg.Length(y))
		p.Text(60, y, 9, report.Ink, r.Transport.Title+": "+r.summary())
	}
	clients := func(m *Reading) float64 { return float64(m.Clients) }
	deliveries := func(m *Reading) float64 { return m.Deliveries }
	latency := func(m *Reading) float64 { return float64(max(m.P99, time.Microsecond)) }
	added := func(r *result) []Reading { return r.Clients }
	rates := func(r *result) []Reading { return r.Rates }
	plots := [][]*plot.Plot{
		{
			c.plot("More users, "+c.often()+" each: p99", "clients", added, clients, latency),
			c.plot("More users, "+c.often()+" each: CPU", "clients", added, clients, (*Reading).busy),
		},
		{
			c.plot("More events to the same users: p99", "deliveries/s", rates, deliveries, latency),
			c.plot("More events to the same users: CPU", "deliveries/s", rates, deliveries, (*Reading).busy),
		},
	}
	for _, row := range plots {
		logarithmic(&row[0].Y, float64(100*time.Microsecond), float64(10*time.Second), func(v float64) string {
			return report.Duration(time.Duration(v))
		})
		row[0].Add(limit(float64(fullP99)))
		row[1].Y.Min, row[1].Y.Max, row[1].Y.Tick.Marker = 0, 1, ticks(report.Percent, 0, 0.2, 0.4, 0.6, 0.8, 1)
		row[1].Add(limit(fullBusy))
	}
	tiles := draw.Tiles{Rows: 2, Cols: 2, PadX: 25, PadY: 22}
	for i, row := range plot.Align(plots, tiles, p.Part(18, 676, 110, 515)) {
		for j, canvas := range row {
			plots[i][j].Draw(canvas)
		}
	}
	return p.SVG()
}

// summary is a transport's legend.
func (r *result) summary() string {
	if r.Held == nil {
		return "not measured"
	}
	s := fmt.Sprintf("%s clients held; %s idle, %s active", report.Count(r.Held.Clients), report.Memory(r.Idle), report.Memory(r.Held.Memory))
	if r.Most != nil {
		s += fmt.Sprintf("; at most %s deliveries/s, %s of CPU each", report.Count(int(r.Most.Deliveries)), report.Duration(r.Most.Each))
	}
	return s
}

// plot draws a line of each transport's readings. Of a load that was tried twice the second counts.
func (c *campaign) plot(title, xName string, readings func(*result) []Reading, x, y func(*Reading) float64) *plot.Plot {
	p := report.NewPlot()
	p.Title.Text, p.Title.Padding, p.Title.TextStyle = title, 6, report.Style(report.Ink)
	p.Title.TextStyle.XAlign = text.XCenter
	p.X.Label.Text = xName
	p.Add(&plotter.Grid{Vertical: gridLine, Horizontal: gridLine})
	low, high := math.Inf(1), 0.0
	for i := range c.results {
		last := map[float64]*Reading{}
		for _, m := range readings(&c.results[i]) {
			last[m.Rate] = &m
		}
		style := lines[c.results[i].Transport.Name]
		line, dots := &plotter.Line{LineStyle: style}, &plotter.Scatter{GlyphStyle: draw.GlyphStyle{Color: style.Color, Radius: 2.2, Shape: draw.CircleGlyph{}}}
		for _, rate := range slices.Sorted(maps.Keys(last)) {
			m := last[rate]
			if x(m) <= 0 {
				continue
			}
			at := plotter.XY{X: x(m), Y: y(m)}
			low, high, line.XYs = min(low, at.X), max(high, at.X), append(line.XYs, at)
			if m.over() == "" {
				dots.XYs = append(dots.XYs, at)
			}
		}
		if len(line.XYs) > 0 {
			p.Add(line)
		}
		if len(dots.XYs) > 0 {
			p.Add(dots)
		}
	}
	if high == 0 {
		low, high = 1, 10
	}
	low = math.Pow(10, math.Floor(math.Log10(low)))
	logarithmic(&p.X, low, max(10*low, math.Pow(10, math.Ceil(math.Log10(high)))), func(v float64) string { return report.Count(int(math.Round(v))) })
	return p
}

var gridLine = draw.LineStyle{Color: report.Grid, Width: 0.5}

func limit(y float64) plot.Plotter {
	f := plotter.NewFunction(func(float64) float64 { return y })
	f.LineStyle = draw.LineStyle{Color: report.Red, Width: 1, Dashes: []vg.Length{1.5, 2}}
	return f
}

// logarithmic makes an axis logarithmic, with ticks at the powers of ten.
func logarithmic(a *plot.Axis, low, high float64, name func(float64) string) {
	a.Scale, a.Min, a.Max = plot.LogScale{}, low, high
	var at []float64
	for v := low; v < high*1.01; v *= 10 {
		at = append(at, v)
	}
	a.Tick.Marker = ticks(name, at...)
}

func ticks(name func(float64) string, at ...float64) (t plot.ConstantTicks) {
	for _, v := range at {
		t = append(t, plot.Tick{Value: v, Label: name(v)})
	}
	return t
}
