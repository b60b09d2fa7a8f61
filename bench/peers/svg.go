package main

import (
	"bytes"
	"cmp"
	"fmt"
	"html"
	"math"
	"slices"
	"strings"
)

// Measures of the picture, in its own units.
const (
	svgWidth  = 920
	svgMargin = 20
	svgLabel  = 220 // where bars begin
	svgBar    = 470 // the longest bar
	svgRow    = 20
	svgThick  = 12
	svgHead   = 96 // above the first group
	svgGroup  = 64 // between groups, their headings included
)

// Where low values win, bars longer than this many times the best are cut: one peer that is a thousand times slower
// would leave nothing to see of the others.
const svgCut = 8

// The colours are those of a page on light and on dark ground: the same hues, lighter on dark.
const svgStyle = `
text { font-family: ui-sans-serif, system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; font-size: 12px; fill: #1f2328 }
.title { font-size: 20px; font-weight: 700 }
.group { font-size: 14px; font-weight: 600 }
.small { font-size: 11px; fill: #59636e }
.ours { font-weight: 700 }
.bar { fill: #9aa7b4 }
.bar.ours { fill: #d1410c }
.bar.floor { fill: #d0d7de }
.bar.lossy { fill: none; stroke: #9aa7b4; stroke-width: 1.5; stroke-dasharray: 4 3 }
.bar.ours.lossy { stroke: #d1410c }
.range { stroke: #1f2328; stroke-width: 1 }
.cut { stroke: #ffffff; stroke-width: 4 }
.rule { stroke: #d0d7de }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  .small { fill: #9198a1 }
  .bar { fill: #6e7a87 }
  .bar.ours { fill: #ff8a4c }
  .bar.floor { fill: #3d444d }
  .bar.lossy { fill: none; stroke: #6e7a87 }
  .bar.ours.lossy { stroke: #ff8a4c }
  .range { stroke: #e6edf3 }
  .cut { stroke: #0d1117 }
  .rule { stroke: #3d444d }
}
`

// drawSVG draws a group of horizontal bars for each scenario, the best first.
func drawSVG(env environment, results []result) []byte {
	var body bytes.Buffer
	y := svgHead
	for i := range results {
		y = results[i].draw(&body, y)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-labelledby="t">`,
		svgWidth, y, svgWidth, y)
	fmt.Fprintf(&b, "\n<title id=\"t\">Crier beside its peers</title>\n<style>%s</style>\n", svgStyle)
	text(&b, svgMargin, 34, "title", "Crier beside its peers")
	text(&b, svgMargin, 54, "small", env.line())
	x := svgMargin
	for _, l := range []struct{ class, label string }{
		{"ours", "Crier"}, {"", "library or pattern"}, {"lossy", "lost events"}, {"floor", "floor: the least it can be done with"},
	} {
		rect(&b, x, 68, 20, svgThick, l.class)
		text(&b, x+26, 78, "small", l.label)
		x += 46 + 6*len(l.label)
	}
	b.Write(body.Bytes())
	b.WriteString("</svg>\n")
	return b.Bytes()
}

// draw draws one scenario from y down and returns where the next begins.
func (r *result) draw(b *bytes.Buffer, y int) int {
	bars := r.ranked()
	if len(bars) == 0 {
		return y
	}
	longest := r.scale(bars)
	fmt.Fprintf(b, "<line class=\"rule\" x1=\"%d\" x2=\"%d\" y1=\"%d\" y2=\"%d\"/>\n", svgMargin, svgWidth-svgMargin, y+8, y+8)
	text(b, svgMargin, y+30, "group", r.scenario.title)
	wins := "shorter is better"
	if r.scenario.higherWins {
		wins = "longer is better"
	}
	text(b, svgMargin, y+46, "small", r.scenario.unit+", "+wins)
	y += svgGroup - 8
	for _, o := range bars {
		v := o.value()
		class := map[peerKind]string{ours: "ours", floor: "floor"}[o.peer.kind]
		barClass := class
		if !o.lossless() {
			barClass = strings.TrimSpace(class + " lossy")
		}
		length := func(v float64) int { return int(math.Round(min(v/longest, 1) * svgBar)) }
		end := svgLabel + length(v.Median)
		fmt.Fprintf(b, `<text class="%s" x="%d" y="%d" text-anchor="end">%s</text>`+"\n",
			class, svgLabel-8, y+svgThick-2, html.EscapeString(o.peer.title))
		rect(b, svgLabel, y, max(1, end-svgLabel), svgThick, barClass)
		if v.Median > longest { // the cut shows that the bar goes on
			x := end - 24
			fmt.Fprintf(b, `<line class="cut" x1="%d" x2="%d" y1="%d" y2="%d"/>`+"\n", x-4, x+4, y+svgThick+1, y-1)
		} else if len(o.samples) > 1 {
			lo, hi := svgLabel+length(v.Min), svgLabel+length(v.Max)
			fmt.Fprintf(b, `<line class="range" x1="%d" x2="%d" y1="%d" y2="%d"/>`+"\n", lo, hi, y+svgThick/2, y+svgThick/2)
			end = max(end, hi)
		}
		label := number(v.Median)
		if lost := remarks(o.samples); lost != "" {
			label += " ·" + strings.TrimPrefix(lost, " ")
		}
		text(b, end+8, y+svgThick-2, class, label)
		y += svgRow
	}
	return y + 12
}

// ranked returns the outcomes that have values, the best first, those that lost events after those that did not.
func (r *result) ranked() []*outcome {
	var bars []*outcome
	for i := range r.outcomes {
		if len(r.outcomes[i].samples) > 0 {
			bars = append(bars, &r.outcomes[i])
		}
	}
	slices.SortStableFunc(bars, func(a, b *outcome) int {
		if a.lossless() != b.lossless() {
			if a.lossless() {
				return -1
			}
			return 1
		}
		c := cmp.Compare(a.value().Median, b.value().Median)
		if r.scenario.higherWins {
			return -c
		}
		return c
	})
	return bars
}

// scale returns the value that the longest bar stands for.
func (r *result) scale(bars []*outcome) float64 {
	least, most := math.Inf(1), 0.0
	for _, o := range bars {
		v := o.value()
		least, most = min(least, v.Median), max(most, v.Median)
	}
	if r.scenario.higherWins {
		return most
	}
	return min(most, svgCut*least)
}

func text(b *bytes.Buffer, x, y int, class, s string) {
	fmt.Fprintf(b, `<text class="%s" x="%d" y="%d">%s</text>`+"\n", class, x, y, html.EscapeString(s))
}

func rect(b *bytes.Buffer, x, y, w, h int, class string) {
	fmt.Fprintf(b, `<rect class="%s" x="%d" y="%d" width="%d" height="%d" rx="2"/>`+"\n",
		strings.TrimSpace("bar "+class), x, y, w, h)
}
