package main

import (
	"fmt"
	"html"
	"math"
	"slices"
	"strings"
	"time"
)

// Measures of the picture, in its own units.
const (
	width, height = 920, 700
	margin        = 24
	plotWidth     = 360
	plotHeight    = 190
	plotTop       = 172 // of the first row
	rowHeight     = 270
	columnWidth   = 450
	axisRoom      = 56 // left of a plot, for its numbers
)

// The colours are those of a page on light and on dark ground: the same hues,
// lighter on dark. Lines differ in their dashes too, for who sees no hues.
const style = `
text { font-family: ui-sans-serif, system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; font-size: 12px; fill: #1f2328 }
.title { font-size: 20px; font-weight: 700 }
.plot { font-size: 14px; font-weight: 600 }
.small { font-size: 11px; fill: #59636e }
.grid { stroke: #d8dee4; stroke-width: 1 }
.limit { stroke: #cf222e; stroke-width: 1.5; stroke-dasharray: 2 3 }
.line { fill: none; stroke-width: 2 }
.sse { stroke: #d1410c } .lean { stroke: #0969da; stroke-dasharray: 7 3 } .ws { stroke: #1a7f37; stroke-dasharray: 2 2 }
.dot { stroke: none } .dot.sse { fill: #d1410c } .dot.lean { fill: #0969da } .dot.ws { fill: #1a7f37 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  .small { fill: #9198a1 }
  .grid { stroke: #30363d }
  .limit { stroke: #ff7b72 }
  .sse { stroke: #ff8a4c } .lean { stroke: #6cb6ff } .ws { stroke: #57d364 }
  .dot.sse { fill: #ff8a4c } .dot.lean { fill: #6cb6ff } .dot.ws { fill: #57d364 }
}
`

// A point of a line. Those that were held have a dot.
type point struct {
	x, y float64
	held bool
}

// A series is what one plot shows of one transport.
type series struct {
	class  string // as the transport
	points []point
}

// A plot has a logarithmic x axis, and a y axis of either kind.
type plot struct {
	title, xName string
	lines        []series
	logY         bool
	yMin, yMax   float64
	limit        float64
	yName        func(float64) string
}

