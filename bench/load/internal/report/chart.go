package report

import (
	"bytes"
	"fmt"
	"html"
	"image/color"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// The colours of charts, as they are on a light page.
var (
	Ink    = color.RGBA{0x1f, 0x23, 0x28, 0xff}
	Faint  = color.RGBA{0x59, 0x63, 0x6e, 0xff} // small text
	Paper  = color.RGBA{0xfe, 0xff, 0xff, 0xff}
	Grid   = color.RGBA{0xd8, 0xde, 0xe4, 0xff}
	Grey   = color.RGBA{0x9a, 0xa7, 0xb4, 0xff}
	Orange = color.RGBA{0xd1, 0x41, 0x0c, 0xff}
	Blue   = color.RGBA{0x09, 0x69, 0xda, 0xff}
	Green  = color.RGBA{0x1a, 0x7f, 0x37, 0xff}
	Red    = color.RGBA{0xcf, 0x22, 0x2e, 0xff}
)

// themes has the names of the colours in an SVG file, and the colours as they are on a dark page.
var themes = []struct {
	light color.RGBA
	name  string
	dark  string
}{
	{Ink, "ink", "#e6edf3"}, {Faint, "faint", "#9198a1"}, {Paper, "paper", "#0d1117"}, {Grid, "grid", "#3d444d"}, {Grey, "grey", "#6e7a87"},
	{Orange, "orange", "#ff8a4c"}, {Blue, "blue", "#6cb6ff"}, {Green, "green", "#57d364"}, {Red, "red", "#ff7b72"},
}

// A Picture is a chart that is being drawn. Lengths are in points.
type Picture struct {
	draw.Canvas
	title string
	svg   *vgsvg.Canvas
}

// NewPicture returns an empty picture. The title is for screen readers.
func NewPicture(title string, width, height float64) Picture {
	svg := vgsvg.New(vg.Length(width), vg.Length(height))
	return Picture{draw.New(svg), title, svg}
}

// style returns the style of text in a size and colour.
func style(size float64, c color.Color) text.Style {
	sans := font.Font{Typeface: "Liberation", Variant: "Sans", Size: vg.Length(size)}
	return text.Style{Color: c, Font: sans, Handler: plot.DefaultTextHandler, YAlign: text.YCenter}
}

// Text writes a line. The centre of its left end is right and down of the
// picture's upper left corner.
func (p Picture) Text(right, down, size float64, c color.Color, line string) {
	p.FillText(style(size, c), vg.Point{X: vg.Length(right), Y: p.Max.Y - vg.Length(down)}, line)
}

// Part returns a rectangle of the picture, down from its upper edge.
func (p Picture) Part(left, right, top, bottom float64) draw.Canvas {
	c := p.Canvas
	c.Min, c.Max = vg.Point{X: vg.Length(left), Y: p.Max.Y - vg.Length(bottom)}, vg.Point{X: vg.Length(right), Y: p.Max.Y - vg.Length(top)}
	return c
}

// NewPlot returns a plot in the colours of charts.
func NewPlot() *plot.Plot {
	p := plot.New()
	p.BackgroundColor = color.Transparent
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Color, axis.Tick.LineStyle.Color = Grid, Grid
		for _, s := range []*text.Style{&axis.Label.TextStyle, &axis.Tick.Label} {
			s.Font, s.Color = style(8, Faint).Font, Faint
		}
	}
	return p
}

// Style returns the style of a label in a plot.
func Style(c color.Color) text.Style { return style(8.5, c) }

// SVG returns the picture as an SVG document whose colours follow the page.
func (p Picture) SVG() []byte {
	var b bytes.Buffer
	p.svg.WriteTo(&b) //nolint:errcheck // a bytes.Buffer takes everything
	var light, night strings.Builder
	replace := []string{"font-family:Liberation Sans", "font-family:ui-sans-serif,system-ui,Segoe UI,Helvetica,Arial,sans-serif"}
	for _, t := range themes {
		hex := fmt.Sprintf("#%02X%02X%02X", t.light.R, t.light.G, t.light.B)
		replace = append(replace, hex, "var(--"+t.name+")")
		fmt.Fprintf(&light, "--%s:%s;", t.name, hex)
		fmt.Fprintf(&night, "--%s:%s;", t.name, t.dark)
	}
	svg := strings.NewReplacer(replace...).Replace(b.String())
	head := strings.Index(svg, "<svg")
	end := head + strings.Index(svg[head:], ">") + 1
	return fmt.Appendf(nil, "%s\n<title>%s</title>\n<style>:root{%s}@media(prefers-color-scheme:dark){:root{%s}}</style>%s",
		svg[head:end], html.EscapeString(p.title), &light, &night, svg[end:])
}