// svg draws latency and processor time, against clients and against events.
func (r *report) svg() []byte {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-labelledby="t d">`,
		width, height, width, height)
	fmt.Fprintf(&b, "\n<title id=\"t\">What this machine holds</title>\n<desc id=\"d\">%s</desc>\n<style>%s</style>\n",
		html.EscapeString(r.sentence()), style)
	text(&b, margin, 34, "title", "", "What this machine holds")
	text(&b, margin, 54, "small", "", r.machine+" · "+r.when.UTC().Format("2006-01-02")+" · server and clients share the machine, and CPU is of both; dots: held")
	for i, res := range r.results {
		y := 82 + 18*float64(i)
		line(&b, "line "+res.Transport, margin, y-4, margin+44, y-4)
		text(&b, margin+axisRoom, y, "", "", title(res.Transport)+": "+res.summary())
	}
	users := func(m reading) float64 { return float64(m.Clients) }
	deliveries := func(m reading) float64 { return m.Deliveries }
	clients, rates := r.byTransport(func(r *result) []reading { return r.Clients }), r.byTransport(func(r *result) []reading { return r.Rates })
	c := r.campaign
	for row, ramp := range []struct {
		what  string
		xName string
		x     func(reading) float64
		steps map[string][]reading
	}{
		{fmt.Sprintf("More users, %s each", perSecond(c.rate)), "clients", users, clients},
		{"More events to the same users", "deliveries/s", deliveries, rates},
	} {
		top := float64(plotTop + row*rowHeight)
		for column, p := range []plot{
			latencyPlot(r.lines(ramp.steps, ramp.x, func(m reading) float64 { return float64(max(m.P99, time.Microsecond)) })),
			busyPlot(r.lines(ramp.steps, ramp.x, func(m reading) float64 { return m.busy() })),
		} {
			p.xName = ramp.xName
			p.title = ramp.what + ": " + p.title
			p.draw(&b, float64(margin+axisRoom+column*columnWidth), top)
		}
	}
	b.WriteString("</svg>\n")
	return []byte(b.String())
}

// summary is a transport's legend.
func (r *result) summary() string {
	if r.Held == nil {
		return "not measured"
	}
	s := fmt.Sprintf("%s clients held; %s idle", grouped(r.Held.Clients), memory(r.Idle))
	if r.Active > 0 {
		s += ", " + memory(r.Active) + " active"
	}
	if r.Most != nil {
		s += fmt.Sprintf("; at most %s deliveries/s, %s of CPU each", grouped(int(r.Most.Deliveries)), short(r.Most.Each))
	}
	return s
}

func latencyPlot(lines []series) plot {
	return plot{
		title: "p99", lines: lines, logY: true, limit: float64(full.p99),
		yMin: float64(100 * time.Microsecond), yMax: float64(10 * time.Second),
		yName: func(v float64) string { return short(time.Duration(math.Round(v))) },
	}
}

func busyPlot(lines []series) plot {
	return plot{title: "CPU", lines: lines, limit: full.busy, yMin: 0, yMax: 1, yName: percent}
}

func (r *report) byTransport(steps func(*result) []reading) map[string][]reading {
	m := map[string][]reading{}
	for i := range r.results {
		m[r.results[i].Transport] = steps(&r.results[i])
	}
	return m
}

// lines makes a line of each transport's steps. Of a load that was tried twice
// the second counts.
func (r *report) lines(steps map[string][]reading, x, y func(reading) float64) (lines []series) {
	for _, res := range r.results {
		byRate := map[float64]reading{}
		for _, m := range steps[res.Transport] {
			byRate[m.Rate] = m
		}
		s := series{class: res.Transport}
		for _, m := range byRate {
			if x(m) > 0 {
				s.points = append(s.points, point{x(m), y(m), full.over(&m) == ""})
			}
		}
		slices.SortFunc(s.points, func(a, b point) int { return int(math.Copysign(1, a.x-b.x)) })
		lines = append(lines, s)
	}
	return lines
}

// draw draws a plot whose upper left corner is at x, y.
func (p *plot) draw(b *strings.Builder, x, y float64) {
	lo, hi := p.span()
	atX := func(v float64) float64 { return x + plotWidth*fraction(math.Log(v), math.Log(lo), math.Log(hi)) }
	atY := func(v float64) float64 {
		v = min(max(v, p.yMin), p.yMax)
		if p.logY {
			return y + plotHeight*(1-fraction(math.Log(v), math.Log(p.yMin), math.Log(p.yMax)))
		}
		return y + plotHeight*(1-fraction(v, p.yMin, p.yMax))
	}
	text(b, x-axisRoom, y-14, "plot", "", p.title)
	for _, v := range p.yTicks() {
		line(b, "grid", x, atY(v), x+plotWidth, atY(v))
		text(b, x-6, atY(v)+4, "small", "end", p.yName(v))
	}
	for v := lo; v <= hi*1.001; v *= 10 {
		line(b, "grid", atX(v), y, atX(v), y+plotHeight)
		text(b, atX(v), y+plotHeight+16, "small", "middle", grouped(int(math.Round(v))))
	}
	text(b, x+plotWidth, y+plotHeight+32, "small", "end", p.xName)
	line(b, "limit", x, atY(p.limit), x+plotWidth, atY(p.limit))
	for _, s := range p.lines {
		if len(s.points) == 0 {
			continue
		}
		fmt.Fprintf(b, `<polyline class="line %s" points="`, s.class)
		for _, pt := range s.points {
			fmt.Fprintf(b, "%.1f,%.1f ", atX(pt.x), atY(pt.y))
		}
		b.WriteString("\"/>\n")
		for _, pt := range s.points {
			if pt.held {
				fmt.Fprintf(b, `<circle class="dot %s" cx="%.1f" cy="%.1f" r="3"/>`+"\n", s.class, atX(pt.x), atY(pt.y))
			}
		}
	}
}

// span returns the powers of ten between which all x lie.
func (p *plot) span() (lo, hi float64) {
	lo, hi = math.Inf(1), 0
	for _, s := range p.lines {
		for _, pt := range s.points {
			lo, hi = min(lo, pt.x), max(hi, pt.x)
		}
	}
	if hi == 0 {
		return 1, 10
	}
	lo, hi = math.Pow(10, math.Floor(math.Log10(lo))), math.Pow(10, math.Ceil(math.Log10(hi)))
	return lo, max(hi, 10*lo)
}

func (p *plot) yTicks() (ticks []float64) {
	if !p.logY {
		for i := range 6 {
			ticks = append(ticks, p.yMin+(p.yMax-p.yMin)*float64(i)/5)
		}
		return ticks
	}
	for v := p.yMin; v <= p.yMax*1.001; v *= 10 {
		ticks = append(ticks, v)
	}
	return ticks
}

func fraction(v, lo, hi float64) float64 { return (v - lo) / (hi - lo) }

func line(b *strings.Builder, class string, x1, y1, x2, y2 float64) {
	fmt.Fprintf(b, `<line class="%s" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>`+"\n", class, x1, y1, x2, y2)
}

func text(b *strings.Builder, x, y float64, class, anchor, s string) {
	if anchor != "" {
		anchor = ` text-anchor="` + anchor + `"`
	}
	fmt.Fprintf(b, `<text class="%s" x="%.1f" y="%.1f"%s>%s</text>`+"\n", class, x, y, anchor, html.EscapeString(s))
}
